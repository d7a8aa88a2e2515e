"""One training run, top to bottom: rows in, adapter out. A child process of the handler runs it.

    python -m trainer.train PLAN.json FOLDER

PLAN.json is `TrainPlan`. FOLDER receives loss.jsonl (a row per step), state.json (phase and step, rewritten at
every step), checkpoints/, adapter/ (adapter_model.safetensors, adapter_config.json, adapter.json) and, last,
metrics.json. Without metrics.json the run did not happen. Run again on the same folder, it resumes.
Exit codes: 0 done (also when stopped by the clock), 3 the loss or a tensor is not finite, 2 bad input, 1 the rest.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import random
import resource
import signal
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from astra_lib.core.base_model import base_digest, native_bfloat16
from astra_lib.core.errors import GateError, InputError
from astra_lib.core.records import (
    AdapterCard,
    atomic_write,
    read_json,
    read_jsonl,
    sha256_bytes,
    to_dict,
    write_json,
)

from .contract import LORA_TARGETS, Hyperparameters
from .packing import non_finite_tensors

STARTED = time.monotonic()


@dataclass(frozen=True)
class TrainPlan:
    """`base` is a folder or hub name, `base_name` what the card says; `seconds` is the time left for all of it."""

    job_id: str
    tenant: str
    base: str
    base_name: str
    base_revision: str
    train: str
    val: str
    dataset_sha256: str
    seconds: float
    hyperparameters: Hyperparameters


class Diverged(GateError):
    """The loss, a gradient or a tensor is NaN or infinite: nothing of this run may be used."""


def main(argv: list[str] | None = None) -> int:
    plan_file, folder = map(Path, argv or sys.argv[1:])
    raw = read_json(plan_file)
    plan = TrainPlan(**{**raw, "hyperparameters": Hyperparameters(**raw["hyperparameters"])})
    die_with_parent()
    try:
        train(plan, folder)
    except (InputError, FileNotFoundError) as error:
        return _give_up(folder, error, 2)
    except Diverged as error:
        return _give_up(folder, error, 3)
    return 0


def train(plan: TrainPlan, folder: Path) -> dict[str, Any]:
    """Run `plan`, leave the files named above in `folder`, return what metrics.json says."""
    folder.mkdir(parents=True, exist_ok=True)
    hyper = plan.hyperparameters
    report = State(folder)
    report.phase("loading")
    backend = choose_backend(hyper.backend)
    if backend == "unsloth":
        import unsloth  # noqa: F401  (patches transformers and trl: it has to be imported before them)
    import torch
    from transformers import set_seed

    set_seed(hyper.seed)
    model, tokenizer = load_unsloth(plan) if backend == "unsloth" else load_transformers(plan)
    train_rows, dropped = fitting_rows(Path(plan.train), tokenizer, hyper.max_length)
    val_rows, _ = fitting_rows(Path(plan.val), tokenizer, hyper.max_length, at_most=hyper.max_eval_rows)
    trainer = build_trainer(
        plan, folder, model, tokenizer, mixed(train_rows, hyper.batch_size, hyper.seed), val_rows, backend
    )
    watch = make_callback(plan, folder, report, has_val=bool(val_rows))
    trainer.add_callback(watch)
    report.phase("training")
    resumed = last_checkpoint(folder / "checkpoints")
    watch.start_clock()
    result = trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    report.phase("evaluating")
    keep_best(trainer, folder, watch, has_val=bool(val_rows))
    report.phase("saving")
    metrics = {
        "status": "stopped" if watch.out_of_time else "ok",
        "backend": backend,
        "steps": trainer.state.global_step,
        "train_loss": _finite(result.training_loss),
        "eval_loss": watch.best_loss,
        "rows": len(train_rows),
        "rows_dropped_too_long": dropped,
        "val_rows": len(val_rows),
        "resumed_from": resumed.name if resumed else None,
        "tokens_per_s": round(watch.tokens / max(watch.seconds, 1e-9), 1),
        "train_s": round(watch.seconds, 2),
        "device": str(next(trainer.model.parameters()).device),
        "threads": torch.get_num_threads(),
        "wall_s": round(time.monotonic() - STARTED, 2),
        "peak_memory_mb": peak_memory_mb(),
        "versions": versions(),
    }
    save_adapter(plan, folder / "adapter", trainer.model, tokenizer, metrics)
    write_json(folder / "metrics.json", metrics)
    report.phase("done")
    return metrics


# --- the model -----------------------------------------------------------------------------------------------


def choose_backend(wanted: str) -> str:
    """`auto` is Unsloth where a GPU is and it imports, else transformers + peft."""
    import importlib.util

    if wanted != "auto":
        return wanted
    has_gpu = Path("/dev/nvidiactl").exists() and os.environ.get("CUDA_VISIBLE_DEVICES", "0") not in (
        "",
        "-1",
    )
    return "unsloth" if has_gpu and importlib.util.find_spec("unsloth") else "transformers"


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
    return model, with_pad_token(tokenizer)


def load_transformers(plan: TrainPlan) -> tuple[Any, Any]:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    hyper, gpu = plan.hyperparameters, torch.cuda.is_available()
    options: dict[str, Any] = (
        {"revision": plan.base_revision} if plan.base_revision and not Path(plan.base).is_dir() else {}
    )
    tokenizer = AutoTokenizer.from_pretrained(plan.base, **options)
    if gpu:
        options["device_map"] = {"": 0}
    else:
        options["attn_implementation"] = (
            "eager"  # torch's fused attention on a CPU is the slower one: a tenth of a step
        )
    model = AutoModelForCausalLM.from_pretrained(
        plan.base, dtype=torch.bfloat16 if gpu else torch.float32, **options
    )
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
    return get_peft_model(model, lora), with_pad_token(tokenizer)


def last_layers(total: int, wanted: int) -> list[int] | None:
    """The indices of the last `wanted` layers; None for all. The backward pass stops below them."""
    if wanted > total:
        raise InputError(
            f"last_layers is {wanted}, the model has {total}", where="hyperparameters.last_layers"
        )
    return list(range(total - wanted, total)) if wanted else None


def with_pad_token(tokenizer: Any) -> Any:
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not tokenizer.chat_template:
        raise InputError(
            "the base model has no chat template",
            where=str(tokenizer.name_or_path),
            remedy="Use an instruct model",
        )
    return tokenizer


# --- the rows ------------------------------------------------------------------------------------------------


def fitting_rows(
    path: Path, tokenizer: Any, max_length: int, at_most: int | None = None
) -> tuple[list[dict], int]:
    """The rows that fit `max_length` tokens, and how many do not: a cut answer would teach to stop half-way."""
    rows, dropped = [], 0
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            messages = [*row["prompt"], *row["completion"]]
            length = len(
                tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not a prompt/completion row: {error}", where=f"{path.name}:{number}") from None
        if length > max_length:
            dropped += 1
        else:
            rows.append({"prompt": row["prompt"], "completion": row["completion"], "length": length})
    if not rows and (dropped or at_most is None):
        raise InputError(
            f"no row fits {max_length} tokens ({dropped} too long)",
            where=path.name,
            remedy="Raise model.max_length",
        )
    # evenly spread over the file, so that no session is left out
    return (
        rows if at_most is None or len(rows) <= at_most else rows[:: math.ceil(len(rows) / at_most)]
    ) if at_most != 0 else [], dropped


def mixed(rows: list[dict], batch_size: int, seed: int, window: int = 8) -> list[dict]:
    """`rows` in an order in which batches hold similar lengths, so little is padded, and neighbours differ.

    Lengths are sorted inside windows of `window` batches only. Sorted over more, whole batches hold nothing but the
    short `<nada/>` answers, and a step whose mean is taken over a dozen tokens undoes what ten others learned."""
    rng = random.Random(seed)
    order = rng.sample(rows, len(rows))
    whole = len(order) - len(order) % batch_size
    batches: list[list[dict]] = []
    for start in range(0, whole, size := window * batch_size):
        part = sorted(order[start : min(start + size, whole)], key=lambda row: -row["length"])
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    rng.shuffle(batches)
    return [row for batch in batches for row in batch] + order[whole:]


def build_trainer(
    plan: TrainPlan,
    folder: Path,
    model: Any,
    tokenizer: Any,
    train_rows: list[dict],
    val_rows: list[dict],
    backend: str,
) -> Any:
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    hyper, gpu = plan.hyperparameters, torch.cuda.is_available()
    per_epoch = math.ceil(len(train_rows) / hyper.batch_size / hyper.gradient_accumulation)
    steps = hyper.max_steps or math.ceil(per_epoch * hyper.epochs)
    config = SFTConfig(
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
        warmup_steps=min(hyper.warmup_steps, steps // 4),
        lr_scheduler_type="cosine",
        weight_decay=0.0,
        max_grad_norm=1.0,
        optim="adamw_8bit" if gpu and backend == "unsloth" else "adamw_torch_fused",
        train_sampling_strategy="sequential",  # in the order of `mixed`
        # True would replace a NaN by 0.0 in the log, and a dead run would look better than a sound one.
        logging_nan_inf_filter=False,
        logging_steps=1,
        logging_first_step=True,
        report_to="none",
        disable_tqdm=True,
        eval_strategy="epoch" if val_rows and not hyper.max_steps else "no",
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
    kind = SFTTrainer if gpu or backend == "unsloth" else cpu_trainer()
    return kind(
        model=model,
        args=config,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(train_rows),
        eval_dataset=Dataset.from_list(val_rows) if val_rows else None,
    )


def cpu_trainer() -> type:
    """SFTTrainer for a CPU: trl 1.15 computes its loss in Triton kernels, which exist for GPUs only.

    Only answer tokens are projected onto the vocabulary: a quarter of the tokens, half of a small model's work.
    """
    import torch
    from trl import SFTTrainer

    # Where the processor multiplies bfloat16 natively the matrix products take it; weights and LoRA stay float32.
    fast = os.environ.get("ASTRA_JOB_CPU_BF16", "1") != "0" and native_bfloat16()

    class CpuSFTTrainer(SFTTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            causal = self.accelerator.unwrap_model(model).get_base_model()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast):
                hidden = causal.model(
                    input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
                ).last_hidden_state[:, :-1]
                labels = inputs["labels"][:, 1:]
                answer = labels != -100
                logits = causal.lm_head(hidden[answer])
            total = torch.nn.functional.cross_entropy(logits.float(), labels[answer], reduction="sum")
            loss = total / (
                num_items_in_batch if num_items_in_batch is not None else answer.sum().clamp(min=1)
            )
            if model.training:
                self._total_train_tokens += int(inputs["attention_mask"].sum())
            self._metrics["train" if model.training else "eval"]["num_tokens"] = [self._total_train_tokens]
            return (loss, {"loss": loss}) if return_outputs else loss

    return CpuSFTTrainer


# --- while it runs -------------------------------------------------------------------------------------------


class State:
    """state.json: what the handler reads to tell a slow run from a dead one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.json"
        self.values: dict[str, Any] = {
            "phase": "starting",
            "step": 0,
            "total_steps": 0,
            "loss": None,
            "tokens_per_s": None,
        }

    def phase(self, name: str) -> None:
        self.values["phase"] = name
        self._write()

    def update(self, **values: Any) -> None:
        """Note `values`; written a few times a second at most, or a small model waits for its disk."""
        self.values.update(values)
        if time.time() - self.values.get("time", 0.0) > 0.3:
            self._write()

    def _write(self) -> None:
        # Not `atomic_write`: this file need not survive a power cut, and a sync per step costs more than the step.
        self.values.update(pid=os.getpid(), time=time.time())
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.values), encoding="utf-8")
        part.replace(self.path)


