"""`astra minutes read|write|check`: an acta as paragraphs, paragraphs as an acta, a file checked."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from astra_lib.core.errors import InputError
from astra_lib.core.records import Paragraph, read_jsonl, write_jsonl


def add_parser(verbs: Any) -> None:
    parser = verbs.add_parser("minutes", help="read, write and check Word minutes")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    read = actions.add_parser("read", help="an acta's paragraphs as JSON lines")
    read.add_argument("acta", type=Path)
    read.add_argument("--out", type=Path, required=True, help="paragraphs.jsonl")
    read.set_defaults(run=run_read)
    write = actions.add_parser("write", help="paragraphs into a Word file that looks like the template")
    write.add_argument("paragraphs", type=Path)
    write.add_argument(
        "--template",
        type=Path,
        required=True,
        nargs="+",
        help="an acta of the same council, or several: what occurs most in them wins",
    )
    write.add_argument("--out", type=Path, required=True, help="the .docx to write")
    write.set_defaults(run=run_write)
    check = actions.add_parser("check", help="exit 0 when valid, 3 when not, each broken rule on a line")
    check.add_argument("file", type=Path, help="a .docx, or a text file with a canonical fragment")
    check.add_argument("--template", type=Path, help="audit findings that this file has too are not counted")
    check.add_argument(
        "--round-trip", action="store_true", help="also through LibreOffice, comparing the text"
    )
    check.set_defaults(run=run_check)


def run_read(args: argparse.Namespace) -> int:
    from astra_lib.minutes import read_minutes

    minutes = read_minutes(args.acta)
    write_jsonl(args.out, minutes.paragraphs)
    for warning in minutes.warnings:
        print(f"{args.acta.name}: {warning}", file=sys.stderr)
    print(f"{len(minutes.paragraphs)} paragraphs -> {args.out}")
    return 0


def run_write(args: argparse.Namespace) -> int:
    from astra_lib.minutes import learn_template, write_minutes

    paragraphs = read_jsonl(args.paragraphs, Paragraph)
    if not paragraphs:
        raise InputError(
            "no paragraphs in it", where=str(args.paragraphs), remedy="Make it with `astra minutes read`"
        )
    written = write_minutes(paragraphs, learn_template(args.template), args.out)
    print(f"{len(paragraphs)} paragraphs -> {written}")
    return 0


def run_check(args: argparse.Namespace) -> int:
    from astra_lib.minutes import check

    violations = check(args.file, template=args.template, round_trip=args.round_trip)
    for violation in violations:
        print(violation)
    print(f"{args.file}: {len(violations)} violation(s)" if violations else f"{args.file}: valid")
    return 3 if violations else 0
