"""Training end to end: RunPod's real SDK worker, the control plane, SeaweedFS, a real (tiny) model."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from astra_lib.core.settings import Settings
from astra_lib.core.store import Store
from tests.trainer_world import TENANT, dataset, processes, tiny_base, trainer_settings, wait_for
from trainer import control_plane, job_table, jobs
from trainer.runpod_client import RunpodClient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="module")
def world(settings: Settings, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    made = trainer_settings(settings, base, tmp_path_factory.mktemp("plane"))
    os.environ["ASTRA_JOB_QUIET_S"] = "0.2"
    control_plane.up(made, owner=os.getpid(), idle_s=20.0, stop_grace_s=3.0)
    yield made
    control_plane.down(made)
    del os.environ["ASTRA_JOB_QUIET_S"]
    assert not processes(str(made.data_dir)), "the control plane left processes behind"


def test_a_training_ends_with_a_verified_adapter(world: Settings, store: Store, tmp_path: Path) -> None:
    job = jobs.follow(jobs.submit(dataset(tmp_path / "d"), TENANT, world, max_steps=3), world)
    assert job.state == job_table.SUCCEEDED, job.error
    assert job.receipt_status == "ok"
    receipt = store.get_json(job.receipt_key)
    assert [row["step"] for row in receipt["loss"]] == [1, 2, 3]
    assert receipt["backend"] == "transformers" and receipt["versions"]["torch"].startswith("2.13.0")
    assert receipt["eval_loss"] > 0
    files = jobs.fetch(job, tmp_path / "out", world)
    assert files["adapter"].stat().st_size == receipt["adapter_bytes"]
    assert jobs.submit(tmp_path / "d", TENANT, world, max_steps=3) == job, "the same request is the same job"


def test_cancel_kills_the_child_within_seconds(world: Settings, tmp_path: Path) -> None:
    job = jobs.submit(dataset(tmp_path / "d", train=64), TENANT, world, max_steps=100_000)
    marker = f"{job.job_id}/plan.json"
    wait_for(lambda: processes(marker), 60, "the training process")
    wait_for(lambda: jobs.status(job.job_id, world).progress.get("step", 0) > 0, 60, "a step")
    cancelled = jobs.cancel(job.job_id, world)
    assert cancelled.state == job_table.CANCELLED
    wait_for(lambda: not processes(marker), 6, "the end of the training process")
    assert jobs.submit(tmp_path / "d", TENANT, world, max_steps=1).job_id != job.job_id


def test_a_killed_worker_leaves_no_orphan_and_the_job_runs_again(world: Settings, tmp_path: Path) -> None:
    job = jobs.submit(dataset(tmp_path / "d", train=64), TENANT, world, max_steps=400)
    marker = f"{job.job_id}/plan.json"
    wait_for(lambda: jobs.status(job.job_id, world).progress.get("step", 0) > 5, 60, "five steps")
    child = processes(marker)
    workers = [pid for pid in processes("trainer.runpod_training_handler") if str(world.data_dir).encode() in Path(f"/proc/{pid}/environ").read_bytes()]
    main = min(workers)
    os.kill(main, signal.SIGKILL)
    wait_for(lambda: not set(child) & set(processes(marker)), 5, "the end of the orphan")
    wait_for(lambda: not set(workers) & set(processes("trainer.runpod_training_handler")), 5, "the end of the ping process")
    done = jobs.follow(job, world)
    assert done.state == job_table.SUCCEEDED, done.error
    receipt = Store.open(world).get_json(done.receipt_key)
    assert receipt["attempt"] == 2
    assert [row["step"] for row in receipt["loss"]] == list(range(1, 401))


def test_bad_input_fails_before_anything_is_trained(world: Settings) -> None:
    with RunpodClient.open(world) as runpod:
        runpod_id = runpod.run({"job_id": "x", "shell": "rm -rf"}, execution_s=60, ttl_s=600)
        said = wait_for(lambda: (s := runpod.status(runpod_id)) and s["status"] == "FAILED" and s, 60)
    assert "unknown field 'shell'" in said["error"]
