"""Mining again and again: what is new, changed, spoiled, mended, withdrawn or gone, each by itself."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from astra_lib.core.errors import GateError
from astra_lib.core.records import read_json, sha256_file, write_json
from astra_lib.core.settings import Settings
from jobs import dataset, mine
from jobs import mined as mined_folder

SHORT = Path(__file__).resolve().parents[1] / "samples" / "manantial" / "sessions" / "2026-03-05"


def add(source: Path, name: str, **card: object) -> Path:
    shutil.copytree(SHORT, source / name, ignore=shutil.ignore_patterns("*.opus", "gold.json"))
    write_json(
        source / name / "session.json", {**read_json(SHORT / "session.json"), "session_id": name, **card}
    )
    return source / name


@pytest.fixture(scope="module")
def mined_once(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions below `in`, mined into `out`."""
    folder = tmp_path_factory.mktemp("mined")
    for name in ("one", "two"):
        add(folder / "in", name)
    assert mine.mine(folder / "in", "manantial", folder / "out", settings).reused == []
    return folder


@pytest.fixture
def source(mined_once: Path, tmp_path: Path) -> Path:
    """A copy of the two sessions, with what was mined of them in `out` beside it."""
    shutil.copytree(mined_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "in"


def test_a_new_session_is_mined_alone_and_the_others_are_not_written_again(
    source: Path, tmp_path: Path, settings: Settings
) -> None:
    out = tmp_path / "out"
    before = {s: (out / s / "pairs.jsonl").stat().st_mtime_ns for s in ("one", "two")}
    add(source, "three")
    mined = mine.mine(source, "manantial", out, settings)
    assert sorted(mined.reused) == ["one", "two"] and mined.sessions == ["one", "three", "two"]
    assert {s: (out / s / "pairs.jsonl").stat().st_mtime_ns for s in before} == before


def test_other_parameters_mine_everything_again_and_say_which(
    source: Path, tmp_path: Path, settings: Settings
) -> None:
    wider = replace(settings, align=replace(settings.align, max_lookahead=30.0))
    assert mine.mine(source, "manantial", tmp_path / "out", wider).reused == []
    kept = read_json(tmp_path / "out" / "one" / "metrics.json")["aligner"]
    assert kept["parameters"]["max_lookahead"] == 30.0 and kept["version"] == mined_folder.MINING_VERSION


def test_a_spoiled_session_is_quarantined_and_comes_back_when_it_is_mended(
    source: Path, tmp_path: Path, settings: Settings
) -> None:
    out, acta = tmp_path / "new", source / "two" / "acta.docx"
    whole = acta.read_bytes()
    acta.write_bytes(whole[: len(whole) // 2])
    first = mine.mine(source, "manantial", out, settings)
    assert first.sessions == ["one"] and list(first.quarantined) == ["two"] and not (out / "two").exists()
    acta.write_bytes(whole)
    mended = mine.mine(source, "manantial", out, settings)
    assert mended.sessions == ["one", "two"] and mended.reused == ["one"] and mended.quarantined == {}


def test_a_consent_that_is_withdrawn_takes_the_session_out_although_it_was_mined(
    source: Path, tmp_path: Path, settings: Settings
) -> None:
    out = tmp_path / "out"
    for value in (False, "true", 1, None):
        write_json(
            source / "two" / "session.json", {**read_json(source / "two" / "session.json"), "consent": value}
        )
        mined = mine.mine(source, "manantial", out, settings)
        assert mined.sessions == ["one"] and "consent" in mined.quarantined["two"], value
    read_back = mined_folder.load_mined(out)
    assert read_back.sessions == ["one"] and list(dataset.bills_of(read_back)) == ["one"], (
        "nothing of it can reach a row"
    )


def test_a_session_that_is_gone_is_gone(source: Path, tmp_path: Path, settings: Settings) -> None:
    shutil.rmtree(source / "two")
    assert mine.mine(source, "manantial", tmp_path / "out", settings).sessions == ["one"]


def test_two_folders_with_one_id_are_both_set_aside_and_neither_overwrites_what_was_mined(
    source: Path, tmp_path: Path, settings: Settings
) -> None:
    out = tmp_path / "out"
    before = sha256_file(out / "one" / "pairs.jsonl")
    add(source, "twin", session_id="one")
    mined = mine.mine(source, "manantial", out, settings)
    assert mined.sessions == ["two"] and set(mined.quarantined) == {"one", "twin"}
    assert all("used by 2 folders" in reason for reason in mined.quarantined.values())
    assert sha256_file(out / "one" / "pairs.jsonl") == before


def test_when_every_session_is_refused_it_is_an_error_with_the_reasons(
    source: Path, tmp_path: Path, settings: Settings
) -> None:
    for name in ("one", "two"):
        (source / name / "transcript.json").write_text("{", encoding="utf-8")
    with pytest.raises(GateError, match=r"none of 2 sessions could be mined \(one: .*JSON"):
        mine.mine(source, "manantial", tmp_path / "new", settings)
