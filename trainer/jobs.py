"""The job manager: submit, follow, cancel, sweep; a training has succeeded when its receipt verifies.

The receipt in S3 is truth, RunPod's status is evidence, a webhook is a hint to look again. A job that is lost
track of is cancelled at its deadline (`sweep`), and its worker ends by itself at its own limits before that.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from astra_lib.core.base_model import base_digest, ensure_base, model_name
from astra_lib.core.errors import ConflictError, GateError, InputError, MissingError, ServiceError
from astra_lib.core.records import dumps, read_json, read_jsonl, sha256_bytes, sha256_file
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store

from .contract import Hyperparameters, JobInput, Limits, job_payload, parse_job_input
from .job_table import (
    CANCELLED,
    FAILED,
    LOST,
    QUEUED,
    RUNNING,
    SUBMITTING,
    SUCCEEDED,
    Job,
    advance,
    job_ids,
    load,
)
from .receipt import Expected, verify_receipt
from .runpod_client import RunpodClient

# A worker boots, downloads and uploads outside the training time it is limited to.
BOOT_S = 300.0
# A heartbeat older than this is no sign of life.
HEARTBEAT_FRESH_S = 120.0
# A submission without RunPod's answer is given this long to show a heartbeat before it is sent again.
SUBMITTING_S = 30.0
# RunPod may not know a job yet that it has just taken.
JUST_SENT_S = 20.0
OnProgress = Callable[[Job], None]


def submit(dataset: Path | str, tenant: str, settings: Settings, **hyperparameters: Any) -> Job:
    """Queue a training on a finished dataset run's folder and return its job.

    The same tenant, rows, base model and hyperparameters are the same job: one that runs or succeeded is returned,
    one that failed is tried again under a new id. `hyperparameters` override settings.train. Raises `GateError`
    for rows that no finished dataset run vouches for, `InputError`, `ServiceError`.
    """
    folder = Path(dataset)
    shas = check_dataset(folder, tenant)
    base = ensure_base(settings)
    hyper, limits = hyperparameters_of(settings, hyperparameters), limits_of(settings)
    digest, dataset_sha = base_digest(base, settings.model.revision), sha256_bytes(dumps(shas))
    fingerprint = sha256_bytes(dumps([tenant, dataset_sha, digest, asdict(hyper)]))[:12]
    store = Store.open(settings)
    with RunpodClient.open(settings) as runpod:
        for attempt in range(1, 1000):
            job_id = f"{tenant}-{fingerprint}" + (f"-{attempt}" if attempt > 1 else "")
            token = secrets.token_urlsafe(24)
            try:
                job = status(job_id, settings, store=store, runpod=runpod)
            except MissingError:
                job = Job(
                    job_id=job_id,
                    tenant=tenant,
                    state=SUBMITTING,
                    base_model=model_name(base),
                    base_digest=digest,
                    dataset_sha256=dataset_sha,
                    hyperparameters=asdict(hyper),
                    limits=asdict(limits),
                    webhook_token=token,
                    created=time.time(),
                    deadline=time.time() + settings.runpod.ttl_s,
                )
                for name in ("train.jsonl", "val.jsonl"):
                    store.put_file(f"jobs/{job_id}/{name}", folder / name)
                # Written before RunPod hears of it: a job that was sent is always one that is known here.
                job = advance(store, job)
            if job.state == SUBMITTING and job.webhook_token != token:
                job = _await_sender(job, store)
            if job.state == SUBMITTING and not job.runpod_id:
                return _send(job, shas, settings, store, runpod)
            if job.state == SUCCEEDED or not job.final:
                return job
    raise ConflictError("a thousand attempts failed", where=fingerprint)


def submit_run(dataset_run: str, tenant: str, settings: Settings, **hyperparameters: Any) -> Job:
    """`submit` for a dataset run by its id, fetched from the store when it is not here."""
    from astra_lib.core.run import Run

    return submit(Run.open(dataset_run, settings).dir, tenant, settings, **hyperparameters)


def status(
    job_id: str, settings: Settings, *, store: Store | None = None, runpod: RunpodClient | None = None
) -> Job:
    """The job as it is now, brought up to date from the receipt, RunPod and the heartbeat."""
    store = store or Store.open(settings)
    job = load(store, job_id)
    if job.final:
        return job
    if (settled := _settle_by_receipt(job, store, settings)) is not None:
        return settled
    if runpod is None:
        with RunpodClient.open(settings) as client:
            return _update(job, store, client)
    return _update(job, store, runpod)


def follow(job: Job, settings: Settings, on_progress: OnProgress | None = None) -> Job:
    """Wait for the job's end behind a progress bar (silent where nobody watches); returns the final job."""
    from tqdm import tqdm

    store, runpod = Store.open(settings), RunpodClient.open(settings)
    try:
        with tqdm(total=None, unit="step", desc="training", disable=None) as bar:
            while True:
                try:
                    job = status(job.job_id, settings, store=store, runpod=runpod)
                except ServiceError:  # a server that is away for a while ends no training
                    if time.time() > job.deadline:
                        raise
                    with suppress(ServiceError):  # the local control plane comes back on another port
                        reopened = RunpodClient.open(settings)
                        runpod.close()
                        runpod = reopened
                _show(bar, job)
                if on_progress:
                    on_progress(job)
                if job.final:
                    return job
                time.sleep(settings.runpod.poll_s)
    finally:
        runpod.close()


