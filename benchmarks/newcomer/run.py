"""What a newcomer meets: both commands of the README in a fresh clone with a clean home.

    python -m benchmarks.newcomer.run                        quiet, one core taken, half of each core taken
    python -m benchmarks.newcomer.run --load quiet --demos 5 --no-test

Each condition gets a clone and a home of its own; other work is played by processes that spin on the cores
they are pinned to. Prints a table of times, disk, memory and verdicts, and writes them as JSON. Takes an hour
for each condition.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# share of each core that other work takes
LOADS = {"quiet": [0.0, 0.0], "one core taken": [1.0, 0.0], "half of each core taken": [0.5, 0.5]}
SLICE_S = 0.05
INSTALLED = re.compile(r"^   done in (\d+) s", re.MULTILINE)


@dataclass
class Seen:
    """One command under one load. `peak_mb`: memory in use at most, above what was in use before."""

    load: str
    command: str
    exit: int
    wall_s: float
    installing_s: float
    peak_mb: int
    verdict: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    disk_mb: dict[str, int] = field(default_factory=dict)


def spin(core: int, share: float) -> None:
    """Take `share` of a core for good."""
    os.sched_setaffinity(0, {core})
    while True:
        busy_until = time.perf_counter() + SLICE_S * share
        while time.perf_counter() < busy_until:
            pass
        time.sleep(SLICE_S * (1 - share))


@contextlib.contextmanager
def other_work(shares: list[float]) -> Iterator[None]:
    """While the context lasts, the first cores are shared with processes that spin."""
    spinners = [
        multiprocessing.Process(target=spin, args=(core, share), daemon=True)
        for core, share in enumerate(shares)
        if share
    ]
    for process in spinners:
        process.start()
    try:
        yield
    finally:
        for process in spinners:
            process.terminate()


class Memory:
    """The most memory in use, asked for every half second."""

    def __init__(self) -> None:
        self.before, self.most, self.over = used_mb(), 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.over.wait(0.5):
            self.most = max(self.most, used_mb() - self.before)


def used_mb() -> int:
    rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    kib = {name: int(value.split()[0]) for name, value in rows.items()}
    return (kib["MemTotal"] - kib["MemAvailable"]) >> 10


def size_mb(folder: Path) -> int:
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file()) >> 20 if folder.exists() else 0


def command(clone: Path, home: Path, name: str, load: str) -> Seen:
    """Run `make NAME` as a newcomer would, and say what it took."""
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        **{k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "REQUESTS_"))},
    }
    log = clone.parent / f"{name}.log"
    began = time.monotonic()
    with Memory() as memory, log.open("w") as out:
        done = subprocess.run(
            ["make", name], cwd=clone, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    wall_s = time.monotonic() - began
    text = log.read_text(errors="replace")
    print("\n".join(text.splitlines()[-12:]), flush=True)
    installing_s = sum(map(float, INSTALLED.findall(text)))
    seen = Seen(load, f"make {name}", done.returncode, round(wall_s, 1), installing_s, memory.most)
    summary = clone / "data" / "demo" / "summary.json"
    if name == "demo" and summary.is_file():
        facts = json.loads(summary.read_text())
        seen.verdict, seen.stages = facts["judge"]["verdict"], facts["seconds"]
    seen.disk_mb = {n: size_mb(clone / n) for n in (".venv", ".venv-trainer", "data")}
    return seen


def newcomer(load: str, demos: int, test: bool, keep: bool) -> Iterator[Seen]:
    """Both commands in a fresh clone; every demo but the last begins with an empty data folder."""
    folder = Path(tempfile.mkdtemp(prefix="newcomer-"))
    clone, home = folder / "astra", folder / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    try:
        with other_work(LOADS[load]):
            for number in range(demos):
                if number:
                    shutil.rmtree(clone / "data")
                yield command(clone, home, "demo", load)
            yield command(clone, home, "demo", f"{load}, again")
            if test:
                yield command(clone, home, "test", load)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def table(rows: list[Seen]) -> str:
    lines = [
        "| machine | command | exit | whole | of it installing | memory | disk | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        disk = f"{sum(row.disk_mb.values()) / 1000:.1f} GB"
        times = f"{row.wall_s / 60:.1f} min | {row.installing_s / 60:.1f} min"
        lines.append(
            f"| {row.load} | `{row.command}` | {row.exit} | {times} | {row.peak_mb / 1000:.1f} GB | {disk} "
            f"| {row.verdict or '–'} |"
        )
    return "\n".join(lines)


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--load", choices=LOADS, action="append", help="may be named several times")
    arguments.add_argument("--demos", type=int, default=1, help="demos from an empty data folder, each load")
    arguments.add_argument("--no-test", action="store_true")
    arguments.add_argument(
        "--keep", action="store_true", help="leave clones and logs in the temporary folder"
    )
    arguments.add_argument("--out", type=Path, default=ROOT / "build" / "newcomer.json")
    args = arguments.parse_args()
    rows: list[Seen] = []
    for load in args.load or list(LOADS):
        for seen in newcomer(load, args.demos, not args.no_test, args.keep):
            rows.append(seen)
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps([asdict(row) for row in rows], indent=1))
            print("\n" + table(rows), flush=True)
    return 0 if all(row.exit == 0 for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
