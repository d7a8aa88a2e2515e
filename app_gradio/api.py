"""The HTTP API. Every route but the health checks wants a bearer token, and a token only ever sees its own tenant."""

from __future__ import annotations

import hmac
import json
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, File, Form, Header, HTTPException, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from astra_lib.core.errors import AstraError, ConflictError, GateError, MissingError, ServiceError
from astra_lib.core.launcher import started_ticks
from astra_lib.core.manifest import read_manifest
from astra_lib.core.records import Block, sha256_bytes, to_dict

from .auth import Principal, Tokens
from .service import Service
from .sessions import draft

MAX_UPLOAD = 1 << 30


class BlockIn(BaseModel):
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)
    speaker: str | None = None
    text: str = Field(max_length=12_000)


class ProcessIn(BaseModel):
    session_id: str = Field(min_length=1, max_length=120, pattern=r"^[\w.-]+$")
    blocks: list[BlockIn] = Field(min_length=1, max_length=64)


class CorrectionIn(BaseModel):
    """The clerk's text for a served paragraph; `xml` only where the form changed."""

    audit_id: str
    text: str = Field(max_length=20_000)
    xml: str | None = Field(default=None, max_length=60_000)


class TrainingIn(BaseModel):
    dataset_run: str = Field(pattern=r"^[\w.-]+$")


STATUS = {MissingError: 404, ConflictError: 409, GateError: 422, ServiceError: 503}


