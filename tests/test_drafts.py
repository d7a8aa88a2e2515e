"""A whole recording becomes a Word file: what is written, missing and doubted, and what a kill leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app_gradio.draft_queue import DraftQueue
from app_gradio.journal import Journal
from app_gradio.service import Service
from app_gradio.sessions import draft, write_acta
from astra_lib.core import services
from astra_lib.core.errors import ConflictError, ServiceError
from astra_lib.core.launcher import started_ticks
from astra_lib.core.records import read_json, sha256_bytes, sha256_file, write_json
from astra_lib.core.registry import AdapterRef
from astra_lib.core.supervisor import Process
from astra_lib.formatter import Context, build_prompt
from astra_lib.minutes import check, fragment_texts, read_minutes
from astra_lib.transcript import read_transcript

from . import tiny
from .conftest import settings_at

pytestmark = pytest.mark.slow  # its model is taught for half a minute

MANANTIAL = Path(__file__).parents[1] / "samples" / "manantial"
TEMPLATE = MANANTIAL / "sessions" / "2026-02-03" / "acta.docx"
TENANT = "uno"


def said(*runs: str) -> str:
    """A body paragraph; a run that begins with `*` is bold."""
    return f"<w:p>{''.join(run_xml(run) for run in runs)}</w:p>"


def run_xml(run: str) -> str:
    bold = "<w:rPr><w:b/></w:rPr>" if run.startswith("*") else ""
    text = run.removeprefix("*")
    space = ' xml:space="preserve"' if text != text.strip() else ""
    return f"<w:r>{bold}<w:t{space}>{text}</w:t></w:r>"


def row(*cells: str) -> str:
    return "<w:tr>" + "".join(f"<w:tc>{said(c)}</w:tc>" for c in cells) + "</w:tr>"


class World:
    """The service with an adapter that was taught what to write for each of eight stretches of speech."""

    def __init__(self, folder: Path, tokenizer: Any) -> None:
        base = tiny.build_base(folder / "base", tokenizer)
        self.environment = {"MODEL_BASE": str(base), "SERVE_MAX_NEW_TOKENS": "160", "SERVE_MAX_BATCH": "2"}
        self.settings = settings_at(folder / "data", **self.environment)
        services.up(self.settings, owner=os.getpid())
        roster = self.settings.data_dir / "tenants" / TENANT / "roster.json"
        roster.parent.mkdir(parents=True)
        shutil.copy(MANANTIAL / "roster.json", roster)
        self.service = Service.open(self.settings)
        self.service.registry.register_tenant(TENANT)
        self.name = read_json(roster)[2]["name"]
        masked = self.service.mask(TENANT, self.name)
        assert masked.startswith("[CONCEJAL_") and masked.endswith("]")
        self.speech = [
            "se abre la sesión",
            f"habla {self.name} del agua",
            "tomemos agua un momento",
            "alguien llama por el agua",
            "leo las cuentas",
            f"votemos lo de {self.name}",
            "lista de barrios",
            "lista de obras",
        ]
        self.answers = [
            said("Se abre la sesión."),
            said(f"Habla {masked}."),
            "<nada/>",
            said("Llama [CIUDADANO_99]."),
            row("Luz", "8") + row("Agua"),
            said("Vota ", f"*{masked}", "."),
            row("Norte", "2"),
            row("Muelle"),
        ]
        archive = tiny.teach(base, folder / "taught", TENANT, self.lessons())
        card_sha256 = sha256_bytes(zipfile.ZipFile(archive).read("adapter.json"))
        adapter = AdapterRef(f"{TENANT}@1", TENANT, "adapters/uno/1.zip", sha256_file(archive), card_sha256)
        self.service.store.put_file(adapter.key, archive)
        self.service.registry.promote(
            TENANT, adapter, 0, verdict={"verdict": "PROMOTED", "candidate_sha256": adapter.sha256}, by="test"
        )
        self.service.swapper.reconcile()
        self.transcript_file = folder / "2026-05-05.json"
        segments = [
            {"start": 60.0 * i, "end": 60.0 * i + 12.0, "text": text} for i, text in enumerate(self.speech)
        ]
        self.transcript_file.write_text(json.dumps(segments))
        self.transcript = read_transcript([self.transcript_file], session_id="2026-05-05", tenant=TENANT)

    def lessons(self) -> list[tuple[list[dict[str, str]], str]]:
        """The prompts of a draft in two lanes of four blocks, each with the paragraph written before it."""
        made, previous = [], ""
        for i, (speech, answer) in enumerate(zip(self.speech, self.answers, strict=True)):
            previous = previous if i % 4 else ""
            masked = self.service.mask(TENANT, speech, spoken=True)
            made.append((build_prompt(masked, Context("", previous)), answer))
            written = fragment_texts(answer)
            if written and i != 4:  # 4 is refused: the next block sees what was before it
                previous = written[-1][0]
        return made

    def draft(self, out: Path, **more):
        return draft(self.service, self.transcript, TEMPLATE, out, progress=lambda *_: None, **more)


@pytest.fixture(scope="module")
def world(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory):
    made = World(tmp_path_factory.mktemp("drafts"), tokenizer)
    try:
        yield made
    finally:
        made.service.close()
        services.down(made.settings, grace_s=0)


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "acta.docx"
    return world.draft(out), out, read_json(out.with_suffix(".trace.json"))


def texts(docx: Path) -> list[str]:
    return [p.text for p in read_minutes(docx).paragraphs]


def test_what_was_said_is_in_the_word_file_in_order_and_named(world, finished):
    made, out, _ = finished
    written = [p.text for p in made.paragraphs]
    assert written[:2] == ["Se abre la sesión.", f"Habla {world.name}."]
    assert written[3] == f"Vota {world.name}."
    assert "Norte" in written[4] and written[5] == "Muelle"
    assert not check(out)
    assert not out.with_suffix(".partial.jsonl").exists()


def test_nobody_is_made_up(finished):
    """The adapter was taught to answer `Llama [CIUDADANO_99].` where nobody is named: it cannot."""
    made, out, _ = finished
    assert made.paragraphs[2].start_ms == 180_000 and not made.unresolved
    assert not any("CIUDADANO" in text for text in texts(out))


def test_what_the_map_does_not_know_is_said_in_the_word_file(finished, tmp_path):
    """If an unknown placeholder comes through after all, a note says where to look."""
    made, _, _ = finished
    stranger = replace(made.paragraphs[1], unresolved=("[CIUDADANO_99]",))
    out = write_acta(
        replace(made, paragraphs=[made.paragraphs[0], stranger]), TEMPLATE, tmp_path / "acta.docx"
    )
    written, trace = texts(out), read_json(out.with_suffix(".trace.json"))
    note = written[written.index(stranger.text) + 1]
    assert note == "[REVISAR 0:01:00–0:01:12: no se sabe quién es [CIUDADANO_99]]"
    assert [n["index"] for n in trace["notes"]] == [written.index(note)]


def test_a_table_that_does_not_fit_the_one_before_it_costs_no_draft(finished):
    """Two stretches answered with rows of another width: Word would not open them as one table."""
    made, out, trace = finished
    kinds = [p.kind for p in read_minutes(out).paragraphs]
    assert kinds[-3:] == ["table", "body", "table"]
    assert "REVISAR" in trace["notes"][-1]["note"]
    assert len(made.paragraphs) == 6


def test_a_refused_answer_is_a_gap_and_silence_is_on_record(finished):
    made, out, trace = finished
    (gap,) = made.gaps
    assert (gap["start"], gap["said"]) == (240.0, "leo las cuentas")
    assert "validate" in gap["reason"]
    assert "[SIN REDACTAR 0:04:00–0:04:12: revisar la grabación]" in texts(out)
    assert [s["start"] for s in trace["silent"]] == [120.0] and trace["silent_blocks"] == 1


def test_every_paragraph_leads_back_to_its_milliseconds(world, finished):
    _, out, trace = finished
    written = texts(out)
    for row in trace["paragraphs"]:
        assert written[row["index"]] == row["text"], "the trace names the place in the file"
        record = world.service.audit.get(row["audit_id"])
        assert (record.start_ms, record.end_ms) == (row["start_ms"], row["end_ms"])
        assert row["end_ms"] - row["start_ms"] == 12_000
        assert 0 < row["confidence"] <= record.confidence
        assert record.output_sha256 == sha256_bytes(row["xml"])
    places = [entry["index"] for entry in trace["paragraphs"] + trace["gaps"] + trace["notes"]]
    assert sorted(places) == list(range(len(written)))


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not here to open it")
def test_libreoffice_opens_it(finished, tmp_path):
    made, out, _ = finished
    subprocess.run(
        [
            "soffice",
            f"-env:UserInstallation=file://{tmp_path}/lo",
            "--headless",
            "--convert-to",
            "txt:Text",
            "--outdir",
            tmp_path,
            out,
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    shown = (tmp_path / "acta.txt").read_text()
    assert all(cell in shown for p in made.paragraphs for cell in p.text.split(" | "))


KILLED = """
import os, signal, sys
from app_gradio.journal import Journal
from astra_cli.main import main
add = Journal.add
def add_and_die(journal, *written):
    add(journal, *written)
    if len(journal.written) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
