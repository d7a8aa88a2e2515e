"""Publishing under a key that others write too: one wins, the other is told, nothing is overwritten."""

from __future__ import annotations

import io
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from astra_lib.core.errors import ConflictError, MissingError
from astra_lib.core.records import sha256_bytes
from astra_lib.core.store import Store

from .waiting import HANG_S


@pytest.fixture
def key() -> str:
    return f"published/{secrets.token_hex(8)}.jsonl"


def outcome(store: Store, key: str, data: bytes, replaces: str = "") -> str:
    try:
        return store.publish(key, data, replaces)
    except ConflictError as error:
        return str(error)


def test_of_two_writers_of_a_new_key_one_loses_and_is_told(store: Store, key: str, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    assert store.publish(key, tmp_path / "ours") == sha256_bytes("ours")
    with pytest.raises(ConflictError, match="somebody else wrote it first") as caught:
        store.publish(key, tmp_path / "theirs")
    assert (
        key in str(caught.value)
        and sha256_bytes("ours")[:12] in str(caught.value)
        and "not stored" in str(caught.value)
    )
    assert store.get_bytes(key, sha256_bytes("ours")) == b"ours"


def test_the_same_bytes_again_are_no_error(store: Store, key: str) -> None:
    first = store.publish(key, b"rows")
    written = store.head(key)["LastModified"], store.head(key)["Metadata"]
    assert store.publish(key, b"rows") == store.publish(key, b"rows", replaces=first) == first
    assert store.publish(key, b"rows", replaces=sha256_bytes("long gone")) == first, (
        "what was wanted is there, whoever did it"
    )
    assert (store.head(key)["LastModified"], store.head(key)["Metadata"]) == written, (
        "and it was not written again"
    )


def test_replacing_goes_only_from_the_bytes_one_has_seen(store: Store, key: str) -> None:
    first = store.publish(key, b"one")
    second = store.publish(key, b"two", replaces=first)
    with pytest.raises(ConflictError):
        store.publish(key, b"three", replaces=first)
    assert store.get_bytes(key, second) == b"two"
    store.delete(key)
    with pytest.raises(ConflictError, match="removed"):
        store.publish(key, b"three", replaces=second)
    assert not store.exists(key)


@pytest.mark.parametrize("replacing", [False, True])
def test_of_twelve_at_once_exactly_one_wins(store: Store, key: str, replacing: bool) -> None:
    seen = store.publish(key, b"before") if replacing else ""
    bodies = [f"writer {n}".encode() for n in range(12)]
    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(lambda body: outcome(store, key, body, seen), bodies))
    won = [n for n, result in enumerate(results) if result == sha256_bytes(bodies[n])]
    assert len(won) == 1 and store.get_bytes(key) == bodies[won[0]]
    assert all("somebody else wrote it first" in results[n] for n in range(12) if n not in won)


def test_twelve_with_the_same_bytes_all_succeed(store: Store, key: str) -> None:
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(lambda _: outcome(store, key, b"same"), range(12))) == {sha256_bytes("same")}


def test_the_server_itself_refuses_a_stale_tag(store: Store, key: str) -> None:
    """Not our comparison before the write: the write itself is conditional."""
    store.publish(key, b"one")
    stale = store.stored(key)[1]
    store.put_bytes(key, b"two")
    with pytest.raises(ConflictError, match="changed meanwhile"):
        store._put(key, io.BytesIO(b"three"), False, if_match=stale)
    assert store.get_bytes(key) == b"two"


def test_an_object_that_came_by_a_presigned_url_is_compared_by_its_bytes(store: Store, key: str) -> None:
    assert httpx.put(store.presign_put(key), content=b"from outside", timeout=HANG_S).status_code == 200
    assert store.stored(key)[0] == sha256_bytes("from outside")
    assert store.publish(key, b"from outside") == sha256_bytes("from outside")
    with pytest.raises(ConflictError):
        store.publish(key, b"other")
    assert store.publish(key, b"other", replaces=sha256_bytes("from outside")) == sha256_bytes("other")


def test_a_file_that_is_not_there_is_said(store: Store, key: str, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such file"):
        store.publish(key, tmp_path / "absent")


@hypothesis_settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=6))
def test_a_chain_of_replacements_ends_at_the_last(store: Store, bodies: list[bytes]) -> None:
    key, seen = f"published/{secrets.token_hex(8)}", ""
    for body in bodies:
        seen = store.publish(key, body, replaces=seen)
    assert store.get_bytes(key) == bodies[-1] and seen == sha256_bytes(bodies[-1])
