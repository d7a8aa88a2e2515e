"""The demo killed without warning leaves nothing running: no server, control plane, kernel or worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from astra_lib.core import code
from astra_lib.core.supervisor import Process

from .waiting import wait_for


def processes_of(folder: Path) -> dict[int, str]:
    """Living processes that name `folder` in their command line or environment, this one left out."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            said = command + (entry / "environ").read_bytes()
        except OSError:  # gone meanwhile, or not ours to read
            continue
        if command and str(folder).encode() in said and int(entry.name) != os.getpid():
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")[:150]
    return found


@pytest.mark.slow
def test_kill_9_leaves_nothing_running(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = {**os.environ, "ASTRA_DATA_DIR": str(data), "PYTHONPATH": str(code.ROOT)}
    with (tmp_path / "log").open("w") as log:
        demo = subprocess.Popen(
            [sys.executable, "-m", "astra_cli.main", "demo"],
            cwd=code.ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def mining() -> bool:
        assert demo.poll() is None, (tmp_path / "log").read_text()[-2000:]
        return any("ipykernel" in command for command in processes_of(data).values())

    wait_for(mining, "the first job's kernel")
    running = processes_of(data)
    for part in ("weed", "trainer.control_plane", "ipykernel"):
        assert any(part in command for command in running.values()), (part, running)
    redis = Process(data / "services" / "redis")  # it writes over its command line
    assert redis.lives()
    demo.send_signal(signal.SIGKILL)
    demo.wait()
    wait_for(lambda: not processes_of(data) and not redis.lives(), f"the end of {processes_of(data)}")
