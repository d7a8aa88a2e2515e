"""One paragraph, from masked speech to audited XML: what the API, the page and `astra draft` all call."""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from astra_lib.core.audit import AuditLog
from astra_lib.core.errors import AstraError, GateError, InputError, MissingError, ServiceError, SettingsError
from astra_lib.core.records import Block, dumps, read_json, sha256_bytes
from astra_lib.core.registry import Registry
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store
from astra_lib.formatter import Context, build_prompt
from astra_lib.minutes import check, fragment_texts
from astra_lib.scrub import PlaceholderMap, Scrubber
from astra_lib.word.canonical import NOTHING

from .engine import Batcher, Engine, Generation
from .swap import Served, Swapper

log = logging.getLogger("astra.service")
CANARY = build_prompt("Se abre la sesión y se verifica el quórum.", Context())
MAX_BLOCK_CHARS = 12_000
# with or without its brackets: a small model forgets one
_PLACEHOLDER = re.compile(r"\[?\b[A-ZÁÉÍÓÚÑ]{3,}(?:_[A-ZÁÉÍÓÚÑ]+)*_\d+\b\]?")


@dataclass(frozen=True)
class ServedParagraph:
    """A paragraph as it leaves the service: names filled in, times of the audio it rests on."""

    xml: str
    text: str
    kind: str
    start_ms: int
    end_ms: int
    confidence: float
    audit_id: str
    unresolved: tuple[str, ...] = ()  # placeholders that the council's map does not know


@dataclass
class Ticket:
    """A block that was admitted: its prompt, the adapter it will be answered with, and the answer to come."""

    block: Block
    context: Context
    prompt: list[dict[str, str]]
    served: Served
    future: Future = field(repr=False)


