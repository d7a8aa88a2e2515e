"""Prometheus metrics of one process: requests, their time, the queue, swaps, the generation in service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .service import Service
from .swap import SwapResult

SECONDS_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80)


class Metrics:
    """Counters in a registry of their own, so that two services in one process do not share them."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "astra_process_requests", "POST /v1/process", ["outcome"], registry=self.registry
        )
        self.seconds = Histogram(
            "astra_process_seconds",
            "seconds of POST /v1/process",
            registry=self.registry,
            buckets=SECONDS_BUCKETS,
        )
        waiting = Gauge("astra_waiting", "blocks waiting for a batch", registry=self.registry)
        waiting.set_function(lambda: service.batcher.waiting)
        self.swaps = Counter("astra_swaps", "adapter swaps", ["outcome"], registry=self.registry)
        self.generation = Gauge(
            "astra_adapter_generation", "generation in service", ["tenant"], registry=self.registry
        )
        service.swapper.listeners.append(self.count_swap)
        for tenant, served in service.swapper.tenants().items():  # loaded before the listener was added
            self.generation.labels(tenant).set(served.generation)

    def count_swap(self, result: SwapResult) -> None:
        self.swaps.labels("ok" if result.ok else "failed").inc()
        if result.ok:
            self.generation.labels(result.tenant).set(result.generation)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the block as one request: failed when it raises."""
        began = time.perf_counter()
        outcome = "failed"
        try:
            yield
            outcome = "ok"
        finally:
            self.requests.labels(outcome).inc()
            self.seconds.observe(time.perf_counter() - began)

    def text(self) -> bytes:
        """The exposition format that Prometheus scrapes."""
        return generate_latest(self.registry)
