"""A whole recording to a draft acta: a Word file, and a trace of where each of its paragraphs came from."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from astra_lib.core.errors import AstraError, InputError, ServiceError
from astra_lib.core.records import Block, Paragraph, Transcript, dumps, sha256_bytes, to_dict, write_json
from astra_lib.formatter import Context, presiding, role_of
from astra_lib.minutes import check, paragraph_xml, write_minutes
from astra_lib.transcript import speech_blocks

from .journal import Journal
from .service import ServedParagraph, Service, Ticket

Progress = Callable[[int, int], None]
# seconds: the shortest unit, the longest, and how long another speaker's turn must be to end one; the same
# units that were trained on
UNIT_S = (8.0, 30.0, 3.0)
PAUSES_S = (1.0, 3.0, 9.0)  # an unreachable server is waited for this long before the draft stops


@dataclass
class Draft:
    """What was made of a recording; blocks are stretches of speech of at most `UNIT_S[1]` seconds.

    `paragraphs` are in order of time. `gaps`: blocks without a valid paragraph, with the reason. `quiet`:
    blocks of which the model wrote nothing. `resumed`: how many blocks an interrupted run had written.
    """

    session_id: str
    tenant: str
    paragraphs: list[ServedParagraph] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    quiet: list[dict[str, float]] = field(default_factory=list)
    resumed: int = 0
    docx: Path | None = None

    @property
    def silent(self) -> int:
        return len(self.quiet)

    @property
    def unresolved(self) -> list[ServedParagraph]:
        """Paragraphs that name somebody the council's map does not know."""
        return [p for p in self.paragraphs if p.unresolved]


@dataclass
class _Lane:
    """A run of consecutive blocks written one after another, so that each sees the paragraph before it."""

    blocks: list[tuple[int, Block]]
    context: Context = Context()
    results: list[list[ServedParagraph]] = field(default_factory=list)

    def take(self, made: list[ServedParagraph]) -> None:
        """Keep a block's paragraphs; the next block sees the last of them and its agenda heading."""
        self.results.append(made)
        headings = [p.text for p in made if p.kind == "heading" and len(p.text.split()) > 3]
        agenda = headings[-1] if headings else self.context.agenda
        self.context = Context(agenda, made[-1].text if made else self.context.previous)


class _DraftRun:
    """One call of `draft`: writes blocks, asks again where that may help, and keeps the result so far."""

    def __init__(
        self,
        service: Service,
        transcript: Transcript,
        transcript_sha256: str,
        blocks: list[Block],
        journal: Journal,
        progress: Progress,
    ) -> None:
        self.service, self.journal, self.progress = service, journal, progress
        self.transcript, self.transcript_sha256 = transcript, transcript_sha256
        self.chair = presiding(blocks)
        self.done, self.total = 0, len(blocks)
        self.result = Draft(transcript.session_id, transcript.tenant, resumed=len(journal.written))

    def step(self, now: list[tuple[_Lane, int, Block]]) -> None:
        """Write one block of every lane: all are admitted before the first answer is waited for."""
        tickets = {
            number: self._admit(block, replace(lane.context, role=role_of([block], self.chair)))
            for lane, number, block in now
            if number not in self.journal.written
        }
        made: list[ServedParagraph] | None
        for lane, number, block in now:
            if number in tickets:
                made = self._write(number, tickets[number])
            else:
                made = self.journal.written[number]
            if made == []:
                self.result.quiet.append({"start": block.start, "end": block.end})
            lane.take(made or [])
            self.done += 1
            self.progress(self.done, self.total)

    def _write(self, number: int, ticket: Ticket) -> list[ServedParagraph] | None:
        """The block's paragraphs, on record in the journal; None for a gap."""
        block = ticket.block
        try:
            made = self._finish(ticket)
        except ServiceError:
            raise
        except AstraError as error:
            self.result.gaps.append(
                {"start": block.start, "end": block.end, "reason": str(error), "said": block.text}
            )
            return None
        self.journal.add(number, made)
        return made

    def _admit(self, block: Block, context: Context) -> Ticket:
        """Queue a block; a full queue is waited for."""
        for pause in PAUSES_S:
            try:
                return self.service.admit(self.transcript.tenant, block, context)
            except ServiceError:
                time.sleep(pause)
        return self.service.admit(self.transcript.tenant, block, context)

    def _finish(self, ticket: Ticket) -> list[ServedParagraph]:
        """The block's paragraphs, asked for again while a server is away.

        What a sound service still cannot answer is the block's fault: `InputError`, so a gap.
        """
        tenant, session_id = self.transcript.tenant, self.transcript.session_id
        for pause in PAUSES_S:
            try:
                return self.service.finish(ticket, tenant, session_id, self.transcript_sha256)
            except ServiceError:
                time.sleep(pause)
                ticket = self._admit(ticket.block, ticket.context)
        try:
            return self.service.finish(ticket, tenant, session_id, self.transcript_sha256)
        except ServiceError as error:
            self.service.registry.current(tenant)  # Redis away: its ServiceError stops the draft
            raise InputError(error.what, where=error.where, remedy=error.remedy) from error


