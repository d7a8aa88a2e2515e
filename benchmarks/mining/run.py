"""Does mining cost the same per session, whether there are few or many?

    python -m benchmarks.mining.run

Copies of the sample sessions under ids of their own; the control is the same number mined by one worker.
Prints seconds and seconds per session; the cost is linear where seconds per session stay flat.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from astra_lib.core.records import read_json, write_json
from astra_lib.core.settings import Settings, load
from jobs import mine

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "manantial" / "sessions"


def main() -> int:
    settings = load()
    originals = sorted(p for p in SAMPLES.iterdir() if (p / "transcript.json").is_file())
    print(f"{'sessions':>9}{'workers':>9}{'seconds':>9}{'s/session':>11}{'again, s':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for count in (8, 16, 32):
            source = Path(folder) / f"in{count}"
            copy_sessions(originals, source, count)
            for workers in (1, 0):
                chosen = replace(settings, mine=replace(settings.mine, workers=workers))
                out = Path(folder) / f"out{count}-{workers}"
                first_s = mining_seconds(source, out, chosen)
                again_s = mining_seconds(source, out, chosen)
                columns = f"{count:>9}{workers or 'cores':>9}{first_s:>9.1f}{first_s / count:>11.3f}"
                print(f"{columns}{again_s:>10.2f}", flush=True)
    return 0


def copy_sessions(originals: list[Path], source: Path, count: int) -> None:
    """`count` session folders under `source`, each with an id of its own and without its recording."""
    for number in range(count):
        target = source / f"copia-{number:03d}"
        original = originals[number % len(originals)]
        shutil.copytree(original, target, ignore=shutil.ignore_patterns("*.opus"))
        session = read_json(target / "session.json")
        write_json(target / "session.json", {**session, "session_id": target.name})


def mining_seconds(source: Path, out: Path, settings: Settings) -> float:
    began = time.perf_counter()
    mine.mine(source, "manantial", out, settings, progress=lambda items: items)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
