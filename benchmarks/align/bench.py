"""What `tune.py` measures with: development sessions, weights as coordinates, remembered results."""

from __future__ import annotations

import json
import math
import multiprocessing
import multiprocessing.connection
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from astra_lib.alignment import align, score
from astra_lib.core.encoder import default_encoder
from astra_lib.core.errors import InputError
from astra_lib.core.records import dumps
from astra_lib.core.settings import load
from astra_lib.edges import wants_encoder
from astra_lib.weights import Weights

from .data import over_real_speech
from .segments import as_segments
from .sessions import HARD, minutes_session, session
from .speech import Built

FACTORS = (0.5, 0.71, 0.84, 1.0, 1.19, 1.41, 2.0)
ZERO_STEPS = (0.01, 0.03, 0.1, 0.3, 1.0)  # values tried for a weight that is zero and has no multiples
UNSPOKEN_PENALTY = 0.1
MOST_SESSIONS = 8  # per set; more would reach into the seeds of the next set

Sets = dict[str, list[Built]]
Scores = dict[str, float]


def development(count: int, hours: float, seed: int, data: Path | None = None) -> Sets:
    """`count` sessions of about `hours` in each set; every set has `MOST_SESSIONS` seeds of its own."""
    if not 1 <= count <= MOST_SESSIONS:
        raise InputError(
            f"{count} sessions per set", where="--sessions", remedy=f"Ask for 1 to {MOST_SESSIONS}"
        )
    plain, noisy, hard, minutes, bare, real = (
        [seed + MOST_SESSIONS * number + k for k in range(count)] for number in range(6)
    )
    sets = {
        "plain": [session(s, hours) for s in plain],
        "noisy": [session(s, hours, noise=0.2, keep=0.35) for s in noisy],
        "hard": [session(s, hours, mix=HARD, filler=0.5 * (s % 3)) for s in hard],
        "minutes": [minutes_session(s, hours, keep=0.4, diarised=s % 4 > 0) for s in minutes],
        "segments": [as_segments(session(s, hours, noise=0.12), diarised=s % 2 > 0) for s in bare],
    }
    if data:
        speeches = (built for s in real for built in over_real_speech(data, s, hours=hours))
        sets["real speech"] = [built for built, _ in zip(speeches, range(count), strict=False)]
    return sets


def description(sets: Sets) -> list[dict[str, Any]]:
    """A row for every set: how much there is in it."""
    rows = []
    for name, sessions in sets.items():
        gold = [row for built in sessions for row in built.gold]
        hours = sum(built.transcript.duration for built in sessions) / 3600
        unspoken = sum(row["start"] is None for row in gold)
        rows.append(
            {
                "set": name,
                "sessions": len(sessions),
                "hours": round(hours, 2),
                "paragraphs": len(gold),
                "unspoken": unspoken,
            }
        )
    return rows


@dataclass(frozen=True)
class Coordinate:
    """One number of `Weights`: a field, or one place in a field that is a tuple."""

    field: str
    place: int | None = None

    @property
    def name(self) -> str:
        return self.field if self.place is None else f"{self.field}[{self.place}]"

    def of(self, weights: Weights) -> float:
        """Its value."""
        value = getattr(weights, self.field)
        return value if self.place is None else value[self.place]

    def at(self, weights: Weights, value: float) -> Weights:
        """The weights with another value here."""
        changed: Any = value
        if self.place is not None:
            values = list(getattr(weights, self.field))
            values[self.place] = value
            changed = tuple(values)
        return replace(weights, **{self.field: changed})

    def trials(self, weights: Weights) -> list[float]:
        """The values to try: the present one times `FACTORS` (whole if it is whole); for a zero, steps."""
        value = self.of(weights)
        if value == 0:
            return [0.0, *ZERO_STEPS]
        if isinstance(value, int):
            return [max(1, round(value * factor)) for factor in FACTORS]
        return [value * factor for factor in FACTORS]


def coordinates(weights: Weights) -> list[Coordinate]:
    """Every number of the weights, in the order in which they are written down."""
    found = []
    for field in fields(weights):
        value = getattr(weights, field.name)
        if isinstance(value, tuple):
            found += [Coordinate(field.name, place) for place in range(len(value))]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append(Coordinate(field.name))
    return found


class RememberingEncoder:
    """The default encoder; a text it has seen is not encoded again, which most trials would do."""

    def __init__(self) -> None:
        self.known: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of shape (texts, dimensions)."""
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known.update(zip(new, default_encoder().encode(new), strict=True))
        return np.stack([self.known[text] for text in texts])


class Aligner:
    """Aligns and scores the development sessions; every process of the pool has one."""

    def __init__(self, sessions: Sequence[Built]) -> None:
        self.sessions = sessions
        self.params = load({}).align
        self.encoder = RememberingEncoder()

    def scores(self, number: int, weights: Weights) -> Scores | None:
        """Scores of one session; None where the aligner cannot work with such a value."""
        built = self.sessions[number]
        encoder = self.encoder if wants_encoder(self.params, built.transcript) else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # half of the values tried are odd on purpose
            try:
                found = align(
                    built.transcript, built.paragraphs, self.params, encoder=encoder, weights=weights
                )
            except (ArithmeticError, LookupError, TypeError, ValueError):
                return None
        scores = score(found.pairs, built.gold)
        kept = ("f1", "f1_75", "time_f1", "unspoken_accepted")
        return {name: round(scores[name], 6) for name in kept}


ALIGNER: Aligner | None = None  # of this process


def start_worker(sessions: Sequence[Built]) -> None:
    """Give this process its sessions; one thread each, as there are as many processes as are wanted."""
    from threadpoolctl import threadpool_limits

    global ALIGNER
    threadpool_limits(1)
    ALIGNER = Aligner(sessions)
    if multiprocessing.parent_process() is not None:
        threading.Thread(target=leave_with_parent, daemon=True).start()


def leave_with_parent() -> None:
    """End this process when the one that started it is gone: a pool does not notice that it was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def in_worker(job: tuple[int, Weights]) -> Scores | None:
    assert ALIGNER is not None
    return ALIGNER.scores(*job)