def cancel(job_id: str, settings: Settings) -> Job:
    """Cancel at RunPod first, then in the record; a job that is over stays as it is."""
    store = Store.open(settings)
    with RunpodClient.open(settings) as runpod:
        job = status(job_id, settings, store=store, runpod=runpod)
        while not job.final:
            if job.runpod_id:
                runpod.cancel(job.runpod_id)
            job = advance(store, job, state=CANCELLED, error="cancelled on request")
    return job


def list_jobs(settings: Settings, tenant: str | None = None) -> list[Job]:
    """All jobs as they were last recorded, newest first; `status` brings one up to date."""
    store = Store.open(settings)
    return sorted((j for j in _recorded(store) if tenant in (None, j.tenant)), key=lambda j: -j.created)


def sweep(settings: Settings) -> list[Job]:
    """Bring every open job up to date and cancel those past their deadline; returns those that ended by it."""
    store, ended = Store.open(settings), []
    with RunpodClient.open(settings) as runpod:
        for recorded in _recorded(store):
            if recorded.final:
                continue
            job = status(recorded.job_id, settings, store=store, runpod=runpod)
            if job.final:
                ended.append(job)
    return ended


def fetch(job: Job, folder: Path | str, settings: Settings) -> dict[str, Path]:
    """Download `adapter.zip` and `result.json` of a succeeded job into `folder`, verified once more."""
    if job.state != SUCCEEDED:
        raise GateError(
            f"is {job.state}: {job.error or 'not finished'}",
            where=job.job_id,
            remedy="See `astra train status`",
        )
    store, folder = Store.open(settings), Path(folder)
    store.get_file(job.receipt_key, folder / "result.json")
    store.get_file(job.adapter_key, folder / "adapter.zip", job.adapter_sha256)
    verify_receipt(read_json(folder / "result.json"), folder / "adapter.zip", expected_of(job))
    return {"adapter": folder / "adapter.zip", "receipt": folder / "result.json"}


def webhook_token(job_id: str, settings: Settings) -> str:
    """The unguessable part of the job's webhook URL."""
    return load(Store.open(settings), job_id).webhook_token


def to_public(job: Job) -> dict[str, Any]:
    """A job without its webhook's token."""
    return {name: value for name, value in asdict(job).items() if name != "webhook_token"}


def _recorded(store: Store) -> Iterator[Job]:
    for job_id in job_ids(store):
        with suppress(
            MissingError
        ):  # its files were uploaded, then the submission was killed: it was never sent
            yield load(store, job_id)


# --- what is asked for ------------------------------------------------------------------------------------------


def hyperparameters_of(settings: Settings, overrides: dict[str, Any]) -> Hyperparameters:
    t = settings.train
    values: dict[str, Any] = {
        "seed": t.seed,
        "rank": t.rank,
        "alpha": t.alpha,
        "learning_rate": t.learning_rate,
        "epochs": t.epochs,
        "batch_size": t.batch_size,
        "gradient_accumulation": t.gradient_accumulation,
        "warmup_steps": t.warmup_steps,
        "last_layers": t.last_layers,
        "max_length": settings.model.max_length,
        "backend": t.backend,
    }
    try:
        return Hyperparameters(**{**values, **overrides})
    except TypeError as error:
        raise InputError(
            str(error).replace("Hyperparameters.__init__() ", ""), where="hyperparameters"
        ) from None


