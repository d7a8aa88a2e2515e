"""Rebuild the sample municipality from its sources: `python samples/build.py [--session ID] [--stage STAGE]`.

Stages: plan (deal topics to sessions not yet planned), compose (scenes -> utterances and paragraphs), word (acta.docx),
voice (espeak-ng -> one 16 kHz track), asr (ASTRA's own `transcribe`), gold (speaker labels, transcript.json, gold.json).
Every stage of every session is kept under build/samples/ with the digest of what it was made from, so a second run does only
what changed. One seed for everything.
"""

from __future__ import annotations

import argparse
import bisect
import json
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import compose  # noqa: E402
import scenes  # noqa: E402
import voice  # noqa: E402
import word  # noqa: E402
import yaml  # noqa: E402

from astra_lib.core import settings as core_settings  # noqa: E402
from astra_lib.core.records import (  # noqa: E402
    Transcript,
    Word,
    atomic_write,
    dumps,
    read_json,
    sha256_bytes,
    sha256_file,
    write_json,
)
from astra_lib.recording import transcribe  # noqa: E402
from astra_lib.transcript import assemble, read_transcript, write_transcript  # noqa: E402

SEED = 20260305
STAGES = ("compose", "word", "voice", "asr", "gold")
WORDS = 2600  # about 21 minutes at these voices' pace, procedure included
PROCEDURE_WORDS = 620
WRONG_TURNS = 0.05
SHORT = "2026-03-05"  # the session whose audio is committed
OUT = HERE / "manantial"
WORK = HERE.parent / "build" / "samples"
PLAN = compose.SOURCES / "plan.yaml"


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


# -- which topics in which session -----------------------------------------------------------------------------


def read_plan() -> dict[str, list[str]]:
    return yaml.safe_load(PLAN.read_text(encoding="utf-8")) if PLAN.is_file() else {}


def plan(topics: dict[str, Any], roster: dict[str, Any], limit: int | None = None) -> dict[str, list[str]]:
    """Deal topics not yet used to sessions not yet planned, until each is long enough; a planned session never changes."""
    dealt = read_plan()
    rng = random.Random(f"{SEED}:plan")
    free = sorted(set(topics) - {t for used in dealt.values() for t in used})
    rng.shuffle(free)
    made = 0
    for entry in roster["sessions"]:
        if entry["id"] in dealt or (limit is not None and made >= limit):
            continue
        mine: list[str] = []
        size = PROCEDURE_WORDS
        for topic in list(free):
            kinds = [topics[t]["kind"] for t in mine]
            if topics[topic]["kind"] in ("withdrawn", "motion", "bill") and topics[topic]["kind"] in kinds:
                continue  # one vote, one motion, one withdrawal a session: as councils do
            if size + compose.words_of(topics[topic]) > WORDS * 1.12:
                continue
            mine.append(topic)
            size += compose.words_of(topics[topic])
            if size > WORDS * 0.95:
                break
        if size < WORDS * 0.8:
            say(f"{entry['id']}: only {size} words to be had from {len(free)} free topics; not planned yet")
            continue
        dealt[entry["id"]] = mine
        free = [t for t in free if t not in mine]
        made += 1
    atomic_write(
        PLAN,
        "# Which topics are heard in which session; dealt once by `build.py --stage plan`.\n"
        + yaml.safe_dump(dict(sorted(dealt.items())), allow_unicode=True, sort_keys=False),
    )
    return dealt


# -- the stages of one session ---------------------------------------------------------------------------------


def composed(session_id: str, sources: dict[str, Any]) -> dict[str, Any]:
    if session_id in sources["written"]:
        return compose.written(sources["written"][session_id], sources["roster"])
    entries = sources["roster"]["sessions"]
    n = next(i for i, e in enumerate(entries) if e["id"] == session_id)
    entry = entries[n] | {"topics": sources["plan"][session_id]}
    return scenes.Composer(
        entry, n, sources["topics"], sources["roster"], sources["procedure"], SEED
    ).compose()


def fresh(stamp: Path, key: str, *outputs: Path) -> bool:
    return all(o.is_file() for o in outputs) and stamp.is_file() and stamp.read_text(encoding="utf-8") == key


