"""The job manager: submit, follow, cancel, sweep; a training has succeeded when its receipt verifies.

The receipt in S3 is truth, RunPod's status is evidence, a webhook is a hint to look again. A job that is lost
track of is cancelled at its deadline (`sweep`), and its worker ends by itself at its own limits before that.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from astra_lib.core.base_model import base_digest, ensure_base, model_name
from astra_lib.core.errors import ConflictError, GateError, MissingError, ServiceError
from astra_lib.core.records import dumps, read_json, sha256_bytes
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store

from .contract import job_payload, parse_job_input
from .job_outcome import expected_of, settle_by_evidence, settle_by_receipt
from .job_request import BOOT_S, ROW_FILES, check_dataset, hyperparameters_of, input_of, limits_of
from .job_table import CANCELLED, QUEUED, SUBMITTING, SUCCEEDED, Job, advance, job_ids, load
from .receipt import verify_receipt
from .runpod_client import RunpodClient

# a submission without RunPod's answer has this long to show a heartbeat before it is sent again
SUBMITTING_S = 30.0
MIN_EXECUTION_S = 5.0  # RunPod's own bound
MAX_ATTEMPTS = 1000  # of one request, each under an id of its own
OnProgress = Callable[[Job], None]


def submit(dataset: Path | str, tenant: str, settings: Settings, **hyperparameters: Any) -> Job:
    """Queue a training on a finished dataset run's folder and return its job.

    The same tenant, rows, base model and hyperparameters are the same job: one that runs or succeeded is
    returned, one that failed is tried again under a new id. `hyperparameters` override settings.train.
    Raises `GateError` for rows that no finished dataset run vouches for, `InputError`, `ServiceError`.
    """
    folder = Path(dataset)
    shas = check_dataset(folder, tenant)
    base = ensure_base(settings)
    digest, dataset_sha256 = base_digest(base, settings.model.revision), sha256_bytes(dumps(shas))
    hyper, limits = hyperparameters_of(settings, hyperparameters), limits_of(settings)
    fingerprint = sha256_bytes(dumps([tenant, dataset_sha256, digest, asdict(hyper)]))[:12]
    store = Store.open(settings)
    with RunpodClient.open(settings) as runpod:
        for attempt in range(1, MAX_ATTEMPTS):
            suffix = f"-{attempt}" if attempt > 1 else ""
            job_id = f"{tenant}-{fingerprint}{suffix}"
            token = secrets.token_urlsafe(24)
            try:
                job = status(job_id, settings, store=store, runpod=runpod)
            except MissingError:
                new = Job(
                    job_id=job_id,
                    tenant=tenant,
                    state=SUBMITTING,
                    base_model=model_name(base),
                    base_digest=digest,
                    dataset_sha256=dataset_sha256,
                    hyperparameters=asdict(hyper),
                    limits=asdict(limits),
                    webhook_token=token,
                    created=time.time(),
                    deadline=time.time() + settings.runpod.ttl_s,
                )
                job = _record(new, folder, store)
            if job.state == SUBMITTING and job.webhook_token != token:
                job = _await_sender(job, store)
            if job.state == SUBMITTING and not job.runpod_id:
                return _send(job, shas, settings, store, runpod)
            if job.state == SUCCEEDED or not job.final:
                return job
    raise ConflictError(f"{MAX_ATTEMPTS} attempts failed", where=fingerprint)


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
    settled = settle_by_receipt(job, store, settings)
    if settled is not None:
        return settled
    if runpod is not None:
        return settle_by_evidence(job, store, runpod)
    with RunpodClient.open(settings) as client:
        return settle_by_evidence(job, store, client)


def follow(job: Job, settings: Settings, on_progress: OnProgress | None = None) -> Job:
    """Wait for the job's end and return it then; a progress bar shows it where a terminal is."""
    from tqdm import tqdm

    store, runpod = Store.open(settings), RunpodClient.open(settings)
    try:
        with tqdm(total=None, unit="step", desc="training", disable=None) as bar:
            while True:
                try:
                    job = status(job.job_id, settings, store=store, runpod=runpod)
                except ServiceError:  # the training goes on while a server is out of reach
                    if time.time() > job.deadline:
                        raise
                    runpod = _reopened(runpod, settings)
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
    found = [job for job in _recorded(store) if tenant in (None, job.tenant)]
    return sorted(found, key=lambda job: -job.created)


def sweep(settings: Settings) -> list[Job]:
    """Bring every open job up to date, cancel those past their deadline; returns the jobs that ended."""
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
        # missing: its files were uploaded, then the submission was killed, so it was never sent
        with suppress(MissingError):
            yield load(store, job_id)


def _record(job: Job, folder: Path, store: Store) -> Job:
    """Upload the rows, then write the job: before RunPod hears of it, so that a sent job is always known."""
    for name in ROW_FILES:
        store.put_file(f"jobs/{job.job_id}/{name}", folder / name)
    return advance(store, job)


def _send(job: Job, shas: dict[str, str], settings: Settings, store: Store, runpod: RunpodClient) -> Job:
    """POST /run and record RunPod's id."""
    request = input_of(job, shas, settings, store)
    payload = job_payload(request)
    parse_job_input(payload)  # what the worker would refuse is refused here, before it costs a start
    base = settings.runpod.webhook_base.rstrip("/")
    webhook = f"{base}/v1/webhooks/runpod/{job.job_id}/{job.webhook_token}" if base else ""
    execution_s = min(float(settings.runpod.execution_timeout_s), request.limits.seconds + BOOT_S)
    execution_s = max(MIN_EXECUTION_S, execution_s)
    ttl_s = settings.runpod.ttl_s
    runpod_id = runpod.run(payload, execution_s=execution_s, ttl_s=ttl_s, webhook=webhook)
    return advance(store, job, state=QUEUED, runpod_id=runpod_id)


def _await_sender(job: Job, store: Store) -> Job:
    """Another process wrote this job and may be sending it: wait for its answer, or for the time it had."""
    while job.state == SUBMITTING and not job.runpod_id and time.time() < job.created + SUBMITTING_S:
        time.sleep(0.2)
        job = load(store, job.job_id)
    return job


def _reopened(runpod: RunpodClient, settings: Settings) -> RunpodClient:
    """A new client, as a restarted control plane has another port; the old one while it is out of reach."""
    try:
        fresh = RunpodClient.open(settings)
    except ServiceError:
        return runpod
    runpod.close()
    return fresh


def _show(bar: Any, job: Job) -> None:
    """The job's progress on a tqdm bar."""
    progress = job.progress
    total, loss, cost = progress.get("total_steps"), progress.get("loss"), progress.get("cost_usd")
    if total:
        bar.total = total
        bar.n = progress.get("step", 0)
    shown = {
        "loss": f"{loss:.3f}" if isinstance(loss, float) else None,
        "usd": f"{cost:.4f}" if cost else None,
        "tok/s": progress.get("tokens_per_s"),
    }
    bar.set_description(f"{job.state.lower()} {progress.get('phase') or ''}".strip(), refresh=False)
    bar.set_postfix({name: value for name, value in shown.items() if value is not None}, refresh=False)
    bar.refresh()
