"""Promotions: gates, races, rollbacks, and events that are lost, doubled or cut off by a restart of Redis."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from astra_lib.core import services
from astra_lib.core.errors import ConflictError, GateError, InputError, MissingError, ServiceError
from astra_lib.core.events import Events
from astra_lib.core.records import sha256_file, write_json
from astra_lib.core.registry import CHANNEL, AdapterRef, Promotion, Registry, current_key, promotions_key
from astra_lib.core.settings import Settings
from astra_lib.core.supervisor import Process

from .waiting import wait_for


def adapter(tenant: str, name: str) -> AdapterRef:
    return AdapterRef(
        name, tenant, f"adapters/{name}.zip", hashlib.sha256(name.encode()).hexdigest(), "c" * 64
    )


def verdict(name: str, said: str = "PROMOTED") -> dict:
    return {"verdict": said, "reasons": [], "candidate_sha256": hashlib.sha256(name.encode()).hexdigest()}


def promote(registry: Registry, tenant: str, name: str) -> Promotion:
    current = registry.current(tenant)
    return registry.promote(
        tenant,
        adapter(tenant, name),
        current.generation if current else 0,
        verdict=verdict(name),
        verdict_run="run",
    )


def test_a_promotion_is_read_back_with_its_history(registry: Registry, tenant: str) -> None:
    assert registry.current(tenant) is None
    assert registry.history(tenant) == []
    first, second = promote(registry, tenant, "a"), promote(registry, tenant, "b")
    assert (first.generation, first.previous) == (1, "")
    assert (second.generation, second.previous, second.restores) == (2, "a", None)
    assert registry.current(tenant) == second
    assert registry.history(tenant) == [first, second]
    assert tenant in registry.tenants()
    registry.register_tenant(tenant)  # again: nothing is lost
    assert registry.current(tenant) == second


def test_an_unknown_tenant_is_an_error_everywhere(registry: Registry) -> None:
    for call in (
        lambda: registry.current("nobody"),
        lambda: registry.history("nobody"),
        lambda: registry.rollback("nobody"),
        lambda: registry.promote("nobody", adapter("nobody", "a"), 0, verdict=verdict("a")),
    ):
        with pytest.raises(MissingError, match="nobody: unknown tenant"):
            call()
    assert not registry.client.exists(current_key("nobody"), promotions_key("nobody"))
    for name in ("", "a b", "../x", "{x}", "x" * 65, "ñ"):
        with pytest.raises(InputError):
            registry.register_tenant(name)


def test_nothing_is_promoted_without_its_own_verdict(registry: Registry, tenant: str, tmp_path: Path) -> None:
    mine = adapter(tenant, "a")
    path = write_json(tmp_path / "verdict.json", verdict("a"))
    refused: list[dict | Path] = [
        {},
        verdict("a", "REJECTED"),
        verdict("a", "INSUFFICIENT_EVIDENCE"),
        verdict("b"),
        {"verdict": "PROMOTED"},
        write_json(tmp_path / "list.json", ["PROMOTED"]),
    ]
    for each in refused:
        with pytest.raises(GateError):
            registry.promote(tenant, mine, 0, verdict=each)
    with pytest.raises(GateError, match="changed after it was given"):
        registry.promote(tenant, mine, 0, verdict=path, verdict_sha256="0" * 64)
    with pytest.raises(MissingError):
        registry.promote(tenant, mine, 0, verdict=tmp_path / "absent.json")
    with pytest.raises(GateError, match="other"):
        registry.promote(tenant, replace(mine, tenant="other"), 0, verdict=path)
    with pytest.raises(GateError):
        registry.promote(
            tenant, replace(mine, sha256=""), 0, verdict={"verdict": "PROMOTED", "candidate_sha256": ""}
        )
    assert registry.current(tenant) is None
    made = registry.promote(tenant, mine, 0, verdict=path, verdict_sha256=sha256_file(path))
    assert made.verdict_sha256 == sha256_file(path)


def test_of_racing_promotions_one_wins(registry: Registry, tenant: str) -> None:
    barrier = threading.Barrier(8)

    def race(number: int) -> int:
        barrier.wait()
        try:
            registry.promote(tenant, adapter(tenant, f"r{number}"), 0, verdict=verdict(f"r{number}"))
        except ConflictError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(race, range(8))) == 1
    assert len(registry.history(tenant)) == 1
    assert registry.client.xlen(promotions_key(tenant)) == 1


def test_generations_have_no_gap_however_many_write(registry: Registry, tenant: str) -> None:
    def work(who: int) -> int:
        won = 0
        while won < 10:
            try:
                promote(registry, tenant, f"w{who}-{won}")
            except ConflictError:
                continue
            won += 1
        return won

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [10] * 4
    history = registry.history(tenant)
    assert [p.generation for p in history] == list(range(1, 41))
    assert [p.previous for p in history[1:]] == [p.adapter.id for p in history[:-1]]


def test_the_same_call_again_changes_nothing(registry: Registry, tenant: str) -> None:
    """A client whose answer was lost sends the same again."""
    calls = [registry.promote(tenant, adapter(tenant, "a"), 0, verdict=verdict("a")) for _ in range(3)]
    assert calls[0] == calls[1] == calls[2]
    assert registry.client.xlen(promotions_key(tenant)) == 1
    with pytest.raises(ConflictError, match="generation 1 is in service, not 0"):
        registry.promote(tenant, adapter(tenant, "b"), 0, verdict=verdict("b"))
    with pytest.raises(ConflictError):
        registry.promote(tenant, adapter(tenant, "b"), 7, verdict=verdict("b"))


def test_rollback_is_a_new_generation_and_goes_on_back(registry: Registry, tenant: str) -> None:
    with pytest.raises(MissingError, match="nothing is in service"):
        registry.rollback(tenant)
    for name in "abc":
        promote(registry, tenant, name)
    back = registry.rollback(tenant)
    assert (back.adapter.id, back.generation) == ("b", 4) and registry.current(tenant) == back
    back = registry.rollback(tenant)
    assert (back.adapter.id, back.generation, back.restores, back.previous) == ("a", 5, 1, "b")
    with pytest.raises(MissingError, match="no earlier"):
        registry.rollback(tenant)
    promote(registry, tenant, "d")
    assert registry.rollback(tenant).adapter.id == "a"
    assert registry.rollback(tenant, to_generation=3).adapter.id == "c"
    with pytest.raises(MissingError, match="no generation 99"):
        registry.rollback(tenant, to_generation=99)
    with pytest.raises(ConflictError):
        registry.rollback(tenant, expected_generation=1)
    assert [p.adapter.id for p in registry.history(tenant)] == list("abcbadac")


@hypothesis_settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.sampled_from(["a", "b", "c", "back"]), max_size=14))
def test_any_sequence_keeps_a_stack_of_what_was_before(registry: Registry, steps: list[str]) -> None:
    """A model: promoting pushes, rolling back pops to another adapter; every change is one generation."""
    tenant = f"model-{time.monotonic_ns()}"
    registry.register_tenant(tenant)
    stack: list[str] = []
    changes = 0
    for step in steps:
        if step != "back":
            assert promote(registry, tenant, step).generation == changes + 1
            stack.append(step)
        else:
            below = list(stack)
            while below and below[-1] == stack[-1]:
                below.pop()
            if not below:
                with pytest.raises(MissingError):
                    registry.rollback(tenant)
                continue
            assert registry.rollback(tenant).adapter.id == below[-1]
            stack = below
        changes += 1
        current = registry.current(tenant)
        assert current
        assert (current.adapter.id, current.generation) == (stack[-1], changes)
    assert [p.generation for p in registry.history(tenant)] == list(range(1, changes + 1))


def only(found: list[Promotion], tenant: str) -> list[int]:
    return [p.generation for p in found if p.tenant == tenant]


def test_events_come_at_once_and_once(registry: Registry, tenant: str) -> None:
    feed = Events(registry, "replica-once", reconcile_s=3600)  # no timer brings it within the test
    for promotion in feed.poll(0):
        feed.done(promotion)
    later = threading.Timer(0.3, promote, (registry, tenant, "a"))
    later.start()
    found = feed.poll(3600)  # of which it takes as long as the message is under way
    assert only(found, tenant) == [1]
    feed.done(found[0])
    assert feed.poll(0.3) == []
    feed.close()


def test_two_replicas_hear_the_same(registry: Registry, tenant: str) -> None:
    feeds = [Events(registry, f"replica-{i}") for i in range(2)]
    for feed in feeds:
        for promotion in feed.poll(0):
            feed.done(promotion)
    promote(registry, tenant, "a")
    promote(registry, tenant, "b")
    assert [only(feed.poll(60), tenant) for feed in feeds] == [[2], [2]]  # the newest is enough


def test_doubled_and_late_events_change_nothing(registry: Registry, tenant: str) -> None:
    feed = Events(registry, "replica-doubled")
    feed.poll(0)
    first, second = promote(registry, tenant, "a"), promote(registry, tenant, "b")
    for promotion in (p for p in feed.poll(60) if p.tenant == tenant):
        feed.done(promotion)
    entries = registry.client.xrange(promotions_key(tenant))
    for _, row in [*entries, *reversed(entries)]:  # again, and in the wrong order
        registry.client.xadd(promotions_key(tenant), row)
        registry.client.publish(CHANNEL, tenant)
    assert only(feed.poll(0.5), tenant) == []
    assert registry.current(tenant) == second
    assert first.generation == 1


def test_lost_messages_are_found_by_comparing(registry: Registry, tenant: str) -> None:
    """Neither pub/sub nor the stream carries it: the timer's comparison with the truth does."""
    feed = Events(registry, "replica-lost", reconcile_s=0.5)
    for promotion in feed.poll(0):
        feed.done(promotion)
    made = promote(registry, tenant, "a")
    registry.client.delete(promotions_key(tenant))
    found = [p for p in feed.poll(60) if p.tenant == tenant]
    assert found == [made]