def build(session_id: str, stages: tuple[str, ...], sources: dict[str, Any], threads: int) -> None:
    folder, out = WORK / session_id, OUT / "sessions" / session_id
    scene_file, wav, times, heard = (
        folder / "composed.json",
        folder / "audio.wav",
        folder / "times.json",
        folder / "asr.json",
    )
    if "compose" in stages:
        data = composed(session_id, sources)
        write_json(scene_file, data)
        write_json(
            out / "session.json",
            {
                "session_id": session_id,
                "tenant": sources["roster"]["tenant"],
                "date": session_id,
                "title": f"{data['title']}, acta {data['number']}",
                "consent": True,
            },
        )
        say(
            f"{session_id} compose: {len(data['paragraphs'])} paragraphs, {sum(len(u['text'].split()) for u in data['utterances'])} words spoken"
        )
    data = read_json(scene_file)
    if "word" in stages:
        word.write_acta(data, sources["roster"], out / "acta.docx", SEED)
        say(f"{session_id} word: {(out / 'acta.docx').stat().st_size // 1000} kB")
    if "voice" in stages:
        key = sha256_bytes(
            dumps([data["utterances"], {k: p["voice"] for k, p in data["people"].items()}])
            + sha256_file(HERE / "voice.py")
        )
        if not fresh(folder / "voice.key", key, wav, times):
            write_json(times, voice.voice_session(data, wav, SEED))
            atomic_write(folder / "voice.key", key)
        say(f"{session_id} voice: {read_json(times)['duration'] / 60:.1f} min")
    if "asr" in stages:
        began = time.monotonic()
        t = transcribe(
            wav,
            heard,
            core_settings.load(),
            session_id=session_id,
            tenant=sources["roster"]["tenant"],
            beam=5,
            threads=threads,
            progress=False,
        )
        say(
            f"{session_id} asr: {len(t.words)} words, {t.duration / max(0.01, time.monotonic() - began):.1f} x real time"
        )
    if "gold" in stages:
        gold(data, read_json(times), read_transcript(heard), out)
        if session_id == SHORT:
            opus(wav, out / "audio.opus")


# -- what is known because we built it --------------------------------------------------------------------------


def label(t: Transcript, times: list[dict[str, Any]], seed: int) -> Transcript:
    """Speaker labels for every word, as a diarisation would give them: anonymous, and wrong for one turn in twenty.

    A word gets the voice that sounds at its middle (the nearest one in a pause).
    """
    spoken = [u for u in times if u["speaker"] is not None]
    turns: list[int] = []  # turn number of every utterance
    for i, u in enumerate(spoken):
        turns.append(0 if i == 0 else turns[-1] + (u["speaker"] != spoken[i - 1]["speaker"]))
    names = {s: f"spk_{n:02d}" for n, s in enumerate(dict.fromkeys(u["speaker"] for u in spoken))}
    rng = random.Random(f"{seed}:diarisation:{t.session_id}")
    heard = {}
    for turn in sorted(set(turns)):
        speaker = names[spoken[turns.index(turn)]["speaker"]]
        wrong = rng.random() < WRONG_TURNS
        heard[turn] = rng.choice([n for n in names.values() if n != speaker]) if wrong else speaker
    starts = [u["start"] for u in spoken]

    def turn_at(middle: float) -> int:
        i = max(0, bisect.bisect_right(starts, middle) - 1)
        if (
            i + 1 < len(spoken)
            and middle > spoken[i]["end"]
            and spoken[i + 1]["start"] - middle < middle - spoken[i]["end"]
        ):
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
    return assemble(
        pieces,
        t.session_id,
        t.tenant,
        t.duration,
        language=t.language,
        source=(t.source or "").split(" audio=")[0] + " + simulated diarisation",
    )


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
    atomic_write(
        out / "gold.json", "[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n]\n"
    )
    aligned = sum(r["start"] is not None for r in rows)
    say(
        f"{t.session_id} gold: {aligned} of {len(rows)} paragraphs spoken; {(out / 'transcript.json').stat().st_size // 1000} kB transcript"
    )


def opus(wav: Path, out: Path) -> None:
    part = out.with_name("part-" + out.name)
    subprocess.run(
        [
            "ffmpeg",
            "-y",
            "-loglevel",
            "error",
            "-i",
            str(wav),
            "-c:a",
            "libopus",
            "-b:a",
            "24k",
            "-application",
            "voip",
            "-fflags",
            "+bitexact",
            "-flags:a",
            "+bitexact",
            str(part),
        ],
        check=True,
    )
    part.replace(out)


def roster_file(roster: dict[str, Any]) -> None:
    """roster.json: who sits in the council, as an operator would hand it over."""
    people = roster["people"]
    row = lambda k: {
        "key": k,
        "name": people[k]["name"],
        "role": people[k]["role"],
        "party": people[k]["party"],
    }  # noqa: E731
    write_json(OUT / "roster.json", [row(k) for k in people])


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
    stages = STAGES if args.stage == "all" else () if args.stage == "plan" else (args.stage,)
    for session_id in args.session or everything:
        if stages:
            build(session_id, stages, sources, args.threads)


if __name__ == "__main__":
    main()
