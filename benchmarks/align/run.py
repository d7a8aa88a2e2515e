"""The aligner and its peers on the same sessions, in the same run.

    python -m benchmarks.align.run [--data FOLDER] [--peers-python build/peers/bin/python] [--quick]

Constructed sessions always; our sample municipality where it has been built; AMI, ELITR and minutes over
real speech with `--data`. Every tool runs in a process of its own on one thread; seconds are CPU seconds of
the alignment alone (wall time is in the JSON), memory is the peak of the whole process. A peer that cannot
run is listed with the reason.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from astra_lib.alignment import align, score
from astra_lib.core.encoder import default_encoder
from astra_lib.core.records import Pair, read_json, write_json
from astra_lib.core.settings import load

from . import peers
from .data import ami, elitr, over_real_speech
from .segments import as_segments
from .sessions import HARD, minutes_session, session
from .speech import Built

Tool = Callable[[Built], list[Pair]]
Finder = Callable[[peers.Input], peers.Spans]

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "manantial" / "sessions"
COLUMNS = (
    "precision",
    "recall",
    "f1",
    "f1_75",
    "time_f1",
    "null_f1",
    "unspoken_accepted",
    "boundary_p50_s",
    "boundary_p90_s",
    "boundary_p95_s",
)
KIND_COLUMNS = ("precision", "recall", "f1", "unspoken_accepted", "spoken", "paragraphs")
PRINTED = {  # column of a row -> its head in the table
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
    "f1_75": "f1_75",
    "time_f1": "time_f1",
    "unspoken_accepted": "unsp.acc",
    "boundary_p95_s": "bnd p95",
    "longest_span_s": "longest",
    "cpu_s": "cpu_s",
    "peak_memory_mb": "MB",
}


def manantial() -> list[Built]:
    """Our sample municipality: synthetic voices, truly recognised; minutes by hand; composed gold."""
    from astra_lib.minutes import read_minutes
    from astra_lib.transcript import read_transcript

    out = []
    for folder in sorted(SAMPLE.glob("*/")):
        if (folder / "gold.json").is_file() and (folder / "transcript.json").is_file():
            transcript = read_transcript(
                [folder / "transcript.json"], session_id=folder.name, tenant="manantial"
            )
            minutes = read_minutes(folder / "acta.docx").paragraphs
            out.append(Built(transcript, minutes, read_json(folder / "gold.json")))
    return out


def suites(quick: bool, data: Path | None) -> dict[str, Callable[[], list[Built]]]:
    """Name -> how to build its sessions. Seeds of 900 and up are used nowhere else."""
    hours = 1.0 if quick else 8.0
    out: dict[str, Callable[[], list[Built]]] = {
        "mixed": lambda: [session(901, hours)],
        "noisy": lambda: [session(902, hours, noise=0.2, keep=0.35)],
        "hard": lambda: [
            session(903, min(hours, 4), mix=HARD),
            session(904, min(hours, 4), mix=HARD, filler=1.0),
        ],
        "minutes": lambda: [
            minutes_session(905, keep=0.4),
            minutes_session(906, keep=0.5, filler=0.3),
            minutes_session(907, keep=0.4, diarised=False),
        ],
        "sample": manantial,
        "sample, 15 s": lambda: [as_segments(b) for b in manantial()],
        "same, no voices": lambda: [as_segments(b, diarised=False) for b in manantial()],
    }
    if data:
        out["real speech"] = lambda: list(over_real_speech(data, 908, keep=0.4, hours=1.65))
        out["ami"] = lambda: list(ami(data))[: 12 if quick else 60]
        out["elitr"] = lambda: list(elitr(data))
    return out


def peer(find: Finder, elsewhere: list[float] | None) -> Tool:
    """A peer as a tool: spans become pairs."""

    def run(built: Built) -> list[Pair]:
        given = peers.Input(built)
        spans = find(given)
        if elsewhere is not None:
            elsewhere.append(given.elsewhere_s)
        pairs = []
        for p, span in zip(built.paragraphs, spans, strict=True):
            start, end = span or (None, None)
            pairs.append(Pair("s", "t", p.index, p.kind, "", "", start, end))
        return pairs

    return run


def tools(peers_python: str | None, elsewhere: list[float] | None = None) -> dict[str, Tool]:
    """Name -> session to pairs. `elsewhere` collects the CPU seconds of peers in their own environment."""
    params = load({}).align

    def astra(built: Built) -> list[Pair]:
        return align(built.transcript, built.paragraphs, params).pairs

    def with_meaning(built: Built) -> list[Pair]:
        return align(built.transcript, built.paragraphs, params, encoder=default_encoder()).pairs

    found: dict[str, Finder] = {
        "rapidfuzz indel": peers.indel,
        "difflib": peers.difflib_matcher,
        "seeds + chain": peers.seeds_chain,
        "partial ratio": peers.partial_ratio,
        "tf-idf arg-max": peers.arg_max,
        "bleualign scheme": peers.bleualign_like,
    }
    if peers_python:
        found["patiencediff"] = peers.patience(peers_python)
        found["Bleualign"] = peers.linked(peers_python, "bleualign")
        found["Vecalign + USE"] = peers.linked(peers_python, "vecalign")
        found["window matcher"] = peers.sliding_window(peers_python)
        found["every window"] = peers.sliding_window(peers_python, "every_window")
    others = {name: peer(find, elsewhere) for name, find in found.items()}
    return {"astra": astra, "astra + meaning": with_meaning, **others}


def kind_of(row: dict[str, Any]) -> str:
    """Kind of a gold row; paragraphs that stand elsewhere than they were said are a kind of their own."""
    return f"{row['kind']}, moved" if row.get("moved") else str(row["kind"])


def later(time_s: float | None, shift_s: float) -> float | None:
    return None if time_s is None else time_s + shift_s


def pooled(rows: list[tuple[list[Pair], Built]], kind: str | None = None) -> dict[str, float]:
    """Scores over all sessions together, of one kind or all; sessions are laid end to end."""
    pairs, gold, shift, index = [], [], 0.0, 0
    for found, built in rows:
        for p in found:
            start, end = later(p.start, shift), later(p.end, shift)
            pairs.append(replace(p, paragraph=p.paragraph + index, start=start, end=end))
        for g in built.gold:
            if kind in (None, kind_of(g)):
                start, end = later(g["start"], shift), later(g["end"], shift)
                gold.append({**g, "paragraph": g["paragraph"] + index, "start": start, "end": end})
        shift, index = shift + built.transcript.duration + 100, index + len(built.paragraphs)
    return score(pairs, gold)


def peak_memory_mb() -> float:
    """The most that this process, or one that it started, has held."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in both) / 1024


