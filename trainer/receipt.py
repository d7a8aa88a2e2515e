"""What a finished job's receipt must prove before its adapter is used."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astra_lib.core.errors import GateError, InputError
from astra_lib.core.records import AdapterCard, from_dict, sha256_file

from .contract import LORA_TARGETS
from .packing import non_finite_tensors, open_adapter, tensor_table

_LORA_NAME = re.compile(r"base_model\.model\.(.+\.layers\.\d+\..+?)\.lora_([AB])(?:\.default)?\.weight")
# what the engine's bundles cannot represent, with the value that means "not used"
_PLAIN = {
    "use_dora": False,
    "use_rslora": False,
    "bias": "none",
    "modules_to_save": None,
    "rank_pattern": {},
    "alpha_pattern": {},
}


@dataclass(frozen=True)
class Expected:
    """What was asked for; the receipt, the card and the tensors are compared with it."""

    job_id: str
    tenant: str
    base_model: str
    base_digest: str
    dataset_sha256: str
    seed: int
    rank: int
    alpha: int


def verify_receipt(receipt: Any, archive: Path, expected: Expected) -> AdapterCard:
    """The adapter's card when receipt, zip, card, config and tensors agree; `GateError` says which do not."""
    if not isinstance(receipt, dict):
        raise GateError("is not a JSON object", where="result.json")
    _same(receipt.get("job_id"), expected.job_id, "result.json: job_id")
    if receipt.get("status") not in ("ok", "stopped"):
        raise GateError(f"the training {receipt.get('status')}: {receipt.get('error')}", where="result.json")
    _same(archive.stat().st_size, receipt.get("adapter_bytes"), "adapter.zip: size")
    _same(sha256_file(archive), receipt.get("adapter_sha256"), "adapter.zip: sha256")
    files = open_adapter(archive)
    card_json = _json(files["adapter.json"], "adapter.json")
    config = _json(files["adapter_config.json"], "adapter_config.json")
    _same(card_json, receipt.get("card"), "adapter.json: card")
    try:
        card = from_dict(AdapterCard, card_json, where="adapter.json")
    except InputError as error:
        raise GateError(error.what, where="adapter.json") from None
    for name in ("tenant", "base_model", "base_digest", "dataset_sha256", "seed", "rank", "alpha"):
        _same(getattr(card, name), getattr(expected, name), f"adapter.json: {name}")
    _same(card.id, expected.job_id, "adapter.json: id")
    check_config(config, expected)
    check_tensors(files["adapter_model.safetensors"], expected.rank)
    return card


def check_config(config: dict[str, Any], expected: Expected) -> None:
    """Plain LoRA of the rank and alpha asked for, on known projections."""
    _same(config.get("peft_type"), "LORA", "adapter_config.json: peft_type")
    _same(config.get("r"), expected.rank, "adapter_config.json: r")
    _same(config.get("lora_alpha"), expected.alpha, "adapter_config.json: lora_alpha")
    for name, value in _PLAIN.items():
        if config.get(name) not in (value, None):
            raise GateError(
                f"{name} is {config[name]!r}: only plain LoRA is served", where="adapter_config.json"
            )
    if not config.get("target_modules") or not set(config["target_modules"]) <= set(LORA_TARGETS):
        raise GateError(
            f"unexpected target_modules {config.get('target_modules')}", where="adapter_config.json"
        )


def check_tensors(data: bytes, rank: int) -> None:
    """Pairs of A (rank, in) and B (out, rank), all finite, not all zero."""
    where = "adapter_model.safetensors"
    pairs: dict[str, set[str]] = {}
    try:
        table = tensor_table(data)
    except InputError as error:
        raise GateError(error.what, where=where) from None
    for name, entry in table.items():
        match = _LORA_NAME.fullmatch(name)
        if not match:
            raise GateError(f"an unexpected tensor: {name}", where=where)
        pairs.setdefault(match[1], set()).add(match[2])
        shape, rank_axis = entry["shape"], 0 if match[2] == "A" else 1
        if len(shape) != 2 or shape[rank_axis] != rank:
            raise GateError(f"{name} has shape {shape}, rank is {rank}", where=where)
    if lonely := [name for name, halves in pairs.items() if halves != {"A", "B"}]:
        raise GateError(f"{lonely[0]} has only half of its LoRA", where=where)
    if bad := non_finite_tensors(data):
        raise GateError(f"{bad[0]} holds NaN or infinity", where=where)
    if not any(data[8 + int.from_bytes(data[:8], "little") :]):
        raise GateError("every tensor is zero: nothing was learnt", where=where)


def _same(found: Any, wanted: Any, where: str) -> None:
    if found != wanted:
        raise GateError(
            f"{str(found)[:80]!r} where {str(wanted)[:80]!r} was expected",
            where=where,
            remedy="Do not use this adapter; submit the job again",
        )


def _json(data: bytes, where: str) -> Any:
    try:
        value = json.loads(data)
    except ValueError:
        raise GateError("is not JSON", where=where) from None
    if not isinstance(value, dict):
        raise GateError("is not a JSON object", where=where)
    return value
