"""The training process seen from its parent: started in a group of its own, watched, and killed whole.

A past bug left a GPU running after its job was cancelled. So every way out of `Child` ends in `kill()`, and
the kernel ends the child by itself should this process be killed (`PR_SET_PDEATHSIG`, set in train.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

PACKAGE_ROOT = Path(__file__).resolve().parents[1]
LOG_TAIL_BYTES = 4000


class Child:
    """One run of train.py; `async with Child(...)` guarantees that nothing of it survives the block."""

    def __init__(self, plan_file: Path, folder: Path, *, offline: bool) -> None:
        self.plan_file, self.folder, self.offline = plan_file, folder, offline
        self.process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Child:
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in ("state.json", "metrics.json", "error.json"):
            (self.folder / leftover).unlink(missing_ok=True)
        self.log_path = self.folder / "train.log"
        self.started = time.time()
        with self.log_path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "trainer.train",
                str(self.plan_file),
                str(self.folder),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                cwd=self.folder,
                start_new_session=True,
            )
        return self

    async def __aexit__(self, *_: Any) -> None:
        # shielded: a second cancellation must not leave the block before the group is dead
        await asyncio.shield(asyncio.ensure_future(self.kill()))

    @property
    def returncode(self) -> int | None:
        return self.process.returncode if self.process else None

    async def kill(self) -> None:
        """SIGKILL to the whole group, also after the leader ended: it may have left processes behind."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()

    def state(self) -> dict[str, Any]:
        """What the child last wrote into state.json, or that it is starting."""
        try:
            return json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {"phase": "starting", "step": 0, "total_steps": 0, "loss": None, "time": self.started}

    def complaint(self) -> str:
        """Why it ended: its own error.json, else the last line of its log."""
        try:
            return str(json.loads((self.folder / "error.json").read_text(encoding="utf-8"))["error"])
        except (OSError, ValueError, KeyError):
            pass
        try:
            tail = self.log_path.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").strip()
        except OSError:
            tail = ""
        last = tail.splitlines()[-1][:300] if tail else "no output"
        code = self.returncode
        if code is not None and code < 0:
            hint = " (out of memory?)" if code == -signal.SIGKILL else ""
            return f"killed by signal {-code}{hint}; last line: {last}"
        return f"exit code {code}; last line: {last}"

    def _environment(self) -> dict[str, str]:
        # without the worker's own secrets: its API key, its webhook URLs
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RUNPOD_", "AWS_")) and "KEY" not in name and "TOKEN" not in name
        }
        cache = str(self.folder / "cache")
        env.update(
            PYTHONPATH=os.pathsep.join(filter(None, [str(PACKAGE_ROOT), env.get("PYTHONPATH", "")])),
            PYTHONUNBUFFERED="1",
            HF_DATASETS_CACHE=cache,
            TOKENIZERS_PARALLELISM="false",
            HF_HUB_DISABLE_TELEMETRY="1",
            UNSLOTH_DISABLE_STATISTICS="1",
            PYTHONHASHSEED="0",
        )
        # Threads that spin while they wait bring a busy machine to a standstill: measured 310 tokens/s
        # against < 60.
        env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        if self.offline:
            env.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
        else:
            env.pop("HF_HUB_OFFLINE", None)
            if "HF_TOKEN" in os.environ:  # gated base models
                env["HF_TOKEN"] = os.environ["HF_TOKEN"]
        return env
