"""What the handler tells the training process, through PLAN.json, and how that says the run diverged."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from astra_lib.core.errors import GateError
from astra_lib.core.records import read_json

from .contract import Hyperparameters


@dataclass(frozen=True)
class TrainPlan:
    """`base` is a folder or hub name, `base_name` what the card says; `seconds`: time left for the run."""

    job_id: str
    tenant: str
    base: str
    base_name: str
    base_revision: str
    train: str
    val: str
    dataset_sha256: str
    seconds: float
    hyperparameters: Hyperparameters

    def payload(self) -> dict[str, Any]:
        """The JSON that `read_plan` reads."""
        return asdict(self)


class Diverged(GateError):
    """The loss, a gradient or a tensor is NaN or infinite: nothing of this run may be used."""


def read_plan(path: Path) -> TrainPlan:
    raw = read_json(path)
    return TrainPlan(**{**raw, "hyperparameters": Hyperparameters(**raw["hyperparameters"])})
