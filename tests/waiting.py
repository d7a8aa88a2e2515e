"""Waiting for something to happen: asked again and again, never a fixed sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

HANG_S = 180.0  # ends a hang; how long a busy machine takes is no matter of a test


def wait_for(
    condition: Callable[[], Value | None], what: str = "the condition", pause_s: float = 0.02
) -> Value:
    """The first true value of `condition`; raises `AssertionError` where it hangs."""
    deadline = time.monotonic() + HANG_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {HANG_S:.0f} s"
        time.sleep(pause_s)
    return value
