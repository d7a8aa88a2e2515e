"""Data of others, read from a folder given on the command line; nothing of it is kept here.

`ami(folder)`, `elitr(folder)`: human minutes with human links to what was said. `over_real_speech(folder)`:
real recognised speech of a parliament in Spanish, with minutes constructed over it in the manner of a clerk
(third person, some of the content words, hand-overs, bullets that share a segment, stretches left out,
bullets of another day mixed in).
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from astra_lib.core.records import Paragraph, Transcript, Utterance, Word
from astra_lib.text import STOPWORDS, tokens

from .segments import Segment, spread
from .sessions import OPENINGS, Clerk
from .speech import Built, Span, mishear

LONG_S = 1800.0  # a plenary; shorter recordings are clips of one


def paragraphs_of(rows: Sequence[tuple[str, str]]) -> list[Paragraph]:
    """Paragraphs out of (kind, text), without XML."""
    return [Paragraph(i, kind, text, "") for i, (kind, text) in enumerate(rows)]


def clusters(times: Sequence[Span], gap_s: float = 45.0) -> Span | None:
    """The run of linked utterances, none further than `gap_s` from the one before, that holds most speech."""
    found: list[list[Span]] = []
    for start, end in sorted(times):
        if found and start - max(e for _, e in found[-1]) <= gap_s:
            found[-1].append((start, end))
        else:
            found.append([(start, end)])
    if not found:
        return None
    best = max(found, key=lambda run: sum(e - s for s, e in run))
    return best[0][0], max(e for _, e in best)


def linked_gold(index: int, kind: str, span: Span | None, links: list[Span]) -> dict[str, Any]:
    """A gold row that remembers all its human links, not only the run that was chosen."""
    start, end = span or (None, None)
    return {"paragraph": index, "kind": kind, "start": start, "end": end, "links": links}


def ami(folder: Path) -> Iterator[Built]:
    """The abstract of every AMI meeting; gold is the densest run of the utterances linked to a sentence."""
    for path in sorted((folder / "ami_dev").glob("*.json.gz")):
        meeting = json.loads(gzip.decompress(path.read_bytes()))
        times = {u["id"]: (u["start"], u["end"]) for u in meeting["utterances"]}
        linked = defaultdict(list)
        for sentence, utterance in meeting["gold_links"]:
            if utterance in times:
                linked[sentence].append(times[utterance])
        rows = [m for m in meeting["minutes"] if m["section"] == "abstract" and m["text"] != "*NA*"]
        gold = [
            linked_gold(i, "summary", clusters(linked[m["id"]]), linked[m["id"]]) for i, m in enumerate(rows)
        ]
        if rows:
            yield Built(ami_transcript(meeting), paragraphs_of([("body", m["text"]) for m in rows]), gold)


def ami_transcript(meeting: dict[str, Any]) -> Transcript:
    """Words with times, in the order in which their utterances begin."""
    words: list[Word] = []
    utterances = []
    for u in sorted(meeting["utterances"], key=lambda u: u["start"]):
        first = len(words)
        for w in u["words"]:
            words.append(Word(w["punctuated_word"], w["start"], w["end"], None, u["speaker"]))
        if len(words) > first:
            utterances.append(Utterance(u["start"], u["end"], u["speaker"], (first, len(words))))
    return Transcript(meeting["meeting"], "ami", words[-1].end, words, utterances, language="en")


def elitr(folder: Path) -> Iterator[Built]:
    """The ELITR meeting with a human line-to-line alignment. Lines have no times: a word counts as 0.4 s."""
    for meeting in sorted((folder / "elitr_dev").glob("*/meeting_*")):
        for path in sorted(meeting.glob("alignment*")):
            named = re.match(r"alignment(.*\.txt)(minutes.*\.txt)", path.name)
            if named is None:
                continue
            said, written = (
                (meeting / name).read_text(encoding="utf-8").splitlines() for name in named.groups()
            )
            rows, times = elitr_lines(said)
            linked = defaultdict(list)
            for link in path.read_text(encoding="utf-8").splitlines():
                line, target, *_ = link.split()
                if target != "None" and line != "None" and int(line) in times:
                    linked[int(target)].append(times[int(line)])
            kept = [(number, text) for number, text in enumerate(written, 1) if text.strip()]
            gold = []
            for i, (number, _) in enumerate(kept):
                span = clusters([t for t in linked[number] if t[1] > t[0]], 30.0)
                gold.append(linked_gold(i, "line", span, linked[number]))
            transcript = spread(rows, f"{meeting.name}-{named[2][-13:-4]}")
            yield Built(transcript, paragraphs_of([("body", text) for _, text in kept]), gold)


def elitr_lines(said: Sequence[str]) -> tuple[list[Segment], dict[int, Span]]:
    """The lines as segments, and the seconds of each line by its number.

    "(PERSON1) …" at the start of a line names who speaks from there on.
    """
    rows: list[Segment] = []
    times: dict[int, Span] = {}
    speaker, now = None, 0.0
    for number, line in enumerate(said, 1):
        if found := re.match(r"\(([A-Z]+\d+)\)\s*", line):
            speaker, line = found[1], line[found.end() :]
        length = 0.4 * len(line.split())
        times[number] = (now, now + length)
        if length:
            rows.append((now, now + length, speaker, line))
        now += length
    return rows, times


def retell(text: str, rng: np.random.Generator, keep: float, strange: list[str]) -> str:
    """A clerk's bullet: an opening, `keep` of the content words roughly in order, and words of elsewhere."""
    content = [t for t in tokens(text) if t not in STOPWORDS and len(t) > 2]
    kept = [(k + float(rng.normal(0, 3)), t) for k, t in enumerate(content) if rng.random() < keep]
    for _ in range(int(len(kept) * rng.uniform(0.3, 1.0))):
        kept.append((float(rng.uniform(0, len(content))), str(rng.choice(strange))))
    body = []
    for _, word in sorted(kept):
        body += [str(rng.choice(["de", "la", "el", "que", "en", "por", "los", "con"])), word]
    return f"{rng.choice(OPENINGS)} {' '.join(body)}."


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

    A bullet stands for one to four segments; with `idea_s` for stretches of that median, a sixth of them over
    twice as long.
    """
    paths = sorted((folder / "ecuador_dev" / "sessions").glob("*.json"))
    recordings = [json.loads(p.read_text(encoding="utf-8")) for p in paths]
    strange: list[str] = []
    for recording in recordings:
        strange += [t for t in tokens(recording["text"][:6000]) if t not in STOPWORDS and len(t) > 3]
    long = [r for r in recordings if r["segments"][-1]["end"] > LONG_S]
    for number, recording in enumerate(long):
        rng = np.random.default_rng(seed * 100 + number)
        pieces = shorter(recording["segments"], segment_s, hours * 3600)
        elsewhere = long[(number + 1) % len(long)]["text"]
        clerk, first = Clerk(), 0
        while first < len(pieces):
            give_floor(clerk, pieces, first, rng)
            last = stretch_end(pieces, first, rng, idea_s)
            minute(clerk, pieces[first:last], rng, keep, skipped, strange, elsewhere)
            first = last
        heard: list[Segment] = []
        for start, end, speaker, text in pieces:
            words = [part for word in text.split() for part in mishear(word, rng, noise)]
            heard.append((start, end, speaker, " ".join(words)))
        rows = list(zip(clerk.kinds, clerk.texts, strict=True))
        yield Built(spread(heard, recording["id"]), paragraphs_of(rows), clerk.gold)


def shorter(segments: Sequence[dict[str, Any]], segment_s: float, until_s: float) -> list[Segment]:
    """Segments cut at full stops to some `segment_s`; inside one, time goes by letters."""
    pieces: list[Segment] = []
    for s in segments:
        if s["start"] > until_s:
            break
        per_letter = (s["end"] - s["start"]) / max(1, len(s["text"]))
        now, held, begun = s["start"], "", s["start"]
        for sentence in re.findall(r"[^.?!]+[.?!]*", s["text"]) or [s["text"]]:
            held += sentence
            now += per_letter * len(sentence)
            if now - begun >= segment_s * 0.7:
                pieces.append((begun, now, s["speaker_id"], held))
                held, begun = "", now
        if held.strip():
            pieces.append((begun, max(now, begun + 0.2), s["speaker_id"], held))
    return pieces


def stretch_end(pieces: Sequence[Segment], first: int, rng: np.random.Generator, idea_s: float | None) -> int:
    """Where the run of one speaker's pieces from `first` on ends: after one to four, or some `idea_s`."""
    start, _, speaker, _ = pieces[first]
    wanted_s = float(rng.lognormal(np.log(idea_s), 0.7)) if idea_s else 0.0
    last = first + 1
    while True:
        if idea_s:
            more = pieces[last - 1][1] - start < wanted_s
        else:
            more = last - first < int(rng.integers(1, 5))
        if not more or last == len(pieces) or pieces[last][2] != speaker:
            return last
        last += 1


