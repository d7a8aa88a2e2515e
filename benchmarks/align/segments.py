"""Sessions as some services give them: segments of some seconds, without word times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from astra_lib.core.records import Transcript, Utterance, Word

from .speech import Built, Span

Segment = tuple[float, float, str | None, str]  # start and end in seconds, speaker, text


def spread(rows: Sequence[Segment], name: str, *, interpolated: bool = True) -> Transcript:
    """A transcript out of segments; words share their segment's time by length."""
    words: list[Word] = []
    utterances = []
    for start, end, speaker, text in rows:
        parts = text.split()
        if not parts:
            continue
        lengths = [len(p) + 2 for p in parts]
        edges = np.cumsum([0, *lengths]) / sum(lengths)
        times = start + edges * (end - start)
        first = len(words)
        words += [
            Word(part, a, b, None, speaker) for part, a, b in zip(parts, times[:-1], times[1:], strict=True)
        ]
        utterances.append(Utterance(start, end, speaker, (first, len(words))))
    return Transcript(name, "development", rows[-1][1], words, utterances, interpolated=interpolated)


def runs(words: Sequence[Word], segment_s: float, silence_s: float = math.inf) -> list[tuple[int, int]]:
    """Runs of words [i, j) of one speaker, no longer than `segment_s`, without silences over `silence_s`."""
    found, first = [], 0
    for i in range(1, len(words)):
        turn = words[i].speaker != words[first].speaker
        full = words[i].end - words[first].start > segment_s
        if turn or full or words[i].start - words[i - 1].end > silence_s:
            found.append((first, i))
            first = i
    return [*found, (first, len(words))]


def snapped(gold: Sequence[dict[str, Any]], segments: Sequence[Span]) -> list[dict[str, Any]]:
    """The gold on whole segments: those a paragraph covers by half, or that hold half of it."""
    out = []
    for row in gold:
        start, end = row["start"], row["end"]
        inside: list[Span] = []
        if start is not None:
            for a, b in segments:
                if min(b, end) - max(a, start) > 0.5 * min(b - a, end - start):
                    inside.append((a, b))
        out.append({**row, "start": inside[0][0], "end": inside[-1][1]} if inside else row)
    return out


def as_segments(built: Built, segment_s: float = 15.0, *, diarised: bool = True) -> Built:
    """The session in segments cut at turns, at silences and every `segment_s`, without word times.

    Not `diarised`: without speakers too.
    """
    words = [w for w in built.transcript.words if w.end >= w.start >= 0]
    rows: list[Segment] = []
    for i, j in runs(words, segment_s, silence_s=3.0):
        text = " ".join(w.text for w in words[i:j])
        rows.append((words[i].start, words[j - 1].end, words[i].speaker if diarised else None, text))
    gold = snapped(built.gold, [(start, end) for start, end, _, _ in rows])
    return Built(spread(rows, built.transcript.session_id), built.paragraphs, gold)