Journal.add = add_and_die
main(sys.argv[1:])
"""


def test_killed_in_the_middle_it_goes_on(world, finished, tmp_path):
    """kill -9 of `astra draft`: no Word file, what was written is kept, the next run asks for the rest."""
    out = tmp_path / "acta.docx"
    kept = out.with_suffix(".partial.jsonl")
    environment = {
        **os.environ,
        "ASTRA_DATA_DIR": str(world.settings.data_dir),
        **{f"ASTRA_{k}": v for k, v in world.environment.items()},
    }
    options = ["--tenant", TENANT, "--template", str(TEMPLATE), "--out", str(out)]
    command = [sys.executable, "-c", KILLED, "draft", str(world.transcript_file), *options]
    child = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert not out.exists() and not out.with_suffix(".trace.json").exists()
    with kept.open("ab") as file:
        file.write(b'{"block": 7, "para')  # a line the kill cut
    before = [json.loads(line) for line in kept.read_bytes().splitlines()[1:-1]]
    assert 0 < len(before) < 7
    made = world.draft(out)
    assert made.resumed == len(before)
    ids = {p["audit_id"] for row in before for p in row["paragraphs"]}
    assert ids and ids <= {p.audit_id for p in made.paragraphs}, "what was written is kept, not written again"
    assert texts(out) == texts(finished[1]) and not kept.exists()


def test_a_journal_of_another_recording_is_not_used_and_one_in_use_is_not_touched(tmp_path):
    with Journal.open(tmp_path / "a.docx", TENANT, "1" * 64, (8, 30, 3)) as first:
        first.add(0, [])
        with pytest.raises(ConflictError):
            Journal.open(tmp_path / "a.docx", TENANT, "1" * 64, (8, 30, 3))
    with Journal.open(tmp_path / "a.docx", TENANT, "1" * 64, (8, 30, 3)) as same:
        assert same.written == {0: []}
    with Journal.open(tmp_path / "a.docx", TENANT, "2" * 64, (8, 30, 3)) as other:
        assert other.written == {}


def test_an_outage_stops_the_draft_and_leaves_no_gap(world, finished, tmp_path, monkeypatch):
    """Redis away: the draft stops and says so, nothing is written; back again, it is written whole."""
    monkeypatch.setattr("app_gradio.sessions.PAUSES_S", (0.1,))
    out = tmp_path / "acta.docx"
    assert Process(world.settings.data_dir / "services" / "redis").send(signal.SIGKILL)
    try:
        with pytest.raises(ServiceError) as told:
            world.draft(out)
        assert told.value.remedy and not out.exists()
    finally:
        services.up(world.settings, owner=os.getpid())
    assert len(world.draft(out).gaps) == 1 and texts(out) == texts(finished[1])


def test_a_draft_is_taken_over_from_the_dead_alone(tmp_path, monkeypatch):
    """A process is its number and its start: a number used again is not the one that drafted."""
    other = subprocess.Popen(["sleep", "60"])
    try:
        started = started_ticks(other.pid)
        drafted_by = {
            "lives": [other.pid, started],
            "again": [other.pid, started - 1],
            "ours": [os.getpid(), 1],
            "gone": [2**22 + 1, 1],
            "old": None,
        }
        for name, process in drafted_by.items():
            state = {"id": name, "tenant": "t", "session_id": "s", "status": "running", "boot": "x"}
            write_json(tmp_path / "drafts" / name / "state.json", state | {"process": process})
            (tmp_path / "drafts" / name / "recording.json").write_text("{}")
        taken: list[str] = []
        monkeypatch.setattr(DraftQueue, "run", lambda self, draft_id, *_: taken.append(draft_id))
        drafts = DraftQueue(SimpleNamespace(settings=SimpleNamespace(data_dir=tmp_path)))
        drafts.pool.shutdown()
        assert sorted(taken) == ["again", "gone", "old", "ours"]
    finally:
        other.kill()
        other.wait()
