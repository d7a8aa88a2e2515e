"""What the trainer's tests share: a tiny random Llama with the real tokenizer, rows, settings, processes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from astra_lib.core import base_model
from astra_lib.core.records import sha256_file, write_json, write_jsonl
from astra_lib.core.settings import Settings

TENANT = "puerto-manantial"
TOPICS = (
    "el acueducto de la vereda",
    "la vía al puerto",
    "el presupuesto de cultura",
    "el comedor escolar",
)


def tiny_base(folder: Path) -> Path:
    """Two layers of random weights that read SmolLM2's tokens: trains in milliseconds, answers nonsense."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True)
    base_model.write_tokenizer(base_model.gguf_file(), folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        max_position_embeddings=512,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def rows(session: str, count: int, tenant: str = TENANT) -> list[dict[str, Any]]:
    return [row(session, number, tenant) for number in range(count)]


def row(session: str, number: int, tenant: str) -> dict[str, Any]:
    topic = TOPICS[number % len(TOPICS)]
    speech = f"Gracias presidente, yo quiero hablar de {topic}, intervención {number}."
    written = f"<w:p><w:r><w:t>Se refirió a {topic}.</w:t></w:r></w:p>"
    return {
        "prompt": [
            {"role": "system", "content": "Escriba el acta del Concejo de Puerto Manantial."},
            {"role": "user", "content": speech},
        ],
        "completion": [{"role": "assistant", "content": written}],
        "id": f"{session}-{number}",
        "session_id": session,
        "tenant": tenant,
        "start_ms": number * 1000,
        "end_ms": number * 1000 + 900,
        "confidence": 0.9,
    }


def dataset(folder: Path, train: int = 8, val: int = 4, **changes: Any) -> Path:
    """A folder as a finished dataset run leaves it."""
    write_jsonl(folder / "train.jsonl", changes.get("train_rows", rows("s1", train)))
    write_jsonl(folder / "val.jsonl", changes.get("val_rows", rows("s2", val)))
    vouch(folder)
    return folder


def vouch(folder: Path) -> None:
    outputs = [
        {"name": n, "sha256": sha256_file(folder / n), "bytes": (folder / n).stat().st_size}
        for n in ("train.jsonl", "val.jsonl")
    ]
    write_json(folder / "manifest.json", {"job": "dataset", "outputs": outputs})


def trainer_settings(settings: Settings, base: Path, data: Path, **train: Any) -> Settings:
    """The session's S3 and Redis with a control plane of its own under `data` and the tiny base."""
    from astra_lib.core import services

    where = services.endpoints(settings)
    os.environ["ASTRA_S3_ACCESS_KEY"] = where.s3_access_key
    os.environ["ASTRA_S3_SECRET_KEY"] = where.s3_secret_key
    small = {"last_layers": 0, "rank": 4, "alpha": 8, "epochs": 1.0, "max_minutes": 10.0}
    return replace(
        settings,
        data=replace(settings.data, dir=str(data)),
        s3=replace(settings.s3, endpoint=where.s3_endpoint),
        redis=replace(settings.redis, url=where.redis_url),
        model=replace(settings.model, base=str(base), max_length=256),
        train=replace(settings.train, **{**small, **train}),
        runpod=replace(settings.runpod, poll_s=0.2, execution_timeout_s=900),
    )


def processes(marker: str) -> list[int]:
    """Ids of living processes whose command line or environment names `marker`."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            text = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
            state = (path / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if marker.encode() in text and state != "Z" and int(path.name) != os.getpid():
            found.append(int(path.name))
    return found
