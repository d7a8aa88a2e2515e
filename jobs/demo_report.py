"""The demo's summary: lines for the screen, a page for the browser, from the same facts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from astra_lib.core.records import read_json
from astra_lib.judge import chart_metrics, word_errors
from astra_lib.report import Page, bars, interval_plot, lines, shown

Rows = list[tuple[str, str]]
SIDES = ("said", "gold", "base", "candidate")


def rows(facts: dict[str, Any]) -> Rows:
    """`(what, value)` in the order of the loop; a stage that did not happen has no row."""
    found: Rows = []
    for stage, describe in STAGES.items():
        if fact := facts.get(stage):
            found += describe(fact)
    if seconds := facts.get("seconds"):
        spent = ", ".join(f"{stage} {s:.0f} s" for stage, s in seconds.items())
        found.append(("time", f"{spent}; peak memory {facts['peak_memory_mb']} MB (this process)"))
    return found


def transcript_rows(t: dict[str, Any]) -> Rows:
    if not t["live"]:
        return [("recording", "committed transcript (no ASR model here)")]
    speed = f", {shown(t['speed'])} x real time" if t.get("speed") else ""
    return [("recording", f"{t['words']} words heard live in {shown(t['minutes'])} minutes{speed}")]


def mine_rows(m: dict[str, Any]) -> Rows:
    aligned = f"{m['aligned']} of {m['paragraphs']} paragraphs in {m['sessions']} sessions"
    precision = (
        f"{m['coverage']:.1%} of the speech at an estimated precision of {m['estimated_precision']:.1%}"
    )
    return [
        ("alignment", f"{aligned}; F1 {shown(m['gold_f1'])} against gold (IoU ≥ .5)"),
        ("coverage", f"{precision}; longest block {m['longest_block_s']:.0f} s"),
    ]


def dataset_rows(d: dict[str, Any]) -> Rows:
    masked = f"{sum(d['personal_data_masked'].values())} found and masked"
    made = f"{d['rows']['train']} training rows, {d['rows']['val']} validation rows"
    return [
        ("personal data", f"{masked}, {d['personal_data_left']} left (independent scan)"),
        ("dataset", f"{made}; {d['recurring_val']} of the latter recur in training"),
    ]


def train_rows(t: dict[str, Any]) -> Rows:
    loss = f"loss {shown(t['first_loss'])} -> {shown(t['last_loss'])}, validation {shown(t['eval_loss'])}"
    found = [("training", f"{loss}; {t['backend']}, {shown(t['wall_s'])} s, ${t['cost_usd']:.3f}")]
    if t["steps"] < t["steps_asked"]:
        speed = f"at {shown(t['tokens_per_s'])} tokens a second"
        end = "its schedule is whole" if t["schedule_ended"] else "cut by the clock"
        found.append(("  smaller", f"{t['steps']} of {t['steps_asked']} steps fitted {speed}; {end}"))
    return found


def judge_rows(j: dict[str, Any]) -> Rows:
    found: Rows = []
    for model, m in j["models"].items():
        similarity = f"similarity {m['similarity']:.2f} (unrelated ≤ {m['similarity_floor']:.2f})"
        validity = f"valid XML {m['xml_valid']:.0%} · {m['items']:.0f} rows"
        errors = f"error rate {m['error_rate']:.3f} · WER {m['wer']:.3f}"
        found.append((f"  {model}", f"{errors} · {similarity} · {validity}"))
    for metric, c in j["comparison"].items():
        interval = f"interval [{c['ci_low']:+.3f}, {c['ci_high']:+.3f}] over {c['sessions']:.0f} sessions"
        found.append((f"  Δ {metric}", f"{c['delta']:+.3f}, {interval}"))
    return [*found, ("verdict", f"{j['verdict']}: {'; '.join(j['reasons'])}")]


def swap_rows(s: dict[str, Any]) -> Rows:
    requests = f"{s['requests']} during the swap, {s['failed']} failed, by generation {s['by_generation']}"
    steps = f"load {s['load_ms']:.0f} ms, canary {s['canary_ms']:.0f} ms, pointer {s['pointer_us']:.1f} µs"
    return [("swap", steps), ("requests", f"{requests}; p50 {shown(s['p50_s'])} s")]


def draft_rows(d: dict[str, Any]) -> Rows:
    drafted = f"{d['paragraphs']} paragraphs of {d['session']} (first {d['minutes']:.0f} minutes)"
    return [("draft", f"{drafted}, {d['gaps']} gaps")]


STAGES = {
    "transcript": transcript_rows,
    "mine": mine_rows,
    "dataset": dataset_rows,
    "train": train_rows,
    "judge": judge_rows,
    "swap": swap_rows,
    "draft": draft_rows,
}


def example(facts: dict[str, Any]) -> dict[str, str] | None:
    """The most exact of the paragraphs where the candidate saves most: speech, clerk, base, candidate."""
    if "judge" not in facts:
        return None
    saved = read_json(Path(facts["judge"]["report"]).parent / "verdict.json")["examples"][:3]
    return min(saved, key=lambda e: word_errors(e["gold"], e["candidate"])[0], default=None)


def text(facts: dict[str, Any]) -> str:
    """The summary for the screen."""
    out = ["=" * 78, *(f"{what:14} {value}" for what, value in rows(facts))]
    if best := example(facts):
        out.append("-" * 78)
        out += [f"{side:14} {' '.join(str(best[side]).split())[:400]}" for side in SIDES if side in best]
    return "\n".join([*out, "=" * 78])


def write_page(facts: dict[str, Any], path: Path) -> Path:
    """The same as a page, with the loss curve and the intervals."""
    page = Page("ASTRA: one turn of the loop", "Sample council Puerto Manantial; every number from this run")
    page.table([{"what": what.strip(), "measured": value} for what, value in rows(facts)])
    if t := facts.get("train"):
        curves = {name: (curve[0], curve[1]) for name, curve in t["curves"].items()}
        page.heading("Loss").figure(lines(curves, "step", "loss"), "On the answers' tokens")
    if j := facts.get("judge"):
        page.heading("Base against candidate").figure(bars(chart_metrics(j["models"])))
        if j["comparison"]:
            plot = interval_plot({name: j["comparison"][name] for name in ("error_rate", "similarity")})
            page.figure(plot, "Difference to the reference, interval over sessions")
    if best := example(facts):
        page.heading("One paragraph, before and after")
        page.table([{"who": side, "text": best[side]} for side in SIDES if side in best])
    page.heading("Reports of the stages")
    links = [
        f"<li><a href='{os.path.relpath(facts[stage]['report'], path.parent)}'>{stage}</a></li>"
        for stage in ("mine", "dataset", "train", "judge", "promote")
        if stage in facts
    ]
    return page.html(f"<ul>{''.join(links)}</ul>").save(path)
