"""What is written about a dataset: the card (numbers), its page of text, and where every session came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from astra_lib.core.chat import Checked
from astra_lib.core.manifest import MANIFEST
from astra_lib.core.records import Example, read_json, sha256_file
from astra_lib.core.settings import Settings

from .mined import MINING_VERSION, Mined


@dataclass
class Made:
    """What a build knows when it writes its card."""

    sides: dict[str, str]
    built: Any  # formatter.Built
    fitting: list[Example]
    tokens: dict[str, int]
    train_before: list[Example]
    train: list[Example]
    val: list[Example]
    chat: Checked | None
    copies: int  # of one formula in training, at most
    masked: dict[str, Counter] = field(default_factory=dict)


def card_of(
    made: Made, tenant: str, mined: Mined, settings: Settings, limits: Mapping[str, Any]
) -> dict[str, Any]:
    """The data card: JSON, without a name in it."""
    from astra_lib import balance

    counts = sorted(made.tokens[r.id] for r in made.fitting)
    shared = balance.overlap(made.val, made.train, made.built.kinds)
    known = balance.formulas([*made.train_before, *made.val])
    in_rows = sum(len(k) for k in made.built.kinds.values())
    return {
        "tenant": tenant,
        "sessions": made.sides,
        "rows": {"train": len(made.train), "val": len(made.val)},
        "dropped": dict(made.built.dropped),
        "personal_data_masked": dict(sum(made.masked.values(), Counter())),
        "tokens": {
            "max_length": settings.model.max_length,
            "base": settings.model.base,
            "longest": counts[-1],
            "median": counts[len(counts) // 2],
            "sum_train": sum(made.tokens[r.id] for r in made.train),
        },
        "kinds": dict(Counter(k for r in made.fitting for k in made.built.kinds.get(r.id, ["unwritten"]))),
        "balance": balance.balance({"train": made.train, "val": made.val}, made.built.kinds, made.tokens),
        "boilerplate": {
            "formulas": len(known),
            "copies": made.copies,
            "train_before": balance.weight(made.train_before, known),
            "train": balance.weight(made.train, known),
            "val": balance.weight(made.val, known),
            "most_frequent": frequent(made, known),
        },
        "recurring_val": [row["id"] for row in shared["answers"]],
        "overlap": shared,
        "chat_template": asdict(made.chat)
        if made.chat
        else {"format": "", "rows": 0, "tokens": 0, "template_sha256": ""},
        "accounting": {
            "paragraphs": made.built.paragraphs,
            "paragraphs_in_rows": in_rows,
            "paragraphs_left_out": made.built.paragraphs - in_rows,
            "rows_built": len(made.built.examples),
            "rows_kept": len(made.train) + len(made.val),
        },
        "context": {"agenda_items_cut_at_120_characters": sum(agenda_is_cut(r) for r in made.fitting)},
        "split": {"share": settings.dataset.validation_share, "seed": settings.dataset.split_seed},
        "filters": {"min_confidence": settings.align.min_confidence, **limits},
        "quarantined_sessions": len(mined.quarantined),
        "lineage": {
            s: lineage(mined, s) | {"side": made.sides[s], "masked": dict(made.masked.get(s, {}))}
            for s in mined.sessions
        },
        "align": asdict(settings.align),
    }


def agenda_is_cut(row: Example) -> bool:
    """Whether the prompt's agenda item fills the length at which it is cut, in training and in service alike."""
    first = row.prompt[-1]["content"].split("\n", 1)[0]
    return first.startswith("Punto: ") and len(first) == len("Punto: ") + 120


def frequent(made: Made, known: Mapping[str, set[str]], most: int = 8) -> list[dict[str, Any]]:
    """The formulas that recur most: the answer, in how many sessions, rows before and after thinning."""
    from astra_lib.formatter import answer_text

    before, after = (Counter(map(answer_text, rows)) for rows in (made.train_before, made.train))
    first = sorted(known, key=lambda text: (-len(known[text]), -before[text], text))[:most]
    return [
        {
            "answer": text,
            "sessions": len(known[text]),
            "training_rows_before": before[text],
            "after": after[text],
        }
        for text in first
    ]


def lineage(mined: Mined, session_id: str) -> dict[str, Any]:
    """Where a session's rows come from: files by sha256, and the aligner that paired them with its parameters and code."""
    row = read_json(mined.out / session_id / "metrics.json")
    manifest = mined.out.parent / MANIFEST
    run = read_json(manifest) if manifest.is_file() else {}
    given = run.get("parameters", {})
    aligner = row.get("aligner") or {
        "version": MINING_VERSION,
        "parameters": given.get("align"),
        "code": given.get("code"),
    }
    return {k: row[k] for k in ("acta_sha256", "transcript_sha256", "fingerprint")} | {
        "pairs_sha256": sha256_file(mined.out / session_id / "pairs.jsonl"),
        "aligner": aligner,
        "mine_run": run.get("run_id", ""),
    }