def measured(
    suite: str, tool: str, quick: bool, data: Path | None, peers_python: str | None
) -> dict[str, Any]:
    """The row of one tool on one suite."""
    sessions = suites(quick, data)[suite]()
    if not sessions:
        return {"suite": suite, "tool": tool, "error": "no sessions"}
    elsewhere: list[float] = []
    run = tools(peers_python, elsewhere)[tool]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun, burned = time.perf_counter(), time.process_time()
    rows = [(run(built), built) for built in sessions]
    wall, here = time.perf_counter() - begun, time.process_time() - burned
    found = pooled(rows)
    spans = [(p.start, p.end) for pairs, _ in rows for p in pairs]
    lengths = [end - start for start, end in spans if start is not None and end is not None]
    kinds = {}
    for kind in sorted({kind_of(g) for b in sessions for g in b.gold}):
        of_kind = pooled(rows, kind)
        kinds[kind] = {c: round(of_kind[c], 4) for c in KIND_COLUMNS}
    return {
        "suite": suite,
        "tool": tool,
        **{c: round(found[c], 4) for c in COLUMNS},
        "longest_span_s": round(max(lengths, default=0.0), 1),
        "wall_s": round(wall, 3),
        "cpu_s": round(sum(elsewhere) or here, 3),
        "hours": round(sum(b.transcript.duration for b in sessions) / 3600, 2),
        "memory_before_mb": round(before),
        "peak_memory_mb": round(peak_memory_mb()),
        "kinds": kinds,
    }


