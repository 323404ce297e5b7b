"""The vLLM connector in the contract simulator, against real nodes."""

from __future__ import annotations

import functools
import itertools
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from prometheus_client import CollectorRegistry, Counter

from kvasir import Client, ConfigError
from kvasir.vllm import KvasirConnector
from kvasir.vllm.engine import KVConnectorRole
from kvasir.vllm.messages import Job, SessionInfo, WorkerLayout
from kvasir.vllm.pages import BlockPages
from kvasir.vllm.settings import read_settings
from kvasir.vllm.stores import Stores
from nodes import Node, wait_until
from spaces import new_identity
from vllm_engine import BLOCK, LAYERS, Engine, Request, cache_config, config

MakeEngine = Callable[..., Engine]
_models = itertools.count()


def prompt(length: int) -> list[int]:
    return [random.randrange(50_000) for _ in range(length)]


def new_model() -> str:
    return f"sim-{next(_models)}-{random.randrange(2**32)}"


def stats(node: Node) -> dict[str, Any]:
    with Client(node.socket, new_identity()) as client:
        answer: dict[str, Any] = client.stats().result()["store"]
        return answer


def assert_nothing_leaked(node: Node, *engines: Engine) -> None:
    """0 pins and 0 reservations while the engines are still connected."""
    for engine in engines:
        engine.assert_clean()

    def is_clean() -> bool:
        store = stats(node)
        return bool(store["pinned"] == 0 and store["reserved"] == 0)

    wait_until(is_clean, what="no pins, no reservations")


