"""Build a dataset from mined sessions: mask, make rows, choose, write, and let nothing personal through."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from astra_lib import scrub
from astra_lib.core.chat import FORMATS, ChatFormat, Checked, check_rows, format_of
from astra_lib.core.code import code_digest
from astra_lib.core.errors import InputError, MissingError
from astra_lib.core.manifest import run_folder
from astra_lib.core.records import (
    Block,
    Example,
    Pair,
    atomic_write,
    dumps,
    read_json,
    read_jsonl,
    sha256_bytes,
    sha256_file,
    write_json,
    write_jsonl,
)
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store
from astra_lib.curation import COPIES, bills, fit, split, thin_boilerplate, unheard, write_dataset
from astra_lib.formatter import Built, build_examples
from astra_lib.privacy.gate import Leak

from . import runner
from .dataset_card import Chosen, Made, card_of, card_text
from .mined import Mined, load_mined

MINED_FILES = ("pairs.jsonl", "unwritten.jsonl", "mined.json")
Progress = Callable[[Iterable], Iterable]
Scan = Callable[[Sequence[Path]], list[Leak]]


def declare(parameters: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], dict[str, Path]]:
    """What a dataset run depends on: its parameters and the settings it reads, then its input files."""
    tenant = parameters["tenant"]
    mine_run = parameters["mine_run"] or runner.newest("mine", tenant, settings)
    folder = run_folder("mine", mine_run, settings) / "sessions"
    inputs = {"roster.json": Path(parameters["roster"])}
    for name in MINED_FILES:
        inputs |= {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob(name))}
    sides_before = published(tenant, settings).sides(settings)
    declared = {
        **parameters,
        "mine_run": mine_run,
        "dataset": asdict(settings.dataset),
        "max_length": settings.model.max_length,
        "base": settings.model.base,
        "placed": to_keep(bills_of(load_mined(folder)), sides_before, settings),
        "code": code_digest("jobs.dataset"),
    }
    return declared, inputs


def mined_of(mine_run: str, settings: Settings) -> Mined:
    return load_mined(run_folder("mine", mine_run, settings) / "sessions")


# --- which session stands where -----------------------------------------------------------------------------


def bills_of(mined: Mined) -> dict[str, set[str]]:
    return {session_id: bills(mined.pairs_of(session_id)) for session_id in mined.sessions}


def sides_of(about: dict[str, set[str]], placed: dict[str, str] | None, settings: Settings) -> dict[str, str]:
    """The split of sessions, by the bills each is `about`, with the settings' share and seed."""
    return split(about, settings.dataset.validation_share, settings.dataset.split_seed, placed)


def to_keep(about: dict[str, set[str]], before: dict[str, str], settings: Settings) -> dict[str, str]:
    """Of the sides a published dataset gave, those that must be held fast or their sessions would move."""
    keep: dict[str, str] = {}
    while True:
        sides = sides_of(about, keep, settings)
        moved = {s: at for s, at in before.items() if s in sides and sides[s] != at}
        if not moved:
            return keep
        keep |= moved


# --- the build ----------------------------------------------------------------------------------------------


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
    progress: Progress | None = None,
    placed: dict[str, str] | None = None,
    chat_format: str = "",
    limits: Mapping[str, Any] | None = None,
) -> Dataset:
    """Masked, split and counted rows under `out`; raises `GateError` when the leak scan finds personal data.

    `placed`: sides that are fixed (`to_keep`); `chat_format`: see `chat_of`; `limits`: see `rejection`.
    """
    out, people, limits = Path(out), read_json(roster), dict(limits or {})
    keep = scrub.PlaceholderMap.open(tenant, settings)

    def scan(paths: Sequence[Path]) -> list[Leak]:
        return scrub.leak_scan(paths, keep, people, settings.privacy.min_anonymity)

    masked = mask(mined, scrub.Scrubber(tenant, people, keep), progress or _bar)
    keep.save()
    built = build_examples(masked.pairs, masked.unwritten, settings.align.min_confidence, **limits)
    sides = sides_of(bills_of(mined), placed, settings)
    chosen = choose(built, sides, tokenizer, chat_of(tokenizer, chat_format), settings.model.max_length, scan)
    files = write_dataset(chosen.train, chosen.val, out)
    made = Made(built, sides, chosen, masked.found, personal_data_left=len(scan(list(files.values()))))
    card = card_of(made, tenant, mined, settings, limits)
    files["card.json"] = write_json(out / "card.json", card)
    files["card.md"] = atomic_write(out / "card.md", card_text(card))
    scrub.leak_gate(list(files.values()), keep, people, settings.privacy.min_anonymity)
    load_test(files)
    return Dataset(files, card, {"train": chosen.train, "val": chosen.val}, chosen.tokens)


