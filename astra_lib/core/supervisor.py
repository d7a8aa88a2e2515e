"""Start, recognise and stop one detached server process, and never touch a process that is not ours.

A server's state file (`process.json`: pid, start time, ports) is locked by the server itself for as long as
it lives: the lock, not the pid, says whether it runs. A pid is signalled only while the lock is held and the
start time in the file is the process's own.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import launcher
from .errors import ServiceError

# below the ports the kernel hands to outgoing connections (32768..), with room for a twin 10000 above (gRPC)
_PORTS = range(10200, 22000)
_TWIN = 10_000
_LOG_BYTES = 8 << 20
_children: list[subprocess.Popen[bytes]] = []  # kept so that those that end are reaped


@dataclass(frozen=True)
class Running:
    """A server that lives now."""

    pid: int
    started: int
    ports: dict[str, int]


@contextmanager
def exclusive(path: Path, timeout_s: float, what: str) -> Iterator[None]:
    """Hold an advisory lock on `path`; `ServiceError` when another process keeps it past `timeout_s`.

    flock(2) by hand, as on `process.json` below, and not a lock library: in this module a lock on an open
    file is how a process is recognised, and it must be the kernel's own, which ends with the process. A
    library may fall back to lock files that outlive their owner.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServiceError(
                        f"another process has been busy with {what} for {timeout_s:.0f} s",
                        where=str(path),
                        remedy="Wait for it or end it, then try again",
                    ) from None
                time.sleep(0.05)
        yield


def port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # as the servers do: a port in TIME_WAIT counts as free, one with a listener does not
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A free loopback port for every name, its twin 10000 above free too.

    Another process may take one before the server binds it: a server that dies of that is started again.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, 400):
        if len(found) == len(names):
            break
        if port_is_free(port) and port_is_free(port + _TWIN):
            found.append(port)
    if len(found) < len(names):
        raise ServiceError("no free loopback ports", remedy=f"Free some of {_PORTS.start}-{_PORTS.stop}")
    return dict(zip(names, found, strict=True))


class Process:
    """One server's folder: `process.json` (state and lock) and `log`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state, self.log = folder / "process.json", folder / "log"

    def known_ports(self) -> dict[str, int]:
        """The ports of the last start, {} before the first."""
        try:
            return dict(json.loads(self.state.read_text(encoding="utf-8"))["ports"])
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def lives(self) -> bool:
        """Whether the server (or a child it left behind) still holds the lock."""
        try:
            with self.state.open("rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except BlockingIOError:
            return True
        return False

    def running(self) -> Running | None:
        """The living server, or None, also when the state file is half-written."""
        if not self.lives():
            return None
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
            found = Running(int(state["pid"]), int(state["started"]), dict(state["ports"]))
            return found if launcher.started_ticks(found.pid) == found.started else None
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None

    def start(self, command: list[str], ports: dict[str, int], *, owner: int = 0) -> subprocess.Popen[bytes]:
        """Launch `command` detached (a session of its own), its output appended to the log.

        `owner`: this process's id to have the server killed when the calling thread ends; 0 lets it outlive
        us.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_name("log.1"))
        # a child that a killed server left behind may keep the lock for a moment
        deadline = time.monotonic() + 10
        with self.state.open("a+b") as handle, self.log.open("ab") as log:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise ServiceError(
                            "a server still runs on this folder",
                            where=str(self.folder),
                            remedy="Run `astra services down` first",
                        ) from None
                    time.sleep(0.05)
            _children[:] = [child for child in _children if child.poll() is None]
            # a foreign configuration or key must not reach the server through the environment
            environment = {
                k: v for k, v in os.environ.items() if not k.startswith(("WEED_", "AWS_", "ASTRA_"))
            }
            launch = [
                sys.executable,
                "-I",
                launcher.__file__,
                str(handle.fileno()),
                str(owner),
                json.dumps({"ports": ports}),
            ]
            child = subprocess.Popen(
                launch + command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                pass_fds=[handle.fileno()],
                start_new_session=True,
                env=environment | {"HOME": str(self.folder)},
            )
            _children.append(child)
        return child

    def log_tail(self, lines: int = 4, since: int = 0) -> str:
        """The last lines of the log after byte `since`, on one line."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(since, self.log.stat().st_size - 8192))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return " | ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip())

    def send(self, number: signal.Signals) -> bool:
        """Signal our server; False when there is none."""
        if not (found := self.running()):
            return False
        try:
            os.kill(found.pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait_gone(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.lives():
            for child in _children:
                child.poll()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True
