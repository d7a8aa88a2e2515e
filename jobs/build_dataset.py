"""Build a dataset from mined sessions: mask, shape into rows, split, count, write, and let nothing personal through."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from astra_lib.core.errors import InputError
from astra_lib.core.records import Example, read_json, read_jsonl, sha256_file, write_jsonl
from astra_lib.core.settings import Settings

from . import runner
from .run_mining import Mined, load_mined

CODE = ("astra_lib/text.py", "astra_lib/scrub.py", "astra_lib/formatter.py", "jobs/build_dataset.py")


def declare(parameters: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], dict[str, Path]]:
    """What a dataset run depends on: the mined pairs, the roster, the context length, the split."""
    parameters = {**parameters, "mine_run": parameters["mine_run"] or runner.newest("mine", parameters["tenant"], settings)}
    folder = settings.data_dir / "runs" / "mine" / parameters["mine_run"] / "sessions"
    inputs = {p.relative_to(folder).as_posix(): p for n in ("pairs.jsonl", "unwritten.jsonl", "mined.json") for p in sorted(folder.rglob(n))}
    return ({**parameters, "dataset": asdict(settings.dataset), "max_length": settings.model.max_length, "base": settings.model.base,
             "code": runner.code_digest(*CODE)}, inputs | {"roster.json": Path(parameters["roster"])})


def mined_of(mine_run: str, settings: Settings) -> Mined:
    return load_mined(settings.data_dir / "runs" / "mine" / mine_run / "sessions")


@dataclass
class Dataset:
    """`files`: what was written; `card`: the data card; `examples`: rows by side."""

    files: dict[str, Path]
    card: dict[str, Any]
    examples: dict[str, list[Example]]


def build_dataset(mined: Mined, tenant: str, roster: Path | str, out: Path | str, settings: Settings, tokenizer: Any,
                  progress: Callable[[Iterable], Iterable] | None = None) -> Dataset:
    """Masked, split and counted rows under `out`; raises `GateError` when the leak scan finds personal data."""
    from astra_lib import formatter, scrub

    out = Path(out)
    people = read_json(roster)
    keep = scrub.PlaceholderMap.open(tenant, settings)
    scrubber = scrub.Scrubber(tenant, people, keep)
    masked, unwritten = [], {}
    found: Counter[str] = Counter()
    for session_id in (progress or _bar)(mined.sessions):
        pairs = mined.pairs_of(session_id)
        quiet = mined.unwritten_of(session_id)
        pairs, quiet, entities = scrubber.mask_mined(pairs, quiet)  # type: ignore[attr-defined]
        masked += pairs
        unwritten[session_id] = quiet
        found.update(entities)
    keep.save()
    built = formatter.build_examples(masked, unwritten, settings.align.min_confidence)
    side = formatter.split({s: formatter.bills(p for p in masked if p.session_id == s) for s in mined.sessions},
                           settings.dataset.validation_share, settings.dataset.split_seed)
    fitting, tokens = formatter.fit(built.examples, tokenizer, settings.model.max_length)
    built.dropped["longer than max_length"] = len(built.examples) - len(fitting)
    suspects = suspicious(fitting, keep, people, settings)
    built.dropped["second scan found a trace"] = len(suspects)
    fitting = [r for r in fitting if r.id not in suspects]
    train, thinned = formatter.thin_boilerplate([r for r in fitting if side[r.session_id] == "train"])
    built.dropped["boilerplate beyond two copies"] = thinned
    val = [r for r in fitting if side[r.session_id] == "val"]
    if not train or not val:
        raise InputError(f"{len(train)} training and {len(val)} validation rows from {len(mined.sessions)} sessions",
                         remedy="Mine more sessions, or change [dataset] validation_share or split_seed")
    card = {
        "tenant": tenant, "sessions": side, "rows": {"train": len(train), "val": len(val)},
        "dropped": dict(built.dropped), "personal_data_masked": dict(found),
        "tokens": {"max_length": settings.model.max_length, "longest": max(tokens[r.id] for r in fitting),
                   "median": sorted(tokens[r.id] for r in fitting)[len(fitting) // 2], "sum_train": sum(tokens[r.id] for r in train)},
        "kinds": dict(Counter(k for r in fitting for k in built.kinds.get(r.id, ["unwritten"]))),
        "recurring_val": formatter.recurring(val, train), "split": {"share": settings.dataset.validation_share, "seed": settings.dataset.split_seed},
        "lineage": {s: _lineage(mined, s) for s in mined.sessions}, "align": asdict(settings.align),
    }
    files = formatter.write_dataset(train, val, out, card)
    scrub.leak_gate(list(files.values()), keep, people, min_anonymity=settings.privacy.min_anonymity)
    load_test(files)
    return Dataset(files, card, {"train": train, "val": val})


def suspicious(rows: list[Example], keep: Any, people: Any, settings: Settings) -> set[str]:
    """Ids of rows in which the independent scan still sees a trace: they stay here. What is left must pass the gate."""
    from astra_lib import scrub

    with tempfile.TemporaryDirectory() as folder:
        path = write_jsonl(Path(folder) / "rows.jsonl", rows)
        return {rows[leak.line - 1].id for leak in scrub.leak_scan([path], keep, people, min_anonymity=settings.privacy.min_anonymity)}


def _lineage(mined: Mined, session_id: str) -> dict[str, Any]:
    row = read_json(mined.out / session_id / "metrics.json")
    return {k: row[k] for k in ("acta_sha256", "transcript_sha256", "fingerprint")} | {
        "pairs_sha256": sha256_file(mined.out / session_id / "pairs.jsonl")}


def load_test(files: dict[str, Path]) -> None:
    """Load the rows with `datasets`, as the trainer will, and compare the count."""
    import datasets

    datasets.disable_progress_bars()
    for name in ("train", "val"):
        loaded = datasets.Dataset.from_json(str(files[f"{name}.jsonl"]), keep_in_memory=True)
        if loaded.num_rows != len(read_jsonl(files[f"{name}.jsonl"])):
            raise InputError("datasets read another number of rows than were written", where=str(files[f"{name}.jsonl"]))


def _bar(items: Iterable) -> Iterable:
    from tqdm import tqdm

    return tqdm(items, desc="masking", unit="session", disable=None if sys.stderr.isatty() else True)


def register(run: Any, made: Dataset) -> dict[str, Any]:
    """Add the files to the run; returns its metrics."""
    for path in made.files.values():
        run.add_output(path)
    run.add_output(run.dir / "report.html")
    return {"rows": made.card["rows"], "dropped": made.card["dropped"], "tokens": made.card["tokens"],
            "personal_data_masked": made.card["personal_data_masked"], "personal_data_left": 0, "recurring_val": len(made.card["recurring_val"])}


def shown_row(row: Example) -> str:
    return "\n\n".join(f"[{m['role']}]\n{m['content']}" for m in row.prompt + row.completion)
