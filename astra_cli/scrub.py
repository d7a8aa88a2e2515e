"""`astra scrub`: a text or a Word file with its personal data masked, or the list of what would be."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any


def add_parser(verbs: Any) -> None:
    parser = verbs.add_parser("scrub", help="mask personal data in a text file")
    parser.add_argument(
        "file",
        metavar="FILE",
        help="text, .json/.jsonl or XML as text, or a .docx (its paragraphs, one a line, then the text of "
        "its headers, comments, authors, properties and alt texts); - reads standard input",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="write the masked copy here instead of printing it; a .docx stays a .docx, and must pass the "
        "leak gate first",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print [{start, end, type, replacement}] on the input's own character offsets",
    )
    parser.add_argument(
        "--tenant", help="use this tenant's roster and placeholder map (default: numbers for this file only)"
    )
    parser.add_argument("--roster", help="roster.json with rows {key, name, role, party}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print or write the masked text, or with --json the entities; only --tenant changes a stored map."""
    from astra_lib.core.errors import InputError
    from astra_lib.core.records import atomic_write, read_json
    from astra_lib.core.settings import load

    if args.out and args.json:
        raise InputError("--out and --json together", remedy="Run it twice")
    whole = bool(args.out) and args.file.lower().endswith(".docx")
    if whole and args.out.suffix.lower() != ".docx":
        raise InputError("a Word file is written as one", where=str(args.out), remedy="Name it .docx")
    text = "" if whole else read_text(args.file)
    roster = read_json(args.roster) if args.roster else []
    if not isinstance(roster, list):
        raise InputError(
            "not a list of rows", where=args.roster, remedy="A roster is [{key, name, role, party}]"
        )
    # imported last: it takes a second or two, and faults in the files are reported before
    from astra_lib.scrub import PlaceholderMap, Scrubber

    placeholders = None
    if args.tenant:
        settings = load()
        placeholders = PlaceholderMap.open(args.tenant, settings)
        tenant_roster = settings.data_dir / "tenants" / args.tenant / "roster.json"
        if not roster and tenant_roster.is_file():
            roster = read_json(tenant_roster)
    scrubber = Scrubber(args.tenant or "file", roster, placeholders)
    if whole:
        count = _word_copy(scrubber, args.file, args.out, roster)
        printed = f"{sum(count.values())} masked -> {args.out}\n"
    else:
        masked = scrubber.mask(text)
        printed = _as_json(masked.entities) if args.json else masked.text
    if placeholders is not None:
        placeholders.save()
    if args.out and not whole:
        atomic_write(args.out, printed.encode())
    else:
        sys.stdout.write(printed)
    return 0


def _as_json(entities: list[Any]) -> str:
    rows = [{"start": e.start, "end": e.end, "type": e.type, "replacement": e.replacement} for e in entities]
    return json.dumps(rows, ensure_ascii=False) + "\n"


def _word_copy(scrubber: Any, file: str, out: Path, roster: list[Any]) -> Any:
    """Write the masked copy once the leak gate has passed it, its file name included; counts by type."""
    from astra_lib.core.records import atomic_write
    from astra_lib.privacy.docx import scrub_docx
    from astra_lib.scrub import leak_gate

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / out.name
        count = scrub_docx(file, made, scrubber.entities)
        leak_gate([made], scrubber.map, roster)
        atomic_write(out, made.read_bytes())
    return count


def read_text(file: str) -> str:
    """The text of FILE as it is masked; `InputError` when it is not UTF-8."""
    from astra_lib.core.errors import InputError
    from astra_lib.core.records import read_bytes

    if file.lower().endswith(".docx"):
        from astra_lib.minutes import read_minutes

        minutes = read_minutes(file)
        lines = [paragraph.text for paragraph in minutes.paragraphs]
        for where, texts in minutes.elsewhere.items():
            lines += [f"{where}: {text}" for text in texts]
        return "".join(f"{line}\n" for line in lines)
    data = sys.stdin.buffer.read() if file == "-" else read_bytes(Path(file))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", where=file, remedy="Save it as UTF-8, or pass a .docx") from None
