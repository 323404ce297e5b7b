"""vLLM's secondary tier in its contract simulator, against real nodes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kvasir import Client, ConfigError
from kvasir.vllm.tier import KvasirTier, _Rows
from nodes import Node, wait_until
from spaces import new_identity
from vllm_tiering import ROW_BYTES, TOKENS, Tiering, keys_of, spec

MakeTiering = Callable[..., Tiering]


def prompt(chunks: int) -> list[int]:
    return [random.randrange(50_000) for _ in range(chunks * TOKENS)]


def new_model() -> str:
    return f"tier-{random.randrange(2**64)}"


def assert_nothing_leaked(node: Node) -> None:
    """0 pins and 0 reservations while the engines are still connected."""

    def is_clean() -> bool:
        with Client(node.socket, new_identity()) as client:
            store = client.stats().result()["store"]
        return bool(store["pinned"] == 0 and store["reserved"] == 0)

    wait_until(is_clean, 60.0, "no pins, no reservations")


@pytest.fixture(autouse=True)
def no_exception(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing had to be caught on its way into the engine."""
    yield
    assert "KVA-0589" not in caplog.text


@pytest.fixture
def make(node: Node) -> Iterator[MakeTiering]:
    """Makes tiers, connected unless the test names a socket itself."""
    made: list[Tiering] = []

    def make_one(model: str, socket: Path | None = None, **options: Any) -> Tiering:
        tiering = Tiering(socket or node.socket, model, **options)
        made.append(tiering)
        if socket is None:
            tiering.wait_for_node()
        return tiering

    yield make_one
    for tiering in made:
        tiering.close()


def test_second_engine_gets_the_rows_of_the_first(node: Node, make: MakeTiering) -> None:
    model, keys = new_model(), keys_of(prompt(12))
    first, second = make(model), make(model)
    assert first.request(keys[:10]) == 0
    first.run()
    assert [r.success for r in first.results] == [True]
    assert second.request(keys) == 10
    assert second.retries > 0  # it was asked, not waited for
    second.run()
    first.drop()
    assert first.request(keys) == 12
    assert_nothing_leaked(node)


def test_rows_between_two_that_are_in_memory_are_loaded(make: MakeTiering) -> None:
    model, keys = new_model(), keys_of(prompt(8))
    first, second = make(model), make(model)
    first.request(keys)
    first.run()
    second.request(keys[:3])
    second.run()
    for key in (keys[0], keys[2]):
        second.free.append(second.rows.pop(key))
    assert second.request(keys) == 8


def test_rows_that_are_there_already_count_as_stored(make: MakeTiering) -> None:
    keys = keys_of(prompt(4))
    tiering = make(new_model())
    tiering.request(keys)
    tiering.run()
    tiering.store(keys, SimpleNamespace(req_id="again"))
    tiering.run()
    assert [r.success for r in tiering.results] == [True, True]


def test_models_and_parallel_sizes_do_not_meet(make: MakeTiering) -> None:
    model, keys = new_model(), keys_of(prompt(2))
    first = make(model)
    first.request(keys)
    first.run()
    others = [
        make(new_model()),
        make(model, described=spec(model, tensor_parallel=2)),
        make(model, model_revision="2"),
        make(model, tenant_salt="t"),
    ]
    assert [other.request(keys) for other in others] == [0, 0, 0, 0]


def test_load_of_which_the_rest_is_missing_keeps_what_came(node: Node, make: MakeTiering) -> None:
    model, keys = new_model(), keys_of(prompt(5))
    first, second = make(model), make(model)
    first.request(keys[:3])
    first.run()
    second.promote(keys, SimpleNamespace(req_id="r"))
    second.run()
    (result,) = second.results
    assert not result.success
    assert result.successful_keys == tuple(keys[:3])
    assert_nothing_leaked(node)


