"""What a job asks for: rows that may leave, hyperparameters, limits, and the input that RunPod is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from astra_lib.core.errors import GateError, InputError, MissingError
from astra_lib.core.records import read_json, read_jsonl, sha256_file
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store

from .contract import Hyperparameters, JobInput, Limits
from .job_table import Job

ROW_FILES = ("train.jsonl", "val.jsonl")
BOOT_S = 300.0  # a worker boots, downloads and uploads outside the training time it is limited to
LONGEST_PRESIGN_S = 7 * 86_400  # S3's own bound


def check_dataset(folder: Path, tenant: str) -> dict[str, str]:
    """sha256 of train.jsonl and val.jsonl, when a finished dataset run vouches for them.

    The dataset job is the gate for personal data: rows that did not come through it are not uploaded.
    Raises `MissingError` without the files, `InputError` without rows, `GateError` for rows that were
    changed, that are another tenant's, or whose session is on both sides.
    """
    shas = {name: sha256_file(folder / name) for name in ROW_FILES if (folder / name).is_file()}
    if len(shas) < len(ROW_FILES):
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
    train, val = (read_jsonl(folder / name) for name in ROW_FILES)
    if not train:
        raise InputError("no rows to train on", where=str(folder / "train.jsonl"))
    for name, rows in zip(ROW_FILES, (train, val), strict=True):
        others = sorted(str(row.get("tenant")) for row in rows if row.get("tenant") != tenant)
        if others:
            raise GateError(f"rows of {others[0]!r} in a job of {tenant!r}", where=str(folder / name))
    shared = {row["session_id"] for row in train} & {row["session_id"] for row in val}
    if shared:
        raise GateError(
            f"session {sorted(shared)[0]!r} is in train and val", where=str(folder), remedy="Split by session"
        )
    return shas


def hyperparameters_of(settings: Settings, overrides: dict[str, Any]) -> Hyperparameters:
    """Those of settings.train with `overrides`; `InputError` for a name that does not exist."""
    train = settings.train
    values: dict[str, Any] = {
        "seed": train.seed,
        "rank": train.rank,
        "alpha": train.alpha,
        "learning_rate": train.learning_rate,
        "epochs": train.epochs,
        "batch_size": train.batch_size,
        "gradient_accumulation": train.gradient_accumulation,
        "warmup_steps": train.warmup_steps,
        "last_layers": train.last_layers,
        "max_length": settings.model.max_length,
        "backend": train.backend,
    }
    try:
        return Hyperparameters(**{**values, **overrides})
    except TypeError as error:
        what = str(error).replace("Hyperparameters.__init__() ", "")
        raise InputError(what, where="hyperparameters") from None


def limits_of(settings: Settings) -> Limits:
    return Limits(settings.train.max_minutes, settings.runpod.max_usd, settings.runpod.usd_per_hour)


def input_of(job: Job, shas: dict[str, str], settings: Settings, store: Store) -> JobInput:
    """The job's input; its presigned URLs are its only secret."""
    # the URLs must still be good when the last worker that holds them uploads
    wanted_s = int(max(settings.s3.presign_seconds, settings.runpod.ttl_s + BOOT_S))
    seconds = min(LONGEST_PRESIGN_S, wanted_s)
    return JobInput(
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
