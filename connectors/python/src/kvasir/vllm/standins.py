"""Stand-ins for vLLM's base classes, of the same shape, where vLLM is not installed.

They let the connector be imported, typed and tested without an engine. They hold what the engine's
base class promises to a connector and nothing more.
"""

from __future__ import annotations

import enum
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
