"""The RunPod Serverless worker: one job in, an adapter and its receipt out, and nothing left running.

    python -m trainer.runpod_training_handler

The handler is asynchronous because RunPod's SDK can then cancel it: the cancelled task leaves the `Child`
block, which kills the training process group. The receipt (`result.json`) is uploaded last and only if none
is there: RunPod may run a job twice, the first receipt wins.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from astra_lib.core.base_model import base_digest
from astra_lib.core.errors import AstraError, BudgetError, ConflictError, InputError, ServiceError
from astra_lib.core.records import dumps, read_json, read_jsonl, sha256_file, write_json

from .child import Child
from .contract import JobInput, parse_job_input
from .packing import pack_adapter
from .train_plan import TrainPlan
from .transfer import download, fetch_optional, upload

log = logging.getLogger("astra.trainer")

POLL_S = 0.25
PROGRESS_EVERY_S = 3.0
HEARTBEAT_EVERY_S = 15.0
# an update sent shortly before the result may reach RunPod after it and overwrite it
QUIET_BEFORE_RETURN_S = float(os.environ.get("ASTRA_JOB_QUIET_S", "2"))
# without a new step for this long it hangs; loading may include a download of the base model
STALL_S = float(os.environ.get("ASTRA_JOB_STALL_S", "600"))
LOADING_STALL_S = max(STALL_S, float(os.environ.get("ASTRA_JOB_LOADING_STALL_S", "1800")))
MAX_ATTEMPTS = 3
OLD_WORK_S = 8 * 86_400.0  # RunPod's longest job takes seven days
UPLOAD_RESERVE_S = 5.0  # kept for upload and receipt, a tenth of the time when that is less
RECEIPT_WAIT_S = 10  # for the receipt of another run that has uploaded its adapter
STEADY_PHASES = ("training", "evaluating", "saving")  # `STALL_S` counts in them

Progress = Callable[[dict[str, Any]], None]


async def handle(job: dict[str, Any], send_progress: Progress | None = None) -> dict[str, Any]:
    """RunPod's entry: `job["input"]` is `contract.JobInput`; returns the receipt, or `{"error": …}`."""
    began = time.monotonic()
    try:
        request = parse_job_input(job.get("input"))
    except InputError as error:
        return {"error": str(error)}
    try:
        known = await existing_receipt(request)
        if known is not None:
            log.info("job %s already has its receipt: not trained again", request.job_id)
            return _as_error(known) if known["status"] == "failed" else {**known, "duplicate": True}
        work = work_folder(request.job_id)
        forget_old_work(work.parent)
        async with Attempt(request, work, str(job.get("id", "")), began, send_progress) as attempt:
            return await attempt.run()
    except asyncio.CancelledError:
        log.info("job %s: cancelled, its process group is dead", request.job_id)
        shutil.rmtree(work_folder(request.job_id), ignore_errors=True)
        raise
    except AstraError as error:
        return await fail(request, str(error), began, retryable=isinstance(error, ServiceError))
    except Exception as error:  # the worker goes on: there may be other jobs
        log.exception("job %s failed", request.job_id)
        return await fail(request, f"{type(error).__name__}: {error}"[:500], began, retryable=True)


