"""What others do with the same input, after their published descriptions.

Each returns a span in seconds or None per paragraph.

Token matchers (rapidfuzz Indel, difflib, patiencediff, unique n-grams + chain) match minutes and speech as
two token sequences; a paragraph's span is the densest run of its matched tokens when at least a quarter of
it was matched, which is kinder to them than the outermost match. The window matchers and sentence aligners
place paragraphs on units.
"""

from __future__ import annotations

import difflib
import json
import math
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from astra_lib import anchors, hearing
from astra_lib.text import tokens

from .speech import Built

Span = tuple[float, float]
Spans = list[Span | None]


class Input:
    """Tokens, times and units of a session, made once for all peers (their own reading is not timed)."""

    def __init__(self, built: Built) -> None:
        self.vocabulary = hearing.Vocabulary()
        self.speech = hearing.listen(built.transcript, self.vocabulary)
        self.texts = [self.vocabulary(tokens(p.text)) for p in built.paragraphs]
        self.offsets = np.cumsum([0] + [len(t) for t in self.texts])
        self.written = np.concatenate([*self.texts, np.empty(0, np.int32)])
        self.raw = [p.text for p in built.paragraphs]
        self.name = {n: t for t, n in self.vocabulary.ids.items()}
        cut = self.speech.first
        self.units = [self.words(self.speech.ids[a:b]) for a, b in zip(cut[:-1], cut[1:], strict=True)]
        self.plain = [self.words(t) for t in self.texts]
        self.elsewhere_s = 0.0

    def words(self, ids: Iterable[int]) -> str:
        """Tokens as text, normalised."""
        return " ".join(self.name[int(i)] for i in ids)

    def spans(self, pairs: Iterable[tuple[int, int]], least: float = 0.25) -> Spans:
        """Matched token pairs (written, heard) as spans."""
        places: list[list[int]] = [[] for _ in self.texts]
        owner = np.searchsorted(self.offsets, np.arange(len(self.written)), side="right") - 1
        for a, b in pairs:
            places[int(owner[a])].append(b)
        out: Spans = []
        for text, mine in zip(self.texts, places, strict=True):
            lo, hi = anchors.densest(mine)
            if len(text) and hi - lo >= max(2, least * len(text)):
                out.append((float(self.speech.start[mine[lo]]), float(self.speech.end[mine[hi - 1]])))
            else:
                out.append(None)
        return out

    def unit_span(self, a: int, b: int) -> Span:
        """From the start of unit a to the end of unit b."""
        return float(self.speech.unit_start[a]), float(self.speech.unit_end[b])


def equal_pairs(written: np.ndarray, heard: np.ndarray, a: int = 0, b: int = 0) -> list[tuple[int, int]]:
    """Token pairs of the longest common subsequence; `a` and `b` are added to the places."""
    pairs = []
    for o in Indel.opcodes(anchors.as_string(written), anchors.as_string(heard)):
        if o.tag == "equal":
            pairs += [(a + o.src_start + k, b + o.dest_start + k) for k in range(o.src_end - o.src_start)]
    return pairs


def indel(given: Input) -> Spans:
    """rapidfuzz: one global longest common subsequence."""
    return given.spans(equal_pairs(given.written, given.speech.ids))


def difflib_matcher(given: Input) -> Spans:
    """difflib.SequenceMatcher over tokens."""
    matcher = difflib.SequenceMatcher(None, given.written.tolist(), given.speech.ids.tolist(), autojunk=False)
    return given.spans((m.a + k, m.b + k) for m in matcher.get_matching_blocks() for k in range(m.size))