def build(service: Service, tokens: Tokens) -> FastAPI:
    """The application around one `Service`."""
    app = FastAPI(
        title="ASTRA", version="1", description="Council speech in, minutes out, each paragraph traceable"
    )
    metrics = Metrics(service)
    drafts = Drafts(service)
    app.state.service, app.state.drafts = service, drafts

    @app.exception_handler(AstraError)
    def astra_error(_: Request, error: AstraError) -> JSONResponse:
        code = next((c for kind, c in STATUS.items() if isinstance(error, kind)), 400)
        return JSONResponse(
            {"error": error.what, "where": without_path(error.where), "remedy": error.remedy},
            status_code=code,
        )

    @app.exception_handler(RequestValidationError)
    def not_valid(_: Request, error: RequestValidationError) -> JSONResponse:
        """Where and what, never the value: it may be a person's words."""
        where = [".".join(str(p) for p in e["loc"]) + ": " + e["msg"] for e in error.errors()[:5]]
        return JSONResponse(
            {"error": "the request is not valid", "where": "; ".join(where), "remedy": "See /docs"},
            status_code=422,
        )

    @app.exception_handler(StarletteHTTPException)
    def refused(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse(
            {"error": error.detail, "where": None, "remedy": None},
            status_code=error.status_code,
            headers=error.headers,
        )

    def who(authorization: Annotated[str | None, Header()] = None) -> Principal:
        scheme, _, token = (authorization or "").partition(" ")
        principal = tokens.principal(token.strip()) if scheme.lower() == "bearer" and token.strip() else None
        if principal is None:
            raise HTTPException(401, "a valid bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
        return principal

    def needs(action: str) -> Callable[..., Principal]:
        def check(principal: Principal = Depends(who)) -> Principal:
            if not principal.may(action):
                raise HTTPException(403, f"a {principal.role} may not {action}")
            return principal

        return check

    reader, drafter = Depends(needs("read")), Depends(needs("draft"))
    corrector, operator = Depends(needs("correct")), Depends(needs("operate"))

    @app.post("/v1/process")
    def process(body: ProcessIn, me: Principal = drafter) -> dict[str, Any]:
        with metrics.timed():
            blocks = [Block(b.start_ms / 1000, b.end_ms / 1000, b.speaker, b.text) for b in body.blocks]
            paragraphs, served = service.process(me.tenant, body.session_id, blocks)
        return {
            "paragraphs": [asdict(p) for p in paragraphs],
            "adapter": {
                "id": served.bundle.id,
                "sha256": served.bundle.sha256,
                "generation": served.generation,
            },
        }

    @app.post("/v1/sessions", status_code=202)
    def start_session(
        template: Annotated[UploadFile, File(description="an earlier acta of the council (.docx)")],
        recording: Annotated[UploadFile, File(description="audio, or a transcript as JSON")],
        session_id: Annotated[str, Form(pattern=r"^[\w.-]+$")],
        me: Principal = drafter,
    ) -> dict[str, Any]:
        return drafts.start(me.tenant, session_id, recording, template)

    @app.get("/v1/sessions/{draft_id}")
    def session_status(draft_id: str, me: Principal = reader) -> dict[str, Any]:
        return drafts.state(draft_id, me.tenant)

    @app.get("/v1/sessions/{draft_id}/acta.docx")
    def session_docx(draft_id: str, me: Principal = reader) -> FileResponse:
        state = drafts.state(draft_id, me.tenant)
        if state["status"] != "done":
            raise HTTPException(409, f"the draft is {state['status']}")
        return FileResponse(
            drafts.folder / draft_id / "acta.docx",
            filename=f"{state['session_id']}.docx",
            media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        )

    @app.get("/v1/models/{tenant}")
    def models(tenant: str, me: Principal = reader) -> dict[str, Any]:
        own(tenant, me)
        current = service.registry.current(tenant)
        served = service.swapper.tenants().get(tenant)
        return {
            "tenant": tenant,
            "current": to_dict(current) if current else None,
            "serving": {"adapter": served.bundle.id, "generation": served.generation, "since": served.since}
            if served
            else None,
            "history": [to_dict(p) for p in service.registry.history(tenant)],
            "swaps": [asdict(s) for s in service.swapper.history if s.tenant == tenant][-20:],
        }

    @app.post("/v1/models/{tenant}/rollback")
    def rollback(tenant: str, me: Principal = operator) -> dict[str, Any]:
        own(tenant, me)
        return to_dict(service.registry.rollback(tenant))

    @app.post("/v1/corrections", status_code=201)
    def correct(body: CorrectionIn, me: Principal = corrector) -> dict[str, Any]:
        record = service.audit.get(body.audit_id)
        own(record.tenant, me)
        return save_correction(service, me, body)

    @app.get("/v1/audit/{audit_id}")
    def audit(audit_id: str, me: Principal = reader) -> dict[str, Any]:
        record = service.audit.get(audit_id)
        own(record.tenant, me)
        return to_dict(record)

    @app.post("/v1/training", status_code=202)
    def train(body: TrainingIn, me: Principal = operator) -> dict[str, Any]:
        import trainer.jobs as jobs

        own(read_manifest(body.dataset_run, service.settings).tenant, me)
        return jobs.to_public(jobs.submit_run(body.dataset_run, me.tenant, service.settings))

    @app.get("/v1/training/{job_id}")
    def training(job_id: str, me: Principal = reader) -> dict[str, Any]:
        import trainer.jobs as jobs

        job = jobs.status(job_id, service.settings)
        own(job.tenant, me)
        return jobs.to_public(job)

    @app.post("/v1/training/{job_id}/cancel")
    def cancel(job_id: str, me: Principal = operator) -> dict[str, Any]:
        import trainer.jobs as jobs

        own(jobs.status(job_id, service.settings).tenant, me)
        return jobs.to_public(jobs.cancel(job_id, service.settings))

    @app.post("/v1/webhooks/runpod/{job_id}/{token}")
    def webhook(job_id: str, token: str) -> dict[str, str]:
        """A hint, never evidence: the body is not read, the job is asked for its state."""
        import trainer.jobs as jobs

        try:
            known = jobs.webhook_token(job_id, service.settings)
        except MissingError:
            known = ""
        if not hmac.compare_digest(token.encode(), known.encode()) or not known:
            raise HTTPException(404, "no such job")
        jobs.status(job_id, service.settings)
        return {"status": "noted"}

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        """Ready when the registry answers and every promoted tenant is served."""
        try:
            promoted = [t for t in service.registry.tenants() if service.registry.current(t)]
        except AstraError as error:
            return JSONResponse({"ready": False, "reason": str(error)}, status_code=503)
        missing = sorted(set(promoted) - set(service.swapper.tenants()))
        return JSONResponse({"ready": not missing, "loading": missing}, status_code=503 if missing else 200)

    @app.get("/metrics")
    def prometheus() -> PlainTextResponse:
        return PlainTextResponse(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return app


def own(tenant: str, me: Principal) -> None:
    """Another tenant's things do not exist for this token."""
    if tenant != me.tenant:
        raise HTTPException(404, "no such thing for this tenant")


def without_path(where: str | None) -> str | None:
    """The file's name alone: the server's folders are nobody's business."""
    return Path(where).name if where and where.startswith("/") else where


def save_correction(service: Service, me: Principal, body: CorrectionIn) -> dict[str, Any]:
    """Keep the clerk's text, masked, under corrections/<tenant>/ in S3, where the next training looks for it."""
    _, keep = service.privacy(me.tenant)
    row = {
        "audit_id": body.audit_id,
        "tenant": me.tenant,
        "text": service.mask(me.tenant, body.text),
        "xml": service.mask(me.tenant, body.xml) if body.xml else None,
        "role": me.role,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    keep.save()
    correction_id = sha256_bytes(json.dumps(row, sort_keys=True))[:16]
    service.store.put_json(f"corrections/{me.tenant}/{correction_id}.json", row)
    return {"id": correction_id, "tenant": me.tenant, "audit_id": body.audit_id}


class Metrics:
    """Prometheus counters of one process."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "astra_process_requests", "POST /v1/process", ["outcome"], registry=self.registry
        )
        self.seconds = Histogram(
            "astra_process_seconds",
            "seconds of POST /v1/process",
            registry=self.registry,
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80),
        )
        waiting = Gauge("astra_waiting", "blocks waiting for a batch", registry=self.registry)
        waiting.set_function(lambda: service.batcher.waiting)
        swaps = Counter("astra_swaps", "adapter swaps", ["outcome"], registry=self.registry)
        service.swapper.listeners.append(lambda r: swaps.labels("ok" if r.ok else "failed").inc())
        generation = Gauge(
            "astra_adapter_generation", "generation in service", ["tenant"], registry=self.registry
        )
        service.swapper.listeners.append(
            lambda r: generation.labels(r.tenant).set(r.generation) if r.ok else None
        )
        for tenant, served in service.swapper.tenants().items():  # those loaded before anyone counted
            generation.labels(tenant).set(served.generation)

    def timed(self) -> Any:
        return _Timer(self)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class _Timer:
    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def __enter__(self) -> None:
        self.began = time.perf_counter()

    def __exit__(self, kind: Any, *_: Any) -> None:
        self.metrics.requests.labels("failed" if kind else "ok").inc()
        self.metrics.seconds.observe(time.perf_counter() - self.began)


class Drafts:
    """Drafting in the background; state is a file per draft, so that a restart tells the truth about it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.folder = service.settings.data_dir / "drafts"
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="draft")
        self._lock = threading.Lock()
        self._boot = uuid.uuid4().hex
        self._pick_up()

    def _pick_up(self) -> None:
        """Go on with what the process before this one was drafting; whose process still lives is left to it."""
        from astra_lib.core.records import read_json

        for path in sorted(self.folder.glob("*/state.json")):
            try:
                state = read_json(path)
                recording = next(
                    p for p in path.parent.glob("recording.*") if not p.name.endswith(".transcript.json")
                )
            except (AstraError, StopIteration):
                continue
            if state["status"] not in ("done", "failed") and not _alive(state.get("process")):
                self._write(state["id"], state | {"status": "queued"})
                self._pool.submit(
                    self._run,
                    state["id"],
                    state["tenant"],
                    state["session_id"],
                    recording,
                    path.parent / "template.docx",
                )

    def start(
        self, tenant: str, session_id: str, recording: UploadFile, template: UploadFile
    ) -> dict[str, Any]:
        draft_id = uuid.uuid4().hex
        folder = self.folder / draft_id
        folder.mkdir(parents=True)
        suffix = Path(recording.filename or "recording").suffix.lower() or ".json"
        for upload, name in ((recording, f"recording{suffix}"), (template, "template.docx")):
            self._save(upload, folder / name)
        try:
            self._check(folder / f"recording{suffix}", folder / "template.docx")
        except AstraError:
            shutil.rmtree(folder)
            raise
        self._write(
            draft_id,
            {
                "id": draft_id,
                "tenant": tenant,
                "session_id": session_id,
                "status": "queued",
                "done": 0,
                "of": 0,
            },
        )
        self._pool.submit(
            self._run, draft_id, tenant, session_id, folder / f"recording{suffix}", folder / "template.docx"
        )
        return self.state(draft_id, tenant)

    @staticmethod
    def _check(recording: Path, template: Path) -> None:
        """What cannot be used is said now, not after an hour's drafting."""
        from astra_lib.minutes import read_minutes
        from astra_lib.recording import check_audio
        from astra_lib.transcript import read_transcript

        read_minutes(template)
        if recording.suffix == ".json":
            read_transcript([recording])
        else:
            check_audio(recording)

    def _save(self, upload: UploadFile, path: Path) -> None:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            shutil.copyfileobj(upload.file, part, 1 << 20)
            if part.tell() > MAX_UPLOAD:
                Path(part.name).unlink()
                raise HTTPException(413, f"{upload.filename} is larger than 1 GiB")
        Path(part.name).replace(path)

    def _run(self, draft_id: str, tenant: str, session_id: str, recording: Path, template: Path) -> None:
        from astra_lib.recording import transcribe
        from astra_lib.transcript import read_transcript

        state = {
            "id": draft_id,
            "tenant": tenant,
            "session_id": session_id,
            "status": "running",
            "done": 0,
            "of": 0,
        }
        try:
            if recording.suffix == ".json":
                transcript = read_transcript([recording], session_id=session_id, tenant=tenant)
            else:
                self._write(draft_id, state | {"status": "transcribing"})
                transcript = transcribe(
                    recording,
                    recording.with_suffix(".transcript.json"),
                    self.service.settings,
                    session_id=session_id,
                    tenant=tenant,
                )
            self._await_adapter(tenant)
            made = draft(
                self.service,
                transcript,
                template,
                self.folder / draft_id / "acta.docx",
                progress=lambda done, of: self._write(draft_id, state | {"done": done, "of": of}),
            )
            self._write(
                draft_id,
                state
                | {
                    "status": "done",
                    "paragraphs": [asdict(p) for p in made.paragraphs],
                    "gaps": made.gaps,
                    "silent_blocks": made.silent,
                },
            )
        except AstraError as error:
            self._write(
                draft_id,
                state
                | {
                    "status": "failed",
                    "error": error.what,
                    "where": without_path(error.where),
                    "remedy": error.remedy,
                },
            )
        except Exception as error:  # the draft's own state must say it: nobody waits on this thread
            self._write(draft_id, state | {"status": "failed", "error": f"{type(error).__name__}: {error}"})
            raise

    def _await_adapter(self, tenant: str) -> None:
        """After a restart the swapper may still be loading; a tenant without any promotion is not waited for."""
        end = time.monotonic() + 60
        while (
            tenant not in self.service.swapper.tenants()
            and self.service.registry.current(tenant)
            and time.monotonic() < end
        ):
            time.sleep(0.2)

    def _write(self, draft_id: str, state: dict[str, Any]) -> None:
        from astra_lib.core.records import write_json

        with self._lock:
            write_json(
                self.folder / draft_id / "state.json",
                state | {"boot": self._boot, "process": [os.getpid(), started_ticks(os.getpid())]},
            )

    def state(self, draft_id: str, tenant: str) -> dict[str, Any]:
        from astra_lib.core.records import read_json

        path = self.folder / draft_id / "state.json"
        if not draft_id.isalnum() or not path.is_file():
            raise MissingError("no such draft", where=draft_id)
        state = read_json(path)
        own(state["tenant"], Principal(tenant, "reader"))
        process = state.pop("process", None)
        if (
            state.pop("boot") != self._boot
            and state["status"] not in ("done", "failed")
            and not _alive(process)
        ):
            state |= {"status": "failed", "error": "the service was stopped; the next start goes on with it"}
        return state


def _alive(process: list[int] | None) -> bool:
    """Whether another process with this number and this start lives; ours is no other, also under a number used again."""
    pid, started = process or (os.getpid(), 0)
    try:
        return pid != os.getpid() and started_ticks(pid) == started
    except FileNotFoundError:
        return False
