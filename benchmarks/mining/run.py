"""Does mining cost the same per session, whether there are few or many?

    python -m benchmarks.mining.run

Copies of the sample sessions under ids of their own; the control is the same number mined by one worker. Prints seconds and
seconds per session; linear means the last column stays flat.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from astra_lib.core import settings as settings_module
from astra_lib.core.records import read_json, write_json
from jobs import mine

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "manantial" / "sessions"


def main() -> int:
    settings = settings_module.load()
    originals = sorted(p for p in SAMPLES.iterdir() if (p / "transcript.json").is_file())
    print(f"{'sessions':>9}{'workers':>9}{'seconds':>9}{'s/session':>11}{'again, s':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for count in (8, 16, 32):
            source = Path(folder) / f"in{count}"
            for i in range(count):
                target = source / f"copia-{i:03d}"
                shutil.copytree(
                    originals[i % len(originals)], target, ignore=shutil.ignore_patterns("*.opus")
                )
                write_json(
                    target / "session.json", {**read_json(target / "session.json"), "session_id": target.name}
                )
            for workers in (1, 0):
                chosen = replace(settings, mine=replace(settings.mine, workers=workers))
                out = Path(folder) / f"out{count}-{workers}"
                began = time.perf_counter()
                mine.mine(source, "manantial", out, chosen, progress=lambda items: items)
                took, began = time.perf_counter() - began, time.perf_counter()
                mine.mine(source, "manantial", out, chosen, progress=lambda items: items)
                print(
                    f"{count:>9}{workers or 'cores':>9}{took:>9.1f}{took / count:>11.3f}{time.perf_counter() - began:>10.2f}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