def draft(
    service: Service,
    transcript: Transcript,
    template: Path | str,
    out: Path | str,
    progress: Progress | None = None,
    lanes: int | None = None,
) -> Draft:
    """Draft the acta of `transcript` into the Word file `out`, styled like `template`.

    Lanes are written side by side in one batch; within a lane a block sees the paragraph written before it.
    What is written is kept in `<out>.partial.jsonl` until the Word file is there: killed, the same call
    goes on from there. An answer that does not validate is a gap; a server that is away (`ServiceError`) is
    not, but stops the draft. The trace, with the audit id of each paragraph, is written to
    `<out>.trace.json`.
    """
    out = Path(out)
    blocks = [b for b in speech_blocks(transcript, 0.0, math.inf, *UNIT_S) if b.text.strip()]
    if not blocks:
        raise InputError(
            "nobody speaks in this transcript", where=transcript.session_id, remedy="Is it the right file?"
        )
    sha256 = sha256_bytes(dumps(to_dict(transcript)))
    with Journal.open(out, transcript.tenant, sha256, UNIT_S) as journal:
        run = _DraftRun(service, transcript, sha256, blocks, journal, progress or _bar(len(blocks)))
        running = _split(blocks, lanes or service.settings.serve.max_batch)
        for step in range(max(len(lane.blocks) for lane in running)):
            run.step([(lane, *lane.blocks[step]) for lane in running if step < len(lane.blocks)])
        result = run.result
        result.paragraphs = [p for lane in running for made in lane.results for p in made]
        result.gaps.sort(key=lambda gap: gap["start"])
        result.quiet.sort(key=lambda block: block["start"])
        result.docx = write_acta(result, template, out)
        journal.discard()
    return result


def _split(blocks: list[Block], lanes: int) -> list[_Lane]:
    size = -(-len(blocks) // max(1, min(lanes, len(blocks))))
    numbered = list(enumerate(blocks))
    return [_Lane(numbered[i : i + size]) for i in range(0, len(numbered), size)]


@dataclass
class _Line:
    """A paragraph of the Word file, where its speech starts, and what the trace says of it."""

    start_ms: int
    paragraph: Paragraph
    traced: dict[str, Any]


def write_acta(result: Draft, template: Path | str, out: Path) -> Path:
    """The Word file and its trace; `index` in the trace is a paragraph's place among those written.

    Notes for the clerk stand between the paragraphs: gaps, unknown names, tables that do not join.
    """
    gaps = [dict(gap) for gap in result.gaps]
    lines = _paragraph_lines(result.paragraphs) + [_gap_line(gap) for gap in gaps]
    lines = _tables_apart(sorted(lines, key=lambda line: line.start_ms))
    if not lines:
        raise InputError(
            "the model wrote nothing for this recording",
            where=result.session_id,
            remedy="Review the adapter: astra models",
        )
    for index, line in enumerate(lines):
        line.paragraph.index = line.traced["index"] = index
    path = write_minutes([line.paragraph for line in lines], template, out)
    traced = [line.traced for line in lines]
    trace = {
        "session_id": result.session_id,
        "tenant": result.tenant,
        "silent_blocks": result.silent,
        "silent": result.quiet,
        "gaps": gaps,
        "notes": [entry for entry in traced if "note" in entry],
        "paragraphs": [entry for entry in traced if "audit_id" in entry],
    }
    write_json(out.with_suffix(".trace.json"), trace)
    return Path(path or out)


def _paragraph_lines(paragraphs: list[ServedParagraph]) -> list[_Line]:
    """Block by block; names that the council's map does not know are noted behind their block.

    Never inside it: a row of a table must follow its heading row.
    """
    blocks: dict[int, list[ServedParagraph]] = {}
    for paragraph in paragraphs:
        blocks.setdefault(paragraph.start_ms, []).append(paragraph)
    lines = []
    for start_ms, made in blocks.items():
        lines += [_Line(start_ms, Paragraph(0, p.kind, p.text, p.xml), asdict(p)) for p in made]
        unknown = list(dict.fromkeys(name for p in made for name in p.unresolved))
        if unknown:
            span = _span(start_ms / 1000, made[0].end_ms / 1000)
            note = f"REVISAR {span}: no se sabe quién es {', '.join(unknown)}"
            lines.append(_note(start_ms, note, {"note": note, "unresolved": unknown}))
    return lines


def _gap_line(gap: dict[str, Any]) -> _Line:
    note = f"SIN REDACTAR {_span(gap['start'], gap['end'])}: revisar la grabación"
    return _note(round(gap["start"] * 1000), note, gap)


def _tables_apart(lines: list[_Line]) -> list[_Line]:
    """A note between the rows of two blocks that Word would not take for one table."""
    out: list[_Line] = []
    table = ""
    for line in lines:
        if line.paragraph.kind != "table":
            table = ""
        elif table and check(table + line.paragraph.xml):
            note = f"REVISAR {_clock(line.start_ms / 1000)}: esta tabla no casa con la anterior"
            out.append(_note(line.start_ms, note, {"note": note}))
            table = line.paragraph.xml
        else:
            table += line.paragraph.xml
        out.append(line)
    return out


def _note(start_ms: int, note: str, traced: dict[str, Any]) -> _Line:
    """A paragraph for the clerk, in brackets so that it cannot pass for the council's words."""
    text = f"[{note}]"
    return _Line(start_ms, Paragraph(0, "body", text, paragraph_xml(text, "body")), traced)


def _span(start: float, end: float) -> str:
    return f"{_clock(start)}–{_clock(end)}"


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
