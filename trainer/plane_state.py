"""The control plane's jobs: their states, their limits, and one file each so that a restart loses none."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from astra_lib.core.records import atomic_write

IN_QUEUE, IN_PROGRESS = "IN_QUEUE", "IN_PROGRESS"
COMPLETED, FAILED, CANCELLED, TIMED_OUT = "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"
FINAL = (COMPLETED, FAILED, CANCELLED, TIMED_OUT)
# RunPod's own bounds and defaults, in milliseconds
DEFAULT_EXECUTION_MS, MIN_EXECUTION_MS, MAX_EXECUTION_MS = 600_000, 5_000, 7 * 86_400_000
DEFAULT_TTL_MS = 86_400_000
# RunPod gives the job of a dead worker to another one; a job that kills its workers must not go on so
MAX_RUNS = 2


@dataclass
class PlaneJob:
    """One request; times are seconds since the epoch, 0 while they have not happened."""

    id: str
    input: dict[str, Any]
    execution_ms: int = DEFAULT_EXECUTION_MS
    ttl_ms: int = DEFAULT_TTL_MS
    webhook: str = ""
    status: str = IN_QUEUE
    output: Any = None
    error: str | None = None
    worker: str = ""
    runs: int = 0
    retries: int = 0
    created: float = field(default_factory=time.time)
    started: float = 0.0
    ended: float = 0.0

    def public(self) -> dict[str, Any]:
        """What GET /status answers."""
        body: dict[str, Any] = {"id": self.id, "status": self.status}
        if self.started:
            body["delayTime"] = int((self.started - self.created) * 1000)
            body["executionTime"] = int(((self.ended or time.time()) - self.started) * 1000)
        if self.worker:
            body["workerId"] = self.worker
        if self.output is not None:
            body["output"] = self.output
        if self.error is not None:
            body["error"] = self.error
        return body


class JobTable:
    """Jobs in memory and on disk; a change of state is written before it is answered."""

    def __init__(self, folder: Path, result_ttl_s: float) -> None:
        self.folder, self.result_ttl_s = folder, result_ttl_s
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # inputs hold presigned URLs
        self.jobs: dict[str, PlaneJob] = {}
        for path in sorted(folder.glob("*.json")):
            try:
                job = PlaneJob(**json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, TypeError):
                path.rename(path.with_suffix(".broken"))
                continue
            self.jobs[job.id] = job
        for job in self.jobs.values():
            if job.status == IN_PROGRESS:  # its worker died with the plane before this one
                self.requeue(job, "the control plane was restarted")

    def add(self, job_input: dict[str, Any], policy: dict[str, Any], webhook: str) -> PlaneJob:
        job = PlaneJob(
            id=f"{secrets.token_hex(12)}-u1",
            input=job_input,
            webhook=webhook,
            execution_ms=int(policy.get("executionTimeout") or DEFAULT_EXECUTION_MS),
            ttl_ms=int(policy.get("ttl") or DEFAULT_TTL_MS),
        )
        self.jobs[job.id] = job
        self.save(job)
        return job

    def save(self, job: PlaneJob) -> None:
        atomic_write(self._path(job), json.dumps(asdict(job)))

    def queued(self) -> list[PlaneJob]:
        """Oldest first."""
        waiting = [job for job in self.jobs.values() if job.status == IN_QUEUE]
        return sorted(waiting, key=lambda job: (job.created, job.id))

    def running(self) -> list[PlaneJob]:
        return [job for job in self.jobs.values() if job.status == IN_PROGRESS]

    def start(self, job: PlaneJob, worker: str) -> None:
        job.status, job.worker, job.started, job.ended = IN_PROGRESS, worker, time.time(), 0.0
        job.runs += 1
        self.save(job)

    def finish(self, job: PlaneJob, status: str, *, output: Any = None, error: str | None = None) -> None:
        """Final state; a job that ends without an output of its own keeps its last progress."""
        job.status, job.ended, job.error = status, time.time(), error
        if status == COMPLETED or output is not None:
            job.output = output
        self.save(job)

    def requeue(self, job: PlaneJob, reason: str) -> bool:
        """Back into the queue, or FAILED when it has had its runs; True when it will run again."""
        if job.runs >= MAX_RUNS:
            self.finish(job, FAILED, error=f"{reason}; given up after {job.runs} runs")
            return False
        job.status, job.worker, job.started = IN_QUEUE, "", 0.0
        self.save(job)
        return True

    def retry(self, job: PlaneJob) -> None:
        """Queue a final job as if it were new."""
        job.status, job.worker, job.started, job.ended = IN_QUEUE, "", 0.0, 0.0
        job.output, job.error, job.runs, job.created = None, None, 0, time.time()
        job.retries += 1
        self.save(job)

    def forget_expired(self) -> list[PlaneJob]:
        """Delete what RunPod would have deleted; returns the jobs that were still running."""
        now, cut_off = time.time(), []
        for job in list(self.jobs.values()):
            if job.status in FINAL:
                expired = now - job.ended > self.result_ttl_s
            else:
                expired = now - job.created > job.ttl_ms / 1000
            if expired:
                if job.status == IN_PROGRESS:
                    cut_off.append(job)
                del self.jobs[job.id]
                self._path(job).unlink(missing_ok=True)
        return cut_off

    def _path(self, job: PlaneJob) -> Path:
        return self.folder / f"{job.id}.json"
