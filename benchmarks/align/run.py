"""The aligner and its peers on the same sessions, in the same run.

    python benchmarks/align/run.py [--data FOLDER] [--peers-python build/peers/bin/python] [--quick] [--out build/bench/align.json]

Constructed sessions always; our sample municipality where it has been built; AMI, ELITR and minutes over real speech with
`--data`. Every tool runs in a process of its own on one thread; seconds are CPU seconds of the alignment alone (wall time is
in the JSON), memory is the peak of the whole process. A peer that cannot run is listed with the reason.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import numpy as np  # noqa: E402
import peers  # noqa: E402
from data import ami, as_segments, elitr, over_real_speech  # noqa: E402
from sessions import Built, minutes_session, session  # noqa: E402

from astra_lib.aligner import align, default_encoder, score  # noqa: E402
from astra_lib.core.records import Pair, read_json, write_json  # noqa: E402
from astra_lib.core.settings import load  # noqa: E402

HARD = {"hard": 0.7, "formula": 0.05, "unspoken": 0.08, "unwritten": 0.17}
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


def manantial(_: Path | None = None) -> list[Built]:
    """Our sample municipality: real recognition of synthetic voices, minutes written by hand, gold from the composer."""
    from astra_lib.minutes import read_minutes
    from astra_lib.transcript import read_transcript

    out = []
    for folder in sorted((HERE.parents[1] / "samples" / "manantial" / "sessions").glob("*/")):
        if (folder / "gold.json").is_file() and (folder / "transcript.json").is_file():
            out.append(
                Built(
                    read_transcript([folder / "transcript.json"], session_id=folder.name, tenant="manantial"),
                    read_minutes(folder / "acta.docx").paragraphs,
                    read_json(folder / "gold.json"),
                )
            )
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


def tools(
    peers_python: str | None, elsewhere: list[float] | None = None
) -> dict[str, Callable[[Built], list[Pair]]]:
    """Name -> session to pairs. `elsewhere` collects the CPU seconds that a peer spent in its own environment."""
    params = load({}).align

    def peer(find: Callable[[peers.Input], peers.Spans]) -> Callable[[Built], list[Pair]]:
        def run(built: Built) -> list[Pair]:
            given = peers.Input(built)
            spans = find(given)
            if elsewhere is not None:
                elsewhere.append(given.elsewhere_s)
            return [
                Pair("s", "t", p.index, p.kind, "", "", s and s[0], s and s[1])
                for p, s in zip(built.paragraphs, spans, strict=True)
            ]

        return run

    def with_meaning(built: Built) -> list[Pair]:
        return align(built.transcript, built.paragraphs, params, encoder=default_encoder()).pairs

    out = {
        "astra": lambda built: align(built.transcript, built.paragraphs, params).pairs,
        "astra + meaning": with_meaning,
        "rapidfuzz indel": peer(peers.indel),
        "difflib": peer(peers.difflib_matcher),
        "seeds + chain": peer(peers.seeds_chain),
        "partial ratio": peer(peers.partial_ratio),
        "tf-idf arg-max": peer(peers.arg_max),
        "bleualign scheme": peer(peers.bleualign_like),
    }
    if peers_python:
        out |= {
            "patiencediff": peer(peers.patience(peers_python)),
            "Bleualign": peer(peers.linked(peers_python, "bleualign")),
            "Vecalign + USE": peer(peers.linked(peers_python, "vecalign")),
            "window matcher": peer(peers.sliding_window(peers_python)),
            "every window": peer(peers.sliding_window(peers_python, "every_window")),
        }
    return out


def kind_of(row: dict[str, Any]) -> str:
    """Kind of a gold row; paragraphs that stand elsewhere than they were said are a kind of their own."""
    return f"{row['kind']}, moved" if row.get("moved") else str(row["kind"])


def pooled(rows: list[tuple[list[Pair], Built]], kind: str | None = None) -> dict[str, float]:
    """Scores over all sessions together, of one kind or all; sessions are laid end to end."""
    pairs, gold, shift, index = [], [], 0.0, 0
    for found, built in rows:
        for p in found:
            pairs.append(
                Pair(
                    "s",
                    "t",
                    p.paragraph + index,
                    p.kind,
                    "",
                    "",
                    None if p.start is None else p.start + shift,
                    None if p.end is None else p.end + shift,
                )
            )
        gold += [
            {
                **g,
                "paragraph": g["paragraph"] + index,
                "start": None if g["start"] is None else g["start"] + shift,
                "end": None if g["end"] is None else g["end"] + shift,
            }
            for g in built.gold
            if kind in (None, kind_of(g))
        ]
        shift, index = shift + built.transcript.duration + 100, index + len(built.paragraphs)
    return score(pairs, gold)


def measure(suite: str, tool: str, quick: bool, data: str | None, peers_python: str | None, out: Any) -> None:
    """One tool on one suite, in a process (and a group of processes) of its own; puts a row into `out`."""
    os.setsid()
    try:
        sessions = suites(quick, Path(data) if data else None)[suite]()
        if not sessions:
            out.put({"suite": suite, "tool": tool, "error": "no sessions"})
            return
        elsewhere: list[float] = []
        run = tools(peers_python, elsewhere)[tool]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        begun, burned = time.perf_counter(), time.process_time()
        rows = [(run(built), built) for built in sessions]
        wall, cpu = (
            time.perf_counter() - begun,
            sum(elsewhere) if sum(elsewhere) else time.process_time() - burned,
        )
        found = pooled(rows)
        longest = max(
            (p.end - p.start for pairs, _ in rows for p in pairs if p.start is not None), default=0.0
        )
        kinds = sorted({kind_of(g) for b in sessions for g in b.gold})
        out.put(
            {
                "suite": suite,
                "tool": tool,
                **{c: round(found[c], 4) for c in COLUMNS},
                "longest_span_s": round(longest, 1),
                "wall_s": round(wall, 3),
                "cpu_s": round(cpu, 3),
                "hours": round(sum(b.transcript.duration for b in sessions) / 3600, 2),
                "memory_before_mb": round(before),
                "peak_memory_mb": round(
                    max(
                        resource.getrusage(who).ru_maxrss
                        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
                    )
                    / 1024
                ),
                "kinds": {
                    k: {
                        c: round(v, 4)
                        for c, v in pooled(rows, k).items()
                        if c in ("precision", "recall", "f1", "unspoken_accepted", "spoken", "paragraphs")
                    }
                    for k in kinds
                },
            }
        )
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
        os.killpg(process.pid, signal.SIGTERM)
        row = {"suite": arguments[0], "tool": arguments[1], "error": f"stopped after {limit_s:.0f} s"}
    process.join()
    return row


def scaling(params: Any) -> list[dict[str, float]]:
    """CPU time of the lexical layers against the length of the session."""
    out = []
    for hours in (1, 2, 4, 8, 16):
        built = session(910, hours)
        walls = []
        for _ in range(3):
            begun = time.process_time()
            align(built.transcript, built.paragraphs, params)
            walls.append(time.process_time() - begun)
        out.append({"hours": hours, "cpu_s": round(min(walls), 3)})
    slope = np.polyfit(np.log([r["hours"] for r in out]), np.log([r["cpu_s"] for r in out]), 1)[0]
    return [*out, {"slope": round(float(slope), 3)}]


def table(rows: list[dict[str, Any]]) -> None:
    head = (
        "precision",
        "recall",
        "f1",
        "f1_75",
        "time_f1",
        "unspoken_accepted",
        "boundary_p95_s",
        "longest_span_s",
        "cpu_s",
        "peak_memory_mb",
    )
    short = {
        "unspoken_accepted": "unsp.acc",
        "boundary_p95_s": "bnd p95",
        "longest_span_s": "longest",
        "peak_memory_mb": "MB",
    }
    print(f"{'suite':15} {'tool':22}" + "".join(f"{short.get(h, h):>10}" for h in head))
    for row in rows:
        cells = row.get("error") or "".join(
            f"{row[h]:>10.3f}" if row[h] < 1000 else f"{row[h]:>10.0f}" for h in head
        )
        print(f"{row['suite']:15} {row['tool']:22}{cells}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="folder with ami_dev, elitr_dev, ecuador_dev")
    parser.add_argument("--peers-python", help="Python of the environment made from requirements-peers.txt")
    parser.add_argument("--quick", action="store_true", help="one-hour sessions")
    parser.add_argument("--only", nargs="*", help="suites")
    parser.add_argument("--tools", nargs="*")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds per tool and suite")
    parser.add_argument("--out", default="build/bench/align.json")
    options = parser.parse_args()
    rows = []
    for suite in suites(options.quick, Path(options.data) if options.data else None):
        if options.only and suite not in options.only:
            continue
        for tool in tools(options.peers_python):
            if not options.tools or tool in options.tools:
                rows.append(
                    in_process(options.limit, suite, tool, options.quick, options.data, options.peers_python)
                )
                table(rows[-1:])
    if not options.peers_python:
        print("patiencediff, Bleualign, Vecalign and the window matchers: skipped, no --peers-python")
    growth = scaling(load({}).align) if not options.quick and not options.only else []
    print()
    table(rows)
    for row in growth:
        print(row)
    print("written to", write_json(options.out, {"rows": rows, "scaling": growth}))


if __name__ == "__main__":
    main()