class Evaluations:
    """What was measured, by point, in a file to which every new point is appended at once.

    A point is what differs from the present weights. The first line of the file says which weights and data
    it belongs to. Raises `InputError` for a file of others.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        lines = list(whole_lines(path))
        if lines and lines[0] != json.loads(dumps(header)):
            raise InputError(
                "these measurements belong to other weights or other data",
                where=str(path),
                remedy="Name another --out, or delete the file",
            )
        self.known: dict[str, list[Scores | None]] = {dumps(r["point"]): r["scores"] for r in lines[1:]}
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [header, *lines[1:]]
        path.write_text("".join(dumps(row) + "\n" for row in rows), encoding="utf-8")

    def add(self, point: dict[str, float], scores: list[Scores | None]) -> None:
        """Keep a point, in memory and on disk."""
        self.known[dumps(point)] = scores
        with self.path.open("a", encoding="utf-8") as file:
            file.write(dumps({"point": point, "scores": scores}) + "\n")


def whole_lines(path: Path) -> Iterator[Any]:
    """The rows of a JSON lines file up to the one at which its writer was killed."""
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


class Bench:
    """The development sessions, what was measured on them, and the processes that measure."""

    def __init__(self, sets: Sets, path: Path, present: Weights, workers: int = 1) -> None:
        self.present = present
        self.sizes = [len(sessions) for sessions in sets.values()]
        sessions = [built for of_set in sets.values() for built in of_set]
        self.evaluations = Evaluations(path, {"weights": asdict(present), "data": description(sets)})
        self.pool: ProcessPoolExecutor | None = None
        if workers > 1:
            self.pool = ProcessPoolExecutor(workers, initializer=start_worker, initargs=(sessions,))
        else:
            start_worker(sessions)
        self.check()

    def point(self, weights: Weights) -> dict[str, float]:
        """What differs from the present weights."""
        pairs = [(c.name, c.of(weights), c.of(self.present)) for c in coordinates(weights)]
        return {name: value for name, value, before in pairs if value != before}

    def knows(self, weights: Weights) -> bool:
        """Whether these were measured before."""
        return dumps(self.point(weights)) in self.evaluations.known

    def measured(self, weights: Sequence[Weights]) -> list[list[Scores | None]]:
        """Scores of every session under every one of the weights; new points only are aligned."""
        missing = {dumps(self.point(w)): w for w in weights}
        missing = {key: w for key, w in missing.items() if key not in self.evaluations.known}
        count = sum(self.sizes)
        jobs = [(number, w) for w in missing.values() for number in range(count)]
        results = self.pool.map(in_worker, jobs) if self.pool else map(in_worker, jobs)
        for w in missing.values():
            self.evaluations.add(self.point(w), [next(results) for _ in range(count)])
        return [self.evaluations.known[dumps(self.point(w))] for w in weights]

    def check(self) -> None:
        """Raise `InputError` where the present weights score differently now: the aligner was changed."""
        before = self.evaluations.known.pop(dumps({}), None)
        if before is not None and self.measured([self.present])[0] != before:
            raise InputError(
                "the aligner no longer does what was measured here",
                where=str(self.evaluations.path),
                remedy="Name another --out, or delete the file",
            )

    def values(self, weights: Weights) -> list[np.ndarray] | None:
        """F1 - penalty of every session, set by set; None where a session could not be aligned."""
        scores = self.measured([weights])[0]
        known = [s for s in scores if s is not None]
        if len(known) < len(scores):
            return None
        flat = np.asarray([s["f1"] - UNSPOKEN_PENALTY * s["unspoken_accepted"] for s in known])
        return np.split(flat, np.cumsum(self.sizes)[:-1])

    def objective(self, weights: Weights) -> float | None:
        """J; None where a session could not be aligned."""
        values = self.values(weights)
        return None if values is None else float(np.mean([v.mean() for v in values]))

    def gain(self, weights: Weights, other: Weights) -> tuple[float, float]:
        """By how much the weights beat the others, and the standard error of that, paired over sessions."""
        ours, theirs = self.values(weights), self.values(other)
        if ours is None or theirs is None:
            return -math.inf, 0.0
        differences = [a - b for a, b in zip(ours, theirs, strict=True)]
        variance = sum(d.var(ddof=1) / len(d) for d in differences if len(d) > 1)
        mean = float(np.mean([d.mean() for d in differences]))
        return mean, math.sqrt(variance) / len(differences)

    def close(self) -> None:
        """Let the processes go."""
        if self.pool:
            self.pool.shutdown(cancel_futures=True)
