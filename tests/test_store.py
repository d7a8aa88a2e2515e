"""The object store under truncation, tampering, races and full disks; everything against the real server."""

from __future__ import annotations

import hashlib
import io
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from astra_lib.core import services
from astra_lib.core.clients import s3_client
from astra_lib.core.errors import ConflictError, InputError, MissingError, ServiceError
from astra_lib.core.records import sha256_bytes
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store, check_key

from .waiting import HANG_S, wait_for

NAME = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), min_size=1, max_size=20
).filter(lambda text: text.strip(". ") != "")


@hypothesis_settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=4000), name=NAME)
def test_what_goes_in_comes_out(store: Store, data: bytes, name: str) -> None:
    key = f"round/{name}"
    assert store.put_bytes(key, data) == sha256_bytes(data)
    assert store.get_bytes(key) == data
    assert store.list(key) and store.exists(key)


def test_files_json_and_listing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "acta.txt").write_text("Se aprobó por unanimidad", encoding="utf-8")
    sha = store.put_file("listing/one/acta.txt", tmp_path / "acta.txt")
    store.put_json("listing/two/x.json", {"sesión": [1, 2.5, None]})
    assert store.get_json("listing/two/x.json") == {"sesión": [1, 2.5, None]}
    assert store.get_file("listing/one/acta.txt", tmp_path / "deep" / "copy.txt", sha) == sha
    assert (tmp_path / "deep" / "copy.txt").read_bytes() == (tmp_path / "acta.txt").read_bytes()
    assert store.list("listing/") == ["listing/one/acta.txt", "listing/two/x.json"]
    assert store.folders("listing/") == ["one", "two"]
    store.delete("listing/one/acta.txt")
    assert not store.exists("listing/one/acta.txt")


def test_more_than_one_page_is_listed(store: Store) -> None:
    names = [f"pages/{i:04d}" for i in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.client.put_object(Bucket=store.bucket, Key=key, Body=b""), names))
    assert store.list("pages/") == names


def test_a_conditional_put_has_one_winner(store: Store) -> None:
    def claim(who: int) -> bool:
        try:
            store.put_bytes("claims/one", b"same bytes", if_none_match=True)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(claim, range(12))) == 1


def test_what_is_missing_or_misnamed(store: Store, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="s3://astra/nothing/here"):
        store.get_file("nothing/here", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MissingError):
        store.put_file("a", tmp_path / "absent")
    with pytest.raises(MissingError):
        store.ensure_prefix("nothing/", tmp_path)
    for key in ("", "/absolute", "../up", "a/../../b", "a\\b", "nul\0", "x" * 1025):
        with pytest.raises(InputError):
            check_key(key)
    with pytest.raises(InputError, match="JSON"):
        store.put_json("nan", {"x": float("nan")})
    store.put_bytes("cut.json", b'{"a": ')
    with pytest.raises(InputError, match="cut.json"):
        store.get_json("cut.json")


def test_a_truncated_upload_is_not_stored(store: Store) -> None:
    url = urlsplit(store.presign_put("truncated/one"))
    with socket.create_connection((url.hostname, url.port), 180) as link:
        link.sendall(
            f"PUT {url.path}?{url.query} HTTP/1.1\r\n"
            f"Host: {url.netloc}\r\nContent-Length: 100000\r\n\r\n".encode()
            + b"x" * 5000
        )
        link.shutdown(socket.SHUT_WR)
        while link.recv(4096):  # the store has made up its mind when it hangs up
            pass
    assert not store.exists("truncated/one")


class Shifting(io.BytesIO):
    """A file somebody writes to between our reading it for its hash and our sending it."""

    def seek(self, *where: int) -> int:
        self.getbuffer()[0:1] = b"Z"
        return super().seek(*where)


def test_a_file_that_changes_while_it_is_sent_is_refused(store: Store) -> None:
    with pytest.raises(ServiceError, match="(?i)digest|md5"):
        store._put("shifting", Shifting(b"a" * 2000), False)
    assert not store.exists("shifting")


def test_damage_in_the_store_is_found(store: Store, tmp_path: Path) -> None:
    store.client.put_object(
        Bucket=store.bucket, Key="damaged", Body=b"other bytes", Metadata={"sha256": "0" * 64}
    )
    with pytest.raises(ServiceError, match="do not match"):
        store.get_file("damaged", tmp_path / "damaged")
    store.put_bytes("replaced", b"new")
    with pytest.raises(InputError, match="not the expected"):
        store.get_file("replaced", tmp_path / "replaced", sha256_bytes(b"old"))
    assert list(tmp_path.iterdir()) == []