def limits_of(settings: Settings) -> Limits:
    return Limits(settings.train.max_minutes, settings.runpod.max_usd, settings.runpod.usd_per_hour)


def expected_of(job: Job) -> Expected:
    hyper = job.hyperparameters
    return Expected(
        job.job_id,
        job.tenant,
        job.base_model,
        job.base_digest,
        job.dataset_sha256,
        hyper["seed"],
        hyper["rank"],
        hyper["alpha"],
    )


def check_dataset(folder: Path, tenant: str) -> dict[str, str]:
    """sha256 of train.jsonl and val.jsonl if a finished dataset run vouches for them and they are this tenant's.

    The dataset job is the gate for personal data: rows that did not come through it are not uploaded.
    """
    shas = {
        name: sha256_file(folder / name) for name in ("train.jsonl", "val.jsonl") if (folder / name).is_file()
    }
    if len(shas) < 2:
        raise MissingError(
            "train.jsonl and val.jsonl are not both there",
            where=str(folder),
            remedy="Run the dataset job first",
        )
    manifest = read_json(folder / "manifest.json") if (folder / "manifest.json").is_file() else {}
    vouched = {output.get("name"): output.get("sha256") for output in manifest.get("outputs", [])}
    if manifest.get("job") != "dataset" or any(vouched.get(name) != sha for name, sha in shas.items()):
        raise GateError(
            "no finished dataset run vouches for these rows",
            where=str(folder),
            remedy="Run `astra run dataset`: it checks them for personal data",
        )
    rows = {name: read_jsonl(folder / name) for name in shas}
    if not rows["train.jsonl"]:
        raise InputError("no rows to train on", where=str(folder / "train.jsonl"))
    for name in shas:
        if strangers := {row.get("tenant") for row in rows[name]} - {tenant}:
            raise GateError(
                f"rows of {sorted(map(str, strangers))[0]!r} in a job of {tenant!r}", where=str(folder / name)
            )
    if shared := {r["session_id"] for r in rows["train.jsonl"]} & {
        r["session_id"] for r in rows["val.jsonl"]
    }:
        raise GateError(
            f"session {sorted(shared)[0]!r} is in train and val", where=str(folder), remedy="Split by session"
        )
    return shas


def _send(job: Job, shas: dict[str, str], settings: Settings, store: Store, runpod: RunpodClient) -> Job:
    """POST /run and record RunPod's id."""
    # URLs must still be good when the last worker to hold them uploads.
    seconds = min(7 * 86_400, int(max(settings.s3.presign_seconds, settings.runpod.ttl_s + BOOT_S)))
    request = JobInput(
        job_id=job.job_id,
        tenant=job.tenant,
        base_model=job.base_model,
        base_revision=settings.model.revision,
        base_digest=job.base_digest,
        train_url=store.presign_get(f"jobs/{job.job_id}/train.jsonl", seconds),
        val_url=store.presign_get(f"jobs/{job.job_id}/val.jsonl", seconds),
        train_sha256=shas["train.jsonl"],
        val_sha256=shas["val.jsonl"],
        dataset_sha256=job.dataset_sha256,
        adapter_put_url=store.presign_put(job.adapter_key, seconds),
        result_put_url=store.presign_put(job.receipt_key, seconds),
        result_get_url=store.presign_get(job.receipt_key, seconds),
        heartbeat_put_url=store.presign_put(job.heartbeat_key, seconds),
        hyperparameters=Hyperparameters(**job.hyperparameters),
        limits=Limits(**job.limits),
    )
    payload = job_payload(request)
    parse_job_input(payload)  # what the worker would refuse is refused here, before it costs a start
    base = settings.runpod.webhook_base.rstrip("/")
    webhook = f"{base}/v1/webhooks/runpod/{job.job_id}/{job.webhook_token}" if base else ""
    execution_s = min(float(settings.runpod.execution_timeout_s), request.limits.seconds + BOOT_S)
    runpod_id = runpod.run(
        payload, execution_s=max(5.0, execution_s), ttl_s=settings.runpod.ttl_s, webhook=webhook
    )
    return advance(store, job, state=QUEUED, runpod_id=runpod_id)


