"""The control plane's only worker: RunPod's SDK in a process group that never outlives its purpose."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import secrets
import signal
import time
from pathlib import Path

PACKAGE_ROOT = Path(__file__).resolve().parents[1]
_LIBC = ctypes.CDLL(None)  # loaded before the fork: loading it in between could deadlock
PING_MS = 2000
MAX_LOG_BYTES = 8 << 20
INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
INHERITED_PREFIXES = ("OMP_", "CUDA_", "HF_")


class Worker:
    """The worker process; `id` is new at each start, so that messages of an earlier one are recognised."""

    def __init__(self, python: str, folder: Path, environment: dict[str, str]) -> None:
        self.python, self.folder, self.environment = python, folder, environment
        self.id = ""
        self.key = secrets.token_urlsafe(24)
        self.process: asyncio.subprocess.Process | None = None
        self.last_ping = self.last_busy = 0.0
        self.polled = False

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self, base_url: str, endpoint: str) -> None:
        self.id = f"local-{secrets.token_hex(4)}"
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "worker.log"
        if path.is_file() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                self.python,
                "-m",
                "trainer.runpod_training_handler",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(base_url, endpoint),
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 (the plane has one thread)
            )
        self.last_ping = self.last_busy = time.monotonic()
        self.polled = False

    def _environment(self, base_url: str, endpoint: str) -> dict[str, str]:
        """What RunPod sets for the SDK, pointed at the plane, and little of our own environment."""
        here, query = f"{base_url}/{endpoint}", "?gpu=local"
        env = {
            name: value
            for name, value in os.environ.items()
            if name in INHERITED or name.startswith(INHERITED_PREFIXES)
        }
        env.update(
            # the SDK prefers an API key in ~/.runpod to the one it is given here
            HOME=str(self.folder),
            PYTHONPATH=str(PACKAGE_ROOT),
            PYTHONUNBUFFERED="1",
            RUNPOD_WEBHOOK_GET_JOB=f"{here}/job-take/$ID{query}",
            RUNPOD_WEBHOOK_POST_OUTPUT=f"{here}/job-done/$RUNPOD_POD_ID/$ID{query}",
            RUNPOD_WEBHOOK_POST_STREAM=f"{here}/job-stream/$RUNPOD_POD_ID/$ID{query}",
            RUNPOD_WEBHOOK_PING=f"{here}/ping/$RUNPOD_POD_ID",
            RUNPOD_AI_API_KEY=self.key,
            RUNPOD_POD_ID=self.id,
            RUNPOD_ENDPOINT_ID=endpoint,
            RUNPOD_PING_INTERVAL=str(PING_MS),
            RUNPOD_SKIP_AUTO_SYSTEM_CHECKS="true",
            RUNPOD_SKIP_GPU_CHECK="true",
            RUNPOD_DEBUG_LEVEL="INFO",
            **self.environment,
        )
        return env

    async def kill(self) -> None:
        """SIGKILL to the group; the training child in its own group dies by PR_SET_PDEATHSIG."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()

    def last_words(self) -> str:
        """The last line of its log, at most 200 characters."""
        try:
            tail = (self.folder / "worker.log").read_bytes()[-2000:]
        except OSError:
            return ""
        lines = tail.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else ""


def _die_with_parent() -> None:
    _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
