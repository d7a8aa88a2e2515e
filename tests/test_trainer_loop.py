"""Training end to end: RunPod's real SDK worker, the control plane, SeaweedFS, a real (tiny) model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from astra_lib.core.base_model import base_digest
from astra_lib.core.errors import GateError, InputError
from astra_lib.core.records import sha256_file
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store
from tests.trainer_world import TENANT, dataset, processes, rows, tiny_base, trainer_settings
from tests.waiting import HANG_S, wait_for
from trainer import control_plane, job_table, jobs, plane_state
from trainer.contract import Hyperparameters, JobInput, Limits, job_payload
from trainer.job_request import check_dataset
from trainer.runpod_client import RunpodClient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="module")
def world(settings: Settings, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    made = trainer_settings(settings, base, tmp_path_factory.mktemp("plane"))
    with pytest.MonkeyPatch.context() as environment:
        # two threads that wait for each other on a busy machine take twenty times as long as one
        environment.setenv("OMP_NUM_THREADS", "1")
        environment.setenv("ASTRA_JOB_QUIET_S", "0.2")
        environment.setenv("ASTRA_JOB_STALL_S", "8")
        control_plane.up(made, owner=os.getpid(), idle_s=20.0, stop_grace_s=3.0)
        yield made
        control_plane.down(made)
    assert not processes(str(made.data_dir)), "the control plane left processes behind"


@pytest.fixture(scope="module")
def trained(world: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, job_table.Job]:
    """A dataset and the job that trained three steps on it."""
    folder = dataset(tmp_path_factory.mktemp("trained") / "d")
    return folder, jobs.follow(jobs.submit(folder, TENANT, world, max_steps=3), world)


def test_a_training_ends_with_a_verified_adapter(
    world: Settings, store: Store, trained: tuple[Path, job_table.Job], tmp_path: Path
) -> None:
    folder, job = trained
    assert job.state == job_table.SUCCEEDED, job.error
    assert job.receipt_status == "ok"
    receipt = store.get_json(job.receipt_key)
    assert [row["step"] for row in receipt["loss"]] == [1, 2, 3]
    assert receipt["backend"] == "transformers" and receipt["versions"]["torch"].startswith("2.13.0")
    assert receipt["eval_loss"] > 0
    files = jobs.fetch(job, tmp_path / "out", world)
    assert files["adapter"].stat().st_size == receipt["adapter_bytes"]
    assert jobs.submit(folder, TENANT, world, max_steps=3) == job, "the same request is the same job"

    # RunPod may run a job twice: the second run finds the receipt and trains nothing
    again = outcome(world, request(world, store, folder, job_id=job.job_id, max_steps=3))
    assert again["status"] == "COMPLETED" and again["output"]["duplicate"], again
    assert again["output"]["adapter_sha256"] == receipt["adapter_sha256"]
    assert store.get_json(job.receipt_key) == receipt


def test_cancel_kills_the_child(world: Settings, tmp_path: Path) -> None:
    job = jobs.submit(dataset(tmp_path / "d", train=64), TENANT, world, max_steps=100_000)
    marker = f"{job.job_id}/plan.json"
    wait_for(lambda: processes(marker), "the training process")
    wait_for(lambda: jobs.status(job.job_id, world).progress.get("step", 0) > 0, "a step")
    cancelled = jobs.cancel(job.job_id, world)
    assert cancelled.state == job_table.CANCELLED
    wait_for(lambda: not processes(marker), "the end of the training process")
    assert jobs.submit(tmp_path / "d", TENANT, world, max_steps=1).job_id != job.job_id


def test_a_killed_worker_leaves_no_orphan_and_the_job_runs_again(world: Settings, tmp_path: Path) -> None:
    job = jobs.submit(dataset(tmp_path / "d", train=64), TENANT, world, max_steps=160)
    marker = f"{job.job_id}/plan.json"
    checkpoints = world.data_dir / "trainer" / "work" / job.job_id / "out" / "checkpoints"
    wait_for(lambda: list(checkpoints.glob("checkpoint-*/trainer_state.json")), "a checkpoint")
    child = processes(marker)
    workers = [
        pid
        for pid in processes("trainer.runpod_training_handler")
        if str(world.data_dir).encode() in Path(f"/proc/{pid}/environ").read_bytes()
    ]
    main = min(workers)
    os.kill(main, signal.SIGKILL)
    wait_for(lambda: not set(child) & set(processes(marker)), "the end of the orphan")
    wait_for(
        lambda: not set(workers) & set(processes("trainer.runpod_training_handler")),
        "the end of the ping process",
    )
    done = jobs.follow(job, world)
    assert done.state == job_table.SUCCEEDED, done.error
    receipt = Store.open(world).get_json(done.receipt_key)
    assert receipt["attempt"] == 2 and receipt["metrics"]["resumed_from"].startswith("checkpoint-")
    assert [row["step"] for row in receipt["loss"]] == list(range(1, 161))


def request(
    world: Settings,
    store: Store,
    folder: Path,
    *,
    job_id: str,
    limits: Limits = Limits(),
    seconds: int = 600,
    **hyper: Any,
) -> dict[str, Any]:
    """A job input as the manager makes it, for what only the handler itself can show."""
    base = Path(world.model.base)
    for name in ("train.jsonl", "val.jsonl"):
        store.put_file(f"jobs/{job_id}/{name}", folder / name)
    made = JobInput(
        job_id=job_id,
        tenant=TENANT,
        base_model=base.name,
        base_revision="",
        base_digest=base_digest(base),
        train_url=store.presign_get(f"jobs/{job_id}/train.jsonl", seconds),
        val_url=store.presign_get(f"jobs/{job_id}/val.jsonl", seconds),
        train_sha256=sha256_file(folder / "train.jsonl"),
        val_sha256=sha256_file(folder / "val.jsonl"),
        dataset_sha256="a" * 64,
        adapter_put_url=store.presign_put(f"jobs/{job_id}/adapter.zip"),
        result_put_url=store.presign_put(f"jobs/{job_id}/result.json"),
        result_get_url=store.presign_get(f"jobs/{job_id}/result.json"),
        heartbeat_put_url=store.presign_put(f"jobs/{job_id}/heartbeat.json"),
        hyperparameters=Hyperparameters(**{"rank": 4, "alpha": 8, "max_length": 256, **hyper}),
        limits=limits,
    )
    return job_payload(made)


def outcome(world: Settings, payload: dict[str, Any]) -> dict[str, Any]:
    """What RunPod says in the end."""
    with RunpodClient.open(world) as runpod:
        runpod_id = runpod.run(payload, execution_s=600, ttl_s=900)
        return the_end(runpod, runpod_id)


def the_end(runpod: RunpodClient, runpod_id: str) -> dict[str, Any]:
    """RunPod's status of a job, once it is final."""

    def reached() -> dict[str, Any] | None:
        said = runpod.status(runpod_id)
        return said if said and said["status"] in plane_state.FINAL else None

    return wait_for(reached, "the end")