@pytest.fixture(autouse=True)
def no_exception(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing had to be caught on its way into the engine."""
    yield
    assert "KVA-0589" not in caplog.text


@pytest.fixture
def make(node: Node) -> Iterator[MakeEngine]:
    """Makes engines, connected unless the test names a socket itself."""
    engines: list[Engine] = []

    def make_one(socket: Path | None = None, **options: Any) -> Engine:
        engine = Engine(socket or node.socket, **options)
        engines.append(engine)
        if socket is None:
            engine.wait_for_node()
        return engine

    yield make_one
    for engine in engines:
        engine.close()


class Gate:
    """Holds copies back until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        load = BlockPages.load

        def gated(pages: BlockPages, *args: Any) -> None:
            self.reached.set()
            assert self.opened.wait(60.0)
            load(pages, *args)

        monkeypatch.setattr(BlockPages, "load", gated)


def step_until(engine: Engine, condition: Callable[[], object]) -> None:
    engine.run_until(condition)


@pytest.mark.parametrize(("world", "mla"), [(1, False), (2, False), (2, True)])
def test_second_engine_loads_what_the_first_computed(
    node: Node, make: MakeEngine, world: int, mla: bool
) -> None:
    model, tokens = new_model(), prompt(200)
    first = make(world=world, mla=mla, model=model)
    first.add(Request("a", tokens, new_tokens=40))
    first.run()
    assert first.loaded_tokens == 0
    second = make(world=world, mla=mla, model=model)
    second.add(Request("b", [*tokens, 1, 2, 3]))
    second.run()
    assert second.loaded_tokens == 192  # six chunks of 32
    assert second.computed_tokens == 11
    assert_nothing_leaked(node, first, second)


def test_engines_with_different_numbers_of_blocks_share(node: Node, make: MakeEngine) -> None:
    model, tokens = new_model(), prompt(200)
    first, second = make(model=model, blocks=64), make(model=model, blocks=96)
    first.add(Request("a", tokens))
    first.run()
    second.add(Request("b", tokens))
    second.run()
    assert second.loaded_tokens == 192
    assert_nothing_leaked(node, first, second)


def test_job_of_a_session_that_is_over_is_not_done(
    node: Node, make: MakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    model, tokens = new_model(), prompt(64)
    engine = make(model=model)
    engine.add(Request("a", tokens))
    engine.run()
    worker = engine.workers[0]._worker
    assert worker is not None
    client = worker._mover._client
    assert client is not None
    over = SessionInfo(str(uuid.uuid4()), client.incarnation)
    for is_store in (False, True):
        assert worker._mover.submit(Job(99, over, []), is_store).result(30.0) is None
    assert "KVA-0586 job of a session that is over" in caplog.text
    assert worker._mover._client is client
    assert client.is_open
    assert_nothing_leaked(node, engine)


@pytest.mark.parametrize("shape", [(0, 2, BLOCK, 8), (2, 0, BLOCK, 2, 4)])
def test_layout_does_not_depend_on_the_number_of_blocks(shape: tuple[int, ...]) -> None:
    def layout(blocks: int, last: int = shape[-1]) -> str:
        sizes = [size or blocks for size in (*shape[:-1], last)]
        return BlockPages({"a": torch.zeros(sizes)}, blocks, 2).layout

    assert layout(64) == layout(96)
    assert layout(64) != layout(64, 16)


def test_generated_tokens_are_stored_too(node: Node, make: MakeEngine) -> None:
    model, tokens = new_model(), prompt(70)
    first = make(model=model)
    request = first.add(Request("a", tokens, new_tokens=100))
    first.run()
    second = make(model=model)
    second.add(Request("b", request.tokens))
    second.run()
    assert second.loaded_tokens == 160
    assert_nothing_leaked(node, first, second)


def test_full_hit_leaves_a_token_to_compute(node: Node, make: MakeEngine) -> None:
    model, tokens = new_model(), prompt(64)
    engine = make(model=model)
    engine.add(Request("a", tokens))
    engine.run()
    engine.add(Request("b", tokens))
    engine.run()
    assert engine.loaded_tokens == 48
    assert_nothing_leaked(node, engine)


def test_blocks_of_the_engine_itself_are_not_loaded(node: Node, make: MakeEngine) -> None:
    """Its own prefix cache ends in the middle of a chunk."""
    model, tokens = new_model(), prompt(200)
    first = make(model=model)
    first.add(Request("a", tokens))
    first.run()
    second = make(model=model)
    second.add(Request("b", tokens, local=3 * BLOCK))
    second.run()
    assert second.loaded_tokens == 192 - 48
    assert_nothing_leaked(node, first, second)


def test_many_requests_share_prefixes(node: Node, make: MakeEngine) -> None:
    model = new_model()
    first, second = make(model=model, blocks=96), make(model=model, blocks=96)
    heads = [prompt(128) for _ in range(3)]
    for i in range(40):
        engine = (first, second)[i % 2]
        engine.add(Request(f"r{i}", heads[i % 3] + prompt(40), new_tokens=3))
        engine.step()
    for engine in (first, second):
        engine.run()
    assert first.finished | second.finished == {f"r{i}" for i in range(40)}
    assert first.loaded_tokens + second.loaded_tokens > 0
    assert_nothing_leaked(node, first, second)


def test_engine_goes_on_while_an_answer_is_pending(node: Node, make: MakeEngine) -> None:
    engine = make(model=new_model())
    running = engine.add(Request("running", prompt(40), new_tokens=500))
    step_until(engine, lambda: running.state == "running")
    begin = engine.computed_tokens
    engine.add(Request("asking", prompt(400)))
    step_until(engine, lambda: "asking" in engine.finished)
    assert engine.computed_tokens > begin
    engine.abort(running)
    engine.run()
    assert_nothing_leaked(node, engine)


def test_preempted_request_loads_what_it_had_stored(node: Node, make: MakeEngine) -> None:
    engine = make(model=new_model())
    request = engine.add(Request("a", prompt(200), new_tokens=60))
    step_until(engine, lambda: request.num_computed_tokens > 200)
    engine.preempt(request)  # its stores may be under way: the blocks stay pinned
    engine.run()
    assert engine.finished == {"a"}
    assert_nothing_leaked(node, engine)
    loaded = engine.loaded_tokens
    request = engine.add(Request("b", prompt(200), new_tokens=400))
    step_until(engine, lambda: request.num_computed_tokens > 200)
    step_until(engine, lambda: not engine.scheduler.has_pending_push_work())
    engine.preempt(request)
    engine.run()
    assert engine.loaded_tokens >= loaded + 192
    assert_nothing_leaked(node, engine)


def test_request_aborted_while_it_loads(
    node: Node, make: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokens = new_model(), prompt(200)
    engine = make(model=model, world=2)
    engine.add(Request("a", tokens))
    engine.run()
    gate = Gate(monkeypatch)
    request = engine.add(Request("b", tokens))
    step_until(engine, gate.reached.is_set)
    engine.abort(request)
    assert engine.scheduler.has_pending_push_work()
    gate.opened.set()
    engine.run()
    assert engine.received["b"] == 1
    assert_nothing_leaked(node, engine)


def test_request_aborted_before_it_loads(node: Node, make: MakeEngine) -> None:
    model, tokens = new_model(), prompt(200)
    engine = make(model=model)
    engine.add(Request("a", tokens))
    engine.run()
    for steps in range(6):
        request = engine.add(Request(f"b{steps}", tokens))
        for _ in range(steps):
            engine.step()
        if request in engine.requests:
            engine.abort(request)
    engine.run()
    assert_nothing_leaked(node, engine)


def test_request_that_finds_no_blocks_keeps_its_answer(node: Node, make: MakeEngine) -> None:
    model, tokens = new_model(), prompt(200)
    engine = make(model=model, blocks=32)
    engine.add(Request("a", tokens))
    engine.run()
    hog = engine.add(Request("hog", prompt(21 * BLOCK), new_tokens=200))
    step_until(engine, lambda: hog.state == "running")
    engine.add(Request("b", tokens))
    for _ in range(50):
        engine.step()
    engine.abort(hog)
    engine.run()
    assert engine.loaded_tokens == 192
    assert_nothing_leaked(node, engine)


def test_counts_are_added_up_over_ranks_and_steps(make: MakeEngine) -> None:
    model, tokens = new_model(), prompt(200)
    first = make(world=2, model=model)
    first.add(Request("a", tokens))
    first.run()
    assert first.stats.data["asked_tokens"] == 192
    assert first.stats.data["stored_chunks"] == 6
    bytes_moved = 192 * 2 * 8 * 4 * LAYERS * 2  # heads, key and value, float32, layers, ranks
    assert first.stats.data["store_bytes"] == bytes_moved
    assert "loaded_tokens" not in first.stats.data
    second = make(world=2, model=model)
    second.add(Request("b", tokens))
    second.run()
    assert second.stats.data["loaded_tokens"] == 192
    assert second.stats.data["load_bytes"] == bytes_moved
    assert second.stats.data["load_seconds"] > 0
    assert second.stats.data["present_chunks"] == 6
    assert second.stats.reduce()["Kvasir loaded tokens"] == 192


def test_counts_reach_prometheus() -> None:
    registry = CollectorRegistry()
    counter = functools.partial(Counter, registry=registry)
    metrics = KvasirConnector.build_prom_metrics(
        config(Path("/none")), {Counter: counter}, ["engine"], {0: ["0"], 1: ["1"]}
    )
    metrics.observe({"loaded_tokens": 64, "load_seconds": 0.5}, 1)
    metrics.observe({"loaded_tokens": 32}, 1)
    name = "vllm:kvasir_loaded_tokens_total"
    assert registry.get_sample_value(name, {"engine": "1"}) == 96
    assert registry.get_sample_value(name, {"engine": "0"}) == 0
    assert registry.get_sample_value("vllm:kvasir_load_seconds_total", {"engine": "1"}) == 0.5


def test_stored_chunks_are_told_as_events(make: MakeEngine) -> None:
    model, tokens = new_model(), prompt(100)
    engine = make(model=model, events=True)
    request = engine.add(Request("a", tokens))
    engine.run()
    told = sorted(engine.events, key=lambda event: tokens.index(event.token_ids[0]))
    assert [e.token_ids for e in told] == [tokens[i : i + 32] for i in (0, 32, 64)]
    assert [h for e in told for h in e.block_hashes] == request.block_hashes[:6]
    assert [e.parent_block_hash for e in told] == [None, *request.block_hashes[1:5:2]]
    assert {(e.block_size, e.medium, e.lora_name) for e in told} == {(BLOCK, "STORAGE", None)}
    engine.events.clear()
    engine.add(Request("b", tokens))
    engine.run()
    assert engine.events == []  # nothing new
    deaf = make(model=new_model())
    deaf.add(Request("c", tokens))
    deaf.run()
    assert deaf.events == []


def test_decode_engine_waits_for_what_the_prefill_engine_promised(
    node: Node, make: MakeEngine
) -> None:
    model, tokens = new_model(), prompt(200)
    prefill, decode = make(model=model), make(model=model, prefill_wait_ms=60_000)
    asked = Request("a", tokens, kv_transfer_params={"do_remote_decode": True})
    promise = {"do_remote_prefill": True, "do_remote_decode": False, "kvasir_tokens": 192}
    decode.add(Request("b", tokens, kv_transfer_params=promise))
    for _ in range(50):  # long before the prefill engine has begun
        decode.step()
    assert decode.nones == 50
    prefill.add(asked)
    prefill.run()
    assert asked.answered_params == promise
    decode.run()
    assert decode.loaded_tokens == 192
    assert_nothing_leaked(node, prefill, decode)


def test_promise_that_is_not_kept_ends(node: Node, make: MakeEngine) -> None:
    engine = make(model=new_model(), prefill_wait_ms=50)
    engine.add(Request("a", prompt(200), kv_transfer_params={"kvasir_tokens": 10**30}))
    engine.run()
    assert engine.finished == {"a"}
    assert engine.loaded_tokens == 0
    assert_nothing_leaked(node, engine)


@pytest.mark.parametrize("params", ["x", [], {"kvasir_tokens": -1}, {"kvasir_tokens": True}])
def test_strange_transfer_parameters_are_ignored(node: Node, make: MakeEngine, params: Any) -> None:
    engine = make(model=new_model(), prefill_wait_ms=600_000)
    request = engine.add(Request("a", prompt(200), kv_transfer_params=params))
    engine.run()
    assert engine.finished == {"a"}
    assert request.answered_params is None
    assert_nothing_leaked(node, engine)


def test_nothing_from_before_a_reset_is_met_again(node: Node, make: MakeEngine) -> None:
    model, tokens = new_model(), prompt(200)
    engine, other = make(model=model), make(model=model)
    engine.add(Request("a", tokens))
    engine.run()
    running = engine.add(Request("running", prompt(64), new_tokens=200))
    step_until(engine, lambda: engine.stats.data["stored_chunks"] == 8)
    assert running in engine.requests
    assert engine.scheduler.reset_cache()
    engine.wait_for_node()
    engine.add(Request("b", tokens))
    engine.run()
    assert engine.loaded_tokens == 0
    assert engine.stats.data["stored_chunks"] == 14  # those of b; none of the running one
    engine.add(Request("c", tokens))
    engine.run()
    assert engine.loaded_tokens == 192
    other.add(Request("d", tokens))
    other.run()
    assert other.loaded_tokens == 192
    assert_nothing_leaked(node, engine, other)


def test_reset_gives_back_what_waits(node: Node, make: MakeEngine) -> None:
    model, tokens = new_model(), prompt(200)
    engine = make(model=model)
    engine.add(Request("a", tokens))
    engine.run()
    engine.add(Request("b", tokens))
    engine.step()
    assert engine.scheduler.reset_cache()
    engine.run()
    assert engine.finished == {"a", "b"}
    assert_nothing_leaked(node, engine)


def test_short_prompt_and_wrong_hashes_are_computed(
    node: Node, make: MakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make(model=new_model())
    engine.add(Request("short", prompt(20)))
    engine.run()
    wrong = Request("wrong", prompt(100))
    wrong.block_hashes = [h[:16] for h in wrong.block_hashes]
    engine.add(wrong)
    engine.run()
    assert engine.finished == {"short", "wrong"}
    assert [r.message[:8] for r in caplog.records] == ["KVA-0565"]  # said once, nothing raised
    assert engine.loaded_tokens == 0
    assert_nothing_leaked(node, engine)


def test_prompt_of_100_000_tokens(node: Node, make: MakeEngine) -> None:
    engine = make(model=new_model(), blocks=6400)
    engine.add(Request("long", prompt(100_000)))
    engine.step()
    request = engine.requests[0]
    engine.step()
    engine.abort(request)
    engine.run()
    assert_nothing_leaked(node, engine)


def test_full_slab_is_no_problem(make: MakeEngine) -> None:
    node = Node("small", "1MiB")
    try:
        engine = make(node.socket, model=new_model(), blocks=512)
        engine.wait_for_node()
        for i in range(12):
            engine.add(Request(f"r{i}", prompt(600)))
        engine.run()
        assert len(engine.finished) == 12
        assert_nothing_leaked(node, engine)
    finally:
        node.close()


def test_node_that_comes_late_dies_in_a_load_and_comes_back(
    make: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node("fragile", start=False)
    try:
        model, tokens = new_model(), prompt(200)
        engine = make(node.socket, model=model, world=2)
        engine.add(Request("absent", tokens))
        engine.run()
        assert engine.loaded_tokens == 0

        node.start()
        engine.wait_for_node()
        engine.add(Request("store", tokens))
        engine.run()
        assert_nothing_leaked(node, engine)

        # First block bad for one request, a middle block for the other: it has some of its own.
        gate = Gate(monkeypatch)
        first = engine.add(Request("first", tokens))
        middle = engine.add(Request("middle", tokens, local=5 * BLOCK))
        step_until(engine, lambda: first.state == middle.state == "loading")
        assert gate.reached.wait(30.0)
        node.kill()
        wait_until(lambda: stats_fail(node), what="node dead")
        gate.opened.set()
        engine.run()
        assert {"first", "middle"} <= engine.finished
        assert engine.received["first"] == engine.received["middle"] == 1
        assert engine.loaded_tokens == 0
        engine.assert_clean()

        node.start()
        engine.wait_for_node()
        engine.add(Request("again", tokens))
        engine.run()
        assert engine.loaded_tokens == 192
        assert_nothing_leaked(node, engine)
    finally:
        node.close()


def stats_fail(node: Node) -> bool:
    try:
        stats(node)
    except Exception:
        return True
    return False


def test_request_that_skips_reading_is_computed_and_stored(node: Node, make: MakeEngine) -> None:
    model, tokens = new_model(), prompt(200)
    engine = make(model=model)
    for name in ("a", "b"):
        request = Request(name, tokens)
        request.skip_reading_prefix_cache = True
        engine.add(request)
        engine.run()
    assert engine.loaded_tokens == 0
    engine.add(Request("c", tokens))
    engine.run()
    assert engine.loaded_tokens == 192
    assert_nothing_leaked(node, engine)


def test_failing_store_does_not_keep_a_load_from_its_report(
    node: Node, make: MakeEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, tokens = new_model(), prompt(200)
    engine = make(model=model)
    engine.add(Request("a", tokens))
    engine.run()

    def fail(*_: object) -> None:
        raise RuntimeError("cannot be stored")

    with monkeypatch.context() as patch:
        patch.setattr(Stores, "ask", fail)
        engine.add(Request("other", prompt(200), new_tokens=40))
        engine.add(Request("b", [*tokens, *prompt(200)], new_tokens=40))
        engine.run()
    assert engine.loaded_tokens == 192
    assert "KVA-0589 storing failed" in caplog.text
    caplog.clear()
    assert_nothing_leaked(node, engine)


def test_revision_is_what_the_user_names_or_the_commit_that_was_loaded() -> None:
    settings = config(Path("/none"))
    model = settings.model_config

    def revision() -> str | None:
        return read_settings(settings, cache_config(8)).identity.revision

    assert revision() is None
    model.hf_config = SimpleNamespace(_commit_hash="abc", to_dict=dict)
    assert revision() == "abc"
    model.revision = "main"
    assert revision() == "main"


@pytest.mark.parametrize(
    "extra",
    [
        {"algorithm": "xxhash"},
        {"algorithm": "xxhash_cbor"},
        {"pipeline": 2},
        {"chunk_tokens": 24},
        {"chunk_tokens": "32"},
        {"load_deadline_ms": 0},
        {"chunk_token": 32},
    ],
)
def test_configuration_that_cannot_be_cached_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="KVA-0580"):
        KvasirConnector(config(Path("/none"), **extra), KVConnectorRole.SCHEDULER, cache_config(8))


def test_several_groups_are_refused() -> None:
    groups = cache_config(8)
    groups.kv_cache_groups *= 2
    with pytest.raises(ConfigError, match="kv_cache_groups"):
        KvasirConnector(config(Path("/none")), KVConnectorRole.SCHEDULER, groups)


def test_ranks_that_differ_are_refused() -> None:
    scheduler = KvasirConnector(
        config(Path("/none"), world=2), KVConnectorRole.SCHEDULER, cache_config(8)
    )
    same = WorkerLayout("x", "y", 4096)
    for layouts in ({0: same}, {0: same, 1: same}, {0: same, 1: WorkerLayout("x", "z", 4096)}):
        with pytest.raises(ConfigError, match="KVA-0588"):
            scheduler.set_xfer_handshake_metadata(layouts)


def test_constructor_of_early_releases_takes_two_arguments() -> None:
    connector = KvasirConnector(config(Path("/none")), KVConnectorRole.WORKER)
    connector._config.cache_config.num_gpu_blocks = 8
    connector.register_kv_caches({"a": torch.zeros(8, 2, 16, 8)})
    assert connector.get_handshake_metadata() is not None
    connector.shutdown()


@pytest.mark.parametrize(
    ("tensor", "fragments"),
    [
        (torch.zeros(8, 16, 2, 8).permute(0, 2, 1, 3), 1),
        (torch.zeros(8, 2, 16, 8), 1),
        (torch.zeros(2, 8, 16, 2, 4), 2),
        (torch.zeros(8, 16, 576), 1),
        (torch.zeros(8, 3, 16, 2, 8)[:, 1], 1),
    ],
)
def test_known_layouts_are_copied_whole(tensor: torch.Tensor, fragments: int) -> None:
    tensor.copy_(torch.rand(tensor.shape))
    before = tensor.clone()
    pages = BlockPages({"a": tensor, "same": tensor}, 8, 2)
    assert len(pages._fragments) == fragments
    cell = torch.zeros(pages.cell_bytes, dtype=torch.uint8)
    pages.store(cell, 0, [3, 5])
    tensor.zero_()
    pages.load(cell, 0, [3, 5])
    dimension = 1 if fragments == 2 else 0
    index = torch.tensor([3, 5])
    assert torch.equal(tensor.index_select(dimension, index), before.index_select(dimension, index))
    assert torch.count_nonzero(tensor.index_select(dimension, torch.tensor([0, 4]))) == 0


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(7, 2, 16, 8),
        torch.zeros(3, 8, 16, 2, 4),
        torch.zeros(8, 2, 32, 8)[:, :, ::2],
        torch.zeros(1, 2, 16, 8).expand(8, 2, 16, 8),
        [torch.zeros(8, 4)],
    ],
)
def test_unknown_layouts_are_refused(tensor: Any) -> None:
    with pytest.raises(ConfigError, match="KVA-0583"):
        BlockPages({"a": tensor}, 8, 2)