def measure(
    suite: str, tool: str, quick: bool, data: Path | None, peers_python: str | None, out: Any
) -> None:
    """`measured` in a process group of its own; puts the row into `out`."""
    os.setsid()
    try:
        out.put(measured(suite, tool, quick, data, peers_python))
    except Exception as error:  # a peer's failure is a result of the comparison
        out.put({"suite": suite, "tool": tool, "error": f"{type(error).__name__}: {error}"[:160]})


def in_process(limit_s: float, *arguments: Any) -> dict[str, Any]:
    """`measure` in a fresh process; a tool over its time is a row that says so."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measure, args=(*arguments, queue))
    process.start()
    try:
        row = queue.get(timeout=limit_s)
    except Exception:
        assert process.pid is not None  # it was started
        os.killpg(process.pid, signal.SIGTERM)
        row = {"suite": arguments[0], "tool": arguments[1], "error": f"stopped after {limit_s:.0f} s"}
    process.join()
    return row


def scaling() -> list[dict[str, float]]:
    """CPU seconds of the lexical layers against the length of the session; the best of three."""
    params = load({}).align
    out = []
    for hours in (1, 2, 4, 8, 16):
        built = session(910, hours)
        seconds = []
        for _ in range(3):
            begun = time.process_time()
            align(built.transcript, built.paragraphs, params)
            seconds.append(time.process_time() - begun)
        out.append({"hours": hours, "cpu_s": round(min(seconds), 3)})
    slope = np.polyfit(np.log([r["hours"] for r in out]), np.log([r["cpu_s"] for r in out]), 1)[0]
    return [*out, {"slope": round(float(slope), 3)}]


def table(rows: list[dict[str, Any]]) -> None:
    """Print the rows under a head."""
    print(f"{'suite':15} {'tool':22}" + "".join(f"{head:>10}" for head in PRINTED.values()))
    for row in rows:
        cells = row.get("error")
        if cells is None:
            values = [row[column] for column in PRINTED]
            cells = "".join(f"{v:>10.3f}" if v < 1000 else f"{v:>10.0f}" for v in values)
        print(f"{row['suite']:15} {row['tool']:22}{cells}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with ami_dev, elitr_dev, ecuador_dev")
    parser.add_argument("--peers-python", help="Python of the environment made from requirements-peers.txt")
    parser.add_argument("--quick", action="store_true", help="one-hour sessions")
    parser.add_argument("--only", nargs="*", help="suites")
    parser.add_argument("--tools", nargs="*")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds per tool and suite")
    parser.add_argument("--out", default="build/bench/align.json")
    options = parser.parse_args()

    # one thread each: read by the processes started below, before they load numpy
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    rows = []
    for suite in suites(options.quick, options.data):
        if options.only and suite not in options.only:
            continue
        for tool in tools(options.peers_python):
            if options.tools and tool not in options.tools:
                continue
            arguments = (suite, tool, options.quick, options.data, options.peers_python)
            rows.append(in_process(options.limit, *arguments))
            table(rows[-1:])
    if not options.peers_python:
        print("patiencediff, Bleualign, Vecalign and the window matchers: skipped, no --peers-python")
    growth = []
    if not options.quick and not options.only:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            growth = pool.submit(scaling).result()
    print()
    table(rows)
    for row in growth:
        print(row)
    print("written to", write_json(options.out, {"rows": rows, "scaling": growth}))


if __name__ == "__main__":
    main()
