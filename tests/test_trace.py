"""A served paragraph leads back to the session, and a chain that does not fit is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from astra_lib.core.audit import AuditLog
from astra_lib.core.errors import GateError, MissingError
from astra_lib.core.records import write_json
from astra_lib.core.registry import AdapterRef, Registry
from astra_lib.core.run import Run
from astra_lib.core.settings import Settings
from astra_lib.core.trace import trace


def run(job: str, settings: Settings, name: str, content: str, inputs: list[Path]) -> Run:
    made = Run.start(job, {"made": content}, settings, inputs=inputs)
    (made.dir / name).write_text(content, encoding="utf-8")
    made.add_output(made.dir / name)
    made.finish()
    return made


@pytest.fixture
def paragraph(settings: Settings, registry: Registry, tenant: str, tmp_path: Path) -> tuple[str, list[Run]]:
    """The id of a paragraph served by an adapter that was mined, trained, judged and promoted."""
    (tmp_path / "acta.docx").write_text(f"acta of {tenant}", encoding="utf-8")
    mined = run("mine", settings, "pairs.jsonl", f"pairs {tenant}", [tmp_path / "acta.docx"])
    rows = run("dataset", settings, "train.jsonl", f"rows {tenant}", [mined.path("pairs.jsonl")])
    trained = run("train", settings, "adapter.zip", f"adapter {tenant}", [rows.path("train.jsonl")])
    sha256 = trained.manifest.output("adapter.zip").sha256  # type: ignore[union-attr]
    judged = Run.start("judge", {}, settings, inputs=[rows.path("train.jsonl"), trained.path("adapter.zip")])
    judged.add_output(
        write_json(judged.dir / "verdict.json", {"verdict": "PROMOTED", "candidate_sha256": sha256})
    )
    judged.finish()
    adapter = AdapterRef(f"{tenant}-1", tenant, trained.key + "adapter.zip", sha256, "c" * 64)
    promotion = registry.promote(
        tenant, adapter, 0, verdict=judged.path("verdict.json"), verdict_run=judged.run_id
    )
    audit_id = AuditLog.open(settings).append(
        {
            "tenant": tenant,
            "session_id": "2026-05-04",
            "start_ms": 61_000,
            "end_ms": 93_500,
            "transcript_sha256": "a" * 64,
            "adapter_id": adapter.id,
            "adapter_sha256": sha256,
            "generation": promotion.generation,
            "base_model": "base",
            "prompt_sha256": "b" * 64,
            "confidence": 0.75,
            "output_sha256": "d" * 64,
            "time": "2026-11-22T10:00:00.000+00:00",
        }
    )
    return audit_id, [judged, trained, rows, mined]


def test_every_step_is_named(settings: Settings, paragraph: tuple[str, list[Run]]) -> None:
    audit_id, runs = paragraph
    found = trace(audit_id, settings)
    assert {m.run_id for m in found.chain} == {r.run_id for r in runs}
    assert found.chain[0].job == "judge"
    text = "\n".join(found.lines())
    for expected in (
        "61000-93500 ms",
        "session 2026-05-04",
        "generation 1",
        "acta.docx",
        *(r.run_id for r in runs),
    ):
        assert expected in text


def test_a_rollback_keeps_the_way_back(
    settings: Settings, registry: Registry, tenant: str, paragraph: tuple[str, list[Run]]
) -> None:
    audit_id, _ = paragraph
    before = trace(audit_id, settings).promotion
    again = registry.rollback(tenant, to_generation=1)
    assert (again.adapter, again.verdict_run, again.verdict_sha256) == (
        before.adapter,
        before.verdict_run,
        before.verdict_sha256,
    )
    assert trace(audit_id, settings).promotion.generation == 1


def test_ends_that_do_not_fit_are_refused(
    settings: Settings, registry: Registry, tenant: str, paragraph: tuple[str, list[Run]]
) -> None:
    audit_id, runs = paragraph
    log = AuditLog.open(settings)
    row = log.get(audit_id).__dict__
    for changed in ({"generation": 9}, {"adapter_sha256": "0" * 64}):
        with pytest.raises(GateError, match="was not this adapter"):
            trace(log.append({**row, **changed}), settings)
    sha256 = "e" * 64
    registry.promote(
        tenant,
        AdapterRef("x", tenant, "k", sha256, ""),
        1,
        verdict_run=runs[0].run_id,
        verdict={"verdict": "PROMOTED", "candidate_sha256": sha256},
    )
    with pytest.raises(GateError, match="neither this adapter nor its verdict"):
        trace(log.append({**row, "generation": 2, "adapter_sha256": sha256}), settings)
    shutil.rmtree(runs[3].dir)
    registry_store = runs[3].key + "manifest.json"
    from astra_lib.core.store import Store

    Store.open(settings).delete(registry_store)
    with pytest.raises(MissingError, match=runs[3].run_id):
        trace(audit_id, settings)
