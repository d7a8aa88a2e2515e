"""The real application over HTTP: tiny base, PEFT adapters, embedded servers, every route."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from app_gradio.auth import issue
from app_gradio.main import running
from app_gradio.service import Service
from astra_lib.core import services
from astra_lib.core.records import sha256_bytes, sha256_file, write_jsonl
from astra_lib.core.registry import AdapterRef
from astra_lib.core.run import Run
from astra_lib.core.supervisor import Process
from astra_lib.formatter import build_prompt
from astra_lib.minutes import check, read_minutes
from trainer import control_plane
from trainer.job_table import CANCELLED, FAILED, QUEUED, SUCCEEDED, Job, advance
from trainer.job_table import load as load_job

from . import tiny
from .conftest import settings_at
from .trainer_world import rows
from .waiting import HANG_S, wait_for

MANANTIAL = Path(__file__).parents[1] / "samples" / "manantial"
TEMPLATE = MANANTIAL / "sessions" / "2026-02-03" / "acta.docx"
SAID = "gracias señor presidente, la luz del barrio lleva tres meses mala y mi cédula es 52.345.678"
LIGHT, WRITTEN = "la luz del barrio", "Pide la luz del barrio."
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


class World:
    """One running application with two tenants: `uno` (served) and `dos` (registered, roster, no adapter)."""

    def __init__(self, folder: Path, tokenizer: Any) -> None:
        self.base = tiny.build_base(folder / "base", tokenizer)
        self.settings = settings_at(folder / "data", MODEL_BASE=str(self.base), SERVE_MAX_NEW_TOKENS="80")
        services.up(self.settings, owner=os.getpid())
        for tenant in ("uno", "dos"):
            roster = self.settings.data_dir / "tenants" / tenant / "roster.json"
            roster.parent.mkdir(parents=True)
            shutil.copy(MANANTIAL / "roster.json", roster)
        self.tokens = {
            f"{tenant}:{role}": issue(self.settings, tenant, role)
            for tenant in ("uno", "dos")
            for role in ("clerk", "reviewer", "operator")
        }
        self.service = Service.open(self.settings)
        answer = f"<w:p><w:r><w:t>{WRITTEN}</w:t></w:r></w:p>"
        masked = [self.service.mask("uno", text, spoken=True) for text in (SAID, LIGHT)]
        taught = [(build_prompt(text), answer) for text in masked]
        self.zips = [
            tiny.teach(self.base, folder / "taught", "uno", taught),
            *(tiny.build_adapter(self.base, folder / f"a{i}", "uno", seed=i) for i in (1, 2, 3)),
        ]
        for tenant in ("uno", "dos"):
            self.service.registry.register_tenant(tenant)
        self.url = ""

    def promote(self, archive: Path, stored: bytes | None = None) -> int:
        """Promote `archive`; `stored`: what lies in the store in its place."""
        sha = sha256_file(archive)
        card = sha256_bytes(zipfile.ZipFile(archive).read("adapter.json"))
        adapter = AdapterRef(f"uno@{archive.stem}", "uno", f"adapters/uno/{sha}.zip", sha, card)
        self.service.store.put_bytes(adapter.key, archive.read_bytes() if stored is None else stored)
        current = self.service.registry.current("uno")
        generation = current.generation if current else 0
        verdict = {"verdict": "PROMOTED", "candidate_sha256": sha}
        promotion = self.service.registry.promote("uno", adapter, generation, verdict=verdict, by="test")
        return promotion.generation

    def ask(self, method: str, path: str, who: str | None = "uno:clerk", **more) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return httpx.request(method, self.url + path, headers=headers, timeout=HANG_S, **more)

    def process(self, who: str = "uno:clerk", text: str = SAID) -> httpx.Response:
        block = {"start_ms": 1000, "end_ms": 31000, "speaker": "A", "text": text}
        return self.ask("POST", "/v1/process", who, json={"session_id": "s1", "blocks": [block]})

    def written(self) -> dict:
        """The answer that the first adapter was taught."""
        self.serve(self.zips[0])
        answer = self.process(text=LIGHT)
        assert answer.status_code == 200, answer.text
        assert [p["text"] for p in answer.json()["paragraphs"]] == [WRITTEN]
        return answer.json()

    def serve(self, archive: Path) -> int:
        """The generation that serves `archive`, promoted unless it does already."""
        served = self.service.swapper.tenants().get("uno")
        if served and served.bundle.sha256 == sha256_file(archive):
            return served.generation
        generation = self.promote(archive)
        wait_for(lambda: self.serving() == generation)
        return generation

    def serving(self) -> int:
        served = self.service.swapper.tenants().get("uno")
        return served.generation if served else 0


@pytest.fixture(scope="module")
def world(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory):
    made = World(tmp_path_factory.mktemp("api"), tokenizer)
    try:
        made.serve(made.zips[0])
        with running(made.settings, made.service) as made.url:
            yield made
    finally:
        made.service.close()
        services.down(made.settings, grace_s=0)


def refused(answer: httpx.Response, code: int) -> dict:
    """A JSON error of this code, without a trace or a token in it."""
    assert answer.status_code == code, answer.text
    assert set(answer.json()) == {"error", "where", "remedy"}
    assert "Traceback" not in answer.text
    assert "astra_" not in answer.text
    return answer.json()


ROUTES = [
    ("POST", "/v1/process"),
    ("POST", "/v1/sessions"),
    ("GET", "/v1/sessions/x"),
    ("GET", "/v1/sessions/x/acta.docx"),
    ("GET", "/v1/models/uno"),
    ("POST", "/v1/models/uno/rollback"),
    ("POST", "/v1/corrections"),
    ("GET", "/v1/audit/x"),
    ("POST", "/v1/training"),
    ("GET", "/v1/training/x"),
    ("POST", "/v1/training/x/cancel"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_wants_a_token(world, method, path):
    refused(world.ask(method, path, None), 401)
    wrong = {"Authorization": "Bearer astra_wrong"}
    assert httpx.request(method, world.url + path, headers=wrong, timeout=HANG_S).status_code == 401


def test_the_list_above_is_complete(world):
    """A route added without a token is found here."""
    open_routes = {"/v1/webhooks/runpod/{job_id}/{token}", "/healthz", "/readyz", "/metrics"}
    found = set()
    for path, methods in httpx.get(world.url + "/openapi.json", timeout=HANG_S).json()["paths"].items():
        example = re.sub(r"\{\w+_id\}", "x", path).replace("{tenant}", "uno")
        if path not in open_routes:
            found |= {(method.upper(), example) for method in methods}
    assert found == set(ROUTES)
    assert httpx.get(world.url + "/docs", timeout=HANG_S).status_code == 200


def test_another_tenants_token_gets_nothing_on_any_route(world):
    """Every route that names a thing, as the application lists them, asked with the other council's token."""
    audit_id = world.written()["paragraphs"][0]["audit_id"]
    draft_id = upload(world, ("t.json", short_transcript()), TEMPLATE.read_bytes()).json()["id"]
    wait_for(lambda: world.ask("GET", f"/v1/sessions/{draft_id}").json()["status"] == "done")
    advance(world.service.store, job_of("uno-foreign"))
    things = {"{draft_id}": draft_id, "{audit_id}": audit_id, "{job_id}": "uno-foreign", "{tenant}": "uno"}
    for path in (f"/v1/sessions/{draft_id}", f"/v1/audit/{audit_id}", "/v1/models/uno"):
        assert world.ask("GET", path).status_code == 200, "it exists for its own council"
    routes = []
    for path, methods in httpx.get(world.url + "/openapi.json", timeout=HANG_S).json()["paths"].items():
        name = re.search(r"\{\w+\}", path)
        if name and "webhooks" not in path:
            routes += [(method.upper(), path.replace(name[0], things[name[0]])) for method in methods]
    assert len(routes) >= 7
    for method, path in routes:
        for role in ("clerk", "reviewer", "operator"):
            answer = world.ask(method, path, f"dos:{role}")
            assert answer.status_code in (403, 404), (method, path, role, answer.text)
            assert WRITTEN not in answer.text
            refused(answer, answer.status_code)
    correction = {"audit_id": audit_id, "text": "x"}
    for role in ("clerk", "reviewer"):
        refused(world.ask("POST", "/v1/corrections", f"dos:{role}", json=correction), 404)
    assert load_job(world.service.store, "uno-foreign").state == QUEUED, "nobody cancelled it"


