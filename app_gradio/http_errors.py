"""Every refusal as the same JSON, `{error, where, remedy}`, without server paths or what was sent."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from astra_lib.core.errors import AstraError, ConflictError, GateError, MissingError, ServiceError

STATUS_CODES = {MissingError: 404, ConflictError: 409, GateError: 422, ServiceError: 503}
SHOWN_FIELDS = 5  # a body with hundreds of wrong fields is answered with the first few


def install(app: FastAPI) -> None:
    """Register the handlers on `app`."""

    @app.exception_handler(AstraError)
    def from_astra(_: Request, error: AstraError) -> JSONResponse:
        codes = (code for kind, code in STATUS_CODES.items() if isinstance(error, kind))
        return _refusal(next(codes, 400), error.what, without_path(error.where), error.remedy)

    @app.exception_handler(RequestValidationError)
    def from_validation(_: Request, error: RequestValidationError) -> JSONResponse:
        """Where and what, never the value: it may be a person's words."""
        where = []
        for fault in error.errors()[:SHOWN_FIELDS]:
            place = ".".join(str(part) for part in fault["loc"])
            where.append(f"{place}: {fault['msg']}")
        return _refusal(422, "the request is not valid", "; ".join(where), "See /docs")

    @app.exception_handler(StarletteHTTPException)
    def from_http(_: Request, error: StarletteHTTPException) -> JSONResponse:
        answer = _refusal(error.status_code, error.detail, None, None)
        answer.headers.update(error.headers or {})
        return answer


def without_path(where: str | None) -> str | None:
    """A file's name alone: an answer does not show the server's folders."""
    return Path(where).name if where and where.startswith("/") else where


def _refusal(code: int, error: str, where: str | None, remedy: str | None) -> JSONResponse:
    return JSONResponse({"error": error, "where": where, "remedy": remedy}, status_code=code)
