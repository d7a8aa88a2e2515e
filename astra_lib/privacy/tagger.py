"""A statistical recogniser of person names: a small CRF that survives capitals and lower case.

Its features are what a reader goes by: is the word a Spanish word at all, is it on a list of names, how is it written, and
what stands beside it. It was trained on sentences composed by `tagger_training` and on nothing else, so it may be shipped.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..core.errors import MissingError
from ..spanish.words import is_spanish_word
from ..spanish.lists import (
    FOREIGN_GIVEN,
    FOREIGN_SURNAMES,
    FUNCTION_WORDS,
    GIVEN,
    INSTITUTION_HEADS,
    PARTICLES,
    PLACES,
    ROLES,
    SAINTS,
    SURNAMES,
)
from .people import COMMON, DISCOURSE, Mention, Token, letter_case, named_thing

MODEL = Path(__file__).with_name("names.crfsuite")
OUT, BEGIN, INSIDE = "O", "B", "I"


@lru_cache(maxsize=200_000)
def word_class(text: str, key: str) -> str:
    """What the lists say about a word, as one short code."""
    code = ""
    if key in PARTICLES:
        return "part"
    if key in ROLES:
        return "role"
    if key in GIVEN:
        code += "G"
    if key in SURNAMES:
        code += "S"
    if key in FOREIGN_GIVEN or key in FOREIGN_SURNAMES:
        code += "F"
    if key in PLACES:
        code += "L"
    if key in SAINTS:
        code += "T"
    if key in INSTITUTION_HEADS and not code:
        code += "H"
    if key in COMMON:
        code += "c"
    known = is_spanish_word(text) or is_spanish_word(key)
    return (code or "-") + ("w" if known else "r")


def _shape(token: Token, case: str) -> str:
    if case != "mixed":
        return "?"
    if token.upper:
        return "A"
    return ("F" if token.first else "C") if token.cap else "l"


def _gap(text: str, tokens: Sequence[Token], i: int) -> str:
    """What stands between a word and the one before it."""
    if i == 0:
        return "^"
    if i >= len(tokens):
        return "$"
    between = text[tokens[i - 1].end : tokens[i].start].strip()
    return "_" if not between else "#" if any(c.isdigit() for c in between) else between[0] + between[-1]


def features(text: str, tokens: Sequence[Token]) -> list[list[str]]:
    """One list of feature names per token."""
    case = letter_case(tokens)
    classes = [word_class(t.text, t.key) for t in tokens]
    shapes = [_shape(t, case) for t in tokens]
    gaps = [_gap(text, tokens, i) for i in range(len(tokens) + 1)]
    # a name's own letters say nothing about the next name; an ordinary word's do
    keys = [
        t.key if c[-1] == "w" and c[0] in "-Hc" or c in ("part", "role") else "~"
        for t, c in zip(tokens, classes, strict=True)
    ]
    count = len(tokens)

    def at(values: list[str], i: int) -> str:
        return values[i] if 0 <= i < count else "|"

    rows = []
    for i, token in enumerate(tokens):
        c, s = classes[i], shapes[i]
        p1, n1, p2, n2 = at(classes, i - 1), at(classes, i + 1), at(classes, i - 2), at(classes, i + 2)
        k1, m1 = at(keys, i - 1), at(keys, i + 1)
        end = token.key[-3:]
        row = [
            f"c={c}",
            f"s={s}",
            f"cs={c}{s}",
            f"k={keys[i]}",
            f"g={gaps[i]}",
            f"h={gaps[i + 1]}",
            f"case={case}:{c}",
            f"p={p1}",
            f"n={n1}",
            f"pc={p1}>{c}",
            f"cn={c}>{n1}",
            f"pcn={p1}>{c}>{n1}",
            f"pp={p2}>{p1}>{c}",
            f"nn={c}>{n1}>{n2}",
            f"ps={at(shapes, i - 1)}{s}",
            f"sn={s}{at(shapes, i + 1)}",
            f"pk={k1}",
            f"nk={m1}",
            f"pks={k1}{s}",
            f"pkc={k1}>{c}",
            f"nkc={c}>{m1}",
            f"pk2={at(keys, i - 2)}",
            f"nk2={at(keys, i + 2)}",
            f"pk21={at(keys, i - 2)}_{k1}",
            f"gcs={gaps[i]}{c}{s}",
            f"hcs={gaps[i + 1]}{c}{s}",
            f"e={end}{c[-1]}",
            f"len={min(len(token.key), 9)}{c[-1]}",
            f"ne={m1[-2:]}{c}" if m1 not in "|~" else "ne=~",
        ]
        if i and named_thing(tokens, i, case):
            row += ["thing", f"thing{c}"]
        rows.append(row)
    return rows


def _trust(token: Token, case: str) -> float:
    """How far to believe the tagger: less for a dictionary word on no list, or mostly a word, where capitals cannot confirm it."""
    code = word_class(token.text, token.key)
    if token.key in PARTICLES:
        return 1.0
    if token.key in FUNCTION_WORDS and not (case == "mixed" and token.cap and not token.first):
        return 0.0
    if case == "mixed":
        return 1.0 if token.cap or code[-1] == "r" else 0.3
    return 0.6 if code[-1] == "w" and (code[0] in "-H" or "c" in code) else 1.0


def _says_name(token: Token) -> bool:
    code = word_class(token.text, token.key)
    return code[-1] == "r" or any(c in code for c in "GSF")


def _doubtful(words: Sequence[Token], case: str, score: float) -> bool:
    """Where capitals carry meaning, a word without one, or a common word that opens a sentence, needs a surer tagger."""
    if (
        len(words) == 1
        and words[0].key in DISCOURSE
        and (case != "mixed" or words[0].first or not words[0].cap)
    ):
        return True
    if words[0].key not in GIVEN and words[0].key in INSTITUTION_HEADS:
        return True
    if len(words) > 1 and words[0].key in SAINTS and score < 0.97:
        return True
    if (
        len(words) == 1
        and words[0].key in PLACES
        and words[0].key not in GIVEN
        and words[0].key not in FOREIGN_GIVEN
        and score < 0.8
    ):
        return True
    if case == "mixed" and score < 0.93 and not any(_says_name(w) for w in words):
        return True
    if case != "mixed" or score >= 0.75:
        return False
    return not any(w.cap for w in words) or (len(words) == 1 and words[0].first and words[0].key in COMMON)


class NameModel:
    """The shipped tagger, or one from a file; reading it takes milliseconds, it is shared by threads that take turns."""

    def __init__(self, path: Path | str = MODEL) -> None:
        import pycrfsuite

        path = Path(path)
        if not path.is_file():
            raise MissingError(
                "the name model is missing",
                where=path.name,
                remedy="Train it: python -m astra_lib.privacy.tagger_training",
            )
        self._turn = threading.Lock()  # the tagger holds one sequence at a time
        self.tagger: Any = pycrfsuite.Tagger()
        self.tagger.open(str(path))

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> NameModel:
        return cls()

    def probabilities(self, text: str, tokens: Sequence[Token]) -> list[float]:
        """For each token, how likely it is part of a person's name."""
        if not tokens:
            return []
        self.tagger.set(features(text, tokens))
        return [1.0 - self.tagger.marginal(OUT, i) for i in range(len(tokens))]

    def mentions(self, text: str, tokens: Sequence[Token], threshold: float) -> list[Mention]:
        """Runs of tokens above the threshold; particles join only between names; `score` is the surest token's."""
        with self._turn:
            return self._mentions(text, tokens, threshold)

    def _mentions(self, text: str, tokens: Sequence[Token], threshold: float) -> list[Mention]:
        case = letter_case(tokens)
        likely = [p * _trust(t, case) for p, t in zip(self.probabilities(text, tokens), tokens, strict=True)]
        further = threshold / 4  # once a name has begun, less is needed to go on
        found: list[Mention] = []
        i = 0
        while i < len(tokens):
            if (
                likely[i] < threshold
                or len(tokens[i].text) < 3
                or tokens[i].key in PARTICLES
                or tokens[i].key in ROLES
            ):
                i += 1
                continue
            j = i + 1
            last = i
            while (
                j < len(tokens)
                and tokens[j].joined
                and (
                    likely[j] >= (further if _trust(tokens[j], case) == 1.0 else threshold)
                    or tokens[j].key in PARTICLES
                    and tokens[j].key != "y"
                )
            ):
                if tokens[j].key not in PARTICLES and tokens[j].key not in ROLES:
                    if self.tagger.marginal(BEGIN, j) > self.tagger.marginal(INSIDE, j):
                        break
                    last = j
                elif likely[j] < further / 2:
                    break
                j += 1
            if not _doubtful(tokens[i : last + 1], case, max(likely[i : last + 1])) and not named_thing(
                tokens, i, case
            ):
                found.append(
                    Mention(
                        tokens[i].start, tokens[last].end, "crf", "", frozenset(), max(likely[i : last + 1])
                    )
                )
            i = last + 1
        return found
