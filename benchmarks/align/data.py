"""Development data of others, read from a folder given on the command line; nothing of it is kept here.

`ami(folder)`, `elitr(folder)`: human minutes with human links to what was said. `over_real_speech(folder)`: real
recognised speech of a parliament in Spanish, with minutes constructed over it in the manner of a clerk (third person,
some of the content words, hand-overs, bullets that share a segment, stretches left out, bullets of another day mixed in).
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sessions import OPENINGS, Built, mishear

from astra_lib.core.records import Paragraph, Transcript, Utterance, Word
from astra_lib.text import STOPWORDS, tokens


def spread(
    rows: list[tuple[float, float, str | None, str]], name: str, *, interpolated: bool = True
) -> Transcript:
    """A transcript out of segments (start, end, speaker, text); words share their segment's time by length."""
    words: list[Word] = []
    utterances = []
    for start, end, speaker, text in rows:
        parts = text.split()
        if not parts:
            continue
        weight = np.cumsum([0] + [len(p) + 2 for p in parts]) / sum(len(p) + 2 for p in parts)
        first = len(words)
        words += [
            Word(p, start + a * (end - start), start + b * (end - start), None, speaker)
            for p, a, b in zip(parts, weight[:-1], weight[1:], strict=True)
        ]
        utterances.append(Utterance(start, end, speaker, (first, len(words))))
    return Transcript(name, "development", rows[-1][1], words, utterances, interpolated=interpolated)


def as_segments(built: Built, segment_s: float = 15.0, *, diarised: bool = True) -> Built:
    """The session as some services give it: segments cut at turns, silences and every `segment_s`, without word times.

    The gold is snapped to whole segments: those it covers by half, or that hold half of it.
    """
    words = [w for w in built.transcript.words if w.end >= w.start >= 0]
    rows, first = [], 0
    for i in range(1, len(words) + 1):
        if (
            i == len(words)
            or words[i].speaker != words[first].speaker
            or words[i].end - words[first].start > segment_s
            or words[i].start - words[i - 1].end > 3
        ):
            rows.append(
                (
                    words[first].start,
                    words[i - 1].end,
                    words[first].speaker if diarised else None,
                    " ".join(w.text for w in words[first:i]),
                )
            )
            first = i
    gold = []
    for row in built.gold:
        start, end = row["start"], row["end"]
        inside = (
            []
            if start is None
            else [r for r in rows if min(r[1], end) - max(r[0], start) > 0.5 * min(r[1] - r[0], end - start)]
        )
        gold.append({**row, "start": inside[0][0], "end": inside[-1][1]} if inside else row)
    return Built(spread(rows, built.transcript.session_id), built.paragraphs, gold)


def paragraphs_of(rows: list[tuple[str, str]]) -> list[Paragraph]:
    return [Paragraph(i, kind, text, "") for i, (kind, text) in enumerate(rows)]


def clusters(times: list[tuple[float, float]], gap_s: float = 45.0) -> tuple[float, float] | None:
    """The run of linked utterances, none further than `gap_s` from the one before, that holds most speech."""
    runs: list[list[tuple[float, float]]] = []
    for start, end in sorted(times):
        if runs and start - max(e for _, e in runs[-1]) <= gap_s:
            runs[-1].append((start, end))
        else:
            runs.append([(start, end)])
    if not runs:
        return None
    best = max(runs, key=lambda run: sum(e - s for s, e in run))
    return best[0][0], max(e for _, e in best)


