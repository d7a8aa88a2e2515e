"""A whole recording -> a draft acta: blocks, paragraphs, names, a Word file, and where each paragraph came from."""

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
UNIT_S = (
    8.0,
    30.0,
    3.0,
)  # seconds: shortest, longest, and how long a turn is before another speaker parts it; as the units trained on
_Row = tuple[int, Paragraph, dict[str, Any]]  # start in ms, what is written, what the trace says of it
PAUSES_S = (1.0, 3.0, 9.0)  # a part that is away is waited for this long before the draft stops


@dataclass
class Draft:
    """`paragraphs` in order of time; `gaps`: blocks for which no valid paragraph could be made, with the reason;
    `quiet`: blocks of which the model wrote nothing; `resumed`: blocks that an interrupted run had written."""

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


def draft(
    service: Service,
    transcript: Transcript,
    template: Path | str,
    out: Path | str,
    progress: Progress | None = None,
    lanes: int | None = None,
) -> Draft:
    """Draft the acta of `transcript` into the Word file `out`, styled like `template`; trace in `<out>.trace.json`.

    Lanes run side by side in one batch; within a lane a block sees the paragraph written before it. What is written is
    kept in `<out>.partial.jsonl` until the Word file stands: killed, the same call goes on from there. An answer that
    does not validate is a gap; a part that is away (`ServiceError`) is no gap but stops the draft, kept as far as it got."""
    blocks = [b for b in speech_blocks(transcript, 0.0, math.inf, *UNIT_S) if b.text.strip()]
    if not blocks:
        raise InputError(
            "nobody speaks in this transcript", where=transcript.session_id, remedy="Is it the right file?"
        )
    sha = sha256_bytes(dumps(to_dict(transcript)))
    chair = presiding(blocks)
    result = Draft(transcript.session_id, transcript.tenant)
    report = progress or _bar(len(blocks))
    with Journal.open(Path(out), transcript.tenant, sha, UNIT_S) as journal:
        result.resumed = len(journal.written)
        running = _split(blocks, lanes or service.settings.serve.max_batch)
        done = 0
        for step in range(max(len(lane.blocks) for lane in running)):
            now = [(lane, *lane.blocks[step]) for lane in running if step < len(lane.blocks)]
            tickets = {
                i: _admit(
                    service, transcript.tenant, block, replace(lane.context, role=role_of([block], chair))
                )
                for lane, i, block in now
                if i not in journal.written
            }
            for lane, i, block in now:
                if i in journal.written:
                    made = journal.written[i]
                else:
                    try:
                        made = _finish(service, tickets[i], transcript, sha)
                    except ServiceError:
                        raise
                    except AstraError as error:
                        made = None
                        result.gaps.append(
                            {"start": block.start, "end": block.end, "reason": str(error), "said": block.text}
                        )
                    else:
                        journal.add(i, made)
                if made == []:
                    result.quiet.append({"start": block.start, "end": block.end})
                lane.results.append(made or [])
                lane.context = _next(lane.context, made or [])
                done += 1
                report(done, len(blocks))
        result.paragraphs = [p for lane in running for made in lane.results for p in made]
        for rows in (result.gaps, result.quiet):
            rows.sort(key=lambda row: row["start"])
        result.docx = _write(result, template, Path(out))
        journal.discard()
    return result


def _admit(service: Service, tenant: str, block: Block, context: Context) -> Ticket:
    """Queue a block; a full queue is waited for."""
    for pause in (*PAUSES_S, None):
        try:
            return service.admit(tenant, block, context)
        except ServiceError:
            if pause is None:
                raise
            time.sleep(pause)
    raise AssertionError  # the last round returned or raised


