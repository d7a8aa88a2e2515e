"""The control plane as RunPod's clients and its worker see it; the tests speak both protocols over HTTP."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from astra_lib.core.errors import InputError, ServiceError
from astra_lib.core.settings import Settings
from tests.trainer_world import processes
from tests.waiting import wait_for
from trainer import control_plane
from trainer.runpod_client import RunpodClient

EP = "astra-trainer"


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Callable[..., Plane]]:
    made: list[Plane] = []

    def start(**overrides: Any) -> Plane:
        made.append(Plane(tmp_path, overrides))
        return made[-1]

    yield start
    for each in made:
        control_plane.down(each.settings)
    assert not processes(str(tmp_path)), "processes were left behind"


class Plane:
    """A control plane whose worker is a shell script that sleeps, so that a test can speak in its place."""

    def __init__(self, folder: Path, overrides: dict[str, Any]) -> None:
        from tests.conftest import settings_at

        script = folder / "python"
        script.write_text("#!/bin/sh\nexec sleep 600\n")
        script.chmod(0o755)
        (folder / "base").mkdir(exist_ok=True)
        self.settings: Settings = settings_at(folder / "data", MODEL_BASE=str(folder / "base"))
        self.overrides = {"python": str(script), **overrides}
        self.up()

    def up(self) -> None:
        os.environ["ASTRA_TRAINER_PYTHON"] = self.overrides["python"]
        try:
            self.url, self.key = control_plane.up(self.settings, owner=os.getpid(), **self.overrides)
        finally:
            del os.environ["ASTRA_TRAINER_PYTHON"]
        self.client = RunpodClient(self.url, EP, self.key, backoff_s=0.01)

    def call(self, method: str, path: str, key: str | None = None, **kwargs: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}" if key is None else key}
        return httpx.request(
            method, f"{self.url}/{EP}{path}", headers=headers, timeout=180, trust_env=False, **kwargs
        )

    def worker(self) -> SdkWorker:
        pid = wait_for(
            lambda: next(iter(processes(f"{self.settings.data_dir}/trainer/worker")), None), "a worker"
        )
        return SdkWorker(self, pid)

    def said(self, job: str, status: str) -> dict[str, Any]:
        """What GET /status answers once the job has this status."""

        def reached() -> dict[str, Any] | None:
            answer = self.client.status(job)
            return answer if answer and answer["status"] == status else None

        return wait_for(reached, status)

    def pid(self) -> int:
        return json.loads((self.settings.data_dir / "trainer" / "process.json").read_text())["pid"]


class SdkWorker:
    """Speaks as RunPod's SDK 1.12 does, with the identity that was given to the sleeping worker process."""

    def __init__(self, plane: Plane, pid: int) -> None:
        entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
        environ = dict(entry.split("=", 1) for entry in entries if "=" in entry)
        self.plane, self.pid = plane, pid
        self.id, self.key = environ["RUNPOD_POD_ID"], environ["RUNPOD_AI_API_KEY"]

    def take(self, busy: int = 0) -> dict[str, Any] | None:
        answer = self.plane.call("GET", f"/job-take/{self.id}?gpu=x&job_in_progress={busy}", self.key)
        return None if answer.status_code == 204 else answer.json()

    def done(self, job_id: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.plane.call(
            "POST",
            f"/job-done/{self.id}/{job_id}?gpu=x&isStream=false",
            self.key,
            content=json.dumps(body),
        )
        assert answer.status_code == 200
        return answer.json()

    def stops(self) -> list[str]:
        answer = self.plane.call("GET", f"/job-stop/{self.id}?gpu=x", self.key)
        return [] if answer.status_code == 204 else answer.json()["jobsToStop"]


def test_the_life_of_a_job(plane: Callable[..., Plane]) -> None:
    p = plane()
    job = p.client.run({"n": 1}, execution_s=60, ttl_s=600)
    assert p.client.status(job) == {"id": job, "status": "IN_QUEUE"}
    w = p.worker()
    assert w.take() == {"id": job, "input": {"n": 1}}
    assert p.client.health()["jobs"]["inProgress"] == 1
    w.done(job, {"status": "IN_PROGRESS", "output": {"number": 1}})
    said = p.client.status(job)
    assert said and said["status"] == "IN_PROGRESS"
    assert said["output"] == {"number": 1}
    assert said["delayTime"] >= 0
    w.done(job, {"output": {"ok": True}})
    said = p.client.status(job)
    assert said and said["status"] == "COMPLETED" and said["output"] == {"ok": True}
    assert w.done(job, {"status": "IN_PROGRESS", "output": {"number": 2}}) == {"dropped": True}, (
        "progress after the result"
    )
    said = p.client.status(job)
    assert said and said["output"] == {"ok": True}


def test_keys_are_asked_for_and_not_interchangeable(plane: Callable[..., Plane]) -> None:
    p = plane()
    p.client.run({}, execution_s=60, ttl_s=600)
    w = p.worker()
    assert p.call("GET", "/health", "Bearer wrong").status_code == 401
    assert p.call("GET", "/health", w.key).status_code == 401
    assert p.call("GET", f"/job-take/{w.id}?gpu=x", f"Bearer {p.key}").status_code == 401
    with pytest.raises(ServiceError, match="API key was refused"):
        RunpodClient(p.url, EP, "wrong").health()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"input": 1}',
        b'{"input": {}, "policy": {"executionTimeout": 1}}',
        b'{"input": {}, "policy": 3}',
    ],
)
def test_a_bad_request_is_refused(plane: Callable[..., Plane], body: bytes) -> None:
    answer = plane().call("POST", "/run", content=body)
    assert answer.status_code == 400 and "error" in answer.json()


