"""Content hashes of chunks, and the groups in which the cluster's index keeps them."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Sequence

from kvasir.protocol import HASH_BYTES, Run

HEAD_TOKENS = 512
"""Tokens of the first group."""

GROUP_TOKENS = 4096
"""Tokens of every further group."""


def chunk_hashes(tokens: Sequence[int], chunk_tokens: int) -> bytes:
    """Native content hashes of the full chunks of a prompt.

    ``h[i] = SHA-256(h[i-1] || tokens as u32 little-endian)``, with 32 zero bytes before the first.

    Args:
        tokens: token ids, 0 to 2^32 - 1.
        chunk_tokens: tokens per chunk.

    Returns:
        32 bytes per full chunk, joined; empty for a prompt shorter than a chunk.

    Raises:
        ValueError: ``chunk_tokens`` is below 1, or a token id does not fit.
    """
    _check_chunk_tokens(chunk_tokens)
    try:
        data = array("I", list(tokens))
    except (OverflowError, TypeError) as e:
        raise ValueError(f"KVA-0566 not token ids - cause={e}; check them") from e
    if sys.byteorder == "big":
        data.byteswap()
    packed = memoryview(data).cast("B")
    size = chunk_tokens * data.itemsize
    parent = bytes(HASH_BYTES)
    hashes = []
    for start in range(0, len(packed) - size + 1, size):
        digest = hashlib.sha256(parent)
        digest.update(packed[start : start + size])
        parent = digest.digest()
        hashes.append(parent)
    return b"".join(hashes)


def hashes_of_blocks(block_hashes: Sequence[bytes], blocks_per_chunk: int) -> bytes:
    """Content hashes of chunks of several engine blocks: each takes that of its last block.

    Raises:
        ValueError: a hash is not 32 bytes long; then nothing may be cached under it.
    """
    taken = [bytes(h) for h in block_hashes[blocks_per_chunk - 1 :: blocks_per_chunk]]
    for block_hash in taken:
        if len(block_hash) != HASH_BYTES:
            raise ValueError(
                f"KVA-0565 block hash of the wrong length - bytes={len(block_hash)} "
                f"(expected={HASH_BYTES}); start the engine with a SHA-256 prefix-caching hash"
            )
    return b"".join(taken)


def anchor_position(position: int, chunk_tokens: int) -> int:
    """Position of the first chunk of the index group that the chunk at ``position`` belongs to."""
    _check_chunk_tokens(chunk_tokens)
    first_token = position * chunk_tokens
    if first_token < HEAD_TOKENS:
        return 0
    return position - (first_token - HEAD_TOKENS) % GROUP_TOKENS // chunk_tokens


def run_of(hashes: bytes, chunk_tokens: int, start: int, stop: int) -> Run:
    """The chunks ``start`` to ``stop`` (exclusive) of a prompt whose hashes are given from 0."""
    anchor = anchor_position(start, chunk_tokens) * HASH_BYTES
    return Run(
        start, hashes[anchor : anchor + HASH_BYTES], hashes[start * HASH_BYTES : stop * HASH_BYTES]
    )


def _check_chunk_tokens(chunk_tokens: int) -> None:
    if chunk_tokens < 1:
        raise ValueError(
            f"KVA-0564 chunk size refused - chunkTokens={chunk_tokens}; take at least one token"
        )
