"""The base model with fresh LoRA layers, by Unsloth where a GPU is, by transformers and peft elsewhere."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from astra_lib.core.errors import InputError

from .contract import LORA_TARGETS
from .train_plan import TrainPlan


def choose_backend(wanted: str) -> str:
    """`auto` is unsloth where it is installed and a GPU may be used, else transformers."""
    if wanted != "auto":
        return wanted
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1")
    has_gpu = Path("/dev/nvidiactl").exists() and not hidden
    return "unsloth" if has_gpu and importlib.util.find_spec("unsloth") else "transformers"


def load_model(plan: TrainPlan, backend: str) -> tuple[Any, Any]:
    """Model and tokenizer; only the LoRA layers are trainable."""
    model, tokenizer = load_unsloth(plan) if backend == "unsloth" else load_transformers(plan)
    return model, with_pad_token(tokenizer)


def load_unsloth(plan: TrainPlan) -> tuple[Any, Any]:
    import torch
    from unsloth import FastLanguageModel

    hyper, gpu = plan.hyperparameters, torch.cuda.is_available()
    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=plan.base,
        max_seq_length=hyper.max_length,
        revision=plan.base_revision or None,
        load_in_4bit=gpu,
        dtype=None if gpu else torch.float32,
    )
    model = FastLanguageModel.get_peft_model(
        model,
        r=hyper.rank,
        lora_alpha=hyper.alpha,
        lora_dropout=0,
        bias="none",
        target_modules=LORA_TARGETS,
        layers_to_transform=last_layers(model.config.num_hidden_layers, hyper.last_layers),
        use_gradient_checkpointing="unsloth" if gpu else False,
        random_state=hyper.seed,
    )
    return model, tokenizer


def load_transformers(plan: TrainPlan) -> tuple[Any, Any]:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    hyper, gpu = plan.hyperparameters, torch.cuda.is_available()
    options: dict[str, Any] = {}
    if plan.base_revision and not Path(plan.base).is_dir():
        options["revision"] = plan.base_revision
    tokenizer = AutoTokenizer.from_pretrained(plan.base, **options)
    if gpu:
        options["device_map"] = {"": 0}
    else:
        # torch's fused attention on a CPU is the slower one: a tenth of a step
        options["attn_implementation"] = "eager"
    dtype = torch.bfloat16 if gpu else torch.float32
    model = AutoModelForCausalLM.from_pretrained(plan.base, dtype=dtype, **options)
    model.config.use_cache = False
    lora = LoraConfig(
        r=hyper.rank,
        lora_alpha=hyper.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=LORA_TARGETS,
        layers_to_transform=last_layers(model.config.num_hidden_layers, hyper.last_layers),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, lora), tokenizer


def last_layers(total: int, wanted: int) -> list[int] | None:
    """The indices of the last `wanted` layers; None for all. The backward pass stops below them."""
    if wanted > total:
        what = f"last_layers is {wanted}, the model has {total}"
        raise InputError(what, where="hyperparameters.last_layers")
    return list(range(total - wanted, total)) if wanted else None


def with_pad_token(tokenizer: Any) -> Any:
    """The tokenizer with a token to pad with; `InputError` for a base without a chat template."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not tokenizer.chat_template:
        raise InputError(
            "the base model has no chat template",
            where=str(tokenizer.name_or_path),
            remedy="Use an instruct model",
        )
    return tokenizer