def make_callback(plan: TrainPlan, folder: Path, report: State, has_val: bool) -> Any:
    """A TrainerCallback that writes the losses, watches the clock, and stops on a number that is none."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        out_of_time = False
        best_loss: float | None = None
        tokens = 0
        seconds = 0.0
        _began = _step_began = 0.0
        _slowest_step = 0.0
        eval_s = 0.0

        def start_clock(self) -> None:
            # A resumed run repeats no row of the file: what lies past its checkpoint is cut off.
            self._began = time.monotonic()

        def on_train_begin(self, args, state, control, **_):
            keep = [row for row in _loss_rows(folder) if row["step"] <= state.global_step]
            atomic_write(folder / "loss.jsonl", "".join(json.dumps(row) + "\n" for row in keep))
            report.update(step=state.global_step, total_steps=state.max_steps)

        def on_step_begin(self, args, state, control, **_):
            self._step_began = time.monotonic()

        def on_step_end(self, args, state, control, **_):
            spent = time.monotonic() - self._step_began
            self._slowest_step = max(self._slowest_step, spent)
            # What must still fit: the next step, one evaluation, writing the adapter.
            reserve = (
                1.5 * self._slowest_step
                + (1.3 * self.eval_s if has_val else 0)
                + min(15.0, 0.1 * plan.seconds)
            )
            if time.monotonic() - STARTED + reserve > plan.seconds and state.global_step < state.max_steps:
                self.out_of_time = control.should_training_stop = control.should_save = True
            return control

        def on_log(self, args, state, control, logs=None, **_):
            logs = logs or {}
            if "loss" not in logs:
                return
            row = {
                "step": state.global_step,
                "loss": logs["loss"],
                "grad_norm": logs.get("grad_norm"),
                "lr": logs.get("learning_rate"),
                "seconds": round(time.monotonic() - self._began, 2),
            }
            bad = [
                name
                for name in ("loss", "grad_norm")
                if row[name] is not None and not math.isfinite(row[name])
            ]
            if bad:
                raise Diverged(
                    f"{bad[0]} is {row[bad[0]]}",
                    where=f"step {state.global_step}",
                    remedy="Lower train.learning_rate, or look for empty answers in the dataset",
                )
            with (folder / "loss.jsonl").open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
            self.seconds = time.monotonic() - self._began
            self.tokens = int(logs.get("num_tokens", 0))
            report.update(
                step=state.global_step,
                total_steps=state.max_steps,
                loss=logs["loss"],
                tokens_per_s=round(self.tokens / max(self.seconds, 1e-9), 1),
            )

        def on_prediction_step(self, args, state, control, **_):
            report.update()

        def on_evaluate(self, args, state, control, metrics=None, model=None, **_):
            loss = (metrics or {}).get("eval_loss")
            self.eval_s = max(self.eval_s, (metrics or {}).get("eval_runtime", 0.0))
            if loss is None or not math.isfinite(loss):
                raise Diverged(f"eval_loss is {loss}", where=f"step {state.global_step}")
            if self.best_loss is None or loss < self.best_loss:
                self.best_loss = float(loss)
                save_best(folder, model, float(loss), state.global_step)

    watch = Watch()
    kept = folder / "best.json"
    if kept.is_file():
        watch.best_loss = float(read_json(kept)["eval_loss"])
    return watch


def save_best(folder: Path, model: Any, loss: float, step: int) -> None:
    """Keep the LoRA tensors of the best evaluation: with few rows the last epoch is often not the best."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    tensors = {name: t.detach().cpu().contiguous() for name, t in get_peft_model_state_dict(model).items()}
    atomic_write(folder / "best.safetensors", save(tensors))
    write_json(folder / "best.json", {"eval_loss": loss, "step": step})


