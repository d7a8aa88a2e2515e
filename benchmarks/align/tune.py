"""How good are the aligner's weights, and how flat is each optimum?

    python -m benchmarks.align.tune [--data FOLDER] [--sessions 5] [--hours 0.5] [--seed 800] [--budget 25]

Every number in `Weights` is changed alone, by the factors of `FACTORS`, and the development sessions are
aligned again: both ends of all ranges first, then, where the objective moves, the rest. `--rounds N` then
goes on as coordinate descent: it moves along the steps that gain more than noise and sweeps again from
there. Steps that gain more than twice their standard error (paired over sessions) are measured once more on
sessions of other seeds, because the best of hundreds of trials is partly luck. Nothing is written into
`Weights`.

The development sessions are constructed; with `--data` there are also minutes constructed over real
recognised speech. The sample municipality and the suites of `run.py` are the test and stay out.

Measurements go to `OUT/evaluations.jsonl` one by one: a run that was killed goes on where it stopped. The
result is `OUT/tune.json`, the page `DOCS/weights.md` and its picture `DOCS/images/weights.png`.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tqdm import tqdm

from astra_lib.core.errors import InputError
from astra_lib.core.records import write_json
from astra_lib.weights import Weights

from .bench import Bench, Coordinate, coordinates, description, development

FLAT = 0.002  # two objectives closer than this are taken as equal
FRESH = 50  # added to the seed for the sessions of the second measurement
OBJECTIVE = (
    "mean over the sets of the mean over their sessions of F1 - 0.1 U. F1: a pair is right when its span and "
    "the gold overlap by at least half (intersection over union). U: the share of unspoken paragraphs that "
    "were given a span. Such a pair already costs precision; the penalty says that a model that learns to "
    "write what nobody said is worse than one that misses a paragraph."
)
FORMULA = "J = 1/S sum_s 1/n_s sum_i (F1_si - 0.1 U_si)"


@dataclass
class Curve:
    """The objective along one weight, all others left alone."""

    name: str
    value: float  # the present one
    values: list[float]  # by factor
    objectives: dict[float, float]  # by value; without values that were not run or that the aligner refuses
    silent: bool  # no score of any session changes at either end of the range
    best: float  # the value with the best objective; of equals the one nearest to the present
    gain: float  # of the best over the present
    error: float  # standard error of the gain
    flat: tuple[float, float]  # values around the best that are within `FLAT` of it

    @property
    def beyond_noise(self) -> bool:
        return self.gain > max(2 * self.error, FLAT / 2)


def ends(coordinate: Coordinate, start: Weights) -> list[Weights]:
    """The weights with the lowest and the highest value tried here."""
    values = coordinate.trials(start)
    return [coordinate.at(start, value) for value in (min(values), max(values))]


def movement(bench: Bench, coordinate: Coordinate, start: Weights) -> float:
    """How far the objective moves at the ends of the range; all of it where the aligner refuses a value."""
    present = bench.objective(start) or 0.0
    return max(abs((bench.objective(weights) or 0.0) - present) for weights in ends(coordinate, start))


def sweep(
    bench: Bench, start: Weights, chosen: Sequence[Coordinate], deadline: float = math.inf
) -> list[Curve]:
    """A curve for every weight: the ends of all ranges first, then the rest, steepest first.

    Nothing is begun after the deadline (of `time.monotonic`); curves are drawn of what is known by then.
    """
    bench.measured([start])
    movements = {}
    for coordinate in tqdm(chosen, desc="ends", unit="weight", disable=None):
        if time.monotonic() < deadline:
            bench.measured(ends(coordinate, start))
            movements[coordinate] = movement(bench, coordinate, start)
    moving = [c for c, far in movements.items() if far > FLAT / 2]
    moving.sort(key=lambda coordinate: -movements[coordinate])
    for coordinate in tqdm(moving, desc="between", unit="weight", disable=None):
        if time.monotonic() < deadline:
            bench.measured([coordinate.at(start, value) for value in coordinate.trials(start)])
    return [curve_of(bench, coordinate, start) for coordinate in movements]


def curve_of(bench: Bench, coordinate: Coordinate, start: Weights) -> Curve:
    """What is known of one weight."""
    present = coordinate.of(start)
    values = coordinate.trials(start)
    tried = {value: coordinate.at(start, value) for value in values}
    measured = {value: weights for value, weights in tried.items() if bench.knows(weights)}
    objectives = {value: bench.objective(weights) for value, weights in measured.items()}
    known = {value: objective for value, objective in objectives.items() if objective is not None}
    best = max(known, key=lambda value: (known[value], -abs(value - present)))
    gain, error = bench.gain(tried[best], start) if best != present else (0.0, 0.0)
    before, *after = bench.measured([start, *ends(coordinate, start)])
    return Curve(
        name=coordinate.name,
        value=present,
        values=values,
        objectives=known,
        silent=all(scores == before for scores in after),
        best=best,
        gain=gain,
        error=error,
        flat=flat_range(known, best),
    )


def flat_range(objectives: dict[float, float], best: float) -> tuple[float, float]:
    """From the lowest to the highest value, around the best one, whose objective is within `FLAT` of it."""
    values = sorted(objectives)
    low = high = values.index(best)
    while low > 0 and objectives[values[low - 1]] >= objectives[best] - FLAT:
        low -= 1
    while high + 1 < len(values) and objectives[values[high + 1]] >= objectives[best] - FLAT:
        high += 1
    return values[low], values[high]


def descend(bench: Bench, start: Weights, curves: Sequence[Curve]) -> Weights:
    """A round of coordinate descent: the steps that gain more than noise, largest first, while they help."""
    by_name = {c.name: c for c in coordinates(start)}
    for curve in sorted(curves, key=lambda curve: -curve.gain):
        if curve.beyond_noise:
            candidate = by_name[curve.name].at(start, curve.best)
            gain, error = bench.gain(candidate, start)
            if gain > 2 * error:
                start = candidate
    return start


def search(
    bench: Bench, chosen: Sequence[Coordinate], rounds: int, deadline: float
) -> tuple[list[Curve], Weights]:
    """The curves around the present weights, and the point that so many rounds of descent lead to."""
    curves = around = sweep(bench, bench.present, chosen, deadline)
    point = bench.present
    for number in range(rounds):
        if number:
            around = sweep(bench, point, chosen, deadline)
        moved = descend(bench, point, around)
        if moved == point:
            break
        point = moved
    return curves, point


def second_look(bench: Bench, curves: Sequence[Curve], together: Weights) -> dict[str, tuple[float, float]]:
    """The gains beyond noise, by weight, on the sessions of this bench; "together": that of the descent."""
    present = bench.present
    by_name = {c.name: c for c in coordinates(present)}
    fresh = {}
    for curve in curves:
        if curve.beyond_noise:
            fresh[curve.name] = bench.gain(by_name[curve.name].at(present, curve.best), present)
    if together != present:
        fresh["together"] = bench.gain(together, present)
    return fresh


@dataclass
class Result:
    """What a run found; what the page shows."""

    date: str
    command: str
    seed: int
    data: list[dict[str, Any]]
    objective: float  # of the present weights
    curves: list[Curve]
    missing: list[str]  # weights that the time did not suffice for
    step: dict[str, float]  # where coordinate descent went from the present weights
    step_gain: tuple[float, float]  # and what that gained, with its standard error
    fresh: dict[str, tuple[float, float]]  # gains on fresh sessions, see `second_look`


def announce(objective: float, seed: int, data: Sequence[dict[str, Any]]) -> None:
    """Say what is maximised, on what."""
    print(f"objective: {OBJECTIVE}\n           {FORMULA}\nseed:      {seed}\ndata:")
    for row in data:
        print("          ", ", ".join(f"{key} {value}" for key, value in row.items()))
    print(f"present:   J = {objective:.4f}", flush=True)


def run(options: argparse.Namespace) -> Result:
    """Sweep, descend, look again on other sessions."""
    deadline = time.monotonic() + 60 * options.budget
    present = Weights()
    chosen = [c for c in coordinates(present) if not options.only or c.field in options.only]
    sets = development(options.sessions, options.hours, options.seed, options.data)
    with closing(Bench(sets, options.out / "evaluations.jsonl", present, options.workers)) as bench:
        objective = bench.objective(present)
        if objective is None:
            raise InputError("a development session cannot be aligned with the present weights")
        announce(objective, options.seed, description(sets))
        curves, point = search(bench, chosen, options.rounds, deadline)
        step, step_gain = bench.point(point), bench.gain(point, present)
    fresh: dict[str, tuple[float, float]] = {}
    if any(curve.beyond_noise for curve in curves):
        others = development(options.sessions, options.hours, options.seed + FRESH, options.data)
        with closing(Bench(others, options.out / "fresh.jsonl", present, options.workers)) as bench:
            fresh = second_look(bench, curves, point)
    reached = {curve.name for curve in curves}
    return Result(
        date=date.today().isoformat(),
        command="python -m benchmarks.align.tune "
        + shlex.join(sys.argv[1:]).replace(str(options.data), "FOLDER"),
        seed=options.seed,
        data=description(sets),
        objective=objective,
        curves=curves,
        missing=[c.name for c in chosen if c.name not in reached],
        step=step,
        step_gain=step_gain,
        fresh=fresh,
    )


def main() -> None:
    from .tune_page import page, picture, table

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with ecuador_dev")
    parser.add_argument("--sessions", type=int, default=5, help="sessions in each set")
    parser.add_argument("--hours", type=float, default=0.5, help="length of a session")
    parser.add_argument("--seed", type=int, default=800)
    parser.add_argument("--budget", type=float, default=25.0, help="minutes after which no weight is begun")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of coordinate descent after the sweep")
    parser.add_argument("--only", nargs="*", help="fields of Weights")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("build/bench/tune"))
    parser.add_argument("--docs", type=Path, default=Path("build/bench/tune"), help="for page and picture")
    options = parser.parse_args()
    result = run(options)
    table(result)
    print("written to", write_json(options.out / "tune.json", asdict(result)))
    print("          ", picture(result, options.docs / "images" / "weights.png"))
    print("          ", page(result, options.docs / "weights.md"))


if __name__ == "__main__":
    main()
