"""Namespaces and prompts of the tests."""

from __future__ import annotations

import itertools
import random

from kvasir import Client, EngineIdentity, Namespace, Run, Space, SpaceRequest, run_of

CHUNK_TOKENS = 16
CHUNK_BYTES = 64 * 1024
_models = itertools.count()


def new_request(
    chunk_bytes: int = CHUNK_BYTES, chunk_tokens: int = CHUNK_TOKENS, model: str = ""
) -> SpaceRequest:
    """A namespace of its own, unless a model is named."""
    namespace = Namespace(
        "default",
        None,
        model or f"model-{next(_models)}-{random.randrange(2**32)}",
        None,
        None,
        None,
        "float32",
        None,
        1,
        1,
        1,
        "test",
        None,
        1,
        f"test/{chunk_tokens}",
    )
    return SpaceRequest(namespace, chunk_tokens, chunk_bytes)


def new_identity() -> EngineIdentity:
    """An engine of its own."""
    return EngineIdentity.single("test", "1")


def new_run(chunks: int, rng: random.Random | None = None) -> Run:
    """The chunks of a prompt that nobody else has."""
    hashes = (rng or random.Random()).randbytes(32 * chunks)
    return run_of(hashes, CHUNK_TOKENS, 0, chunks)


def store(client: Client, space: Space, run: Run, payload: bytes) -> None:
    """Stores all chunks of a run: ``payload`` and the number of the chunk."""
    slots = []
    for index, reservation in enumerate(client.reserve(space, run).result()):
        assert reservation.is_reserved, reservation
        reservation.memory[:] = content(payload, index, space)
        slots.append(reservation.slot)
    assert all(entry.status == 0 for entry in client.commit(space, slots, True).result())


def content(payload: bytes, index: int, space: Space) -> bytes:
    """The bytes that ``store`` writes for a chunk."""
    block = payload + index.to_bytes(4, "little")
    size = space.request.chunk_bytes
    return (block * (size // len(block) + 1))[:size]
