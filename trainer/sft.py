"""trl's SFTTrainer as ASTRA uses it, and its loss without Triton for a CPU."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from astra_lib.core.base_model import native_bfloat16

from .contract import Hyperparameters
from .schedule import TimedCosine
from .train_plan import TrainPlan


def build_trainer(
    plan: TrainPlan,
    folder: Path,
    model: Any,
    tokenizer: Any,
    train_rows: list[dict[str, Any]],
    val_rows: list[dict[str, Any]],
    backend: str,
    schedule: TimedCosine,
) -> Any:
    """trl's SFTTrainer over rows in the order they are given, with the loss on the completion alone."""
    import torch
    from datasets import Dataset
    from trl import SFTTrainer

    config = sft_config(plan, folder, schedule, bool(val_rows), backend)
    kind = SFTTrainer if torch.cuda.is_available() or backend == "unsloth" else cpu_trainer()
    return scheduled(kind, schedule)(
        model=model,
        args=config,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(train_rows),
        eval_dataset=Dataset.from_list(val_rows) if val_rows else None,
    )


def schedule_of(hyper: Hyperparameters, row_count: int, ends: float) -> TimedCosine:
    """The learning rate over all steps that `hyper` asks for, or over those that fit until `ends`."""
    per_epoch = math.ceil(row_count / hyper.batch_size / hyper.gradient_accumulation)
    steps = hyper.max_steps or math.ceil(per_epoch * hyper.epochs)
    return TimedCosine(steps, min(hyper.warmup_steps, steps // 4), ends)


def scheduled(kind: Any, schedule: TimedCosine) -> type:
    """`kind` with the learning rate of `schedule`."""
    from torch.optim.lr_scheduler import LambdaLR

    class Scheduled(kind):
        lr_scheduler: Any

        def create_scheduler(self, num_training_steps, optimizer=None):
            if self.lr_scheduler is None:
                # a function, not the object: torch would write the object's clock into every checkpoint
                self.lr_scheduler = LambdaLR(optimizer or self.optimizer, lambda step: schedule(step))
                self._created_lr_scheduler = True
            return self.lr_scheduler

    return Scheduled


def sft_config(plan: TrainPlan, folder: Path, schedule: TimedCosine, has_val: bool, backend: str) -> Any:
    import torch
    from trl import SFTConfig

    hyper, gpu, steps = plan.hyperparameters, torch.cuda.is_available(), schedule.steps
    return SFTConfig(
        output_dir=str(folder / "checkpoints"),
        seed=hyper.seed,
        data_seed=hyper.seed,
        max_length=hyper.max_length,
        completion_only_loss=True,
        packing=False,
        per_device_train_batch_size=hyper.batch_size,
        per_device_eval_batch_size=hyper.batch_size,
        gradient_accumulation_steps=hyper.gradient_accumulation,
        num_train_epochs=hyper.epochs,
        max_steps=hyper.max_steps or -1,
        learning_rate=hyper.learning_rate,
        weight_decay=0.0,
        max_grad_norm=1.0,
        optim="adamw_8bit" if gpu and backend == "unsloth" else "adamw_torch_fused",
        train_sampling_strategy="sequential",  # in the order of `mixed`
        # True would log a NaN as 0.0: a diverged run would look better than a sound one
        logging_nan_inf_filter=False,
        logging_steps=1,
        logging_first_step=True,
        report_to="none",
        disable_tqdm=True,
        eval_strategy="epoch" if has_val and not hyper.max_steps else "no",
        save_strategy="steps",
        save_steps=max(5, min(100, steps // 4)),
        save_total_limit=2,
        bf16=gpu and torch.cuda.is_bf16_supported(),
        fp16=False,
        use_cpu=not gpu,
        gradient_checkpointing=False,
        dataloader_pin_memory=gpu,
        dataloader_num_workers=0,
        dataset_num_proc=None,
        remove_unused_columns=True,
    )


def cpu_trainer() -> type:
    """SFTTrainer for a CPU: trl 1.15 computes its loss in Triton kernels, which exist for GPUs only.

    Only answer tokens are projected onto the vocabulary: a quarter of the tokens, half of a small model's
    work.
    """
    import torch
    from trl import SFTTrainer

    # Where the processor multiplies bfloat16 natively the matrix products take it; weights and LoRA stay
    # float32.
    fast = os.environ.get("ASTRA_JOB_CPU_BF16", "1") != "0" and native_bfloat16()

    class CpuSFTTrainer(SFTTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            causal = self.accelerator.unwrap_model(model).get_base_model()
            tokens, mask = inputs["input_ids"], inputs["attention_mask"]
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast):
                out = causal.model(input_ids=tokens, attention_mask=mask, use_cache=False)
                hidden = out.last_hidden_state[:, :-1]
                labels = inputs["labels"][:, 1:]
                answer = labels != -100
                logits = causal.lm_head(hidden[answer])
            total = torch.nn.functional.cross_entropy(logits.float(), labels[answer], reduction="sum")
            if num_items_in_batch is None:
                num_items_in_batch = answer.sum().clamp(min=1)
            loss = total / num_items_in_batch
            # what trl's own compute_loss counts, read back from the log
            if model.training:
                self._total_train_tokens += int(mask.sum())
            self._metrics["train" if model.training else "eval"]["num_tokens"] = [self._total_train_tokens]
            return (loss, {"loss": loss}) if return_outputs else loss

    return CpuSFTTrainer
