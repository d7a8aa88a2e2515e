"""Our adapter bundles beside PEFT on the same base and the same adapters, in one run.

    python -m benchmarks.swap.run

Two questions: how long until a new adapter can answer, and what eight councils cost one after another against one mixed
batch. Correctness comes first: the greedy texts of both must be equal, or the run fails.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from app_gradio.engine import Engine
from astra_lib.core import settings as settings_module
from astra_lib.core.base_model import ensure_base
from tests import tiny

TENANTS, TOKENS, REPEATS = 8, 24, 5


def main() -> int:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(2)
    base = Path(ensure_base(settings_module.load()))
    engine = Engine.load(base)
    prompts = [
        [{"role": "user", "content": f"Intervención: el barrio {i} pide luz y agua"}] for i in range(TENANTS)
    ]
    with tempfile.TemporaryDirectory() as folder:
        zips = [
            tiny.build_adapter(base, Path(folder) / f"a{i}", f"t{i}", seed=i, rank=16) for i in range(TENANTS)
        ]
        ours = [_timed(lambda z=z: engine.load_adapter(z)) for z in zips]
        bundles = [b for b, _ in ours]
        peft = PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(base), zips[0].with_suffix(""), adapter_name="t0"
        ).eval()
        theirs = [
            _timed(lambda i=i: peft.load_adapter(str(zips[i].with_suffix("")), adapter_name=f"t{i}"))[1]
            for i in range(1, TENANTS)
        ]

        def one_by_one() -> list[str]:
            texts = []
            for i, prompt in enumerate(prompts):
                peft.set_adapter(f"t{i}")
                ids = engine.tokenizer.apply_chat_template(
                    prompt, add_generation_prompt=True, return_tensors="pt", return_dict=True
                )
                with torch.inference_mode():
                    out = peft.generate(
                        **ids,
                        max_new_tokens=TOKENS,
                        do_sample=False,
                        pad_token_id=engine.tokenizer.pad_token_id,
                    )
                texts.append(
                    engine.tokenizer.decode(
                        out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True
                    ).strip()
                )
            return texts

        def mixed() -> list[str]:
            return [g.text for g in engine.generate(prompts, bundles, TOKENS, grammar=False)]

        expected, found = one_by_one(), mixed()
        if expected != found:
            print(
                f"texts differ in {sum(a != b for a, b in zip(expected, found, strict=True))} of {TENANTS}",
                file=sys.stderr,
            )
            return 1
        slow = [_timed(one_by_one)[1] for _ in range(REPEATS)]
        fast = [_timed(mixed)[1] for _ in range(REPEATS)]
    print(f"{'':34}{'ours':>10}{'PEFT':>10}{'ratio':>8}")
    for name, a, b in (
        ("adapter load, median ms", [s * 1e3 for _, s in ours], [s * 1e3 for s in theirs]),
        (f"{TENANTS} councils, {TOKENS} tokens, median s", fast, slow),
    ):
        x, y = statistics.median(a), statistics.median(b)
        print(f"{name:34}{x:>10.2f}{y:>10.2f}{y / x:>7.1f}x")
    print(
        f"greedy texts equal: {TENANTS} of {TENANTS}; load includes reading the zip and every check (ours), reading the folder (PEFT)"
    )
    return 0


def _timed(call):
    began = time.perf_counter()
    value = call()
    return value, time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