def test_more_than_ten_megabytes_are_refused(plane: Callable[..., Plane]) -> None:
    with pytest.raises(InputError, match="10 MB"):
        plane().client.run({"x": "y" * (11 << 20)}, execution_s=60, ttl_s=600)


def test_cancel_reaches_a_running_job_through_the_stop_channel(plane: Callable[..., Plane]) -> None:
    p = plane(stop_grace_s=30.0)
    first, second = (p.client.run({"n": n}, execution_s=60, ttl_s=600) for n in (1, 2))
    w = p.worker()
    assert w.take() == {"id": first, "input": {"n": 1}}
    assert p.client.cancel(second) == {"id": second, "status": "CANCELLED"}, (
        "a queued job is cancelled at once"
    )
    assert p.client.cancel(first) == {"id": first, "status": "CANCELLED"}
    assert w.stops() == [first]
    assert w.done(first, {"output": "late"}) == {"dropped": True}
    said = p.client.status(first)
    assert said and said["status"] == "CANCELLED" and "output" not in said
    assert p.client.cancel("nobody") is None and p.client.status("nobody") is None


def test_a_worker_that_ignores_a_stop_is_killed(plane: Callable[..., Plane]) -> None:
    p = plane(stop_grace_s=0.5)
    job = p.client.run({}, execution_s=60, ttl_s=600)
    w = p.worker()
    assert w.take()
    p.client.cancel(job)
    wait_for(lambda: not Path(f"/proc/{w.pid}").exists(), "the end of the worker")


@pytest.mark.slow
def test_a_job_past_its_execution_timeout_is_timed_out_and_may_be_retried(
    plane: Callable[..., Plane],
) -> None:
    p = plane(stop_grace_s=0.5)
    job = p.client.run({}, execution_s=5, ttl_s=600)
    assert p.worker().take()
    assert "executionTimeout" in p.said(job, "TIMED_OUT")["error"]
    assert p.client.retry(job)["status"] == "IN_QUEUE"
    wait_for(lambda: p.client.health()["workers"]["initializing"], "a new worker")
    with pytest.raises(ServiceError, match="only FAILED or TIMED_OUT"):
        p.client.retry(job)


@pytest.mark.slow
def test_past_its_ttl_a_job_is_deleted_even_while_it_runs(plane: Callable[..., Plane]) -> None:
    p = plane(stop_grace_s=0.5)
    job = p.client.run({}, execution_s=60, ttl_s=10)
    w = p.worker()
    assert w.take()
    wait_for(lambda: p.client.status(job) is None, "404")
    wait_for(lambda: not Path(f"/proc/{w.pid}").exists(), "the end of the worker")


def test_results_are_forgotten(plane: Callable[..., Plane]) -> None:
    p = plane(result_ttl_s=0.5)
    job = p.client.run({}, execution_s=60, ttl_s=600)
    p.client.cancel(job)
    wait_for(lambda: p.client.status(job) is None, "404")


