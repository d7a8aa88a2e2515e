"""The local control plane as a detached process: started, found again by its state file, and stopped.

`python -m trainer.control_plane CONFIG.json` serves `plane_server.Plane` until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiohttp import web

from astra_lib.core.base_model import ensure_base
from astra_lib.core.errors import MissingError, ServiceError
from astra_lib.core.records import atomic_write, read_json
from astra_lib.core.settings import Settings
from astra_lib.core.supervisor import Process, exclusive, free_ports

from .plane_server import Plane, PlaneConfig
from .plane_worker import PACKAGE_ROOT

START_TRIES = 3  # another process may take the port before the plane binds it
LOCK_TIMEOUT_S = 120


def serve(config: PlaneConfig) -> None:
    """Serve on loopback until SIGTERM; the worker is killed on the way out."""

    async def run() -> None:
        plane = Plane(config)
        runner = web.AppRunner(plane.app(), shutdown_timeout=0.5, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", config.port).start()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
        await plane.worker.kill()  # before the port closes, or its SDK fills the log with failed requests
        await runner.cleanup()

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(run())


def up(settings: Settings, *, owner: int = 0, timeout_s: float = 30.0, **overrides: Any) -> tuple[str, str]:
    """`(base_url, api_key)` of the control plane of this data folder, started if it does not run.

    `owner`: a process id whose end ends the plane (tests). `overrides` are `PlaneConfig` fields.
    """
    process = Process(_folder(settings))
    config_path = process.folder / "config.json"
    process.folder.mkdir(parents=True, exist_ok=True)
    process.folder.chmod(0o700)
    with exclusive(process.folder / "lock", LOCK_TIMEOUT_S, "the training control plane"):
        if process.running():
            config = PlaneConfig(**read_json(config_path))
            if _answers(config):
                return config.base_url, config.api_key
            _stop(process)
        key = read_json(config_path)["api_key"] if config_path.is_file() else secrets.token_urlsafe(32)
        for _ in range(START_TRIES):
            ports = free_ports(("http",))
            chosen = {**_defaults(settings, key, process.folder), "port": ports["http"], **overrides}
            config = PlaneConfig(**chosen)
            atomic_write(config_path, json.dumps(asdict(config))).chmod(0o600)
            log_start = process.log.stat().st_size if process.log.exists() else 0
            command = [sys.executable, "-m", "trainer.control_plane", str(config_path)]
            child = process.start(
                ["/usr/bin/env", f"PYTHONPATH={PACKAGE_ROOT}", *command], ports, owner=owner
            )
            if _started(child, config, timeout_s):
                return config.base_url, config.api_key
            _stop(process)
    raise ServiceError(
        f"the control plane does not start: {process.log_tail(since=log_start)}", where=str(process.log)
    )


def down(settings: Settings) -> bool:
    """Stop the control plane and its worker; queued and interrupted jobs are kept for the next `up`."""
    process = Process(_folder(settings))
    if not process.folder.exists():
        return False
    with exclusive(process.folder / "lock", LOCK_TIMEOUT_S, "the training control plane"):
        return _stop(process)


def _started(child: subprocess.Popen[bytes], config: PlaneConfig, timeout_s: float) -> bool:
    """Whether the plane answers before it ends or the time is over."""
    deadline = time.monotonic() + timeout_s
    while child.poll() is None and time.monotonic() < deadline:
        if _answers(config):
            return True
        time.sleep(0.05)
    return False


def _stop(process: Process) -> bool:
    was_running = process.send(signal.SIGTERM)
    if was_running and not process.wait_gone(8):
        process.send(signal.SIGKILL)  # the worker then dies by PR_SET_PDEATHSIG
        process.wait_gone(5)
    return was_running


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "trainer"


def _defaults(settings: Settings, key: str, folder: Path) -> dict[str, Any]:
    base = ensure_base(settings)
    models = {str(settings.data_dir / "models")}
    if isinstance(base, Path):
        models.add(str(base.parent))
    hub_cache = os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    return {
        "endpoint": settings.runpod.endpoint_id,
        "api_key": key,
        "folder": str(folder),
        "python": str(trainer_python()),
        "worker_environment": {
            "ASTRA_JOB_MODELS": os.pathsep.join(sorted(models)),
            "ASTRA_JOB_WORK_DIR": str(folder / "work"),
            "HF_HOME": hub_cache,
            **{k: v for k, v in os.environ.items() if k.startswith("ASTRA_JOB_")},
        },
    }


def trainer_python() -> Path:
    """The trainer environment's interpreter: ASTRA_TRAINER_PYTHON, else .venv-trainer in the checkout."""
    path = Path(os.environ.get("ASTRA_TRAINER_PYTHON") or PACKAGE_ROOT / ".venv-trainer" / "bin" / "python")
    if not path.exists():
        raise MissingError(
            "the trainer's environment is not installed",
            where=str(path),
            remedy="Run `make install`, or set ASTRA_TRAINER_PYTHON",
        )
    return path


def _answers(config: PlaneConfig) -> bool:
    import httpx

    url = f"{config.base_url}/{config.endpoint}/health"
    key = {"Authorization": f"Bearer {config.api_key}"}
    try:
        answer = httpx.get(url, headers=key, timeout=3, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


if __name__ == "__main__":
    serve(PlaneConfig(**read_json(sys.argv[1])))