class Attempt:
    """One attempt at a job in its work folder; leaving the block stops the progress updates.

    Work folders outlive a killed worker, so time and money that were spent on the job before still count.
    """

    def __init__(
        self, request: JobInput, work: Path, runpod_id: str, began: float, send_progress: Progress | None
    ) -> None:
        self.request, self.work, self.runpod_id, self.began = request, work, runpod_id, began
        self.send_progress = send_progress
        self.number = 0
        self._last_progress = self._last_beat = float("-inf")
        self._beat: asyncio.Task[None] | None = None
        self.ledger = work / "spent.json"
        spent = read_json(self.ledger) if self.ledger.is_file() else {"seconds": 0.0, "attempts": 0}
        self.spent_before, self.attempt = float(spent["seconds"]), int(spent["attempts"]) + 1

    async def __aenter__(self) -> Attempt:
        self.work.mkdir(parents=True, exist_ok=True)
        if self.attempt > MAX_ATTEMPTS:
            raise BudgetError(f"the worker died {MAX_ATTEMPTS} times on this job", where=self.request.job_id)
        self._keep_ledger()
        return self

    async def __aexit__(self, *_: Any) -> None:
        self._keep_ledger()
        if self._beat and not self._beat.done():
            self._beat.cancel()

    @property
    def elapsed(self) -> float:
        """Seconds this job has used, earlier attempts included."""
        return self.spent_before + time.monotonic() - self.began

    @property
    def cost_usd(self) -> float:
        return self.elapsed / 3600 * self.request.limits.usd_per_hour

    async def run(self) -> dict[str, Any]:
        """Download, train, upload; returns the receipt."""
        request = self.request
        self._check_budget()
        self._report({"phase": "downloading"}, force=True)
        base, revision = resolve_base(request)
        train, val = self.work / "train.jsonl", self.work / "val.jsonl"
        await asyncio.gather(
            download(request.train_url, train, request.train_sha256),
            download(request.val_url, val, request.val_sha256),
        )
        out = self.work / "out"
        self._drop_foreign_checkpoints(out)
        upload_reserve_s = min(UPLOAD_RESERVE_S, 0.1 * request.limits.seconds)
        plan = TrainPlan(
            job_id=request.job_id,
            tenant=request.tenant,
            base=str(base),
            base_name=request.base_model,
            base_revision=revision,
            train=str(train),
            val=str(val),
            dataset_sha256=request.dataset_sha256,
            seconds=max(1.0, request.limits.seconds - self.elapsed - upload_reserve_s),
            hyperparameters=request.hyperparameters,
        )
        plan_file = write_json(self.work / "plan.json", plan.payload())
        async with Child(plan_file, out, offline=isinstance(base, Path)) as child:
            await self._watch(child)
            if child.returncode != 0 or not (out / "metrics.json").is_file():
                raise InputError(child.complaint(), where="training")
        self._report({"phase": "uploading"}, force=True)
        return await self._deliver(out)

    async def _watch(self, child: Child) -> None:
        """Wait for the child's end; raises when a limit is passed, and leaving `Child` then kills it."""
        last_change, last_seen = time.monotonic(), None
        while child.returncode is None:
            await asyncio.sleep(POLL_S)
            state = child.state()
            phase, seen = state.get("phase"), (state.get("phase"), state.get("time"))
            if seen != last_seen:
                last_seen, last_change = seen, time.monotonic()
            patience_s = STALL_S if phase in STEADY_PHASES else LOADING_STALL_S
            if time.monotonic() - last_change > patience_s:
                raise BudgetError(
                    f"no progress for {patience_s:.0f} s in phase {phase!r}: killed", where="training"
                )
            self._check_budget()
            self._keep_ledger(every_s=5)
            self._report(state)

    def _check_budget(self) -> None:
        limits = self.request.limits
        if self.elapsed > limits.max_minutes * 60:
            raise BudgetError(
                f"used {self.elapsed / 60:.1f} of {limits.max_minutes:g} minutes: killed",
                where="limits.max_minutes",
            )
        if self.cost_usd > limits.max_usd:
            cost = f"{self.cost_usd:.4f} of {limits.max_usd:g} USD"
            raise BudgetError(f"cost {cost}: killed", where="limits.max_usd")

    def _keep_ledger(self, every_s: float = 0.0) -> None:
        if every_s and self.ledger.is_file() and time.time() - self.ledger.stat().st_mtime < every_s:
            return
        write_json(self.ledger, {"seconds": round(self.elapsed, 1), "attempts": self.attempt})

    def _drop_foreign_checkpoints(self, out: Path) -> None:
        """A checkpoint may be resumed only by the very same request."""
        mark, request = self.work / "request.json", self.request
        wanted = dumps([asdict(request.hyperparameters), request.dataset_sha256, request.base_digest])
        if not mark.is_file() or mark.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(out, ignore_errors=True)
            mark.write_text(wanted, encoding="utf-8")

    def _report(self, state: dict[str, Any], force: bool = False) -> None:
        """At most one numbered progress update every few seconds, and a heartbeat in S3 now and then."""
        now = time.monotonic()
        if not force and now - self._last_progress < PROGRESS_EVERY_S:
            return
        self._last_progress = now
        self.number += 1
        update = {
            "number": self.number,
            "job_id": self.request.job_id,
            "runpod_id": self.runpod_id,
            "attempt": self.attempt,
            "phase": state.get("phase"),
            "step": state.get("step", 0),
            "total_steps": state.get("total_steps", 0),
            "loss": state.get("loss"),
            "tokens_per_s": state.get("tokens_per_s"),
            "elapsed_s": round(self.elapsed, 1),
            "cost_usd": round(self.cost_usd, 5),
        }
        if self.send_progress:
            self.send_progress(update)
        if now - self._last_beat >= HEARTBEAT_EVERY_S and (self._beat is None or self._beat.done()):
            self._last_beat = now
            self._beat = asyncio.create_task(self._heartbeat({**update, "time": time.time()}))

    async def _heartbeat(self, update: dict[str, Any]) -> None:
        with contextlib.suppress(AstraError):  # a missed beat must not end a training
            await upload(self.request.heartbeat_put_url, dumps(update).encode(), attempts=2)

    async def _deliver(self, out: Path) -> dict[str, Any]:
        """Upload adapter.zip, then the receipt; when another run of the job was first, return its receipt."""
        request = self.request
        archive = pack_adapter(out / "adapter", self.work / "adapter.zip")
        metrics, card = read_json(out / "metrics.json"), read_json(out / "adapter" / "adapter.json")
        receipt = {
            "job_id": request.job_id,
            "status": metrics["status"],
            "adapter_sha256": sha256_file(archive),
            "adapter_bytes": archive.stat().st_size,
            "card": card,
            "loss": read_jsonl(out / "loss.jsonl"),
            "eval_loss": metrics["eval_loss"],
            "backend": metrics["backend"],
            "wall_s": round(self.elapsed, 2),
            "cost_usd": round(self.cost_usd, 5),
            "peak_memory_mb": metrics["peak_memory_mb"],
            "versions": metrics["versions"],
            "error": None,
            "metrics": metrics,
            "attempt": self.attempt,
        }
        data = archive.read_bytes()
        try:
            await upload(request.adapter_put_url, data, only_if_absent=True)
        except ConflictError:
            # another run of this job is delivering, or one died between its two uploads
            for _ in range(RECEIPT_WAIT_S):
                other = await existing_receipt(request)
                if other is not None:
                    return {**other, "duplicate": True}
                await asyncio.sleep(1)
            await upload(request.adapter_put_url, data)
        try:
            await upload(request.result_put_url, dumps(receipt).encode(), only_if_absent=True)
        except ConflictError:
            receipt = {**(await existing_receipt(request) or receipt), "duplicate": True}
        await asyncio.sleep(QUIET_BEFORE_RETURN_S)
        shutil.rmtree(self.work, ignore_errors=True)
        return receipt


