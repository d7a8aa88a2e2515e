"""What `tune.py` leaves behind for readers: a table on the terminal, a page in Markdown, a picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from astra_lib.core.records import atomic_write
from astra_lib.report import COLORS, figure_png
from astra_lib.weights import Weights

from .bench import FACTORS
from .tune import FLAT, FORMULA, OBJECTIVE, Curve, Result

COLUMNS = 8  # panels side by side
LOWEST, HIGHEST = -12.0, 8.0  # thousandths of the objective that a panel shows


def number(value: float) -> str:
    """A weight as one would write it."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def thousandths(value: float | None, present: float) -> str:
    """How far an objective is from the present one, in thousandths; nothing where it was not measured."""
    if value is None:
        return ""
    away = round(1000 * (value - present), 1)
    return "·" if away == 0 else f"{away:+.1f}".replace("-", "−")


def table(result: Result) -> None:
    """Print a line for every weight."""
    heads = "".join(f"{f'x {factor:g}':>8}" for factor in FACTORS)
    print(f"{'weight':28}{'value':>9}{'best':>9}{'gain':>8}{'error':>7}{heads}  within {FLAT} of the best")
    for c in result.curves:
        cells = "".join(f"{thousandths(o, result.objective):>8}" for o in map(c.objectives.get, c.values))
        values = f"{number(c.value):>9}{number(c.best):>9}{1000 * c.gain:>8.1f}{1000 * c.error:>7.1f}"
        flat = f"{number(c.flat[0])} to {number(c.flat[1])}"
        print(f"{c.name:28}{values}{cells:{8 * len(FACTORS)}}  {flat}")
    for name, (gain, error) in result.fresh.items():
        print(f"on fresh sessions, {name}: {gain:+.4f} ± {error:.4f}")
    if result.missing:
        print("no time left for:", ", ".join(result.missing))


def group_of(name: str) -> type:
    """The class in which a weight is written down."""
    field = name.split("[")[0]
    return next(c for c in Weights.__mro__ if field in c.__dict__.get("__annotations__", {}))


