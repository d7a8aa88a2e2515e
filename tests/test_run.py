"""Runs and manifests: killed ones recognised and taken over, finished ones reused, lineage walked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astra_lib.core.errors import ConflictError, InputError, MissingError
from astra_lib.core.manifest import Artifact, broken_links, fingerprint, lineage, read_manifest
from astra_lib.core.records import sha256_bytes, write_json, write_jsonl
from astra_lib.core.run import Run, unfinished
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store

ROOT = Path(__file__).parents[1]


def finished(
    job: str, settings: Settings, content: str = "x", inputs: list[Path] | None = None, **parameters: object
) -> Run:
    run = Run.start(job, parameters, settings, tenant="manantial", seed=7, inputs=inputs or [])
    (run.dir / "out.txt").write_text(content)
    run.add_output(run.dir / "out.txt")
    run.finish({"wer": 0.25})
    return run


def in_a_process(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    head = (
        "import os, sys, resource\nfrom astra_lib.core import settings\nfrom astra_lib.core.run import Run\n"
        "from astra_lib.core.errors import AstraError\nsettings = settings.load()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", head + script, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=180,
    )


def test_a_finished_run_says_what_it_did(settings: Settings, store: Store, tmp_path: Path) -> None:
    (tmp_path / "acta.docx").write_bytes(b"minutes")
    run = Run.start(
        "mine",
        {"lookahead": 45.0, "tenant": "manantial"},
        settings,
        tenant="manantial",
        seed=3,
        inputs=[tmp_path / "acta.docx"],
    )
    write_jsonl(run.dir / "pairs.jsonl", [{"a": 1}])
    sha = run.add_output(run.dir / "pairs.jsonl")
    run.add_output(tmp_path / "acta.docx", "source/acta.docx")
    manifest = run.finish({"f1": 0.9})
    row = json.loads((run.dir / "manifest.json").read_text())
    assert row == store.get_json(f"runs/mine/{run.run_id}/manifest.json")
    assert row["inputs"] == [
        {
            "name": "acta.docx",
            "sha256": sha256_bytes(b"minutes"),
            "bytes": 7,
            "from_run": "",
            "private": False,
        }
    ]
    assert [a["name"] for a in row["outputs"]] == ["pairs.jsonl", "source/acta.docx"]
    assert (row["seed"], row["metrics"], row["tenant"], row["job"]) == (3, {"f1": 0.9}, "manantial", "mine")
    assert row["started"] <= row["finished"]
    assert "python" in row["versions"]
    assert store.get_bytes(f"runs/mine/{run.run_id}/pairs.jsonl", sha)
    assert read_manifest(run.run_id, settings) == manifest
    with pytest.raises(ConflictError):
        run.add_output(run.dir / "pairs.jsonl")
    with pytest.raises(MissingError, match="pairs.jsonl"):
        run.path("other")


def test_ids_sort_by_time(settings: Settings) -> None:
    ids = [Run.start("order", {}, settings).run_id for _ in range(5)]
    assert len(set(ids)) == 5
    assert [i[:18] for i in ids] == sorted(i[:18] for i in ids)


def test_a_finished_run_is_reused_and_a_changed_one_is_not(settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("one")
    first = Run.resume_or_start("reuse", {"k": 1}, settings, inputs=[source])
    assert not first.finished
    (first.dir / "o").write_text("o")
    first.add_output(first.dir / "o")
    first.finish()
    again = Run.resume_or_start("reuse", {"k": 1}, settings, inputs=[source])
    assert again.finished
    assert again.run_id == first.run_id
    assert again.path("o").read_text() == "o"
    with Run.resume_or_start("reuse", {"k": 2}, settings, inputs=[source]) as other:
        assert not other.finished
    source.write_text("two")
    with Run.resume_or_start("reuse", {"k": 1}, settings, inputs=[source]) as other:
        assert not other.finished
        assert not other.resumed


def test_a_killed_run_is_not_taken_for_whole_and_is_taken_over(settings: Settings) -> None:
    killed = in_a_process(
        "run = Run.resume_or_start('killed', {'a': 1}, settings)\n"
        "(run.dir / 'half.txt').write_text('half')\nrun.add_output(run.dir / 'half.txt')\n"
        "print(run.run_id, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    run_id = killed.stdout.strip()
    assert killed.returncode == -9
    assert unfinished(settings, "killed") == [run_id]
    with pytest.raises(MissingError, match="did not finish"):
        read_manifest(run_id, settings)
    folder = settings.data_dir / "runs/killed" / run_id
    with pytest.raises(InputError, match="never finished"):
        Run.start("next", {}, settings, inputs=[folder / "half.txt"])
    run = Run.resume_or_start("killed", {"a": 1}, settings)
    assert (run.run_id, run.resumed, run.finished) == (run_id, True, False)
    assert run.outputs == []  # what the killed one had added counts for nothing
    run.add_output(run.dir / "half.txt")
    run.finish()
    assert unfinished(settings, "killed") == []


def test_a_kill_while_finishing_leaves_no_manifest(settings: Settings, store: Store) -> None:
    """Outputs are stored, the manifest is not: the run did not happen, and the next one picks up."""
    done = in_a_process(
        "run = Run.resume_or_start('late', {}, settings)\n(run.dir / 'o').write_text('o')\n"
        "run.add_output(run.dir / 'o')\n"
        "from astra_lib.core.store import Store\nreal = Store.put_json\n"
        "Store.put_json = lambda *a, **k: os.kill(os.getpid(), 9)\nprint(run.run_id, flush=True)\n"
        "run.finish()\n"
    )
    run_id = done.stdout.strip()
    assert store.exists(f"runs/late/{run_id}/o")
    assert not store.exists(f"runs/late/{run_id}/manifest.json")
    assert not (settings.data_dir / "runs/late" / run_id / "manifest.json").exists()
    assert Run.resume_or_start("late", {}, settings).run_id == run_id


def test_the_same_run_twice_at_once_is_refused(settings: Settings) -> None:
    with Run.resume_or_start("busy", {}, settings):
        done = in_a_process(
            "try: Run.resume_or_start('busy', {}, settings)\n"
            "except AstraError as error: print(type(error).__name__, error)"
        )
    assert done.stdout.startswith("ConflictError"), done.stderr
    assert "under way" in done.stdout
    assert Run.resume_or_start("busy", {}, settings).resumed


def test_a_full_disk_leaves_no_manifest(settings: Settings) -> None:
    done = in_a_process(
        "run = Run.start('full', {}, settings)\n(run.dir / 'o').write_text('o')\n"
        "run.add_output(run.dir / 'o')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: run.finish()\nexcept AstraError as error: print(type(error).__name__, error)\n"
        "print(run.run_id)\n"
    )
    message, run_id = done.stdout.strip().splitlines()
    assert message.startswith("DiskError")
    assert unfinished(settings, "full") == [run_id]


def test_outputs_changed_or_lost_here_come_from_the_store(settings: Settings) -> None:
    run = finished("damage", settings, "whole", k=1)
    (run.dir / "out.txt").write_text("tampered")
    assert Run.open(run.run_id, settings).path("out.txt").read_text() == "whole"
    shutil.rmtree(run.dir)
    found = Run.resume_or_start("damage", {"k": 1}, settings, tenant="manantial", seed=7)
    assert found.finished
    assert found.path("out.txt").read_text() == "whole"


def test_a_private_output_stays_here(settings: Settings, store: Store) -> None:
    run = Run.start("private", {"k": 1}, settings)
    (run.dir / "names.json").write_text("{}")
    run.add_output(run.dir / "names.json", private=True)
    run.finish()
    assert store.list(f"runs/private/{run.run_id}/") == [f"runs/private/{run.run_id}/manifest.json"]
    assert Run.resume_or_start("private", {"k": 1}, settings).finished
    (run.dir / "names.json").unlink()
    with pytest.raises(MissingError, match="private output"):
        Run.open(run.run_id, settings)
    with Run.resume_or_start("private", {"k": 1}, settings) as again:
        assert not again.finished


def test_an_output_that_changed_after_it_was_added_is_refused(settings: Settings) -> None:
    for private in (False, True):
        with Run.start("shifty", {}, settings) as run:
            (run.dir / "o").write_text("one")
            run.add_output(run.dir / "o", private=private)
            (run.dir / "o").write_text("two")
            with pytest.raises(InputError, match="changed after"):
                run.finish()
            assert not (run.dir / "manifest.json").exists()


def test_what_a_run_refuses(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such input"):
        Run.start("refuse", {}, settings, inputs=[tmp_path / "absent"])
    with pytest.raises(InputError, match="JSON"):
        Run.start("refuse", {"x": float("inf")}, settings)
    for job in ("", "../up", "a/b", ".hidden", "*"):
        with pytest.raises(InputError):
            Run.start(job, {}, settings)
    with Run.start("refuse", {}, settings) as run:
        with pytest.raises(MissingError, match="did not write"):
            run.add_output(run.dir / "absent")
        write_json(run.dir / "manifest.json.txt", {})
        with pytest.raises(InputError, match="the run's own"):
            run.add_output(run.dir / "manifest.json.txt", "manifest.json")
        with pytest.raises(InputError, match="JSON"):
            run.finish({"x": float("nan")})
    done = finished("refuse2", settings)
    (done.dir / "out.txt").write_text("changed")
    with pytest.raises(InputError, match="changed since"):
        Run.start("next", {}, settings, inputs=[done.dir / "out.txt"])


def test_lineage_walks_from_the_adapter_to_the_session(settings: Settings, store: Store) -> None:
    mined = [finished("mine2", settings, f"session {i}", session=i) for i in range(2)]
    dataset = finished("dataset2", settings, "rows", inputs=[run.dir / "out.txt" for run in mined])
    adapter = finished("train2", settings, "adapter", inputs=[dataset.dir / "out.txt"])
    chain = lineage(adapter.run_id, settings)
    assert [m.job for m in chain] == ["train2", "dataset2", "mine2", "mine2"]
    assert {m.run_id for m in chain} == {r.run_id for r in [*mined, dataset, adapter]}
    assert broken_links(chain) == []
    for run in mined:  # from the store alone, as another machine would
        shutil.rmtree(run.dir)
    assert lineage(adapter.run_id, settings) == chain
    chain[1].outputs[0].sha256 = "0" * 64
    assert len(broken_links(chain)) == 1
    store.delete(f"runs/mine2/{mined[0].run_id}/manifest.json")
    with pytest.raises(MissingError, match=mined[0].run_id):
        lineage(adapter.run_id, settings)


def test_a_damaged_manifest_is_replaced_by_the_stored_one_or_named(settings: Settings, store: Store) -> None:
    run = finished("garbled", settings)
    (run.dir / "manifest.json").write_text('{"job": "garbled"}')
    assert read_manifest(run.run_id, settings) == run.manifest
    assert Run.resume_or_start("garbled", {}, settings, tenant="manantial", seed=7).run_id == run.run_id
    assert json.loads((run.dir / "manifest.json").read_text())["seed"] == 7
    (run.dir / "manifest.json").write_text('{"job": "garbled"}')
    store.delete(f"runs/garbled/{run.run_id}/manifest.json")
    with pytest.raises(InputError, match="manifest.json: not a manifest"):
        read_manifest(run.run_id, settings)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3),
    max_leaves=5,
)
artifact_lists = st.lists(
    st.builds(
        Artifact,
        name=st.text(min_size=1, max_size=5),
        sha256=st.text("0123456789abcdef", min_size=4, max_size=4),
        bytes=st.integers(0, 9),
    ),
    max_size=4,
    unique_by=lambda a: a.name,
)


@given(
    parameters=st.dictionaries(st.text(max_size=5), json_values, max_size=4),
    inputs=artifact_lists,
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_the_fingerprint_sees_content_and_not_order(
    parameters: dict, inputs: list[Artifact], seed: int, data: st.DataObject
) -> None:
    print_ = fingerprint("job", parameters, inputs, "t", seed)
    shuffled = dict(data.draw(st.permutations(list(parameters.items()))))
    assert fingerprint("job", shuffled, data.draw(st.permutations(inputs)), "t", seed) == print_
    assert fingerprint("job", parameters, inputs, "t", seed + 1) != print_
    assert fingerprint("job", parameters, inputs, "other", seed) != print_
    assert fingerprint("job", {**parameters, "a longer name": 1}, inputs, "t", seed) != print_
    if inputs:
        changed = [Artifact(a.name, a.sha256 + "0", a.bytes) if i == 0 else a for i, a in enumerate(inputs)]
        assert fingerprint("job", parameters, changed, "t", seed) != print_
