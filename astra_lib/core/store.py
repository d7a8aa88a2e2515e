"""The object store: files in and out of S3, whole or not at all, with their sha256.

What `put_*` wrote is checked before it returns; what `get_*` read is checked against the sha256 it was stored
with. A presigned URL carries no credentials and signs no header but the host: its user must send none of the
`x-amz-*` kind, so such an object has no stored sha256 and is checked against the one the receiver was told.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from . import services
from .clients import s3_client, s3_errors
from .errors import ConflictError, InputError, MissingError, ServiceError, disk_errors
from .records import dumps, sha256_file
from .settings import Settings

_CHUNK = 1 << 20
_LARGEST = 5 << 30  # S3's bound for an upload in one part
_READ_TRIES = 3
Names = list[str]  # inside the class `list` is the method
_ABSENT = {"NoSuchKey", "404", "NotFound"}


class Store:
    """One bucket. Safe to share between threads (boto3 clients are)."""

    def __init__(self, client: Any, bucket: str, *, presign_seconds: int = 7200, address: str = "S3") -> None:
        self.client, self.bucket, self.presign_seconds, self.address = (
            client,
            bucket,
            presign_seconds,
            address,
        )

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """The configured S3 or the embedded one (started if need be); the bucket is made if missing."""
        where = services.up(settings)
        client = s3_client(where.s3_endpoint, where.s3_access_key, where.s3_secret_key, settings.s3.region)
        store = cls(
            client, settings.s3.bucket, presign_seconds=settings.s3.presign_seconds, address=where.s3_endpoint
        )
        store.ensure_bucket()
        return store

    def ensure_bucket(self) -> None:
        from botocore.exceptions import ClientError

        with s3_errors(self.address, doing=f"use the bucket {self.bucket!r}"):
            try:
                self.client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if _code(error) not in _ABSENT | {"NoSuchBucket"}:
                    raise
                try:
                    self.client.create_bucket(Bucket=self.bucket)
                except (
                    self.client.exceptions.BucketAlreadyOwnedByYou,
                    self.client.exceptions.BucketAlreadyExists,
                ):
                    self.client.head_bucket(Bucket=self.bucket)

    def put_file(self, key: str, path: Path | str, if_none_match: bool = False) -> str:
        """Store a file and return its sha256.

        `if_none_match`: raises `ConflictError` when the key exists. A file that changes meanwhile is refused
        by the server's MD5 check (`ServiceError`).
        """
        path = Path(path)
        if not path.is_file():
            raise MissingError("no such file", where=str(path), remedy="Check the path")
        with disk_errors(path), path.open("rb") as body:
            return self._put(key, body, if_none_match)

    def put_bytes(self, key: str, data: bytes, if_none_match: bool = False) -> str:
        return self._put(key, io.BytesIO(data), if_none_match)

    def put_json(self, key: str, value: Any, if_none_match: bool = False) -> str:
        """Canonical JSON of `value`; NaN raises `InputError`."""
        try:
            return self.put_bytes(key, dumps(value).encode(), if_none_match)
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"not representable as JSON: {error}", where=key) from None

    def publish(self, key: str, source: Path | str | bytes, replaces: str = "") -> str:
        """Store a file (or bytes) under a key that others may be writing too, and return its sha256.

        Without `replaces` the key must be free; with it, the object there must still be the one of that
        sha256. The bytes that are there already are no error. Whoever comes second gets a `ConflictError`,
        and overwrites nothing.
        """
        if not isinstance(source, bytes) and not Path(source).is_file():
            raise MissingError("no such file", where=str(source), remedy="Check the path")
        with (
            disk_errors(source if not isinstance(source, bytes) else key),
            io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as body,
        ):
            ours = _digests(body)[0]
            body.seek(0)
            try:
                if not replaces:
                    return self._put(key, body, True)
                found, etag = self.stored(key)
                if found == ours:
                    return ours
                if found == replaces:
                    return self._put(key, body, False, if_match=etag)
            except (ConflictError, MissingError):
                found = self.stored(key)[0] if self.exists(key) else ""
        if found == ours:
            return ours
        raise ConflictError(
            f"somebody else wrote it first (sha256 {found[:12]}…)" if found else "somebody else removed it",
            where=self._where(key),
            remedy=f"Ours ({ours[:12]}…) was not stored: look at theirs, then run the same command again",
        )

    def stored(self, key: str) -> tuple[str, str]:
        """`(sha256, ETag)` of an object; one that came by a presigned URL is read to know its sha256."""
        head = self.head(key)
        known = head.get("Metadata", {}).get("sha256")
        return known or hashlib.sha256(self.get_bytes(key)).hexdigest(), head["ETag"]

    def _put(self, key: str, body: IO[bytes], if_none_match: bool, if_match: str = "") -> str:
        from botocore.exceptions import ClientError

        sha256, md5, size = _digests(body)
        if size > _LARGEST:
            raise InputError(f"{size >> 30} GiB is more than one upload may hold (5 GiB)", where=key)
        # tells our own retry, whose first answer was lost, from somebody else's object
        attempt = secrets.token_hex(8)
        arguments: dict[str, Any] = {"Metadata": {"sha256": sha256, "attempt": attempt}, "ContentMD5": md5}
        if if_none_match:
            arguments["IfNoneMatch"] = "*"
        if if_match:
            arguments["IfMatch"] = if_match
        with s3_errors(self._where(key), doing="store an object"):
            body.seek(0)
            try:
                self.client.put_object(Bucket=self.bucket, Key=check_key(key), Body=body, **arguments)
            except ClientError as error:
                if _code(error) not in {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}:
                    raise
                if self.head(key).get("Metadata", {}).get("attempt") != attempt:
                    raise ConflictError(
                        "the object was changed meanwhile" if if_match else "the object exists already",
                        where=self._where(key),
                        remedy="Somebody else wrote it first: read theirs",
                    ) from None
            stored = self.head(key)
        # another writer's object, put there since, is not ours to judge
        if stored.get("Metadata", {}).get("attempt") == attempt and stored["ContentLength"] != size:
            raise ServiceError(
                f"only {stored['ContentLength']} of {size} bytes arrived",
                where=self._where(key),
                remedy="Run the same command again",
            )
        return sha256

    def get_file(self, key: str, path: Path | str, sha256: str | None = None) -> str:
        """Fetch an object to `path` (whole or not at all) and return its sha256.

        It must match `sha256` when given, and the one it was stored with. Raises `MissingError`,
        `ServiceError`.
        """
        path = Path(path)
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
            os.close(handle)
            try:
                found = self._fetch(key, Path(temporary), sha256)
                Path(temporary).chmod(0o644)
                Path(temporary).replace(path)
            finally:
                Path(temporary).unlink(missing_ok=True)
        return found

    def _fetch(self, key: str, path: Path, expected: str | None) -> str:
        from botocore.exceptions import BotoCoreError, ResponseStreamingError

        for attempt in range(_READ_TRIES):
            last = attempt == _READ_TRIES - 1
            with self._reading(key):
                answer = self.client.get_object(Bucket=self.bucket, Key=check_key(key))
                digest, size = hashlib.sha256(), 0
                try:
                    with path.open("wb") as out:
                        for chunk in answer["Body"].iter_chunks(_CHUNK):
                            out.write(chunk)
                            digest.update(chunk)
                            size += len(chunk)
                        out.flush()
                        os.fsync(out.fileno())
                except (ResponseStreamingError, BotoCoreError):
                    if last:
                        raise
                    continue
            found, stored = digest.hexdigest(), answer.get("Metadata", {}).get("sha256")
            if size == answer["ContentLength"] and stored in {found, None}:
                if expected not in {found, None}:
                    raise InputError(
                        f"sha256 {found[:12]}… is not the expected {str(expected)[:12]}…",
                        where=self._where(key),
                        remedy="The object was replaced or tampered with",
                    )
                return found
        raise ServiceError(
            f"the bytes do not match the sha256 they were stored with ({size} bytes)",
            where=self._where(key),
            remedy="The object is damaged: store it again",
        )

    def get_bytes(self, key: str, sha256: str | None = None) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            self.get_file(key, Path(folder, "object"), sha256)
            return Path(folder, "object").read_bytes()

    def get_json(self, key: str) -> Any:
        try:
            return json.loads(self.get_bytes(key))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InputError(f"not JSON: {error}", where=self._where(key)) from None

    def head(self, key: str) -> dict[str, Any]:
        """Size, metadata, ETag; `MissingError` when there is no such object."""
        with self._reading(key):
            return self.client.head_object(Bucket=self.bucket, Key=check_key(key))

    def exists(self, key: str) -> bool:
        try:
            self.head(key)
        except MissingError:
            return False
        return True

    def list(self, prefix: str) -> Names:
        """Every key that starts with `prefix`, sorted."""
        return sorted(key for key, _ in self._entries(prefix))

    def folders(self, prefix: str) -> Names:
        """The names directly below `prefix` (which ends in a slash, or is empty), sorted."""
        if prefix and not prefix.endswith("/"):
            raise InputError("a prefix ends in a slash", where=prefix)
        with s3_errors(self._where(prefix), doing="list objects"):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, Delimiter="/"
            )
            return sorted(
                row["Prefix"][len(prefix) :].rstrip("/")
                for page in pages
                for row in page.get("CommonPrefixes", [])
            )

    def _entries(self, prefix: str) -> Iterator[tuple[str, int]]:
        with s3_errors(self._where(prefix), doing="list objects"):
            for page in self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            ):
                for row in page.get("Contents", []):
                    yield row["Key"], row["Size"]

    def delete(self, key: str) -> None:
        with s3_errors(self._where(key), doing="delete an object"):
            self.client.delete_object(Bucket=self.bucket, Key=check_key(key))

    def ensure_prefix(self, prefix: str, folder: Path | str) -> Names:
        """Bring everything below `prefix` into `folder`; files that match already are not fetched again.

        Returns the names below `folder`, sorted. Raises `MissingError` when nothing is stored there.
        """
        if not prefix.endswith("/"):
            raise InputError("a prefix ends in a slash", where=prefix)
        names = []
        for key, size in self._entries(prefix):
            check_key(key)
            name = key[len(prefix) :]
            path = Path(folder) / name
            stored = self.head(key).get("Metadata", {}).get("sha256")
            if not (
                path.is_file() and path.stat().st_size == size and stored and sha256_file(path) == stored
            ):
                self.get_file(key, path)
            names.append(name)
        if not names:
            raise MissingError("nothing is stored here", where=self._where(prefix))
        return sorted(names)

    def presign_get(self, key: str, seconds: int | None = None) -> str:
        """A URL to fetch `key` without credentials, for `seconds` (the settings' default)."""
        return self._presign("get_object", key, seconds)

    def presign_put(self, key: str, seconds: int | None = None) -> str:
        """A URL to store `key` with one PUT. No header is signed but the host: send no `x-amz-*` header."""
        return self._presign("put_object", key, seconds)

    def _presign(self, action: str, key: str, seconds: int | None) -> str:
        with s3_errors(self._where(key), doing="sign a URL"):
            return self.client.generate_presigned_url(
                action,
                Params={"Bucket": self.bucket, "Key": check_key(key)},
                ExpiresIn=seconds or self.presign_seconds,
            )

    def _where(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        from botocore.exceptions import ClientError

        with s3_errors(self._where(key), doing="read an object"):
            try:
                yield
            except ClientError as error:
                if _code(error) in _ABSENT:
                    raise MissingError("no such object", where=self._where(key)) from None
                raise


def check_key(key: str) -> str:
    """A key that is also a safe relative path; `InputError` otherwise."""
    parts = PurePosixPath(key).parts
    if (
        not key
        or key.startswith("/")
        or ".." in parts
        or "\\" in key
        or "\0" in key
        or len(key.encode()) > 1024
    ):
        raise InputError(
            "not a usable object key",
            where=repr(key[:80]),
            remedy="Use a relative path without '..' of at most 1024 bytes",
        )
    return key


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _digests(body: IO[bytes]) -> tuple[str, str, int]:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while chunk := body.read(_CHUNK):
        sha256.update(chunk)
        md5.update(chunk)
        size += len(chunk)
    return sha256.hexdigest(), base64.b64encode(md5.digest()).decode(), size
