"""What others do with the same input, after their published descriptions; each returns one span (s) or None per paragraph.

Token matchers (rapidfuzz Indel, difflib, patiencediff, unique n-grams + chain) match minutes and speech as two token
sequences; a paragraph's span is the densest run of its matched tokens when at least a quarter of it was matched, which
is kinder to them than the outermost match. The window matchers and sentence aligners place paragraphs on units.
"""

from __future__ import annotations

import difflib
import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import Indel
from sessions import Built

from astra_lib import anchors, hearing
from astra_lib.text import tokens

Spans = list[tuple[float, float] | None]


class Input:
    """Tokens, times and units of a session, made once for all peers (their own reading is not timed)."""

    def __init__(self, built: Built) -> None:
        self.vocabulary = hearing.Vocabulary()
        self.speech = hearing.listen(built.transcript, self.vocabulary)
        self.texts = [self.vocabulary(tokens(p.text)) for p in built.paragraphs]
        self.offsets = np.cumsum([0] + [len(t) for t in self.texts])
        self.written = np.concatenate([*self.texts, np.empty(0, np.int32)])
        self.raw = [p.text for p in built.paragraphs]
        name = {n: t for t, n in self.vocabulary.ids.items()}
        cut = self.speech.first
        self.units = [
            " ".join(name[int(i)] for i in self.speech.ids[cut[u] : cut[u + 1]])
            for u in range(self.speech.units)
        ]
        self.plain = [" ".join(name[int(i)] for i in t) for t in self.texts]
        self.elsewhere_s = 0.0

    def spans(self, pairs: list[tuple[int, int]], least: float = 0.25) -> Spans:
        """Matched token pairs (written, heard) as spans."""
        by: list[list[int]] = [[] for _ in self.texts]
        owner = np.searchsorted(self.offsets, np.arange(len(self.written)), side="right") - 1
        for a, b in pairs:
            by[int(owner[a])].append(b)
        out: Spans = []
        for text, places in zip(self.texts, by, strict=True):
            lo, hi = anchors.densest(places)
            good = hi - lo >= max(2, least * len(text)) if len(text) else False
            out.append(
                (float(self.speech.start[places[lo]]), float(self.speech.end[places[hi - 1]]))
                if good
                else None
            )
        return out

    def unit_span(self, a: int, b: int) -> tuple[float, float]:
        return float(self.speech.unit_start[a]), float(self.speech.unit_end[b])


def indel(given: Input) -> Spans:
    """rapidfuzz: one global longest common subsequence."""
    ops = Indel.opcodes(anchors.as_string(given.written), anchors.as_string(given.speech.ids))
    return given.spans(
        [
            (o.src_start + k, o.dest_start + k)
            for o in ops
            if o.tag == "equal"
            for k in range(o.src_end - o.src_start)
        ]
    )


def difflib_matcher(given: Input) -> Spans:
    """difflib.SequenceMatcher over tokens."""
    blocks = difflib.SequenceMatcher(
        None, given.written.tolist(), given.speech.ids.tolist(), autojunk=False
    ).get_matching_blocks()
    return given.spans([(m.a + k, m.b + k) for m in blocks for k in range(m.size)])