def _await_sender(job: Job, store: Store) -> Job:
    """Another process wrote this job and may be sending it: wait for its answer, or for the time it had."""
    while job.state == SUBMITTING and not job.runpod_id and time.time() < job.created + SUBMITTING_S:
        time.sleep(0.2)
        job = load(store, job.job_id)
    return job


# --- what became of it ------------------------------------------------------------------------------------------


def _settle_by_receipt(job: Job, store: Store, settings: Settings) -> Job | None:
    """The job's final state if its receipt is there: verified, failed, or not what was asked for."""
    try:
        receipt = store.get_json(job.receipt_key)
    except MissingError:
        return None
    except InputError as error:
        return advance(store, job, state=FAILED, error=f"unreadable receipt: {error.what}")
    archive = settings.data_dir / "trainer" / "incoming" / f"{job.job_id}-{secrets.token_hex(4)}.zip"
    cost = receipt.get("cost_usd") if isinstance(receipt, dict) else None
    try:
        if isinstance(receipt, dict) and receipt.get("status") == "failed":
            return advance(
                store,
                job,
                state=FAILED,
                error=str(receipt.get("error")),
                receipt_status="failed",
                cost_usd=cost,
            )
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
            progress={**job.progress, **_summary(receipt)},
        )
    except (GateError, MissingError) as error:
        return advance(store, job, state=FAILED, error=f"the receipt does not verify: {error}", cost_usd=cost)
    finally:
        archive.unlink(missing_ok=True)


def _summary(receipt: dict[str, Any]) -> dict[str, Any]:
    """The last word of the progress: the worker's updates stop before its result."""
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


def _update(job: Job, store: Store, runpod: RunpodClient) -> Job:
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
        progress = said["output"] if isinstance(said.get("output"), dict) else beat or {}
        if progress.get("number", 0) < job.progress.get("number", 0) and progress.get(
            "attempt"
        ) == job.progress.get("attempt"):
            progress = job.progress  # updates overtake each other
        if job.state == RUNNING and progress == job.progress:
            return job
        # Progress is shown, not recorded: only a change of state is worth an object.
        return (
            replace(job, progress=progress)
            if job.state == RUNNING
            else advance(store, job, state=RUNNING, progress=progress)
        )
    if state == "COMPLETED":
        return _end(job, store, FAILED, "RunPod says COMPLETED, but there is no receipt")
    if state in ("FAILED", "TIMED_OUT"):
        return _end(job, store, FAILED, _reason(said))
    if state == "CANCELLED":
        return _end(job, store, CANCELLED, "cancelled at RunPod")
    return job


def _end(job: Job, store: Store, state: str, error: str) -> Job:
    # The receipt may have arrived while RunPod was being asked.
    if store.exists(job.receipt_key):
        return job
    return advance(store, job, state=state, error=error)


def _reason(said: dict[str, Any]) -> str:
    """RunPod's error, which for an exception is JSON with the message inside."""
    text = str(said.get("error") or said.get("status"))
    with suppress(ValueError, TypeError, KeyError):
        text = json.loads(text)["error_message"]
    return text if said.get("status") != "TIMED_OUT" else f"TIMED_OUT: {text}"


def _heartbeat(job: Job, store: Store) -> dict[str, Any] | None:
    try:
        beat = store.get_json(job.heartbeat_key)
        return (
            beat
            if beat["job_id"] == job.job_id and isinstance(beat["time"], float) and beat["runpod_id"]
            else None
        )
    except (MissingError, InputError, KeyError, TypeError):
        return None


def _show(bar: Any, job: Job) -> None:
    progress = job.progress
    if total := progress.get("total_steps"):
        bar.total = total
        bar.n = progress.get("step", 0)
    bar.set_description(f"{job.state.lower()} {progress.get('phase') or ''}".strip(), refresh=False)
    loss, cost = progress.get("loss"), progress.get("cost_usd")
    bar.set_postfix(
        {
            k: v
            for k, v in {
                "loss": f"{loss:.3f}" if isinstance(loss, float) else None,
                "usd": f"{cost:.4f}" if cost else None,
                "tok/s": progress.get("tokens_per_s"),
            }.items()
            if v is not None
        },
        refresh=False,
    )
    bar.refresh()
