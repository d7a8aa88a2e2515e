"""Our adapter bundles beside PEFT on the same base and the same adapters, in one run.

    python -m benchmarks.swap.run

Two questions: how long until a new adapter can answer, and what eight councils cost one after another against
one mixed batch. Correctness comes first: the greedy texts of both must be equal, or the run fails.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from app_gradio.engine import Engine, Messages
from astra_lib.core.base_model import ensure_base
from astra_lib.core.settings import load
from tests import tiny

TENANTS, TOKENS, REPEATS = 8, 24, 5
PROMPTS: list[Messages] = [
    [{"role": "user", "content": f"Intervención: el barrio {i} pide luz y agua"}] for i in range(TENANTS)
]


def main() -> int:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(2)
    base = Path(ensure_base(load()))
    engine = Engine.load(base)
    with tempfile.TemporaryDirectory() as folder:
        zips = [
            tiny.build_adapter(base, Path(folder) / f"a{i}", f"t{i}", seed=i, rank=16) for i in range(TENANTS)
        ]
        folders = [str(archive.with_suffix("")) for archive in zips]
        loaded = [timed(partial(engine.load_adapter, archive)) for archive in zips]
        bundles = [bundle for bundle, _ in loaded]
        plain = AutoModelForCausalLM.from_pretrained(base)
        peft = PeftModel.from_pretrained(plain, folders[0], adapter_name="t0").eval()
        peft_loads = [
            timed(partial(peft.load_adapter, folders[i], adapter_name=f"t{i}")) for i in range(1, TENANTS)
        ]
        one_by_one = partial(answers_of_peft, peft, engine.tokenizer)
        mixed = partial(answers_of_ours, engine, bundles)
        expected, found = one_by_one(), mixed()
        if expected != found:
            differing = sum(a != b for a, b in zip(expected, found, strict=True))
            print(f"texts differ in {differing} of {TENANTS}", file=sys.stderr)
            return 1
        peft_s = [timed(one_by_one)[1] for _ in range(REPEATS)]
        ours_s = [timed(mixed)[1] for _ in range(REPEATS)]
    print(f"{'':34}{'ours':>10}{'PEFT':>10}{'ratio':>8}")
    ours_ms, peft_ms = [s * 1e3 for _, s in loaded], [s * 1e3 for _, s in peft_loads]
    print(line("adapter load, median ms", ours_ms, peft_ms))
    print(line(f"{TENANTS} councils, {TOKENS} tokens, median s", ours_s, peft_s))
    print(
        f"greedy texts equal: {TENANTS} of {TENANTS}; load includes reading the zip and every check (ours), "
        "reading the folder (PEFT)"
    )
    return 0


def answers_of_peft(model: Any, tokenizer: Any) -> list[str]:
    """One prompt after another, the adapter set before each."""
    import torch

    texts = []
    for i, prompt in enumerate(PROMPTS):
        model.set_adapter(f"t{i}")
        ids = tokenizer.apply_chat_template(
            prompt, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            out = model.generate(
                **ids, max_new_tokens=TOKENS, do_sample=False, pad_token_id=tokenizer.pad_token_id
            )
        answer = out[0, ids["input_ids"].shape[1] :]
        texts.append(tokenizer.decode(answer, skip_special_tokens=True).strip())
    return texts


def answers_of_ours(engine: Engine, bundles: list[Any]) -> list[str]:
    """All prompts in one batch."""
    return [made.text for made in engine.generate(PROMPTS, bundles, TOKENS, grammar=False)]


def line(name: str, ours: list[float], peft: list[float]) -> str:
    x, y = statistics.median(ours), statistics.median(peft)
    return f"{name:34}{x:>10.2f}{y:>10.2f}{y / x:>7.1f}x"


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What `call` returns, and the seconds it took."""
    began = time.perf_counter()
    value = call()
    return value, time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
