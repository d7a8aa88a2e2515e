"""Rebuild the sample municipality from its sources: `python -m samples.build [--session ID] [--stage STAGE]`.

Stages: plan (deal topics to sessions not yet planned), compose (scenes -> utterances and paragraphs), word
(acta.docx), voice (espeak-ng -> one 16 kHz track), asr (ASTRA's own `transcribe`), gold (speaker labels,
transcript.json, gold.json). Every stage of every session is kept under build/samples/ with the digest of
what it was made from, so a second run does only what changed. One seed for everything.
"""

from __future__ import annotations

import argparse
import bisect
import json
import random
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from astra_lib.core import settings as core_settings
from astra_lib.core.records import (
    Transcript,
    Word,
    atomic_write,
    dumps,
    read_json,
    sha256_bytes,
    sha256_file,
    write_json,
)
from astra_lib.recording import transcribe
from astra_lib.transcript import assemble, read_transcript, write_transcript

from . import compose, scenes, voice, word

HERE = Path(__file__).resolve().parent
SEED = 20260305
STAGES = ("compose", "word", "voice", "asr", "gold")
WORDS = 2600  # about 21 minutes at these voices' pace, procedure included
PROCEDURE_WORDS = 620
WRONG_TURNS = 0.05
SHORT = "2026-03-05"  # the session whose audio is committed
OUT = HERE / "manantial"
WORK = HERE.parent / "build" / "samples"
PLAN = compose.SOURCES / "plan.yaml"
PLAN_HEAD = "# Which topics are heard in which session; dealt once by `build.py --stage plan`.\n"
ONCE_A_SESSION = ("withdrawn", "motion", "bill")  # one vote, one motion, one withdrawal: as councils do


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


# -- which topics in which session


def read_plan() -> dict[str, list[str]]:
    return yaml.safe_load(PLAN.read_text(encoding="utf-8")) if PLAN.is_file() else {}


def plan(topics: dict[str, Any], roster: dict[str, Any], limit: int | None = None) -> dict[str, list[str]]:
    """Deal unused topics to unplanned sessions until each is long enough; a planned one never changes."""
    dealt = read_plan()
    rng = random.Random(f"{SEED}:plan")
    free = sorted(set(topics) - {t for used in dealt.values() for t in used})
    rng.shuffle(free)
    made = 0
    for entry in roster["sessions"]:
        if entry["id"] in dealt or (limit is not None and made >= limit):
            continue
        mine, size = chosen(free, topics)
        if size < WORDS * 0.8:
            say(f"{entry['id']}: only {size} words to be had from {len(free)} free topics; not planned yet")
            continue
        dealt[entry["id"]] = mine
        free = [t for t in free if t not in mine]
        made += 1
    listed = yaml.safe_dump(dict(sorted(dealt.items())), allow_unicode=True, sort_keys=False)
    atomic_write(PLAN, PLAN_HEAD + listed)
    return dealt


def chosen(free: list[str], topics: dict[str, Any]) -> tuple[list[str], int]:
    """Topics for one session and its length in words, procedure included."""
    mine: list[str] = []
    size = PROCEDURE_WORDS
    for topic in free:
        kind, words = topics[topic]["kind"], compose.words_of(topics[topic])
        if kind in ONCE_A_SESSION and kind in [topics[t]["kind"] for t in mine]:
            continue
        if size + words > WORDS * 1.12:
            continue
        mine.append(topic)
        size += words
        if size > WORDS * 0.95:
            break
    return mine, size


# -- the stages of one session


@dataclass(frozen=True)
class SessionFiles:
    """One session's files: work in progress under build/samples, the result under samples/manantial."""

    id: str

    @property
    def work(self) -> Path:
        return WORK / self.id

    @property
    def out(self) -> Path:
        return OUT / "sessions" / self.id

    @property
    def scenes(self) -> Path:
        return self.work / "composed.json"

    @property
    def audio(self) -> Path:
        return self.work / "audio.wav"

    @property
    def times(self) -> Path:
        return self.work / "times.json"

    @property
    def heard(self) -> Path:
        return self.work / "asr.json"


