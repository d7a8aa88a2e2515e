"""What goes into a training job and what comes out: both sides read these definitions.

The job manager (application environment) writes a job input and reads a receipt; the handler (trainer
environment) does the opposite. Only the standard library is imported here, so both can.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from astra_lib.core.errors import InputError
from astra_lib.core.tenants import is_tenant

LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTER_FILES = ("adapter_config.json", "adapter.json", "adapter_model.safetensors")
STATUSES = ("ok", "stopped", "failed")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_URLS = ("train_url", "val_url", "adapter_put_url", "result_put_url", "result_get_url", "heartbeat_put_url")


@dataclass(frozen=True)
class Hyperparameters:
    """`last_layers` 0 trains all of them; `max_steps` 0 means `epochs` decide; lengths are tokens."""

    seed: int = 3407
    rank: int = 16
    alpha: int = 32
    learning_rate: float = 2e-4
    epochs: float = 2.0
    batch_size: int = 4
    gradient_accumulation: int = 1
    warmup_steps: int = 5
    last_layers: int = 0
    max_length: int = 1024
    max_steps: int = 0
    max_eval_rows: int = 32
    backend: str = "auto"


@dataclass(frozen=True)
class Limits:
    """Whichever comes first ends the job; `usd_per_hour` is what the machine costs."""

    max_minutes: float = 60.0
    max_usd: float = 5.0
    usd_per_hour: float = 0.69

    @property
    def seconds(self) -> float:
        """The most wall-clock seconds the job may take, by time and by money."""
        by_money = self.max_usd / self.usd_per_hour * 3600 if self.usd_per_hour > 0 else math.inf
        return min(self.max_minutes * 60, by_money)


@dataclass(frozen=True)
class JobInput:
    """What the worker is sent; the URLs are presigned, sha256 and digests are hexadecimal."""

    job_id: str
    tenant: str
    base_model: str
    base_revision: str
    base_digest: str
    train_url: str
    val_url: str
    train_sha256: str
    val_sha256: str
    dataset_sha256: str
    adapter_put_url: str
    result_put_url: str
    result_get_url: str
    heartbeat_put_url: str
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)
    limits: Limits = field(default_factory=Limits)


# inclusive: what lies outside is a mistake, and a mistake on a rented GPU costs money
_BOUNDS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "rank": (1, 256),
    "alpha": (1, 1024),
    "learning_rate": (1e-7, 1e-1),
    "epochs": (0.01, 100),
    "batch_size": (1, 256),
    "gradient_accumulation": (1, 1024),
    "warmup_steps": (0, 10_000),
    "last_layers": (0, 200),
    "max_length": (16, 131_072),
    "max_steps": (0, 1_000_000),
    "max_eval_rows": (0, 10_000),
    "max_minutes": (0.05, 7 * 24 * 60),
    "max_usd": (0.0001, 10_000),
    "usd_per_hour": (0, 1000),
}


def parse_job_input(raw: Any) -> JobInput:
    """A job's input, read strictly: `InputError` for an unknown, missing, ill-typed or out-of-range field."""
    values = _typed(JobInput, raw, "input")
    values["hyperparameters"] = Hyperparameters(
        **_typed(Hyperparameters, raw.get("hyperparameters", {}), "hyperparameters")
    )
    values["limits"] = Limits(**_typed(Limits, raw.get("limits", {}), "limits"))
    job = JobInput(**values)
    _require(_IDENTIFIER.fullmatch(job.job_id), "input.job_id", "letters, digits, dots, dashes")
    _require(is_tenant(job.tenant), "input.tenant", "letters, digits, dots, dashes")
    _require(_MODEL.fullmatch(job.base_model), "input.base_model", "a model name, not a path")
    for name in ("train_sha256", "val_sha256", "dataset_sha256"):
        _require(_SHA256.fullmatch(getattr(job, name)), f"input.{name}", "64 hexadecimal digits")
    for name in _URLS:
        parts = urlsplit(getattr(job, name))
        _require(
            parts.scheme in ("http", "https") and parts.hostname, f"input.{name}", "a presigned http(s) URL"
        )
    _require(
        job.hyperparameters.backend in ("auto", "unsloth", "transformers"),
        "hyperparameters.backend",
        "auto, unsloth or transformers",
    )
    return job


def job_payload(job: JobInput) -> dict[str, Any]:
    """The JSON that `parse_job_input` reads."""
    return asdict(job)


def _require(condition: Any, where: str, expected: str) -> None:
    if not condition:
        # without the value, which may be a signed URL
        raise InputError(
            f"expected {expected}", where=where, remedy="See docs/architecture.md for the job input"
        )


def _typed(cls: type, raw: Any, where: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise InputError(f"expected a JSON object, found {type(raw).__name__}", where=where)
    types = get_type_hints(cls)
    unknown = sorted(set(map(str, raw)) - set(types))
    if unknown:
        raise InputError(f"unknown field {unknown[0]!r}", where=where, remedy=f"Known: {', '.join(types)}")
    values: dict[str, Any] = {}
    for f in fields(cls):
        kind = types[f.name]
        if f.name not in raw:
            if kind in (Hyperparameters, Limits) or cls is not JobInput:
                continue
            raise InputError(f"missing field {f.name!r}", where=where)
        if kind not in (Hyperparameters, Limits):
            values[f.name] = _scalar(raw[f.name], kind, f"{where}.{f.name}")
    return values


def _scalar(value: Any, kind: type, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"expected {kind.__name__}, found {type(value).__name__}", where=where)
    low, high = _BOUNDS.get(where.rsplit(".", 1)[-1], (-math.inf, math.inf))
    if isinstance(value, (int, float)) and not low <= value <= high:  # NaN fails too
        raise InputError(f"{value} is not in [{low:g}, {high:g}]", where=where)
    return value
