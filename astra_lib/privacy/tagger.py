"""A statistical recogniser of person names: a small CRF that survives capitals and lower case.

Its features are what a reader goes by: is the word a Spanish word at all, is it on a list of names, how is
it written, and what stands beside it. It was trained on sentences composed by `tagger_training` and on
nothing else, so it may be shipped.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..core.errors import MissingError
from ..spanish.lists import (
    COMMON_NAMES,
    DISCOURSE_WORDS,
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
from ..spanish.words import is_spanish_word
from .names import names_a_thing
from .tokens import Mention, Token, letter_case
from .weights import WEIGHTS

MODEL = Path(__file__).with_name("names.crfsuite")
OUT, BEGIN, INSIDE = "O", "B", "I"


@lru_cache(maxsize=200_000)
def word_class(text: str, key: str) -> str:
    """What the lists say about a word, as one short code.

    "part" and "role" stand alone. Otherwise letters of the lists it is on (G given name, S surname, F
    foreign, L place, T saint, H institution's head, c common word; "-" for none), then w for a Spanish word
    or r for a rare one.
    """
    if key in PARTICLES:
        return "part"
    if key in ROLES:
        return "role"
    code = "G" if key in GIVEN else ""
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
    if key in COMMON_NAMES:
        code += "c"
    known = is_spanish_word(text) or is_spanish_word(key)
    return (code or "-") + ("w" if known else "r")


def _shape(token: Token, case: str) -> str:
    """Capitals: "?" where they say nothing, A all, F at the start of a sentence, C elsewhere, l none."""
    if case != "mixed":
        return "?"
    if token.upper:
        return "A"
    if not token.cap:
        return "l"
    return "F" if token.first else "C"


def _gap(text: str, tokens: Sequence[Token], i: int) -> str:
    """What stands before a word: the text's end, nothing "_", a figure "#", or the outer two marks."""
    if i == 0:
        return "^"
    if i >= len(tokens):
        return "$"
    between = text[tokens[i - 1].end : tokens[i].start].strip()
    if not between:
        return "_"
    if any(c.isdigit() for c in between):
        return "#"
    return between[0] + between[-1]


def _key(token: Token, code: str) -> str:
    """The word itself where it is an ordinary one: a name's own letters say nothing about the next name."""
    ordinary = code[-1] == "w" and code[0] in "-Hc"
    return token.key if ordinary or code in ("part", "role") else "~"


@dataclass(frozen=True)
class _Columns:
    """What the features are made of, one entry a token."""

    case: str
    classes: list[str]
    shapes: list[str]
    keys: list[str]
    gaps: list[str]  # one more: what follows the last token

    @classmethod
    def of(cls, text: str, tokens: Sequence[Token]) -> _Columns:
        case = letter_case(tokens)
        classes = [word_class(t.text, t.key) for t in tokens]
        shapes = [_shape(t, case) for t in tokens]
        keys = [_key(t, code) for t, code in zip(tokens, classes, strict=True)]
        gaps = [_gap(text, tokens, i) for i in range(len(tokens) + 1)]
        return cls(case, classes, shapes, keys, gaps)


def _at(values: list[str], i: int) -> str:
    return values[i] if 0 <= i < len(values) else "|"


def features(text: str, tokens: Sequence[Token]) -> list[list[str]]:
    """One list of feature names per token; the names are the shipped model's, so they must not change."""
    columns = _Columns.of(text, tokens)
    rows = []
    for i, token in enumerate(tokens):
        row = [
            *_own_features(columns, i),
            *_neighbour_features(columns, i),
            *_edge_features(columns, i, token),
        ]
        if i and names_a_thing(tokens, i, columns.case):
            row += ["thing", f"thing{columns.classes[i]}"]
        rows.append(row)
    return rows


def _own_features(columns: _Columns, i: int) -> list[str]:
    """The word by itself: class (c), shape (s), key (k), and the gaps before and after it (g, h)."""
    c, s = columns.classes[i], columns.shapes[i]
    return [
        f"c={c}",
        f"s={s}",
        f"cs={c}{s}",
        f"k={columns.keys[i]}",
        f"g={columns.gaps[i]}",
        f"h={columns.gaps[i + 1]}",
        f"case={columns.case}:{c}",
    ]


def _neighbour_features(columns: _Columns, i: int) -> list[str]:
    """Two words to either side: classes before (p) and after (n), keys (pk, nk), shapes (ps, sn)."""
    classes, shapes, keys = columns.classes, columns.shapes, columns.keys
    c, s = classes[i], shapes[i]
    p1, p2, n1, n2 = _at(classes, i - 1), _at(classes, i - 2), _at(classes, i + 1), _at(classes, i + 2)
    k1, k2, m1, m2 = _at(keys, i - 1), _at(keys, i - 2), _at(keys, i + 1), _at(keys, i + 2)
    return [
        f"p={p1}",
        f"n={n1}",
        f"pc={p1}>{c}",
        f"cn={c}>{n1}",
        f"pcn={p1}>{c}>{n1}",
        f"pp={p2}>{p1}>{c}",
        f"nn={c}>{n1}>{n2}",
        f"ps={_at(shapes, i - 1)}{s}",
        f"sn={s}{_at(shapes, i + 1)}",
        f"pk={k1}",
        f"nk={m1}",
        f"pks={k1}{s}",
        f"pkc={k1}>{c}",
        f"nkc={c}>{m1}",
        f"pk2={k2}",
        f"nk2={m2}",
        f"pk21={k2}_{k1}",
    ]


def _edge_features(columns: _Columns, i: int, token: Token) -> list[str]:
    """Gaps with class and shape (gcs, hcs), the word's ending (e) and length, the next word's ending (ne)."""
    c, s = columns.classes[i], columns.shapes[i]
    after = _at(columns.keys, i + 1)
    return [
        f"gcs={columns.gaps[i]}{c}{s}",
        f"hcs={columns.gaps[i + 1]}{c}{s}",
        f"e={token.key[-3:]}{c[-1]}",
        f"len={min(len(token.key), 9)}{c[-1]}",
        f"ne={after[-2:]}{c}" if after not in "|~" else "ne=~",
    ]


def _trust(token: Token, case: str) -> float:
    """What part of the tagger's probability to believe.

    Less for a dictionary word on no list, or one that mostly is a word, where capitals cannot confirm it.
    """
    if token.key in PARTICLES:
        return 1.0
    capital = case == "mixed" and token.cap
    if token.key in FUNCTION_WORDS and not (capital and not token.first):
        return 0.0
    code = word_class(token.text, token.key)
    if case == "mixed":
        return 1.0 if capital or code[-1] == "r" else WEIGHTS.trust_no_capital
    ordinary = code[-1] == "w" and (code[0] in "-H" or "c" in code)
    return WEIGHTS.trust_ordinary if ordinary else 1.0


def _could_be_name(token: Token) -> bool:
    """On a list of names, or no Spanish word."""
    code = word_class(token.text, token.key)
    return code[-1] == "r" or any(c in code for c in "GSF")


def _is_doubtful(words: Sequence[Token], case: str, score: float) -> bool:
    """Does this stretch need a surer tagger than `score`?"""
    first = words[0]
    if first.key in INSTITUTION_HEADS and first.key not in GIVEN:
        return True
    if len(words) == 1:
        if _is_doubtful_alone(first, case, score):
            return True
    elif first.key in SAINTS and score < WEIGHTS.sure_saint:
        return True
    if case != "mixed":
        return False
    if score < WEIGHTS.sure_ordinary and not any(_could_be_name(w) for w in words):
        return True
    if score >= WEIGHTS.sure_no_capital:
        return False
    opens_common = len(words) == 1 and first.first and first.key in COMMON_NAMES
    return opens_common or not any(w.cap for w in words)


def _is_doubtful_alone(word: Token, case: str, score: float) -> bool:
    """A single word that opens sentences of speech, or is a place."""
    written_like_name = case == "mixed" and word.cap and not word.first
    if word.key in DISCOURSE_WORDS and not written_like_name:
        return True
    given = word.key in GIVEN or word.key in FOREIGN_GIVEN
    return word.key in PLACES and not given and score < WEIGHTS.sure_place


@dataclass(frozen=True)
class _Reading:
    """A text as the tagger sees it: `likely[i]` is how far to believe that token i is part of a name."""

    tokens: Sequence[Token]
    case: str
    likely: list[float]
    threshold: float

    def may_begin(self, i: int) -> bool:
        token = self.tokens[i]
        if self.likely[i] < self.threshold or len(token.text) < WEIGHTS.name_letters:
            return False
        return token.key not in PARTICLES and token.key not in ROLES

    def may_go_on(self, i: int) -> bool:
        token = self.tokens[i]
        if not token.joined:
            return False
        if token.key in PARTICLES and token.key != "y":
            return True
        trusted = _trust(token, self.case) == 1.0
        return self.likely[i] >= (self.further if trusted else self.threshold)

    @property
    def further(self) -> float:
        """Once a name has begun, less is needed to go on."""
        return self.threshold * WEIGHTS.tagger_further


class NameModel:
    """The shipped tagger, or one from a file; it is read in milliseconds, and threads take turns at it."""

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
        """Runs of tokens above the threshold; `score` is the surest token's."""
        with self._turn:
            return self._mentions(text, tokens, threshold)

    def _mentions(self, text: str, tokens: Sequence[Token], threshold: float) -> list[Mention]:
        case = letter_case(tokens)
        likely = [p * _trust(t, case) for p, t in zip(self.probabilities(text, tokens), tokens, strict=True)]
        reading = _Reading(tokens, case, likely, threshold)
        found: list[Mention] = []
        i = 0
        while i < len(tokens):
            if not reading.may_begin(i):
                i += 1
                continue
            last = self._last_of_name(reading, i)
            score = max(likely[i : last + 1])
            doubtful = _is_doubtful(tokens[i : last + 1], case, score)
            if not doubtful and not names_a_thing(tokens, i, case):
                found.append(Mention(tokens[i].start, tokens[last].end, "crf", score=score))
            i = last + 1
        return found

    def _last_of_name(self, reading: _Reading, first: int) -> int:
        """The last token of the name that begins at token `first`."""
        last = first
        for i in range(first + 1, len(reading.tokens)):
            if not reading.may_go_on(i):
                break
            key = reading.tokens[i].key
            if key not in PARTICLES and key not in ROLES:
                if self.tagger.marginal(BEGIN, i) > self.tagger.marginal(INSIDE, i):
                    break  # somebody else
                last = i
            elif reading.likely[i] < reading.further * WEIGHTS.tagger_particle:
                break
        return last
