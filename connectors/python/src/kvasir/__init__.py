"""Engine connectors of Kvasir, a peer-to-peer KV-cache cluster for LLM inference.

The client needs the standard library alone: ``Client`` speaks with the node on the same host,
``NodeLink`` keeps such a connection alive. The connectors are ``kvasir.vllm`` and its siblings.
"""

from kvasir.acquisition import Acquisition, LoadedChunk
from kvasir.client import Client, Reservation, Space
from kvasir.errors import ConfigError, KvasirError, NodeUnavailableError, RefusedError
from kvasir.hashes import chunk_hashes, hashes_of_blocks, run_of
from kvasir.identity import EngineIdentity, Namespace, SpaceRequest
from kvasir.link import NodeLink, Session
from kvasir.protocol import CommitStatus, EndReason, Found, ReserveStatus, Run, Source

__all__ = [
    "Acquisition",
    "Client",
    "CommitStatus",
    "ConfigError",
    "EndReason",
    "EngineIdentity",
    "Found",
    "KvasirError",
    "LoadedChunk",
    "Namespace",
    "NodeLink",
    "NodeUnavailableError",
    "RefusedError",
    "Reservation",
    "ReserveStatus",
    "Run",
    "Session",
    "Source",
    "Space",
    "SpaceRequest",
    "chunk_hashes",
    "hashes_of_blocks",
    "run_of",
]