def test_a_replica_that_died_before_confirming_hears_again(registry: Registry, tenant: str) -> None:
    dying = Events(registry, "replica-dying")
    dying.poll(0)
    promote(registry, tenant, "a")
    assert only(dying.poll(60), tenant) == [1]
    dying.close()
    reborn = Events(registry, "replica-dying")
    found = [p for p in reborn.poll(60) if p.tenant == tenant]
    assert [p.generation for p in found] == [1]
    assert registry.client.xpending(promotions_key(tenant), reborn.group)["pending"] == 1
    reborn.done(found[0])
    assert registry.client.xpending(promotions_key(tenant), reborn.group)["pending"] == 0


def test_an_unconfirmed_promotion_comes_again_with_the_timer(registry: Registry, tenant: str) -> None:
    """Its adapter could not be loaded just now; it is offered again, not at every poll."""
    feed = Events(registry, "replica-retry", reconcile_s=3600)
    promote(registry, tenant, "a")
    assert only(feed.poll(0), tenant) == [1]
    assert only(feed.poll(0.1), tenant) == []
    feed.reconcile_s = 0.2
    assert only(feed.poll(60), tenant) == [1]


def test_groups_of_replicas_long_gone_are_deleted(registry: Registry, tenant: str) -> None:
    Events(registry, "replica-gone").poll(0)
    registry.client.zadd("replicas", {"replica-gone": time.time() - 30 * 24 * 3600})
    Events(registry, "replica-alive").poll(0)
    groups = {group["name"] for group in registry.client.xinfo_groups(promotions_key(tenant))}
    assert "replica:replica-alive" in groups
    assert "replica:replica-gone" not in groups


