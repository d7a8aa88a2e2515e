"""The audit chain: whatever is done to it is found, and every replica writes the same one."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from astra_lib.core.audit import GENESIS, AuditLog, head_key, records_key, segments_prefix
from astra_lib.core.clients import s3_client
from astra_lib.core.errors import AstraError, GateError, InputError, MissingError
from astra_lib.core.records import AuditRecord, dumps, from_dict, sha256_bytes
from astra_lib.core.registry import Registry
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store


@pytest.fixture
def log(settings: Settings) -> AuditLog:
    return AuditLog.open(settings)


def served(tenant: str, number: int = 0, /, **changed: object) -> dict:
    return {
        "tenant": tenant,
        "session_id": f"sesión-{number}",
        "start_ms": number * 1000,
        "end_ms": number * 1000 + 900,
        "transcript_sha256": "a" * 64,
        "adapter_id": "adapter",
        "adapter_sha256": "b" * 64,
        "generation": 1,
        "base_model": "base",
        "prompt_sha256": "c" * 64,
        "confidence": 0.5,
        "output_sha256": "d" * 64,
        "time": "2026-11-22T10:00:00.000+00:00",
        **changed,
    }


def chain(log: AuditLog, tenant: str, length: int) -> list[str]:
    return [log.append(served(tenant, i)) for i in range(length)]


def fresh() -> str:
    return f"audit-{time.monotonic_ns()}"


def rewrite(log: AuditLog, tenant: str, texts: list[str]) -> None:
    """As somebody with full access to Redis could: put other records in the stream."""
    log.client.delete(records_key(tenant))
    for number, text in enumerate(texts, 1):
        log.client.xadd(records_key(tenant), {"record": text}, id=f"{number}-0")


def test_records_are_linked_and_found(log: AuditLog, tenant: str) -> None:
    ids = chain(log, tenant, 5)
    records = [log.get(audit_id) for audit_id in ids]
    assert [r.session_id for r in records] == [f"sesión-{i}" for i in range(5)]
    assert records[0].previous == GENESIS
    for before, after in zip(records, records[1:], strict=False):
        assert after.previous == sha256_bytes(dumps(before.__dict__))
    assert log.verify(tenant) == 5
    assert log.get(log.append(records[0])).session_id == "sesión-0"  # a record's own links are not taken over
    assert log.verify(tenant) == 6


def test_what_is_not_there(log: AuditLog, tenant: str) -> None:
    with pytest.raises(MissingError, match="nothing was ever served"):
        log.verify(tenant)
    first = chain(log, tenant, 1)[0]
    for audit_id in (
        "",
        "x",
        "a-b",
        first[:-1] + "?",
        f"{tenant}-2-00000000",
        f"{tenant}-x-1",
        "other-1-abcdefab",
        "../../-1-x",
    ):
        with pytest.raises(AstraError):
            log.get(audit_id)


def test_a_record_that_is_none_is_refused(log: AuditLog, tenant: str) -> None:
    for changed in ({"unknown": 1}, {"confidence": float("nan")}, {"tenant": "not a tenant"}):
        with pytest.raises(InputError):
            log.append(served(tenant, **changed))  # type: ignore[arg-type]
    short = served(tenant)
    del short["output_sha256"]
    with pytest.raises(InputError, match="output_sha256"):
        log.append(short)
    with pytest.raises(MissingError):
        log.verify(tenant)


@pytest.fixture(scope="module")
def honest(settings: Settings) -> tuple[AuditLog, str, list[str], dict[str, str]]:
    """A chain of eight, its records as text and its head."""
    log, tenant = AuditLog.open(settings), fresh()
    chain(log, tenant, 8)
    texts = [row["record"] for _, row in log.client.xrange(records_key(tenant))]
    return log, tenant, texts, log.client.hgetall(head_key(tenant))


def relinked(texts: list[str]) -> list[str]:
    """The same records with every link made right again."""
    previous, out = GENESIS, []
    for text in texts:
        out.append(dumps({**json.loads(text), "previous": previous}))
        previous = sha256_bytes(out[-1])
    return out


@hypothesis_settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_every_edit_deletion_insertion_and_reordering_is_found(
    honest: tuple[AuditLog, str, list[str], dict[str, str]], data: st.DataObject
) -> None:
    log, tenant, texts, head = honest
    changed = list(texts)
    kind = data.draw(st.sampled_from(["edit", "delete", "cut", "swap", "insert", "double", "bytes"]))
    place = data.draw(st.integers(0, len(texts) - 1))
    if kind == "edit":
        row = json.loads(changed[place])
        field = data.draw(st.sampled_from(sorted(row)))
        row[field] = data.draw(st.integers(0, 9) | st.text(max_size=3))
        changed[place] = dumps(row)
    elif kind == "delete":
        del changed[place]
    elif kind == "cut":
        changed = changed[:place]
    elif kind == "swap":
        other = data.draw(st.integers(0, len(texts) - 1))
        changed[place], changed[other] = changed[other], changed[place]
    elif kind in {"insert", "double"}:
        row = {**json.loads(changed[place]), **({"session_id": "invented"} if kind == "insert" else {})}
        changed.insert(data.draw(st.integers(0, len(texts))), dumps(row))
    else:
        at = data.draw(st.integers(0, len(changed[place]) - 1))
        changed[place] = (
            changed[place][:at]
            + data.draw(st.characters(exclude_categories=("Cs",)))
            + changed[place][at + 1 :]
        )
    if kind != "cut" and data.draw(st.booleans()):
        with suppress(ValueError):
            changed = relinked(changed)  # a forger who repairs the links
    assume(changed != texts)
    rewrite(log, tenant, changed)
    with pytest.raises(GateError, match="broken"):
        log.verify(tenant)
    rewrite(log, tenant, texts)
    assert log.client.hgetall(head_key(tenant)) == head
    assert log.verify(tenant) == len(texts)


def test_a_head_that_was_changed_is_found(log: AuditLog, tenant: str) -> None:
    chain(log, tenant, 3)
    head = log.client.hgetall(head_key(tenant))
    for forged in ({"count": "2"}, {"count": "4"}, {"last": "0" * 64}):
        log.client.hset(head_key(tenant), mapping={**head, **forged})
        with pytest.raises(GateError):
            log.verify(tenant)
    log.client.delete(head_key(tenant))
    with pytest.raises(GateError):
        log.verify(tenant)
    with pytest.raises(AstraError):  # and nothing is appended to a chain whose head is gone
        log.append(served(tenant))


def test_many_writers_one_chain(settings: Settings, tenant: str) -> None:
    replicas = [AuditLog.open(settings) for _ in range(3)]

    def write(who: int) -> list[str]:
        return [replicas[who % 3].append(served(tenant, who * 100 + i)) for i in range(25)]

    with ThreadPoolExecutor(6) as pool:
        ids = [audit_id for batch in pool.map(write, range(6)) for audit_id in batch]
    assert len(set(ids)) == 150
    assert replicas[0].verify(tenant) == 150
    assert {replicas[1].get(audit_id).session_id for audit_id in ids} == {
        f"sesión-{w * 100 + i}" for w in range(6) for i in range(25)
    }


def test_an_append_whose_answer_was_lost_is_not_doubled(log: AuditLog, tenant: str) -> None:
    """The client library sends the same script call again when the connection broke before the answer."""
    real, calls = log._append, []

    def twice(**call):
        calls.append(call)
        first = real(**call)
        AuditLog(log.client, log.store).append(served(tenant, 99))  # somebody else comes in between
        assert first[0] == "done"
        return real(**call)

    log._append = twice
    audit_id = log.append(served(tenant, 1))
    log._append = real
    assert len(calls) == 1
    assert log.verify(tenant) == 2
    assert log.get(audit_id).session_id == "sesión-1"


def test_full_segments_are_sealed_and_guard_what_redis_says(settings: Settings) -> None:
    log, tenant = AuditLog.open(settings), fresh()
    log.segment = 10
    ids = chain(log, tenant, 34)
    sealed = log.store.list(segments_prefix(tenant))
    assert [key.rsplit("/", 1)[1] for key in sealed] == [
        "000000000001-000000000010.jsonl",
        "000000000011-000000000020.jsonl",
        "000000000021-000000000030.jsonl",
    ]
    assert log.client.xlen(records_key(tenant)) == 14  # the last sealed segment and the open end
    assert log.verify(tenant) == 34
    assert [log.get(i).session_id for i in (ids[0], ids[9], ids[10], ids[33])] == [
        "sesión-0",
        "sesión-9",
        "sesión-10",
        "sesión-33",
    ]
    assert log.seal(tenant) == 30

    kept = log.store.get_bytes(sealed[1])
    for damage in (
        kept.replace(b"adapter", b"another", 1),
        kept[:-5],
        b"\n".join(reversed(kept.split(b"\n"))),
        b"",
    ):
        log.store.put_bytes(sealed[1], damage)
        with pytest.raises(GateError):
            log.verify(tenant)
    log.store.delete(sealed[1])
    with pytest.raises(GateError, match="record 11 is missing"):
        log.verify(tenant)
    log.store.put_bytes(sealed[1], kept)
    assert log.verify(tenant) == 34

    # a forger who rewrites all that Redis holds, links and head included, meets the sealed copy
    rows = log.client.xrange(records_key(tenant))
    forged = [dumps({**json.loads(row["record"]), "output_sha256": "f" * 64}) for _, row in rows]
    previous = json.loads(rows[0][1]["record"])["previous"]
    log.client.delete(records_key(tenant))
    for (entry, _), text in zip(rows, forged, strict=True):
        text = dumps({**json.loads(text), "previous": previous})
        previous = sha256_bytes(text)
        log.client.xadd(records_key(tenant), {"record": text}, id=entry)
    log.client.hset(head_key(tenant), "last", previous)
    with pytest.raises(GateError, match="differs from what was sealed"):
        log.verify(tenant)


def test_a_redis_that_lost_everything_does_not_begin_a_second_chain(settings: Settings) -> None:
    log, tenant = AuditLog.open(settings), fresh()
    log.segment = 5
    chain(log, tenant, 6)
    log.client.delete(records_key(tenant), head_key(tenant))
    with pytest.raises(GateError, match="Restore Redis"):
        log.append(served(tenant))
    with pytest.raises(GateError):
        log.verify(tenant)


def test_without_the_object_store_records_are_kept_and_sealed_later(settings: Settings, store: Store) -> None:
    tenant = fresh()
    away = Store(s3_client("http://127.0.0.1:9", "k", "s", "us-east-1", attempts=1, timeout_s=0.5), "astra")
    log = AuditLog.open(settings)
    log.segment = 5
    first = log.append(served(tenant))
    log.store = away
    ids = [first, *(log.append(served(tenant, i)) for i in range(1, 7))]
    log.store = store
    assert log.verify(tenant) == 7
    ids += chain(log, tenant, 3)
    assert len(store.list(segments_prefix(tenant))) == 2
    assert log.verify(tenant) == 10
    assert log.get(ids[1]).session_id == "sesión-1"


def test_tenants_do_not_share_a_chain(log: AuditLog, registry: Registry) -> None:
    one, other = fresh(), fresh() + "-b"
    chain(log, one, 2)
    chain(log, other, 3)
    assert (log.verify(one), log.verify(other)) == (2, 3)
    moved = log.client.xrange(records_key(other))[0][1]
    log.client.delete(records_key(one))
    log.client.xadd(records_key(one), moved, id="1-0")
    with pytest.raises(GateError):
        log.verify(one)


def test_a_record_reads_back_as_it_was_written(log: AuditLog, tenant: str) -> None:
    text = "línea\u2028otra\u0085más\ttab"
    found = log.get(log.append(served(tenant, session_id=text)))
    assert found == from_dict(
        AuditRecord, {**served(tenant, session_id=text), "audit_id": found.audit_id, "previous": GENESIS}
    )
    assert log.verify(tenant) == 1


def test_command_line_says_what_is_broken(
    log: AuditLog, tenant: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from astra_cli.main import main as astra

    chain(log, tenant, 2)
    assert astra(["audit", "verify", "--tenant", tenant]) == 0
    assert "2 records" in capsys.readouterr().out
    log.client.xdel(records_key(tenant), "1-0")
    assert astra(["audit", "verify", "--tenant", tenant]) == 3
    assert "record 1 is missing" in capsys.readouterr().err
