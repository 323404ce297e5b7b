"""Fingerprints and hashes agree with the node's, bad identities are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kvasir import ConfigError, Namespace, SpaceRequest, chunk_hashes, hashes_of_blocks, run_of
from kvasir.hashes import anchor_position

FULL = Namespace(
    "prod",
    "tenant-ä",
    "meta-llama/Llama-3.1-8B",
    "0e9e39f",
    "sql-adapter",
    "3",
    "bfloat16",
    None,
    32,
    8,
    128,
    "layer-kv-token-head",
    None,
    2,
    "kvasir-sha256/256",
)
TOKENS = [1, 2, 3, 4, 5, 300, 70000, 8]


def test_fingerprint_meets_the_vector_of_the_node() -> None:
    assert (
        FULL.fingerprint().hex()
        == "716454982e8d4d8189e6e83a6ff8861b50738d2aaf5597619ef55656b1bf0b56"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trust_domain", " "),
        ("model", None),
        ("kv_dtype", ""),
        ("layers", 0),
        ("head_size", 2**31),
        ("revision", "x" * 4097),
        ("block_layout", "\ud800"),
    ],
)
def test_namespace_refuses_bad_fields(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match="KVA-0563"):
        replace(FULL, **{field: value})  # type: ignore[arg-type]


def test_space_refuses_bad_sizes() -> None:
    with pytest.raises(ConfigError, match="KVA-0564"):
        SpaceRequest(FULL, 0, 1)
    with pytest.raises(ConfigError, match="KVA-0564"):
        SpaceRequest(FULL, 16, 2**31)


def test_chunk_hashes_meet_the_vector_of_the_node() -> None:
    assert chunk_hashes(TOKENS, 4).hex() == (
        "d8faa8ec8c0500567ca87b56e4bb666d69cb512e638103891defea24e88cbc92"
        "c1c69d28d47816c24f429090e4158c228553c188673383530940762088319e76"
    )


def test_chunk_hashes_leave_out_the_tail() -> None:
    assert chunk_hashes([*TOKENS, 9, 9], 4) == chunk_hashes(TOKENS, 4)
    assert chunk_hashes(TOKENS, 9) == b""


def test_chunk_hashes_refuse_what_is_no_token() -> None:
    with pytest.raises(ValueError, match="KVA-0566"):
        chunk_hashes([-1, 2], 2)
    with pytest.raises(ValueError, match="KVA-0564"):
        chunk_hashes(TOKENS, 0)


def test_chunk_of_blocks_takes_the_last_hash() -> None:
    hashes = [bytes([i]) * 32 for i in range(7)]
    assert hashes_of_blocks(hashes, 3) == hashes[2] + hashes[5]
    assert hashes_of_blocks(hashes[:2], 3) == b""


def test_block_hashes_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="KVA-0565"):
        hashes_of_blocks([bytes(16)], 1)


@pytest.mark.parametrize(
    ("position", "chunk_tokens", "expected"),
    [(0, 256, 0), (1, 256, 0), (2, 256, 2), (17, 256, 2), (18, 256, 18), (3, 100, 0), (6, 100, 6),
     (46, 100, 6), (47, 100, 47)],
)  # fmt: skip
def test_anchor_is_the_first_chunk_of_the_group(
    position: int, chunk_tokens: int, expected: int
) -> None:
    assert anchor_position(position, chunk_tokens) == expected


def test_run_names_its_anchor() -> None:
    hashes = b"".join(bytes([i]) * 32 for i in range(30))
    piece = run_of(hashes, 256, 20, 22)
    assert piece.first_position == 20
    assert piece.anchor == bytes([18]) * 32
    assert piece.hashes == bytes([20]) * 32 + bytes([21]) * 32
