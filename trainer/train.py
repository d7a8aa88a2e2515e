"""One training run, top to bottom: rows in, adapter out. A child process of the handler runs it.

    python -m trainer.train PLAN.json FOLDER

PLAN.json is `TrainPlan`. FOLDER receives loss.jsonl (a row per step), state.json (phase and step, rewritten
as it goes), checkpoints/, adapter/ (adapter_model.safetensors, adapter_config.json, adapter.json) and,
last, metrics.json. Without metrics.json the run did not happen. Run again on the same folder, it resumes.
Exit codes: 0 done (also when stopped by the clock), 3 the loss or a tensor is not finite, 2 bad input, 1
the rest.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from astra_lib.core.base_model import base_digest
from astra_lib.core.errors import InputError
from astra_lib.core.launcher import die_with_parent
from astra_lib.core.records import AdapterCard, read_json, sha256_bytes, to_dict, write_json

from .contract import LORA_TARGETS
from .monitor import StateFile, keep_best, last_checkpoint, training_monitor
from .packing import non_finite_tensors
from .sft import build_trainer, schedule_of
from .train_model import choose_backend, load_model
from .train_plan import Diverged, TrainPlan, read_plan
from .train_rows import fitting_rows, mixed

STARTED = time.monotonic()  # loading torch counts too: the plan's seconds are the process's
SAVE_RESERVE_S = 15.0  # kept for writing the adapter, a tenth of the time when that is less
CARD_METRICS = ("train_loss", "eval_loss", "steps", "steps_asked", "rows", "tokens_per_s")
VERSIONED = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "unsloth", "runpod")


def main(argv: list[str] | None = None) -> int:
    plan_file, folder = map(Path, argv or sys.argv[1:])
    plan = read_plan(plan_file)
    die_with_parent()  # an orphan here is a GPU left running
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
    report = StateFile(folder)
    report.phase("loading")
    backend = choose_backend(hyper.backend)
    if backend == "unsloth":
        import unsloth  # noqa: F401  (patches transformers and trl: it has to be imported before them)
    import torch
    from transformers import set_seed

    set_seed(hyper.seed)
    model, tokenizer = load_model(plan, backend)
    train_rows, dropped = fitting_rows(Path(plan.train), tokenizer, hyper.max_length)
    val_rows, _ = fitting_rows(Path(plan.val), tokenizer, hyper.max_length, at_most=hyper.max_eval_rows)
    ordered = mixed(train_rows, hyper.batch_size, hyper.seed)
    deadline, reserve_s = STARTED + plan.seconds, min(SAVE_RESERVE_S, 0.1 * plan.seconds)
    schedule = schedule_of(hyper, len(train_rows), deadline - reserve_s)
    trainer = build_trainer(plan, folder, model, tokenizer, ordered, val_rows, backend, schedule)
    monitor = training_monitor(
        folder,
        report,
        schedule,
        deadline=deadline,
        reserve_s=reserve_s,
        val_batches=math.ceil(len(val_rows) / hyper.batch_size),
    )
    trainer.add_callback(monitor)
    report.phase("training")
    resumed = last_checkpoint(folder / "checkpoints")
    monitor.start_clock()
    result = trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    report.phase("evaluating")
    keep_best(trainer, folder, has_val=bool(val_rows))
    report.phase("saving")
    metrics = {
        "status": "stopped" if monitor.out_of_time or monitor.shortened else "ok",
        "backend": backend,
        "steps": trainer.state.global_step,
        "steps_asked": schedule.steps,
        "schedule_ended": not monitor.out_of_time,
        "train_loss": _finite(result.training_loss),
        "eval_loss": monitor.best_loss,
        "rows": len(train_rows),
        "rows_dropped_too_long": dropped,
        "val_rows": len(val_rows),
        "resumed_from": resumed.name if resumed else None,
        "tokens_per_s": round(monitor.tokens / max(monitor.seconds, 1e-9), 1),
        "train_s": round(monitor.seconds, 2),
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


def save_adapter(plan: TrainPlan, folder: Path, model: Any, tokenizer: Any, metrics: dict[str, Any]) -> None:
    """adapter_model.safetensors, adapter_config.json and the card; `Diverged` for a non-finite tensor."""
    model.save_pretrained(str(folder))
    bad = non_finite_tensors((folder / "adapter_model.safetensors").read_bytes())
    if bad:
        raise Diverged("the adapter holds NaN or infinite values", where=bad[0])
    config = read_json(folder / "adapter_config.json")
    config["base_model_name_or_path"] = plan.base_name  # not the path it had on this machine
    config["inference_mode"] = True
    config["target_modules"] = sorted(config["target_modules"])
    write_json(folder / "adapter_config.json", config)
    hyper = plan.hyperparameters
    base = Path(plan.base) if Path(plan.base).is_dir() else plan.base
    card = AdapterCard(
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
        metrics={name: metrics[name] for name in CARD_METRICS if metrics[name] is not None},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_json(folder / "adapter.json", to_dict(card))


def versions() -> dict[str, str]:
    """Of Python and of the packages that may change what a training gives."""
    found = {"python": sys.version.split()[0]}
    for name in VERSIONED:
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


def _give_up(folder: Path, error: Exception, code: int) -> int:
    write_json(folder / "error.json", {"error": str(error), "kind": type(error).__name__})
    print(f"training stopped: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
