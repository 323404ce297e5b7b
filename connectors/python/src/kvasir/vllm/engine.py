"""What the connector takes from vLLM, or its stand-ins where vLLM is not installed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from kvasir.errors import ConfigError
from kvasir.vllm import standins

_BASE = "vllm.distributed.kv_transfer.kv_connector.v1.base"

if TYPE_CHECKING:
    from kvasir.vllm.standins import (
        KVConnectorBase_V1,
        KVConnectorHandshakeMetadata,
        KVConnectorMetadata,
        KVConnectorRole,
        KVConnectorWorkerMetadata,
        SupportsHMA,
    )

    engine_version: str
else:
    try:
        engine_version = importlib.import_module("vllm").__version__
    except ModuleNotFoundError:
        engine_version = "none"
        _base = standins
    else:
        _base = importlib.import_module(_BASE)
        if not hasattr(_base.KVConnectorBase_V1, "build_connector_worker_meta"):
            raise ConfigError(
                f"KVA-0590 this vLLM is too old - version={engine_version} "
                "missing=build_connector_worker_meta; take a release of 2026"
            )
    KVConnectorBase_V1 = _base.KVConnectorBase_V1
    KVConnectorHandshakeMetadata = _base.KVConnectorHandshakeMetadata
    KVConnectorMetadata = _base.KVConnectorMetadata
    KVConnectorRole = _base.KVConnectorRole
    KVConnectorWorkerMetadata = _base.KVConnectorWorkerMetadata
    SupportsHMA = getattr(_base, "SupportsHMA", standins.SupportsHMA)

__all__ = [
    "KVConnectorBase_V1",
    "KVConnectorHandshakeMetadata",
    "KVConnectorMetadata",
    "KVConnectorRole",
    "KVConnectorWorkerMetadata",
    "SupportsHMA",
    "engine_version",
]
