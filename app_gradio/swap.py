"""The hot swap: follow the registry, load in the background, try a canary, move one pointer.

What is served is an immutable `Served` per tenant. A request takes the pointer once, at admission, and
keeps it; so a swap is one assignment and no request ever sees two versions. When a new adapter cannot be
loaded or its canary fails, the old one stays and the failure is on record.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astra_lib.core.errors import AstraError, GateError, InputError, MissingError
from astra_lib.core.events import Events
from astra_lib.minutes import check
from astra_lib.word.canonical import NOTHING

from .engine import Batcher, Engine
from .lora import Bundle

log = logging.getLogger("astra.swap")
CANARY_TOKENS = 64
CANARY_TIMEOUT_S = 300


@dataclass(frozen=True)
class Served:
    """What a tenant's requests are answered with now; `since` is seconds since the epoch."""

    tenant: str
    generation: int
    bundle: Bundle
    since: float


@dataclass(frozen=True)
class SwapResult:
    """How one swap went; `error` is empty when it is in service."""

    tenant: str
    generation: int
    ok: bool
    error: str
    load_ms: float
    canary_ms: float
    swap_us: float


class Swapper:
    """Keeps `served` in step with the registry; `start` runs it in a thread."""

    def __init__(
        self,
        engine: Engine,
        batcher: Batcher,
        registry: Any,
        store: Any,
        cache: Path,
        canary: list[dict[str, str]],
        replica: str,
    ) -> None:
        self.engine, self.batcher, self.registry, self.store = engine, batcher, registry, store
        self.cache, self.canary = cache, canary
        self._served: dict[str, Served] = {}
        self.history: deque[SwapResult] = deque(maxlen=200)
        # tenant -> a generation that was refused: trying it again would end the same way
        self._refused: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.events = Events(registry, replica)
        self.listeners: list[Callable[[SwapResult], None]] = []

    def served(self, tenant: str) -> Served:
        """The adapter in service; a tenant without one is an error, never the bare base."""
        found = self._served.get(tenant)
        if found is None:
            raise MissingError(
                "no adapter is in service for this tenant",
                where=tenant,
                remedy="Promote one first: astra promote",
            )
        return found

    def tenants(self) -> dict[str, Served]:
        return dict(self._served)

    def reconcile(self) -> None:
        """Bring every tenant to the registry's current generation."""
        for tenant in self.registry.tenants():
            current = self.registry.current(tenant)
            if current is None or self._refused.get(tenant) == current.generation:
                continue
            serving = self._served.get(tenant)
            if serving is None or serving.generation != current.generation:
                self.swap(current)

    def swap(self, promotion: Any) -> SwapResult:
        """Load, canary, then assign. A failure leaves the incumbent in service."""
        tenant, began = promotion.tenant, time.perf_counter()
        load_ms = canary_ms = swap_us = 0.0
        error = ""
        try:
            bundle = self._load(promotion.adapter)
            load_ms = (time.perf_counter() - began) * 1e3
            tried = time.perf_counter()
            self._try_canary(bundle)
            canary_ms = (time.perf_counter() - tried) * 1e3
            served = Served(tenant, promotion.generation, bundle, time.time())
            moved = time.perf_counter()
            incumbent = self._served.get(tenant)
            if incumbent is None or incumbent.generation < served.generation:
                self._served[tenant] = served
            swap_us = (time.perf_counter() - moved) * 1e6
        except Exception as failure:  # whatever it is, this thread goes on and the incumbent serves
            error = str(failure) or type(failure).__name__
            if isinstance(failure, GateError | InputError):
                self._refused[tenant] = promotion.generation
            log.error("swap of %s to generation %s failed: %s", tenant, promotion.generation, failure)
        result = SwapResult(tenant, promotion.generation, not error, error, load_ms, canary_ms, swap_us)
        self.history.append(result)
        for listener in self.listeners:
            listener(result)
        return result

    def _load(self, adapter: Any) -> Bundle:
        path = self.cache / f"{adapter.sha256}.zip"
        if not path.is_file():
            self.store.get_file(adapter.key, path)
        try:
            bundle = self.engine.load_adapter(path)
        except AstraError:
            path.unlink(missing_ok=True)  # the cached copy may be broken where the stored object is not
            raise
        if bundle.sha256 != adapter.sha256 or bundle.tenant != adapter.tenant:
            path.unlink(missing_ok=True)
            raise GateError("the adapter in the store is not the one that was promoted", where=adapter.key)
        return bundle

    def _try_canary(self, bundle: Bundle) -> None:
        """One real answer through the real queue; it must be valid XML with some text."""
        made = self.batcher.submit(self.canary, bundle, CANARY_TOKENS).result(timeout=CANARY_TIMEOUT_S)
        violations = check(made.text) if made.text != NOTHING else []
        if violations:
            raise GateError(f"the canary's answer does not validate: {violations[0].rule}", where=bundle.id)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._follow, name="astra-swapper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.events.close()
        if self._thread:
            self._thread.join(timeout=10)

    def _follow(self) -> None:
        """Reconcile on start, at every event, after every lost connection and on a timer."""
        failing = False
        while not self._stop.is_set():
            try:
                self.reconcile()
                failing = False
                self.events.wake(5.0)
            except (AstraError, OSError) as error:
                if not failing:
                    log.warning("registry out of reach, serving what is loaded: %s", error)
                failing = True
                self._stop.wait(2.0)
