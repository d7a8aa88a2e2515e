"""What was served, and from what: one chain of records per council in which nothing can be changed unnoticed.

Every record holds the hash of the one before it. Replicas append through a compare-and-set on the chain's
head in Redis, so there is one order whoever writes. Every `segment` records the chain is also sealed in the
object store: whoever rewrites Redis would have to rewrite those as well, and once sealed the older ones leave
Redis.
"""

from __future__ import annotations

import json
import logging
import random
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from . import services
from .clients import redis_client, redis_errors, without_password
from .errors import ConflictError, GateError, InputError, MissingError, ServiceError
from .records import AuditRecord, dumps, from_dict, sha256_bytes, to_dict
from .settings import Settings
from .store import Store
from .tenants import check_tenant

log = logging.getLogger("astra.audit")
GENESIS = "0" * 64
_SEGMENT = 1000
_PATIENCE_S = 30.0

# KEYS: head (hash: count, last), records (stream, ids <count>-0). ARGV: previous hash, new hash, record,
# count. Sent twice (the answer was lost) it finds its own record at its place and says so.
_APPEND = """
local count = tonumber(redis.call('HGET', KEYS[1], 'count') or '0')
local last = redis.call('HGET', KEYS[1], 'last') or ARGV[5]
if last ~= ARGV[1] or count + 1 ~= tonumber(ARGV[4]) then
  local there = redis.call('XRANGE', KEYS[2], ARGV[4] .. '-0', ARGV[4] .. '-0')
  if there[1] and there[1][2][2] == ARGV[3] then return {'done', '', ''} end
  return {'moved', last, tostring(count)}
end
redis.call('XADD', KEYS[2], ARGV[4] .. '-0', 'record', ARGV[3])
redis.call('HSET', KEYS[1], 'count', ARGV[4], 'last', ARGV[2])
return {'done', '', ''}
"""


