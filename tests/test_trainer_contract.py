"""What a job may ask for, what a receipt must prove, and what a safetensors file may hold."""

from __future__ import annotations

import json
import struct
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astra_lib.core.errors import GateError, InputError, MissingError
from astra_lib.core.records import sha256_file, write_json
from trainer import packing
from trainer.contract import Hyperparameters, JobInput, Limits, job_payload, parse_job_input
from trainer.receipt import Expected, verify_receipt

SHA = "a" * 64
URL = "http://127.0.0.1:9/astra/key?X-Amz-Signature=topsecret"
EXPECTED = Expected("t-1", "puerto-manantial", "tiny", "digest", SHA, 3407, 4, 8)


def job(**changes: Any) -> dict[str, Any]:
    made = JobInput(
        job_id="t-1",
        tenant="puerto-manantial",
        base_model="tiny",
        base_revision="",
        base_digest="digest",
        train_url=URL,
        val_url=URL,
        train_sha256=SHA,
        val_sha256=SHA,
        dataset_sha256=SHA,
        adapter_put_url=URL,
        result_put_url=URL,
        result_get_url=URL,
        heartbeat_put_url=URL,
    )
    return {**job_payload(made), **changes}


def test_a_job_survives_its_own_json() -> None:
    parsed = parse_job_input(json.loads(json.dumps(job())))
    assert job_payload(parsed) == job()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"shell": "x"}, "shell"),
        ({"job_id": "../../etc"}, "job_id"),
        ({"job_id": "a/b"}, "job_id"),
        ({"tenant": ""}, "tenant"),
        ({"base_model": "/etc/passwd"}, "base_model"),
        ({"base_model": "../x"}, "base_model"),
        ({"base_model": "a/b/c"}, "base_model"),
        ({"train_url": "file:///etc/passwd"}, "train_url"),
        ({"train_url": "http://"}, "train_url"),
        ({"train_sha256": "A" * 64}, "train_sha256"),
        ({"hyperparameters": {"rank": 0}}, "rank"),
        ({"hyperparameters": {"rank": True}}, "rank"),
        ({"hyperparameters": {"rank": "16"}}, "rank"),
        ({"hyperparameters": {"learning_rate": float("nan")}}, "learning_rate"),
        ({"hyperparameters": {"epochs": float("inf")}}, "epochs"),
        ({"hyperparameters": {"trust_remote_code": True}}, "trust_remote_code"),
        ({"hyperparameters": {"backend": "rm"}}, "backend"),
        ({"limits": {"max_usd": -1.0}}, "max_usd"),
        ({"limits": {"max_minutes": 1e9}}, "max_minutes"),
        ({"limits": []}, "limits"),
    ],
)
def test_a_bad_job_is_refused_by_name_and_without_its_urls(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_job_input(job(**changes))
    assert named in str(caught.value)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize("name", list(asdict(parse_job_input(job()))))
def test_a_missing_field_is_refused(name: str) -> None:
    raw = job()
    del raw[name]
    if name in ("hyperparameters", "limits"):
        assert parse_job_input(raw) == parse_job_input(job())
    else:
        with pytest.raises(InputError, match=name):
            parse_job_input(raw)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda c: st.lists(c, max_size=3) | st.dictionaries(st.sampled_from(list(job())), c, max_size=5),
        max_leaves=10,
    )
)
def test_any_other_json_is_refused(raw: Any) -> None:
    with pytest.raises(InputError):
        parse_job_input(raw)


def test_money_and_time_both_limit() -> None:
    assert Limits(max_minutes=10, max_usd=1, usd_per_hour=60).seconds == 60
    assert Limits(max_minutes=1, max_usd=100, usd_per_hour=1).seconds == 60
    assert Limits(max_minutes=1, max_usd=1, usd_per_hour=0).seconds == 60


