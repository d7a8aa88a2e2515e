"""The HTTP API. All but health checks and webhooks need a bearer token, which sees its own tenant only."""

from __future__ import annotations

from fastapi import FastAPI

from . import http_errors, routes
from .access import Access
from .auth import Tokens
from .draft_queue import DraftQueue
from .metrics import Metrics
from .service import Service


def build(service: Service, tokens: Tokens) -> FastAPI:
    """The application around one `Service`."""
    app = FastAPI(
        title="ASTRA", version="1", description="Council speech in, minutes out, each paragraph traceable"
    )
    http_errors.install(app)
    access, metrics, drafts = Access(tokens), Metrics(service), DraftQueue(service)
    app.include_router(routes.drafting(service, drafts, metrics, access))
    app.include_router(routes.models(service, access))
    app.include_router(routes.training(service, access))
    app.include_router(routes.health(service, metrics))
    app.state.service, app.state.drafts = service, drafts
    return app
