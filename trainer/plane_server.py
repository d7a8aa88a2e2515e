"""RunPod on loopback: its REST API for the client, its worker protocol for RunPod's own SDK, one worker.

    GET/POST /v2/{endpoint}/run | status/{id} | cancel/{id} | retry/{id} | health | purge-queue   (bearer
    key) /v2/{endpoint}/job-take | job-done | job-stop | job-stream | ping
    (worker's key)

The worker protocol is that of SDK 1.12, read from its source. States, limits and retention are RunPod's. The
worker is started when there is work, and killed when it is idle, silent, or past a limit.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web

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
from .plane_worker import PING_MS, Worker

log = logging.getLogger("astra.plane")
MAX_BODY = 10 << 20
MIN_TTL_MS = 10_000
TICK_S = 0.2
# a worker that has not pinged for this long is taken for dead
SILENT_S = max(30.0, 10 * PING_MS / 1000)
# a worker that ended this often before it asked for a job will not start at the next try either
MAX_START_FAILURES = 3
WEBHOOK_TRIES = 3
# a waiting request looks again after this long, also when it missed a wake-up
LONGEST_SLEEP_S = 1.0


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

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v2"


class Plane:
    """The server: jobs, their one worker, and what happens when a limit is passed."""

    def __init__(self, config: PlaneConfig) -> None:
        self.config = config
        self.table = JobTable(Path(config.folder) / "jobs", config.result_ttl_s)
        self.worker = Worker(config.python, Path(config.folder) / "worker", config.worker_environment)
        # job id -> the monotonic time at which the worker must have stopped it
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

    async def _lifetime(self, app: web.Application) -> AsyncIterator[None]:
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
            job_input, policy, webhook = _checked_request(await request.json())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return web.json_response({"error": f"bad request: {error}"}, status=400)
        job = self.table.add(job_input, policy, webhook)
        await self._wake()
        return web.json_response({"id": job.id, "status": IN_QUEUE})

    async def status(self, request: web.Request) -> web.Response:
        job = self.table.jobs.get(request.match_info["id"])
        if job is None:
            return _no_such_job()
        return web.json_response(job.public())

    async def cancel(self, request: web.Request) -> web.Response:
        job = self.table.jobs.get(request.match_info["id"])
        if job is None:
            return _no_such_job()
        if job.status not in FINAL:
            await self._end_early(job, CANCELLED, None)
        return web.json_response({"id": job.id, "status": job.status})

    async def retry(self, request: web.Request) -> web.Response:
        job = self.table.jobs.get(request.match_info["id"])
        if job is None:
            return _no_such_job()
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
        """Long poll: one job, or 204. A worker that asks has stopped every job it had before."""
        self.worker.polled = True
        self.stopping.clear()
        for job in self.table.running():
            if job.worker == self.worker.id and request.query.get("job_in_progress") == "0":
                # the answer that gave it the job, or its result, was lost on the way
                self.table.requeue(job, "the worker knows nothing of this job")
        deadline = time.monotonic() + self.config.poll_s
        while time.monotonic() < deadline and self.worker.id == request.match_info["worker"]:
            queued = self.table.queued()
            if queued and not self.table.running():
                job = queued[0]
                self.table.start(job, self.worker.id)
                return web.json_response({"id": job.id, "input": job.input})
            await self._sleep_until_change(deadline)
        return web.Response(status=204)

    async def job_stop(self, request: web.Request) -> web.Response:
        """Long poll: ids of jobs that were cancelled or ran out of time, or 204."""
        deadline = time.monotonic() + self.config.poll_s
        while time.monotonic() < deadline:
            if self.stops_unsent:
                ids = sorted(self.stops_unsent)
                self.stops_unsent.clear()
                return web.json_response({"jobsToStop": ids})
            await self._sleep_until_change(deadline)
        return web.Response(status=204)

    async def job_done(self, request: web.Request) -> web.Response:
        """A result, or progress (`status` IN_PROGRESS); JSON, although its content type may say otherwise."""
        try:
            body = json.loads(await request.text())
        except ValueError:
            return web.json_response({"error": "not JSON"}, status=400)
        job = self.table.jobs.get(request.match_info["id"])
        # what comes late for a job that was cancelled, timed out or given to another worker is dropped
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
            except Exception:  # a fault in one round must not end the enforcing of limits
                log.exception("supervision")
            await asyncio.sleep(TICK_S)

    async def _tick(self) -> None:
        """One round: forget and time out jobs, replace a dead or hung worker, start or stop one."""
        now = time.monotonic()
        for job in self.table.forget_expired():
            self._ask_to_stop(job)
        for job in self.table.running():
            if time.time() - job.started > job.execution_ms / 1000:
                await self._end_early(job, TIMED_OUT, f"executionTimeout of {job.execution_ms} ms exceeded")
        if any(now > deadline for deadline in self.stopping.values()):
            log.warning("the worker did not stop a job in time: killed")
            await self._replace_worker("killed: it did not stop a job")
        elif self.worker.alive and now - self.worker.last_ping > SILENT_S:
            await self._replace_worker("silent for too long")
        elif self.worker.process is not None and not self.worker.alive:
            code = self.worker.process.returncode
            await self._replace_worker(f"the worker ended with {code}: {self.worker.last_words()}")
        waiting = bool(self.table.queued())
        if not self.worker.alive and waiting:
            await self._start_worker()
        elif self.worker.alive and not waiting and not self.table.running() and not self.stopping:
            if now - self.worker.last_busy > self.config.idle_s:
                await self._replace_worker("idle")
        else:
            self.worker.last_busy = now

    async def _start_worker(self) -> None:
        if self.start_failures >= MAX_START_FAILURES:
            reason = f"the worker does not start: {self.worker.last_words()}"
            for job in self.table.queued():
                await self._end_early(job, FAILED, reason)
            self.start_failures = 0
            return
        try:
            await self.worker.start(self.config.base_url, self.config.endpoint)
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

    async def _sleep_until_change(self, deadline: float) -> None:
        left = max(0.0, deadline - time.monotonic())
        async with self.changed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), min(left, LONGEST_SLEEP_S))

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


def _checked_request(body: Any) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Input, policy and webhook of POST /run; KeyError, TypeError, AttributeError or ValueError when bad."""
    job_input, policy, webhook = body["input"], body.get("policy") or {}, body.get("webhook") or ""
    if not isinstance(job_input, dict) or not isinstance(policy, dict) or not isinstance(webhook, str):
        raise ValueError("input and policy must be objects")
    timeout, ttl = policy.get("executionTimeout"), policy.get("ttl")
    if timeout is not None and not MIN_EXECUTION_MS <= int(timeout) <= MAX_EXECUTION_MS:
        raise ValueError("executionTimeout is 5 s to 7 days, in milliseconds")
    if ttl is not None and int(ttl) < MIN_TTL_MS:
        raise ValueError("ttl is at least 10 s, in milliseconds")
    return job_input, policy, webhook


def _no_such_job() -> web.Response:
    return web.json_response({"error": "request does not exist"}, status=404)