def test_key_that_could_not_be_loaded_is_not_tried_again(
    make: MakeTiering, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, keys = new_model(), keys_of(prompt(4))
    first, second = make(model), make(model)
    first.request(keys)
    first.run()

    def fail(*_: object) -> int:
        return 0

    monkeypatch.setattr(KvasirTier, "_load", fail)
    assert second.request(keys) == 0
    second.run()
    assert [r.success for r in second.results] == [False, True]


def test_keys_that_are_no_sha256_are_a_miss(make: MakeTiering) -> None:
    tiering = make(new_model())
    keys = [key[:20] for key in keys_of(prompt(3))]
    assert tiering.request(keys) == 0
    tiering.run()
    assert [r.success for r in tiering.results] == [False]


def test_request_that_ends_before_its_answer_is_forgotten(make: MakeTiering) -> None:
    tiering = make(new_model())
    context = SimpleNamespace(req_id="gone")
    for key in keys_of(prompt(3)):
        tiering.tier.lookup(key, context)
    tiering.step()
    tiering.tier.on_request_finished(context)
    tiering.run()
    assert not tiering.tier._search._answers


def test_draining_waits_for_rows_that_are_copied(
    make: MakeTiering, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = keys_of(prompt(2))
    tiering = make(new_model())
    reached, opened = threading.Event(), threading.Event()
    store = _Rows.store

    def gated(rows: _Rows, row: int, memory: memoryview) -> None:
        reached.set()
        assert opened.wait(60.0)
        store(rows, row, memory)

    monkeypatch.setattr(_Rows, "store", gated)
    tiering.request(keys)
    assert reached.wait(60.0)
    drained = threading.Thread(target=tiering.tier.drain_jobs)
    drained.start()
    assert tiering.tier.has_pending_work()
    assert list(tiering.tier.get_finished_jobs()) == []
    opened.set()
    drained.join(60.0)
    assert not drained.is_alive()
    tiering.step()
    assert [r.success for r in tiering.results] == [True]


def test_full_slab_is_no_problem(make: MakeTiering) -> None:
    node = Node("small", "1MiB")
    try:
        tiering = make(new_model(), node.socket, rows=64)
        tiering.wait_for_node()
        for _ in range(6):
            assert tiering.request(keys_of(prompt(10))) == 0
        tiering.run()
        assert len(tiering.results) == 6
        assert_nothing_leaked(node)
    finally:
        node.close()


def test_node_that_comes_late_dies_in_a_load_and_comes_back(
    make: MakeTiering, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node("fragile", start=False)
    try:
        model, keys = new_model(), keys_of(prompt(6))
        tiering = make(model, node.socket)
        assert tiering.request(keys) == 0
        tiering.run()
        assert [r.success for r in tiering.results] == [False]
        tiering.drop()

        node.start()
        tiering.wait_for_node()
        assert tiering.request(keys) == 0
        tiering.run()
        assert tiering.results[-1].success
        tiering.drop()

        reached, opened = threading.Event(), threading.Event()
        load = _Rows.load

        def gated(rows: _Rows, row: int, memory: memoryview) -> None:
            reached.set()
            assert opened.wait(60.0)
            load(rows, row, memory)

        with monkeypatch.context() as patch:
            patch.setattr(_Rows, "load", gated)
            tiering.promote(keys, SimpleNamespace(req_id="cut"))
            assert reached.wait(60.0)
            session = tiering.tier._link.session
            assert session is not None
            node.kill()
            assert session.client.wait_closed(60.0)
            opened.set()
            tiering.run()
        assert not tiering.results[-1].success
        assert tiering.results[-1].successful_keys is None  # nothing counts without a release

        node.start()
        tiering.wait_for_node()
        assert tiering.request(keys) == 6
        assert_nothing_leaked(node)
    finally:
        node.close()


@pytest.mark.parametrize(
    "options",
    [
        {"described": spec("m", groups=2)},
        {"sokcet": "x"},
        {"load_deadline_ms": "2000"},
        {"lookup_wait_ms": 0},
    ],
)
def test_configuration_that_cannot_be_cached_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="KVA-0580"):
        Tiering(Path("/none"), "m", **options)


@pytest.mark.parametrize(
    "view",
    [
        memoryview(bytes(4 * ROW_BYTES)).cast("B", (4, ROW_BYTES)),
        memoryview(bytearray(4 * ROW_BYTES)),
        memoryview(bytearray(4 * ROW_BYTES))[::2],
    ],
)
def test_unknown_layouts_of_memory_are_refused(view: memoryview) -> None:
    with pytest.raises(ConfigError, match="KVA-0583"):
        KvasirTier(spec("m"), view, "KvasirTier")
