"""Promote what the Judge let through: the registry's compare-and-set, nothing else."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from astra_lib.core.errors import GateError
from astra_lib.core.manifest import run_folder
from astra_lib.core.records import AdapterCard, read_json, sha256_bytes, sha256_file, to_dict, write_json
from astra_lib.core.registry import AdapterRef, Registry
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store

from . import runner


def bootstrap(tenant: str, engine: Any, settings: Settings) -> Any:
    """Put a council's first adapter into service: the identity, which changes nothing.

    A council without an adapter is refused, never answered by the base by accident. This is the deliberate
    act that says: until the first training is judged, this council is served by the base as it is. Does
    nothing when an adapter is in service.
    """
    registry = Registry.open(settings)
    registry.register_tenant(tenant)
    if current := registry.current(tenant):
        return current
    archive = identity_adapter(tenant, engine, settings.data_dir / "adapters")
    sha, card = sha256_file(archive), sha256_bytes(zipfile.ZipFile(archive).read("adapter.json"))
    adapter = AdapterRef(f"{tenant}@identity", tenant, f"adapters/{tenant}/{sha}.zip", sha, card)
    Store.open(settings).put_file(adapter.key, archive)
    verdict = {
        "verdict": "PROMOTED",
        "reasons": ["identity: the base model as it is, put in by the operator"],
        "candidate_sha256": sha,
    }
    return registry.promote(tenant, adapter, 0, verdict=verdict, by="bootstrap")


def identity_adapter(tenant: str, engine: Any, folder: Path) -> Path:
    """A LoRA of rank 1 whose B is zero on one layer: valid, and without effect."""
    import torch
    from safetensors.torch import save_file

    from trainer.packing import pack_adapter

    name, linear = next(
        (n, m) for n, m in engine.model.named_modules() if n.endswith("layers.0.self_attn.q_proj")
    )
    card = AdapterCard(
        f"{tenant}@identity", tenant, engine.name, engine.base_digest, "", 0, 1, 1, ["q_proj"], "", {}, {}, ""
    )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        tensors = {
            f"base_model.model.{name}.lora_A.weight": torch.zeros(1, linear.in_features),
            f"base_model.model.{name}.lora_B.weight": torch.zeros(linear.out_features, 1),
        }
        save_file(tensors, Path(work) / "adapter_model.safetensors")
        write_json(
            Path(work) / "adapter_config.json",
            {
                "peft_type": "LORA",
                "r": 1,
                "lora_alpha": 1,
                "target_modules": ["q_proj"],
                "layers_to_transform": [0],
                "bias": "none",
            },
        )
        write_json(Path(work) / "adapter.json", to_dict(card))
        packed = pack_adapter(Path(work), Path(work) / "adapter.zip")
        target = folder / f"{sha256_file(packed)}.zip"
        packed.replace(target)
    return target


def declare(parameters: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], dict[str, Path]]:
    """What a promotion depends on: the verdict, and the generation it would replace."""
    judge_run = parameters["judge_run"] or runner.newest("judge", parameters["tenant"], settings)
    return (
        {**parameters, "judge_run": judge_run},
        {"verdict.json": run_folder("judge", judge_run, settings) / "verdict.json"},
    )


def history(tenant: str, settings: Settings) -> list[dict[str, Any]]:
    return [
        {"generation": p.generation, "adapter": p.adapter.id, "time": p.time, "by": p.by}
        for p in Registry.open(settings).history(tenant)
    ]


def promote_run(tenant: str, judge_run: str, settings: Settings, by: str = "astra promote") -> Any:
    """Put the candidate of a finished judge run into service; `GateError` unless the verdict is PROMOTED."""
    folder = run_folder("judge", judge_run, settings)
    manifest = read_json(folder / "manifest.json")
    if manifest["parameters"].get("tenant") != tenant:
        raise GateError(
            f"judged for tenant {manifest['parameters'].get('tenant')!r}, not {tenant!r}", where=judge_run
        )
    adapter = AdapterRef(**manifest["metrics"]["adapter"])
    registry = Registry.open(settings)
    registry.register_tenant(tenant)
    current = registry.current(tenant)
    if current and current.adapter.sha256 == adapter.sha256:
        return current
    sealed = next(o["sha256"] for o in manifest["outputs"] if o["name"] == "verdict.json")
    return registry.promote(
        tenant,
        adapter,
        expected_generation=current.generation if current else 0,
        verdict=folder / "verdict.json",
        verdict_sha256=sealed,
        verdict_run=judge_run,
        by=by,
    )
