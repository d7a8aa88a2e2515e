"""Which adapter each council is served with: a compare-and-set in Redis, its history, and a gate before it.

The truth is the hash `current:{tenant}` with its generation; the stream `promotions:{tenant}` is its history
and is never trimmed. A publish on the channel `promotions` only wakes who waits (see `events`). A rollback is
a promotion too: a new generation that points at an earlier adapter.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import services
from .clients import redis_client, redis_errors, without_password
from .errors import ConflictError, GateError, InputError, MissingError
from .records import dumps, read_json, sha256_bytes, sha256_file
from .settings import Settings
from .tenants import check_tenant

CHANNEL = "promotions"
_TENANTS = "tenants"
_SHA256 = re.compile(r"[0-9a-f]{64}")

# KEYS: current, promotions. ARGV: expected generation, operation id, promotion as JSON, channel, tenant. The
# operation id makes sending it twice harmless: a client resends when the connection broke before the answer.
_PROMOTE = """
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation then return {'unknown', '0'} end
if redis.call('HGET', KEYS[1], 'operation') == ARGV[2] then
  return {'done', redis.call('HGET', KEYS[1], 'promotion')}
end
if generation ~= ARGV[1] then return {'conflict', generation} end
local following = string.format('%d', tonumber(generation) + 1)
redis.call('HSET', KEYS[1], 'generation', following, 'operation', ARGV[2], 'promotion', ARGV[3])
redis.call('XADD', KEYS[2], '*', 'promotion', ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return {'done', ARGV[3]}
"""


@dataclass(frozen=True)
class AdapterRef:
    """An adapter in the object store: `key` of its zip, and the sha256 of the zip and of its card."""

    id: str
    tenant: str
    key: str
    sha256: str
    card_sha256: str


@dataclass(frozen=True)
class Promotion:
    """One generation of a tenant.

    `previous`: the id of the adapter before. `restores`: the generation that a rollback went back to.
    """

    tenant: str
    generation: int
    adapter: AdapterRef
    previous: str
    verdict_run: str
    verdict_sha256: str
    time: str
    by: str
    restores: int | None = None


class Registry:
    """Safe to share between threads."""

    def __init__(self, client: Any, address: str = "Redis") -> None:
        self.client, self.address = client, address
        self._promote = client.register_script(_PROMOTE)

    @classmethod
    def open(cls, settings: Settings) -> Registry:
        """The configured Redis or the embedded one (started if need be)."""
        url = services.up(settings).redis_url
        registry = cls(redis_client(url), without_password(url))
        with redis_errors(registry.address):
            registry.client.ping()
        return registry

    def register_tenant(self, tenant: str) -> None:
        """Make a council known; does nothing when it is. `InputError` for a name that is no key or folder."""
        check_tenant(tenant)
        with redis_errors(self.address, doing="register a tenant"):
            self.client.hsetnx(current_key(tenant), "generation", "0")
            self.client.sadd(_TENANTS, tenant)

    def tenants(self) -> list[str]:
        with redis_errors(self.address, doing="list the tenants"):
            return sorted(self.client.smembers(_TENANTS))

    def current(self, tenant: str) -> Promotion | None:
        """What is in service, None before the first promotion. An unknown tenant raises `MissingError`."""
        return self.currents([tenant])[tenant]

    def currents(self, tenants: list[str]) -> dict[str, Promotion | None]:
        """`current` of several, in one exchange."""
        with redis_errors(self.address, doing="read what is in service"):
            pipe = self.client.pipeline(transaction=False)
            for tenant in tenants:
                pipe.hmget(current_key(check_tenant(tenant)), "generation", "promotion")
            rows = pipe.execute()
        found: dict[str, Promotion | None] = {}
        for tenant, (generation, promotion) in zip(tenants, rows, strict=True):
            if generation is None:
                raise _unknown(tenant)
            found[tenant] = read_promotion(promotion) if promotion else None
        return found

    def history(self, tenant: str) -> list[Promotion]:
        """Every generation, oldest first."""
        self.current(tenant)  # an unknown tenant is an error, not an empty history
        with redis_errors(self.address, doing="read the history"):
            return [read_promotion(row["promotion"]) for _, row in self.client.xrange(promotions_key(tenant))]

    def promote(
        self,
        tenant: str,
        adapter: AdapterRef,
        expected_generation: int,
        *,
        verdict: Mapping[str, Any] | Path | str,
        verdict_run: str = "",
        verdict_sha256: str | None = None,
        by: str = "astra",
    ) -> Promotion:
        """Put a judged adapter into service as generation `expected_generation + 1`.

        `verdict`: the Judge's verdict or the path of its file, which must be the one of `verdict_sha256` when
        given. Raises `GateError` unless it says PROMOTED for this very adapter, `ConflictError` when somebody
        else promoted first, `MissingError` for an unknown tenant. The same call again returns the same
        promotion.
        """
        check_tenant(tenant)
        judged = check_verdict(verdict, tenant, adapter, verdict_sha256)
        operation = sha256_bytes(dumps([tenant, asdict(adapter), judged, verdict_run, expected_generation]))
        previous = self.current(tenant)
        if expected_generation > (serving := previous.generation if previous else 0):
            raise ConflictError(
                f"generation {serving} is in service, not {expected_generation}",
                where=tenant,
                remedy="Look at `astra models` and decide again",
            )
        return self._set(
            operation,
            expected_generation,
            Promotion(
                tenant,
                expected_generation + 1,
                adapter,
                previous.adapter.id if previous else "",
                verdict_run,
                judged,
                _now(),
                by,
            ),
        )

    def rollback(
        self,
        tenant: str,
        *,
        to_generation: int | None = None,
        expected_generation: int | None = None,
        by: str = "astra rollback",
    ) -> Promotion:
        """A new generation with an earlier adapter: the one before this one's, or that of `to_generation`.

        Rolling back twice goes back twice. Raises `MissingError` when there is nothing to go back to.
        """
        current = self.current(tenant)
        if current is None:
            raise MissingError("nothing is in service", where=tenant, remedy="Promote an adapter first")
        if expected_generation not in {None, current.generation}:
            raise ConflictError(
                f"generation {current.generation} is in service, not {expected_generation}",
                where=tenant,
                remedy="Look at `astra models` and decide again",
            )
        past = {promotion.generation: promotion for promotion in self.history(tenant)}
        target = past.get(to_generation) if to_generation is not None else _before(current, past)
        if target is None:
            raise MissingError(
                "there is no earlier adapter"
                if to_generation is None
                else f"there was no generation {to_generation}",
                where=tenant,
                remedy="`astra models` shows the history",
            )
        return self._set(
            secrets.token_hex(16),
            current.generation,
            Promotion(
                tenant,
                current.generation + 1,
                target.adapter,
                current.adapter.id,
                target.verdict_run,
                target.verdict_sha256,
                _now(),
                by,
                restores=target.restores or target.generation,
            ),
        )

    def close(self) -> None:
        self.client.close()

    def _set(self, operation: str, expected: int, promotion: Promotion) -> Promotion:
        tenant = promotion.tenant
        with redis_errors(self.address, doing="change what is in service"):
            outcome, value = self._promote(
                keys=[current_key(tenant), promotions_key(tenant)],
                args=[str(expected), operation, dumps(asdict(promotion)), CHANNEL, tenant],
            )
        if outcome == "unknown":
            raise _unknown(tenant)
        if outcome == "conflict":
            raise ConflictError(
                f"generation {value} is in service, not {expected}",
                where=tenant,
                remedy="Somebody else changed it: look at `astra models` and decide again",
            )
        return read_promotion(value)


def check_verdict(
    verdict: Mapping[str, Any] | Path | str, tenant: str, adapter: AdapterRef, sha256: str | None = None
) -> str:
    """The verdict's sha256 when it lets this adapter through; `GateError` otherwise."""
    where = str(verdict) if isinstance(verdict, (Path, str)) else f"verdict on {adapter.id}"
    if isinstance(verdict, (Path, str)):
        content, found = read_json(verdict), sha256_file(verdict)
    else:
        content, found = verdict, sha256_bytes(dumps(dict(verdict)))
    if sha256 not in {None, found}:
        raise GateError(
            f"the verdict has sha256 {found[:12]}…, expected {str(sha256)[:12]}…",
            where=where,
            remedy="It was changed after it was given: judge again",
        )
    if not isinstance(content, Mapping) or content.get("verdict") != "PROMOTED":
        said = content.get("verdict") if isinstance(content, Mapping) else None
        raise GateError(
            f"the Judge said {said or 'nothing'}, not PROMOTED",
            where=where,
            remedy="Only an adapter that won may serve: train on more sessions",
        )
    if adapter.tenant != tenant:
        raise GateError(f"the adapter is {adapter.tenant!r}'s, not {tenant!r}'s", where=adapter.id)
    if not _SHA256.fullmatch(adapter.sha256) or content.get("candidate_sha256") != adapter.sha256:
        raise GateError(
            "the verdict is about another adapter",
            where=where,
            remedy="Promote the adapter that was judged, or judge this one",
        )
    return found


def current_key(tenant: str) -> str:
    # the braces keep both keys of a tenant in one slot of a Redis Cluster
    return f"current:{{{tenant}}}"


def promotions_key(tenant: str) -> str:
    return f"promotions:{{{tenant}}}"


def read_promotion(text: str) -> Promotion:
    import json

    row = json.loads(text)
    return Promotion(**{**row, "adapter": AdapterRef(**row["adapter"])})


def _before(current: Promotion, past: Mapping[int, Promotion]) -> Promotion | None:
    """The last generation with another adapter before the one that `current` is, or restores."""
    generation = current.restores or current.generation
    while (generation := generation - 1) > 0:
        found = past.get(generation)
        if found and found.restores is not None:
            generation = found.restores + 1  # what it restored is looked at next
        elif found and found.adapter.sha256 != current.adapter.sha256:
            return found
    return None


def _unknown(tenant: str) -> MissingError:
    return MissingError(
        "unknown tenant", where=tenant, remedy="Register it first; there is no default tenant"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