@dataclass
class Masked:
    """Sessions without personal data: their pairs, their unwritten speech, how much was found in each."""

    pairs: list[Pair] = field(default_factory=list)
    unwritten: dict[str, list[Block]] = field(default_factory=dict)
    found: dict[str, Counter[str]] = field(default_factory=dict)


def mask(mined: Mined, scrubber: scrub.Scrubber, progress: Progress) -> Masked:
    masked = Masked()
    for session_id in progress(mined.sessions):
        pairs, quiet, found = scrubber.mask_mined(mined.pairs_of(session_id), mined.unwritten_of(session_id))
        masked.pairs += pairs
        masked.unwritten[session_id], masked.found[session_id] = quiet, found
    return masked


def choose(
    built: Built,
    sides: dict[str, str],
    tokenizer: Any,
    chat: ChatFormat | None,
    max_length: int,
    scan: Scan,
) -> Chosen:
    """The rows of both sides; those left out are counted in `built.dropped`.

    Raises `InputError` when one side is left without rows.
    """
    dropped = built.dropped
    exact, checked = exact_rows(built.examples, tokenizer, chat)
    dropped["a marker of the chat template inside the text"] = len(built.examples) - len(exact)
    fitting, tokens = fit(exact, tokenizer, max_length)
    dropped["longer than max_length"] = len(exact) - len(fitting)
    suspects = suspicious(fitting, scan)
    dropped["second scan found a trace"] = len(suspects)
    clean = [row for row in fitting if row.id not in suspects]

    of_train = [row for row in clean if sides[row.session_id] == "train"]
    val = [row for row in clean if sides[row.session_id] == "val"]
    dropped["session stands apart: its bills are on both sides"] = len(clean) - len(of_train) - len(val)
    heard = [row for row in of_train if not unheard(row)]
    dropped["training would teach to make names up"] = len(of_train) - len(heard)
    train, thinned = thin_boilerplate(heard)
    dropped[f"boilerplate beyond {COPIES} copies"] = thinned
    if not train or not val:
        raise InputError(
            f"{len(train)} training and {len(val)} validation rows from {len(sides)} sessions",
            remedy="Mine more sessions, or change [dataset] validation_share or split_seed",
        )
    return Chosen(clean, of_train, train, val, tokens, checked)


# --- what is checked ----------------------------------------------------------------------------------------


def chat_of(tokenizer: Any, name: str = "") -> ChatFormat | None:
    """The chat format that the tokenizer's template is compared with: by `name`, else by its markers.

    None (no comparison) for `other`, and for a tokenizer whose format is not written down in `core.chat`.
    """
    if name == "other":
        return None
    if not name:
        return format_of(tokenizer)
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise InputError(f"no chat format {name!r}", remedy=f"Known: {known}; other: it is not compared")
    return FORMATS[name]


PLAIN_ROW = Example(
    prompt=[
        {"role": "system", "content": "Redacta el acta."},
        {"role": "user", "content": "Se abre la sesión."},
    ],
    completion=[{"role": "assistant", "content": "<w:p/>"}],
    id="a plain row",
    session_id="",
    tenant="",
    start_ms=0,
    end_ms=1,
    confidence=1.0,
)


