"""The embedded base model: whole or absent, the right tokens, one digest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from astra_lib.core import base_model
from astra_lib.core.errors import InputError, MissingError
from astra_lib.core.records import write_json
from tests.conftest import settings_at
from tests.waiting import wait_for


def test_the_tokenizer_reads_back_what_it_reads_and_ends_where_it_should(tokenizer: Any) -> None:
    for text in (
        "Sesión 25 del 3 de mayo: $10.000.000",
        "¿Señor presidente? ¡Ñandú!",
        "<w:p><w:r><w:t>año</w:t></w:r></w:p>",
        " a\n\tb  ",
    ):
        assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.convert_ids_to_tokens(tokenizer("1984").input_ids) == ["1", "9", "8", "4"]
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    text = tokenizer.apply_chat_template(
        [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert text == "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer(text).input_ids.count(tokenizer.eos_token_id) == 2


@pytest.mark.slow
def test_a_killed_build_leaves_nothing_that_counts(tmp_path: Path) -> None:
    settings = settings_at(tmp_path / "data")
    models = settings.data_dir / "models"
    environment = {**os.environ, "ASTRA_DATA_DIR": str(settings.data_dir)}
    command = [sys.executable, "-m", "astra_lib.core.base_model"]
    building = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    part = wait_for(lambda: next(models.glob(".*.part"), None), "the build")
    building.send_signal(signal.SIGKILL)
    building.wait()
    assert part.exists() and not (models / base_model.EMBEDDED_NAME).exists()
    assert not base_model.is_intact(part)


def test_a_folder_whose_files_were_cut_is_not_intact(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"0123456789")
    table = base_model.file_table(tmp_path)
    write_json(tmp_path / base_model.DIGEST_FILE, {"digest": "d", "files": table})
    assert base_model.is_intact(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"01234")
    assert not base_model.is_intact(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    assert not base_model.is_intact(tmp_path)
    assert not base_model.is_intact(tmp_path / "nowhere")


def test_a_digest_follows_the_files_that_matter(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = base_model.base_digest(tmp_path)
    (tmp_path / "README.md").write_text("x")
    assert base_model.base_digest(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(b"weightz")
    assert base_model.base_digest(tmp_path) != before
    assert base_model.base_digest("owner/name", "abc") == "owner/name@abc"


def test_a_base_is_a_folder_a_hub_name_or_an_error(tmp_path: Path) -> None:
    assert base_model.ensure_base(settings_at(tmp_path, MODEL_BASE=str(tmp_path))) == tmp_path.resolve()
    assert (
        base_model.ensure_base(settings_at(tmp_path, MODEL_BASE="unsloth/llama-3-8b-Instruct-bnb-4bit"))
        == "unsloth/llama-3-8b-Instruct-bnb-4bit"
    )
    for wrong in ("./nowhere", "/nowhere/at/all", "nowhere"):
        with pytest.raises(MissingError, match="neither a folder nor a hub name"):
            base_model.ensure_base(settings_at(tmp_path, MODEL_BASE=wrong))
    with pytest.raises(InputError, match="no safetensors"):
        base_model.base_digest(tmp_path)
