"""What became of a job: its receipt decides; until it is there, RunPod's status and the heartbeat show it."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from astra_lib.core.errors import GateError, InputError, MissingError
from astra_lib.core.records import dumps, sha256_bytes
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store

from .job_table import CANCELLED, FAILED, LOST, RUNNING, SUCCEEDED, Job, advance
from .receipt import Expected, verify_receipt
from .runpod_client import RunpodClient

HEARTBEAT_FRESH_S = 120.0  # an older heartbeat does not count as a sign of life
JUST_SENT_S = 20.0  # RunPod may not know a job yet that it has just taken


def expected_of(job: Job) -> Expected:
    """What the job's receipt must prove."""
    hyper = job.hyperparameters
    return Expected(
        job_id=job.job_id,
        tenant=job.tenant,
        base_model=job.base_model,
        base_digest=job.base_digest,
        dataset_sha256=job.dataset_sha256,
        seed=hyper["seed"],
        rank=hyper["rank"],
        alpha=hyper["alpha"],
    )


def settle_by_receipt(job: Job, store: Store, settings: Settings) -> Job | None:
    """The job's final state when its receipt is there: verified, failed, or not what was asked for."""
    try:
        receipt = store.get_json(job.receipt_key)
    except MissingError:
        return None
    except InputError as error:
        return advance(store, job, state=FAILED, error=f"unreadable receipt: {error.what}")
    said = receipt if isinstance(receipt, dict) else {}
    cost = said.get("cost_usd")
    if said.get("status") == "failed":
        reason = str(said.get("error"))
        return advance(store, job, state=FAILED, error=reason, receipt_status="failed", cost_usd=cost)
    archive = settings.data_dir / "trainer" / "incoming" / f"{job.job_id}-{secrets.token_hex(4)}.zip"
    try:
        store.get_file(job.adapter_key, archive)
        card = verify_receipt(receipt, archive, expected_of(job))
        return advance(
            store,
            job,
            state=SUCCEEDED,
            error=None,
            receipt_status=receipt["status"],
            cost_usd=cost,
            adapter_sha256=receipt["adapter_sha256"],
            card_sha256=sha256_bytes(dumps(asdict(card))),
            progress={**job.progress, **_final_progress(receipt)},
        )
    except (GateError, MissingError) as refusal:
        reason = f"the receipt does not verify: {refusal}"
        return advance(store, job, state=FAILED, error=reason, cost_usd=cost)
    finally:
        archive.unlink(missing_ok=True)


def settle_by_evidence(job: Job, store: Store, runpod: RunpodClient) -> Job:
    """The job as RunPod and its heartbeat show it while there is no receipt; past its deadline it is lost."""
    if time.time() > job.deadline:
        if job.runpod_id:
            runpod.cancel(job.runpod_id)
        return _end(job, store, LOST, "no receipt by its deadline; cancelled")
    beat = _heartbeat(job, store)
    if not job.runpod_id:
        if beat:  # RunPod took it although its answer never reached us
            return advance(store, job, state=RUNNING, runpod_id=beat["runpod_id"], progress=beat)
        return job
    said = runpod.status(job.runpod_id)
    if said is None:
        fresh = beat and time.time() - beat["time"] < HEARTBEAT_FRESH_S
        if fresh or time.time() - job.created < JUST_SENT_S:
            return job
        return _end(job, store, LOST, "RunPod does not know this job any more, and there is no receipt")
    state = said.get("status")
    if state in ("IN_PROGRESS", "RUNNING"):
        return _running(job, store, said["output"] if isinstance(said.get("output"), dict) else beat or {})
    if state == "COMPLETED":
        return _end(job, store, FAILED, "RunPod says COMPLETED, but there is no receipt")
    if state in ("FAILED", "TIMED_OUT"):
        return _end(job, store, FAILED, _reason(said))
    if state == "CANCELLED":
        return _end(job, store, CANCELLED, "cancelled at RunPod")
    return job


def _running(job: Job, store: Store, progress: dict[str, Any]) -> Job:
    """The job with its progress, which is shown, not recorded: only a change of state is worth an object."""
    same_attempt = progress.get("attempt") == job.progress.get("attempt")
    if same_attempt and progress.get("number", 0) < job.progress.get("number", 0):
        progress = job.progress  # updates overtake each other
    if job.state != RUNNING:
        return advance(store, job, state=RUNNING, progress=progress)
    return replace(job, progress=progress)


def _end(job: Job, store: Store, state: str, error: str) -> Job:
    # the receipt may have arrived while RunPod was being asked
    if store.exists(job.receipt_key):
        return job
    return advance(store, job, state=state, error=error)


def _final_progress(receipt: dict[str, Any]) -> dict[str, Any]:
    """The last progress, from the receipt: the worker's own updates stop before its result."""
    losses = receipt.get("loss") or [{}]
    steps = losses[-1].get("step", 0)
    return {
        "phase": "done",
        "step": steps,
        "total_steps": steps,
        "loss": losses[-1].get("loss"),
        "eval_loss": receipt.get("eval_loss"),
        "elapsed_s": receipt.get("wall_s"),
        "cost_usd": receipt.get("cost_usd"),
        "tokens_per_s": (receipt.get("metrics") or {}).get("tokens_per_s"),
    }


def _reason(said: dict[str, Any]) -> str:
    """RunPod's error, which for an exception is JSON with the message inside."""
    text = str(said.get("error") or said.get("status"))
    with suppress(ValueError, TypeError, KeyError):
        text = json.loads(text)["error_message"]
    return text if said.get("status") != "TIMED_OUT" else f"TIMED_OUT: {text}"


def _heartbeat(job: Job, store: Store) -> dict[str, Any] | None:
    """The worker's last heartbeat, None when there is none or it is not this job's."""
    try:
        beat = store.get_json(job.heartbeat_key)
        sound = beat["job_id"] == job.job_id and isinstance(beat["time"], float) and beat["runpod_id"]
    except (MissingError, InputError, KeyError, TypeError):
        return None
    return beat if sound else None
