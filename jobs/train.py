"""Train on a dataset run through the job manager, and keep what the receipt proves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from astra_lib.core.code import code_digest
from astra_lib.core.manifest import run_folder
from astra_lib.core.records import read_json
from astra_lib.core.settings import Settings

from . import runner

SMOOTH = 25  # steps


@dataclass
class Trained:
    """What the train job shows and keeps."""

    job_id: str
    cards: dict[str, Any]
    curves: dict[str, tuple[list[float], list[float]]]
    settings: dict[str, Any]
    metrics: dict[str, Any]


def declare(parameters: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], dict[str, Path]]:
    """What a train run depends on: the rows, the base model, the hyperparameters."""
    dataset_run = parameters["dataset_run"] or runner.newest("dataset", parameters["tenant"], settings)
    folder = run_folder("dataset", dataset_run, settings)
    return (
        {
            **parameters,
            "dataset_run": dataset_run,
            "model": asdict(settings.model),
            "train": asdict(settings.train),
            "code": code_digest("trainer.train", "trainer.runpod_training_handler"),
        },
        {n: folder / n for n in ("train.jsonl", "val.jsonl")},
    )


def train(run: Any, settings: Settings) -> Trained:
    """Submit the run's dataset, follow it to its verified receipt, and fetch adapter and receipt.

    Raises `GateError` when the job ended in any other way. A run taken over finds its job where it left
    it."""
    from trainer import jobs

    job = jobs.follow(jobs.submit_run(run.parameters["dataset_run"], run.tenant, settings), settings)
    files = jobs.fetch(job, run.dir, settings)
    for path in files.values():
        run.add_output(path)
    return describe(job, read_json(files["receipt"]))


def describe(job: Any, receipt: dict[str, Any]) -> Trained:
    """The receipt as cards, curves and metrics."""
    steps = receipt["loss"]
    losses = [row["loss"] for row in steps]
    tail = losses[-SMOOTH:]
    curves = {"a step": ([float(row["step"]) for row in steps], losses)}
    if len(losses) > 2 * SMOOTH:  # steps of few rows jump about; their mean shows where it goes
        means = [sum(losses[i - SMOOTH : i]) / SMOOTH for i in range(SMOOTH, len(losses) + 1)]
        curves[f"mean of {SMOOTH} steps"] = (curves["a step"][0][SMOOTH - 1 :], means)
    metrics = {
        "first_loss": losses[0] if losses else None,
        "last_loss": sum(tail) / len(tail) if tail else None,
        "eval_loss": receipt["eval_loss"],
        "steps": len(steps),
        "steps_asked": receipt["metrics"]["steps_asked"],
        "schedule_ended": receipt["metrics"]["schedule_ended"],
        "tokens_per_s": receipt["metrics"]["tokens_per_s"],
        "wall_s": receipt["wall_s"],
        "cost_usd": receipt["cost_usd"],
        "backend": receipt["backend"],
        "status": receipt["status"],
        "peak_memory_mb": receipt["peak_memory_mb"],
        "curves": curves,
        "job_id": job.job_id,
        "adapter": {
            "id": receipt["card"]["id"],
            "tenant": job.tenant,
            "key": job.adapter_key,
            "sha256": job.adapter_sha256,
            "card_sha256": job.card_sha256,
        },
    }
    cards = {
        "status": receipt["status"],
        "first_loss": metrics["first_loss"],
        "last_loss": metrics["last_loss"],
        "validation_loss": receipt["eval_loss"],
        "steps": len(steps),
        "steps_asked": metrics["steps_asked"],
        "seconds": receipt["wall_s"],
        "cost_in_USD": receipt["cost_usd"],
        "adapter_MB": receipt["adapter_bytes"] / 1e6,
    }
    shown = {
        **job.hyperparameters,
        "base": job.base_model,
        "backend": receipt["backend"],
        **{f"version of {k}": v for k, v in receipt["versions"].items()},
    }
    return Trained(job.job_id, cards, curves, shown, metrics)
