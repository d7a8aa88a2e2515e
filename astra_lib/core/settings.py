"""Run-time settings: settings.ini, then ASTRA_<SECTION>_<KEY>; an unknown key is an error, not a warning.

Secrets are never in the file: see `SECRETS`. `load()` reads afresh at every call and keeps no state.
"""

from __future__ import annotations

import configparser
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints

from .errors import MissingError, SettingsError
from .records import read_bytes

SECRETS = (
    "ASTRA_S3_ACCESS_KEY",
    "ASTRA_S3_SECRET_KEY",
    "ASTRA_RUNPOD_API_KEY",
    "ASTRA_DEEPGRAM_API_KEY",
    "ASTRA_PRIVACY_KEY",
    "ASTRA_TOKENS",
    "ASTRA_VLLM_API_KEY",
)
_FREE = ("ASTRA_SETTINGS", "ASTRA_TEST_", "ASTRA_JOB_", "ASTRA_TRAINER_PYTHON")


@dataclass(frozen=True)
class DataSettings:
    dir: str


@dataclass(frozen=True)
class S3Settings:
    endpoint: str
    region: str
    bucket: str
    presign_seconds: int


@dataclass(frozen=True)
class RedisSettings:
    url: str


@dataclass(frozen=True)
class RunpodSettings:
    base_url: str
    endpoint_id: str
    execution_timeout_s: int
    ttl_s: int
    usd_per_hour: float
    max_usd: float
    poll_s: float
    webhook_base: str


@dataclass(frozen=True)
class ModelSettings:
    base: str
    revision: str
    max_length: int


@dataclass(frozen=True)
class TrainSettings:
    seed: int
    rank: int
    alpha: int
    learning_rate: float
    epochs: float
    batch_size: int
    gradient_accumulation: int
    warmup_steps: int
    last_layers: int
    max_minutes: float
    backend: str


class Semantic(StrEnum):
    """Over which transcripts the aligner asks its sentence encoder."""

    NEVER = "never"
    SEGMENTS = "segments"  # those without word times
    ALWAYS = "always"


@dataclass(frozen=True)
class AlignSettings:
    max_lookahead: float
    word_count_threshold: int
    length_penalty_factor: float
    block_min_s: float
    block_max_s: float
    max_gap_s: float
    semantic: Semantic
    min_confidence: float


@dataclass(frozen=True)
class DatasetSettings:
    validation_share: float
    split_seed: int


@dataclass(frozen=True)
class JudgeSettings:
    error_margin: float
    confidence_level: float
    min_sessions: int
    min_xml_valid: float
    max_new_tokens: int
    batch_size: int
    max_items: int


@dataclass(frozen=True)
class DemoSettings:
    minutes: float


@dataclass(frozen=True)
class ServeSettings:
    host: str
    port: int
    max_batch: int
    batch_wait_ms: int
    max_new_tokens: int
    vllm_url: str


@dataclass(frozen=True)
class TranscribeSettings:
    backend: str
    model: str
    language: str
    chunk_s: int
    deepgram_model: str
    deepgram_url: str


@dataclass(frozen=True)
class MineSettings:
    workers: int
    dask: str


@dataclass(frozen=True)
class PrivacySettings:
    min_anonymity: int


@dataclass(frozen=True)
class Settings:
    data: DataSettings
    s3: S3Settings
    redis: RedisSettings
    runpod: RunpodSettings
    model: ModelSettings
    train: TrainSettings
    align: AlignSettings
    dataset: DatasetSettings
    judge: JudgeSettings
    demo: DemoSettings
    serve: ServeSettings
    transcribe: TranscribeSettings
    mine: MineSettings
    privacy: PrivacySettings

    @property
    def data_dir(self) -> Path:
        """The data folder, absolute; relative ones stand beside settings.ini's folder."""
        path = Path(self.data.dir).expanduser()
        return path if path.is_absolute() else settings_path().parent / path


def settings_path(environ: Mapping[str, str] = os.environ) -> Path:
    """ASTRA_SETTINGS, or the nearest settings.ini above the working folder, or the checkout's own."""
    if named := environ.get("ASTRA_SETTINGS"):
        if not Path(named).is_file():
            raise MissingError("ASTRA_SETTINGS names no file", where=named)
        return Path(named).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        candidate = folder / "settings.ini"
        if candidate.is_file() and candidate.read_bytes().startswith(b"# ASTRA"):
            return candidate
    raise MissingError(
        "settings.ini not found", where=str(here), remedy="Run inside the checkout or set ASTRA_SETTINGS"
    )


def cast(text: str, kind: type, where: str) -> Any:
    """Text to `int`, `float`, `bool`, `str` or a choice; `SettingsError` says what was expected."""
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                text.lower()
            ]
        value = kind(text)
    except (ValueError, KeyError):
        expected = ", ".join(kind) if issubclass(kind, StrEnum) else kind.__name__
        raise SettingsError(f"expected {expected}, found {text!r}", where=where) from None
    if kind is float and not math.isfinite(
        value
    ):  # every comparison with NaN is false: a limit would be none
        raise SettingsError(f"expected a finite number, found {text!r}", where=where)
    return value


def load(environ: Mapping[str, str] = os.environ, path: Path | None = None) -> Settings:
    """Read settings.ini and the environment into typed sections."""
    path = path or settings_path(environ)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_bytes(path).decode("utf-8"))
    except UnicodeDecodeError:
        raise SettingsError("not UTF-8 text", where=str(path)) from None
    except configparser.Error as error:
        raise SettingsError(
            " ".join(str(error).replace("'<string>'", "the file").split()), where=str(path)
        ) from None
    sections = get_type_hints(Settings)
    if unknown := [s for s in parser.sections() if s not in sections]:
        raise SettingsError(
            f"unknown section [{unknown[0]}]", where=str(path), remedy=f"Known: {', '.join(sections)}"
        )
    known_env: set[str] = set(SECRETS)
    built = {}
    for name, cls in sections.items():
        types = get_type_hints(cls)
        given = dict(parser[name]) if parser.has_section(name) else {}
        if extra := [k for k in given if k not in types]:
            raise SettingsError(
                f"unknown key {extra[0]!r} in [{name}]", where=str(path), remedy=f"Known: {', '.join(types)}"
            )
        values = {}
        for f in fields(cls):
            variable = f"ASTRA_{name}_{f.name}".upper()
            known_env.add(variable)
            if variable in environ:
                values[f.name] = cast(environ[variable], types[f.name], variable)
            elif f.name in given:
                values[f.name] = cast(given[f.name], types[f.name], f"{path} [{name}] {f.name}")
            else:
                raise SettingsError(f"missing key {f.name!r} in [{name}]", where=str(path))
        built[name] = cls(**values)
    for variable in environ:
        if variable.startswith("ASTRA_") and variable not in known_env and not variable.startswith(_FREE):
            raise SettingsError(
                "unknown setting", where=variable, remedy="See docs/operations.md for every name"
            )
    return Settings(**built)