def composed(session_id: str, sources: dict[str, Any]) -> dict[str, Any]:
    """Utterances and paragraphs of a session, written out by hand or put together from its topics."""
    if session_id in sources["written"]:
        return compose.written(sources["written"][session_id], sources["roster"])
    entries = sources["roster"]["sessions"]
    n = next(i for i, e in enumerate(entries) if e["id"] == session_id)
    entry = entries[n] | {"topics": sources["plan"][session_id]}
    composer = scenes.Composer(entry, n, sources["topics"], sources["roster"], sources["procedure"], SEED)
    return composer.compose()


def build(session_id: str, stages: tuple[str, ...], sources: dict[str, Any], threads: int) -> None:
    """Run the stages asked for, in their order."""
    session, roster = SessionFiles(session_id), sources["roster"]
    if "compose" in stages:
        build_scenes(session, composed(session_id, sources), roster["tenant"])
    data = read_json(session.scenes)
    if "word" in stages:
        acta = word.write_acta(data, roster, session.out / "acta.docx", SEED)
        say(f"{session_id} word: {acta.stat().st_size // 1000} kB")
    if "voice" in stages:
        build_voice(session, data)
    if "asr" in stages:
        build_asr(session, roster["tenant"], threads)
    if "gold" in stages:
        gold(data, read_json(session.times), read_transcript(session.heard), session.out)
        if session_id == SHORT:
            opus(session.audio, session.out / "audio.opus")


def build_scenes(session: SessionFiles, data: dict[str, Any], tenant: str) -> None:
    write_json(session.scenes, data)
    facts = {
        "session_id": session.id,
        "tenant": tenant,
        "date": session.id,
        "title": f"{data['title']}, acta {data['number']}",
        "consent": True,
    }
    write_json(session.out / "session.json", facts)
    words = sum(len(u["text"].split()) for u in data["utterances"])
    say(f"{session.id} compose: {len(data['paragraphs'])} paragraphs, {words} words spoken")


def build_voice(session: SessionFiles, data: dict[str, Any]) -> None:
    """The track and when each utterance sounds; not again while words, voices and voice.py are the same."""
    voices = {k: p["voice"] for k, p in data["people"].items()}
    key = sha256_bytes(dumps([data["utterances"], voices]) + sha256_file(HERE / "voice.py"))
    stamp = session.work / "voice.key"
    if not fresh(stamp, key, session.audio, session.times):
        write_json(session.times, voice.voice_session(data, session.audio, SEED))
        atomic_write(stamp, key)
    say(f"{session.id} voice: {read_json(session.times)['duration'] / 60:.1f} min")


def fresh(stamp: Path, key: str, *outputs: Path) -> bool:
    """Whether outputs are there and were made from what `key` is the digest of."""
    return all(o.is_file() for o in outputs) and stamp.is_file() and stamp.read_text(encoding="utf-8") == key


def build_asr(session: SessionFiles, tenant: str, threads: int) -> None:
    began = time.monotonic()
    t = transcribe(
        session.audio,
        session.heard,
        core_settings.load(),
        session_id=session.id,
        tenant=tenant,
        beam=5,
        threads=threads,
        progress=False,
    )
    speed = t.duration / max(0.01, time.monotonic() - began)
    say(f"{session.id} asr: {len(t.words)} words, {speed:.1f} x real time")


# -- what is known because we built it


def label(t: Transcript, times: list[dict[str, Any]], seed: int) -> Transcript:
    """Speaker labels for every word, as a diarisation would give them: anonymous, one turn in twenty wrong.

    A word gets the voice that sounds at its middle (the nearest one in a pause).
    """
    spoken = [u for u in times if u["speaker"] is not None]
    starts = [u["start"] for u in spoken]
    turns = turns_of(spoken)
    rng = random.Random(f"{seed}:diarisation:{t.session_id}")
    heard = heard_speakers(spoken, turns, rng)

    def turn_at(middle: float) -> int:
        i = max(0, bisect.bisect_right(starts, middle) - 1)
        in_pause = i + 1 < len(spoken) and middle > spoken[i]["end"]
        if in_pause and spoken[i + 1]["start"] - middle < middle - spoken[i]["end"]:
            i += 1
        return turns[i]

    pieces: list[list[Word]] = []
    for u in t.utterances:
        previous = None
        for w in t.words[slice(*u.words)]:
            turn = turn_at((w.start + w.end) / 2)
            if turn != previous:
                pieces.append([])
            pieces[-1].append(replace(w, speaker=heard[turn]))
            previous = turn
    source = (t.source or "").split(" audio=")[0] + " + simulated diarisation"
    return assemble(pieces, t.session_id, t.tenant, t.duration, language=t.language, source=source)