def markdown_table(rows: list[dict[str, Any]]) -> list[str]:
    """Rows with the same keys as lines of Markdown."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(str(row[head]) for head in heads) + " |" for row in rows]


def weight_row(curve: Curve, result: Result) -> dict[str, Any]:
    """A weight in the tables of the page."""
    row = {"weight": f"`{curve.name}`", "value": number(curve.value), "best": number(curve.best)}
    row["gain"] = "·"
    if curve.best != curve.value:
        row["gain"] = f"{1000 * curve.gain:.1f} ± {1000 * curve.error:.1f}"
    if curve.beyond_noise:
        row["gain"] = f"**{row['gain']}**"
    if curve.value == 0:
        rows = sorted(curve.objectives.items())
        tried = [f"{number(v)}: {thousandths(o, result.objective)}" for v, o in rows]
        row |= dict.fromkeys((f"× {factor:g}" for factor in FACTORS), "")
        row["× 1"] = "·"
        row["× 2"] = ", ".join(tried[1:])
    else:
        for factor, value in zip(FACTORS, curve.values, strict=True):
            row[f"× {factor:g}"] = thousandths(curve.objectives.get(value), result.objective)
    row["flat from"], row["to"] = number(curve.flat[0]), number(curve.flat[1])
    return row


def findings(result: Result) -> list[str]:
    """The steps that gained more than noise, and what became of them on fresh sessions."""
    better = [curve for curve in result.curves if curve.beyond_noise]
    if not better:
        nearest = sorted((c for c in result.curves if c.error), key=lambda c: -c.gain / c.error)[:3]
        steps = [
            f"`{c.name}` {number(c.value)} to {number(c.best)} ({1000 * c.gain:+.1f} ± {1000 * c.error:.1f})"
            for c in nearest
        ]
        return [
            "No single step gains more than twice its standard error: the weights stay as they are. "
            f"Nearest to it come, in thousandths, {', '.join(steps)}."
        ]
    lines = [
        "These steps gain more than twice their standard error. The best of hundreds of trials is partly "
        "luck, so each was measured again on sessions of other seeds. In thousandths.",
        "",
    ]
    rows = []
    for curve in better:
        again, error = result.fresh[curve.name]
        rows.append(
            {
                "weight": f"`{curve.name}`",
                "from": number(curve.value),
                "to": number(curve.best),
                "gain": f"{1000 * curve.gain:.1f} ± {1000 * curve.error:.1f}",
                "on fresh sessions": f"{1000 * again:+.1f} ± {1000 * error:.1f}".replace("-", "−"),
                "holds": "yes" if again > 2 * error else "no",
            }
        )
    lines += markdown_table(rows)
    if "together" in result.fresh:
        (gain, error), (again, again_error) = result.step_gain, result.fresh["together"]
        step = ", ".join(f"`{name}` {number(value)}" for name, value in result.step.items())
        lines += [
            "",
            f"Coordinate descent goes to {step}: {1000 * gain:+.1f} ± {1000 * error:.1f} where it was found, "
            f"{1000 * again:+.1f} ± {1000 * again_error:.1f} on fresh sessions.",
        ]
    return lines


def page(result: Result, path: Path) -> Path:
    """The page in Markdown."""
    heard = [curve for curve in result.curves if not curve.silent]
    silent = [curve.name for curve in result.curves if curve.silent]
    lines = [
        "# The weights: how good, and how flat",
        "",
        "What each number weighs is written beside it in `nbs/04_weights.ipynb`. This page is generated:",
        "",
        f"    {result.command}",
        "",
        f"{result.date}, seed {result.seed}. Every number was changed alone and the development sessions "
        "were aligned again. The sample municipality and the suites of `run.py` are the test and stay out.",
        "",
        *markdown_table(result.data),
        "",
        f"Objective: {OBJECTIVE}",
        "",
        f"    {FORMULA}",
        "",
        f"The present weights reach J = {result.objective:.4f}. The numbers below are distances from it, in "
        "thousandths (·: none; empty: refused by the aligner, or not run, because neither half nor double "
        "moves the objective by more than one). ±: standard error, paired over sessions; bold: a gain of "
        "more than twice that. *Flat*: the range around the best value in which the objective stays within "
        f"{1000 * FLAT:g} thousandths of the best.",
        "",
        "![One curve per weight: objective against factor](images/weights.png)",
        "",
        "## Better than today?",
        "",
        *findings(result),
        "",
        "## The curves",
    ]
    for group in dict.fromkeys(group_of(curve.name) for curve in heard):
        rows = [weight_row(curve, result) for curve in heard if group_of(curve.name) is group]
        lines += ["", f"### {group.__name__}", "", *markdown_table(rows)]
    if silent:
        names = ", ".join(f"`{name}`" for name in silent)
        lines += ["", "## No score moves", ""]
        lines.append(f"Neither half nor double changes a score of any session: {names}.")
    if result.missing:
        names = ", ".join(f"`{name}`" for name in result.missing)
        lines += ["", "## Not tried", "", f"The time did not suffice for {names}."]
    return atomic_write(path, "\n".join(lines) + "\n")


def picture(result: Result, path: Path) -> Path:
    """A small panel for every weight that matters, steepest first: objective against factor."""
    from matplotlib.figure import Figure

    curves = sorted((c for c in result.curves if not c.silent), key=lambda c: -steepness(c))
    rows = max(1, math.ceil(len(curves) / COLUMNS))
    fig = Figure(figsize=(1.75 * COLUMNS, 1.35 * rows + 0.5), layout="constrained")
    axes = fig.subplots(rows, COLUMNS, sharey=True, squeeze=False).ravel()
    for ax, curve in zip(axes, curves, strict=False):
        panel(ax, curve, result.objective)
    for ax in axes[len(curves) :]:
        ax.set_visible(False)
    fig.supxlabel(
        "factor on the present value (dot); ring: best value tried; grey: as good as the present one"
    )
    fig.supylabel("objective, thousandths" if rows < 3 else "objective against the present one, thousandths")
    return atomic_write(path, figure_png(fig))


def steepness(curve: Curve) -> float:
    """The most that the objective loses within the range tried."""
    return max(curve.objectives.values()) - min(curve.objectives.values())


def panel(ax: Any, curve: Curve, present: float) -> None:
    """One curve. A weight of zero has no factors: its values stand side by side."""
    points = {}
    for place, value in enumerate(sorted(curve.values)):
        if value in curve.objectives:
            x = value / curve.value if curve.value else 2.0 ** (place / 5)
            points[x] = (value, 1000 * (curve.objectives[value] - present))
    xs = sorted(points)
    ys = [points[x][1] for x in xs]
    color = COLORS[3] if curve.beyond_noise else COLORS[0]
    ax.axhspan(-1000 * FLAT, 1000 * FLAT, color="#eef2f5")
    ax.axhline(0, color="#c3ccd4", linewidth=0.8)
    ax.plot(xs, ys, color=color, linewidth=1.4)
    ax.plot([1], [0], "o", color=color, markersize=4)
    best = [(x, y) for x, (value, y) in points.items() if value == curve.best]
    ax.plot(*best[0], "o", markerfacecolor="none", markeredgecolor=color, markersize=7)
    ax.set_xscale("log", base=2)
    ax.set_xlim(0.37, 2.2)
    ax.set_ylim(LOWEST, HIGHEST)
    ax.set_xticks([0.5, 1, 2], ["½", "1", "2"] if curve.value else ["", "0", number(max(curve.values))])
    ax.tick_params(colors="#5b6b7b", labelsize=7, length=2)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(f"{curve.name} = {number(curve.value)}", fontsize=7.5, loc="left", pad=3)
