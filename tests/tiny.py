"""A very small Llama with the embedded base's tokenizer, and adapters made by PEFT itself: real parts, seconds to build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from astra_lib.core.records import AdapterCard, to_dict, write_json
from trainer.base_model import base_digest
from trainer.packing import pack_adapter

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def build_base(folder: Path, tokenizer: Any, seed: int = 7) -> Path:
    """Two layers, 64 wide, random weights scaled up so that answers differ between adapters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True,
                         bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id)
    model = LlamaForCausalLM(config)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.data.mul_(4.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_adapter(base: Path, folder: Path, tenant: str, seed: int, last_layers: list[int] | None = None, rank: int = 4) -> Path:
    """A LoRA with random A and B, saved by PEFT, packed as the trainer packs it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules=TARGETS, layers_to_transform=last_layers, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM"))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=.3)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    card = AdapterCard(f"{tenant}@{seed}", tenant, base.name, base_digest(base), "0" * 64, seed, rank, 2 * rank, TARGETS, "", {}, {}, "2026-01-01")
    write_json(folder / "adapter.json", to_dict(card))
    return pack_adapter(folder, folder.with_suffix(".zip"))
