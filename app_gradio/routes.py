"""The routes of the API, a router for each concern; the work is done by the service and its queues."""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, HTTPException, UploadFile
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from astra_lib.core.errors import AstraError, MissingError
from astra_lib.core.manifest import read_manifest
from astra_lib.core.records import Block, sha256_bytes, to_dict

from .access import Access, own
from .auth import Principal
from .draft_queue import DraftQueue
from .metrics import Metrics
from .schemas import CorrectionIn, ProcessIn, TrainingIn
from .service import Service

WORD_FILE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHOWN_SWAPS = 20


def drafting(service: Service, drafts: DraftQueue, metrics: Metrics, access: Access) -> APIRouter:
    """Speech to paragraphs, recordings to actas, corrections, and the audit of what was served."""
    router = APIRouter()

    @router.post("/v1/process")
    def process(body: ProcessIn, me: Principal = access.drafter) -> dict[str, Any]:
        with metrics.timed():
            blocks = [Block(b.start_ms / 1000, b.end_ms / 1000, b.speaker, b.text) for b in body.blocks]
            paragraphs, served = service.process(me.tenant, body.session_id, blocks)
        bundle = served.bundle
        return {
            "paragraphs": [asdict(paragraph) for paragraph in paragraphs],
            "adapter": {"id": bundle.id, "sha256": bundle.sha256, "generation": served.generation},
        }

    @router.post("/v1/sessions", status_code=202)
    def start_session(
        template: Annotated[UploadFile, File(description="an earlier acta of the council (.docx)")],
        recording: Annotated[UploadFile, File(description="audio, or a transcript as JSON")],
        session_id: Annotated[str, Form(pattern=r"^[\w.-]+$")],
        me: Principal = access.drafter,
    ) -> dict[str, Any]:
        return drafts.start(me.tenant, session_id, recording, template)

    @router.get("/v1/sessions/{draft_id}")
    def session_status(draft_id: str, me: Principal = access.reader) -> dict[str, Any]:
        return drafts.state(draft_id, me.tenant)

    @router.get("/v1/sessions/{draft_id}/acta.docx")
    def session_docx(draft_id: str, me: Principal = access.reader) -> FileResponse:
        state = drafts.state(draft_id, me.tenant)
        if state["status"] != "done":
            raise HTTPException(409, f"the draft is {state['status']}")
        path = drafts.folder / draft_id / "acta.docx"
        return FileResponse(path, filename=f"{state['session_id']}.docx", media_type=WORD_FILE)

    @router.post("/v1/corrections", status_code=201)
    def correct(body: CorrectionIn, me: Principal = access.corrector) -> dict[str, Any]:
        record = service.audit.get(body.audit_id)
        own(record.tenant, me)
        return save_correction(service, me, body)

    @router.get("/v1/audit/{audit_id}")
    def audit(audit_id: str, me: Principal = access.reader) -> dict[str, Any]:
        record = service.audit.get(audit_id)
        own(record.tenant, me)
        return to_dict(record)

    return router


def models(service: Service, access: Access) -> APIRouter:
    """Which adapter serves a tenant, its history, and the way back to the one before."""
    router = APIRouter()

    @router.get("/v1/models/{tenant}")
    def models(tenant: str, me: Principal = access.reader) -> dict[str, Any]:
        own(tenant, me)
        current = service.registry.current(tenant)
        swaps = [asdict(swap) for swap in service.swapper.history if swap.tenant == tenant]
        return {
            "tenant": tenant,
            "current": to_dict(current) if current else None,
            "serving": serving(tenant),
            "history": [to_dict(promotion) for promotion in service.registry.history(tenant)],
            "swaps": swaps[-SHOWN_SWAPS:],
        }

    def serving(tenant: str) -> dict[str, Any] | None:
        served = service.swapper.tenants().get(tenant)
        if served is None:
            return None
        return {"adapter": served.bundle.id, "generation": served.generation, "since": served.since}

    @router.post("/v1/models/{tenant}/rollback")
    def rollback(tenant: str, me: Principal = access.operator) -> dict[str, Any]:
        own(tenant, me)
        return to_dict(service.registry.rollback(tenant))

    return router


def training(service: Service, access: Access) -> APIRouter:
    """Trainings on RunPod or its local control plane, and RunPod's webhook."""
    from trainer import jobs

    router, settings = APIRouter(), service.settings

    @router.post("/v1/training", status_code=202)
    def train(body: TrainingIn, me: Principal = access.operator) -> dict[str, Any]:
        own(read_manifest(body.dataset_run, settings).tenant, me)
        return jobs.to_public(jobs.submit_run(body.dataset_run, me.tenant, settings))

    @router.get("/v1/training/{job_id}")
    def training(job_id: str, me: Principal = access.reader) -> dict[str, Any]:
        job = jobs.status(job_id, settings)
        own(job.tenant, me)
        return jobs.to_public(job)

    @router.post("/v1/training/{job_id}/cancel")
    def cancel(job_id: str, me: Principal = access.operator) -> dict[str, Any]:
        own(jobs.status(job_id, settings).tenant, me)
        return jobs.to_public(jobs.cancel(job_id, settings))

    @router.post("/v1/webhooks/runpod/{job_id}/{token}")
    def webhook(job_id: str, token: str) -> dict[str, str]:
        """A hint, never evidence: the body is not read, the job is asked for its state."""
        try:
            known = jobs.webhook_token(job_id, settings)
        except MissingError:
            known = ""
        if not known or not hmac.compare_digest(token.encode(), known.encode()):
            raise HTTPException(404, "no such job")
        jobs.status(job_id, settings)
        return {"status": "noted"}

    return router


def health(service: Service, metrics: Metrics) -> APIRouter:
    """What an orchestrator and Prometheus ask; no token."""
    router = APIRouter()

    @router.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    def readyz() -> JSONResponse:
        """Ready when the registry answers and every promoted tenant is served."""
        registry = service.registry
        try:
            promoted = {tenant for tenant in registry.tenants() if registry.current(tenant)}
        except AstraError as error:
            return JSONResponse({"ready": False, "reason": str(error)}, status_code=503)
        missing = sorted(promoted - set(service.swapper.tenants()))
        return JSONResponse({"ready": not missing, "loading": missing}, status_code=503 if missing else 200)

    @router.get("/metrics")
    def prometheus() -> PlainTextResponse:
        return PlainTextResponse(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router


def save_correction(service: Service, me: Principal, body: CorrectionIn) -> dict[str, Any]:
    """Keep the clerk's text, masked, in S3 under corrections/<tenant>/, where the next training looks."""
    _, placeholders = service.privacy(me.tenant)
    row = {
        "audit_id": body.audit_id,
        "tenant": me.tenant,
        "text": service.mask(me.tenant, body.text),
        "xml": service.mask(me.tenant, body.xml) if body.xml else None,
        "role": me.role,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    placeholders.save()
    correction_id = sha256_bytes(json.dumps(row, sort_keys=True))[:16]
    service.store.put_json(f"corrections/{me.tenant}/{correction_id}.json", row)
    return {"id": correction_id, "tenant": me.tenant, "audit_id": body.audit_id}