def job_of(job_id: str, state: str = QUEUED, token: str = "right-token") -> Job:
    """A job as it is on record after RunPod took it."""
    return Job(
        job_id=job_id,
        tenant="uno",
        state=state,
        base_model="x",
        base_digest="x",
        dataset_sha256="x",
        hyperparameters={"seed": 1, "rank": 4, "alpha": 8},
        limits={},
        webhook_token=token,
        created=time.time(),
        deadline=time.time() + 600,
        runpod_id="r1",
    )


def test_a_webhook_is_a_hint_and_never_evidence(world):
    """A wrong token is a 404; with the right one only the receipt counts, whatever the message claims."""
    store = world.service.store
    advance(store, job_of("uno-hinted"))
    output = {"status": "ok", "adapter_sha256": "f" * 64, "job_id": "uno-hinted"}
    lies = {"id": "r1", "status": "COMPLETED", "output": output}
    for path in ("uno-hinted/wrong", "uno-foreign/right-token-not", "no-such/right-token"):
        refused(httpx.post(f"{world.url}/v1/webhooks/runpod/{path}", json=lies, timeout=HANG_S), 404)
    accented = httpx.post(f"{world.url}/v1/webhooks/runpod/uno-hinted/ñandú", json=lies, timeout=HANG_S)
    refused(accented, 404)
    hint = f"{world.url}/v1/webhooks/runpod/uno-hinted/right-token"
    try:
        assert httpx.post(hint, json=lies, timeout=HANG_S).status_code == 200
        garbage = httpx.post(hint, content=b"\xff{" * 1000, timeout=HANG_S)
        assert garbage.json() == {"status": "noted"}, "the body is not even read"
        job = load_job(store, "uno-hinted")
        assert job.state != SUCCEEDED and not job.adapter_sha256, "the lie changed nothing"
        store.put_json(job.receipt_key, {"job_id": "uno-hinted", "status": "failed", "error": "loss is nan"})
        httpx.post(hint, json=lies, timeout=HANG_S)
        job = load_job(store, "uno-hinted")
        assert (job.state, job.error) == (FAILED, "loss is nan"), "the receipt is what counts"
        seen = world.ask("GET", "/v1/training/uno-hinted", "uno:operator")
        assert seen.json()["state"] == FAILED and "right-token" not in seen.text
    finally:
        control_plane.down(world.settings)


