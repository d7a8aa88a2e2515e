"""How a replica of the service hears of promotions, and hears of each even when messages are lost or doubled.

A replica has a consumer group of its own on every tenant's stream: what was delivered and not confirmed with
`done` is still pending there after a crash. Because a stream can be lost too, the truth (`current:{tenant}`)
is compared on start, after every lost connection and on a timer. Pub/sub only cuts the waiting short.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from .clients import redis_errors
from .errors import ServiceError
from .registry import CHANNEL, Promotion, Registry, promotions_key, read_promotion

_REPLICAS = "replicas"
_FORGET_S = 7 * 24 * 3600.0  # a replica not heard of for so long is gone: its groups are deleted


class Events:
    """What a replica of the service has not yet put into service.

    `replica` is a name that outlives its restarts. Not to be shared between threads.
    """

    def __init__(self, registry: Registry, replica: str, *, reconcile_s: float = 30.0) -> None:
        self.registry, self.replica, self.reconcile_s = registry, replica, reconcile_s
        self.group = f"replica:{replica}"
        self._applied: dict[str, int] = {}  # tenant -> generation confirmed by `done`
        self._groups: set[str] = set()
        self._pubsub: Any = None
        self._fresh = True  # compare with the truth at the next poll
        self._compared = 0.0
        self._closed = threading.Event()
        self._listening = threading.RLock()  # `close` waits for it, so no socket vanishes under a reader

    def poll(self, timeout_s: float = 5.0) -> list[Promotion]:
        """The newest promotion of each tenant that is not confirmed; waits up to `timeout_s` for one.

        One that is not confirmed comes again with the timer. Raises `ServiceError` while Redis is away; call
        again.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            found = self._compare() if self._due() else self._read_groups()
            left = deadline - time.monotonic()
            if found or left <= 0 or self._closed.is_set():
                return found
            self.wake(min(left, max(0.0, self._compared + self.reconcile_s - time.monotonic())))

    def done(self, promotion: Promotion) -> None:
        """Confirm that this generation is in service here; it and those before it do not come again."""
        from redis.exceptions import ResponseError

        tenant = promotion.tenant
        self._applied[tenant] = max(promotion.generation, self._applied.get(tenant, 0))
        with self._watching("confirm a promotion"):
            client, key = self.registry.client, promotions_key(tenant)
            try:
                _, rows = client.xreadgroup(self.group, self.replica, {key: "0"}, count=1000)[0]
            except ResponseError as error:
                if not _no_group(error):
                    raise
                return  # lost with its stream; the next poll makes it again
            covered = [
                i
                for i, row in rows
                if not row or read_promotion(row["promotion"]).generation <= promotion.generation
            ]
            if covered:
                client.xack(key, self.group, *covered)

    def wake(self, timeout_s: float) -> bool:
        """Wait for a wake-up; True when one came, or when it subscribed only now and may have missed some."""
        with self._listening, self._watching("listen for promotions"):
            if self._closed.is_set():
                return False
            if self._pubsub is None:
                pubsub = self.registry.client.pubsub(ignore_subscribe_messages=True)
                try:
                    pubsub.subscribe(CHANNEL)
                    pubsub.get_message(timeout=5.0)  # the confirmation
                except BaseException:
                    with suppress(Exception):
                        pubsub.close()
                    raise
                self._pubsub = pubsub
                return True
            deadline = time.monotonic() + timeout_s
            while (left := deadline - time.monotonic()) > 0 and not self._closed.is_set():
                # in slices, so that `close` from another thread is noticed
                if self._pubsub.get_message(timeout=min(left, 0.5)) is not None:
                    while self._pubsub.get_message(timeout=0) is not None:
                        pass
                    return True
            return False

    def close(self) -> None:
        """End the waiting, within half a second; may be called from another thread."""
        self._closed.set()
        with self._listening:
            self._hang_up()

    def __iter__(self) -> Iterator[Promotion]:
        """Endless: each promotion once, confirmed when the next is asked for. Outlasts a restart of Redis."""
        while not self._closed.is_set():
            try:
                for promotion in self.poll():
                    yield promotion
                    self.done(promotion)
            except ServiceError:
                self._closed.wait(1.0)

    def _due(self) -> bool:
        return self._fresh or time.monotonic() - self._compared >= self.reconcile_s

    def _compare(self) -> list[Promotion]:
        """Every tenant's truth against what is confirmed here."""
        with self._watching("compare with the registry"):
            tenants = self.registry.tenants()
            for tenant in tenants:
                self._ensure_group(tenant)
            currents = self.registry.currents(tenants)
            self._keep_house(tenants)
            self._fresh, self._compared = False, time.monotonic()
        return [p for p in currents.values() if p and p.generation > self._applied.get(p.tenant, 0)]

    def _read_groups(self) -> list[Promotion]:
        """What the groups have not delivered yet; of several for one tenant the newest."""
        from redis.exceptions import ResponseError

        newest: dict[str, Promotion] = {}
        with self._watching("read promotions"):
            streams = {promotions_key(tenant): ">" for tenant in self._groups}
            try:
                answer = (
                    self.registry.client.xreadgroup(self.group, self.replica, streams, count=1000)
                    if streams
                    else []
                )
            except ResponseError as error:
                if not _no_group(error):
                    raise
                self._groups.clear()  # a stream was lost, and its groups with it
                return self._compare()
            for _, rows in answer:
                for _, row in rows:
                    promotion = read_promotion(row["promotion"])
                    known = newest.get(promotion.tenant)
                    if promotion.generation > max(
                        known.generation if known else 0, self._applied.get(promotion.tenant, 0)
                    ):
                        newest[promotion.tenant] = promotion
        return list(newest.values())

    def _ensure_group(self, tenant: str) -> None:
        from redis.exceptions import ResponseError

        if tenant in self._groups:
            return
        try:
            # from the end: what is in service now comes from the comparison, not from the whole past
            self.registry.client.xgroup_create(promotions_key(tenant), self.group, id="$", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._groups.add(tenant)

    def _keep_house(self, tenants: list[str]) -> None:
        """Note that this replica lives, and delete the groups of those that do not."""
        client, now = self.registry.client, time.time()
        client.zadd(_REPLICAS, {self.replica: now})
        for gone in client.zrangebyscore(_REPLICAS, 0, now - _FORGET_S):
            for tenant in tenants:
                client.xgroup_destroy(promotions_key(tenant), f"replica:{gone}")
            client.zrem(_REPLICAS, gone)

    def _watching(self, doing: str) -> _Watch:
        return _Watch(self, doing)

    def _lost(self) -> None:
        """The connection broke: messages may be gone, and after a data loss the groups too."""
        self._fresh = True
        self._groups.clear()
        self._hang_up()

    def _hang_up(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            with suppress(Exception):
                pubsub.close()


def _no_group(error: Exception) -> bool:
    return "NOGROUP" in str(error)


class _Watch:
    """`redis_errors`, and whatever went wrong makes the next poll compare with the truth."""

    def __init__(self, events: Events, doing: str) -> None:
        self.events, self.inner = events, redis_errors(events.registry.address, doing=doing)

    def __enter__(self) -> None:
        self.inner.__enter__()

    def __exit__(self, *raised: Any) -> None:
        if raised[0] is not None:
            self.events._lost()
        self.inner.__exit__(*raised)
