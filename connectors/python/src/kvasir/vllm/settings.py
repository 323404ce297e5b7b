"""What the connector reads from the engine's configuration, and what it refuses.

Everything that makes KV bytes what they are goes into the namespace; what cannot be told apart
safely is refused when the engine starts, with the reason.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvasir.errors import ConfigError
from kvasir.identity import Namespace, SpaceRequest

CELL_ALIGN_BYTES = 4096
"""The part of each rank in a chunk begins at a multiple of it."""

_CHUNK_TOKENS = 256
_KEYS = {
    "socket": str,
    "chunk_tokens": int,
    "load_deadline_ms": int,
    "lookup_wait_ms": int,
    "prefill_wait_ms": int,
    "trust_domain": str,
    "tenant_salt": str,
}
_LOG = logging.getLogger("kvasir")


@dataclass(frozen=True)
class Settings:
    """The connector's settings and the model's identity.

    Attributes:
        socket: the node's ``engine.sock``.
        block_tokens: tokens per engine block.
        chunk_tokens: tokens per chunk, a multiple of it.
        load_deadline_s: longest wait for chunks to become resident.
        lookup_wait_s: longest wait for the answer to a lookup.
        prefill_wait_s: longest wait for chunks that a prefill engine has promised.
        has_events: does somebody listen to the engine's KV events?
        world: tensor-parallel ranks.
        rank: of this process.
        cells: parts of a chunk that differ between ranks; 1 if all ranks hold the same.
        identity: fields of the namespace but the layout.
    """

    socket: Path
    block_tokens: int
    chunk_tokens: int
    load_deadline_s: float
    lookup_wait_s: float
    prefill_wait_s: float
    has_events: bool
    world: int
    rank: int
    cells: int
    identity: Namespace

    @property
    def blocks_per_chunk(self) -> int:
        """Engine blocks in a chunk."""
        return self.chunk_tokens // self.block_tokens

    @property
    def cell(self) -> int:
        """The cell of this rank."""
        return self.rank if self.cells > 1 else 0

    def digest(self) -> str:
        """Names the identity; scheduler and workers must have the same."""
        return self.identity.fingerprint().hex()

    def space(self, layout: str, cell_bytes: int, reset: str | None = None) -> SpaceRequest:
        """What to register once the workers have told their layout.

        Args:
            layout: of the workers' blocks.
            cell_bytes: of one rank in one chunk.
            reset: names the last reset of the engine's cache; what was stored before is not met
                again, and engines that were not part of it neither.

        Raises:
            ConfigError: a chunk is too large.
        """
        fields = {**vars(self.identity), "block_layout": layout}
        if reset is not None:
            fields["tenant_salt"] = f"{self.identity.tenant_salt or ''}/reset={reset}"
        return SpaceRequest(Namespace(**fields), self.chunk_tokens, self.cells * cell_bytes)


def read_settings(vllm_config: Any, kv_cache_config: Any) -> Settings:
    """Reads and checks the configuration.

    Raises:
        ConfigError: naming everything that cannot be cached or is misspelt.
    """
    extra = dict(vllm_config.kv_transfer_config.kv_connector_extra_config or {})
    parallel = vllm_config.parallel_config
    cache = vllm_config.cache_config
    problems = wrong_settings(extra, _KEYS) + _unsupported(vllm_config, kv_cache_config)
    block_tokens = int(cache.block_size)
    chunk_tokens = int(extra.get("chunk_tokens", _default_chunk(block_tokens)))
    if chunk_tokens < 1 or chunk_tokens % block_tokens:
        problems.append(f"chunk_tokens={chunk_tokens} (must be a multiple of {block_tokens})")
    if problems:
        raise ConfigError(
            f"KVA-0580 the engine cannot use the cache - {'; '.join(problems)}; "
            "correct the configuration or start without the connector"
        )
    _warn(vllm_config)
    world = int(parallel.tensor_parallel_size)
    events = getattr(vllm_config, "kv_events_config", None)
    cells = 1 if vllm_config.model_config.use_mla else world
    return Settings(
        socket=Path(extra.get("socket") or default_socket()),
        block_tokens=block_tokens,
        chunk_tokens=chunk_tokens,
        load_deadline_s=extra.get("load_deadline_ms", 2000) / 1000,
        lookup_wait_s=extra.get("lookup_wait_ms", 100) / 1000,
        prefill_wait_s=extra.get("prefill_wait_ms", 1000) / 1000,
        has_events=bool(getattr(events, "enable_kv_cache_events", False)),
        world=world,
        rank=int(parallel.rank) % world,
        cells=cells,
        identity=_identity(vllm_config, extra, cells, chunk_tokens),
    )


def _identity(vllm_config: Any, extra: dict[str, Any], cells: int, chunk_tokens: int) -> Namespace:
    model = vllm_config.model_config
    cache = vllm_config.cache_config
    return Namespace(
        trust_domain=extra.get("trust_domain", "default"),
        tenant_salt=extra.get("tenant_salt"),
        model=str(model.model),
        revision=_revision(model),
        lora_id=None,  # the engine puts the adapter into the block hash
        lora_version=None,
        kv_dtype=f"{cache.cache_dtype}/{str(model.dtype).removeprefix('torch.')}",
        quant_scale=None if model.quantization is None else str(model.quantization),
        layers=int(model.get_num_layers(vllm_config.parallel_config)),
        kv_heads=int(model.get_total_num_kv_heads()),
        head_size=int(model.get_head_size()),
        block_layout="vllm",
        rope_config=_model_digest(model),
        world_size=cells,
        hash_scheme=f"vllm-{cache.prefix_caching_hash_algo}/{chunk_tokens}/"
        f"seed={os.environ.get('PYTHONHASHSEED', 'none')}",
    )


def _unsupported(vllm_config: Any, kv_cache_config: Any) -> list[str]:
    parallel = vllm_config.parallel_config
    algorithm = str(vllm_config.cache_config.prefix_caching_hash_algo)
    problems = []
    if algorithm.startswith("xxhash"):
        problems.append(
            f"prefix_caching_hash_algo={algorithm} (not collision-free; use sha256_cbor)"
        )
    if kv_cache_config is not None:  # releases of early 2026 do not tell
        groups = [type(g.kv_cache_spec).__name__ for g in kv_cache_config.kv_cache_groups]
        if len(groups) != 1 or groups[0] not in ("FullAttentionSpec", "MLAAttentionSpec"):
            problems.append(f"kv_cache_groups={groups} (only one group of full attention or MLA)")
    for name in (
        "pipeline_parallel_size",
        "decode_context_parallel_size",
        "prefill_context_parallel_size",
    ):
        if getattr(parallel, name, 1) != 1:
            problems.append(f"{name}={getattr(parallel, name)} (must be 1)")
    if getattr(vllm_config.cache_config, "calculate_kv_scales", False):
        problems.append("calculate_kv_scales=True (scales computed at run time differ by engine)")
    return problems


def wrong_settings(extra: Mapping[str, Any], kinds: Mapping[str, type]) -> list[str]:
    """What is wrong with settings whose kinds are known; numbers must be at least 1."""
    problems = [f"{key}={value!r} (unknown)" for key, value in extra.items() if key not in kinds]
    for key, kind in kinds.items():
        value = extra.get(key)
        if value is not None and type(value) is not kind:
            problems.append(f"{key}={value!r} (must be {kind.__name__})")
        elif isinstance(value, int) and value < 1:
            problems.append(f"{key}={value} (must be at least 1)")
    return problems


def _warn(vllm_config: Any) -> None:
    if vllm_config.cache_config.prefix_caching_hash_algo == "sha256":
        _LOG.warning(
            "KVA-0581 block hashes depend on the Python version - prefix_caching_hash_algo=sha256; "
            "choose sha256_cbor so that all engines share"
        )
    if getattr(vllm_config.kv_transfer_config, "kv_load_failure_policy", "") != "recompute":
        _LOG.warning(
            "KVA-0582 a node that dies during a load will fail that request - "
            "kv_load_failure_policy=fail; choose recompute"
        )


def _revision(model: Any) -> str | None:
    """What the user names, else the commit that was loaded from a hub."""
    revision = model.revision or getattr(getattr(model, "hf_config", None), "_commit_hash", None)
    return None if revision is None else str(revision)


def _model_digest(model: Any) -> str | None:
    """All of the model's own configuration, positional encoding included."""
    to_dict = getattr(getattr(model, "hf_config", None), "to_dict", None)
    if to_dict is None:
        return None
    text = json.dumps(to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _default_chunk(block_tokens: int) -> int:
    return max(1, _CHUNK_TOKENS // block_tokens) * block_tokens


def default_socket() -> str:
    """The socket of the node on this host that nobody has named."""
    return os.environ.get("KVASIR_ENGINE_SOCKET") or f"/tmp/kvasir-{os.geteuid()}/node/engine.sock"