def apart(python: str, tool: str, given: Input) -> dict[str, Any]:
    """What `peers_apart.py` answers; its CPU seconds are added to `given.elsewhere_s`."""
    session = {
        "written": given.written.tolist(),
        "heard": given.speech.ids.tolist(),
        "paragraphs": given.raw,
        "plain": given.plain,
        "units": given.units,
    }
    done = subprocess.run(
        [python, str(Path(__file__).with_name("peers_apart.py")), tool],
        capture_output=True,
        text=True,
        input=json.dumps(session),
    )
    if done.returncode:
        raise RuntimeError(f"{tool}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    given.elsewhere_s += answer["cpu_s"]
    return answer


def patience(python: str) -> Callable[[Input], Spans]:
    """patiencediff (GPL)."""

    def run(given: Input) -> Spans:
        return given.spans(
            [(a + k, b + k) for a, b, n in apart(python, "patiencediff", given)["runs"] for k in range(n)]
        )

    return run


def linked(python: str, tool: str) -> Callable[[Input], Spans]:
    """Bleualign (GPL), or Vecalign's programme: a paragraph's span runs from its first to its last linked unit."""

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
        starts = np.cumsum([0] + [len(u) + 1 for u in given.units])
        return [
            None
            if span is None
            else given.unit_span(
                *(
                    int(np.searchsorted(starts, at, side="right")) - 1
                    for at in (span[0], max(span[0], span[1] - 1))
                )
            )
            for span in apart(python, tool, given)["spans"]
        ]

    return run


def seeds_chain(given: Input) -> Spans:
    """Unique 3-grams, longest increasing subsequence, Indel between neighbouring seeds."""
    found = anchors.seeds(given.written, given.speech.ids, 3)
    tails: list[int] = []
    index: list[int] = []
    previous = [-1] * len(found)
    for k, (_, b) in enumerate(found):
        at = int(np.searchsorted(tails, b))
        previous[k] = index[at - 1] if at else -1
        if at == len(tails):
            tails.append(b)
            index.append(k)
        else:
            tails[at], index[at] = b, k
    k, kept = (index[-1] if index else -1), []
    while k >= 0:
        kept.append(found[k])
        k = previous[k]
    fences = [(-1, -1), *reversed(kept), (len(given.written), len(given.speech.ids))]
    pairs = list(fences[1:-1])
    for (a, b), (c, d) in zip(fences, fences[1:], strict=False):
        if 1 < c - a < 4000 and 1 < d - b < 20000:
            ops = Indel.opcodes(
                anchors.as_string(given.written[a + 1 : c]), anchors.as_string(given.speech.ids[b + 1 : d])
            )
            pairs += [
                (a + 1 + o.src_start + k, b + 1 + o.dest_start + k)
                for o in ops
                if o.tag == "equal"
                for k in range(o.src_end - o.src_start)
            ]
    return given.spans(sorted(set(pairs)))


def partial_ratio(given: Input) -> Spans:
    """The window recipe: each paragraph takes the best `fuzz.partial_ratio` window of the next ten minutes, cursor moving on."""
    joined, starts, at = " ".join(given.units), [], 0
    for unit in given.units:
        starts.append(at)
        at += len(unit) + 1
    edges, cursor, out = np.asarray(starts), 0, []
    for text in given.plain:
        window = joined[cursor : cursor + 12_000]
        found = fuzz.partial_ratio_alignment(text, window, score_cutoff=60) if text and window else None
        if found is None or len(text) < 8:
            out.append(None)
            continue
        a = int(np.searchsorted(edges, cursor + found.dest_start, side="right")) - 1
        b = int(np.searchsorted(edges, cursor + max(found.dest_end - 1, 0), side="right")) - 1
        out.append(given.unit_span(a, b))
        cursor = starts[a]
    return out


def idf_vectors(given: Input) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    tool = TfidfVectorizer(token_pattern=r"\S+").fit(given.units)
    return tool.transform(given.plain), tool.transform(given.units)


def arg_max(given: Input) -> Spans:
    """Every unit goes to its most similar paragraph (tf-idf cosine); a paragraph's span runs from its first to its last unit."""
    a, b = idf_vectors(given)
    near = np.asarray((b @ a.T).todense())
    best = near.argmax(1)
    out: Spans = []
    for paragraph in range(len(given.texts)):
        mine = np.flatnonzero((best == paragraph) & (near.max(1) > 0.1))
        out.append(given.unit_span(int(mine[0]), int(mine[-1])) if len(mine) else None)
    return out


def sentence_dp(similarity: np.ndarray, skip: float, longest: int) -> list[tuple[int, int] | None]:
    """Gale-and-Church style dynamic programme: paragraph with 1 … `longest` units, or either side skipped."""
    n, m = similarity.shape
    sums = np.concatenate([np.zeros((n, 1)), np.cumsum(similarity, 1)], 1)
    best = np.zeros((n + 1, m + 1))
    back = np.zeros((n + 1, m + 1), np.int16)
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
    out: list[tuple[int, int] | None] = [None] * n
    i, j = n, m
    while i > 0:
        if back[i, j] == 0 and j > 0:
            j -= 1
        elif back[i, j] == -1 or j == 0:
            i -= 1
        else:
            out[i - 1] = (j - int(back[i, j]), j - 1)
            j -= int(back[i, j])
            i -= 1
    return out


def bleualign_like(given: Input) -> Spans:
    """The scheme of Bleualign: modified n-gram precision between sentences, then a monotone path over the best ones."""
    from collections import Counter

    def grams(text: str) -> Counter:
        words = text.split()
        return Counter(words) + Counter(zip(words, words[1:], strict=False))  # type: ignore[arg-type]

    heard, written = [grams(u) for u in given.units], [grams(t) for t in given.plain]
    index: dict = {}
    for u, counts in enumerate(heard):
        for gram in counts:
            index.setdefault(gram, []).append(u)
    rows = np.zeros((len(written), len(heard)), np.float32)
    for i, counts in enumerate(written):
        for gram in counts:
            if isinstance(gram, tuple) or len(index.get(gram, ())) < 0.02 * len(heard) + 5:
                rows[i, index.get(gram, [])] += 2.0 if isinstance(gram, tuple) else 1.0
        rows[i] /= max(1, sum(counts.values()))
    return [None if s is None else given.unit_span(*s) for s in sentence_dp(rows, 0.0, 8)]
