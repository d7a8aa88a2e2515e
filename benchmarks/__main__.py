"""`make bench`: every benchmark with its peers in the same run; `python -m benchmarks NAME` runs one.

align     the aligner beside rapidfuzz, difflib, patiencediff, Bleualign, Vecalign's programme …
          (`--data` for public corpora)
privacy   masking beside plain scrubadub, Presidio and spaCy
swap      adapter load and mixed batches beside PEFT
mining    seconds over number of sessions

Not among them, because it takes hours: `python -m benchmarks.newcomer.run`, both commands in a fresh clone.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "align": [sys.executable, "-m", "benchmarks.align.run", "--quick"],
    "privacy": [sys.executable, "-m", "benchmarks.privacy.run"],
    "swap": [sys.executable, "-m", "benchmarks.swap.run"],
    "mining": [sys.executable, "-m", "benchmarks.mining.run"],
}


def main() -> int:
    asked = sys.argv[1:] or list(COMMANDS)
    if unknown := [a for a in asked if a not in COMMANDS]:
        print(f"no benchmark {unknown[0]!r}\n{__doc__}", file=sys.stderr)
        return 2
    failed = 0
    for name in asked:
        print(f"\n== {name}", flush=True)
        failed += subprocess.run(COMMANDS[name], cwd=ROOT).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