def apart(python: str, tool: str, given: Input) -> dict[str, Any]:
    """What `peers_apart.py` answers; its CPU seconds are added to `given.elsewhere_s`."""
    session = {
        "written": given.written.tolist(),
        "heard": given.speech.ids.tolist(),
        "paragraphs": given.raw,
        "plain": given.plain,
        "units": given.units,
    }
    script = Path(__file__).with_name("peers_apart.py")
    done = subprocess.run(
        [python, str(script), tool], capture_output=True, text=True, input=json.dumps(session)
    )
    if done.returncode:
        raise RuntimeError(f"{tool}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    given.elsewhere_s += answer["cpu_s"]
    return answer


def patience(python: str) -> Callable[[Input], Spans]:
    """patiencediff (GPL)."""

    def run(given: Input) -> Spans:
        found = apart(python, "patiencediff", given)["runs"]
        return given.spans((a + k, b + k) for a, b, n in found for k in range(n))

    return run


def linked(python: str, tool: str) -> Callable[[Input], Spans]:
    """Bleualign (GPL), or Vecalign's programme. A span runs from the first to the last linked unit."""

    def run(given: Input) -> Spans:
        out: Spans = [None] * len(given.texts)
        for rows, units in apart(python, tool, given)["links"]:
            for row in rows:
                if units and len(given.texts[row]):
                    out[row] = given.unit_span(min(units), max(units))
        return out

    return run


def sliding_window(python: str, tool: str = "window") -> Callable[[Input], Spans]:
    """A window matcher over the whole recording; `tool`: "window" or "every_window"."""

    def run(given: Input) -> Spans:
        starts = unit_starts(given.units)
        out: Spans = []
        for found in apart(python, tool, given)["spans"]:
            out.append(None if found is None else given.unit_span(*units_of(found[0], found[1], starts)))
        return out

    return run


def unit_starts(units: Sequence[str]) -> np.ndarray:
    """The character at which each unit begins when all are joined by blanks."""
    return np.cumsum([0] + [len(u) + 1 for u in units])[:-1]


def units_of(begin: int, end: int, starts: np.ndarray) -> tuple[int, int]:
    """The units in which the characters [begin, end) begin and end."""
    first, last = np.searchsorted(starts, [begin, max(begin, end - 1)], side="right") - 1
    return int(first), int(last)


def seeds_chain(given: Input) -> Spans:
    """Unique 3-grams, longest increasing subsequence, Indel between neighbouring seeds."""
    written, heard = given.written, given.speech.ids
    kept = increasing(anchors.seeds(written, heard, 3))
    fences = [(-1, -1), *kept, (len(written), len(heard))]
    pairs = set(kept)
    for (a, b), (c, d) in zip(fences, fences[1:], strict=False):
        if 1 < c - a < 4000 and 1 < d - b < 20000:
            pairs.update(equal_pairs(written[a + 1 : c], heard[b + 1 : d], a + 1, b + 1))
    return given.spans(sorted(pairs))


def increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs, sorted by their first, in which the second grows too (patience sorting)."""
    tails: list[int] = []
    index: list[int] = []
    previous = [-1] * len(pairs)
    for k, (_, b) in enumerate(pairs):
        at = int(np.searchsorted(tails, b))
        previous[k] = index[at - 1] if at else -1
        if at == len(tails):
            tails.append(b)
            index.append(k)
        else:
            tails[at], index[at] = b, k
    kept = []
    k = index[-1] if index else -1
    while k >= 0:
        kept.append(pairs[k])
        k = previous[k]
    return kept[::-1]


def partial_ratio(given: Input) -> Spans:
    """The window recipe: each paragraph takes the best `fuzz.partial_ratio` window of the next ten minutes.

    The cursor moves on to where the paragraph was found.
    """
    joined, starts = " ".join(given.units), unit_starts(given.units)
    cursor = 0
    out: Spans = []
    for text in given.plain:
        window = joined[cursor : cursor + 12_000]
        found = fuzz.partial_ratio_alignment(text, window, score_cutoff=60) if text and window else None
        if found is None or len(text) < 8:
            out.append(None)
            continue
        a, b = units_of(cursor + found.dest_start, cursor + found.dest_end, starts)
        out.append(given.unit_span(a, b))
        cursor = int(starts[a])
    return out


def arg_max(given: Input) -> Spans:
    """Every unit goes to its most similar paragraph (tf-idf cosine); a span runs from first to last."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(token_pattern=r"\S+").fit(given.units)
    near = (vectors.transform(given.units) @ vectors.transform(given.plain).T).toarray()
    best = near.argmax(1)
    out: Spans = []
    for row in range(len(given.texts)):
        mine = np.flatnonzero((best == row) & (near.max(1) > 0.1))
        out.append(given.unit_span(int(mine[0]), int(mine[-1])) if len(mine) else None)
    return out


def sentence_dp(similarity: np.ndarray, skip: float, longest: int) -> list[tuple[int, int] | None]:
    """Gale-and-Church style dynamic programme: paragraph with 1 … `longest` units, or either side skipped.

    `similarity`: paragraphs x units. Returns first and last unit of each paragraph.
    """
    n, m = similarity.shape
    sums = np.concatenate([np.zeros((n, 1)), np.cumsum(similarity, 1)], 1)
    best = np.zeros((n + 1, m + 1))
    back = np.zeros((n + 1, m + 1), np.int16)  # units taken; 0: the unit is skipped, -1: the paragraph is
    for i in range(1, n + 1):
        value, choice = best[i - 1] - skip, np.full(m + 1, -1, np.int16)
        for k in range(1, min(longest, m) + 1):
            mean = (sums[i - 1, k:] - sums[i - 1, :-k]) / k * math.sqrt(k)
            other = np.full(m + 1, -np.inf)
            other[k:] = best[i - 1, :-k] + mean
            better = other > value
            value, choice = np.where(better, other, value), np.where(better, k, choice)
        run = np.maximum.accumulate(value)
        best[i], back[i] = run, np.where(value >= run, choice, 0)
    return walked_back(back)


def walked_back(back: np.ndarray) -> list[tuple[int, int] | None]:
    """The choices of `sentence_dp` from the last cell to the first."""
    i, j = back.shape[0] - 1, back.shape[1] - 1
    out: list[tuple[int, int] | None] = [None] * i
    while i > 0:
        taken = int(back[i, j])
        if taken == 0 and j > 0:
            j -= 1
            continue
        i -= 1
        if taken > 0 and j > 0:
            out[i] = (j - taken, j - 1)
            j -= taken
    return out


def bleualign_like(given: Input) -> Spans:
    """The scheme of Bleualign: modified n-gram precision between sentences, then the best monotone path."""
    units_with: dict[Any, list[int]] = {}
    for u, unit in enumerate(given.units):
        for gram in grams(unit):
            units_with.setdefault(gram, []).append(u)
    frequent = 0.02 * len(given.units) + 5
    similarity = np.zeros((len(given.plain), len(given.units)), np.float32)
    for i, text in enumerate(given.plain):
        counts = grams(text)
        for gram in counts:
            units = units_with.get(gram, [])
            if isinstance(gram, tuple):
                similarity[i, units] += 2.0
            elif len(units) < frequent:
                similarity[i, units] += 1.0
        similarity[i] /= max(1, sum(counts.values()))
    found = sentence_dp(similarity, 0.0, 8)
    return [None if span is None else given.unit_span(*span) for span in found]


def grams(text: str) -> Counter[Any]:
    """How often each word and each pair of neighbouring words stands in a text."""
    words = text.split()
    return Counter[Any](words) + Counter(zip(words, words[1:], strict=False))
