"""Presigned downloads and uploads on the worker: retried, bounded, checked, logged without signatures."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from astra_lib.core.errors import ConflictError, InputError, MissingError, ServiceError

ATTEMPTS = 5
BACKOFF_S = 1.0
MAX_DATASET_BYTES = 2 << 30
T = TypeVar("T")
log = logging.getLogger("astra.trainer")


def redact(url: str) -> str:
    """The part of a URL that may be shown: in a presigned one the query is the permission itself."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


async def download(url: str, target: Path, sha256: str, *, limit: int = MAX_DATASET_BYTES) -> Path:
    """Fetch `url` to `target`; `InputError` when its sha256 differs, it is too large, or the URL expired."""

    async def once() -> None:
        import aiohttp

        digest, size = hashlib.sha256(), 0
        async with _session() as session, session.get(url) as response:
            _refuse(response.status, url)
            with target.open("wb") as out:
                async for chunk in response.content.iter_chunked(1 << 20):
                    size += len(chunk)
                    if size > limit:
                        raise InputError(f"is larger than {limit} bytes", where=redact(url))
                    digest.update(chunk)
                    out.write(chunk)
            announced = response.content_length
            encoded = response.headers.get("Content-Encoding")  # then the announced length is another
            if announced is not None and size != announced and not encoded:
                raise aiohttp.ClientPayloadError("short read")
        if digest.hexdigest() != sha256:
            raise InputError("is not the file the job was made for (its sha256 differs)", where=redact(url))

    await _with_retries(once, url)
    return target


async def fetch_optional(url: str, *, limit: int = 8 << 20) -> bytes | None:
    """The object behind a presigned GET, or None when there is none yet."""

    async def once() -> bytes | None:
        async with _session() as session, session.get(url) as response:
            if response.status == 404:
                return None
            _refuse(response.status, url)
            data = await response.content.read(limit + 1)
            while not response.content.at_eof() and len(data) <= limit:
                data += await response.content.read(limit + 1 - len(data))
            if len(data) > limit:
                raise InputError(f"is larger than {limit} bytes", where=redact(url))
            return data

    return await _with_retries(once, url)


async def upload(url: str, data: bytes, *, only_if_absent: bool = False, attempts: int = ATTEMPTS) -> None:
    """PUT `data`; with `only_if_absent` an object already there raises `ConflictError` and stays as it is."""
    # If-None-Match need not be signed; an unsigned x-amz-* header would be refused.
    headers = {"If-None-Match": "*"} if only_if_absent else {}

    async def once() -> None:
        async with _session() as session, session.put(url, data=data, headers=headers) as response:
            if response.status in (409, 412):
                raise ConflictError("is already there", where=redact(url))
            _refuse(response.status, url)

    await _with_retries(once, url, attempts)


def _session():
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, connect=15, sock_read=60)
    return aiohttp.ClientSession(timeout=timeout, skip_auto_headers={"Content-Type"})


def _refuse(status: int, url: str) -> None:
    if status < 300:
        return
    if status == 404:
        raise MissingError("no such object", where=redact(url), remedy="Submit the job again")
    if status in (400, 401, 403):
        raise InputError(
            f"the signed URL was refused (HTTP {status}): expired, or signed for something else",
            where=redact(url),
            remedy="Submit the job again; s3.presign_seconds must outlast queue and training",
        )
    raise ServiceError(f"HTTP {status}", where=redact(url))


async def _with_retries(once: Callable[[], Awaitable[T]], url: str, attempts: int = ATTEMPTS) -> T:
    """Try again with growing pauses after 5xx, resets and timeouts, but not after a refusal."""
    import aiohttp

    for attempt in range(1, attempts + 1):
        try:
            return await once()
        except (aiohttp.ClientError, TimeoutError, ServiceError) as error:
            reason = error.what if isinstance(error, ServiceError) else type(error).__name__
            if attempt == attempts:
                raise ServiceError(f"failed {attempts} times, last: {reason}", where=redact(url)) from None
            log.warning("%s: %s, trying again", redact(url), reason)
            await asyncio.sleep(BACKOFF_S * 2 ** (attempt - 1))
    raise AssertionError("unreachable")