def ami(folder: Path) -> Iterator[Built]:
    """The abstract of every AMI meeting; gold is the densest run of the utterances linked to a sentence."""
    for path in sorted((folder / "ami_dev").glob("*.json.gz")):
        meeting = json.loads(gzip.decompress(path.read_bytes()))
        said = {u["id"]: (u["start"], u["end"]) for u in meeting["utterances"]}
        words, utterances = [], []
        for u in sorted(meeting["utterances"], key=lambda u: u["start"]):
            first = len(words)
            words += [
                Word(w["punctuated_word"], w["start"], w["end"], None, u["speaker"]) for w in u["words"]
            ]
            if len(words) > first:
                utterances.append(Utterance(u["start"], u["end"], u["speaker"], (first, len(words))))
        linked = defaultdict(list)
        for sentence, utterance in meeting["gold_links"]:
            if utterance in said:
                linked[sentence].append(said[utterance])
        rows = [m for m in meeting["minutes"] if m["section"] == "abstract" and m["text"] != "*NA*"]
        gold: list[dict[str, Any]] = []
        for i, m in enumerate(rows):
            span = clusters(linked[m["id"]])
            gold.append(
                {
                    "paragraph": i,
                    "kind": "summary",
                    "start": span and span[0],
                    "end": span and span[1],
                    "links": linked[m["id"]],
                }
            )
        if rows:
            yield Built(
                Transcript(meeting["meeting"], "ami", words[-1].end, words, utterances, language="en"),
                paragraphs_of([("body", m["text"]) for m in rows]),
                gold,
            )


def elitr(folder: Path) -> Iterator[Built]:
    """The ELITR meeting with a human line-to-line alignment; lines have no times, so a word counts as 0.4 s."""
    for meeting in sorted((folder / "elitr_dev").glob("*/meeting_*")):
        for path in sorted(meeting.glob("alignment*")):
            transcript_name, minutes_name = re.match(
                r"alignment(.*\.txt)(minutes.*\.txt)", path.name
            ).groups()  # type: ignore[union-attr]
            heard = (meeting / transcript_name).read_text(encoding="utf-8").splitlines()
            written = (meeting / minutes_name).read_text(encoding="utf-8").splitlines()
            rows, speaker, now, line_time = [], None, 0.0, {}
            for number, line in enumerate(heard, 1):
                if found := re.match(r"\(([A-Z]+\d+)\)\s*", line):
                    speaker, line = found[1], line[found.end() :]
                length = 0.4 * len(line.split())
                line_time[number] = (now, now + length)
                if length:
                    rows.append((now, now + length, speaker, line))
                now += length
            linked = defaultdict(list)
            for link in path.read_text(encoding="utf-8").splitlines():
                line, target, *_ = link.split()
                if target != "None" and line != "None" and int(line) in line_time:
                    linked[int(target)].append(line_time[int(line)])
            kept = [(n, t) for n, t in enumerate(written, 1) if t.strip()]
            gold = []
            for i, (n, _) in enumerate(kept):
                span = clusters([t for t in linked.get(n, []) if t[1] > t[0]], 30.0)
                gold.append(
                    {
                        "paragraph": i,
                        "kind": "line",
                        "start": span and span[0],
                        "end": span and span[1],
                        "links": linked.get(n, []),
                    }
                )
            yield Built(
                spread(rows, f"{meeting.name}-{minutes_name[-13:-4]}"),
                paragraphs_of([("body", t) for _, t in kept]),
                gold,
            )


def retell(text: str, rng: np.random.Generator, keep: float, strange: list[str]) -> str:
    """A clerk's bullet: an opening, `keep` of the content words roughly in order, as many words of elsewhere."""
    content = [t for t in tokens(text) if t not in STOPWORDS and len(t) > 2]
    kept = [(k + float(rng.normal(0, 3)), t) for k, t in enumerate(content) if rng.random() < keep]
    kept += [
        (float(rng.uniform(0, len(content))), str(rng.choice(strange)))
        for _ in range(int(len(kept) * rng.uniform(0.3, 1.0)))
    ]
    body = " ".join(
        f"{rng.choice(['de', 'la', 'el', 'que', 'en', 'por', 'los', 'con'])} {t}" for _, t in sorted(kept)
    )
    return f"{rng.choice(OPENINGS)} {body}."