def test_an_idle_worker_is_stopped(plane: Callable[..., Plane]) -> None:
    p = plane(idle_s=0.5)
    job = p.client.run({}, execution_s=60, ttl_s=600)
    w = p.worker()
    assert w.take()
    w.done(job, {"output": 1})
    wait_for(lambda: not Path(f"/proc/{w.pid}").exists(), "the end of the worker")
    assert sum(p.client.health()["workers"].values()) == 0


def test_a_dead_workers_job_runs_again_once(plane: Callable[..., Plane]) -> None:
    p = plane()
    job = p.client.run({}, execution_s=60, ttl_s=600)
    for _ in range(2):
        w = p.worker()
        assert w.take() == {"id": job, "input": {}}
        os.kill(w.pid, signal.SIGKILL)
        wait_for(
            lambda dead=w.pid: dead not in processes(f"{p.settings.data_dir}/trainer/worker"),
            "the end of the worker",
        )
    said = p.said(job, "FAILED")
    assert "given up after 2 runs" in said["error"]


def test_a_worker_that_does_not_start_fails_its_jobs(plane: Callable[..., Plane]) -> None:
    p = plane(python="/bin/false")
    job = p.client.run({}, execution_s=60, ttl_s=600)
    said = p.said(job, "FAILED")
    assert "does not start" in said["error"]


def test_a_lost_answer_queues_the_job_again(plane: Callable[..., Plane]) -> None:
    p = plane()
    job = p.client.run({}, execution_s=60, ttl_s=600)
    w = p.worker()
    assert w.take() == w.take() == {"id": job, "input": {}}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_loses_no_job_and_leaves_no_worker(
    plane: Callable[..., Plane], number: signal.Signals
) -> None:
    p = plane()
    running, queued, over = (p.client.run({"n": n}, execution_s=60, ttl_s=600) for n in range(3))
    w = p.worker()
    assert w.take() == {"id": running, "input": {"n": 0}}
    p.client.cancel(over)
    os.kill(p.pid(), number)
    wait_for(lambda: not Path(f"/proc/{w.pid}").exists(), "the end of the worker")
    wait_for(lambda: not processes(f"{p.settings.data_dir}/trainer/config.json"), "the end of the plane")
    p.up()
    assert [(p.client.status(j) or {})["status"] for j in (running, queued, over)] == [
        "IN_QUEUE",
        "IN_QUEUE",
        "CANCELLED",
    ]
    assert p.worker().take() == {"id": running, "input": {"n": 0}}


def test_up_twice_is_one_plane(plane: Callable[..., Plane]) -> None:
    p = plane()
    before = (p.url, p.key, p.pid())
    p.up()
    assert (p.url, p.key, p.pid()) == before


def test_the_webhook_is_tried_three_times_and_carries_the_input(plane: Callable[..., Plane]) -> None:
    got: list[dict[str, Any]] = []

    def tries(job: str) -> int:
        return sum(body["id"] == job for body in list(got))

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        p = plane(webhook_pause_s=0.1)
        hook = f"http://127.0.0.1:{server.server_port}/hook"
        first, second = (p.client.run({"n": n}, execution_s=60, ttl_s=600, webhook=hook) for n in (7, 8))
        p.client.cancel(first)
        wait_for(lambda: tries(first) == 3, "three tries")
        assert got[-1] == {"id": first, "status": "CANCELLED", "input": {"n": 7}}
        p.client.cancel(second)
        # two pauses long: a fourth try of the first would come after one
        wait_for(lambda: tries(second) == 3, "three tries")
        assert tries(first) == 3
    finally:
        server.shutdown()


def test_the_client_tries_again_and_says_what_failed(plane: Callable[..., Plane]) -> None:
    codes = [503, 429, 200]

    class Flaky(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(codes.pop(0))
            self.end_headers()
            self.wfile.write(b'{"id": "x", "status": "COMPLETED"}')

        do_POST = do_GET

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Flaky)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v2"
    try:
        assert RunpodClient(url, EP, "k", backoff_s=0.01).status("x") == {"id": "x", "status": "COMPLETED"}
        codes[:] = [500] * 9
        with pytest.raises(ServiceError, match="HTTP 500, 5 times"):
            RunpodClient(url, EP, "k", backoff_s=0.01).status("x")
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(ServiceError, match="cannot be reached"):
        RunpodClient(url, EP, "k", backoff_s=0.01).health()
