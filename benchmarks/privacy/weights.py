"""Does any number of `astra_lib/privacy/weights.py` stand on an edge? Each is moved, down and up.

    python -m benchmarks.privacy.weights [--only NAME ...] [--out FOLDER]

Objective: share of the mentions masked whole, and precision, summed over council minutes and speech (names
redrawn with seeds that no report uses), the roster's names in every form, structured data with its decoys,
and every fourth sample session as a recogniser heard it. Nothing is fitted: the script shows how flat each
number is where it stands.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from astra_lib.core.records import write_json
from astra_lib.privacy.names import is_rare
from astra_lib.privacy.placeholders import PERSON_TYPES
from astra_lib.privacy.weights import WEIGHTS
from astra_lib.scrub import Scrubber

from .corpora import Gold
from .council import council
from .heard import HeardSession, sessions
from .run import REPOSITORY, roster_forms
from .structured import structured

SEEDS = (101,)
STEP = 0.2  # a number is moved by this part of itself, an integer by one at least


@dataclass
class Score:
    """Counts of mentions and of masked spans."""

    mentions: int = 0
    masked: int = 0
    spans: int = 0
    right: int = 0

    def add(self, text: str, gold: list[tuple[int, int]], found: list[tuple[int, int]]) -> None:
        covered = {i for start, end in found for i in range(start, end)}
        self.mentions += len(gold)
        self.masked += sum(
            all(i in covered or not text[i].isalnum() for i in range(start, end)) for start, end in gold
        )
        self.spans += len(found)
        self.right += sum(any(a < end and start < b for start, end in gold) for a, b in found)

    @property
    def recall(self) -> float:
        return self.masked / max(self.mentions, 1)

    @property
    def precision(self) -> float:
        return self.right / max(self.spans, 1)


@dataclass
class Development:
    """What the numbers are tried on."""

    people: list[Gold]
    data: Gold
    heard: list[HeardSession]

    @classmethod
    def load(cls) -> Development:
        topics = REPOSITORY / "samples" / "sources" / "topics"
        minutes = [gold for seed in SEEDS for gold in council(topics, seed, False)]
        speech = [gold for seed in SEEDS for gold in council(topics, seed, True)]
        items, decoys = structured(200, 100, SEEDS[0])
        every = [gold for _, gold in items] + [decoys]
        data = Gold(
            [text for gold in every for text in gold.texts], [s for gold in every for s in gold.spans]
        )
        heard = sessions(REPOSITORY / "samples")[::4]
        return cls([*minutes, *speech, *roster_forms(minutes[:2])], data, heard)

    def scores(self) -> dict[str, Score]:
        made = {"written": Score(), "spoken": Score(), "heard": Score(), "data": Score()}
        for gold in self.people:
            add(made["spoken" if gold.spoken else "written"], gold, [], people=True)
        for session in self.heard:
            add(made["heard"], session.gold, session.minutes, people=True, spoken=True)
        add(made["data"], self.data, [], people=False)
        return made


def add(score: Score, gold: Gold, minutes: list[str], people: bool, spoken: bool = False) -> None:
    """Mask a document, beside its minutes if there are any, and count."""
    scrubber = Scrubber("benchmark", gold.roster, threshold=WEIGHTS.tagger_threshold)
    speech = gold.texts if spoken or gold.spoken else ()
    entities = scrubber.entities([*minutes, *gold.texts], speech)[len(minutes) :]
    for text, spans, found in zip(gold.texts, gold.spans, entities, strict=True):
        wanted = [
            e for e in found if (e.type in PERSON_TYPES) == people and e.type not in ("LITERAL", "PARTIDO")
        ]
        score.add(text, spans, [(e.start, e.end) for e in wanted])


@contextmanager
def moved(name: str, value: float) -> Iterator[None]:
    """One number changed; what is remembered of the old one is forgotten."""
    before = getattr(WEIGHTS, name)
    object.__setattr__(WEIGHTS, name, value)
    is_rare.cache_clear()
    try:
        yield
    finally:
        object.__setattr__(WEIGHTS, name, before)
        is_rare.cache_clear()


def neighbours(value: float) -> tuple[float, float]:
    """A step down and a step up."""
    if isinstance(value, int):
        step = max(1, round(value * STEP))
        return value - step, value + step
    return value * (1 - STEP), min(value * (1 + STEP), 1.0) if value <= 1 else value * (1 + STEP)


def change(before: Score, after: Score) -> dict[str, float]:
    """In points of a hundred."""
    return {
        "masked": 100 * (after.recall - before.recall),
        "precision": 100 * (after.precision - before.precision),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[field.name for field in fields(WEIGHTS)])
    parser.add_argument("--out", type=Path, help="folder for privacy-weights.json")
    args = parser.parse_args()
    development = Development.load()
    base = development.scores()
    for name, score in base.items():
        print(f"{name:8} {score.mentions:5} masked {score.recall:.3f} precision {score.precision:.3f}")
    rows: list[dict[str, Any]] = []
    for name in args.only:
        for value in neighbours(getattr(WEIGHTS, name)):
            with moved(name, value):
                scores = development.scores()
            changes = {part: change(base[part], scores[part]) for part in base}
            rows.append({"name": name, "is": getattr(WEIGHTS, name), "tried": value, "change": changes})
            told = [
                f"{p} {c['masked']:+.1f}/{c['precision']:+.1f}" for p, c in changes.items() if any(c.values())
            ]
            print(
                f"{name:30} {getattr(WEIGHTS, name):6} -> {value:6.3g}  {'  '.join(told) or 'nothing'}",
                flush=True,
            )
    if args.out:
        write_json(args.out / "privacy-weights.json", {"seeds": SEEDS, "step": STEP, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
