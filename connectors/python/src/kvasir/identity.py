"""Who an engine is and what its chunks must share to be exchangeable."""

from __future__ import annotations

import hashlib
import os
import struct
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kvasir.errors import ConfigError

FIELD_BYTES_MAX = 4096
"""Longest text field of a namespace: identities are names, not documents."""

_ABSENT = struct.pack("<I", 0xFFFF_FFFF)
_OPTIONAL = ("tenantSalt", "revision", "loraId", "loraVersion", "quantScale", "ropeConfig")


@dataclass(frozen=True)
class Namespace:
    """What two chunks must share to be exchangeable; ``None`` differs from the empty text.

    Attributes:
        trust_domain: the engines that may map the same slab.
        tenant_salt: separates the tenants of one trust domain.
        model: model id.
        revision: model revision, so that new weights never meet old chunks.
        lora_id: LoRA adapter.
        lora_version: version of the adapter.
        kv_dtype: element type of keys and values.
        quant_scale: identity of the quantisation scales.
        layers: layers in a chunk.
        kv_heads: KV heads over all tensor-parallel ranks.
        head_size: elements per head.
        block_layout: order of the dimensions inside a chunk.
        rope_config: identity of the rotary embedding's configuration.
        world_size: tensor-parallel ranks whose parts lie side by side in a chunk.
        hash_scheme: the hash and the chunk length in tokens, for example ``kvasir-sha256/256``.

    Raises:
        ConfigError: a field is blank, too long, not Unicode or below 1.
    """

    trust_domain: str
    tenant_salt: str | None
    model: str
    revision: str | None
    lora_id: str | None
    lora_version: str | None
    kv_dtype: str
    quant_scale: str | None
    layers: int
    kv_heads: int
    head_size: int
    block_layout: str
    rope_config: str | None
    world_size: int
    hash_scheme: str

    def __post_init__(self) -> None:
        problems = [p for name, value in self.to_json().items() if (p := _problem(name, value))]
        if problems:
            raise ConfigError(
                f"KVA-0563 namespace refused - {', '.join(problems)} "
                f"(limit={FIELD_BYTES_MAX} bytes); correct the fields named"
            )

    def to_json(self) -> dict[str, Any]:
        """The fields as REGISTER names them, in the order of the fingerprint."""
        return {_camel(name): value for name, value in asdict(self).items()}

    def fingerprint(self) -> bytes:
        """SHA-256 over all fields in order, each as u32 length and UTF-8 bytes (32 bytes)."""
        digest = hashlib.sha256()
        for value in self.to_json().values():
            if value is None:
                digest.update(_ABSENT)
            else:
                data = str(value).encode()
                digest.update(struct.pack("<I", len(data)) + data)
        return digest.digest()


@dataclass(frozen=True)
class SpaceRequest:
    """What an engine registers.

    Attributes:
        namespace: the identity that all chunks of the space share.
        chunk_tokens: tokens per chunk.
        chunk_bytes: bytes per chunk, all ranks together.
    """

    namespace: Namespace
    chunk_tokens: int
    chunk_bytes: int

    def __post_init__(self) -> None:
        if self.chunk_tokens < 1 or not 1 <= self.chunk_bytes <= 0x7FFF_FFFF:
            raise ConfigError(
                f"KVA-0564 chunk size refused - chunkTokens={self.chunk_tokens} "
                f"chunkBytes={self.chunk_bytes} (limit=2147483647); choose another chunk length"
            )

    def to_json(self) -> dict[str, Any]:
        """The body of REGISTER."""
        return {
            "namespace": self.namespace.to_json(),
            "chunkTokens": self.chunk_tokens,
            "chunkBytes": self.chunk_bytes,
        }


@dataclass(frozen=True)
class EngineIdentity:
    """Who connects.

    Attributes:
        engine: kind of engine, for example ``vllm``.
        version: version of the engine.
        instance: UUID that groups the sockets of one engine; pins and reservations belong to it.
        role: ``scheduler`` asks for chunks, ``worker`` only maps the slab.
        rank: tensor-parallel rank, from 0.
        world: number of ranks.
    """

    engine: str
    version: str
    instance: str
    role: str = "scheduler"
    rank: int = 0
    world: int = 1

    @staticmethod
    def single(engine: str, version: str) -> EngineIdentity:
        """A new instance of one process that schedules and computes."""
        return EngineIdentity(engine, version, str(uuid.uuid4()))

    def to_json(self) -> dict[str, Any]:
        """The body of HELLO, for this process."""
        return {
            "protocolMin": 1,
            "protocolMax": 1,
            "engine": self.engine,
            "engineVersion": self.version,
            "pid": os.getpid(),
            "startTimeMillis": _start_time_millis(),
            "instance": self.instance,
            "role": self.role,
            "rank": self.rank,
            "world": self.world,
        }


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _problem(name: str, value: object) -> str | None:
    if value is None:
        return None if name in _OPTIONAL else f"{name}=None must not be blank"
    if isinstance(value, int):
        return None if 1 <= value <= 0x7FFF_FFFF else f"{name}={value} must be at least 1"
    if not isinstance(value, str):
        return f"{name}={value!r} must be text"
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        return f"{name} must be Unicode"
    if length > FIELD_BYTES_MAX:
        return f"{name}Bytes={length} is too long"
    if not value.strip() and name not in _OPTIONAL:
        return f"{name}={value!r} must not be blank"
    return None


def _start_time_millis() -> int:
    """Start of this process since 1970 as Linux tells it; 0 where it does not."""
    try:
        # Fields after the command, which is in parentheses and may hold spaces; the 22nd of all.
        stat = Path("/proc/self/stat").read_text()
        ticks = int(stat[stat.rindex(")") + 2 :].split()[19])
        lines = Path("/proc/stat").read_text().splitlines()
        boot_seconds = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        return boot_seconds * 1000 + ticks * 1000 // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return 0