def test_wait_wakes_and_times_out(registry: Registry, tenant: str) -> None:
    feed = Events(registry, "waiting")
    assert feed.wake(60)  # it subscribed only now: it may have missed something
    started = time.monotonic()
    assert not feed.wake(0.4)
    assert time.monotonic() - started >= 0.4
    threading.Timer(0.2, promote, (registry, tenant, "a")).start()
    assert feed.wake(60)


class Replicas(RuleBasedStateMachine):
    """Two replicas that crash, lose messages and hear them twice; one tenant, promoted and rolled back.

    A replica puts nothing older than what it serves into service, and once it may compare it serves the
    truth.
    """

    registry: Registry

    @initialize()
    def begin(self) -> None:
        self.tenant = f"machine-{time.monotonic_ns()}"
        self.registry.register_tenant(self.tenant)
        self.names = [f"{self.tenant}-{i}" for i in range(2)]
        self.feeds = [Events(self.registry, name, reconcile_s=3600) for name in self.names]
        self.serving = [0, 0]

    @rule(name=st.sampled_from("abc"))
    def promotion(self, name: str) -> None:
        promote(self.registry, self.tenant, name)

    @rule()
    def rollback(self) -> None:
        with suppress(MissingError):
            self.registry.rollback(self.tenant)

    @rule(who=st.integers(0, 1), confirmed=st.booleans())
    def poll(self, who: int, confirmed: bool) -> None:
        for promotion in self.feeds[who].poll(0):
            if promotion.tenant == self.tenant:
                assert promotion.generation > self.serving[who]
                if confirmed:
                    self.serving[who] = promotion.generation
                    self.feeds[who].done(promotion)

    @rule(who=st.integers(0, 1))
    def crash(self, who: int) -> None:
        self.feeds[who].close()
        self.feeds[who] = Events(self.registry, self.names[who], reconcile_s=3600)
        self.serving[who] = 0

    @rule(data=st.data())
    def doubled(self, data: st.DataObject) -> None:
        if entries := self.registry.client.xrange(promotions_key(self.tenant)):
            self.registry.client.xadd(promotions_key(self.tenant), data.draw(st.sampled_from(entries))[1])

    @rule()
    def trimmed(self) -> None:
        self.registry.client.xtrim(promotions_key(self.tenant), maxlen=1, approximate=False)

    @rule()
    def stream_lost(self) -> None:
        self.registry.client.delete(promotions_key(self.tenant))

    def teardown(self) -> None:
        if not hasattr(self, "feeds"):
            return
        truth = self.registry.current(self.tenant)
        for who, feed in enumerate(self.feeds):
            feed._compared = -1e9  # the timer has run out
            for promotion in feed.poll(0):
                if promotion.tenant == self.tenant:
                    assert promotion.generation > self.serving[who]
                    self.serving[who] = promotion.generation
                    feed.done(promotion)
            feed.close()
            assert self.serving[who] == (truth.generation if truth else 0)
        self.registry.client.srem("tenants", self.tenant)


