"""A text as words with offsets, and the mentions of people that the finders report on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..spanish.words import fold
from .weights import WEIGHTS

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?:;\n•\t\"“”«»()¿¡]")


@dataclass(frozen=True)
class Token:
    """A word at `[start, end)` of its text."""

    start: int
    end: int
    text: str
    key: str  # folded
    first: bool  # opens a sentence
    joined: bool  # only blanks since the token before

    @property
    def cap(self) -> bool:
        return self.text[0].isupper()

    @property
    def upper(self) -> bool:
        return len(self.text) > 1 and self.text.isupper()


@dataclass(frozen=True)
class Mention:
    """Somebody named at `[start, end)`, and what the finder knows about it."""

    start: int
    end: int
    layer: str  # the finder
    role: str = ""  # what the words before it say
    who: frozenset[str] = frozenset()  # keys of the roster people it may be; empty: not on the roster
    score: float = 1.0
    name: tuple[str, ...] = ()  # whose it is by its sound, folded words


def tokenize(text: str) -> list[Token]:
    """Words with offsets; hyphens and apostrophes stay inside a word."""
    tokens: list[Token] = []
    last = 0
    for match in WORD.finditer(text):
        gap = text[last : match.start()]
        opens = not tokens or bool(_SENTENCE_END.search(gap))
        joined = not gap.strip() and "\n" not in gap
        tokens.append(Token(*match.span(), match[0], fold(match[0]), opens, joined))
        last = match.end()
    return tokens


def tokens_of(tokens: Sequence[Token], mention: Mention) -> list[Token]:
    """The words of a mention."""
    return [t for t in tokens if mention.start <= t.start < mention.end]


def neighbour(tokens: Sequence[Token], i: int) -> Token | None:
    """The word after token i, when only blanks stand between them."""
    if i + 1 < len(tokens) and tokens[i + 1].joined:
        return tokens[i + 1]
    return None


def letter_case(tokens: Sequence[Token]) -> str:
    """ "mixed" where capitals carry meaning, "upper" or "lower" where they do not.

    Minutes, shouted headings and a recogniser's lower case follow different rules, so it is asked text by
    text.
    """
    words = [t for t in tokens if len(t.text) > 1]
    if not words:
        return "mixed"
    if sum(t.upper for t in words) / len(words) > WEIGHTS.capitals_share:
        return "upper"
    capitals = sum(t.cap for t in words)
    if capitals == 0:
        return "lower"
    enough = len(words) > WEIGHTS.lower_case_words
    only_at_starts = not any(t.cap and not t.first for t in words)
    few = capitals < len(words) / WEIGHTS.lower_case_words_per_capital
    return "lower" if enough and only_at_starts and few else "mixed"