def exact_rows(
    rows: list[Example], tokenizer: Any, chosen: ChatFormat | None
) -> tuple[list[Example], Checked | None]:
    """The rows that the tokenizer's template renders to exactly `chosen`'s tokens.

    Raises `InputError` when it renders not even a plain row so: then it is another template.
    """
    if chosen is None:
        return rows, None
    checked = check_rows([PLAIN_ROW], tokenizer, chosen)
    kept, tokens = [], 0
    for row in rows:
        try:
            tokens += check_rows([row], tokenizer, chosen).tokens
        except InputError:  # the plain row passed: what differs is in this one
            continue
        kept.append(row)
    return kept, Checked(chosen.name, len(kept), tokens, checked.template_sha256)


def suspicious(rows: list[Example], scan: Scan) -> set[str]:
    """Ids of rows in which the independent scan still sees a trace; what is left must pass the gate."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_jsonl(Path(folder) / "rows.jsonl", rows)
        return {rows[leak.line - 1].id for leak in scan([path])}


def load_test(files: dict[str, Path]) -> None:
    """Load the rows with `datasets` and compare them with what was written.

    Its JSON reader takes a session id such as 2026-02-12 for a time, whatever types it is given, and hands
    back 2026-02-12 00:00:00; so of that column only the beginning is compared. The trainer reads the lines
    itself.
    """
    import datasets

    datasets.disable_progress_bars()
    message = [{"role": datasets.Value("string"), "content": datasets.Value("string")}]
    texts = {name: datasets.Value("string") for name in ("id", "session_id", "tenant")}
    times = {name: datasets.Value("int64") for name in ("start_ms", "end_ms")}
    columns = {"prompt": message, "completion": message, "confidence": datasets.Value("float64")}
    features = datasets.Features(columns | texts | times)
    for side in ("train", "val"):
        path = files[f"{side}.jsonl"]
        written = read_jsonl(path)
        loaded = datasets.Dataset.from_json(str(path), features=features, keep_in_memory=True)
        if loaded.num_rows != len(written) or not all(map(_same_row, loaded, written)):
            raise InputError("datasets reads other rows than were written", where=str(path))


def _same_row(loaded: dict[str, Any], written: dict[str, Any]) -> bool:
    session_id = loaded["session_id"][: len(written["session_id"])]
    return dumps({**loaded, "session_id": session_id}) == dumps(written)


# --- publishing ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Published:
    """A tenant's newest dataset as the object store has it; all empty before the first."""

    sha256: str = ""
    pointer: dict[str, Any] | None = None

    def sides(self, settings: Settings) -> dict[str, str]:
        """Where its sessions stand; another share or key is another split, which starts afresh."""
        asked = {"share": settings.dataset.validation_share, "seed": settings.dataset.split_seed}
        if self.pointer is None or self.pointer["split"] != asked:
            return {}
        return dict(self.pointer["sessions"])


def published(tenant: str, settings: Settings) -> Published:
    """What `datasets/<tenant>/current.json` says."""
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
    is_same = was.get("dataset") == dataset
    pointer = {
        "dataset": dataset,
        "run_id": run_id,
        "files": shas,
        # a session that is not mined today keeps its place
        "sessions": {**before.sides(settings), **made.card["sessions"]},
        "split": made.card["split"],
        "previous": was.get("previous" if is_same else "dataset", ""),
    }
    store.publish(f"datasets/{tenant}/current.json", dumps(pointer).encode(), replaces=before.sha256)
    return dataset


def _bar(items: Iterable) -> Iterable:
    from tqdm import tqdm

    return tqdm(items, desc="masking", unit="session", disable=not sys.stderr.isatty())


def register(run: Any, made: Dataset) -> dict[str, Any]:
    """Add the files to the run; returns its metrics."""
    for path in made.files.values():
        run.add_output(path)
    run.add_output(run.dir / "report.html")
    return metrics_of(made)


def metrics_of(made: Dataset) -> dict[str, Any]:
    return {
        "rows": made.card["rows"],
        "dropped": made.card["dropped"],
        "tokens": made.card["tokens"],
        "personal_data_masked": made.card["personal_data_masked"],
        "personal_data_left": made.card["personal_data_left"],
        "recurring_val": len(made.card["recurring_val"]),
    }


def shown_row(row: Example) -> str:
    return "\n\n".join(f"[{m['role']}]\n{m['content']}" for m in row.prompt + row.completion)