def give_floor(clerk: Clerk, pieces: Sequence[Segment], at: int, rng: np.random.Generator) -> None:
    """Where another voice begins, half of the time a hand-over with the last words of the one before."""
    if at and pieces[at][2] != pieces[at - 1][2] and rng.random() < 0.5:
        start, end, _, text = pieces[at - 1]
        clerk.write("handover", f"Seguidamente, intervino {' '.join(tokens(text)[-4:])}:", (start, end))


def minute(
    clerk: Clerk,
    pieces: Sequence[Segment],
    rng: np.random.Generator,
    keep: float,
    skipped: float,
    strange: list[str],
    elsewhere: str,
) -> None:
    """What the clerk makes of a stretch: a bullet, two, none, or one of another day."""
    span = pieces[0][0], pieces[-1][1]
    text = " ".join(said for _, _, _, said in pieces)
    draw = rng.random()
    if draw < 0.03:
        place = int(rng.integers(0, len(elsewhere) - 700))
        clerk.write("list", retell(elsewhere[place : place + 600], rng, keep, strange), None)
        clerk.gold[-1]["kind"] = "unspoken"
    elif draw > 1 - skipped or len(tokens(text)) < 12:
        pass
    elif len(pieces) == 1 and rng.random() < 0.4:
        half = len(text) // 2
        clerk.write("list", retell(text[:half], rng, keep, strange), span)
        clerk.write("list", retell(text[half:], rng, keep, strange), span)
    else:
        clerk.write("list", retell(text, rng, keep / len(pieces) ** 0.5, strange), span)
