"""A learning rate whose cosine ends when the steps are done or the time is over, whichever comes first.

A schedule in steps alone depends on the machine's speed: on a slow one the clock cuts a training in the
middle, at a high learning rate, and the adapter is worse than a shorter training would have given. Here
progress is the larger of two shares, of the steps asked for and of the time there is. On a fast machine that
is the plain cosine; on a slow one the same curve over fewer steps. No speed has to be guessed, and a machine
that slows down half-way still ends in time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

LEARN_TIME_S = 1.0  # a budget of less leaves nothing to share out


class TimedCosine:
    """A factor on the learning rate for torch's `LambdaLR`: linear warm-up, then a cosine to zero.

    `steps`: how many are asked for. `ends`: the `clock` time at which the last step should be done; it may be
    moved while training (`end_at`). `progress` goes from 0 to 1 and never back; a training that goes on from
    a checkpoint shares out what was left of it (`resume`).
    """

    def __init__(
        self, steps: int, warmup_steps: int, ends: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.steps, self.warmup_steps, self.ends, self.clock = max(1, steps), warmup_steps, ends, clock
        self.progress = 0.0
        self.resume(0)

    def resume(self, step: int, progress: float | None = None) -> None:
        """Share out what is left after `step`, from now to `ends`."""
        self.first_step, self.began = step, self.clock()
        self.first_progress = self.progress = step / self.steps if progress is None else progress

    def end_at(self, ends: float) -> None:
        self.ends = ends

    def __call__(self, step: int) -> float:
        self.advance(step)
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, self.progress)))

    def advance(self, step: int) -> float:
        """`progress` after `step` steps, now."""
        of_steps = (step - self.first_step) / max(1, self.steps - self.first_step)
        of_time = (self.clock() - self.began) / max(LEARN_TIME_S, self.ends - self.began)
        share = min(1.0, max(of_steps, of_time))
        self.progress = max(self.progress, self.first_progress + (1 - self.first_progress) * share)
        return self.progress

    @property
    def done(self) -> bool:
        return self.progress >= 1.0

    def expected_steps(self, step: int) -> int:
        """How many steps there will be in all, by the progress so far."""
        gained = self.progress - self.first_progress
        if step <= self.first_step or gained <= 0:
            return self.steps
        left = (1 - self.progress) * (step - self.first_step) / gained
        return min(self.steps, max(step, round(step + left)))
