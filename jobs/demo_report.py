"""The demo's summary: lines for the screen, a page for the browser, from the same facts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from astra_lib.core.records import read_json
from astra_lib.report import Page, bars, interval_plot, lines, shown


def rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """`(what, value)` in the order of the loop; what did not happen says so."""
    found: list[tuple[str, str]] = []
    if t := facts.get("transcript"):
        speed = f", {shown(t['speed'])} x real time" if t.get("speed") else ""
        found.append(
            (
                "recording",
                f"{t['words']} words heard live in {shown(t['minutes'])} minutes{speed}"
                if t["live"]
                else "committed transcript (no ASR model here)",
            )
        )
    if m := facts.get("mine"):
        found.append(
            (
                "alignment",
                f"{m['aligned']} of {m['paragraphs']} paragraphs in {m['sessions']} sessions; F1 {shown(m['gold_f1'])} against gold (IoU ≥ .5)",
            )
        )
        found.append(
            (
                "coverage",
                f"{m['coverage']:.1%} of the speech at an estimated precision of {m['estimated_precision']:.1%}; longest block {m['longest_block_s']:.0f} s",
            )
        )
    if d := facts.get("dataset"):
        found.append(
            (
                "personal data",
                f"{sum(d['personal_data_masked'].values())} found and masked, {d['personal_data_left']} left (independent scan)",
            )
        )
        found.append(
            (
                "dataset",
                f"{d['rows']['train']} training rows, {d['rows']['val']} validation rows; {d['recurring_val']} of the latter recur in training",
            )
        )
    if t := facts.get("train"):
        found.append(
            (
                "training",
                f"loss {shown(t['first_loss'])} -> {shown(t['last_loss'])}, validation {shown(t['eval_loss'])}; {t['backend']}, {shown(t['wall_s'])} s, ${t['cost_usd']:.3f}",
            )
        )
    if j := facts.get("judge"):
        for name, m in j["models"].items():
            found.append(
                (
                    f"  {name}",
                    f"WER {m['wer']:.3f} · similarity {m['similarity']:.2f} (unrelated ≤ {m['similarity_floor']:.2f}) · valid XML {m['xml_valid']:.0%} · {m['items']:.0f} rows",
                )
            )
        for metric, c in j["comparison"].items():
            found.append(
                (
                    f"  Δ {metric}",
                    f"{c['delta']:+.3f}, interval [{c['ci_low']:+.3f}, {c['ci_high']:+.3f}] over {c['sessions']:.0f} sessions",
                )
            )
        found.append(("verdict", f"{j['verdict']}: {'; '.join(j['reasons'])}"))
    if s := facts.get("swap"):
        found.append(
            (
                "swap",
                f"load {s['load_ms']:.0f} ms, canary {s['canary_ms']:.0f} ms, pointer {s['pointer_us']:.1f} µs",
            )
        )
        found.append(
            (
                "requests",
                f"{s['requests']} during the swap, {s['failed']} failed, by generation {s['by_generation']}; p50 {shown(s['p50_s'])} s",
            )
        )
    if d := facts.get("draft"):
        found.append(
            (
                "draft",
                f"{d['paragraphs']} paragraphs of {d['session']} (first {d['minutes']:.0f} minutes), {d['gaps']} gaps",
            )
        )
    if s := facts.get("seconds"):
        found.append(
            (
                "time",
                ", ".join(f"{k} {v:.0f} s" for k, v in s.items())
                + f"; peak memory {facts['peak_memory_mb']} MB (this process)",
            )
        )
    return found


def example(facts: dict[str, Any]) -> dict[str, str] | None:
    """The most exact of the paragraphs where the candidate saves most: speech, clerk, base, candidate."""
    from astra_lib.judge import word_errors

    if "judge" not in facts:
        return None
    saved = read_json(Path(facts["judge"]["report"]).parent / "verdict.json")["examples"][:3]
    return min(saved, key=lambda e: word_errors(e["gold"], e["candidate"])[0], default=None)


def text(facts: dict[str, Any]) -> str:
    """The summary for the screen."""
    out = ["=" * 78, *(f"{k:14} {v}" for k, v in rows(facts))]
    if e := example(facts):
        out += [
            "-" * 78,
            *(
                f"{k:14} {' '.join(str(e[k]).split())[:400]}"
                for k in ("said", "gold", "base", "candidate")
                if k in e
            ),
        ]
    return "\n".join([*out, "=" * 78])


def write_page(facts: dict[str, Any], path: Path) -> Path:
    """The same as a page, with the loss curve and the intervals."""
    page = Page("ASTRA: one turn of the loop", "Sample council Puerto Manantial; every number from this run")
    page.table([{"what": k.strip(), "measured": v} for k, v in rows(facts)])
    if t := facts.get("train"):
        page.heading("Loss").figure(
            lines({k: (c[0], c[1]) for k, c in t["curves"].items()}, "step", "loss"), "On the answers' tokens"
        )
    if j := facts.get("judge"):
        page.heading("Base against candidate").figure(
            bars(
                {
                    n: {"WER": m["wer"], "similarity": m["similarity"], "valid XML": m["xml_valid"]}
                    for n, m in j["models"].items()
                }
            )
        )
        if j["comparison"]:
            page.figure(
                interval_plot({k: j["comparison"][k] for k in ("wer", "similarity")}),
                "Difference to the reference, interval over sessions",
            )
    if e := example(facts):
        page.heading("One paragraph, before and after").table(
            [{"who": k, "text": e[k]} for k in ("said", "gold", "base", "candidate") if k in e]
        )
    page.heading("Reports of the stages")
    links = [(n, facts[n]["report"]) for n in ("mine", "dataset", "train", "judge", "promote") if n in facts]
    page.html(
        "<ul>"
        + "".join(f"<li><a href='{os.path.relpath(r, path.parent)}'>{n}</a></li>" for n, r in links)
        + "</ul>"
    )
    return page.save(path)
