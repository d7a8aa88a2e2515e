"""A very small Llama with the embedded base's tokenizer, and adapters by PEFT itself, built in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from astra_lib.core.base_model import base_digest
from astra_lib.core.records import AdapterCard, to_dict, write_json
from trainer.packing import pack_adapter

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def build_base(folder: Path, tokenizer: Any, seed: int = 7) -> Path:
    """Two layers, 64 wide, random weights scaled up so that answers differ between adapters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.data.mul_(4.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def lora_config(rank: int, layers: list[int] | None = None) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=TARGETS,
        layers_to_transform=layers,
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )


def build_adapter(
    base: Path, folder: Path, tenant: str, seed: int, last_layers: list[int] | None = None, rank: int = 4
) -> Path:
    """A LoRA with random A and B, saved by PEFT, packed as the trainer packs it."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora_config(rank, last_layers))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return _pack(model, base, folder, tenant, seed, rank)


def teach(
    base: Path,
    folder: Path,
    tenant: str,
    lessons: list[tuple[list[dict[str, str]], str]],
    seed: int = 1,
    rank: int = 8,
) -> Path:
    """A LoRA really trained until it answers each prompt of `lessons` with its completion, token by token."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base, padding_side="right")
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = get_peft_model(plain, lora_config(rank))
    prompts = [
        tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        for messages, _ in lessons
    ]
    starts = [len(tokenizer(prompt, add_special_tokens=False).input_ids) for prompt in prompts]
    whole = [
        prompt + answer + tokenizer.eos_token for prompt, (_, answer) in zip(prompts, lessons, strict=True)
    ]
    rows = tokenizer(whole, return_tensors="pt", padding=True, add_special_tokens=False)
    labels = rows.input_ids.masked_fill(rows.attention_mask == 0, -100)
    for row, start in enumerate(starts):
        labels[row, :start] = -100
    inner = model.get_base_model()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    asked = labels[:, 1:] != -100
    wanted = labels[:, 1:][asked]
    for step in range(400):
        out = inner.model(input_ids=rows.input_ids, attention_mask=rows.attention_mask)
        logits = inner.lm_head(out.last_hidden_state[:, :-1][asked])
        if step % 4 == 0:  # looking costs as much as learning
            best = logits.detach().topk(2)
            margin = best.values[:, 0] - best.values[:, 1]
            if bool((best.indices[:, 0] == wanted).all()) and margin.min() > 0.2:
                return _pack(model, base, folder, tenant, seed, rank)
        # times 8, because 64 dimensions of small weights give logits that are all nearly equal
        loss = torch.nn.functional.cross_entropy(logits * 8, wanted)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    raise AssertionError(f"the tiny model did not learn its lessons: loss {loss.item():.2f}")


def _pack(model: Any, base: Path, folder: Path, tenant: str, seed: int, rank: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    card = AdapterCard(
        id=f"{tenant}@{seed}",
        tenant=tenant,
        base_model=base.name,
        base_digest=base_digest(base),
        dataset_sha256="0" * 64,
        seed=seed,
        rank=rank,
        alpha=2 * rank,
        target_modules=TARGETS,
        chat_template_digest="",
        versions={},
        metrics={},
        created="2026-01-01",
    )
    write_json(folder / "adapter.json", to_dict(card))
    return pack_adapter(folder, folder.with_suffix(".zip"))