async def existing_receipt(request: JobInput) -> dict[str, Any] | None:
    """The receipt that an earlier run of this job uploaded; `InputError` when something else is there."""
    data = await fetch_optional(request.result_get_url)
    if data is None:
        return None
    try:
        receipt = json.loads(data)
        if receipt["job_id"] != request.job_id or receipt["status"] not in ("ok", "stopped", "failed"):
            raise ValueError("another job's")
        return receipt
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"an unreadable receipt is already there ({error})", where="result.json") from None


async def fail(request: JobInput, reason: str, began: float, retryable: bool) -> dict[str, Any]:
    """Leave a receipt of the failure, unless a second try could succeed (a server was out of reach)."""
    seconds = time.monotonic() - began
    receipt: dict[str, Any] = {
        "job_id": request.job_id,
        "status": "failed",
        "adapter_sha256": None,
        "adapter_bytes": 0,
        "card": None,
        "loss": [],
        "eval_loss": None,
        "backend": None,
        "wall_s": round(seconds, 2),
        "cost_usd": round(seconds / 3600 * request.limits.usd_per_hour, 5),
        "peak_memory_mb": None,
        "versions": {},
        "error": reason,
    }
    if not retryable:
        with contextlib.suppress(AstraError):
            await upload(request.result_put_url, dumps(receipt).encode(), only_if_absent=True)
        shutil.rmtree(work_folder(request.job_id), ignore_errors=True)
    await asyncio.sleep(QUIET_BEFORE_RETURN_S)
    return _as_error(receipt)


def _as_error(receipt: dict[str, Any]) -> dict[str, Any]:
    # the next job does not run on a GPU on which something went wrong
    return {"error": f"{receipt['job_id']}: {receipt['error']}", "refresh_worker": True}


def resolve_base(request: JobInput) -> tuple[Path | str, str]:
    """A folder of that name under ASTRA_JOB_MODELS whose digest is the one asked for, else the hub."""
    for root in filter(None, os.environ.get("ASTRA_JOB_MODELS", "/models").split(os.pathsep)):
        folder = Path(root) / request.base_model.rsplit("/", 1)[-1]
        if (folder / "config.json").is_file():
            if base_digest(folder) != request.base_digest:
                raise InputError(
                    "the worker's copy of the base model is not the one asked for",
                    where=request.base_model,
                    remedy="Rebuild the worker's image or data folder",
                )
            return folder, ""
    if "/" not in request.base_model:
        raise InputError(
            "this worker does not have that base model",
            where=request.base_model,
            remedy="Set ASTRA_JOB_MODELS",
        )
    return request.base_model, request.base_revision


def work_folder(job_id: str) -> Path:
    root = os.environ.get("ASTRA_JOB_WORK_DIR") or str(Path(tempfile.gettempdir()) / "astra-trainer")
    return Path(root) / job_id


def forget_old_work(root: Path) -> None:
    """Delete the rows and checkpoints of jobs that were never finished: the disk is rented."""
    for folder in root.glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > OLD_WORK_S:
                shutil.rmtree(folder)


def main() -> None:
    """Serve jobs until RunPod stops the worker."""
    import ctypes
    import signal

    import runpod
    from runpod.serverless import progress_update

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    # the SDK's ping process would go on pinging for a worker that was killed: let it die with its parent
    libc = ctypes.CDLL(None)
    os.register_at_fork(after_in_child=lambda: libc.prctl(1, signal.SIGKILL))

    async def handler(job: dict[str, Any]) -> dict[str, Any]:
        return await handle(job, lambda update: progress_update(job, update))

    runpod.serverless.start({"handler": handler})


if __name__ == "__main__":
    main()