def test_replicas_serve_the_truth_whatever_is_lost_or_doubled(registry: Registry) -> None:
    machine = type("Machine", (Replicas,), {"registry": registry})
    run_state_machine_as_test(
        machine, settings=hypothesis_settings(max_examples=25, stateful_step_count=20, deadline=None)
    )


@pytest.fixture
def own_redis(
    settings: Settings, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> Settings:
    shared = services.endpoints(settings)
    monkeypatch.setenv("ASTRA_S3_ACCESS_KEY", shared.s3_access_key)
    monkeypatch.setenv("ASTRA_S3_SECRET_KEY", shared.s3_secret_key)
    return make_settings("own", S3_ENDPOINT=shared.s3_endpoint)


def more_than(things: list[Any]) -> Callable[[], bool]:
    """Whether `things` has grown since now, to be asked later."""
    now = len(things)
    return lambda: len(things) > now


def test_everything_survives_a_kill_of_redis(own_redis: Settings) -> None:
    """Redis dies under a listener and a promoter: nothing acknowledged is lost, nobody stops hearing."""
    registry, tenant = Registry.open(own_redis), "manantial"
    registry.register_tenant(tenant)
    heard: list[int] = []
    feed = Events(Registry.open(own_redis), "replica", reconcile_s=5)

    def listen() -> None:
        for promotion in feed:
            heard.append(promotion.generation)

    acknowledged: list[Promotion] = []
    refused: list[Exception] = []
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                acknowledged.append(promote(registry, tenant, f"n{number}"))
            except (ServiceError, ConflictError) as error:
                refused.append(error)
                stop.wait(0.05)

    threads = [threading.Thread(target=target, daemon=True) for target in (listen, work)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        wait_for(more_than(acknowledged), "a promotion")
        process = Process(own_redis.data_dir / "services" / "redis")
        lost = more_than(refused)
        assert process.send(signal.SIGKILL)
        assert process.wait_gone(60)
        wait_for(lost, "a promotion without Redis")
        services.up(own_redis)
        wait_for(more_than(acknowledged), "a promotion after the kill")
    stop.set()
    threads[1].join(60)
    history = registry.history(tenant)
    assert [p.generation for p in history] == list(range(1, len(history) + 1))
    assert {p.generation: p for p in history} | {p.generation: p for p in acknowledged} == {
        p.generation: p for p in history
    }
    assert registry.current(tenant) == history[-1]
    wait_for(lambda: heard and heard[-1] >= history[-1].generation, "the last promotion at the listener")
    feed.close()
    threads[0].join(60)
    assert heard[-1] == history[-1].generation
    assert heard == sorted(set(heard))


def test_without_redis_the_error_says_what_to_do(own_redis: Settings) -> None:
    registry = Registry.open(own_redis)
    feed = Events(registry, "replica")
    feed.poll(0)
    services.down(own_redis, grace_s=5)
    for call in (
        lambda: registry.current("x"),
        registry.tenants,
        lambda: feed.poll(0.1),
        lambda: feed.wake(0.1),
    ):
        with pytest.raises(ServiceError, match="astra services up") as caught:
            call()
        assert "\n" not in str(caught.value)
        assert json.dumps(str(caught.value)).count("@") == 0
    services.up(own_redis)
    assert registry.tenants() == []
    assert feed.wake(0.1)
