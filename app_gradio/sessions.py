"""A whole recording -> a draft acta: blocks, paragraphs, names, a Word file, and where each paragraph came from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from astra_lib.core.errors import AstraError, InputError
from astra_lib.core.records import Block, Paragraph, Transcript, dumps, sha256_bytes, to_dict, write_json
from astra_lib.formatter import Context
from astra_lib.minutes import paragraph_xml, write_minutes
from astra_lib.transcript import speech_blocks

from .service import ServedParagraph, Service, Ticket

Progress = Callable[[int, int], None]
UNIT_S = (8.0, 30.0)  # as long as most of the units the adapter was trained on; of longer stretches it writes less


@dataclass
class Draft:
    """`paragraphs` in order of time; `gaps`: blocks for which no valid paragraph could be made, with the reason."""

    session_id: str
    tenant: str
    paragraphs: list[ServedParagraph] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    silent: int = 0
    docx: Path | None = None


@dataclass
class _Lane:
    """A run of consecutive blocks written one after another, so that each sees the paragraph before it."""

    blocks: list[Block]
    context: Context = Context()
    results: list[list[ServedParagraph]] = field(default_factory=list)


def draft(service: Service, transcript: Transcript, template: Path | str, out: Path | str, progress: Progress | None = None,
          lanes: int | None = None) -> Draft:
    """Draft the acta of `transcript` into the Word file `out`, styled like `template`; trace in `<out>.trace.json`.

    Lanes run side by side in one batch; within a lane a block sees the paragraph written before it."""
    blocks = [b for b in speech_blocks(transcript, min_s=UNIT_S[0], max_s=UNIT_S[1]) if b.text.strip()]
    if not blocks:
        raise InputError("nobody speaks in this transcript", where=transcript.session_id, remedy="Is it the right file?")
    sha = sha256_bytes(dumps(to_dict(transcript)))
    result = Draft(transcript.session_id, transcript.tenant)
    report = progress or _bar(len(blocks))
    done = 0
    running = _split(blocks, lanes or service.settings.serve.max_batch)
    for step in range(max(len(lane.blocks) for lane in running)):
        tickets: list[tuple[_Lane, Ticket]] = []
        for lane in running:
            if step < len(lane.blocks):
                tickets.append((lane, service.admit(transcript.tenant, lane.blocks[step], lane.context)))
        for lane, ticket in tickets:
            try:
                made = service.finish(ticket, transcript.tenant, transcript.session_id, sha)
            except AstraError as error:
                made = []
                result.gaps.append({"start": ticket.block.start, "end": ticket.block.end, "reason": str(error), "said": ticket.block.text})
            else:
                result.silent += not made
            lane.results.append(made)
            lane.context = _next(lane.context, made)
            done += 1
            report(done, len(blocks))
    result.paragraphs = [p for lane in running for made in lane.results for p in made]
    result.docx = _write(result, template, Path(out))
    return result


def _split(blocks: list[Block], lanes: int) -> list[_Lane]:
    size = -(-len(blocks) // max(1, min(lanes, len(blocks))))
    return [_Lane(blocks[i:i + size]) for i in range(0, len(blocks), size)]


def _next(context: Context, made: list[ServedParagraph]) -> Context:
    agenda = next((p.text for p in reversed(made) if p.kind == "heading" and len(p.text.split()) > 3), context.agenda)
    return Context(agenda[:120], made[-1].text if made else context.previous)


def _write(result: Draft, template: Path | str, out: Path) -> Path:
    rows = [(p.start_ms, Paragraph(0, p.kind, p.text, p.xml)) for p in result.paragraphs]
    for gap in result.gaps:
        text = f"[SIN REDACTAR {_clock(gap['start'])}–{_clock(gap['end'])}: revisar la grabación]"
        rows.append((round(gap["start"] * 1000), Paragraph(0, "body", text, paragraph_xml(text, "body"))))
    rows.sort(key=lambda r: r[0])
    if not rows:
        raise InputError("the model wrote nothing for this recording", where=result.session_id, remedy="Review the adapter: astra models")
    for index, (_, paragraph) in enumerate(rows):
        paragraph.index = index
    path = write_minutes([p for _, p in rows], template, out)
    write_json(out.with_suffix(".trace.json"), {
        "session_id": result.session_id, "tenant": result.tenant, "silent_blocks": result.silent, "gaps": result.gaps,
        "paragraphs": [asdict(p) for p in result.paragraphs]})
    return Path(path or out)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600:d}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"


def _bar(total: int) -> Progress:
    from tqdm import tqdm

    bar = tqdm(total=total, desc="drafting", unit="block", disable=None if sys.stderr.isatty() else True)

    def step(done: int, of: int) -> None:
        bar.update(done - bar.n)
        if done == of:
            bar.close()

    return step
