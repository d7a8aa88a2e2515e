"""The one way ASTRA talks to S3 (boto3) and to Redis (redis-py): timeouts, retries, clear refusals."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from .errors import AstraError, ServiceError

_making = threading.Lock()  # boto3's making of clients is not safe between threads, their use is
_ACCESS_DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "403"}


def s3_client(
    endpoint: str, access_key: str, secret_key: str, region: str, *, attempts: int = 4, timeout_s: float = 30
) -> Any:
    """A boto3 client with path-style addresses, shared by all who ask for the same (making one takes 0.2 s).

    Empty keys leave the search for keys to boto3's own chain.
    """
    with _making:
        # by process: a forked worker must not write into its parent's connections
        return _s3_client(os.getpid(), endpoint, access_key, secret_key, region, attempts, timeout_s)


@lru_cache(maxsize=16)
def _s3_client(
    _: int, endpoint: str, access_key: str, secret_key: str, region: str, attempts: int, timeout_s: float
) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        retries={"max_attempts": attempts, "mode": "standard"},
        connect_timeout=min(5.0, timeout_s),
        read_timeout=timeout_s,
        max_pool_connections=16,
        # SDKs since 2025 add CRC trailers by default, which other S3 servers refuse; ours is the sha256
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=region,
        config=config,
        aws_access_key_id=access_key or None,
        aws_secret_access_key=secret_key or None,
    )


def redis_client(url: str, *, attempts: int = 4, timeout_s: float = 10) -> Any:
    """A redis-py client that decodes to text and reconnects after a restart.

    Only commands that are safe to send twice may rely on the retries: a write whose answer was lost is sent
    again.
    """
    from redis import Redis
    from redis.backoff import ExponentialBackoff
    from redis.exceptions import ConnectionError, TimeoutError
    from redis.retry import Retry

    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(5.0, timeout_s),
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), attempts),
        retry_on_error=[ConnectionError, TimeoutError],
    )


def without_password(url: str) -> str:
    """A URL fit for a message: `redis://127.0.0.1:6379`."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path.rstrip('/')}"


@contextmanager
def s3_errors(where: str, *, doing: str = "reach the object store"):
    """Turn boto3's exceptions into `ServiceError`; `AstraError` passes through."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except AstraError:
        raise
    except NoCredentialsError:
        raise ServiceError(
            f"cannot {doing}: no S3 credentials",
            where=where,
            remedy="Set ASTRA_S3_ACCESS_KEY and ASTRA_S3_SECRET_KEY",
        ) from None
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "?"))
        message = (error.response.get("Error", {}).get("Message") or str(error)).rstrip(".")
        remedy = (
            "Check ASTRA_S3_ACCESS_KEY, ASTRA_S3_SECRET_KEY and the bucket's policy"
            if code in _ACCESS_DENIED
            else "Check ASTRA_S3_BUCKET"
            if code == "NoSuchBucket"
            else "Run `astra services status`; a full disk under the store reads as an internal error"
        )
        raise ServiceError(
            f"cannot {doing}: S3 answered {code}: {message}", where=where, remedy=remedy
        ) from error
    except BotoCoreError as error:
        raise ServiceError(
            f"cannot {doing}: {error}",
            where=where,
            remedy="Run `astra services up`, or check ASTRA_S3_ENDPOINT",
        ) from error


@contextmanager
def redis_errors(where: str, *, doing: str = "reach Redis"):
    """Turn redis-py's exceptions into `ServiceError`; `AstraError` passes through."""
    from redis.exceptions import AuthenticationError, RedisError

    try:
        yield
    except AstraError:
        raise
    except AuthenticationError:
        raise ServiceError(
            f"cannot {doing}: the password was refused",
            where=where,
            remedy="Check the password in ASTRA_REDIS_URL",
        ) from None
    except RedisError as error:
        raise ServiceError(
            f"cannot {doing}: {error}",
            where=where,
            remedy="Run `astra services up`, or check ASTRA_REDIS_URL",
        ) from error
