"""Every error of the command line is one line that says what, where and what to do; exit 2, or 3 where a gate said no."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from astra_cli.main import main

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "manantial" / "sessions"
ACTA, TRANSCRIPT = SAMPLES / "2026-03-05" / "acta.docx", SAMPLES / "2026-03-05" / "transcript.json"


@pytest.fixture
def bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "odd.json").write_text('{"hello": 1}')
    (tmp_path / "empty").write_text("")
    (tmp_path / "cut.json").write_bytes(TRANSCRIPT.read_bytes()[:3000])
    (tmp_path / "cut.docx").write_bytes(ACTA.read_bytes()[:5000])
    (tmp_path / "old.docx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4000)
    (tmp_path / "cut.opus").write_bytes((SAMPLES / "2026-03-05" / "audio.opus").read_bytes()[:2000])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("argv", "phrase"), [
    (["align", "none.json", str(ACTA), "--out", "out"], "no such file"),
    (["align", "odd.json", str(ACTA), "--out", "out"], "known shape"),
    (["align", "empty", str(ACTA), "--out", "out"], "empty"),
    (["align", "cut.json", str(ACTA), "--out", "out"], "truncated"),
    (["align", str(TRANSCRIPT), "cut.docx", "--out", "out"], "damaged"),
    (["align", str(TRANSCRIPT), "old.docx", "--out", "out"], ".doc"),
    (["align", str(TRANSCRIPT), "--out", "out"], "an acta are needed"),
    (["minutes", "read", "none.docx", "--out", "out"], "no such file"),
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
])
def test_bad_input_is_one_line_and_exit_2(bad, capsys, argv, phrase):
    assert main(argv) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("astra: ") and phrase in lines[0]
    assert not (bad / "out").exists(), "nothing half-written"


def test_the_acta_of_another_session_is_exit_3(bad, capsys):
    assert main(["align", str(TRANSCRIPT), str(SAMPLES / "2026-03-24" / "acta.docx"), "--out", "out"]) == 3
    assert main(["align", str(TRANSCRIPT), str(ACTA), "--out", "right"]) == 0
    assert sorted(p.name for p in (bad / "right").iterdir()) == ["alignment.html", "metrics.json", "pairs.jsonl"]


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


def test_debug_shows_the_traceback():
    done = subprocess.run([sys.executable, "-m", "astra_cli.main", "--debug", "scrub", "none.txt"], capture_output=True, text=True)
    assert done.returncode != 0 and "Traceback" in done.stderr
    done = subprocess.run([sys.executable, "-m", "astra_cli.main", "scrub", "none.txt"], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