def test_presigned_urls_hold_for_one_object_and_a_time(store: Store) -> None:
    put, get = store.presign_put("presigned/one", 60), store.presign_get("presigned/one", 60)
    assert httpx.put(put, content=b"from the trainer", timeout=HANG_S).status_code == 200
    assert httpx.get(get, timeout=HANG_S).content == b"from the trainer"
    assert store.get_bytes("presigned/one", sha256_bytes(b"from the trainer")) == b"from the trainer"
    assert (
        httpx.put(put.replace("presigned/one", "presigned/two"), content=b"x", timeout=HANG_S).status_code
        == 403
    )
    assert httpx.get(get[:-1] + ("0" if get[-1] != "0" else "1"), timeout=HANG_S).status_code == 403
    assert httpx.get(put, timeout=HANG_S).status_code == 403
    short = store.presign_get("presigned/one", 1)
    wait_for(lambda: httpx.get(short, timeout=HANG_S).status_code == 403, "the end of the address")


def test_ensure_prefix_fetches_what_differs(store: Store, tmp_path: Path) -> None:
    store.put_bytes("folder/a", b"a")
    store.put_bytes("folder/sub/b", b"bb")
    assert store.ensure_prefix("folder/", tmp_path) == ["a", "sub/b"]
    kept = (tmp_path / "a").stat().st_mtime_ns
    (tmp_path / "sub/b").write_bytes(b"xx")
    store.ensure_prefix("folder/", tmp_path)
    assert (tmp_path / "sub/b").read_bytes() == b"bb"
    assert (tmp_path / "a").stat().st_mtime_ns == kept


@contextmanager
def cutting_proxy(target: str, cuts: int, after: int) -> Iterator[str]:
    """A proxy on loopback that breaks its first `cuts` answers after so many bytes."""
    where, remaining = urlsplit(target), [cuts]

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection((where.hostname, where.port)) as upstream:
            request = client.recv(1 << 16)
            while b"\r\n\r\n" not in request:
                request += client.recv(1 << 16)
            upstream.sendall(request.replace(b"Connection: keep-alive", b"Connection: close"))
            sent, cut = 0, request.startswith(b"GET") and remaining[0] > 0
            remaining[0] -= cut
            while chunk := upstream.recv(4096):
                client.sendall(chunk[: after - sent] if cut else chunk)
                sent += len(chunk)
                if cut and sent >= after:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("cuts", "works"), [(1, True), (99, False)])
def test_a_download_that_breaks_is_tried_again(
    store: Store, settings: Settings, tmp_path: Path, cuts: int, works: bool
) -> None:
    body = bytes(range(256)) * 400
    store.put_bytes("cut/one", body)
    where = services.endpoints(settings)
    with cutting_proxy(where.s3_endpoint, cuts, 30_000) as proxy:
        through = Store(
            s3_client(proxy, where.s3_access_key, where.s3_secret_key, "us-east-1", attempts=1, timeout_s=3),
            store.bucket,
        )
        if works:
            assert through.get_file("cut/one", tmp_path / "x") == hashlib.sha256(body).hexdigest()
        else:
            with pytest.raises(ServiceError):
                through.get_file("cut/one", tmp_path / "x")
            assert list(tmp_path.iterdir()) == []


def test_a_download_to_a_full_disk_leaves_nothing(store: Store, settings: Settings, tmp_path: Path) -> None:
    """The operating system's limit on a file's size stands in for the end of the disk."""
    store.put_bytes("large", b"x" * 200_000)
    script = (
        "import resource, sys\n"
        "from astra_lib.core import settings\nfrom astra_lib.core.store import Store\n"
        "from astra_lib.core.errors import DiskError\n"
        "store = Store.open(settings.load())\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: store.get_file('large', sys.argv[1])\n"
        "except DiskError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "large")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert "too large" in done.stdout.lower(), done.stderr
    assert str(tmp_path / "large") in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


def test_a_wrong_key_is_a_refusal_that_says_what_to_set(settings: Settings) -> None:
    where = services.endpoints(settings)
    stranger = Store(
        s3_client(where.s3_endpoint, where.s3_access_key, "wrong", "us-east-1", attempts=1),
        settings.s3.bucket,
    )
    with pytest.raises(ServiceError, match="ASTRA_S3_SECRET_KEY") as caught:
        stranger.put_bytes("x", b"x")
    assert where.s3_secret_key not in str(caught.value)
