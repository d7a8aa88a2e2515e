"""LoRA adapters as immutable bundles outside the module tree, applied by permanent forward hooks.

PEFT changes the model when an adapter is set, so two requests with two adapters disturb each other. Here the
model never changes: every Linear carries one hook that reads, from a context variable, which bundle each
row of the batch wants. Admission copies a pointer, a swap is an assignment, unloading is the last reference
going away. Plain LoRA only; everything else is refused by name.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astra_lib.core.errors import GateError, InputError
from astra_lib.core.records import AdapterCard, from_dict, read_bytes, sha256_bytes

MAX_UNPACKED = 2 << 30
FILES = ("adapter_model.safetensors", "adapter_config.json", "adapter.json")
PREFIX = "base_model.model."
# PEFT options under which a layer computes something other than x A' B' scale
NOT_PLAIN = (
    "use_dora",
    "use_rslora",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
    "fan_in_fan_out",
    "lora_bias",
    "megatron_config",
    "trainable_token_indices",
    "target_parameters",
    "use_qalora",
)


@dataclass(frozen=True, eq=False)
class Bundle:
    """`layers`: module name -> (A [rank, in], B [out, rank], scale); never changed after it was made."""

    id: str
    tenant: str
    sha256: str
    base_digest: str
    card: AdapterCard
    layers: dict[str, tuple[Any, Any, float]]


Plan = list[tuple[Any, Bundle]]  # (row indices as a LongTensor, bundle)
active_plan: ContextVar[Plan | None] = ContextVar("active_plan", default=None)


def install(model: Any) -> None:
    """Give every Linear of `model` its permanent hook; once."""
    import torch

    if getattr(model, "_astra_hooked", False):
        return
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(_hook(name))
    model._astra_hooked = True


def _hook(name: str):
    def add_delta(module, inputs, output):
        plan = active_plan.get()
        if plan is None:
            return None
        for rows, bundle in plan:
            layer = bundle.layers.get(name)
            if layer is not None:
                a, b, scale = layer
                x = inputs[0].index_select(0, rows).to(a.dtype)
                output.index_add_(0, rows, ((x @ a.T) @ b.T).to(output.dtype), alpha=scale)
        return output

    return add_delta


@contextlib.contextmanager
def applied(bundles: Sequence[Bundle | None], device: Any = "cpu") -> Iterator[None]:
    """Within the block, row i of every batch runs with `bundles[i]` (None: the bare base)."""
    import torch

    groups: dict[int, tuple[list[int], Bundle]] = {}
    for row, bundle in enumerate(bundles):
        if bundle is not None:
            rows, _ = groups.setdefault(id(bundle), ([], bundle))
            rows.append(row)
    plan = [(torch.tensor(rows, device=device), bundle) for rows, bundle in groups.values()]
    token = active_plan.set(plan)
    try:
        yield
    finally:
        active_plan.reset(token)


def read_archive(source: Path | str) -> tuple[dict[str, bytes], str]:
    """The three files of an adapter zip and its sha256; `InputError` for odd members, bombs, broken zips."""
    data = read_bytes(source)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = {i.filename: i for i in archive.infolist()}
            if extra := sorted(set(infos) - set(FILES)):
                raise InputError(
                    f"unexpected member {extra[0]!r}",
                    where=str(source),
                    remedy=f"Only {', '.join(FILES)} belong in an adapter",
                )
            if missing := [f for f in FILES if f not in infos]:
                raise InputError(f"member {missing[0]!r} is missing", where=str(source))
            if sum(i.file_size for i in infos.values()) > MAX_UNPACKED:
                raise InputError("the adapter is larger than 2 GiB unpacked", where=str(source))
            return {name: archive.read(name) for name in FILES}, sha256_bytes(data)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError) as error:
        raise InputError(
            f"not a readable zip: {error}", where=str(source), remedy="Download it again"
        ) from None


def load(
    source: Path | str, model: Any, base_digest: str, *, dtype: Any = None, device: Any = "cpu"
) -> Bundle:
    """An adapter zip as a `Bundle` for `model`; `dtype` None: that of the layer it belongs to.

    Refuses (`GateError`) another base, other kinds of LoRA, missing, surplus or misshapen tensors and NaN.
    """
    import torch

    where = str(source)
    files, sha = read_archive(source)
    config, card, tensors = _parse(files, where)
    refuse_config(config, where)
    if card.base_digest != base_digest:
        raise GateError(
            f"trained on another base ({card.base_digest[:12]}, here {base_digest[:12]})",
            where=where,
            remedy="Train it again on the base in service",
        )
    rank = int(config["r"])
    scale = float(config["lora_alpha"]) / rank
    linears = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    layers: dict[str, tuple[Any, Any, float]] = {}
    names = {key.removeprefix(PREFIX).rsplit(".lora_", 1)[0] for key in tensors}
    for name in sorted(names):
        a = tensors.pop(f"{PREFIX}{name}.lora_A.weight", None)
        b = tensors.pop(f"{PREFIX}{name}.lora_B.weight", None)
        if a is None or b is None or name not in linears:
            raise GateError(f"layer {name!r} is incomplete or not in this model", where=where)
        check_layer(name, a, b, rank, linears[name], where)
        kept_as = dtype or linears[name].weight.dtype
        layers[name] = (a.to(device, kept_as), b.to(device, kept_as), scale)
    if tensors:
        raise GateError(f"surplus tensor {sorted(tensors)[0]!r}", where=where)
    check_coverage(config, names, linears, where)
    return Bundle(card.id, card.tenant, sha, card.base_digest, card, layers)


def _parse(files: dict[str, bytes], where: str) -> tuple[dict[str, Any], AdapterCard, dict[str, Any]]:
    """Configuration, card and tensors; `InputError` when one of them cannot be read."""
    from safetensors.torch import load as load_tensors

    try:
        config = json.loads(files["adapter_config.json"])
        card = from_dict(AdapterCard, json.loads(files["adapter.json"]), where=where)
        tensors = load_tensors(files["adapter_model.safetensors"])
    except (ValueError, OSError) as error:
        raise InputError(f"unreadable adapter: {error}", where=where) from None
    except Exception as error:  # safetensors raises its own class, which is not importable everywhere
        raise InputError(f"unreadable tensors: {error}", where=where) from None
    return config, card, tensors


def check_layer(name: str, a: Any, b: Any, rank: int, linear: Any, where: str) -> None:
    """A is [rank, in], B is [out, rank], both finite."""
    import torch

    if tuple(a.shape) != (rank, linear.in_features) or tuple(b.shape) != (linear.out_features, rank):
        raise GateError(f"layer {name!r} has shapes {tuple(a.shape)} and {tuple(b.shape)}", where=where)
    if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        raise GateError(f"layer {name!r} holds NaN or infinity", where=where)


def refuse_config(config: dict[str, Any], where: str) -> None:
    """`GateError` for anything but plain LoRA: the hooks would compute it wrongly."""
    if config.get("peft_type") != "LORA" or int(config.get("r") or 0) < 1:
        raise GateError(
            f"not a LoRA adapter: {config.get('peft_type')!r}, rank {config.get('r')!r}", where=where
        )
    odd = [option for option in NOT_PLAIN if config.get(option)]
    if odd or config.get("bias", "none") != "none":
        raise GateError(
            f"unsupported adapter option {odd[0] if odd else 'bias'!r}",
            where=where,
            remedy="Train plain LoRA",
        )


def check_coverage(config: dict[str, Any], names: set[str], linears: dict[str, Any], where: str) -> None:
    """The tensors must be exactly those that the configuration promises; half an adapter is refused."""
    targets, wanted_layers = config.get("target_modules"), config.get("layers_to_transform")
    if not isinstance(targets, list):
        raise GateError("target_modules must be a list of names", where=where)
    if isinstance(wanted_layers, int):
        wanted_layers = [wanted_layers]
    expected = set()
    for name in linears:
        parts = name.split(".")
        layer = next((int(p) for p in parts if p.isdigit()), None)
        if parts[-1] in targets and (wanted_layers is None or layer in wanted_layers):
            expected.add(name)
    if names != expected:
        odd = sorted(names ^ expected)[0]
        raise GateError(
            f"{len(expected)} layers promised, {len(names)} found; first difference {odd!r}", where=where
        )
