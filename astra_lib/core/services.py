"""The embedded servers: SeaweedFS for S3 and Valkey for Redis, the real programs out of their wheels.

They are started on free loopback ports with everything under `<data_dir>/services`, outlive the command that
started them, and are found again by the next one. What settings configure (ASTRA_S3_ENDPOINT,
ASTRA_REDIS_URL) is never started. Acknowledged writes survive a kill: Valkey syncs its log at every write,
SeaweedFS answers after the write reached the kernel.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .clients import without_password
from .errors import ServiceError, disk_errors
from .servers import (
    Server,
    credentials,
    embedded_servers,
    probe_redis,
    probe_s3,
    redis_address,
    services_folder,
)
from .settings import Settings
from .supervisor import Process, exclusive, free_ports, port_is_free

_NEEDED_BYTES = 256 << 20
_HANG_S = 30.0


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
class _Start:
    """A launch of ours: what came into the log before `log_start` is older than it."""

    child: subprocess.Popen[bytes]
    ports: dict[str, int]
    log_start: int


def up(settings: Settings, *, owner: int = 0, timeout_s: float = 90) -> Endpoints:
    """Start what is not configured and not running, and return once a write and a read succeeded on each.

    Idempotent; of two that start at once, one starts and the other waits. `owner=os.getpid()` ties the
    servers to the calling thread's life. Raises `ServiceError` with the log's last lines and a remedy.
    """
    servers = embedded_servers(settings)
    if not all(_healthy(server) for server in servers):
        with (
            disk_errors(services_folder(settings)),
            exclusive(services_folder(settings) / "lock", timeout_s * 2, "the embedded servers"),
        ):
            # all are launched before any is waited for
            ill = [server for server in servers if not _healthy(server)]
            for server in ill:  # one that only lacks room must not be killed: it still answers reads
                _check_room(server.process.folder)
            begun = [None if server.process.lives() else _start(server, owner) for server in ill]
            for server, start in zip(ill, begun, strict=True):
                _await(server, start, owner, timeout_s)
    return _endpoints(settings)


def endpoints(settings: Settings) -> Endpoints:
    """Where S3 and Redis are, starting nothing. Raises `ServiceError` when an embedded one is not running."""
    for server in embedded_servers(settings):
        if not server.process.running():
            raise ServiceError(
                f"{server.title} is not running", where=str(server.process.folder), remedy="astra services up"
            )
    return _endpoints(settings)


def down(settings: Settings, *, grace_s: float = 25) -> list[str]:
    """Stop the embedded servers: SIGTERM, SIGKILL after `grace_s` seconds. Returns the names it stopped."""
    if not services_folder(settings).exists():
        return []
    with exclusive(services_folder(settings) / "lock", 180, "the embedded servers"):
        # every folder that has one, even where an endpoint is configured by now
        processes = {name: Process(services_folder(settings) / name) for name in ("s3", "redis")}
        alive = {name: process for name, process in processes.items() if process.lives()}
        deadline = time.monotonic() + grace_s
        for process in alive.values():
            process.send(signal.SIGTERM)
        for name, process in alive.items():
            if process.wait_gone(max(0.0, deadline - time.monotonic())):
                continue
            process.send(signal.SIGKILL)
            if not process.wait_gone(10):
                raise ServiceError(
                    f"the {name} server does not stop",
                    where=str(process.state),
                    remedy="Look for the process that holds this file open (fuser) and end it",
                )
    return sorted(alive)


def status(settings: Settings) -> list[ServiceStatus]:
    """What runs where, each asked by a real write and read."""
    embedded = {server.name: server for server in embedded_servers(settings)}
    rows = []
    for name in ("s3", "redis"):
        if server := embedded.get(name):
            rows.append(_embedded_status(server))
        else:
            rows.append(_configured_status(settings, name))
    return rows


def _embedded_status(server: Server) -> ServiceStatus:
    found = server.process.running()
    if not found:
        return ServiceStatus(server.name, "stopped", "", None, "start with `astra services up`")
    scheme = "http" if server.name == "s3" else "redis"
    address = f"{scheme}://127.0.0.1:{found.ports[server.name]}"
    try:
        server.probe(found.ports)
    except Exception as error:  # noqa: BLE001 - a status reports whatever the probe says
        detail = str(error).splitlines()[0]
        with suppress(OSError):
            if (free := shutil.disk_usage(server.process.folder).free) < _NEEDED_BYTES:
                detail = f"only {free >> 20} MiB left on its disk, so it refuses to write"
        return ServiceStatus(server.name, "unhealthy", address, found.pid, detail)
    return ServiceStatus(server.name, "running", address, found.pid, server.title)


def _configured_status(settings: Settings, name: str) -> ServiceStatus:
    address = settings.s3.endpoint if name == "s3" else without_password(settings.redis.url)
    try:
        if name == "s3":
            where = _endpoints(settings)
            probe_s3(
                where.s3_endpoint,
                where.s3_access_key,
                where.s3_secret_key,
                settings.s3.region,
                settings.s3.bucket,
            )
        else:
            probe_redis(settings.redis.url)
    except Exception as error:  # noqa: BLE001
        return ServiceStatus(name, "unhealthy", address, None, str(error).splitlines()[0])
    return ServiceStatus(name, "configured", address, None, "answers; not started here")


def _healthy(server: Server) -> bool:
    found = server.process.running()
    if not found:
        return False
    try:
        server.probe(found.ports)
    except Exception:  # noqa: BLE001 - whatever it is, the slow path finds out and says so
        return False
    return True


def _start(server: Server, owner: int, *, fresh_ports: bool = False) -> _Start:
    """Start the server on the ports it had, or on others when somebody took them."""
    ports = server.process.known_ports()
    if fresh_ports or set(ports) != set(server.port_names) or not all(map(port_is_free, ports.values())):
        ports = free_ports(server.port_names)
    log_start = server.process.log.stat().st_size if server.process.log.exists() else 0
    return _Start(server.process.start(server.command(ports), ports, owner=owner), ports, log_start)


def _await(server: Server, begun: _Start | None, owner: int, timeout_s: float) -> None:
    """Wait for a write and a read. `begun` is None for a server somebody else started.

    That one may be on its way up or hang: it is given `_HANG_S` seconds, then killed and started again. One
    that dies because its port was taken is started again on other ports.
    """
    retries, started, last = 3, time.monotonic(), "no answer yet"
    while True:
        if begun is None and (not server.process.lives() or time.monotonic() - started > _HANG_S):
            _kill(server)
            begun, started = _start(server, owner), time.monotonic()
        if begun and begun.child.poll() is not None:
            tail = server.process.log_tail(since=begun.log_start)
            if not (_port_taken(tail) and retries):
                code = begun.child.returncode
                raise ServiceError(
                    f"{server.title} stopped while starting (exit {code}): {tail or 'no output'}",
                    where=str(server.process.log),
                    remedy=_remedy(tail, server),
                )
            retries -= 1
            begun = _start(server, owner, fresh_ports=True)
        try:
            # a launch of somebody else's has not said its ports before it became the server
            if ports := begun.ports if begun else _ports(server):
                server.probe(ports)
                return
        except Exception as error:  # noqa: BLE001 - not ready yet looks like any network error
            last = str(error).splitlines()[0] if str(error) else type(error).__name__
        if time.monotonic() - started > timeout_s:
            _kill(server)
            tail = server.process.log_tail(since=begun.log_start if begun else 0)
            raise ServiceError(
                f"{server.title} did not answer within {timeout_s:.0f} s ({last}): {tail}",
                where=str(server.process.log),
                remedy=_remedy(f"{last} {tail}", server),
            )
        time.sleep(0.1)


def _ports(server: Server) -> dict[str, int]:
    found = server.process.running()
    return found.ports if found else {}


def _kill(server: Server) -> None:
    server.process.send(signal.SIGKILL)
    server.process.wait_gone(10)


def _check_room(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise ServiceError(
            f"cannot write here: {error.strerror}",
            where=str(folder),
            remedy="Free disk space, or point ASTRA_DATA_DIR at a folder you may write",
        ) from error
    if free < _NEEDED_BYTES:
        raise ServiceError(
            f"only {free >> 20} MiB free, {_NEEDED_BYTES >> 20} MiB needed",
            where=str(folder),
            remedy="Free disk space, or point ASTRA_DATA_DIR at a larger disk",
        )


def _port_taken(text: str) -> bool:
    return any(
        sign in text.lower()
        for sign in ("address already in use", "could not create server tcp listening", "bind:")
    )


def _remedy(tail: str, server: Server) -> str:
    text = tail.lower()
    if "no space left" in text or "disk" in text and "full" in text:
        return "The disk is full: free space and start again"
    if "permission denied" in text:
        return f"Make {server.process.folder} writable for this user"
    return f"Read the log; `astra services down` and `up` again, or set {server.setting}"


def _endpoints(settings: Settings) -> Endpoints:
    embedded = {server.name: server for server in embedded_servers(settings)}
    keys = credentials(settings) if embedded else {}
    s3, access, secret = (
        settings.s3.endpoint,
        os.environ.get("ASTRA_S3_ACCESS_KEY", ""),
        os.environ.get("ASTRA_S3_SECRET_KEY", ""),
    )
    if server := embedded.get("s3"):
        s3, access, secret = (
            f"http://127.0.0.1:{server.process.known_ports().get('s3')}",
            keys["s3_access_key"],
            keys["s3_secret_key"],
        )
    redis_url = settings.redis.url
    if server := embedded.get("redis"):
        redis_url = redis_address(keys["redis_password"], server.process.known_ports().get("redis", 0))
    return Endpoints(s3, access, secret, redis_url)
