"""Finds the coefficients of the aligner's confidence on development sessions, and says how far they can be believed.

    python benchmarks/align/calibrate.py [--data FOLDER] [--out build/bench/calibration.json]

Half of the sessions are fitted, the other half judged: expected calibration error (ten bins of equal width), the
reliability table, and precision among pairs at .5 and at .8. Nothing of our sample municipality is used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from data import over_real_speech  # noqa: E402
from sessions import Built, minutes_session, session  # noqa: E402

from astra_lib import aligner  # noqa: E402
from astra_lib.core.records import write_json  # noqa: E402
from astra_lib.core.settings import load  # noqa: E402

HARD = {"hard": 0.7, "formula": 0.05, "unspoken": 0.08, "unwritten": 0.17}


def development(data: Path | None) -> list[Built]:
    out = []
    for k in range(4):
        out += [
            session(700 + k, 1.0, noise=0.06 + 0.05 * k),
            session(710 + k, 1.0, mix=HARD, filler=0.5 * (k % 2)),
            minutes_session(
                720 + k,
                1.0,
                keep=0.3 + 0.07 * k,
                filler=0.8 - 0.2 * k,
                noise=0.08 + 0.04 * k,
                diarised=k != 2,
            ),
        ]
    if data:
        for k in range(4):
            out += list(over_real_speech(data, 730 + k, keep=0.3 + 0.08 * k, hours=1.0, noise=0.1 * k))
    return out


def judged(built: Built) -> list[tuple[tuple[float, ...], bool]]:
    """(features, right?) of every pair."""
    found = aligner.align(built.transcript, built.paragraphs, load({}).align)
    truth = {g["paragraph"]: (g["start"], g["end"]) for g in built.gold}
    return [
        (
            found.traits[p.paragraph],
            truth[p.paragraph][0] is not None
            and aligner.overlap((p.start, p.end), truth[p.paragraph]) >= 0.5,
        )
        for p in found.pairs
        if p.start is not None and p.paragraph in truth
    ]


def reliability(
    probability: np.ndarray, right: np.ndarray, bins: int = 10
) -> tuple[float, list[dict[str, float]]]:
    """Expected calibration error and the table behind it."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    rows = [
        {
            "from": k / bins,
            "pairs": int((place == k).sum()),
            "said": round(float(probability[place == k].mean()), 3),
            "was": round(float(right[place == k].mean()), 3),
        }
        for k in range(bins)
        if (place == k).any()
    ]
    return sum(r["pairs"] * abs(r["said"] - r["was"]) for r in rows) / max(1, len(right)), rows


def main() -> None:
    from sklearn.linear_model import LogisticRegression

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data")
    parser.add_argument("--out", default="build/bench/calibration.json")
    options = parser.parse_args()
    rows = [judged(b) for b in development(Path(options.data) if options.data else None)]
    parts = []
    for start in (0, 1):
        chosen = [r for session_rows in rows[start::2] for r in session_rows]
        parts.append((np.asarray([t for t, _ in chosen]), np.asarray([y for _, y in chosen])))
    (x, y), (x_test, y_test) = parts
    model = LogisticRegression(fit_intercept=False, C=10.0, max_iter=1000).fit(x, y)
    fitted = model.predict_proba(x_test)[:, 1]
    stored = np.asarray([aligner.confidence_of(t) for t in x_test])
    both = LogisticRegression(fit_intercept=False, C=10.0, max_iter=1000).fit(
        np.concatenate([x, x_test]), np.concatenate([y, y_test])
    )
    result = {
        "pairs": len(y) + len(y_test),
        "right": round(float(np.concatenate([y, y_test]).mean()), 4),
        "coefficients": dict(zip(aligner.FEATURES, (round(float(c), 3) for c in both.coef_[0]), strict=True)),
    }
    for name, values in (("fitted on the other half", fitted), ("as stored", stored)):
        error, table = reliability(values, y_test)
        print(
            f"\n{name}: ECE {error:.4f}; precision at .5 {y_test[values >= 0.5].mean():.3f} ({(values >= 0.5).mean():.2f} of pairs), "
            f"at .8 {y_test[values >= 0.8].mean():.3f} ({(values >= 0.8).mean():.2f})"
        )
        for row in table:
            print("  ", row)
        result[name] = {"ece": round(error, 4), "table": table}
    print("\ncoefficients on all:", result["coefficients"])
    print("written to", write_json(options.out, result))


if __name__ == "__main__":
    main()
