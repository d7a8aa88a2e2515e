"""One screen for the demo: stages with a bar and the time they should take, the loss as a small curve."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from astra_lib.core.errors import AstraError
from astra_lib.core.settings import Settings

BAR_CELLS = 24
CURVE = "▁▂▃▄▅▆▇█"
CURVE_CELLS = 24
TERMINAL_EVERY_S = 1.0
LOG_EVERY_S = 30.0  # where nobody can write over a line, a line now and then


class Screen:
    """Writes to `out`: on a terminal one line is written over, elsewhere lines are added."""

    def __init__(self, expected_s: dict[str, float], out: TextIO | None = None) -> None:
        self.expected_s, self.out = expected_s, out or sys.stdout
        self.live = self.out.isatty()
        self.took_s: dict[str, float] = {}

    def say(self, text: str) -> None:
        clear = "\r\033[K" if self.live else ""
        print(f"{clear}{text}", file=self.out, flush=True)

    def plan(self) -> None:
        """What is about to happen, and how long it should take."""
        minutes = sum(self.expected_s.values()) / 60
        parts = " · ".join(f"{name} {seconds_text(s)}" for name, s in self.expected_s.items())
        self.say(f"About {minutes:.0f} minutes on two quiet cores: {parts}")

    def stage(self, name: str, text: str, note: Callable[[], Progress] | None = None) -> Stage:
        return Stage(self, name, text, note)


class Progress:
    """How far a stage is: `share` from 0 to 1 (None: by the clock), and a few words."""

    def __init__(self, share: float | None = None, text: str = "") -> None:
        self.share, self.text = share, text


class Stage:
    """A stage of the demo, as a context: heading, a bar while it lasts, how long it took."""

    def __init__(self, screen: Screen, name: str, text: str, note: Callable[[], Progress] | None) -> None:
        self.screen, self.name, self.text, self.note = screen, name, text, note or Progress
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Stage:
        number = list(self.screen.expected_s).index(self.name) + 1
        expected = seconds_text(self.screen.expected_s[self.name])
        self.screen.say(f"\n[{number}/{len(self.screen.expected_s)}] {self.text} (about {expected})")
        self.began = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        self.stop.set()
        self.thread.join(timeout=30)
        took = time.monotonic() - self.began
        self.screen.took_s[self.name] = round(took, 1)
        if kind is None:
            self.screen.say(f"    done in {seconds_text(took)}")

    def _tick(self) -> None:
        while not self.stop.wait(TERMINAL_EVERY_S if self.screen.live else LOG_EVERY_S):
            line = f"    {self.line()}"
            if self.screen.live:
                print(f"\r\033[K{line[:110]}", end="", file=self.screen.out, flush=True)
            else:
                self.screen.say(line)

    def line(self) -> str:
        spent, expected = time.monotonic() - self.began, self.screen.expected_s[self.name]
        progress = self.note()
        share = min(1.0, spent / expected) if progress.share is None else progress.share
        text = f"{bar(share)} {seconds_text(spent)} of about {seconds_text(expected)}"
        return f"{text}  {progress.text}".rstrip()


class TrainingProgress:
    """Asked by a stage: the step, the loss and its curve so far, of the tenant's running job."""

    def __init__(self, settings: Settings, tenant: str) -> None:
        self.settings, self.tenant = settings, tenant
        self.losses: list[float] = []

    def __call__(self) -> Progress:
        import trainer.jobs as jobs

        with contextlib.suppress(AstraError):
            running = [job for job in jobs.list_jobs(self.settings, self.tenant) if not job.final]
            if running:
                return self.describe(jobs.status(running[0].job_id, self.settings).progress)
        return Progress()

    def describe(self, found: dict[str, Any]) -> Progress:
        total, step, loss = found.get("total_steps"), found.get("step", 0), found.get("loss")
        if not total:
            return Progress(text=str(found.get("phase") or ""))
        if loss is not None:
            self.losses.append(loss)
        said = f"step {step} of {total}"
        if self.losses:
            said += f", loss {self.losses[-1]:.2f} {curve(self.losses)}"
        return Progress(step / total, said)


def bar(share: float) -> str:
    full = round(BAR_CELLS * share)
    return f"[{'#' * full}{'.' * (BAR_CELLS - full)}]"


def curve(values: Sequence[float], cells: int = CURVE_CELLS) -> str:
    """The values as a line of blocks, the newest to the right; averaged where there are more than cells."""
    size = max(1, -(-len(values) // cells))
    groups = [values[i : i + size] for i in range(0, len(values), size)]
    means = [sum(group) / len(group) for group in groups]
    low, high = min(means), max(means)
    spread = high - low or 1.0
    return "".join(CURVE[round((mean - low) / spread * (len(CURVE) - 1))] for mean in means)


def seconds_text(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