class AuditLog:
    """Safe to share between threads, and between replicas."""

    def __init__(self, client: Any, store: Store, *, address: str = "Redis", segment: int = _SEGMENT) -> None:
        self.client, self.store, self.address, self.segment = client, store, address, segment
        self._append = client.register_script(_APPEND)

    @classmethod
    def open(cls, settings: Settings) -> AuditLog:
        """In the configured or embedded Redis and S3."""
        url = services.up(settings).redis_url
        return cls(redis_client(url), Store.open(settings), address=without_password(url))

    def append(self, record: Mapping[str, Any] | AuditRecord) -> str:
        """Add a record to its tenant's chain and return its `audit_id`; both links are set here.

        It is written when this returns. Raises `InputError` for a record that is not one, `ServiceError` when
        Redis is away: then nothing may be served.
        """
        row = to_dict(record) if isinstance(record, AuditRecord) else dict(record)
        tenant, nonce = check_tenant(str(row.get("tenant", ""))), secrets.token_hex(4)
        deadline = time.monotonic() + _PATIENCE_S
        last, count = self._head(tenant)
        if count == 0 and self._segments(tenant):
            raise GateError(
                "Redis has lost this chain: sealed records exist, its head does not",
                where=tenant,
                remedy="Restore Redis from its backup before anything is served",
            )
        while True:
            number = count + 1
            row |= {"audit_id": f"{tenant}-{number}-{nonce}", "previous": last}
            try:
                text = dumps(to_dict(from_dict(AuditRecord, row, where="audit record")))
            except (TypeError, ValueError) as error:
                raise (
                    error if isinstance(error, InputError) else InputError(str(error), where="audit record")
                ) from None
            with redis_errors(self.address, doing="write the audit"):
                outcome, last, moved = self._append(
                    keys=[head_key(tenant), records_key(tenant)],
                    args=[row["previous"], sha256_bytes(text), text, number, GENESIS],
                )
            if outcome == "done":
                if number % self.segment == 0:
                    self._try_to_seal(tenant)
                return row["audit_id"]
            if time.monotonic() > deadline:
                raise ServiceError(
                    "too many writers on one chain", where=tenant, remedy="Send the request again"
                )
            count = int(moved)
            time.sleep(random.random() * 0.002)  # lets the others finish instead of colliding again

    def get(self, audit_id: str) -> AuditRecord:
        """One record by its id; `MissingError` when there is none."""
        tenant, _, rest = audit_id.rpartition("-")[0].rpartition("-")
        if not tenant or not rest.isdigit():
            raise MissingError("no such audit record", where=audit_id)
        number = int(rest)
        with redis_errors(self.address, doing="read the audit"):
            found = self.client.xrange(records_key(check_tenant(tenant)), f"{number}-0", f"{number}-0")
        lines = [found[0][1]["record"]] if found else self._sealed_lines(tenant, number)
        for line in lines:
            row = json.loads(line)
            if row["audit_id"] == audit_id:
                return from_dict(AuditRecord, row, where=audit_id)
        raise MissingError("no such audit record", where=audit_id)

    def verify(self, tenant: str) -> int:
        """Walk the whole chain; returns its length.

        Raises `GateError` at the first record that was changed, taken out, put in or moved, and
        `MissingError` when nothing was ever served for this tenant.
        """
        last, count = self._head(tenant)
        expected, previous = 1, GENESIS
        for number, text in self._walk(tenant):
            if number < expected:
                continue  # sealed, and still in Redis; compared in _walk
            if number != expected:
                raise _broken(tenant, expected, "is missing")
            previous = _link(tenant, number, text, previous)
            expected += 1
        walked = expected - 1
        if walked > count:  # appended while we walked
            fresh_last, fresh_count = self._head(tenant)
            if fresh_count < walked:
                raise _broken(tenant, count + 1, "is not counted in the chain's head")
            last, count = (previous, walked) if fresh_count > walked else (fresh_last, fresh_count)
        if walked == count == 0:
            raise MissingError(
                "nothing was ever served for this tenant", where=tenant, remedy="Check the tenant's name"
            )
        if walked < count:
            raise _broken(tenant, walked + 1, "is missing at the end")
        if previous != last:
            raise _broken(tenant, walked, "is not the one the chain's head names")
        return walked

    def seal(self, tenant: str) -> int:
        """Copy full segments that are not in the object store yet to it, then drop from Redis all but the
        last segment. Returns how many records are sealed. Raises `GateError` when the chain is broken."""
        sealed = self._segments(tenant)
        first = sealed[-1][1] + 1 if sealed else 1
        previous = sha256_bytes(self._lines(sealed[-1][2])[-1]) if sealed else GENESIS
        _, count = self._head(tenant)
        while first + self.segment - 1 <= count:
            final = first + self.segment - 1
            lines = [text for _, text in self._in_redis(tenant, first, final)]
            if len(lines) != self.segment:
                raise _broken(tenant, first, "or one of those after it is missing")
            for number, text in enumerate(lines, first):
                previous = _link(tenant, number, text, previous)
            body = "".join(f"{line}\n" for line in lines).encode()
            key = f"{segments_prefix(tenant)}{first:012d}-{final:012d}.jsonl"
            try:
                self.store.put_bytes(key, body, if_none_match=True)
            except ConflictError:  # another replica sealed it: it must have sealed the same
                if self.store.get_bytes(key) != body:
                    raise _broken(
                        tenant, first, "or one of those after it differs from what was sealed"
                    ) from None
            first = final + 1
        keep_from = first - self.segment
        if keep_from > 1:
            with redis_errors(self.address, doing="trim the audit"):
                self.client.xtrim(records_key(tenant), minid=f"{keep_from}-0", approximate=False)
        return first - 1

    def _try_to_seal(self, tenant: str) -> None:
        try:
            self.seal(tenant)
        except (
            ServiceError
        ) as error:  # the record is safe in Redis, and the next full segment seals this one too
            log.warning("audit of %s not sealed: %s", tenant, error)

    def _head(self, tenant: str) -> tuple[str, int]:
        with redis_errors(self.address, doing="read the audit"):
            last, count = self.client.hmget(head_key(check_tenant(tenant)), "last", "count")
        return last or GENESIS, int(count or 0)

    def _walk(self, tenant: str) -> Iterator[tuple[int, str]]:
        """(number, text) of all records: sealed ones, then Redis's. Where both exist they must agree."""
        overlap: dict[int, str] = {}
        for first, _, key in self._segments(tenant):
            lines = self._lines(key)
            overlap = {first + i: line for i, line in enumerate(lines)}
            yield from overlap.items()
        for number, text in self._in_redis(tenant, 1, None):
            if number in overlap and overlap[number] != text:
                raise _broken(tenant, number, "differs from what was sealed")
            yield number, text

    def _in_redis(self, tenant: str, first: int, final: int | None) -> Iterator[tuple[int, str]]:
        cursor = f"{first}-0"
        while True:
            with redis_errors(self.address, doing="read the audit"):
                rows = self.client.xrange(
                    records_key(tenant), cursor, f"{final}-0" if final else "+", count=500
                )
            for entry, row in rows:
                yield int(entry.partition("-")[0]), row.get("record", "")
            if len(rows) < 500:
                return
            cursor = f"({rows[-1][0]}"

    def _segments(self, tenant: str) -> list[tuple[int, int, str]]:
        found = []
        for key in self.store.list(segments_prefix(check_tenant(tenant))):
            first, _, final = key.rsplit("/", 1)[-1].removesuffix(".jsonl").partition("-")
            found.append((int(first), int(final), key))
        return found

    def _lines(self, key: str) -> list[str]:
        return self.store.get_bytes(key).decode("utf-8").split("\n")[:-1]

    def _sealed_lines(self, tenant: str, number: int) -> list[str]:
        for first, final, key in self._segments(tenant):
            if first <= number <= final:
                return self._lines(key)[number - first : number - first + 1]
        return []


def head_key(tenant: str) -> str:
    return f"audit-head:{{{tenant}}}"


def records_key(tenant: str) -> str:
    return f"audit:{{{tenant}}}"


def segments_prefix(tenant: str) -> str:
    return f"audit/{tenant}/"


def _link(tenant: str, number: int, text: str, previous: str) -> str:
    """The hash of record `number` when it follows `previous`; `GateError` otherwise."""
    try:
        row = json.loads(text)
        fits = (
            row["previous"] == previous
            and row["audit_id"].startswith(f"{tenant}-{number}-")
            and row["tenant"] == tenant
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        fits = False
    if not fits:
        raise _broken(tenant, number, "or the one before it was changed, moved or taken out")
    return sha256_bytes(text)


def _broken(tenant: str, number: int, how: str) -> GateError:
    return GateError(
        f"the audit chain is broken: record {number} {how}",
        where=tenant,
        remedy="Compare with a backup of Redis and the bucket's audit/ folder; keep both as evidence",
    )
