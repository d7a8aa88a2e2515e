"""Mine recordings and actas: transcript + docx -> pairs, session by session.

A session is a folder with
`session.json`, `acta.docx` and one or more `transcript*.json`. Sessions are independent: they run in a
process pool or on a Dask cluster, a bad one is quarantined with its reason, an unchanged one is not mined
again.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from astra_lib.core import settings as settings_module
from astra_lib.core.code import code_digest
from astra_lib.core.errors import AstraError, GateError, InputError, MissingError, ServiceError
from astra_lib.core.launcher import die_with_parent
from astra_lib.core.records import dumps, read_json, sha256_bytes, sha256_file, write_json, write_jsonl
from astra_lib.core.tenants import check_tenant

from .mined import MINING_VERSION, Mined


@dataclass(frozen=True)
class SessionFolder:
    """One session's folder and what identifies its content."""

    session_id: str
    tenant: str
    folder: str
    acta: str
    transcripts: tuple[str, ...]
    fingerprint: str


def discover(
    source: Path | str, tenant: str, parameters: dict[str, Any]
) -> tuple[list[SessionFolder], dict[str, str]]:
    """SessionFolder folders below `source`, and `{folder: reason}` for those that cannot be used."""
    source = Path(source)
    check_tenant(tenant)
    if not source.is_dir():
        raise MissingError(
            "no such folder", where=str(source), remedy="Name the folder that holds one folder per session"
        )
    found: list[SessionFolder] = []
    refused: dict[str, str] = {}
    folders = sorted({p.parent for name in ("session.json", "acta.docx") for p in source.rglob(name)})
    for folder in folders:
        try:
            found.append(_session(folder, tenant, parameters))
        except AstraError as error:
            refused[folder.name] = str(error)
    counts: dict[str, int] = {}
    for session in found:
        counts[session.session_id] = counts.get(session.session_id, 0) + 1
    for session in [s for s in found if counts[s.session_id] > 1]:
        refused[Path(session.folder).name] = (
            f"session id {session.session_id!r} is used by {counts[session.session_id]} folders: keep one"
        )
        found.remove(session)
    if not found and not refused:
        raise InputError(
            "no session found",
            where=str(source),
            remedy="A session is a folder with session.json, acta.docx and transcript.json",
        )
    return found, refused


def _session(folder: Path, tenant: str, parameters: dict[str, Any]) -> SessionFolder:
    card = read_json(folder / "session.json") if (folder / "session.json").exists() else {}
    if not isinstance(card, dict):
        raise InputError(
            "expected a JSON object",
            where=str(folder / "session.json"),
            remedy='{"session_id": …, "consent": true}',
        )
    if card.get("consent") is not True:
        raise InputError(
            "no consent flag",
            where=str(folder / "session.json"),
            remedy='Set "consent": true once the council has agreed',
        )
    if card.get("tenant", tenant) != tenant:
        raise InputError(f"belongs to tenant {card['tenant']!r}, not {tenant!r}", where=str(folder))
    session_id = str(card.get("session_id") or folder.name)
    if not session_id.replace("-", "").replace("_", "").isalnum():
        raise InputError(
            f"session id {session_id!r} is not usable as a file name", where=str(folder / "session.json")
        )
    acta, transcripts = folder / "acta.docx", sorted(folder.glob("transcript*.json"))
    for path, what in (
        (acta, "acta.docx"),
        (transcripts[0] if transcripts else folder / "transcript.json", "transcript"),
    ):
        if not path.is_file():
            raise MissingError(
                f"no {what}", where=str(folder), remedy="Each session needs acta.docx and transcript.json"
            )
    shas = [sha256_file(p) for p in (acta, *transcripts)]
    fingerprint = sha256_bytes(dumps([MINING_VERSION, _code(), session_id, tenant, shas, parameters]))
    return SessionFolder(
        session_id, tenant, str(folder), str(acta), tuple(map(str, transcripts)), fingerprint
    )


