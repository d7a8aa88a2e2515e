"""What is written about a dataset: the card (numbers), its page of text, and where each session came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from astra_lib.core.chat import Checked
from astra_lib.core.manifest import MANIFEST
from astra_lib.core.records import Example, read_json, sha256_file
from astra_lib.core.settings import Settings
from astra_lib.curation import COPIES, answer_text
from astra_lib.dataset_stats import count_kinds, dataset_stats, five_numbers, formulas, overlap, weight
from astra_lib.formatter import CONTEXT_WORDS, Built
from astra_lib.word.canonical import NOTHING

from .mined import MINING_VERSION, Mined


@dataclass
class Chosen:
    """Rows that are kept: `fitting` of all sessions, `train_before` thinning, `train` and `val` as written.

    `tokens` of every row that was counted, by row id; `chat`: what was compared with the template.
    """

    fitting: list[Example]
    train_before: list[Example]
    train: list[Example]
    val: list[Example]
    tokens: dict[str, int]
    chat: Checked | None


@dataclass
class Made:
    """What a build knows when it writes its card.

    `sides` and `masked` (mentions by type) by session; `personal_data_left`: traces that the independent scan
    found in the files of rows.
    """

    built: Built
    sides: dict[str, str]
    chosen: Chosen
    masked: dict[str, Counter[str]]
    personal_data_left: int


def card_of(
    made: Made, tenant: str, mined: Mined, settings: Settings, limits: Mapping[str, Any]
) -> dict[str, Any]:
    """The data card: JSON, without a name in it."""
    built, chosen = made.built, made.chosen
    shared = overlap(chosen.val, chosen.train, built.kinds)
    kept = [*chosen.train, *chosen.val]
    return {
        "tenant": tenant,
        "sessions": made.sides,
        "rows": {"train": len(chosen.train), "val": len(chosen.val)},
        "dropped": dict(built.dropped),
        "personal_data_masked": dict(sum(made.masked.values(), Counter())),
        "personal_data_left": made.personal_data_left,
        "tokens": token_card(chosen, settings),
        "kinds": count_kinds(chosen.fitting, built.kinds),
        "stats": dataset_stats({"train": chosen.train, "val": chosen.val}, built.kinds, chosen.tokens),
        "boilerplate": boilerplate_card(chosen),
        "recurring_val": [row["id"] for row in shared["answers"]],
        "overlap": shared,
        "chat_template": asdict(chosen.chat or Checked("", 0, 0, "")),
        "accounting": accounting(built, kept),
        "context": {
            "words": CONTEXT_WORDS,
            "agenda_items_cut": sum(built.contexts[row.id].agenda_is_cut for row in kept),
        },
        "split": {"share": settings.dataset.validation_share, "seed": settings.dataset.split_seed},
        "filters": {"min_confidence": settings.align.min_confidence, **limits},
        "quarantined_sessions": len(mined.quarantined),
        "lineage": {session_id: lineage(mined, session_id, made) for session_id in mined.sessions},
        "align": asdict(settings.align),
    }


def token_card(chosen: Chosen, settings: Settings) -> dict[str, Any]:
    """Tokens of a row, template and answer included, and how many training reads in an epoch."""
    lengths = five_numbers(chosen.tokens[row.id] for row in chosen.fitting)
    return {
        "max_length": settings.model.max_length,
        "base": settings.model.base,
        "longest": lengths["max"],
        "median": lengths["median"],
        "sum_train": sum(chosen.tokens[row.id] for row in chosen.train),
    }


def boilerplate_card(chosen: Chosen) -> dict[str, Any]:
    """What formulas weigh in training, before and after thinning, and in validation."""
    known = formulas([*chosen.train_before, *chosen.val])
    return {
        "formulas": len(known),
        "copies": COPIES,
        "train_before": weight(chosen.train_before, known),
        "train": weight(chosen.train, known),
        "val": weight(chosen.val, known),
        "most_frequent": frequent(chosen, known),
    }


def accounting(built: Built, kept: Sequence[Example]) -> dict[str, int]:
    """Every paragraph is in a row or left out, every row is kept or left out."""
    in_rows = sum(map(len, built.kinds.values()))
    return {
        "paragraphs": built.paragraphs,
        "paragraphs_in_rows": in_rows,
        "paragraphs_left_out": built.paragraphs - in_rows,
        "rows_built": len(built.examples),
        "rows_kept": len(kept),
    }


def frequent(chosen: Chosen, known: Mapping[str, set[str]], most: int = 8) -> list[dict[str, Any]]:
    """The formulas that recur most: the answer, in how many sessions, rows before and after thinning."""
    before, after = (Counter(map(answer_text, rows)) for rows in (chosen.train_before, chosen.train))
    ranked = sorted(known, key=lambda text: (-len(known[text]), -before[text], text))
    return [
        {
            "answer": text,
            "sessions": len(known[text]),
            "training_rows_before": before[text],
            "after": after[text],
        }
        for text in ranked[:most]
    ]


def lineage(mined: Mined, session_id: str, made: Made) -> dict[str, Any]:
    """Where a session's rows come from: files by sha256, and the aligner that paired them."""
    row = read_json(mined.out / session_id / "metrics.json")
    manifest = mined.out.parent / MANIFEST
    run = read_json(manifest) if manifest.is_file() else {}
    given = run.get("parameters", {})
    of_the_run = {
        "version": MINING_VERSION,
        "parameters": given.get("align"),
        "code": given.get("code"),
    }
    return {
        "acta_sha256": row["acta_sha256"],
        "transcript_sha256": row["transcript_sha256"],
        "fingerprint": row["fingerprint"],
        "pairs_sha256": sha256_file(mined.out / session_id / "pairs.jsonl"),
        "aligner": row.get("aligner") or of_the_run,
        "mine_run": run.get("run_id", ""),
        "side": made.sides[session_id],
        "masked": dict(made.masked.get(session_id, {})),
    }