def card_text(card: Mapping[str, Any]) -> str:
    """The card as a page of Markdown, for whoever is handed the files without the report."""
    rows, tokens, weights = card["rows"], card["tokens"], card["boilerplate"]
    sides = {
        side: [s for s, at in card["sessions"].items() if at == side] for side in ("train", "val", "apart")
    }
    lines = [
        f"# Dataset of {card['tenant']}",
        "",
        f"{rows['train']} training rows from {len(sides['train'])} sessions, {rows['val']} validation rows from {len(sides['val'])}.",
        "A row is a system and a user message (the masked speech of one unit, with agenda item and previous paragraph) and the answer: "
        "the paragraphs of the minutes as canonical XML, or `<nada/>` where the clerk wrote nothing.",
        "",
        "`Dataset.from_json` reads a session id that looks like a date as a time; `Dataset.from_list` on the parsed lines does not.",
        "",
        "## Origin",
        "Recordings and minutes of a council that agreed to it, paired by the aligner. "
        + named(card["personal_data_masked"]),
        "No name is in these files; placeholders stand for people, the same in speech and minutes.",
        "",
        "| session | side | acta | transcript | aligner | masked |",
        "|---|---|---|---|---|---|",
    ]
    for session, row in card["lineage"].items():
        made = row["aligner"]
        lines.append(
            f"| {session} | {row['side']} | {row['acta_sha256'][:12]} | {', '.join(t[:12] for t in row['transcript_sha256'])} "
            f"| v{made['version']} {made['code'] or ''} | {sum(row['masked'].values())} |"
        )
    lines += [
        "",
        "The parameters of the aligner and whole sha256 values are in `card.json` under `lineage`.",
        "",
        "## Left out",
        *table(card["dropped"]),
        "",
        "## Limits",
        f"Longest row {tokens['longest']} of {tokens['max_length']} tokens ({tokens['base']}); nothing is cut.",
        chat_text(card),
        "",
        "## What recurs",
        shared_text(card),
        f"Formulas are {weights['train_before']['share_of_words']:.1%} of the words in training answers, {weights['train']['share_of_words']:.1%} after "
        f"each was kept at most {weights['copies']} times.",
    ]
    if sides["apart"]:
        lines += [
            "",
            f"{len(sides['apart'])} sessions stand apart, in neither side: they are about bills of both.",
        ]
    return "\n".join(lines) + "\n"


def chat_text(card: Mapping[str, Any]) -> str:
    chat = card["chat_template"]
    return (
        f"Chat template: {chat['format']}, compared token by token on {chat['rows']} rows."
        if chat["format"]
        else "Chat template: not one that is written down here, so it was not compared."
    )


def shared_text(card: Mapping[str, Any]) -> str:
    """What validation has in common with training, in a sentence or two."""
    shared = card["overlap"]
    said = (
        f"{shared['recurring']} of {card['rows']['val']} validation rows have an answer that nearly stands in training (similarity of {shared['threshold']:.0f} "
        f"or more of 100): the {shared['novel']} others are the ones that show what was learnt. "
    )
    if not shared["speech"]:
        return said + "No stretch of speech stands on both sides."
    return (
        said
        + f"{len(shared['speech'])} have speech that nearly stands in training too: formulas read aloud, or a recording that came in twice."
    )


def named(found: Mapping[str, int]) -> str:
    return f"{sum(found.values())} mentions were masked ({', '.join(f'{k} {v}' for k, v in sorted(found.items()))})."


def table(values: Mapping[str, int]) -> list[str]:
    return ["| reason | count |", "|---|---|", *(f"| {k} | {v} |" for k, v in sorted(values.items()))]


def reasons(values: Mapping[str, Any], first: str, second: str) -> list[dict[str, Any]]:
    """A mapping as rows of a table."""
    return [{first: k, second: v} for k, v in values.items()]


def boilerplate_rows(card: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """The weights of formulas as rows of a table: training before and after thinning, validation."""
    names = {
        "train_before": "training, as built",
        "train": f"training, each formula at most {card['boilerplate']['copies']} times",
        "val": "validation, untouched",
    }
    return [
        {
            "rows_of": name,
            "formulas": w["rows"],
            "share_of_rows": f"{w['share_of_rows']:.1%}",
            "share_of_words": f"{w['share_of_words']:.1%}",
        }
        for key, name in names.items()
        for w in [card["boilerplate"][key]]
    ]


def rows_of_sessions(card: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """`{side: {session: rows}}` for a chart; with many sessions the year goes from their names."""
    made = card["balance"]["sessions"]
    years = {s[:5] for s in made}
    short = {s: s[5:] if len(years) == 1 and len(made) > 3 and len(s) > 5 else s for s in made}
    return {
        side: {short[s]: row["rows"] for s, row in made.items() if row["side"] == side}
        for side in ("train", "val")
    }


def lineage_rows(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "session": s,
            "side": row["side"],
            "rows": card["balance"]["sessions"].get(s, {}).get("rows", 0),
            "masked": sum(row["masked"].values()),
            "acta": row["acta_sha256"][:12],
            "transcript": ", ".join(t[:12] for t in row["transcript_sha256"]),
            "aligner": f"v{row['aligner']['version']} {row['aligner']['code'] or ''}",
        }
        for s, row in card["lineage"].items()
    ]


def length_rows(card: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    return [
        {"side": side, "of": name.replace("_", " "), **numbers}
        for side, by in card["balance"]["lengths"].items()
        for name, numbers in by.items()
    ]