def mine_session(session: SessionFolder, out: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Read, align and write one session; its folder appears whole or not at all. Returns its metrics."""
    from astra_lib.alignment import align
    from astra_lib.minutes import read_minutes
    from astra_lib.transcript import read_transcript, speech_blocks

    began = time.perf_counter()
    transcript = read_transcript(
        [Path(p) for p in session.transcripts], session_id=session.session_id, tenant=session.tenant
    )
    minutes = read_minutes(session.acta)
    alignment = align(transcript, minutes.paragraphs, settings_module.AlignSettings(**parameters))
    target = Path(out) / session.session_id
    work = Path(tempfile.mkdtemp(dir=out, prefix=f".{session.session_id}."))
    try:
        write_jsonl(work / "pairs.jsonl", alignment.pairs)
        write_jsonl(
            work / "unwritten.jsonl",
            [b for start, end in alignment.unwritten for b in speech_blocks(transcript, start, end)],
        )
        alignment.report(work / "alignment.html")
        metrics = {**alignment.metrics, "wall_s": round(time.perf_counter() - began, 3)}
        write_json(
            work / "metrics.json",
            {
                "fingerprint": session.fingerprint,
                "acta_sha256": sha256_file(session.acta),
                "transcript_sha256": [sha256_file(p) for p in session.transcripts],
                "metrics": metrics,
                "aligner": {"version": MINING_VERSION, "parameters": parameters, "code": _code()},
            },
        )
        shutil.rmtree(target, ignore_errors=True)
        work.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return metrics


def mine(
    source: Path | str,
    tenant: str,
    out: Path | str,
    settings: settings_module.Settings,
    progress: Callable[[Iterable], Iterable] | None = None,
) -> Mined:
    """Mine every session below `source` into `out`, reusing what has not changed."""
    began = time.perf_counter()
    out = Path(out)
    parameters = asdict(settings.align)
    sessions, refused = discover(source, tenant, parameters)
    out.mkdir(parents=True, exist_ok=True)
    result = Mined(out, quarantined=refused)
    todo = []
    for session in sessions:
        kept = out / session.session_id / "metrics.json"
        if kept.is_file() and (row := read_json(kept)).get("fingerprint") == session.fingerprint:
            result.reused.append(session.session_id)
            result.metrics[session.session_id] = row["metrics"]
        else:
            todo.append(session)
    with executor(settings, len(todo)) as pool:
        futures: dict[Future, SessionFolder] = {
            pool.submit(mine_session, s, str(out), parameters): s for s in todo
        }
        finished: Iterable[Future] = as_completed(futures)
        for future in (progress or _bar(len(futures)))(finished):
            session = futures[future]
            try:
                result.metrics[session.session_id] = future.result()
            except AstraError as error:
                result.quarantined[session.session_id] = str(error)
            except Exception as error:  # one session must never stop the others
                result.quarantined[session.session_id] = f"{type(error).__name__}: {error}"
    for session_id, metrics in list(result.metrics.items()):
        if metrics.get("mismatch"):
            result.quarantined[session_id] = (
                "the acta does not seem to belong to this recording (low estimated precision)"
            )
            del result.metrics[session_id]
    result.sessions = sorted(result.metrics)
    if not result.sessions:
        reasons = "; ".join(f"{s}: {r}" for s, r in sorted(result.quarantined.items())[:3])
        raise GateError(
            f"none of {len(result.quarantined)} sessions could be mined ({reasons})", where=str(source)
        )
    result.wall_s = round(time.perf_counter() - began, 3)
    write_json(out / "mined.json", {k: v for k, v in asdict(result).items() if k != "out"})
    return result


@functools.cache
def _code() -> str:
    """What a session's pairs depend on besides its files."""
    return code_digest("jobs.mine")


def declare(
    parameters: dict[str, Any], settings: settings_module.Settings
) -> tuple[dict[str, Any], dict[str, Path]]:
    """What a mine run depends on: the sessions' files, the aligner's parameters and code."""
    source = Path(parameters["source"])
    files = sorted(p for n in ("acta.docx", "transcript*.json", "session.json") for p in source.rglob(n))
    return (
        {**parameters, "align": asdict(settings.align), "code": _code()},
        {p.relative_to(source).as_posix(): p for p in files},
    )


@dataclass
class Summary:
    """What the mine job shows: a table, two series for the chart, cards and the run's metrics."""

    table: list[dict[str, Any]]
    coverage: dict[str, float]
    precision: dict[str, float]
    cards: dict[str, Any]
    metrics: dict[str, Any]


def summarise(mined: Mined, source: Path | str) -> Summary:
    """Per session and over all; measured against gold where a session has `gold.json` (the samples do)."""
    from astra_lib.alignment import score

    table, f1 = [], []
    for session_id in mined.sessions:
        m, pairs = mined.metrics[session_id], mined.pairs_of(session_id)
        row = {
            "session": session_id,
            "paragraphs": len(pairs),
            "aligned": sum(p.start is not None for p in pairs),
            "coverage": m["coverage"],
            "estimated_precision": m["estimated_precision"],
            "longest_block_s": max((b.end - b.start for p in pairs for b in p.blocks), default=0.0),
            "wall_s": m["wall_s"],
        }
        gold = next(iter(Path(source).rglob(f"{session_id}/gold.json")), None)
        if gold is not None:
            measured = score(pairs, read_json(gold))
            row |= {
                "gold_precision": measured["precision"],
                "gold_recall": measured["recall"],
                "gold_f1": measured["f1"],
            }
            f1.append(measured["f1"])
        table.append(row)
    short = {s: s[5:] if len(mined.sessions) > 3 else s for s in mined.sessions}
    mean = lambda key: sum(r[key] for r in table) / len(table) if table else 0.0  # noqa: E731
    metrics = {
        "sessions": len(table),
        "quarantined": len(mined.quarantined),
        "paragraphs": sum(r["paragraphs"] for r in table),
        "aligned": sum(r["aligned"] for r in table),
        "coverage": mean("coverage"),
        "estimated_precision": mean("estimated_precision"),
        "gold_f1": sum(f1) / len(f1) if f1 else None,
        "longest_block_s": max((r["longest_block_s"] for r in table), default=0.0),
        "wall_s": mined.wall_s,
    }
    cards = {
        k: metrics[k]
        for k in ("sessions", "aligned", "coverage", "estimated_precision", "gold_f1", "longest_block_s")
    }
    return Summary(
        table,
        {short[r["session"]]: r["coverage"] for r in table},
        {short[r["session"]]: r["estimated_precision"] for r in table},
        cards,
        metrics,
    )


def register(run: Any, mined: Mined) -> str:
    """Copy what was mined into the run; returns links for the report.

    It holds names, so it is recorded by hash and never uploaded.
    """
    links = []
    for session_id in mined.sessions:
        shutil.copytree(mined.out / session_id, run.dir / "sessions" / session_id, dirs_exist_ok=True)
        links.append(f"<li><a href='sessions/{session_id}/alignment.html'>{session_id}</a></li>")
    (run.dir / "sessions").mkdir(exist_ok=True)
    shutil.copy(mined.out / "mined.json", run.dir / "sessions" / "mined.json")
    run.add_output(run.dir / "sessions", private=True)
    return f"<h2>Alignment of each session</h2><ul>{''.join(links)}</ul>"


@contextlib.contextmanager
def executor(settings: settings_module.Settings, work: int) -> Iterator[Executor]:
    """Local processes, or the workers of the Dask cluster whose scheduler `[mine] dask` names."""
    if settings.mine.dask:
        from distributed import Client

        try:
            client = Client(settings.mine.dask, timeout=20)
        except OSError as error:
            raise ServiceError(
                "cannot reach the Dask scheduler",
                where=settings.mine.dask,
                remedy="Check [mine] dask, or leave it empty",
            ) from error
        with client, client.get_executor() as pool:
            yield pool
    else:
        workers = max(1, min(settings.mine.workers or os.cpu_count() or 1, work))
        with ProcessPoolExecutor(workers, initializer=die_with_parent) as pool:
            yield pool


def _bar(total: int) -> Callable[[Iterable], Iterable]:
    from tqdm import tqdm

    return lambda items: tqdm(
        items, total=total, desc="mining", unit="session", disable=None if sys.stderr.isatty() else True
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="folder with one folder per session")
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--out", required=True, help="where pairs, reports and mined.json go")


def run(args: argparse.Namespace) -> int:
    """The command: exit 0, or 3 when no session could be mined."""
    result = mine(args.source, args.tenant, args.out, settings_module.load())
    print(
        f"{len(result.sessions)} sessions ({len(result.reused)} unchanged), "
        f"{len(result.quarantined)} quarantined, {result.wall_s:.1f} s -> {result.out}"
    )
    for session_id, reason in sorted(result.quarantined.items()):
        print(f"  quarantined {session_id}: {reason}")
    return 0 if result.sessions else 3


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(arguments)
    try:
        return run(arguments.parse_args())
    except AstraError as error:
        print(f"astra: {error}", file=sys.stderr)
        return error.exit_code
