"""`astra scrub`: a text with its personal data masked, or the list of what would be."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("scrub", help="mask personal data in a text file")
    parser.add_argument("file", metavar="FILE", help="text, .json/.jsonl or XML as text, or a .docx (its paragraphs, one a line); - reads standard input")
    parser.add_argument("--json", action="store_true", help="print [{start, end, type, replacement}] on the input's own character offsets")
    parser.add_argument("--tenant", help="use this tenant's roster and placeholder map (default: numbers for this file only)")
    parser.add_argument("--roster", help="roster.json with rows {key, name, role, party}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the masked text, or with --json the entities; the map changes only when a tenant is named."""
    from astra_lib.core.errors import InputError
    from astra_lib.core.records import read_json
    from astra_lib.core.settings import load

    text = _read(args.file)
    keep, roster = None, read_json(args.roster) if args.roster else []
    if not isinstance(roster, list):
        raise InputError("not a list of rows", where=args.roster, remedy="A roster is [{key, name, role, party}]")
    # imported last: it takes a second or two, and what is wrong with the files is said before
    from astra_lib.scrub import PlaceholderMap, Scrubber

    if args.tenant:
        settings = load()
        keep = PlaceholderMap.open(args.tenant, settings)
        named = settings.data_dir / "tenants" / args.tenant / "roster.json"
        roster = roster or (read_json(named) if named.is_file() else [])
    masked = Scrubber(args.tenant or "file", roster, keep).mask(text)
    if keep is not None:
        keep.save()
    if args.json:
        rows = [{"start": e.start, "end": e.end, "type": e.type, "replacement": e.replacement} for e in masked.entities]
        print(json.dumps(rows, ensure_ascii=False))
    else:
        sys.stdout.write(masked.text)
    return 0


def _read(file: str) -> str:
    from astra_lib.core.errors import InputError
    from astra_lib.core.records import read_bytes

    if file.lower().endswith(".docx"):
        from astra_lib.minutes import read_minutes

        return "".join(p.text + "\n" for p in read_minutes(file).paragraphs)
    data = sys.stdin.buffer.read() if file == "-" else read_bytes(Path(file))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", where=file, remedy="Save it as UTF-8, or pass a .docx") from None
