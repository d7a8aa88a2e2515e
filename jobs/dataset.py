"""Build a dataset from mined sessions: mask, shape into rows, split, count, write, and let nothing personal through."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from astra_lib.core.chat import FORMATS, ChatFormat, Checked, check_rows, format_of
from astra_lib.core.code import code_digest
from astra_lib.core.errors import InputError, MissingError
from astra_lib.core.manifest import run_folder
from astra_lib.core.records import (
    Example,
    atomic_write,
    dumps,
    read_json,
    read_jsonl,
    sha256_bytes,
    sha256_file,
    write_jsonl,
)
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store

from . import runner
from .dataset_card import Made, card_of, card_text
from .mined import Mined, load_mined


def declare(parameters: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], dict[str, Path]]:
    """What a dataset run depends on: the mined pairs, the roster, the context length, the split and what it placed before."""
    parameters = {
        **parameters,
        "mine_run": parameters["mine_run"] or runner.newest("mine", parameters["tenant"], settings),
    }
    folder = run_folder("mine", parameters["mine_run"], settings) / "sessions"
    inputs = {
        p.relative_to(folder).as_posix(): p
        for n in ("pairs.jsonl", "unwritten.jsonl", "mined.json")
        for p in sorted(folder.rglob(n))
    }
    before = published(parameters["tenant"], settings)
    return (
        {
            **parameters,
            "dataset": asdict(settings.dataset),
            "max_length": settings.model.max_length,
            "base": settings.model.base,
            "placed": to_keep(bills_of(load_mined(folder)), before.sides(settings), settings),
            "code": code_digest("jobs.dataset"),
        },
        inputs | {"roster.json": Path(parameters["roster"])},
    )


def mined_of(mine_run: str, settings: Settings) -> Mined:
    return load_mined(run_folder("mine", mine_run, settings) / "sessions")


def bills_of(mined: Mined) -> dict[str, set[str]]:
    from astra_lib import formatter

    return {s: formatter.bills(mined.pairs_of(s)) for s in mined.sessions}


def to_keep(about: dict[str, set[str]], before: dict[str, str], settings: Settings) -> dict[str, str]:
    """Of the sides a published dataset gave, those that must be held fast or their sessions would move."""
    from astra_lib import formatter

    keep: dict[str, str] = {}
    while True:
        sides = formatter.split(about, settings.dataset.validation_share, settings.dataset.split_seed, keep)
        moved = {s: at for s, at in before.items() if s in sides and sides[s] != at}
        if not moved:
            return keep
        keep |= moved


@dataclass
class Dataset:
    """`files`: what was written; `card`: the data card; `examples`: rows by side; `tokens` by row id."""

    files: dict[str, Path]
    card: dict[str, Any]
    examples: dict[str, list[Example]]
    tokens: dict[str, int]


def build_dataset(
    mined: Mined,
    tenant: str,
    roster: Path | str,
    out: Path | str,
    settings: Settings,
    tokenizer: Any,
    progress: Callable[[Iterable], Iterable] | None = None,
    placed: dict[str, str] | None = None,
    chat_format: str = "",
    limits: dict[str, Any] | None = None,
) -> Dataset:
    """Masked, split and counted rows under `out`; raises `GateError` when the leak scan finds personal data.

    `placed`: sides that are fixed (`to_keep`); `chat_format`: see `chat_of`; `limits`: see
    `formatter.rejection`.
    """
    from astra_lib import formatter, scrub

    out, limits = Path(out), dict(limits or {})
    people = read_json(roster)
    keep = scrub.PlaceholderMap.open(tenant, settings)
    scrubber = scrub.Scrubber(tenant, people, keep)
    masked, unwritten = [], {}
    found: dict[str, Counter] = {}
    for session_id in (progress or _bar)(mined.sessions):
        pairs, quiet = mined.pairs_of(session_id), mined.unwritten_of(session_id)
        pairs, unwritten[session_id], found[session_id] = scrubber.mask_mined(pairs, quiet)  # type: ignore[attr-defined]
        masked += pairs
    keep.save()
    built = formatter.build_examples(masked, unwritten, settings.align.min_confidence, **limits)
    side = formatter.split(
        bills_of(mined), settings.dataset.validation_share, settings.dataset.split_seed, placed
    )
    exact, chat = exact_rows(built.examples, tokenizer, chat_of(tokenizer, chat_format))
    built.dropped["a marker of the chat template inside the text"] = len(built.examples) - len(exact)
    fitting, tokens = formatter.fit(exact, tokenizer, settings.model.max_length)
    built.dropped["longer than max_length"] = len(exact) - len(fitting)
    suspects = suspicious(fitting, keep, people, settings)
    built.dropped["second scan found a trace"] = len(suspects)
    fitting = [r for r in fitting if r.id not in suspects]
    of_train = [r for r in fitting if side[r.session_id] == "train"]
    copies = int(signature(formatter.thin_boilerplate).parameters["copies"].default)  # said on card and page
    heard = [r for r in of_train if not formatter.unheard(r)]
    built.dropped["training would teach to make names up"] = len(of_train) - len(heard)
    train, thinned = formatter.thin_boilerplate(heard, copies)
    built.dropped[f"boilerplate beyond {copies} copies"] = thinned
    val = [r for r in fitting if side[r.session_id] == "val"]
    built.dropped["session stands apart: its bills are on both sides"] = (
        len(fitting) - len(of_train) - len(val)
    )
    if not train or not val:
        raise InputError(
            f"{len(train)} training and {len(val)} validation rows from {len(mined.sessions)} sessions",
            remedy="Mine more sessions, or change [dataset] validation_share or split_seed",
        )
    card = card_of(
        Made(side, built, fitting, tokens, of_train, train, val, chat, copies, found),
        tenant,
        mined,
        settings,
        limits,
    )
    files = formatter.write_dataset(train, val, out, card)
    files["card.md"] = atomic_write(out / "card.md", card_text(card))
    scrub.leak_gate(list(files.values()), keep, people, min_anonymity=settings.privacy.min_anonymity)
    load_test(files)
    return Dataset(files, card, {"train": train, "val": val}, tokens)


def chat_of(tokenizer: Any, name: str = "") -> ChatFormat | None:
    """The chat format to hold the tokenizer to: by `name`, else by its markers; None for `other` or one not written down."""
    if name and name not in {*FORMATS, "other"}:
        raise InputError(
            f"no chat format {name!r}", remedy=f"Known: {', '.join(FORMATS)}; other: it is not compared"
        )
    return None if name == "other" else FORMATS.get(name) or format_of(tokenizer)


def exact_rows(
    rows: list[Example], tokenizer: Any, chosen: ChatFormat | None
) -> tuple[list[Example], Checked | None]:
    """The rows that the tokenizer's template renders to exactly `chosen`'s tokens; `InputError` when it renders none so."""
    if chosen is None:
        return rows, None
    plain = Example(
        [
            {"role": "system", "content": "Redacta el acta."},
            {"role": "user", "content": "Se abre la sesión."},
        ],
        [{"role": "assistant", "content": "<w:p/>"}],
        "a plain row",
        "",
        "",
        0,
        1,
        1.0,
    )
    checked = check_rows([plain], tokenizer, chosen)
    kept, tokens = [], 0
    for row in rows:
        try:
            tokens += check_rows([row], tokenizer, chosen).tokens
            kept.append(row)
        except InputError:  # the plain row passed: what differs is in this one
            continue
    return kept, Checked(chosen.name, len(kept), tokens, checked.template_sha256)


def suspicious(rows: list[Example], keep: Any, people: Any, settings: Settings) -> set[str]:
    """Ids of rows in which the independent scan still sees a trace: they stay here. What is left must pass the gate."""
    from astra_lib import scrub

    with tempfile.TemporaryDirectory() as folder:
        path = write_jsonl(Path(folder) / "rows.jsonl", rows)
        return {
            rows[leak.line - 1].id
            for leak in scrub.leak_scan([path], keep, people, min_anonymity=settings.privacy.min_anonymity)
        }


def load_test(files: dict[str, Path]) -> None:
    """Load the rows with `datasets` and compare them with what was written.

    Its JSON reader takes a session id such as 2026-02-12 for a time, whatever types it is given, and hands
    back 2026-02-12 00:00:00; so of that column only the beginning is compared. The trainer reads the lines
    itself.
    """
    import datasets

    datasets.disable_progress_bars()
    message = [{"role": datasets.Value("string"), "content": datasets.Value("string")}]
    kinds = {
        "prompt": message,
        "completion": message,
        "start_ms": datasets.Value("int64"),
        "end_ms": datasets.Value("int64"),
        "confidence": datasets.Value("float64"),
    } | {name: datasets.Value("string") for name in ("id", "session_id", "tenant")}
    for name in ("train", "val"):
        loaded = datasets.Dataset.from_json(
            str(files[f"{name}.jsonl"]), features=datasets.Features(kinds), keep_in_memory=True
        )
        written = read_jsonl(files[f"{name}.jsonl"])
        back = [
            {**a, "session_id": a["session_id"][: len(b["session_id"])]}
            for a, b in zip(loaded, written, strict=False)
        ]
        if loaded.num_rows != len(written) or list(map(dumps, back)) != list(map(dumps, written)):
            raise InputError("datasets reads other rows than were written", where=str(files[f"{name}.jsonl"]))


@dataclass(frozen=True)
class Published:
    """A tenant's newest dataset as the object store has it; all empty before the first."""

    sha256: str = ""
    pointer: dict[str, Any] | None = None

    def sides(self, settings: Settings) -> dict[str, str]:
        """Where its sessions stand; another share or key is another split, which starts afresh."""
        asked = {"share": settings.dataset.validation_share, "seed": settings.dataset.split_seed}
        return dict(self.pointer["sessions"]) if self.pointer and self.pointer["split"] == asked else {}


