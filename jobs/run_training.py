"""Train on a dataset run through the job manager, and keep what the receipt proves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from astra_lib.core.records import read_json
from astra_lib.core.settings import Settings

from . import runner

CODE = ("trainer/train.py", "trainer/runpod_training_handler.py")


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
    folder = settings.data_dir / "runs" / "dataset" / dataset_run
    return ({**parameters, "dataset_run": dataset_run, "model": asdict(settings.model), "train": asdict(settings.train),
             "code": runner.code_digest(*CODE)}, {n: folder / n for n in ("train.jsonl", "val.jsonl")})


def train(run: Any, settings: Settings) -> Trained:
    """Submit the run's dataset, follow it to its verified receipt, and bring adapter and receipt into the run's folder."""
    from trainer import jobs

    job = jobs.follow(jobs.submit_run(run.parameters["dataset_run"], run.tenant, settings), settings)
    files = jobs.fetch(job, run.dir, settings)  # raises GateError with the job's error unless it succeeded
    return describe(job.job_id, read_json(files["receipt"]), files["adapter"], run)
