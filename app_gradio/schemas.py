"""The bodies that clients may send, with their bounds; FastAPI checks them and shows them under /docs."""

from __future__ import annotations

from pydantic import BaseModel, Field


class BlockIn(BaseModel):
    """A stretch of speech; times are milliseconds of the recording."""

    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)
    speaker: str | None = None
    text: str = Field(max_length=12_000)


class ProcessIn(BaseModel):
    """The speech of one request; all its blocks are answered by one adapter version."""

    session_id: str = Field(min_length=1, max_length=120, pattern=r"^[\w.-]+$")
    blocks: list[BlockIn] = Field(min_length=1, max_length=64)


class CorrectionIn(BaseModel):
    """The clerk's text for a served paragraph; `xml` only where the form changed."""

    audit_id: str
    text: str = Field(max_length=20_000)
    xml: str | None = Field(default=None, max_length=60_000)


class TrainingIn(BaseModel):
    """A finished dataset run to train on."""

    dataset_run: str = Field(pattern=r"^[\w.-]+$")