def published(tenant: str, settings: Settings) -> Published:
    """What `datasets/<tenant>/current.json` says."""
    import json

    try:
        data = Store.open(settings).get_bytes(f"datasets/{tenant}/current.json")
    except MissingError:
        return Published()
    return Published(sha256_bytes(data), json.loads(data))


def publish(made: Dataset, run_id: str, before: Published, settings: Settings) -> str:
    """Store the files under their own hash, then point the tenant to them; returns the dataset's id.

    `before`: what was published when the build began. Raises `ConflictError` when somebody published since:
    the split may have changed, so this dataset must be built again on theirs. The same dataset again is no
    error.
    """
    shas = {name: sha256_file(path) for name, path in sorted(made.files.items())}
    dataset, tenant = sha256_bytes(dumps(shas)), made.card["tenant"]
    store = Store.open(settings)
    for name, path in made.files.items():
        store.publish(f"datasets/{tenant}/{dataset}/{name}", path)
    was = before.pointer or {}
    sides = {
        **(before.sides(settings)),
        **made.card["sessions"],
    }  # a session that is not mined today keeps its place
    pointer = {
        "dataset": dataset,
        "run_id": run_id,
        "files": shas,
        "sessions": sides,
        "split": made.card["split"],
        "previous": was.get("previous" if was.get("dataset") == dataset else "dataset", ""),
    }
    store.publish(f"datasets/{tenant}/current.json", dumps(pointer).encode(), replaces=before.sha256)
    return dataset


def _bar(items: Iterable) -> Iterable:
    from tqdm import tqdm

    return tqdm(items, desc="masking", unit="session", disable=None if sys.stderr.isatty() else True)


def register(run: Any, made: Dataset) -> dict[str, Any]:
    """Add the files to the run; returns its metrics."""
    for path in made.files.values():
        run.add_output(path)
    run.add_output(run.dir / "report.html")
    return {
        "rows": made.card["rows"],
        "dropped": made.card["dropped"],
        "tokens": made.card["tokens"],
        "personal_data_masked": made.card["personal_data_masked"],
        "personal_data_left": 0,
        "recurring_val": len(made.card["recurring_val"]),
    }


def shown_row(row: Example) -> str:
    return "\n\n".join(f"[{m['role']}]\n{m['content']}" for m in row.prompt + row.completion)
