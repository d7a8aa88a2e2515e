"""Every error of the command line is one line: what, where and what to do; exit 2, or 3 from a gate."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from astra_cli.main import main
from astra_lib.core.records import read_jsonl, write_jsonl
from tests.test_judge import hearing
from tests.test_trace import paragraph  # noqa: F401  (a fixture: a served paragraph)

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "manantial" / "sessions"
ACTA, TRANSCRIPT = SAMPLES / "2026-03-05" / "acta.docx", SAMPLES / "2026-03-05" / "transcript.json"


def acta_with(document) -> bytes:
    """The sample acta, its main part changed by `document(bytes)`."""
    made = io.BytesIO()
    with zipfile.ZipFile(ACTA) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, document(content) if name == "word/document.xml" else content)
    return made.getvalue()


def said(capsys) -> str:
    """The one line an error is."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("astra: "), lines
    return lines[0]


def command(*argv: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "astra_cli.main", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # whatever the tests were started by: a shell's background jobs ignore an interrupt
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )


@pytest.fixture
def bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "odd.json").write_text('{"hello": 1}')
    (tmp_path / "empty").write_text("")
    (tmp_path / "cut.json").write_bytes(TRANSCRIPT.read_bytes()[:3000])
    (tmp_path / "cut.docx").write_bytes(ACTA.read_bytes()[:5000])
    (tmp_path / "old.docx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4000)
    (tmp_path / "cut.opus").write_bytes((SAMPLES / "2026-03-05" / "audio.opus").read_bytes()[:2000])
    (tmp_path / "bomb.docx").write_bytes(acta_with(lambda xml: xml + b" " * (1 << 26)))
    entity = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    (tmp_path / "doctype.docx").write_bytes(acta_with(lambda xml: xml.replace(b"?>", b"?>" + entity, 1)))
    (tmp_path / "half.docx").write_bytes(acta_with(lambda xml: xml[: len(xml) // 2]))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "nan.json").write_text('{"segments": [{"start": NaN, "end": 2, "text": "hola"}]}')
    (tmp_path / "latin.txt").write_bytes("Señor Núñez".encode("latin-1"))
    (tmp_path / "good.txt").write_text("Habla Ana Ruiz, cédula 1.023.456.789")
    (tmp_path / "number.json").write_text("3")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TQDM_DISABLE", "1")  # main() sets it for good without a terminal
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "phrase"),
    [
        (["align", "none.json", str(ACTA), "--out", "out"], "no such file"),
        (["align", "odd.json", str(ACTA), "--out", "out"], "known shape"),
        (["align", "empty", str(ACTA), "--out", "out"], "empty"),
        (["align", "cut.json", str(ACTA), "--out", "out"], "truncated"),
        (["align", str(TRANSCRIPT), "cut.docx", "--out", "out"], "damaged"),
        (["align", str(TRANSCRIPT), "old.docx", "--out", "out"], ".doc"),
        (["align", str(TRANSCRIPT), "--out", "out"], "an acta are needed"),
        (["align", "deep.json", str(ACTA), "--out", "out"], "nested too deep"),
        (["align", "nan.json", str(ACTA), "--out", "out"], "a time of nan"),
        (["align", "latin.txt", str(ACTA), "--out", "out"], "not UTF-8"),
        (["align", str(TRANSCRIPT), "bomb.docx", "--out", "out"], "zip bomb"),
        (["minutes", "read", "none.docx", "--out", "out"], "no such file"),
        (["minutes", "read", "empty", "--out", "out"], "empty"),
        (["minutes", "read", "bomb.docx", "--out", "out"], "zip bomb"),
        (["minutes", "read", "doctype.docx", "--out", "out"], "DOCTYPE"),
        (["minutes", "read", "half.docx", "--out", "out"], "broken XML"),
        (["minutes", "read", "old.docx", "--out", "out"], "soffice --headless --convert-to docx"),
        (["minutes", "write", "odd.json", "--template", str(ACTA), "--out", "out"], "unknown field 'hello'"),
        (
            ["minutes", "write", "number.json", "--template", str(ACTA), "--out", "out"],
            "expected a JSON object",
        ),
        (["minutes", "write", "empty", "--template", str(ACTA), "--out", "out"], "no paragraphs"),
        (["minutes", "check", "none.docx"], "no such file"),
        (["minutes", "check", "latin.txt"], "UTF-8"),
        (["scrub", "."], "a folder, not a file"),
        (["scrub", "latin.txt"], "not UTF-8"),
        (["scrub", "good.txt", "--roster", "number.json"], "not a list of rows"),
        (["scrub", "good.txt", "--tenant", "../x"], "tenant name"),
        (["transcribe", "odd.json"], "no recording"),
        (["token", "--tenant", "../x", "--role", "clerk"], "tenant name"),
        (["token", "--tenant", "t", "--role", "king"], "invalid choice: 'king'"),
        (["mine", str(SAMPLES), "--tenant", "../x", "--out", "out"], "tenant name"),
        (["mine", ".", "--tenant", "t", "--out", "out"], "no session found"),
        (["train", "status", "none"], "no such training job"),
        (["promote", "--tenant", "t", "--judge-run", "none"], "manifest.json"),
        (["judge", "--val", "odd.json", "--predictions", "odd.json", "--out", "out"], "odd.json:1"),
        (["audit", "show"], "required: ID"),
        (["bake"], "invalid choice: 'bake'"),
        ([], "required: VERB"),
        (["scrub", "none.txt"], "no such file"),
        (["transcribe", "none.mp3"], "no such recording"),
        (["transcribe", "cut.opus"], "truncated"),
        (["transcribe", "empty"], "empty"),
        (["run", "bake"], "Jobs: dataset, judge, mine, promote, train"),
        (["run", "mine", "-p", "foo=1"], "unknown parameter 'foo'"),
        (["judge", "--val", "none", "--predictions", "x", "--out", "out"], "no such file"),
        (["judge", "--val", "none", "--out", "out"], "--candidate or --predictions"),
        (["mine", "none", "--tenant", "t", "--out", "out"], "no such folder"),
        (["draft", str(TRANSCRIPT), "--tenant", "t", "--out", "out"], "template"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(bad, capsys, argv, phrase):
    assert main(argv) == 2
    assert phrase in said(capsys)
    assert not (bad / "out").exists(), "nothing half-written"


def test_the_acta_of_another_session_is_exit_3(bad, capsys):
    assert main(["align", str(TRANSCRIPT), str(SAMPLES / "2026-03-24" / "acta.docx"), "--out", "out"]) == 3
    assert main(["align", str(TRANSCRIPT), str(ACTA), "--out", "right"]) == 0
    assert sorted(p.name for p in (bad / "right").iterdir()) == [
        "alignment.html",
        "metrics.json",
        "pairs.jsonl",
    ]


def test_a_broken_docx_is_exit_3_and_a_good_one_0(bad, capsys):
    assert main(["minutes", "check", "cut.docx"]) == 3
    assert main(["minutes", "check", str(ACTA)]) == 0


def test_an_unknown_setting_and_a_server_out_of_reach_are_said(bad, capsys, monkeypatch):
    monkeypatch.setenv("ASTRA_FOO", "1")
    assert main(["services", "status"]) == 2 and "ASTRA_FOO" in capsys.readouterr().err
    monkeypatch.delenv("ASTRA_FOO")
    monkeypatch.setenv("ASTRA_REDIS_URL", "redis://127.0.0.1:1/0")
    assert main(["models"]) == 2
    assert "astra services up" in capsys.readouterr().err


def test_a_port_that_is_taken_or_none_is_said_before_a_model_is_loaded(bad, capsys, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("ASTRA_SERVE_HOST", "127.0.0.1")
        monkeypatch.setenv("ASTRA_SERVE_PORT", str(taken.getsockname()[1]))
        assert main(["serve"]) == 2
        assert "ASTRA_SERVE_PORT" in said(capsys)
    monkeypatch.setenv("ASTRA_SERVE_PORT", "99999")
    assert main(["serve"]) == 2
    assert "0-65535" in said(capsys)


def test_the_judge_is_exit_0_or_3(bad, capsys):
    rows, good, worse = hearing()
    write_jsonl(bad / "val.jsonl", rows)
    for name, outputs in (("good", good), ("worse", worse)):
        write_jsonl(bad / f"{name}.jsonl", [{"id": i, "output": text} for i, text in outputs.items()])
    for candidate, incumbent, code, verdict in (
        ("good", "worse", 0, "PROMOTED"),
        ("worse", "good", 3, "REJECTED"),
    ):
        files = ["--predictions", f"{candidate}.jsonl", "--incumbent-predictions", f"{incumbent}.jsonl"]
        assert main(["judge", "--val", "val.jsonl", *files, "--out", candidate]) == code
        assert capsys.readouterr().out.startswith(verdict)
        assert json.loads((bad / candidate / "verdict.json").read_text())["verdict"] == verdict


def test_minutes_read_and_written_hold_the_same_text(bad, capsys):
    assert main(["minutes", "read", str(ACTA), "--out", "first.jsonl"]) == 0
    assert main(["minutes", "write", "first.jsonl", "--template", str(ACTA), "--out", "again.docx"]) == 0
    assert main(["minutes", "read", "again.docx", "--out", "second.jsonl"]) == 0
    first, second = (
        [row["text"] for row in read_jsonl(bad / name)] for name in ("first.jsonl", "second.jsonl")
    )
    assert first == second
    assert len(first) > 20


def test_scrub_names_the_characters_of_its_input(bad, capsys):
    assert main(["scrub", "good.txt", "--json"]) == 0
    found = {row["type"]: row for row in json.loads(capsys.readouterr().out)}
    row = found["CEDULA"]
    assert (bad / "good.txt").read_text()[row["start"] : row["end"]] == "1.023.456.789"


def test_a_served_paragraph_is_traced(settings, paragraph, capsys):  # noqa: F811
    audit_id, runs = paragraph
    assert main(["audit", "show", audit_id]) == 0
    shown = json.loads(capsys.readouterr().out)
    record = shown["record"]
    assert (record["start_ms"], record["end_ms"], record["session_id"]) == (61_000, 93_500, "2026-05-04")
    assert shown["promotion"]["adapter"]["sha256"] == record["adapter_sha256"]
    assert {run["run_id"] for run in shown["chain"]} == {run.run_id for run in runs}
    assert "acta.docx" in [file["name"] for run in shown["chain"] for file in run["inputs"]]
    assert main(["audit", "show", audit_id[:-1] + "?"]) == 2
    assert "no such audit record" in said(capsys)


def test_a_training_on_a_run_that_never_finished_is_refused(settings, capsys):
    assert main(["train", "submit", "none", "--tenant", "t"]) == 2
    assert "no finished run" in said(capsys)


def test_a_fault_of_our_own_is_one_line_too(bad, capsys, monkeypatch):
    import astra_cli.scrub

    monkeypatch.setattr(astra_cli.scrub, "read_text", lambda _: 1 // 0)
    assert main(["scrub", "good.txt"]) == 1
    assert "unexpected ZeroDivisionError" in said(capsys)
    with pytest.raises(ZeroDivisionError):
        main(["scrub", "good.txt", "--debug"])


def test_version(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0 and capsys.readouterr().out.startswith("astra ")


def test_an_interrupt_is_one_line_and_130():
    running = command("scrub", "-", stdin=subprocess.PIPE)
    running.stdin.write("x" * 100_000)  # more than a pipe holds: it returns once the command reads its text
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=180)
    assert running.returncode == 130 and out == ""
    assert err.splitlines() == ["astra: interrupted; run the same command again to continue"]


def test_no_bar_is_drawn_without_a_terminal():
    bar = "import tqdm.auto; list(tqdm.auto.tqdm(range(9)))"
    verb = "import astra_cli.main as m; m.main(['scrub', 'none'])"
    done = subprocess.run(
        [sys.executable, "-c", f"{verb}; {bar}"],
        capture_output=True,
        text=True,
        timeout=180,
        env={name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"},
    )
    assert done.stderr.splitlines() == ["astra: none: no such file. Check the path"]


@pytest.mark.parametrize(
    ("argv", "heavy"),
    [(["scrub", "none"], "nltk"), (["minutes", "check", str(ACTA)], "torch"), (["--help"], "numpy")],
)
def test_what_a_verb_does_not_need_is_not_imported(argv, heavy):
    code = f"""
import sys
from astra_cli.main import main
try:
    main({argv!r})
except SystemExit:
    pass
assert {heavy!r} not in sys.modules
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_debug_shows_the_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "astra_cli.main", "--debug", "scrub", "none.txt"],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and "Traceback" in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "astra_cli.main", "scrub", "none.txt"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
