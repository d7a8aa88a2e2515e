"""RunPod on loopback: its REST API for the client, its worker protocol for RunPod's own SDK, one worker.

    GET/POST /v2/{endpoint}/run | status/{id} | cancel/{id} | retry/{id} | health | purge-queue   (bearer key)
    /v2/{endpoint}/job-take | job-done | job-stop | job-stream | ping                             (the worker's key)

What the SDK 1.12 worker does with the second line was read in its source. States, limits and retention are
RunPod's. The worker is started when there is work and killed when it is idle, silent, or past a limit.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import secrets
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from astra_lib.core.base_model import ensure_base
from astra_lib.core.errors import MissingError, ServiceError
from astra_lib.core.records import atomic_write, read_json
from astra_lib.core.settings import Settings
from astra_lib.core.supervisor import Process, exclusive, free_ports

from .plane_state import (
    CANCELLED,
    COMPLETED,
    FAILED,
    FINAL,
    IN_PROGRESS,
    IN_QUEUE,
    MAX_EXECUTION_MS,
    MIN_EXECUTION_MS,
    TIMED_OUT,
    JobTable,
    PlaneJob,
)
from .plane_worker import PACKAGE_ROOT, PING_MS, Worker

log = logging.getLogger("astra.plane")
MAX_BODY = 10 << 20
TICK_S = 0.2
WEBHOOK_TRIES = 3


@dataclass
class PlaneConfig:
    """Everything the detached process needs; seconds unless the name says otherwise."""

    endpoint: str
    api_key: str
    folder: str
    python: str
    port: int = 0
    worker_environment: dict[str, str] = field(default_factory=dict)
    idle_s: float = 10.0
    result_ttl_s: float = 1800.0
    poll_s: float = 20.0
    stop_grace_s: float = 5.0
    webhook_pause_s: float = 10.0


class Plane:
    def __init__(self, config: PlaneConfig) -> None:
        self.config = config
        self.table = JobTable(Path(config.folder) / "jobs", config.result_ttl_s)
        self.worker = Worker(config.python, Path(config.folder) / "worker", config.worker_environment)
        self.base_url = ""
        # job id -> when the worker must have let go of it
        self.stopping: dict[str, float] = {}
        self.stops_unsent: set[str] = set()
        self.changed = asyncio.Condition()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.start_failures = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._authorised])
        ep = f"/v2/{self.config.endpoint}"
        app.add_routes(
            [
                web.post(f"{ep}/run", self.run),
                web.get(f"{ep}/status/{{id}}", self.status),
                web.post(f"{ep}/status/{{id}}", self.status),
                web.post(f"{ep}/cancel/{{id}}", self.cancel),
                web.post(f"{ep}/retry/{{id}}", self.retry),
                web.get(f"{ep}/health", self.health),
                web.post(f"{ep}/purge-queue", self.purge),
                web.get(f"{ep}/job-take/{{worker}}", self.job_take),
                web.get(f"{ep}/job-stop/{{worker}}", self.job_stop),
                web.post(f"{ep}/job-done/{{worker}}/{{id}}", self.job_done),
                web.post(f"{ep}/job-stream/{{worker}}/{{id}}", self.job_done),
                web.get(f"{ep}/ping/{{worker}}", self.ping),
            ]
        )
        app.cleanup_ctx.append(self._lifetime)
        return app

    async def _lifetime(self, app: web.Application):
        supervisor = asyncio.create_task(self._supervise())
        yield
        supervisor.cancel()
        with suppress(asyncio.CancelledError):
            await supervisor
        await self.worker.kill()
        for task in self.tasks:
            task.cancel()

    @web.middleware
    async def _authorised(self, request: web.Request, handler: Any) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        from_worker = "worker" in request.match_info
        wanted = self.worker.key if from_worker else self.config.api_key
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            return web.json_response({"error": "unauthorized"}, status=401)
        if from_worker and request.match_info["worker"] != self.worker.id:
            return web.json_response({"error": "this worker was replaced"}, status=410)
        return await handler(request)

    # --- RunPod's REST API ---------------------------------------------------------------------------------

    async def run(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            job_input, policy, webhook = body["input"], body.get("policy") or {}, body.get("webhook") or ""
            if (
                not isinstance(job_input, dict)
                or not isinstance(policy, dict)
                or not isinstance(webhook, str)
            ):
                raise ValueError("input and policy must be objects")
            timeout, ttl = policy.get("executionTimeout"), policy.get("ttl")
            if timeout is not None and not MIN_EXECUTION_MS <= int(timeout) <= MAX_EXECUTION_MS:
                raise ValueError("executionTimeout is 5 s to 7 days, in milliseconds")
            if ttl is not None and int(ttl) < 10_000:
                raise ValueError("ttl is at least 10 s, in milliseconds")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return web.json_response({"error": f"bad request: {error}"}, status=400)
        job = self.table.add(job_input, policy, webhook)
        await self._wake()
        return web.json_response({"id": job.id, "status": IN_QUEUE})

    async def status(self, request: web.Request) -> web.Response:
        job = self.table.jobs.get(request.match_info["id"])
        if job is None:
            return web.json_response({"error": "request does not exist"}, status=404)
        return web.json_response(job.public())

    async def cancel(self, request: web.Request) -> web.Response:
        job = self.table.jobs.get(request.match_info["id"])
        if job is None:
            return web.json_response({"error": "request does not exist"}, status=404)
        if job.status not in FINAL:
            await self._end_early(job, CANCELLED, None)
        return web.json_response({"id": job.id, "status": job.status})

    async def retry(self, request: web.Request) -> web.Response:
        job = self.table.jobs.get(request.match_info["id"])
        if job is None:
            return web.json_response({"error": "request does not exist"}, status=404)
        if job.status not in (FAILED, TIMED_OUT):
            return web.json_response(
                {"error": f"only FAILED or TIMED_OUT jobs can be retried, this is {job.status}"}, status=400
            )
        self.table.retry(job)
        await self._wake()
        return web.json_response({"id": job.id, "status": job.status})

    async def purge(self, request: web.Request) -> web.Response:
        queued = self.table.queued()
        for job in queued:
            await self._end_early(job, CANCELLED, None)
        return web.json_response({"removed": len(queued), "status": "completed"})

    async def health(self, request: web.Request) -> web.Response:
        jobs = list(self.table.jobs.values())
        count = {s: sum(j.status == s for j in jobs) for s in (COMPLETED, FAILED, IN_PROGRESS, IN_QUEUE)}
        alive, busy = self.worker.alive, bool(self.table.running())
        return web.json_response(
            {
                "jobs": {
                    "completed": count[COMPLETED],
                    "failed": count[FAILED],
                    "inProgress": count[IN_PROGRESS],
                    "inQueue": count[IN_QUEUE],
                    "retried": sum(j.retries for j in jobs),
                },
                "workers": {
                    "idle": int(alive and self.worker.polled and not busy),
                    "initializing": int(alive and not self.worker.polled),
                    "ready": int(alive and self.worker.polled),
                    "running": int(alive and busy),
                    "throttled": 0,
                    "unhealthy": 0,
                },
            }
        )

    # --- the worker protocol of RunPod's SDK ----------------------------------------------------------------

    async def job_take(self, request: web.Request) -> web.Response:
        """Long poll: one job, or 204. A worker that asks has let go of every job it had before."""
        self.worker.polled = True
        self.stopping.clear()
        for job in self.table.running():
            if job.worker == self.worker.id and request.query.get("job_in_progress") == "0":
                # The answer that gave it the job, or its result, was lost on the way.
                self.table.requeue(job, "the worker knows nothing of this job")
        deadline = time.monotonic() + self.config.poll_s
        while (left := deadline - time.monotonic()) > 0:
            if self.worker.id != request.match_info["worker"]:
                break
            if (queued := self.table.queued()) and not self.table.running():
                job = queued[0]
                self.table.start(job, self.worker.id)
                return web.json_response({"id": job.id, "input": job.input})
            await self._sleep_until_change(left)
        return web.Response(status=204)

    async def job_stop(self, request: web.Request) -> web.Response:
        """Long poll: ids of jobs that were cancelled or ran out of time, or 204."""
        deadline = time.monotonic() + self.config.poll_s
        while (left := deadline - time.monotonic()) > 0:
            if self.stops_unsent:
                ids, self.stops_unsent = sorted(self.stops_unsent), set()
                return web.json_response({"jobsToStop": ids})
            await self._sleep_until_change(left)
        return web.Response(status=204)

    async def job_done(self, request: web.Request) -> web.Response:
        """A result, or progress (`status` IN_PROGRESS). JSON, whatever its content type says."""
        try:
            body = json.loads(await request.text())
        except ValueError:
            return web.json_response({"error": "not JSON"}, status=400)
        job = self.table.jobs.get(request.match_info["id"])
        # Late progress and results of a job that was cancelled, timed out or given to another worker are dropped.
        if job is None or job.status != IN_PROGRESS or job.worker != self.worker.id:
            return web.json_response({"dropped": True})
        if body.get("status") == IN_PROGRESS:
            job.output = body.get("output")
            return web.json_response({})
        if body.get("error"):
            self.table.finish(job, FAILED, output=body.get("output"), error=str(body["error"]))
        else:
            self.table.finish(job, COMPLETED, output=body.get("output"))
        self._announce(job)
        self.worker.last_busy = time.monotonic()
        if body.get("stopPod"):
            self._spawn(self.worker.kill())
        return web.json_response({})

    async def ping(self, request: web.Request) -> web.Response:
        self.worker.last_ping = time.monotonic()
        return web.json_response({})

    # --- the life of the worker -----------------------------------------------------------------------------

    async def _supervise(self) -> None:
        while True:
            try:
                await self._tick()
            except Exception:  # whatever goes wrong, limits must go on being enforced
                log.exception("supervision")
            await asyncio.sleep(TICK_S)

    async def _tick(self) -> None:
        now = time.monotonic()
        for job in self.table.forget_expired():
            self._ask_to_stop(job)
        for job in self.table.running():
            if time.time() - job.started > job.execution_ms / 1000:
                await self._end_early(job, TIMED_OUT, f"executionTimeout of {job.execution_ms} ms exceeded")
        if any(now > deadline for deadline in self.stopping.values()):
            log.warning("the worker did not let go of a stopped job: killed")
            await self._replace_worker("killed: it did not stop a job")
        elif self.worker.alive and now - self.worker.last_ping > max(30.0, 10 * PING_MS / 1000):
            await self._replace_worker("silent for too long")
        elif self.worker.process is not None and not self.worker.alive:
            await self._replace_worker(
                f"the worker ended with {self.worker.process.returncode}: {self.worker.last_words()}"
            )
        waiting = bool(self.table.queued())
        if not self.worker.alive and waiting:
            await self._start_worker()
        elif self.worker.alive and not waiting and not self.table.running() and not self.stopping:
            if now - self.worker.last_busy > self.config.idle_s:
                await self._replace_worker("idle")
        else:
            self.worker.last_busy = now

    async def _start_worker(self) -> None:
        # The last one never got as far as asking for a job: another try will hardly fare better.
        if self.start_failures >= 3:
            reason = f"the worker does not start: {self.worker.last_words()}"
            for job in self.table.queued():
                await self._end_early(job, FAILED, reason)
            self.start_failures = 0
            return
        try:
            await self.worker.start(self.base_url, self.config.endpoint)
        except OSError as error:
            for job in self.table.queued():
                await self._end_early(job, FAILED, f"the worker cannot be started: {error}")

    async def _replace_worker(self, reason: str) -> None:
        """Kill what is left of the worker; its job goes back into the queue or fails."""
        log.info("worker %s: %s", self.worker.id, reason)
        polled, mine = self.worker.polled, self.worker.id
        await self.worker.kill()
        self.worker.process, self.worker.id = None, ""
        self.stopping.clear()
        self.stops_unsent.clear()
        self.start_failures = 0 if polled else self.start_failures + 1
        for job in self.table.running():
            if job.worker == mine and not self.table.requeue(job, reason):
                self._announce(job)
        await self._wake()

    async def _end_early(self, job: PlaneJob, status: str, error: str | None) -> None:
        was_running = job.status == IN_PROGRESS
        self.table.finish(job, status, error=error)
        self._announce(job)
        if was_running:
            self._ask_to_stop(job)
        await self._wake()

    def _ask_to_stop(self, job: PlaneJob) -> None:
        if self.worker.alive and job.worker == self.worker.id:
            self.stops_unsent.add(job.id)
            self.stopping[job.id] = time.monotonic() + self.config.stop_grace_s

    async def _wake(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def _sleep_until_change(self, at_most_s: float) -> None:
        async with self.changed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), min(at_most_s, 1.0))

    def _announce(self, job: PlaneJob) -> None:
        if job.webhook:
            self._spawn(self._post_webhook(job.webhook, {**job.public(), "input": job.input}))

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _post_webhook(self, url: str, body: dict[str, Any]) -> None:
        for attempt in range(WEBHOOK_TRIES):
            with suppress(ClientError, TimeoutError, ValueError):
                async with (
                    ClientSession(timeout=ClientTimeout(total=10)) as session,
                    session.post(url, json=body) as response,
                ):
                    if response.status == 200:
                        return
            if attempt < WEBHOOK_TRIES - 1:
                await asyncio.sleep(self.config.webhook_pause_s)


def serve(config: PlaneConfig) -> None:
    """Serve on loopback until SIGTERM; the worker is killed on the way out."""

    async def run() -> None:
        plane = Plane(config)
        plane.base_url = f"http://127.0.0.1:{config.port}/v2"
        runner = web.AppRunner(plane.app(), shutdown_timeout=0.5, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", config.port).start()
        stop = asyncio.Event()
        import signal

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
        await plane.worker.kill()  # before the port closes: its SDK would fill the log with complaints
        await runner.cleanup()

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(run())


# --- as a detached process, found again by its state file -------------------------------------------------------


def up(settings: Settings, *, owner: int = 0, timeout_s: float = 30.0, **overrides: Any) -> tuple[str, str]:
    """`(base_url, api_key)` of the control plane of this data folder, started if it does not run.

    `owner`: a process id whose end ends the plane (tests). `overrides` are `PlaneConfig` fields.
    """
    process = Process(_folder(settings))
    config_path = process.folder / "config.json"
    process.folder.mkdir(parents=True, exist_ok=True)
    process.folder.chmod(0o700)
    with exclusive(process.folder / "lock", 120, "the training control plane"):
        if found := process.running():
            config = PlaneConfig(**read_json(config_path))
            if _answers(found.ports["http"], config):
                return f"http://127.0.0.1:{found.ports['http']}/v2", config.api_key
            _stop(process)
        key = read_json(config_path)["api_key"] if config_path.is_file() else secrets.token_urlsafe(32)
        for _ in range(3):
            ports = free_ports(("http",))
            config = PlaneConfig(
                **{**_defaults(settings, key, process.folder), "port": ports["http"], **overrides}
            )
            atomic_write(config_path, json.dumps(asdict(config))).chmod(0o600)
            start = process.log.stat().st_size if process.log.exists() else 0
            command = [sys.executable, "-m", "trainer.control_plane", str(config_path)]
            child = process.start(
                ["/usr/bin/env", f"PYTHONPATH={PACKAGE_ROOT}", *command], ports, owner=owner
            )
            deadline = time.monotonic() + timeout_s
            while child.poll() is None and time.monotonic() < deadline:
                if _answers(ports["http"], config):
                    return f"http://127.0.0.1:{ports['http']}/v2", config.api_key
                time.sleep(0.05)
            _stop(process)
    raise ServiceError(
        f"the control plane does not start: {process.log_tail(since=start)}", where=str(process.log)
    )


def down(settings: Settings) -> bool:
    """Stop the control plane and its worker; queued and interrupted jobs are kept for the next `up`."""
    process = Process(_folder(settings))
    if not process.folder.exists():
        return False
    with exclusive(process.folder / "lock", 120, "the training control plane"):
        return _stop(process)


def _stop(process: Process) -> bool:
    import signal

    was_running = process.send(signal.SIGTERM)
    if was_running and not process.wait_gone(8):
        process.send(signal.SIGKILL)  # the worker then dies by PR_SET_PDEATHSIG
        process.wait_gone(5)
    return was_running


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "trainer"


def _defaults(settings: Settings, key: str, folder: Path) -> dict[str, Any]:
    base = ensure_base(settings)
    models = {str(settings.data_dir / "models"), str(base.parent) if isinstance(base, Path) else ""}
    hub_cache = os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    return {
        "endpoint": settings.runpod.endpoint_id,
        "api_key": key,
        "folder": str(folder),
        "python": str(trainer_python()),
        "worker_environment": {
            "ASTRA_JOB_MODELS": os.pathsep.join(sorted(filter(None, models))),
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
            remedy="Run `make setup`, or set ASTRA_TRAINER_PYTHON",
        )
    return path


def _answers(port: int, config: PlaneConfig) -> bool:
    import httpx

    try:
        answer = httpx.get(
            f"http://127.0.0.1:{port}/v2/{config.endpoint}/health",
            timeout=3,
            headers={"Authorization": f"Bearer {config.api_key}"},
            trust_env=False,
        )
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


if __name__ == "__main__":
    serve(PlaneConfig(**read_json(sys.argv[1])))