def over_real_speech(
    folder: Path,
    seed: int,
    *,
    keep: float = 0.4,
    segment_s: float = 15.0,
    hours: float = 2.0,
    skipped: float = 0.2,
    noise: float = 0.0,
    idea_s: float | None = None,
) -> Iterator[Built]:
    """Minutes over the real speech of every plenary longer than half an hour.

    A bullet stands for one to four segments; with `idea_s` for stretches of that median, a sixth of them over twice as long.
    """
    recordings = [
        json.loads(p.read_text(encoding="utf-8"))
        for p in sorted((folder / "ecuador_dev" / "sessions").glob("*.json"))
    ]
    strange = [t for r in recordings for t in tokens(r["text"][:6000]) if t not in STOPWORDS and len(t) > 3]
    long = [r for r in recordings if r["segments"][-1]["end"] > 1800]
    for number, recording in enumerate(long):
        rng = np.random.default_rng(seed * 100 + number)
        pieces = []
        for s in recording["segments"]:
            if s["start"] > hours * 3600:
                break
            sentences = re.findall(r"[^.?!]+[.?!]*", s["text"]) or [s["text"]]
            per = (s["end"] - s["start"]) / max(1, len(s["text"]))
            now, held, begun = s["start"], "", s["start"]
            for sentence in sentences:
                held += sentence
                now += per * len(sentence)
                if now - begun >= segment_s * 0.7:
                    pieces.append((begun, now, s["speaker_id"], held))
                    held, begun = "", now
            if held.strip():
                pieces.append((begun, max(now, begun + 0.2), s["speaker_id"], held))
        other = long[(number + 1) % len(long)]
        yield _clerk(recording["id"], noise, pieces, rng, keep, skipped, strange, other["text"], idea_s)


def _clerk(
    name: str,
    noise: float,
    pieces: list[tuple[float, float, str, str]],
    rng: np.random.Generator,
    keep: float,
    skipped: float,
    strange: list[str],
    elsewhere: str,
    idea_s: float | None = None,
) -> Built:
    rows: list[tuple[str, str]] = []
    gold: list[dict[str, Any]] = []

    def write(kind: str, text: str, span: tuple[float, float] | None) -> None:
        gold.append(
            {
                "paragraph": len(rows),
                "kind": kind if span else "unspoken",
                "start": span and span[0],
                "end": span and span[1],
            }
        )
        rows.append((kind, text))

    at, speaker = 0, None
    while at < len(pieces):
        if pieces[at][2] != speaker and at and rng.random() < 0.5:
            write(
                "handover",
                f"Seguidamente, intervino {' '.join(tokens(pieces[at - 1][3])[-4:])}:",
                (pieces[at - 1][0], pieces[at - 1][1]),
            )
        speaker = pieces[at][2]
        take = 1
        wanted_s = float(rng.lognormal(np.log(idea_s), 0.7)) if idea_s else 0.0
        while (
            (
                pieces[at + take - 1][1] - pieces[at][0] < wanted_s
                if idea_s
                else take < int(rng.integers(1, 5))
            )
            and at + take < len(pieces)
            and pieces[at + take][2] == speaker
        ):
            take += 1
        span = pieces[at][0], pieces[at + take - 1][1]
        text = " ".join(p[3] for p in pieces[at : at + take])
        draw = rng.random()
        if draw < 0.03:
            place = int(rng.integers(0, len(elsewhere) - 700))
            write("list", retell(elsewhere[place : place + 600], rng, keep, strange), None)
        elif draw > 1 - skipped or len(tokens(text)) < 12:
            pass
        elif take == 1 and rng.random() < 0.4:
            half = len(text) // 2
            write("list", retell(text[:half], rng, keep, strange), span)
            write("list", retell(text[half:], rng, keep, strange), span)
        else:
            write("list", retell(text, rng, keep / take**0.5, strange), span)
        at += take
    heard = [
        (a, b, who, " ".join(part for w in text.split() for part in mishear(w, rng, noise)))
        for a, b, who, text in pieces
    ]
    return Built(spread(heard, name), paragraphs_of(rows), gold)