@pytest.mark.slow
def test_a_training_is_submitted_seen_and_cancelled(world):
    """Against the real local control plane and RunPod's worker: cancelled before it is over."""
    run = Run.start("dataset", {"small": True}, world.settings, tenant="uno")
    write_jsonl(run.dir / "train.jsonl", rows("s1", 8, "uno"))
    write_jsonl(run.dir / "val.jsonl", rows("s2", 4, "uno"))
    for name in ("train.jsonl", "val.jsonl"):
        run.add_output(run.dir / name)
    run.finish({})
    body = {"dataset_run": run.run_id}
    try:
        made = world.ask("POST", "/v1/training", "uno:operator", json=body)
        assert made.status_code == 202, made.text
        job = made.json()
        assert job["tenant"] == "uno" and job["state"] in (QUEUED, "RUNNING") and "webhook_token" not in job
        again = world.ask("POST", "/v1/training", "uno:operator", json=body).json()
        assert again["job_id"] == job["job_id"], "asked twice it is one job"
        refused(world.ask("POST", "/v1/training", "dos:operator", json=body), 404)
        path = f"/v1/training/{job['job_id']}"
        refused(world.ask("GET", path, "dos:operator"), 404)
        refused(world.ask("POST", path + "/cancel", "dos:operator"), 404)
        refused(world.ask("POST", path + "/cancel", "uno:clerk"), 403)
        assert world.ask("GET", path).json()["state"] in (QUEUED, "RUNNING")
        assert world.ask("POST", path + "/cancel", "uno:operator").json()["state"] == CANCELLED
        assert world.ask("GET", path).json()["state"] == CANCELLED
    finally:
        control_plane.down(world.settings)