def test_what_cannot_work_fails_before_anything_is_trained(
    world: Settings, store: Store, tmp_path: Path
) -> None:
    folder = dataset(tmp_path / "d")
    assert "unknown field 'shell'" in outcome(world, {"job_id": "x", "shell": "rm -rf"})["error"]

    expired = request(world, store, folder, job_id="loop-expired", seconds=1)
    wait_for(
        lambda: httpx.get(expired["train_url"], timeout=HANG_S).status_code == 403, "the end of the address"
    )
    said = outcome(world, expired)
    assert "expired" in said["error"] and "Signature" not in json.dumps(said)

    other = request(world, store, folder, job_id="loop-swapped")
    store.put_bytes("jobs/loop-swapped/train.jsonl", b'{"another": "file"}\n')
    assert "sha256 differs" in outcome(world, other)["error"]

    wrong = {**request(world, store, folder, job_id="loop-base"), "base_digest": "b" * 64}
    assert "not the one" in outcome(world, wrong)["error"]

    cheap = Limits(max_minutes=5, max_usd=0.0001, usd_per_hour=0.9)
    poor = request(world, store, folder, job_id="loop-money", limits=cheap)
    assert "USD: killed" in outcome(world, poor)["error"]
    receipt = store.get_json("jobs/loop-money/result.json")
    assert receipt["status"] == "failed", "a failed job leaves a receipt"
    assert not store.exists("jobs/loop-money/adapter.zip")
    log = (world.data_dir / "trainer" / "worker" / "worker.log").read_text()
    assert "X-Amz-Signature" not in log


def test_the_clock_stops_a_training_with_a_valid_adapter(
    world: Settings, store: Store, trained: tuple[Path, job_table.Job], tmp_path: Path
) -> None:
    """Its time is what a training of three steps took here, twice and a little: enough to begin."""
    seconds = 2 * store.get_json(trained[1].receipt_key)["wall_s"] + 10
    short = replace(world, train=replace(world.train, max_minutes=seconds / 60))
    job = jobs.follow(
        jobs.submit(dataset(tmp_path / "d", train=64), TENANT, short, max_steps=1_000_000), short
    )
    assert (job.state, job.receipt_status) == (job_table.SUCCEEDED, "stopped"), job.error
    receipt = store.get_json(job.receipt_key)
    assert 0 < receipt["metrics"]["steps"] < 1_000_000


