"""Stand-ins for vLLM's base classes, of the same shape, where vLLM is not installed.

They let the connector be imported, typed and tested without an engine. They hold what the engine's
base class promises to a connector and nothing more.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class KVConnectorRole(enum.Enum):
    """Which side of the engine an object of the connector serves."""

    SCHEDULER = 0
    WORKER = 1


class KVConnectorMetadata:
    """What the scheduler's side tells the workers' side every step."""


class KVConnectorWorkerMetadata:
    """What the workers' side tells the scheduler's side every step."""


class KVConnectorHandshakeMetadata:
    """What the workers' side tells the scheduler's side once."""


class SupportsHMA:
    """Marks a connector that knows of KV cache groups."""


class KVConnectorBase_V1:  # noqa: N801 - the engine's name
    """Keeps the role and the metadata of the step."""

    def __init__(
        self, vllm_config: Any, role: KVConnectorRole, kv_cache_config: Any = None
    ) -> None:
        self._vllm_config = vllm_config
        self._kv_cache_config = kv_cache_config
        self._role = role
        self._connector_metadata: KVConnectorMetadata | None = None

    @property
    def role(self) -> KVConnectorRole:
        """The side that this object serves."""
        return self._role

    def bind_connector_metadata(self, connector_metadata: KVConnectorMetadata) -> None:
        """Sets the metadata before a step."""
        self._connector_metadata = connector_metadata

    def clear_connector_metadata(self) -> None:
        """Forgets the metadata after a step."""
        self._connector_metadata = None

    def has_connector_metadata(self) -> bool:
        """Is there metadata for this step?"""
        return self._connector_metadata is not None

    def _get_connector_metadata(self) -> KVConnectorMetadata:
        assert self._connector_metadata is not None
        return self._connector_metadata

    def build_connector_worker_meta(self) -> KVConnectorWorkerMetadata | None:
        """What this worker has to say after a step."""
        return None


@dataclass
class KVConnectorStats:
    """What happened since the last report; ``data`` travels from process to process."""

    data: dict[str, Any] = field(default_factory=dict)


class KVConnectorPromMetrics:
    """Keeps what is needed to make metrics in the engine's registry."""

    def __init__(
        self,
        vllm_config: Any,
        metric_types: Mapping[type, Any],
        labelnames: Sequence[str],
        per_engine_labelvalues: Mapping[int, Sequence[object]],
    ) -> None:
        del vllm_config
        kinds = {kind.__name__: metric for kind, metric in metric_types.items()}
        self._counter_cls = kinds["Counter"]
        self._labelnames = labelnames
        self.per_engine_labelvalues = per_engine_labelvalues


@dataclass
class BlockStored:
    """An event for routers: these blocks can be had from a medium."""

    block_hashes: list[bytes]
    parent_block_hash: bytes | None
    token_ids: list[int]
    block_size: int
    lora_id: int | None
    medium: str | None
    lora_name: str | None


def maybe_convert_block_hash(block_hash: bytes) -> bytes:
    """The form of a block hash in events."""
    return block_hash


class LookupResult(enum.Enum):
    """What a tier says of a key."""

    MISS = 0
    HIT = 1
    HIT_PENDING = 2
    RETRY = 3


class Medium(enum.Enum):
    """What a tier's bytes lie on."""

    CPU = "CPU"
    STORAGE = "STORAGE"


@dataclass
class RequestOffloadingContext:
    """What a tier wishes for a request."""


@dataclass
class JobResult:
    """A transfer that is over; ``successful_keys`` names those of a load that came in part."""

    job_id: int
    success: bool
    successful_keys: Sequence[bytes] | None = None
    transfer_time: float | None = None


class SecondaryTierManager:
    """Keeps what a tier is made with."""

    def __init__(self, offloading_spec: Any, primary_kv_view: memoryview, tier_type: str) -> None:
        self._offloading_spec = offloading_spec
        self._primary_kv_view = primary_kv_view
        self.tier_type = tier_type
