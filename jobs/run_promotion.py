"""Promote what the Judge let through: the registry's compare-and-set, nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from astra_lib.core.errors import GateError
from astra_lib.core.records import read_json
from astra_lib.core.registry import AdapterRef, Registry
from astra_lib.core.settings import Settings

from . import runner


def declare(parameters: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], dict[str, Path]]:
    """What a promotion depends on: the verdict, and the generation it would replace."""
    judge_run = parameters["judge_run"] or runner.newest("judge", parameters["tenant"], settings)
    return ({**parameters, "judge_run": judge_run}, {"verdict.json": settings.data_dir / "runs" / "judge" / judge_run / "verdict.json"})


def history(tenant: str, settings: Settings) -> list[dict[str, Any]]:
    return [{"generation": p.generation, "adapter": p.adapter.id, "time": p.time, "by": p.by} for p in Registry.open(settings).history(tenant)]


def promote_run(tenant: str, judge_run: str, settings: Settings, by: str = "astra promote") -> Any:
    """Put the candidate of a finished judge run into service; `GateError` unless its verdict says PROMOTED."""
    folder = settings.data_dir / "runs" / "judge" / judge_run
    manifest = read_json(folder / "manifest.json")
    verdict = read_json(folder / "verdict.json")
    if manifest["parameters"].get("tenant") != tenant:
        raise GateError(f"judged for tenant {manifest['parameters'].get('tenant')!r}, not {tenant!r}", where=judge_run)
    adapter = AdapterRef(**manifest["metrics"]["adapter"])
    registry = Registry.open(settings)
    registry.register_tenant(tenant)
    current = registry.current(tenant)
    if current and current.adapter.sha256 == adapter.sha256:
        return current
    return registry.promote(tenant, adapter, expected_generation=current.generation if current else 0, verdict=verdict,
                            verdict_run=judge_run, by=by)