def test_a_loss_of_nan_fails_the_job(world: Settings, base: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    broken = base.parent / "tiny-nan"
    shutil.copytree(base, broken)
    weights = load_file(broken / "model.safetensors")
    weights["model.layers.1.mlp.down_proj.weight"][0, 0] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    there = replace(world, model=replace(world.model, base=str(broken)))
    job = jobs.follow(jobs.submit(dataset(tmp_path / "d"), TENANT, there, max_steps=5), there)
    assert job.state == job_table.FAILED and job.receipt_status == "failed"
    assert "loss is nan" in str(job.error)
    assert not Store.open(world).exists(job.adapter_key)


def test_a_training_that_hangs_is_killed(world: Settings, store: Store, tmp_path: Path) -> None:
    payload = request(world, store, dataset(tmp_path / "d", train=64), job_id="loop-hang", max_steps=100_000)
    with RunpodClient.open(world) as runpod:
        runpod_id = runpod.run(payload, execution_s=600, ttl_s=900)

        def step() -> int:
            output = (runpod.status(runpod_id) or {}).get("output") or {}
            return output.get("step", 0)

        wait_for(step, "a step")
        child = processes("loop-hang/plan.json")
        for pid in child:
            os.kill(pid, signal.SIGSTOP)
        said = the_end(runpod, runpod_id)
    assert said["status"] == "FAILED"
    assert "no progress for 8 s" in said["error"]
    assert not set(child) & set(processes("loop-hang/plan.json"))


def test_two_submissions_at_once_are_one_job_and_a_lost_plane_comes_back(
    world: Settings, base: Path, tmp_path: Path
) -> None:
    apart = replace(world, data=replace(world.data, dir=str(tmp_path / "plane2")))
    folder = dataset(tmp_path / "d", train=32)
    try:
        with ThreadPoolExecutor(4) as pool:
            waiting = [
                pool.submit(jobs.submit, folder, TENANT, apart, max_steps=4, seed=11) for _ in range(4)
            ]
            made = [future.result() for future in waiting]
        assert len({(job.job_id, job.runpod_id) for job in made}) == 1
        with RunpodClient.open(apart) as runpod:
            health = runpod.health()["jobs"]
            assert sum(health[s] for s in ("inQueue", "inProgress", "completed")) == 1
        os.kill(json.loads((apart.data_dir / "trainer" / "process.json").read_text())["pid"], signal.SIGKILL)
        done = jobs.follow(made[0], apart)
        assert done.state == job_table.SUCCEEDED, done.error
    finally:
        control_plane.down(apart)


def recorded(job_id: str, state: str, created: float = 0.0, runpod_id: str = "") -> job_table.Job:
    """A job as the manager records it, with ten minutes left."""
    return job_table.Job(
        job_id=job_id,
        tenant=TENANT,
        state=state,
        base_model="x",
        base_digest="x",
        dataset_sha256="x",
        hyperparameters={},
        limits={},
        webhook_token="t",
        created=created,
        deadline=time.time() + 600,
        runpod_id=runpod_id,
    )


def test_a_submission_whose_answer_was_lost_is_found_by_its_heartbeat(world: Settings, store: Store) -> None:
    lost = job_table.advance(store, recorded("loop-answer", job_table.SUBMITTING, created=time.time()))
    assert jobs.status(lost.job_id, world) == lost
    beat = {"job_id": lost.job_id, "runpod_id": "r-1", "time": time.time(), "step": 3}
    store.put_json(lost.heartbeat_key, beat)
    found = jobs.status(lost.job_id, world)
    assert (found.state, found.runpod_id) == (job_table.RUNNING, "r-1")
    assert jobs.cancel(lost.job_id, world).state == job_table.CANCELLED


def test_a_job_nobody_answers_for_is_swept(world: Settings, store: Store, tmp_path: Path) -> None:
    payload = request(world, store, dataset(tmp_path / "d"), job_id="loop-late", max_steps=100_000)
    with RunpodClient.open(world) as runpod:
        forgotten = recorded("loop-lost", job_table.QUEUED, runpod_id="never-was")
        job_table.advance(store, forgotten)
        runpod_id = runpod.run(payload, execution_s=600, ttl_s=900)
        past = replace(forgotten, job_id="loop-late", deadline=time.time() - 1, runpod_id=runpod_id)
        late = job_table.advance(store, past)
        ended = {job.job_id: job.state for job in jobs.sweep(world)}
        assert ended["loop-lost"] == ended["loop-late"] == job_table.LOST
        assert (runpod.status(late.runpod_id) or {})["status"] == "CANCELLED", "its worker was told"
    assert not {"loop-lost", "loop-late"} & {job.job_id for job in jobs.sweep(world)}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"train_rows": rows("s1", 2, tenant="otra")}, "otra"),
        ({"val_rows": rows("s1", 2)}, "train and val"),
        ({"train_rows": []}, "no rows"),
    ],
)
def test_rows_that_must_not_leave_are_not_sent(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises((GateError, InputError), match=named):
        check_dataset(dataset(tmp_path / "d", **change), TENANT)


def test_rows_that_no_dataset_run_vouches_for_are_not_sent(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "d")
    with (folder / "train.jsonl").open("a") as out:
        out.write(json.dumps(rows("s1", 1)[0]) + "\n")
    with pytest.raises(GateError, match="vouches"):
        check_dataset(folder, TENANT)