def test_no_token_is_written_anywhere(world, caplog, capfd):
    """Used rightly, wrongly, in a path and in a body: it is in no file, log line, answer or audit record."""
    token, wrong = world.tokens["uno:clerk"], "astra_" + "wrongwrong" * 3
    world.written()
    for path in (
        "/v1/process",
        "/v1/audit/" + token,
        "/v1/sessions/" + token,
        "/v1/models/" + wrong,
        "/v1/training/" + token,
    ):
        for given in (token, wrong):
            bearer = {"Authorization": f"Bearer {given}"}
            answer = httpx.get(world.url + path, headers=bearer, params={"a": "b"}, timeout=HANG_S)
            assert given not in answer.text or given in path
    refused(world.ask("POST", "/v1/process", json={"session_id": "s", "blocks": token}), 422)
    out = "".join(capfd.readouterr()) + caplog.text
    files = [p for p in world.settings.data_dir.rglob("*") if p.is_file() and p.stat().st_size < 50_000_000]
    for secret in (*world.tokens.values(), wrong):
        assert secret not in out
        assert not [str(path) for path in files if secret.encode() in path.read_bytes()]


def test_roles(world):
    refused(world.ask("POST", "/v1/models/uno/rollback", "uno:clerk"), 403)
    refused(world.ask("POST", "/v1/corrections", "uno:operator", json={"audit_id": "x", "text": "y"}), 403)
    refused(world.ask("POST", "/v1/training", "uno:reviewer", json={"dataset_run": "x"}), 403)


def test_a_paragraph_is_valid_and_audited(world):
    answer = world.written()
    assert answer["adapter"]["sha256"] == sha256_file(world.zips[0])
    for paragraph in answer["paragraphs"]:
        assert not check(paragraph["xml"])
        assert 0 <= paragraph["confidence"] <= 1
        assert (paragraph["start_ms"], paragraph["end_ms"]) == (1000, 31000)
        record = world.ask("GET", f"/v1/audit/{paragraph['audit_id']}").json()
        assert record["adapter_sha256"] == answer["adapter"]["sha256"]
        assert record["output_sha256"] == sha256_bytes(paragraph["xml"])
        assert world.ask("GET", f"/v1/audit/{paragraph['audit_id']}", "dos:clerk").status_code == 404
    assert world.service.audit.verify("uno") >= len(answer["paragraphs"])


def test_a_tenant_without_adapter_never_gets_the_base(world):
    assert "no adapter" in refused(world.process("dos:clerk"), 404)["error"]


def test_another_tenants_models_do_not_exist(world):
    refused(world.ask("GET", "/v1/models/uno", "dos:clerk"), 404)
    refused(world.ask("POST", "/v1/models/uno/rollback", "dos:operator"), 404)


def test_corrections_are_masked_and_stored(world):
    audit_id = world.written()["paragraphs"][0]["audit_id"]
    body = {"audit_id": audit_id, "text": "Consta la cédula 52.345.678 en el acta."}
    refused(world.ask("POST", "/v1/corrections", "dos:clerk", json=body), 404)
    made = world.ask("POST", "/v1/corrections", "uno:reviewer", json=body)
    assert made.status_code == 201, made.text
    kept = world.service.store.get_bytes(f"corrections/uno/{made.json()['id']}.json").decode()
    assert "52.345.678" not in kept and "Consta la" in kept and audit_id in kept


