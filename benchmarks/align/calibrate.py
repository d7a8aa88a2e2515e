"""Finds the coefficients of the aligner's confidence, and says how far they can be believed.

    python -m benchmarks.align.calibrate [--data FOLDER] [--out build/bench/calibration.json]

Half of the sessions are fitted, the other half judged: expected calibration error (ten bins of equal
width), the reliability table, and precision among pairs at .5 and at .8. Nothing of our sample municipality
is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from astra_lib import alignment
from astra_lib.core.records import write_json
from astra_lib.core.settings import load

from .data import over_real_speech
from .sessions import HARD, minutes_session, session
from .speech import Built

Judged = tuple[tuple[float, ...], bool]  # the features of a pair, and whether it is right


def development(data: Path | None) -> list[Built]:
    """Four sessions of each kind, from easy to difficult."""
    out = []
    for k in range(4):
        out.append(session(700 + k, 1.0, noise=0.06 + 0.05 * k))
        out.append(session(710 + k, 1.0, mix=HARD, filler=0.5 * (k % 2)))
        noise, filler = 0.08 + 0.04 * k, 0.8 - 0.2 * k
        out.append(
            minutes_session(720 + k, 1.0, keep=0.3 + 0.07 * k, filler=filler, noise=noise, diarised=k != 2)
        )
    if data:
        for k in range(4):
            out += over_real_speech(data, 730 + k, keep=0.3 + 0.08 * k, hours=1.0, noise=0.1 * k)
    return out


def judged(built: Built) -> list[Judged]:
    """Every pair of a session that the gold knows; right is an overlap of at least a half."""
    found = alignment.align(built.transcript, built.paragraphs, load({}).align)
    truth = {g["paragraph"]: (g["start"], g["end"]) for g in built.gold}
    out = []
    for p in found.pairs:
        if p.start is None or p.end is None or p.paragraph not in truth:
            continue
        span = truth[p.paragraph]
        right = span[0] is not None and alignment.overlap((p.start, p.end), span) >= 0.5
        out.append((found.traits[p.paragraph], right))
    return out


def reliability(
    probability: np.ndarray, right: np.ndarray, bins: int = 10
) -> tuple[float, list[dict[str, float]]]:
    """Expected calibration error and the table behind it."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    rows = []
    for k in range(bins):
        inside = place == k
        if inside.any():
            said, was = float(probability[inside].mean()), float(right[inside].mean())
            pairs = int(inside.sum())
            rows.append({"from": k / bins, "pairs": pairs, "said": round(said, 3), "was": round(was, 3)})
    return sum(r["pairs"] * abs(r["said"] - r["was"]) for r in rows) / max(1, len(right)), rows


def arrays(rows: Sequence[Judged]) -> tuple[np.ndarray, np.ndarray]:
    """Features and answers as arrays."""
    return np.asarray([features for features, _ in rows]), np.asarray([right for _, right in rows])


def fit(features: np.ndarray, right: np.ndarray) -> Any:
    """A logistic regression; the first feature is the constant."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(fit_intercept=False, C=10.0, max_iter=1000).fit(features, right)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with ecuador_dev")
    parser.add_argument("--out", default="build/bench/calibration.json")
    options = parser.parse_args()

    sessions = [judged(b) for b in development(options.data)]
    even, odd = ([row for rows in sessions[start::2] for row in rows] for start in (0, 1))
    features, right = arrays(odd)
    all_features, all_right = arrays([*even, *odd])
    coefficients = fit(all_features, all_right).coef_[0]
    named = zip(alignment.FEATURES, (round(float(c), 3) for c in coefficients), strict=True)
    result: dict[str, Any] = {
        "pairs": len(all_right),
        "right": round(float(all_right.mean()), 4),
        "coefficients": dict(named),
    }
    probabilities = {
        "fitted on the other half": fit(*arrays(even)).predict_proba(features)[:, 1],
        "as stored": np.asarray([alignment.confidence_of(f) for f in features]),
    }
    for name, values in probabilities.items():
        error, table = reliability(values, right)
        result[name] = {"ece": round(error, 4), "table": table}
        print(f"\n{name}: ECE {error:.4f}")
        for bar in (0.5, 0.8):
            above = values >= bar
            print(f"  precision at {bar}: {right[above].mean():.3f} ({above.mean():.2f} of pairs)")
        for row in table:
            print("  ", row)
    print("\ncoefficients on all:", result["coefficients"])
    print("written to", write_json(options.out, result))


if __name__ == "__main__":
    main()