def keep_best(trainer: Any, folder: Path, watch: Any, has_val: bool) -> None:
    """Evaluate the last step when it was not, then go back to the best step if that was another."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    if not has_val:
        return
    evaluated = [entry["step"] for entry in trainer.state.log_history if "eval_loss" in entry]
    if trainer.state.global_step not in evaluated:
        trainer.evaluate()
    if read_json(folder / "best.json")["step"] != trainer.state.global_step:
        set_peft_model_state_dict(trainer.model, load_file(folder / "best.safetensors"))


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written whole; trainer_state.json is what transformers writes last."""
    whole = [
        path
        for path in folder.glob("checkpoint-*")
        if all(
            (path / name).is_file()
            for name in ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json")
        )
    ]
    return max(whole, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def die_with_parent() -> None:
    """Linux kills this process the moment its parent dies: an orphan here is a GPU left running."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


# --- what is left behind -------------------------------------------------------------------------------------


def save_adapter(plan: TrainPlan, folder: Path, model: Any, tokenizer: Any, metrics: dict[str, Any]) -> None:
    """adapter_model.safetensors, adapter_config.json and the card; raises `Diverged` for a non-finite tensor."""
    model.save_pretrained(str(folder))
    if bad := non_finite_tensors((folder / "adapter_model.safetensors").read_bytes()):
        raise Diverged("the adapter holds NaN or infinite values", where=bad[0])
    config = read_json(folder / "adapter_config.json")
    config["base_model_name_or_path"] = plan.base_name  # not the path it had on this machine
    config["inference_mode"] = True
    config["target_modules"] = sorted(config["target_modules"])
    write_json(folder / "adapter_config.json", config)
    hyper = plan.hyperparameters
    base = plan.base if not Path(plan.base).is_dir() else Path(plan.base)
    numbers = {
        k: metrics[k]
        for k in ("train_loss", "eval_loss", "steps", "rows", "tokens_per_s")
        if metrics[k] is not None
    }
    write_json(
        folder / "adapter.json",
        to_dict(
            AdapterCard(
                id=plan.job_id,
                tenant=plan.tenant,
                base_model=plan.base_name,
                base_digest=base_digest(base, plan.base_revision),
                dataset_sha256=plan.dataset_sha256,
                seed=hyper.seed,
                rank=hyper.rank,
                alpha=hyper.alpha,
                target_modules=sorted(LORA_TARGETS),
                chat_template_digest=sha256_bytes(tokenizer.chat_template),
                versions=metrics["versions"],
                metrics=numbers,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        ),
    )


def versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for name in ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "unsloth", "runpod"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def peak_memory_mb() -> int:
    """The GPU's peak where there is one, else this process's resident peak."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved() >> 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise Diverged(f"the mean training loss is {value}")
    return round(float(value), 6)


def _loss_rows(folder: Path) -> list[dict[str, Any]]:
    path = folder / "loss.jsonl"
    return read_jsonl(path) if path.is_file() else []


def _give_up(folder: Path, error: Exception, code: int) -> int:
    write_json(folder / "error.json", {"error": str(error), "kind": type(error).__name__})
    print(f"training stopped: {error}", file=sys.stderr)
    return code


def plan_payload(plan: TrainPlan) -> dict[str, Any]:
    return asdict(plan)


if __name__ == "__main__":
    raise SystemExit(main())
