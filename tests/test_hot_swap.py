"""The promise of the hot swap: every request is answered whole by one adapter, whatever happens around it."""

from __future__ import annotations

import json
import random
import threading
import zipfile
from pathlib import Path

import pytest

from app_gradio import lora
from app_gradio.engine import Batcher, Engine
from astra_lib.core.errors import AstraError, GateError, InputError, MissingError

from . import tiny

PROMPTS = [
    [{"role": "system", "content": "acta"}, {"role": "user", "content": text}]
    for text in (
        "Intervención: la luz del barrio",
        "Intervención: el presupuesto de la biblioteca y sus libros, señor presidente",
        "Orden del día",
    )
]


@pytest.fixture(scope="module")
def world(tokenizer, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("tiny")
    base = tiny.build_base(folder / "base", tokenizer)
    engine = Engine.load(base)
    zips = {}
    for i in range(4):
        layers = [1] if i == 2 else None
        zips[f"t{i}"] = tiny.build_adapter(base, folder / f"a{i}", f"t{i}", seed=i, last_layers=layers)
    return base, engine, {t: engine.load_adapter(z) for t, z in zips.items()}, zips


def texts(engine: Engine, prompts, adapters, n=12):
    return [g.text for g in engine.generate(prompts, adapters, n, grammar=False)]


def test_greedy_tokens_equal_pefts(world):
    """Our hooks compute what PEFT computes."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base, _, _, zips = world
    # float32, because in bfloat16 the two round at other places and may decide a tie of two tokens otherwise
    engine = Engine.load(base, dtype="float32")
    bundles = {tenant: engine.load_adapter(z) for tenant, z in zips.items()}
    for tenant in ("t0", "t2"):
        peft = PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), zips[tenant].with_suffix("")
        ).eval()
        for prompt in PROMPTS:
            ids = engine.tokenizer.apply_chat_template(
                prompt, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            with torch.inference_mode():
                out = peft.generate(
                    **ids, max_new_tokens=12, do_sample=False, pad_token_id=engine.tokenizer.pad_token_id
                )
            answer = out[0, ids["input_ids"].shape[1] :]
            want = engine.tokenizer.decode(answer, skip_special_tokens=True).strip()
            assert texts(engine, [prompt], [bundles[tenant]]) == [want]


def test_a_mixed_batch_equals_one_by_one(world):
    _, engine, bundles, _ = world
    adapters = [None, bundles["t0"], bundles["t1"], bundles["t2"], bundles["t0"], None]
    prompts = [PROMPTS[i % 3] for i in range(6)]
    alone = [texts(engine, [p], [a])[0] for p, a in zip(prompts, adapters, strict=True)]
    assert texts(engine, prompts, adapters) == alone
    assert len({alone[0], alone[1]}) == 2, "adapters must change the answer, or this test sees nothing"


def test_swaps_under_load_never_mix(world):
    """Many threads ask while pointers move: each answer is that of the pointer it took."""
    _, engine, bundles, _ = world
    expected = {
        (name, i): texts(engine, [prompt], [bundle], 6)[0]
        for name, bundle in bundles.items()
        for i, prompt in enumerate(PROMPTS)
    }
    batcher = Batcher(FreeText(engine), max_batch=6, wait_ms=2)
    pointer = {"name": "t0"}
    stop, wrong, done = threading.Event(), [], []

    def swapper():
        rng = random.Random(5)
        while not stop.is_set():
            pointer["name"] = rng.choice(sorted(bundles))
            stop.wait(0.001)

    def client(seed: int):
        rng = random.Random(seed)
        for _ in range(12):
            i, name = rng.randrange(3), pointer["name"]
            made = batcher.submit(PROMPTS[i], bundles[name], 6).result(timeout=120)
            done.append(name)
            if made.text != expected[name, i]:
                wrong.append((name, i, made.text))

    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(6)]
    mover = threading.Thread(target=swapper)
    mover.start()
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    stop.set()
    mover.join()
    batcher.close()
    assert len(done) == 72 and not wrong


class FreeText:
    """The engine without the grammar, which would hide which adapter wrote an answer."""

    def __init__(self, engine):
        self._engine = engine

    def generate(self, prompts, adapters, n):
        return self._engine.generate(prompts, adapters, n, grammar=False)


def test_an_error_inside_a_batch_leaves_no_adapter_behind(world):
    _, engine, bundles, _ = world
    clean = texts(engine, [PROMPTS[0]], [None])
    with pytest.raises(Exception):  # noqa: B017 - any failure inside generate
        engine.generate([PROMPTS[0]], [bundles["t0"]], -5)
    assert lora.active_plan.get() is None
    assert texts(engine, [PROMPTS[0]], [None]) == clean


def test_a_closed_batcher_finishes_what_it_took(world):
    _, engine, bundles, _ = world
    batcher = Batcher(FreeText(engine), max_batch=4, wait_ms=1)
    futures = [batcher.submit(PROMPTS[i % 3], bundles["t1"], 4) for i in range(9)]
    batcher.close()
    assert all(f.result(timeout=1).text is not None for f in futures)
    with pytest.raises(AstraError):
        batcher.submit(PROMPTS[0], None, 4)


def repack(source: Path, target: Path, change) -> Path:
    with zipfile.ZipFile(source) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    change(files)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target


def tensors_changed(change):
    def apply(files):
        from safetensors.torch import load, save

        tensors = load(files["adapter_model.safetensors"])
        change(tensors)
        files["adapter_model.safetensors"] = save(tensors)

    return apply


def config_changed(**values):
    def apply(files):
        files["adapter_config.json"] = json.dumps(json.loads(files["adapter_config.json"]) | values).encode()

    return apply


def card_changed(**values):
    def apply(files):
        files["adapter.json"] = json.dumps(json.loads(files["adapter.json"]) | values).encode()

    return apply


def first_key(tensors):
    return sorted(tensors)[0]


def drop_half(tensors):
    for key in sorted(tensors)[: len(tensors) // 2]:
        del tensors[key]


def drop_a_layer(tensors):
    for key in list(tensors):
        if "layers.1.mlp.up_proj" in key:
            del tensors[key]


def rename_a_key(tensors):
    key = first_key(tensors)
    tensors["x." + key] = tensors.pop(key)


BROKEN = {
    "half the tensors": tensors_changed(drop_half),
    "one layer short": tensors_changed(drop_a_layer),
    "a renamed key": tensors_changed(rename_a_key),
    "NaN": tensors_changed(lambda tensors: tensors[first_key(tensors)].view(-1)[:1].fill_(float("nan"))),
    "another rank": config_changed(r=8),
    "DoRA": config_changed(use_dora=True),
    "rsLoRA": config_changed(use_rslora=True),
    "alpha pattern": config_changed(alpha_pattern={"q_proj": 3}),
    "rank pattern": config_changed(rank_pattern={"q_proj": 3}),
    "modules to save": config_changed(modules_to_save=["lm_head"]),
    "bias": config_changed(bias="all"),
    "not a LoRA": config_changed(peft_type="IA3"),
    "another base": card_changed(base_digest="f" * 64),
    "a card with unknown fields": card_changed(note="x"),
    "a pickle beside it": lambda files: files.__setitem__("adapter_model.bin", b"\x80\x04."),
    "a path out of the folder": lambda files: files.__setitem__("../evil", b"x"),
    "no card": lambda files: files.pop("adapter.json"),
    "cut tensors": lambda files: files.__setitem__(
        "adapter_model.safetensors", files["adapter_model.safetensors"][:-100]
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_adapter_is_refused(world, tmp_path, what):
    _, engine, _, zips = world
    with pytest.raises((GateError, InputError)):
        engine.load_adapter(repack(zips["t0"], tmp_path / "bad.zip", BROKEN[what]))


def test_a_truncated_zip_is_refused(world, tmp_path):
    _, engine, _, zips = world
    data = zips["t0"].read_bytes()
    for size in (0, 10, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.zip").write_bytes(data[:size])
        with pytest.raises(InputError):
            engine.load_adapter(tmp_path / "cut.zip")
    with pytest.raises(MissingError):
        engine.load_adapter(tmp_path / "none.zip")