def _finish(service: Service, ticket: Ticket, transcript: Transcript, sha: str) -> list[ServedParagraph]:
    """The block's paragraphs; asked for again while a part is away.

    What a sound service still cannot answer raises `GateError`'s sibling `InputError`: that is the block's fault, a gap."""
    for pause in (*PAUSES_S, None):
        try:
            return service.finish(ticket, transcript.tenant, transcript.session_id, sha)
        except ServiceError as error:
            if pause is None:
                service.registry.current(transcript.tenant)  # Redis away: its ServiceError stops the draft
                raise InputError(error.what, where=error.where, remedy=error.remedy) from error
            time.sleep(pause)
            ticket = _admit(service, transcript.tenant, ticket.block, ticket.context)
    raise AssertionError  # the last round returned or raised


def _split(blocks: list[Block], lanes: int) -> list[_Lane]:
    size = -(-len(blocks) // max(1, min(lanes, len(blocks))))
    numbered = list(enumerate(blocks))
    return [_Lane(numbered[i : i + size]) for i in range(0, len(numbered), size)]


def _next(context: Context, made: list[ServedParagraph]) -> Context:
    agenda = next(
        (p.text for p in reversed(made) if p.kind == "heading" and len(p.text.split()) > 3), context.agenda
    )
    return Context(agenda, made[-1].text if made else context.previous)


def _write(result: Draft, template: Path | str, out: Path) -> Path:
    """The Word file and its trace: `index` is a paragraph's place among the paragraphs written."""
    rows: list[_Row] = []
    blocks: dict[int, list[ServedParagraph]] = {}
    for p in result.paragraphs:
        blocks.setdefault(p.start_ms, []).append(p)
    for start_ms, made in blocks.items():
        rows += [(start_ms, Paragraph(0, p.kind, p.text, p.xml), asdict(p)) for p in made]
        if strangers := list(dict.fromkeys(name for p in made for name in p.unresolved)):
            # after the block, never inside it: a row of a table must follow its heading row
            said = f"REVISAR {_span(start_ms / 1000, made[0].end_ms / 1000)}: no se sabe quién es {', '.join(strangers)}"
            rows.append((start_ms, _note(said), {"note": said, "unresolved": strangers}))
    gaps = [dict(gap) for gap in result.gaps]
    for gap in gaps:
        said = f"SIN REDACTAR {_span(gap['start'], gap['end'])}: revisar la grabación"
        rows.append((round(gap["start"] * 1000), _note(said), gap))
    rows = _tables_apart(sorted(rows, key=lambda r: r[0]))
    if not rows:
        raise InputError(
            "the model wrote nothing for this recording",
            where=result.session_id,
            remedy="Review the adapter: astra models",
        )
    for index, (_, paragraph, traced) in enumerate(rows):
        paragraph.index = traced["index"] = index
    path = write_minutes([p for _, p, _ in rows], template, out)
    write_json(
        out.with_suffix(".trace.json"),
        {
            "session_id": result.session_id,
            "tenant": result.tenant,
            "silent_blocks": result.silent,
            "silent": result.quiet,
            "gaps": gaps,
            "notes": [t for _, _, t in rows if "note" in t],
            "paragraphs": [t for _, _, t in rows if "audit_id" in t],
        },
    )
    return Path(path or out)


def _tables_apart(rows: list[_Row]) -> list[_Row]:
    """A note between the rows of two blocks that Word would not take for one table."""
    out: list[_Row] = []
    table = ""
    for start_ms, paragraph, traced in rows:
        if paragraph.kind == "table":
            if table and check(table + paragraph.xml):
                said = f"REVISAR {_clock(start_ms / 1000)}: esta tabla no casa con la anterior"
                out.append((start_ms, _note(said), {"note": said}))
                table = ""
            table += paragraph.xml
        else:
            table = ""
        out.append((start_ms, paragraph, traced))
    return out


def _note(said: str) -> Paragraph:
    """A paragraph for the clerk's eye, in brackets so that it cannot pass for the council's words."""
    return Paragraph(0, "body", f"[{said}]", paragraph_xml(f"[{said}]", "body"))


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