def safetensors(tensors: dict[str, tuple[str, np.ndarray]]) -> bytes:
    header, body = {}, b""
    for name, (dtype, values) in tensors.items():
        data = values.tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(values.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def lora(rank: int = 4, value: float = 0.5) -> dict[str, tuple[str, np.ndarray]]:
    stem = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
    return {
        f"{stem}A.weight": ("F32", np.full((rank, 6), value, np.float32)),
        f"{stem}B.weight": ("F32", np.full((6, rank), value, np.float32)),
    }


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_non_finite_values_are_found_exactly(values: list[float]) -> None:
    data = safetensors({"x": ("F32", np.array(values, np.float32))})
    assert bool(packing.non_finite_tensors(data)) == (not np.isfinite(np.array(values, np.float32)).all())


@pytest.mark.parametrize(
    ("bits", "bad"),
    [(0x7F80, True), (0xFF80, True), (0x7FC0, True), (0x7F7F, False), (0x0000, False), (0x8001, False)],
)
def test_bfloat16_is_read_bit_by_bit(bits: int, bad: bool) -> None:
    assert bool(packing.non_finite_tensors(safetensors({"x": ("BF16", np.array([bits], np.uint16))}))) == bad


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        packing.tensor_table(data)


def test_an_integer_tensor_is_refused() -> None:
    assert packing.non_finite_tensors(safetensors({"x": ("I64", np.zeros(2, np.int64))})) == ["x"]


CARD = {
    "id": "t-1",
    "tenant": "puerto-manantial",
    "base_model": "tiny",
    "base_digest": "digest",
    "dataset_sha256": SHA,
    "seed": 3407,
    "rank": 4,
    "alpha": 8,
    "target_modules": ["q_proj"],
    "chat_template_digest": SHA,
    "versions": {},
    "metrics": {},
    "created": "2026-01-01",
}
CONFIG = {
    "peft_type": "LORA",
    "r": 4,
    "lora_alpha": 8,
    "target_modules": ["q_proj"],
    "bias": "none",
    "use_dora": False,
}


def make(
    folder: Path, *, card: Any = None, config: Any = None, tensors: bytes | None = None, **receipt: Any
) -> tuple[dict[str, Any], Path]:
    card = CARD if card is None else card
    write_json(folder / "adapter.json", card)
    write_json(folder / "adapter_config.json", CONFIG if config is None else config)
    (folder / "adapter_model.safetensors").write_bytes(safetensors(lora()) if tensors is None else tensors)
    archive = packing.pack_adapter(folder, folder / "adapter.zip")
    return {
        "job_id": "t-1",
        "status": "ok",
        "adapter_sha256": sha256_file(archive),
        "adapter_bytes": archive.stat().st_size,
        "card": card,
        "error": None,
        **receipt,
    }, archive


def test_a_sound_receipt_verifies_and_packing_is_deterministic(tmp_path: Path) -> None:
    receipt, archive = make(tmp_path)
    assert verify_receipt(receipt, archive, EXPECTED).tenant == "puerto-manantial"
    assert verify_receipt({**receipt, "status": "stopped"}, archive, EXPECTED)
    before = archive.read_bytes()
    assert packing.pack_adapter(tmp_path, tmp_path / "again.zip").read_bytes() == before


def nan_lora() -> bytes:
    tensors = lora()
    next(iter(tensors.values()))[1][0, 0] = np.nan
    return safetensors(tensors)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"status": "failed", "error": "out of memory"}, "out of memory"),
        ({"job_id": "other"}, "job_id"),
        ({"adapter_sha256": SHA}, "sha256"),
        ({"adapter_bytes": 1}, "size"),
        ({"card": {**CARD, "seed": 1}}, "seed"),
        ({"card": {**CARD, "tenant": "otra"}}, "tenant"),
        ({"card": {**CARD, "dataset_sha256": "b" * 64}}, "dataset_sha256"),
        ({"card": {**CARD, "base_digest": "x"}}, "base_digest"),
        ({"card": {**CARD, "extra": 1}}, "extra"),
        ({"config": {**CONFIG, "use_dora": True}}, "use_dora"),
        ({"config": {**CONFIG, "r": 8}}, "r"),
        ({"config": {**CONFIG, "modules_to_save": ["lm_head"]}}, "modules_to_save"),
        ({"config": {**CONFIG, "target_modules": ["lm_head"]}}, "target_modules"),
        ({"config": {**CONFIG, "rank_pattern": {"q": 2}}}, "rank_pattern"),
        ({"tensors": nan_lora()}, "NaN"),
        ({"tensors": safetensors(lora(rank=5))}, "shape"),
        ({"tensors": safetensors(lora(value=0.0))}, "zero"),
        ({"tensors": safetensors({"lm_head.weight": ("F32", np.ones((2, 2), np.float32))})}, "unexpected"),
        ({"tensors": safetensors(dict(list(lora().items())[:1]))}, "half"),
        ({"tensors": b"\x80\x04pickle"}, "safetensors"),
    ],
)
def test_what_was_not_asked_for_is_refused(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    receipt, archive = make(tmp_path, **change)
    with pytest.raises(GateError, match=named):
        verify_receipt(receipt, archive, EXPECTED)


@pytest.mark.parametrize("name", ["../evil.py", "/etc/cron.d/x", "model.bin", "adapter.json/x"])
def test_a_strange_member_is_refused(tmp_path: Path, name: str) -> None:
    receipt, archive = make(tmp_path)
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr(name, b"x")
    receipt.update(adapter_sha256=sha256_file(archive), adapter_bytes=archive.stat().st_size)
    with pytest.raises(GateError, match="holds"):
        verify_receipt(receipt, archive, EXPECTED)


def test_a_truncated_or_flipped_archive_is_refused(tmp_path: Path) -> None:
    receipt, archive = make(tmp_path)
    whole = archive.read_bytes()
    for broken in (
        whole[:-10],
        whole[: len(whole) // 2],
        b"",
        whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
    ):
        archive.write_bytes(broken)
        with pytest.raises(GateError):
            verify_receipt(receipt, archive, EXPECTED)
        # also when the receipt agrees with the broken file
        agreed = {**receipt, "adapter_sha256": sha256_file(archive), "adapter_bytes": len(broken)}
        with pytest.raises(GateError):
            verify_receipt(agreed, archive, EXPECTED)


def test_an_incomplete_adapter_is_not_packed(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "adapter.json").unlink()
    with pytest.raises(MissingError, match="adapter.json"):
        packing.pack_adapter(tmp_path, tmp_path / "x.zip")


def test_unknown_hyperparameters_are_named() -> None:
    from astra_lib.core.settings import load
    from trainer.job_request import hyperparameters_of

    assert hyperparameters_of(load(), {"epochs": 3.0}) == replace(hyperparameters_of(load(), {}), epochs=3.0)
    assert isinstance(hyperparameters_of(load(), {}), Hyperparameters)
    with pytest.raises(InputError, match="epoch"):
        hyperparameters_of(load(), {"epoch": 3})
