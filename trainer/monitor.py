"""What a training leaves while it runs: its state, its losses, its best tensors, its checkpoints."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

from astra_lib.core.records import atomic_write, read_json, read_jsonl, write_json

from .schedule import TimedCosine
from .train_plan import Diverged

STATE_EVERY_S = 0.3
CHECKPOINT_FILES = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json")


class StateFile:
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
        if time.time() - self.values.get("time", 0.0) > STATE_EVERY_S:
            self._write()

    def _write(self) -> None:
        # not `atomic_write`: a sync takes longer than a step, and the file may be lost in a power cut
        self.values.update(pid=os.getpid(), time=time.time())
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.values), encoding="utf-8")
        part.replace(self.path)


def training_monitor(
    folder: Path,
    report: StateFile,
    schedule: TimedCosine,
    *,
    deadline: float,
    reserve_s: float,
    val_batches: int,
) -> Any:
    """A TrainerCallback that writes the losses, watches the clock, and raises `Diverged` for NaN or infinity.

    `deadline` is a `time.monotonic()`; `reserve_s` is kept before it for writing the adapter. The schedule
    ends early enough for one more evaluation of `val_batches`; its cost is guessed until one was seen.
    """
    from transformers import TrainerCallback

    class TrainingMonitor(TrainerCallback):
        out_of_time = (
            False  # cut by the clock with the schedule unfinished: a step took longer than all before
        )
        shortened = False  # the schedule ended with the time, before all steps were done
        best_loss: float | None = None
        tokens = 0
        seconds = 0.0
        eval_s = 0.0
        _began = _step_began = 0.0
        _slowest_step = 0.0

        def start_clock(self) -> None:
            self._began = time.monotonic()

        def on_train_begin(self, args, state, control, **_):
            # a resumed run writes the steps after its checkpoint again, so their rows are dropped
            keep = [row for row in _loss_rows(folder) if row["step"] <= state.global_step]
            atomic_write(folder / "loss.jsonl", "".join(json.dumps(row) + "\n" for row in keep))
            schedule.resume(state.global_step, keep[-1]["progress"] if keep else None)
            report.update(step=state.global_step, total_steps=state.max_steps)

        def on_step_begin(self, args, state, control, **_):
            self._step_began = time.monotonic()

        def on_step_end(self, args, state, control, **_):
            spent = time.monotonic() - self._step_began
            self._slowest_step = max(self._slowest_step, spent)
            # must still fit: the next step, an evaluation (forward only: a third of a step), the adapter
            evaluation_s = 1.3 * (self.eval_s or val_batches * spent / 3) if val_batches else 0.0
            ends = deadline - reserve_s - evaluation_s
            schedule.end_at(ends)
            schedule.advance(state.global_step)
            if state.global_step < state.max_steps:
                self.shortened = schedule.done
                self.out_of_time = not self.shortened and time.monotonic() + 1.5 * self._slowest_step > ends
            if self.shortened or self.out_of_time:
                control.should_training_stop = control.should_save = True
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
                "progress": round(schedule.progress, 6),
            }
            for name in ("loss", "grad_norm"):
                if row[name] is not None and not math.isfinite(row[name]):
                    raise Diverged(
                        f"{name} is {row[name]}",
                        where=f"step {state.global_step}",
                        remedy="Lower train.learning_rate, or look for empty answers in the dataset",
                    )
            with (folder / "loss.jsonl").open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
            self.seconds = time.monotonic() - self._began
            self.tokens = int(logs.get("num_tokens", 0))
            report.update(
                step=state.global_step,
                total_steps=schedule.expected_steps(state.global_step),
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

    monitor = TrainingMonitor()
    best = folder / "best.json"
    if best.is_file():  # of the run that this one resumes
        monitor.best_loss = float(read_json(best)["eval_loss"])
    return monitor


def save_best(folder: Path, model: Any, loss: float, step: int) -> None:
    """Keep the LoRA tensors of the best evaluation: with few rows the last epoch is often not the best."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    tensors = {name: t.detach().cpu().contiguous() for name, t in get_peft_model_state_dict(model).items()}
    atomic_write(folder / "best.safetensors", save(tensors))
    write_json(folder / "best.json", {"eval_loss": loss, "step": step})


def keep_best(trainer: Any, folder: Path, has_val: bool) -> None:
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
        if all((path / name).is_file() for name in CHECKPOINT_FILES)
    ]
    return max(whole, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def _loss_rows(folder: Path) -> list[dict[str, Any]]:
    path = folder / "loss.jsonl"
    return read_jsonl(path) if path.is_file() else []