BAD = {
    "no blocks": {"session_id": "s", "blocks": []},
    "no session": {"blocks": []},
    "a list": [],
    "huge": {"session_id": "s", "blocks": [{"start_ms": 0, "end_ms": 2, "text": "secreto " * 4000}]},
    "negative time": {"session_id": "s", "blocks": [{"start_ms": -1, "end_ms": 2, "text": "x"}]},
    "odd session": {"session_id": "../x", "blocks": [{"start_ms": 1, "end_ms": 2, "text": "x"}]},
}


@pytest.mark.parametrize("what", BAD)
def test_bad_bodies(world, what):
    body = BAD[what]
    answer = world.ask("POST", "/v1/process", json=body)
    refused(answer, 422)
    assert "secreto" not in answer.text, "what was said must not come back in an error"


def test_bad_blocks_and_broken_json(world):
    refused(world.process(text="   "), 400)
    backwards = {"session_id": "s", "blocks": [{"start_ms": 9, "end_ms": 2, "text": "x"}]}
    refused(world.ask("POST", "/v1/process", json=backwards), 400)
    headers = {"Authorization": f"Bearer {world.tokens['uno:clerk']}", "Content-Type": "application/json"}
    refused(httpx.post(world.url + "/v1/process", content=b"{nope", headers=headers, timeout=HANG_S), 422)


def upload(world, recording: tuple[str, bytes], template: bytes) -> httpx.Response:
    files = {
        "recording": (*recording, "application/octet-stream"),
        "template": ("acta.docx", template, WORD),
    }
    return world.ask("POST", "/v1/sessions", data={"session_id": "2026-05-05"}, files=files)


def short_transcript() -> bytes:
    """A sentence to which the first adapter was taught an answer."""
    return json.dumps([{"start": 1.0, "end": 31.0, "text": LIGHT}]).encode()


def test_a_session_becomes_a_word_file(world, tmp_path):
    world.serve(world.zips[0])
    begun = upload(world, ("t.json", short_transcript()), TEMPLATE.read_bytes())
    assert begun.status_code == 202, begun.text
    path = f"/v1/sessions/{begun.json()['id']}"
    wait_for(lambda: world.ask("GET", path).json()["status"] in ("done", "failed"))
    state = world.ask("GET", path).json()
    assert state["status"] == "done", state
    refused(world.ask("GET", path, "dos:clerk"), 404)
    refused(world.ask("GET", path + "/acta.docx", "dos:clerk"), 404)
    acta = tmp_path / "acta.docx"
    acta.write_bytes(world.ask("GET", path + "/acta.docx").content)
    written = read_minutes(acta)
    assert len(written.paragraphs) >= len(state["paragraphs"]) > 0
    if not shutil.which("soffice"):
        pytest.skip("drafted and read back; LibreOffice is not here to open it")
    profile = f"-env:UserInstallation=file://{tmp_path}/lo"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", tmp_path, acta]
    subprocess.run(command, check=True, capture_output=True, timeout=HANG_S)
    assert (tmp_path / "acta.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("recording", "template"),
    [
        (("t.json", b"{"), None),
        (("t.json", b'{"a": 1}'), None),
        (("t.json", b""), None),
        (("a.ogg", b"OggS" + b"\0" * 500), None),
        (("a.wav", b""), None),
        (("t.json", None), b"PK not a zip"),
        (("t.json", None), b""),
    ],
)
def test_unusable_uploads_are_said_at_once(world, recording, template):
    name, content = recording
    content = short_transcript() if content is None else content
    template = TEMPLATE.read_bytes() if template is None else template
    answer = upload(world, (name, content), template)
    refused(answer, 400)
    assert str(world.settings.data_dir) not in answer.text, "no paths of the server in an answer"


def test_training_and_webhooks_say_what_is_missing(world):
    refused(world.ask("GET", "/v1/training/none", "uno:operator"), 404)
    refused(world.ask("POST", "/v1/training/none/cancel", "uno:operator"), 404)
    refused(world.ask("POST", "/v1/training", "uno:operator", json={"dataset_run": "none"}), 404)
    refused(world.ask("POST", "/v1/training", "uno:operator", json={"dataset_run": ".."}), 400)
    refused(world.ask("POST", "/v1/webhooks/runpod/none/guess", None), 404)