def turns_of(spoken: list[dict[str, Any]]) -> list[int]:
    """The turn that each utterance belongs to, from 0; a turn ends when the speaker changes."""
    turns: list[int] = []
    for i, u in enumerate(spoken):
        turns.append(0 if i == 0 else turns[-1] + (u["speaker"] != spoken[i - 1]["speaker"]))
    return turns


def heard_speakers(spoken: list[dict[str, Any]], turns: list[int], rng: random.Random) -> dict[int, str]:
    """The label of each turn; another speaker's with the chance WRONG_TURNS."""
    names = {s: f"spk_{n:02d}" for n, s in enumerate(dict.fromkeys(u["speaker"] for u in spoken))}
    heard = {}
    for turn in sorted(set(turns)):
        speaker = names[spoken[turns.index(turn)]["speaker"]]
        wrong = rng.random() < WRONG_TURNS
        heard[turn] = rng.choice([n for n in names.values() if n != speaker]) if wrong else speaker
    return heard


def gold(data: dict[str, Any], times: dict[str, Any], t: Transcript, out: Path) -> None:
    """transcript.json and gold.json of a session."""
    write_transcript(label(t, times["utterances"], SEED), out / "transcript.json")
    rows: list[dict[str, Any]] = []
    unit = -1
    for i, p in enumerate(data["paragraphs"]):
        row = {"paragraph": i, "start": None, "end": None, "kind": p["kind"], "unit": None}
        if p["speech"]:
            said = [u for u in times["utterances"][slice(*p["speech"])] if u["speaker"] is not None]
            start, end = said[0]["start"], said[-1]["end"]
            last = next((r for r in reversed(rows) if r["unit"] is not None), None)
            # a unit: paragraphs whose speech overlaps
            unit += last is None or start >= last["end"]
            row |= {"start": start, "end": end, "unit": unit}
        rows.append(row)
    lines = ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows)
    atomic_write(out / "gold.json", f"[\n{lines}\n]\n")
    aligned = sum(r["start"] is not None for r in rows)
    size = (out / "transcript.json").stat().st_size // 1000
    say(f"{t.session_id} gold: {aligned} of {len(rows)} paragraphs spoken; {size} kB transcript")


def opus(wav: Path, out: Path) -> None:
    """A recording at 24 kbit/s, the same bytes each time."""
    part = out.with_name("part-" + out.name)
    codec = "-c:a libopus -b:a 24k -application voip -fflags +bitexact -flags:a +bitexact".split()
    subprocess.run(["ffmpeg", "-y", "-loglevel", "error", "-i", str(wav), *codec, str(part)], check=True)
    part.replace(out)


def roster_file(roster: dict[str, Any]) -> None:
    """roster.json: who sits in the council, as an operator would hand it over."""
    fields = ("name", "role", "party")
    rows = [{"key": key, **{f: person[f] for f in fields}} for key, person in roster["people"].items()]
    write_json(OUT / "roster.json", rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--session", action="append", help="only this one (may be repeated)")
    parser.add_argument("--stage", default="all", choices=("all", "plan", *STAGES))
    parser.add_argument("--threads", type=int, default=0, help="threads of the recogniser; 0: all cores")
    parser.add_argument("--limit", type=int, help="plan at most so many new sessions")
    args = parser.parse_args()
    roster, topics = compose.load("roster"), compose.load_topics()
    if args.stage in ("all", "plan"):
        plan(topics, roster, args.limit)
    sources = {
        "roster": roster,
        "topics": topics,
        "procedure": compose.load("procedure"),
        "written": compose.written_sessions(),
        "plan": read_plan(),
    }
    roster_file(roster)
    everything = sorted({*sources["written"], *sources["plan"]}, key=lambda s: (s != SHORT, s))
    if unknown := set(args.session or []) - set(everything):
        parser.error(f"no session {sorted(unknown)[0]}; known: {', '.join(everything)}")
    if args.stage == "plan":
        return
    stages = STAGES if args.stage == "all" else (args.stage,)
    for session_id in args.session or everything:
        build(session_id, stages, sources, args.threads)


if __name__ == "__main__":
    main()
