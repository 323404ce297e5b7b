"""What the connector takes from vLLM, or its stand-ins where vLLM is not installed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from kvasir.errors import ConfigError
from kvasir.vllm import standins

_BASE = "vllm.distributed.kv_transfer.kv_connector.v1.base"
_METRICS = "vllm.distributed.kv_transfer.kv_connector.v1.metrics"

if TYPE_CHECKING:
    from kvasir.vllm.standins import (
        BlockStored,
        KVConnectorBase_V1,
        KVConnectorHandshakeMetadata,
        KVConnectorMetadata,
        KVConnectorPromMetrics,
        KVConnectorRole,
        KVConnectorStats,
        KVConnectorWorkerMetadata,
        SupportsHMA,
        maybe_convert_block_hash,
    )

    engine_version: str
else:
    try:
        engine_version = importlib.import_module("vllm").__version__
    except ModuleNotFoundError:
        engine_version = "none"
        _base = _metrics = _events = _hashes = standins
    else:
        _base = importlib.import_module(_BASE)
        _metrics = importlib.import_module(_METRICS)
        _events = importlib.import_module("vllm.distributed.kv_events")
        _hashes = importlib.import_module("vllm.v1.core.kv_cache_utils")
        if not hasattr(_base.KVConnectorBase_V1, "build_connector_worker_meta"):
            raise ConfigError(
                f"KVA-0590 this vLLM is too old - version={engine_version} "
                "missing=build_connector_worker_meta; take a release of 2026"
            )
    BlockStored = _events.BlockStored
    KVConnectorBase_V1 = _base.KVConnectorBase_V1
    KVConnectorHandshakeMetadata = _base.KVConnectorHandshakeMetadata
    KVConnectorMetadata = _base.KVConnectorMetadata
    KVConnectorPromMetrics = _metrics.KVConnectorPromMetrics
    KVConnectorRole = _base.KVConnectorRole
    KVConnectorStats = _metrics.KVConnectorStats
    KVConnectorWorkerMetadata = _base.KVConnectorWorkerMetadata
    SupportsHMA = getattr(_base, "SupportsHMA", standins.SupportsHMA)
    maybe_convert_block_hash = _hashes.maybe_convert_block_hash

__all__ = [
    "BlockStored",
    "KVConnectorBase_V1",
    "KVConnectorHandshakeMetadata",
    "KVConnectorMetadata",
    "KVConnectorPromMetrics",
    "KVConnectorRole",
    "KVConnectorStats",
    "KVConnectorWorkerMetadata",
    "SupportsHMA",
    "engine_version",
    "maybe_convert_block_hash",
]