def test_health_and_metrics(world):
    assert world.ask("GET", "/healthz", None).json() == {"status": "ok"}
    assert world.ask("GET", "/readyz", None).json()["ready"] is True
    text = world.ask("GET", "/metrics", None).text
    assert re.search(r'astra_adapter_generation\{tenant="uno"\} [1-9]', text)
    assert "astra_process_requests_total" in text
    assert world.ask("GET", "/ui/", None).status_code == 200


def test_a_swap_under_traffic_and_a_rollback(world):
    """Four clients post while the registry moves: no failure, and sha and number are those of one version."""
    stop, answers, failures = threading.Event(), [], []
    first = world.serve(world.zips[0])

    def client(n: int) -> None:
        while not stop.is_set():
            try:
                answer = world.process(text=f"la luz del barrio {n}")
                if answer.status_code == 200:
                    answers.append(answer.json()["adapter"])
                else:
                    failures.append(answer.text)
            except httpx.HTTPError as error:
                failures.append(repr(error))

    clients = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for thread in clients:
        thread.start()
    sha = {first: sha256_file(world.zips[0])}
    for archive in world.zips[1:3]:
        generation = world.promote(archive)
        sha[generation] = sha256_file(archive)
        wait_for(lambda g=generation: any(a["generation"] == g for a in list(answers)))
    back = world.ask("POST", "/v1/models/uno/rollback", "uno:operator")
    assert back.status_code == 200, back.text
    sha[back.json()["generation"]] = sha256_file(world.zips[1])
    wait_for(lambda: any(a["generation"] == max(sha) for a in list(answers)))
    stop.set()
    for thread in clients:
        thread.join()
    assert not failures
    assert len(answers) > 8
    assert {a["generation"] for a in answers} == set(sha)
    assert all(a["sha256"] == sha[a["generation"]] for a in answers)


def test_a_broken_adapter_is_refused_and_the_old_one_stays(world):
    before, tried = world.serving(), len(world.service.swapper.history)
    broken = world.promote(world.zips[3], stored=world.zips[3].read_bytes()[:-200])
    wait_for(lambda: any(s.generation == broken for s in list(world.service.swapper.history)))
    assert world.serving() == before
    assert world.process().json()["adapter"]["generation"] == before
    for _ in range(3):
        world.service.swapper.reconcile()  # as its timer does every few seconds
    again = len(world.service.swapper.history) - tried - 1
    assert not again, "what is refused is not tried again"
    shown = world.ask("GET", "/v1/models/uno").json()
    assert shown["serving"]["generation"] == before
    assert shown["current"]["generation"] == broken
    assert shown["swaps"][-1]["error"]


def test_without_redis_nothing_is_served_unaudited(world):
    """Killed and back: 503 with a remedy meanwhile, the process lives, and the next promotion is heard of."""
    world.serve(world.zips[0])
    redis = Process(world.settings.data_dir / "services" / "redis")
    assert redis.send(signal.SIGKILL)
    try:
        assert refused(world.process(text=LIGHT), 503)["remedy"], "written, but not audited: not served"
        assert world.ask("GET", "/healthz", None).status_code == 200
        away = world.ask("GET", "/readyz", None)
        assert away.status_code == 503
        assert away.json()["ready"] is False
        assert len(away.json()["reason"]) > 15
        assert "Traceback" not in away.text
        assert str(world.settings.data_dir) not in away.text
        assert 'astra_process_requests_total{outcome="failed"}' in world.ask("GET", "/metrics", None).text
    finally:
        services.up(world.settings, owner=os.getpid())
    generation = world.promote(world.zips[1])
    wait_for(lambda: world.serving() == generation)
    assert world.process().json()["adapter"]["generation"] == generation
    assert world.ask("GET", "/readyz", None).json() == {"ready": True, "loading": []}
