"""Clients that never stop asking, while the demo swaps adapters under them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from astra_lib.core.errors import GateError

LONGEST_WAIT_S = 1800.0


class Traffic:
    """Clients that never stop asking; every answer is checked and counted by adapter generation."""

    def __init__(self, url: str, token: str, blocks: list[dict[str, Any]]) -> None:
        self.url, self.headers, self.blocks = url, {"Authorization": f"Bearer {token}"}, blocks
        self.by_generation: Counter = Counter()
        self.errors: list[str] = []
        self.seconds: list[float] = []
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads: list[threading.Thread] = []

    @property
    def done(self) -> int:
        return sum(self.by_generation.values()) + len(self.errors)

    def start(self, clients: int) -> None:
        self._threads = [
            threading.Thread(target=self._client, args=(i,), daemon=True) for i in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=LONGEST_WAIT_S)

    def _client(self, offset: int) -> None:
        import httpx

        from astra_lib.minutes import check

        with httpx.Client(base_url=self.url, headers=self.headers, timeout=LONGEST_WAIT_S) as client:
            turn = offset
            while not self._stop.is_set():
                began = time.perf_counter()
                block = self.blocks[turn % len(self.blocks)]
                turn += 1
                try:
                    answer = client.post("/v1/process", json={"session_id": "demo", "blocks": [block]})
                    answer.raise_for_status()
                    row = answer.json()
                    bad = [p for p in row["paragraphs"] if check(p["xml"])]
                    with self._lock:
                        self.seconds.append(time.perf_counter() - began)
                        if bad:
                            self.errors.append(f"invalid XML: {bad[0]['xml'][:80]}")
                        else:
                            self.by_generation[row["adapter"]["generation"]] += 1
                except httpx.HTTPError as error:
                    with self._lock:
                        self.errors.append(f"{type(error).__name__}: {error}")

    def summary(self) -> dict[str, Any]:
        ordered = sorted(self.seconds)
        return {
            "requests": self.done,
            "failed": len(self.errors),
            "by_generation": dict(self.by_generation),
            "p50_s": ordered[len(ordered) // 2] if ordered else None,
            "max_s": ordered[-1] if ordered else None,
        }


def wait_for(true: Callable[[], bool], what: str, seconds: float = LONGEST_WAIT_S) -> None:
    """Return when `true()` is; `GateError` after `seconds`, so long that only a hang takes them."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise GateError(
                f"waited {seconds:.0f} s for {what}", remedy="Look at the log above; run make demo again"
            )
        time.sleep(0.05)
