"""Runs inside the peers' own environment: two token lists on stdin, matched runs on stdout. Nothing of ASTRA is imported."""

import json
import sys


def main() -> None:
    import patiencediff

    written, heard = json.load(sys.stdin)
    matcher = patiencediff.PatienceSequenceMatcher(None, written, heard)
    json.dump([[a, b, n] for a, b, n in matcher.get_matching_blocks() if n], sys.stdout)


if __name__ == "__main__":
    main()
