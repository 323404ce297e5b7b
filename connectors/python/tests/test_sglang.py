"""The SGLang backend against a real node, with a host pool of the engine's shape."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from kvasir import Client, ConfigError, KvasirError, NodeUnavailableError
from kvasir.attachment import FAULTS_MAX, PAUSE_MIN_S, Attachment
from kvasir.sglang import KvasirStorage
from nodes import Node, wait_until
from spaces import new_identity

PAGE = 64
LAYERS, HEADS, SIZE = 2, 2, 8


class HostPool:
    """``page_first``: keys of a page in one stretch, values in another."""

    layout = "page_first"
    page_size = PAGE
    dtype = torch.bfloat16
    layer_num, head_num, head_dim = LAYERS, HEADS, SIZE

    def __init__(self, pages: int) -> None:
        self.data = torch.zeros(2, pages * PAGE, LAYERS, HEADS, SIZE, dtype=self.dtype)

    def get_page_buffer_meta(self, indices: torch.Tensor) -> tuple[list[int], list[int]]:
        pointers = []
        for index in indices[::PAGE].tolist():
            pointers += [self.data[kv, index].data_ptr() for kv in (0, 1)]
        return pointers, [PAGE * LAYERS * HEADS * SIZE * 2] * len(pointers)


MakeStorage = Callable[..., tuple[KvasirStorage, HostPool]]


@pytest.fixture
def make(node: Node) -> Iterator[MakeStorage]:
    made: list[KvasirStorage] = []

    def make_one(
        socket: Path | None = None, model: str = "m", rank: int = 0, mla: bool = False, **extra: Any
    ) -> tuple[KvasirStorage, HostPool]:
        config = SimpleNamespace(
            tp_rank=rank,
            tp_size=2,
            is_mla_model=mla,
            model_name=model,
            extra_config={
                "interface_v1": 1,
                "socket": str(socket or node.socket),
                "load_deadline_ms": 20_000,
                **extra,
            },
        )
        storage, pool = KvasirStorage(config, {}), HostPool(16)
        made.append(storage)
        storage.register_mem_pool_host(pool)
        if socket is None:
            assert storage._link is not None
            assert storage._link.wait(30.0) is not None
        return storage, pool

    yield make_one
    for storage in made:
        storage.close()
        storage.close()


def page_hashes(pages: int) -> list[str]:
    digest, keys = random.randbytes(32), []
    for i in range(pages):
        digest = hashlib.sha256(digest + bytes([i])).digest()
        keys.append(digest.hex())
    return keys


def indices(*pages: int) -> torch.Tensor:
    return torch.cat([torch.arange(p * PAGE, (p + 1) * PAGE) for p in pages])


def model_name() -> str:
    return f"sglang-{random.randrange(2**32)}"


def test_pages_come_back_byte_for_byte(node: Node, make: MakeStorage) -> None:
    name, keys = model_name(), page_hashes(12)
    writer, pool = make(model=name)
    pool.data.copy_(torch.randn(pool.data.shape))
    first = SimpleNamespace(prefix_keys=None)
    later = SimpleNamespace(prefix_keys=keys[:10])
    assert writer.batch_exists(keys) == 0
    assert writer.batch_set_v1(keys[:10], indices(*range(10)), first) == [True] * 10
    assert writer.batch_set_v1(keys[10:], indices(10, 11), later) == [True] * 2
    assert writer.batch_set_v1(keys[:2], indices(0, 1), first) == [True] * 2  # already there

    reader, target = make(model=name)
    assert reader.batch_exists(keys) == 12
    assert reader.exists(keys[0])
    assert reader.batch_get_v1(keys[:10], indices(*range(5, 15)), first) == [True] * 10
    assert torch.equal(target.data[:, 5 * PAGE : 15 * PAGE], pool.data[:, : 10 * PAGE])
    assert reader.batch_get_v1(keys[10:], indices(0, 1), later) == [True] * 2
    assert torch.equal(target.data[:, : 2 * PAGE], pool.data[:, 10 * PAGE : 12 * PAGE])
    missing = [*keys[:2], *page_hashes(2)]
    assert reader.batch_get_v1(missing, indices(0, 1, 2, 3)) == [True, True, False, False]
    with Client(node.socket, new_identity()) as client:
        wait_until(lambda: client.stats().result()["store"]["pinned"] == 0, what="no pins")


def test_ranks_have_pages_of_their_own(make: MakeStorage) -> None:
    name, keys = model_name(), page_hashes(2)
    storage, _ = make(model=name)
    assert all(storage.batch_set_v1(keys, indices(0, 1)))
    other, _ = make(model=name, rank=1)
    assert other.batch_exists(keys) == 0
    salted, _ = make(model=name, tenant_salt="t")
    assert salted.batch_exists(keys) == 0


def test_first_rank_writes_what_all_hold(make: MakeStorage) -> None:
    name, keys = model_name(), page_hashes(2)
    second, _ = make(model=name, rank=1, mla=True)
    assert second.batch_set_v1(keys, indices(0, 1)) == [True, True]
    assert second.batch_exists(keys) == 0
    first, _ = make(model=name, mla=True)
    first.batch_set_v1(keys, indices(0, 1))
    assert second.batch_get_v1(keys, indices(0, 1)) == [True, True]


def test_failed_copy_gives_the_slots_back(
    make: MakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = page_hashes(2)
    storage, _ = make(model=model_name())

    def fail(*_: object) -> None:
        raise KvasirError("cannot be copied")

    with monkeypatch.context() as patch:
        patch.setattr("kvasir.sglang._addresses", fail)
        assert storage.batch_set_v1(keys, indices(0, 1)) == [False, False]
    assert storage.batch_set_v1(keys, indices(0, 1)) == [True, True]


def test_keys_that_are_no_hashes_are_a_miss(make: MakeStorage) -> None:
    storage, _ = make(model=model_name())
    for keys in (["x"], ["00" * 16], []):
        assert storage.batch_exists(keys) == 0
        assert storage.batch_get_v1(keys, indices(0)) == [False] * len(keys)
        assert storage.batch_set_v1(keys, indices(0)) == [False] * len(keys)


def test_without_a_node_everything_is_a_miss(
    make: MakeStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kvasir.sglang._FIRST_CONNECT_S", 0.01)
    storage, _ = make(tmp_path / "none.sock")
    keys = page_hashes(2)
    assert storage.batch_exists(keys) == 0
    assert storage.batch_get_v1(keys, indices(0, 1)) == [False, False]
    assert storage.batch_set_v1(keys, indices(0, 1)) == [False, False]


def test_node_that_keeps_failing_is_left_alone_for_a_while(
    node: Node,
    make: MakeStorage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    keys = page_hashes(2)
    storage, _ = make(model=model_name())
    storage._attachment = Attachment(lambda: now)
    assert all(storage.batch_set_v1(keys, indices(0, 1)))

    def fail(*_: object) -> None:
        raise NodeUnavailableError("does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Client, "lookup", fail)
        for _ in range(FAULTS_MAX):
            assert storage.batch_exists(keys) == 0
    assert "KVA-0577" in caplog.text
    with Client(node.socket, new_identity()) as client:
        before = client.stats().result()["cache"]
        assert storage.batch_exists(keys) == 0
        assert storage.batch_get_v1(keys, indices(0, 1)) == [False, False]
        assert storage.batch_set_v1(keys, indices(0, 1)) == [False, False]
        assert client.stats().result()["cache"] == before  # nobody was asked
    now += PAUSE_MIN_S
    assert storage.batch_exists(keys) == 2
    assert "KVA-0578" in caplog.text
    assert storage.batch_get_v1(keys, indices(0, 1)) == [True, True]


def test_bad_settings_are_refused(make: MakeStorage) -> None:
    with pytest.raises(ConfigError, match="KVA-0593"):
        make(sokcet="x")
    storage, _ = make(model=model_name())
    with pytest.raises(ConfigError, match="KVA-0596"):
        storage.batch_get(["00" * 32], [torch.zeros(1)])
