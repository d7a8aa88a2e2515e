"""`astra transcribe | align | mine | draft`: one session, or a folder of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from astra_lib.core.records import write_json, write_jsonl
from astra_lib.core.settings import load as load_settings


def add_parser(verbs: Any) -> None:
    p = verbs.add_parser("transcribe", help="audio -> transcript.json (resumable)")
    p.add_argument("audio")
    p.add_argument("--out", help="default: beside the audio, <name>.transcript.json")
    p.add_argument("--tenant", default="local")
    p.add_argument("--session", help="session id; default: the file's name")
    p.set_defaults(run=transcribe)

    p = verbs.add_parser("align", help="transcript + acta -> pairs.jsonl, metrics.json, alignment.html")
    p.add_argument("transcript", nargs="+", help="one file, or several of one session followed by the acta")
    p.add_argument("--out", required=True)
    p.add_argument("--tenant", default="local")
    p.add_argument("--session")
    p.set_defaults(run=align)

    from jobs import mine

    p = verbs.add_parser("mine", help="a folder of sessions -> pairs of each")
    mine.add_arguments(p)
    p.set_defaults(run=mine.run)

    p = verbs.add_parser("draft", help="transcript -> draft acta.docx with the adapter in service")
    p.add_argument("transcript")
    p.add_argument("--tenant", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--template", help="an earlier acta; default: data_dir/tenants/<tenant>/template.docx")
    p.add_argument("--session")
    p.set_defaults(run=draft)


def transcribe(args: argparse.Namespace) -> int:
    from astra_lib.recording import transcribe as run

    audio = Path(args.audio)
    out = Path(args.out) if args.out else audio.with_suffix(".transcript.json")
    made = run(audio, out, load_settings(), session_id=args.session or audio.stem, tenant=args.tenant)
    print(f"{len(made.words)} words, {made.duration / 60:.1f} minutes -> {out}")
    return 0


def align(args: argparse.Namespace) -> int:
    """Exit 3 when the acta does not seem to belong to the recording."""
    from astra_lib.alignment import align as run
    from astra_lib.core.errors import InputError
    from astra_lib.minutes import read_minutes
    from astra_lib.transcript import read_transcript

    if len(args.transcript) < 2:
        raise InputError(
            "a transcript and an acta are needed", remedy="astra align TRANSCRIPT ACTA --out DIR"
        )
    *files, acta = map(Path, args.transcript)
    transcript = read_transcript(files, session_id=args.session or files[0].stem, tenant=args.tenant)
    minutes = read_minutes(acta)
    made = run(transcript, minutes.paragraphs, load_settings().align)
    out = Path(args.out)
    write_jsonl(out / "pairs.jsonl", made.pairs)
    made.report(out / "alignment.html")
    write_json(out / "metrics.json", made.metrics)
    metrics = made.metrics
    found = sum(pair.start is not None for pair in made.pairs)
    print(
        f"{found} of {len(made.pairs)} paragraphs found; coverage {metrics['coverage']:.1%} of the speech "
        f"at an estimated precision of {metrics['estimated_precision']:.1%} -> {out / 'alignment.html'}"
    )
    if metrics.get("mismatch"):
        print("astra: the acta does not seem to belong to this recording: check that both are of one session")
        return 3
    return 0


def draft(args: argparse.Namespace) -> int:
    from app_gradio.service import Service
    from app_gradio.sessions import draft as run
    from astra_lib.core.errors import MissingError
    from astra_lib.transcript import read_transcript

    settings = load_settings()
    default = settings.data_dir / "tenants" / args.tenant / "template.docx"
    template = Path(args.template) if args.template else default
    if not template.is_file():
        raise MissingError("no template", where=str(template), remedy="Give an earlier acta with --template")
    file, out = Path(args.transcript), Path(args.out)
    transcript = read_transcript([file], session_id=args.session or file.stem, tenant=args.tenant)
    service = Service.open(settings)
    try:
        service.swapper.reconcile()
        made = run(service, transcript, template, out)
    finally:
        service.close()
    trace = out.with_suffix(".trace.json")
    print(f"{len(made.paragraphs)} paragraphs, {len(made.gaps)} gaps -> {out} (trace: {trace})")
    return 0