# --- the page -----------------------------------------------------------------------------------------------

PAGE = """\
# Dataset of {tenant}

{rows_train} training rows from {sessions_train} sessions, {rows_val} validation rows from {sessions_val}.
A row is a system message, a user message (the masked speech of one unit, under its agenda item, the
paragraph before and the speaker's role) and the answer: the paragraphs of the minutes as canonical XML, or
`{nothing}` where the clerk wrote nothing.

`Dataset.from_json` reads a session id that looks like a date as a time; `Dataset.from_list` on the parsed
lines does not.

## Origin
Recordings and minutes of a council that agreed to it, paired by the aligner.
{masked}
No name is in these files; placeholders stand for people, the same in speech and minutes.

{lineage}

The parameters of the aligner and whole sha256 values are in `card.json` under `lineage`.

## Left out
{dropped}

## Limits
Longest row {longest} of {max_length} tokens ({base}); nothing is cut.
{chat}

## What recurs
{shared}
Formulas are {before:.1%} of the words in training answers, {after:.1%} after each was kept at most
{copies} times.
"""


def card_text(card: Mapping[str, Any]) -> str:
    """The card as a page of Markdown, for a reader who is handed the files without the report."""
    sides = Counter(card["sessions"].values())
    weights, tokens = card["boilerplate"], card["tokens"]
    page = PAGE.format(
        tenant=card["tenant"],
        rows_train=card["rows"]["train"],
        rows_val=card["rows"]["val"],
        sessions_train=sides["train"],
        sessions_val=sides["val"],
        nothing=NOTHING,
        masked=privacy_text(card),
        lineage=table(lineage_rows(card), ("session", "side", "acta", "transcript", "aligner", "masked")),
        dropped=table(reasons(dict(sorted(card["dropped"].items())), "reason", "count")),
        longest=tokens["longest"],
        max_length=tokens["max_length"],
        base=tokens["base"],
        chat=chat_text(card),
        shared=shared_text(card),
        before=weights["train_before"]["share_of_words"],
        after=weights["train"]["share_of_words"],
        copies=weights["copies"],
    )
    if sides["apart"]:
        page += f"\n{sides['apart']} sessions stand apart, in neither side: they are about bills of both.\n"
    return page


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """Rows as a table in Markdown, all columns unless some are named."""
    names = columns or list(rows[0])
    lines = [names, ["---"] * len(names), *([str(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def privacy_text(card: Mapping[str, Any]) -> str:
    """How many mentions were masked, by type, and what the independent scan still saw."""
    found = card["personal_data_masked"]
    types = ", ".join(f"{name} {count}" for name, count in sorted(found.items()))
    return (
        f"{sum(found.values())} mentions were masked ({types}). "
        f"An independent scan of the rows found {card['personal_data_left']} traces of personal data."
    )


def chat_text(card: Mapping[str, Any]) -> str:
    chat = card["chat_template"]
    if not chat["format"]:
        return "Chat template: not one that is written down here, so it was not compared."
    return f"Chat template: {chat['format']}, compared token by token on {chat['rows']} rows."


def shared_text(card: Mapping[str, Any]) -> str:
    """What validation has in common with training, in a sentence or two."""
    shared = card["overlap"]
    answers = (
        f"{shared['recurring']} of {card['rows']['val']} validation rows have an answer that nearly stands "
        f"in training (similarity of {shared['threshold']:.0f} or more of 100): the {shared['novel']} others "
        "are the ones that show what was learnt."
    )
    speech = "No stretch of speech stands on both sides."
    if shared["speech"]:
        speech = (
            f"{len(shared['speech'])} have speech that nearly stands in training too: formulas read aloud, "
            "or a recording that came in twice."
        )
    return f"{answers} {speech}"


def reasons(values: Mapping[str, Any], first: str, second: str) -> list[dict[str, Any]]:
    """A mapping as rows of a table."""
    return [{first: k, second: v} for k, v in values.items()]


def boilerplate_rows(card: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """The weights of formulas as rows of a table: training before and after thinning, validation."""
    weights = card["boilerplate"]
    names = {
        "train_before": "training, as built",
        "train": f"training, each formula at most {weights['copies']} times",
        "val": "validation, untouched",
    }
    return [
        {
            "rows_of": name,
            "formulas": weights[key]["rows"],
            "share_of_rows": f"{weights[key]['share_of_rows']:.1%}",
            "share_of_words": f"{weights[key]['share_of_words']:.1%}",
        }
        for key, name in names.items()
    ]


def rows_of_sessions(card: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """`{side: {session: rows}}` for a chart; with many sessions the year goes from their names."""
    sessions = card["stats"]["sessions"]
    is_one_year = len({name[:5] for name in sessions}) == 1 and len(sessions) > 3
    made: dict[str, dict[str, float]] = {"train": {}, "val": {}}
    for name, row in sessions.items():
        short = name[5:] if is_one_year and len(name) > 5 else name
        made[row["side"]][short] = row["rows"]
    return made


def lineage_rows(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each session: its side, its rows, and the beginnings of its files' sha256."""
    return [
        {
            "session": s,
            "side": row["side"],
            "rows": card["stats"]["sessions"].get(s, {}).get("rows", 0),
            "masked": sum(row["masked"].values()),
            "acta": row["acta_sha256"][:12],
            "transcript": ", ".join(t[:12] for t in row["transcript_sha256"]),
            "aligner": f"v{row['aligner']['version']} {row['aligner']['code'] or ''}",
        }
        for s, row in card["lineage"].items()
    ]


def length_rows(card: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """The five numbers of every measure as rows of a table."""
    return [
        {"side": side, "of": name.replace("_", " "), **numbers}
        for side, by in card["stats"]["lengths"].items()
        for name, numbers in by.items()
    ]
