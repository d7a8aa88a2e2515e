"""Training jobs as records in the object store: every change a new numbered object, never an overwrite.

`jobs/{job_id}/state/{number}.json` is written only if that number is free, so of two processes that change
a job at once one wins and the other reads again. The last number is the present, the others are its
history.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from astra_lib.core.errors import ConflictError, MissingError
from astra_lib.core.records import Record, from_dict
from astra_lib.core.store import Store

SUBMITTING, QUEUED, RUNNING = "SUBMITTING", "QUEUED", "RUNNING"
SUCCEEDED, FAILED, CANCELLED, LOST = "SUCCEEDED", "FAILED", "CANCELLED", "LOST"
FINAL = (SUCCEEDED, FAILED, CANCELLED, LOST)


@dataclass(frozen=True)
class Job(Record):
    """`created`, `deadline`: seconds since the epoch; `progress`: the worker's last numbered update."""

    job_id: str
    tenant: str
    state: str
    base_model: str
    base_digest: str
    dataset_sha256: str
    hyperparameters: dict[str, Any]
    limits: dict[str, Any]
    webhook_token: str
    created: float
    deadline: float
    runpod_id: str = ""
    number: int = 0
    updated: str = ""
    error: str | None = None
    receipt_status: str | None = None
    adapter_sha256: str | None = None
    card_sha256: str | None = None
    cost_usd: float | None = None
    progress: dict[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def adapter_key(self) -> str:
        return f"jobs/{self.job_id}/adapter.zip"

    @property
    def receipt_key(self) -> str:
        return f"jobs/{self.job_id}/result.json"

    @property
    def heartbeat_key(self) -> str:
        return f"jobs/{self.job_id}/heartbeat.json"


def load(store: Store, job_id: str) -> Job:
    """The job as it is now; `MissingError` when there is none."""
    keys = store.list(f"jobs/{job_id}/state/")
    if not keys:
        raise MissingError("no such training job", where=job_id, remedy="See `astra train list`")
    return from_dict(Job, store.get_json(keys[-1]), where=keys[-1])


def advance(store: Store, job: Job, **changes: Any) -> Job:
    """The job with `changes`, written as its next number; another process's version when that was first."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    new = replace(job, **changes, number=job.number + 1, updated=now)
    try:
        store.put_json(f"jobs/{job.job_id}/state/{new.number:06d}.json", asdict(new), if_none_match=True)
        return new
    except ConflictError:
        return load(store, job.job_id)


def job_ids(store: Store) -> list[str]:
    return store.folders("jobs/")
