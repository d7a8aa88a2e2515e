"""`astra scrub`: a text or a Word file with its personal data masked, or the list of what would be."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("scrub", help="mask personal data in a text file")
    parser.add_argument(
        "file",
        metavar="FILE",
        help="text, .json/.jsonl or XML as text, or a .docx (its paragraphs, one a line, then what its headers, comments, authors, "
        "properties and alt texts say); - reads standard input",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="write the masked copy here instead of printing it; a .docx stays one, and is looked through by the leak gate first",
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
    """Prints the masked text, or with --json the entities; the map changes only when a tenant is named."""
    from astra_lib.core.errors import InputError
    from astra_lib.core.records import atomic_write, read_json
    from astra_lib.core.settings import load

    if args.out and args.json:
        raise InputError("--out and --json together", remedy="Run it twice")
    whole = bool(args.out) and args.file.lower().endswith(".docx")
    if whole and args.out.suffix.lower() != ".docx":
        raise InputError("a Word file is written as one", where=str(args.out), remedy="Name it .docx")
    text = "" if whole else _read(args.file)
    keep, roster = None, read_json(args.roster) if args.roster else []
    if not isinstance(roster, list):
        raise InputError(
            "not a list of rows", where=args.roster, remedy="A roster is [{key, name, role, party}]"
        )
    # imported last: it takes a second or two, and what is wrong with the files is said before
    from astra_lib.scrub import PlaceholderMap, Scrubber

    if args.tenant:
        settings = load()
        keep = PlaceholderMap.open(args.tenant, settings)
        named = settings.data_dir / "tenants" / args.tenant / "roster.json"
        roster = roster or (read_json(named) if named.is_file() else [])
    scrubber = Scrubber(args.tenant or "file", roster, keep)
    if whole:
        count = _word_copy(scrubber, args.file, args.out, roster)
        if keep is not None:
            keep.save()
        print(f"{sum(count.values())} masked -> {args.out}")
        return 0
    masked = scrubber.mask(text)
    if keep is not None:
        keep.save()
    if args.json:
        rows = [
            {"start": e.start, "end": e.end, "type": e.type, "replacement": e.replacement}
            for e in masked.entities
        ]
        print(json.dumps(rows, ensure_ascii=False))
    elif args.out:
        atomic_write(args.out, masked.text.encode())
    else:
        sys.stdout.write(masked.text)
    return 0


def _word_copy(scrubber: Any, file: str, out: Path, roster: list[Any]) -> Any:
    """The masked copy, moved into place once the gate has found nothing in it, its name included."""
    from astra_lib.core.records import atomic_write
    from astra_lib.privacy.docx import scrub_docx
    from astra_lib.scrub import leak_gate

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / out.name
        count = scrub_docx(file, made, scrubber.entities)
        leak_gate([made], scrubber.map, roster)
        atomic_write(out, made.read_bytes())
    return count


def _read(file: str) -> str:
    from astra_lib.core.errors import InputError
    from astra_lib.core.records import read_bytes

    if file.lower().endswith(".docx"):
        from astra_lib.minutes import read_minutes

        minutes = read_minutes(file)
        lines = [p.text for p in minutes.paragraphs] + [
            f"{where}: {text}" for where, texts in minutes.elsewhere.items() for text in texts
        ]
        return "".join(line + "\n" for line in lines)
    data = sys.stdin.buffer.read() if file == "-" else read_bytes(Path(file))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", where=file, remedy="Save it as UTF-8, or pass a .docx") from None