class Service:
    """Engine, batcher, swapper, audit and the tenants' privacy maps, put together."""

    def __init__(
        self, settings: Settings, engine: Engine, registry: Registry, store: Store, audit: AuditLog
    ) -> None:
        self.settings, self.engine = settings, engine
        self.registry, self.store, self.audit = registry, store, audit
        self.batcher = Batcher(engine, settings.serve.max_batch, settings.serve.batch_wait_ms)
        cache, replica = settings.data_dir / "adapters", uuid.uuid4().hex[:12]
        self.swapper = Swapper(engine, self.batcher, registry, store, cache, CANARY, replica)
        self._privacy: dict[str, tuple[Scrubber, PlaceholderMap]] = {}
        self._privacy_lock = threading.Lock()
        self.started = time.time()

    @classmethod
    def open(cls, settings: Settings) -> Service:
        """Load the base model and connect to S3 and Redis; the swapper follows promotions from here on."""
        from astra_lib.core.base_model import ensure_base

        if settings.serve.vllm_url:
            raise SettingsError(
                "serving through vLLM is not built yet", where="[serve] vllm_url", remedy="Leave it empty"
            )
        service = cls(
            settings,
            Engine.load(ensure_base(settings), settings.model.revision),
            Registry.open(settings),
            Store.open(settings),
            AuditLog.open(settings),
        )
        service.swapper.start()
        return service

    def close(self) -> None:
        self.swapper.stop()
        self.batcher.close()

    def privacy(self, tenant: str) -> tuple[Scrubber, PlaceholderMap]:
        """The tenant's scrubber and placeholder map, made from data_dir/tenants/<tenant>/roster.json."""
        with self._privacy_lock:
            if tenant not in self._privacy:
                roster = self.settings.data_dir / "tenants" / tenant / "roster.json"
                if not roster.is_file():
                    raise MissingError(
                        "no roster for this tenant",
                        where=str(roster),
                        remedy="Put the councillors' roster.json there: names cannot be protected without it",
                    )
                placeholders = PlaceholderMap.open(tenant, self.settings)
                scrubber = Scrubber(tenant, read_json(roster), placeholders)
                self._privacy[tenant] = (scrubber, placeholders)
            return self._privacy[tenant]

    def mask(self, tenant: str, text: str, spoken: bool = False) -> str:
        """`text` with placeholders for people and their data; `spoken`: a recogniser wrote it.

        One thread at a time, because new placeholders are numbered.
        """
        if not text:
            return ""
        scrubber, _ = self.privacy(tenant)
        with self._privacy_lock:
            return scrubber.mask(text, spoken).text

    def admit(self, tenant: str, block: Block, context: Context = Context()) -> Ticket:
        """Mask a block, take the adapter now in service, and queue it."""
        if not block.text.strip():
            raise InputError("a block without text", where=f"{block.start:.1f}-{block.end:.1f} s")
        if len(block.text) > MAX_BLOCK_CHARS or block.end < block.start:
            raise InputError(
                f"a block of {len(block.text)} characters, {block.start:.1f}-{block.end:.1f} s",
                remedy=f"At most {MAX_BLOCK_CHARS} characters, end after start",
            )
        served = self.swapper.served(tenant)
        seen = Context(self.mask(tenant, context.agenda), self.mask(tenant, context.previous), context.role)
        prompt = build_prompt(self.mask(tenant, block.text, spoken=True), seen)
        future = self.batcher.submit(prompt, served.bundle, self.settings.serve.max_new_tokens)
        return Ticket(block, context, prompt, served, future)

    def finish(
        self, ticket: Ticket, tenant: str, session_id: str, transcript_sha256: str, timeout_s: float = 600
    ) -> list[ServedParagraph]:
        """Wait for the answer, refuse what does not validate, fill in the names, write the audit.

        Nothing is served without its audit record: with Redis away this raises `ServiceError` (HTTP 503), the
        answer is thrown away and the caller sends the block again.
        """
        made = _answer(ticket, timeout_s)
        if made.text == NOTHING:
            return []
        if violations := check(made.text):
            raise GateError(
                f"the answer does not validate ({violations[0].rule})",
                where=f"{ticket.block.start:.1f} s",
                remedy="Send the block again, or roll the adapter back",
            )
        _, placeholders = self.privacy(tenant)
        paragraphs = []
        for text, kind, masked_xml in fragment_texts(made.text):
            if not text.strip():
                continue
            xml = placeholders.unmask(masked_xml, xml=True)
            # read from the XML: a placeholder broken by a run of bold is filled in the bare text only
            filled = "".join(piece for piece, _, _ in fragment_texts(xml))
            record = self._record(ticket, tenant, session_id, transcript_sha256, made, xml)
            paragraphs.append(_served_paragraph(xml, filled, kind, record, self.audit.append(record)))
        return paragraphs

    def _record(
        self, ticket: Ticket, tenant: str, session_id: str, transcript_sha256: str, made: Generation, xml: str
    ) -> dict[str, Any]:
        bundle = ticket.served.bundle
        return {
            "tenant": tenant,
            "session_id": session_id,
            "start_ms": round(ticket.block.start * 1000),
            "end_ms": round(ticket.block.end * 1000),
            "transcript_sha256": transcript_sha256,
            "adapter_id": bundle.id,
            "adapter_sha256": bundle.sha256,
            "generation": ticket.served.generation,
            "base_model": self.engine.name,
            "prompt_sha256": sha256_bytes(dumps(ticket.prompt)),
            "confidence": round(made.confidence, 4),
            "output_sha256": sha256_bytes(xml),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }

    def process(
        self, tenant: str, session_id: str, blocks: list[Block]
    ) -> tuple[list[ServedParagraph], Served]:
        """All blocks of one request with one adapter version: admitted together, answered in order."""
        if not blocks:
            raise InputError("no blocks", remedy="Send at least one {start_ms, end_ms, speaker, text}")
        sha = sha256_bytes(dumps([[b.start, b.end, b.speaker, b.text] for b in blocks]))
        tickets = [self.admit(tenant, block) for block in blocks]
        paragraphs = []
        for ticket in tickets:
            paragraphs += self.finish(ticket, tenant, session_id, sha)
        return paragraphs, tickets[-1].served


def _answer(ticket: Ticket, timeout_s: float) -> Generation:
    """The generation a ticket waits for; `ServiceError` when the model failed or took too long."""
    try:
        return ticket.future.result(timeout=timeout_s)
    except AstraError:
        raise
    except TimeoutError:
        raise ServiceError(
            f"no answer within {timeout_s:.0f} s", remedy="Send it again in some minutes"
        ) from None
    except Exception as error:  # whatever the model ran into, the caller is told that nothing was written
        log.exception("generation failed")
        raise ServiceError(
            f"the model could not answer ({type(error).__name__})",
            where=f"{ticket.block.start:.1f} s",
            remedy="Send the block again; if it happens again, send it in smaller blocks",
        ) from error


def _served_paragraph(
    xml: str, text: str, kind: str, record: dict[str, Any], audit_id: str
) -> ServedParagraph:
    """The paragraph of `record`; a placeholder left in it halves its confidence."""
    unresolved = tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))
    confidence = record["confidence"] * (0.5 if unresolved else 1.0)
    start_ms, end_ms = record["start_ms"], record["end_ms"]
    return ServedParagraph(xml, text, kind, start_ms, end_ms, confidence, audit_id, unresolved)
