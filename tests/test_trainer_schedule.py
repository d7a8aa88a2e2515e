"""The learning rate ends with the steps or with the time, whatever the machine's speed does."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.schedule import TimedCosine


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(steps: int, warmup: int, seconds: float, cost: list[float]) -> tuple[list[float], TimedCosine]:
    """Rates of the steps taken, `cost[n]` seconds each, until the schedule is done."""
    clock = Clock()
    schedule = TimedCosine(steps, warmup, seconds, clock)
    rates = []
    for step in range(steps):
        rates.append(schedule(step))
        clock.now += cost[step % len(cost)]
        schedule.advance(step + 1)
        if schedule.done:
            break
    return rates, schedule


def test_with_time_to_spare_it_is_the_plain_cosine() -> None:
    rates, schedule = run(40, 4, seconds=1000, cost=[1.0])
    assert len(rates) == 40
    assert rates[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    cosine = [0.5 * (1 + math.cos(math.pi * step / 40)) for step in range(4, 40)]
    assert rates[4:] == pytest.approx(cosine)
    assert schedule.done


def test_a_slow_machine_gets_the_same_curve_over_fewer_steps() -> None:
    rates, schedule = run(400, 4, seconds=100, cost=[1.0])
    assert len(rates) == 100
    assert rates[-1] < 0.01, "the rate has come down when the time is over"
    assert schedule.done
    assert schedule.expected_steps(100) == 100


def test_a_machine_that_slows_down_half_way_still_ends_in_time() -> None:
    rates, _ = run(100, 4, seconds=100, cost=[0.5] * 50 + [5.0] * 50)
    assert 50 < len(rates) < 70
    assert rates[-1] < 0.1


@given(
    steps=st.integers(1, 300),
    warmup=st.integers(0, 20),
    seconds=st.floats(2, 500),
    cost=st.lists(st.floats(0.01, 20), min_size=1, max_size=50),
)
def test_it_never_rises_after_the_warm_up_and_never_ends_late(
    steps: int, warmup: int, seconds: float, cost: list[float]
) -> None:
    rates, schedule = run(steps, warmup, seconds, cost)
    after = rates[warmup:]
    assert after == sorted(after, reverse=True)
    assert all(0 <= rate <= 1 for rate in rates)
    assert schedule.done, "either all steps were taken or the time is over"
    spent = [cost[n % len(cost)] for n in range(len(rates))]
    assert sum(spent[:-1]) < seconds, "no step begins after the end"


@given(done=st.integers(1, 99), progress=st.floats(0, 0.99))
def test_what_is_left_is_shared_out_after_a_restart(done: int, progress: float) -> None:
    clock = Clock()
    schedule = TimedCosine(100, 0, 1e9, clock)
    schedule.resume(done, progress)
    assert schedule.advance(done) == progress
    assert schedule.advance(100) == 1.0


def test_resumed_on_a_fast_machine_it_goes_on_as_if_nothing_had_happened() -> None:
    whole, _ = run(60, 3, seconds=1e6, cost=[1.0])
    clock = Clock()
    schedule = TimedCosine(60, 3, 1e6, clock)
    schedule.resume(30)
    again = [schedule(step) for step in range(30, 60)]
    assert again == pytest.approx(whole[30:])
