"""What the connector counts, on its way to the engine's log and its Prometheus endpoint.

Both sides count, each what it sees; the engine adds them up over ranks and steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kvasir.vllm.engine import KVConnectorPromMetrics, KVConnectorStats

COUNTERS: Mapping[str, str] = {
    "asked_tokens": "Tokens of prompts, in whole chunks, that the node was asked for",
    "loaded_tokens": "Tokens that were loaded instead of computed",
    "failed_load_tokens": "Tokens whose load failed, so that they were computed",
    "stored_chunks": "Chunks stored",
    "present_chunks": "Chunks that need not be stored, the node had them",
    "refused_chunks": "Chunks that the node had no room for, or that another engine was writing",
    "failed_chunks": "Chunks whose store failed",
    "load_bytes": "Bytes copied from the slab into blocks, all ranks together",
    "load_seconds": "Time of these copies, all ranks together",
    "store_bytes": "Bytes copied from blocks into the slab, all ranks together",
    "store_seconds": "Time of these copies, all ranks together",
}
"""Names and descriptions; in Prometheus with ``vllm:kvasir_`` before and ``_total`` behind."""


class KvasirStats(KVConnectorStats):
    """Counts since the last report: ``data`` holds those that are not 0."""

    def add(self, name: str, amount: float) -> None:
        """Adds to a counter of ``COUNTERS``."""
        assert name in COUNTERS, name
        if amount:
            self.data[name] = self.data.get(name, 0) + amount

    def take(self) -> KvasirStats | None:
        """The counts so far, None if there are none; begins anew."""
        if self.is_empty():
            return None
        taken = KvasirStats(data=self.data)
        self.reset()
        return taken

    def reset(self) -> None:
        """Begins anew."""
        self.data = {}

    def aggregate(self, other: KVConnectorStats) -> KvasirStats:
        """Adds what another rank, or a later step, has counted."""
        for name, amount in other.data.items():
            self.add(name, amount)
        return self

    def reduce(self) -> dict[str, int | float]:
        """For the engine's log."""
        return {f"Kvasir {name.replace('_', ' ')}": amount for name, amount in self.data.items()}

    def is_empty(self) -> bool:
        """Has nothing happened?"""
        return not self.data


class KvasirPromMetrics(KVConnectorPromMetrics):
    """The counters in the engine's Prometheus registry, one set per engine."""

    def __init__(
        self,
        vllm_config: Any,
        metric_types: Mapping[type, Any],
        labelnames: Sequence[str],
        per_engine_labelvalues: Mapping[int, Sequence[object]],
    ) -> None:
        """Registers the counters.

        Args:
            vllm_config: the engine's configuration.
            metric_types: the metrics' classes by those of ``prometheus_client``.
            labelnames: labels of every metric.
            per_engine_labelvalues: their values by engine.
        """
        super().__init__(vllm_config, metric_types, labelnames, per_engine_labelvalues)
        self._counters: dict[int, dict[str, Any]] = {e: {} for e in per_engine_labelvalues}
        for name, description in COUNTERS.items():
            counter = self._counter_cls(
                name=f"vllm:kvasir_{name}", documentation=description, labelnames=labelnames
            )
            for engine, values in per_engine_labelvalues.items():
                self._counters[engine][name] = counter.labels(*values)

    def observe(self, transfer_stats_data: dict[str, Any], engine_idx: int = 0) -> None:
        """Adds the counts of a report."""
        for name, amount in transfer_stats_data.items():
            self._counters[engine_idx][name].inc(amount)
