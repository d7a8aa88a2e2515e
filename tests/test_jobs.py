"""The stages: typed parameters, quarantine, nothing mined twice, nothing half-written taken for whole."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from astra_lib.core.errors import GateError, InputError, MissingError
from astra_lib.core.records import read_json, sha256_bytes, sha256_file, write_json
from astra_lib.core.registry import AdapterRef
from jobs import mine, runner
from jobs.judge import declare, select
from jobs.mined import load_mined

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "manantial" / "sessions"
SHORT = "2026-03-05"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """One good session, to be spoiled."""
    shutil.copytree(SAMPLES / SHORT, tmp_path / "in" / SHORT, ignore=shutil.ignore_patterns("*.opus"))
    return tmp_path / "in"


def copy(source: Path, name: str, **card) -> Path:
    folder = source / name
    shutil.copytree(source / SHORT, folder)
    write_json(folder / "session.json", {**read_json(folder / "session.json"), "session_id": name, **card})
    return folder


def test_bad_sessions_are_quarantined_with_their_reason_and_the_rest_goes_on(source, tmp_path, settings):
    spoiled = {
        "no-consent": lambda f: write_json(f / "session.json", {"session_id": "no-consent"}),
        "other-tenant": lambda f: write_json(
            f / "session.json", {**read_json(f / "session.json"), "tenant": "elsewhere"}
        ),
        "no-acta": lambda f: (f / "acta.docx").unlink(),
        "no-transcript": lambda f: (f / "transcript.json").unlink(),
        "cut-acta": lambda f: (f / "acta.docx").write_bytes((f / "acta.docx").read_bytes()[:9000]),
        "cut-transcript": lambda f: (f / "transcript.json").write_text(
            (f / "transcript.json").read_text()[:9000]
        ),
        "empty-transcript": lambda f: (f / "transcript.json").write_text(""),
        "odd-json": lambda f: (f / "transcript.json").write_text('{"hello": 1}'),
        "odd-card": lambda f: (f / "session.json").write_text("[1]"),
        "old-word": lambda f: (f / "acta.docx").write_bytes(
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4000
        ),
    }
    for name, spoil in spoiled.items():
        spoil(copy(source, name))
    mined = mine.mine(source, "manantial", tmp_path / "out", settings)
    assert mined.sessions == [SHORT]
    assert set(mined.quarantined) == set(spoiled) and all(
        len(r) > 15 and "Traceback" not in r for r in mined.quarantined.values()
    )
    assert "consent" in mined.quarantined["no-consent"]
    pairs = mined.pairs_of(SHORT)
    assert [p.paragraph for p in pairs] == list(range(len(pairs))), (
        "one row per paragraph, in order, aligned or not"
    )


def test_two_sessions_with_one_id_are_both_set_aside(source, tmp_path, settings):
    copy(source, "twin", session_id=SHORT)
    copy(source, "other")
    mined = mine.mine(source, "manantial", tmp_path / "out", settings)
    assert mined.sessions == ["other"] and "twin" in mined.quarantined and SHORT in mined.quarantined


def test_only_what_changed_is_mined_again(source, tmp_path, settings):
    copy(source, "second")
    first = mine.mine(source, "manantial", tmp_path / "out", settings)
    assert first.reused == []
    again = mine.mine(source, "manantial", tmp_path / "out", settings)
    assert sorted(again.reused) == sorted(first.sessions)
    card = source / "second" / "transcript.json"
    words = json.loads(card.read_text())
    words["words"][0]["text"] = "Cambiado"
    card.write_text(json.dumps(words))
    assert mine.mine(source, "manantial", tmp_path / "out", settings).reused == [SHORT]


def test_an_acta_of_another_session_is_not_aligned_with_confidence(source, tmp_path, settings):
    other = next(s for s in sorted(SAMPLES.iterdir()) if s.name != SHORT)
    folder = copy(source, "mixed-up")
    shutil.copy(other / "acta.docx", folder / "acta.docx")
    mined = mine.mine(source, "manantial", tmp_path / "out", settings)
    assert mined.sessions == [SHORT] and "belong" in mined.quarantined["mixed-up"]


def test_a_killed_mining_leaves_no_half_session(source, tmp_path, settings, monkeypatch):
    from astra_lib.alignment import Alignment

    monkeypatch.setattr(Alignment, "report", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    session = mine.discover(source, "manantial", {})[0][0]
    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        mine.mine_session(session, str(tmp_path / "out"), asdict(settings.align))
    assert not (tmp_path / "out" / SHORT).exists()
    with pytest.raises(MissingError):
        load_mined(tmp_path / "out")


def test_no_folder_and_no_session_are_said(tmp_path, settings):
    with pytest.raises(MissingError, match="no such folder"):
        mine.mine(tmp_path / "none", "manantial", tmp_path / "out", settings)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no session found"):
        mine.mine(tmp_path / "empty", "manantial", tmp_path / "out", settings)


def test_parameters_are_typed_by_the_notebook():
    assert runner.parse("mine", ["tenant=007"]) == {"tenant": "007"}, "a name is not a number"
    with pytest.raises(InputError, match="unknown parameter 'tennant'"):
        runner.parse("mine", ["tennant=x"])
    with pytest.raises(InputError, match="unknown parameter"):
        runner.parse("mine", ["tenant"])
    with pytest.raises(MissingError, match="no job"):
        runner.contract("bake")
    assert runner.names() == ["dataset", "judge", "mine", "promote", "train"]
    for job in runner.names():
        assert "tenant" in runner.contract(job)


@pytest.mark.slow
def test_a_mine_job_leaves_report_metrics_and_manifest_and_is_reused(source, settings):
    parameters = {"tenant": "manantial", "source": str(source)}
    first = runner.execute("mine", parameters, settings)
    assert not first.reused and first.report.is_file() and (first.folder / "mine.notebook.html").is_file()
    outputs = {a["name"]: a for a in first.manifest["outputs"]}
    assert f"sessions/{SHORT}/pairs.jsonl" in outputs and all(a["private"] for a in outputs.values()), (
        "pairs hold names: they stay here"
    )
    assert first.manifest["metrics"]["aligned"] > 0
    again = runner.execute("mine", parameters, settings)
    assert again.reused and again.run_id == first.run_id
    from astra_lib.core.store import Store

    assert [
        k for k in Store.open(settings).list(f"runs/mine/{first.run_id}/") if not k.endswith("manifest.json")
    ] == []


@pytest.mark.slow
def test_a_failing_job_is_one_line_and_keeps_its_notebook(settings, tmp_path):
    with pytest.raises(runner.JobError) as caught:
        runner.execute("mine", {"tenant": "manantial", "source": str(tmp_path / "nowhere")}, settings)
    assert "no such folder" in str(caught.value) and "\n" not in str(caught.value)


def test_a_verdict_against_it_stops_a_promotion(settings, registry):
    from jobs.promote import promote_run

    folder = settings.data_dir / "runs" / "judge" / "20260101T000000000-00000000"
    verdict = write_json(folder / "verdict.json", {"verdict": "REJECTED", "candidate_sha256": "a" * 64})
    write_json(
        folder / "manifest.json",
        {
            "parameters": {"tenant": "manantial"},
            "outputs": [{"name": "verdict.json", "sha256": sha256_file(verdict)}],
            "metrics": {
                "adapter": {
                    "id": "x",
                    "tenant": "manantial",
                    "key": "k",
                    "sha256": "a" * 64,
                    "card_sha256": "b" * 64,
                }
            },
        },
    )
    with pytest.raises(GateError, match="REJECTED"):
        promote_run("manantial", folder.name, settings)
    assert registry.current("manantial") is None


def test_the_judges_sample_is_even_and_does_not_depend_on_order():
    from astra_lib.core.records import Example

    rows = [Example([], [], f"s{s}:{i}", f"s{s}", "t", 0, 1, 1.0) for s in range(3) for i in range(20)]
    chosen = select(rows, 9)
    assert chosen == select(rows[::-1], 9) and {r.session_id: 3 for r in chosen} == {
        "s0": 3,
        "s1": 3,
        "s2": 3,
    }
    assert sum(r.session_id == "s1" for r in chosen) == 3


@pytest.mark.slow
def test_mining_runs_on_a_dask_cluster_when_one_is_named(source, tmp_path, settings):
    from dataclasses import replace

    from distributed import LocalCluster

    copy(source, "second")
    local = mine.mine(source, "manantial", tmp_path / "local", settings)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", silence_logs=50
    ) as cluster:
        chosen = replace(settings, mine=replace(settings.mine, dask=cluster.scheduler_address))
        far = mine.mine(source, "manantial", tmp_path / "dask", chosen)
    assert far.sessions == local.sessions == [SHORT, "second"]
    assert far.pairs_of("second") == local.pairs_of("second"), "the same pairs wherever they were mined"


def test_the_judge_compares_with_what_serves_but_never_with_the_identity_or_itself(
    settings, registry, tenant
):
    """A council starts on an adapter that changes nothing; that one is the base, which is heard anyway."""

    def adapter(name: str) -> AdapterRef:
        return AdapterRef(name, tenant, f"adapters/{name}.zip", sha256_bytes(name), "c" * 64)

    def promote(name: str, by: str = "judge") -> None:
        current = registry.current(tenant)
        verdict = {"verdict": "PROMOTED", "reasons": [], "candidate_sha256": sha256_bytes(name)}
        registry.promote(tenant, adapter(name), current.generation if current else 0, verdict=verdict, by=by)

    def opponent(candidate: str) -> str | None:
        write_json(
            settings.data_dir / "runs" / "train" / f"{tenant}-{candidate}" / "manifest.json",
            {"metrics": {"adapter": {"sha256": sha256_bytes(candidate)}}, "parameters": {"dataset_run": "d"}},
        )
        found = declare({"tenant": tenant, "train_run": f"{tenant}-{candidate}"}, settings)[0]["incumbent"]
        return found and found["id"]

    assert opponent("first") is None, "nothing serves"
    promote("identity", by="bootstrap")
    assert opponent("first") is None, "the identity serves"
    registry.rollback(tenant, to_generation=1, by="somebody")
    assert opponent("first") is None, "put in again, it is still the base"
    promote("first")
    assert opponent("first") is None, "judged again after its promotion: before it only the identity served"
    assert opponent("second") == "first"
    promote("second")
    assert opponent("second") == "first"
    registry.rollback(tenant)
    assert opponent("third") == "first"
