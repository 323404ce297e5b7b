"""A contract simulator: drives the vLLM connector in the engine's order, with real tensors.

It schedules, allocates, "computes" and frees as the engine's scheduler and workers do as far as a
connector can see. A block's content is a function of all tokens up to its end, rank and layer, so
every block that a request reads can be proven right. It asserts the rules that crash the engine.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from kvasir.vllm import KvasirConnector
from kvasir.vllm.engine import KVConnectorRole

BLOCK = 16
LAYERS = 3
_LIMIT_S = 60.0
_IDLE_S = 0.0005


def config(socket: Path, world: int = 1, rank: int = 0, mla: bool = False, **extra: Any) -> Any:
    """An engine configuration as far as the connector reads it."""
    model = SimpleNamespace(
        model=extra.pop("model", "sim"),
        revision=None,
        dtype=torch.float32,
        quantization=None,
        use_mla=mla,
        get_num_layers=lambda _parallel: LAYERS,
        get_total_num_kv_heads=lambda: 2,
        get_head_size=lambda: 4,
    )
    algorithm = extra.pop("algorithm", "sha256_cbor")
    events = extra.pop("events", False)
    return SimpleNamespace(
        model_config=model,
        cache_config=SimpleNamespace(
            block_size=BLOCK, cache_dtype="auto", prefix_caching_hash_algo=algorithm
        ),
        parallel_config=SimpleNamespace(
            tensor_parallel_size=world,
            pipeline_parallel_size=extra.pop("pipeline", 1),
            rank=rank,
        ),
        kv_events_config=SimpleNamespace(enable_kv_cache_events=events),
        kv_transfer_config=SimpleNamespace(
            kv_connector_extra_config={
                "socket": str(socket),
                "chunk_tokens": 32,
                "lookup_wait_ms": 30_000,
                "load_deadline_ms": 30_000,
                **extra,
            },
            kv_load_failure_policy="recompute",
        ),
    )


class FullAttentionSpec:
    """Named like the engine's, which is all the connector looks at."""


def cache_config(blocks: int) -> Any:
    group = SimpleNamespace(kv_cache_spec=FullAttentionSpec(), layer_names=["a", "b", "c"])
    return SimpleNamespace(num_blocks=blocks, kv_cache_groups=[group])


class Pool:
    """The engine's block pool: reference counts and a free list."""

    def __init__(self, count: int) -> None:
        self.blocks = [SimpleNamespace(block_id=i, ref_cnt=0) for i in range(count)]
        self.free = list(range(count))

    def allocate(self, count: int) -> list[int] | None:
        if count > len(self.free):
            return None
        taken = [self.free.pop(0) for _ in range(count)]
        for i in taken:
            self.blocks[i].ref_cnt = 1
        return taken

    def touch(self, blocks: Iterable[Any]) -> None:
        for block in blocks:
            assert block.ref_cnt > 0, "only used blocks are pinned here"
            block.ref_cnt += 1

    def free_blocks(self, blocks: Iterable[Any]) -> None:
        for block in blocks:
            block.ref_cnt -= 1
            assert block.ref_cnt >= 0, "freed twice"
            if block.ref_cnt == 0:
                self.free.append(block.block_id)


class Request:
    """One request. ``local`` leading tokens are found in the engine's own prefix cache."""

    def __init__(
        self,
        name: str,
        tokens: list[int],
        local: int = 0,
        new_tokens: int = 1,
        kv_transfer_params: Any = None,
    ) -> None:
        self.request_id = name
        self.tokens = list(tokens)
        self.local = local
        self.left = new_tokens
        self.block_hashes: list[bytes] = []
        self.num_computed_tokens = 0
        self.num_preemptions = 0
        self.skip_reading_prefix_cache = False
        self.kv_transfer_params = kv_transfer_params
        self.answered_params: dict[str, Any] | None = None
        self.block_ids: list[int] = []
        self.state = "waiting"
        self.was_scheduled = False
        self.loaded = 0
        self.reported = 0
        self.hash_blocks()

    @property
    def num_tokens(self) -> int:
        return len(self.tokens)

    @property
    def all_token_ids(self) -> list[int]:
        return self.tokens

    def hash_blocks(self) -> None:
        for i in range(len(self.block_hashes), len(self.tokens) // BLOCK):
            parent = self.block_hashes[-1] if i else b""
            data = repr(self.tokens[i * BLOCK : (i + 1) * BLOCK]).encode()
            self.block_hashes.append(hashlib.sha256(parent + data).digest())


class Engine:
    """The engine around one connector per rank and one for the scheduler."""

    def __init__(
        self, socket: Path, world: int = 1, blocks: int = 64, mla: bool = False, **extra: Any
    ) -> None:
        self.world, self.mla = world, mla
        self.pool = Pool(blocks)
        self.requests: list[Request] = []
        self.loading: dict[str, Request] = {}
        self.finished: set[str] = set()
        self.nones = 0
        self.loaded_tokens = 0
        self.computed_tokens = 0
        self.stats = KvasirConnector.build_kv_connector_stats()
        self.events: list[Any] = []
        self.reports: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.workers, self.tensors = [], []
        for rank in range(world):
            layers = {
                f"layer{i}": torch.zeros(blocks, BLOCK, 2, 8).permute(0, 2, 1, 3)
                for i in range(LAYERS)
            }
            worker = KvasirConnector(
                config(socket, world, rank, mla, **extra),
                KVConnectorRole.WORKER,
                cache_config(blocks),
            )
            worker.register_kv_caches(layers)
            self.workers.append(worker)
            self.tensors.append(layers)
        self.scheduler = KvasirConnector(
            config(socket, world, 0, mla, **extra), KVConnectorRole.SCHEDULER, cache_config(blocks)
        )
        self.scheduler.bind_gpu_block_pool(self.pool)
        handshakes = {i: w.get_handshake_metadata() for i, w in enumerate(self.workers)}
        self.scheduler.set_xfer_handshake_metadata(pickle.loads(pickle.dumps(handshakes)))

    def wait_for_node(self) -> None:
        assert self.scheduler._scheduler is not None
        assert self.scheduler._scheduler.wait_for_node(30.0)

    def add(self, request: Request) -> Request:
        self.requests.append(request)
        self.scheduler.on_new_request(request)
        return request

    def abort(self, request: Request) -> None:
        self.requests.remove(request)
        assert self.scheduler.request_finished_all_groups(request, (request.block_ids,)) == (
            False,
            None,
        )
        if request.request_id not in self.loading:  # else freed when its load is reported
            self._free(request)
        request.state = "aborted"

    def preempt(self, request: Request) -> None:
        assert request.state == "running"
        self._free(request)
        request.state, request.num_computed_tokens = "waiting", 0
        request.num_preemptions += 1

    @property
    def is_busy(self) -> bool:
        return bool(self.requests or self.loading or self.scheduler.has_pending_push_work())

    def run(self) -> None:
        """Steps until nothing is left to do, as the engine does when it becomes idle."""
        self.run_until(lambda: not self.is_busy)

    def run_until(self, condition: Callable[[], object]) -> None:
        """Steps until the condition holds. The node is given time, however fast the steps are."""
        deadline = time.monotonic() + _LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, (
                f"engine does not come to an end: free={len(self.pool.free)} "
                f"requests={[(r.request_id, r.state, len(r.block_ids)) for r in self.requests]}"
            )
            if not self.step():
                time.sleep(_IDLE_S)

    def step(self) -> bool:
        """One step; False if no request got on in it."""
        scheduled: dict[str, int] = {}
        new, resumed, cached = [], set(), []
        for request in list(self.requests):
            count = self._schedule(request)
            if count == 0:
                continue
            scheduled[request.request_id] = count
            blocks = list(request.block_ids)
            if not request.was_scheduled:
                new.append(
                    SimpleNamespace(
                        req_id=request.request_id,
                        block_ids=(blocks,),
                        num_computed_tokens=request.num_computed_tokens,
                    )
                )
            else:
                fresh = blocks[request.reported :] if request.state == "running" else blocks
                if request.state != "running":
                    resumed.add(request.request_id)
                cached.append((request, (fresh,) if fresh else None))
            request.was_scheduled, request.state = True, "running"
            request.reported = len(blocks)
        output = SimpleNamespace(
            scheduled_new_reqs=new,
            scheduled_cached_reqs=SimpleNamespace(
                req_ids=[r.request_id for r, _ in cached],
                resumed_req_ids=resumed,
                new_block_ids=[b for _, b in cached],
                num_computed_tokens=[r.num_computed_tokens for r, _ in cached],
            ),
            num_scheduled_tokens=scheduled,
        )
        metadata = pickle.dumps(self.scheduler.build_connector_meta(output))
        active = [r for r in self.requests if r.request_id in scheduled]
        received, bad_blocks, report = self._execute(metadata, active, scheduled)
        self._update(received, bad_blocks, report)
        for request in active:
            if request in self.requests:
                self._advance(request, scheduled[request.request_id])
        return bool(active or received)

    def close(self) -> None:
        for connector in (*self.workers, self.scheduler):
            connector.shutdown()

    def assert_clean(self) -> None:
        """Nothing is pinned in the engine, and every load was reported exactly once per rank."""
        assert len(self.pool.free) == len(self.pool.blocks)
        assert self.reports == self.received

    def _schedule(self, request: Request) -> int:
        """Tokens of the request in this step; allocates for them."""
        if request.state == "loading":
            return 0
        if request.state == "waiting" and request.num_computed_tokens == 0:
            local = request.local
            matched, is_async = self.scheduler.get_num_new_matched_tokens(request, local)
            if matched is None:
                self.nones += 1
                return 0
            assert is_async == (matched > 0)
            assert matched % BLOCK == 0
            assert local + matched < request.num_tokens
            # All of the prompt, also for a load: requests that load at the same time would else
            # take all blocks between them, and none could go on. There is no preemption here.
            if not self._allocate(request, request.num_tokens):
                return 0
            self._fill(request, 0, local)
            self._after_alloc(request, matched)
            if matched:
                request.state = "loading"
                request.loaded = matched
                self.loading[request.request_id] = request
                self.reports[request.request_id] += 1
                return 0
            request.num_computed_tokens = local
        elif not self._allocate(request, request.num_tokens):
            return 0
        elif request.state == "waiting":
            self._after_alloc(request, 0)
        return min(request.num_tokens - request.num_computed_tokens, 256)

    def _after_alloc(self, request: Request, matched: int) -> None:
        blocks = SimpleNamespace(get_block_ids=lambda: (list(request.block_ids),))
        self.scheduler.update_state_after_alloc(request, blocks, matched)

    def _allocate(self, request: Request, tokens: int) -> bool:
        more = self.pool.allocate(-(-tokens // BLOCK) - len(request.block_ids))
        if more is None:
            return False
        request.block_ids += more
        return True

    def _execute(
        self, metadata: bytes, active: list[Request], scheduled: dict[str, int]
    ) -> tuple[set[str], set[int], Any]:
        received: Counter[str] = Counter()
        bad_blocks: set[int] = set()
        report = None
        for request in active:
            self._check(request)
        for worker in self.workers:
            worker.bind_connector_metadata(pickle.loads(metadata))
            worker.handle_preemptions(None)
            worker.start_load_kv(None)
        for request in active:
            begin = request.num_computed_tokens
            self._fill(request, begin, begin + scheduled[request.request_id])
        for worker in self.workers:
            worker.wait_for_save()
            sent, got = worker.get_finished(set())
            assert sent is None
            received.update(got or ())
            bad_blocks |= worker.get_block_ids_with_load_errors()
            self._count(worker)
            own = pickle.loads(pickle.dumps(worker.build_connector_worker_meta()))
            report = own if report is None else report.aggregate(own) if own else report
            worker.clear_connector_metadata()
        assert all(ranks == self.world for ranks in received.values()), "ranks disagree"
        return set(received), bad_blocks, report

    def _update(self, received: set[str], bad_blocks: set[int], report: Any) -> None:
        self.scheduler.update_connector_output(SimpleNamespace(kv_connector_worker_meta=report))
        self._count(self.scheduler)
        self.events += self.scheduler.take_events()
        for name in received:
            request = self.loading.pop(name)  # a second report would kill the engine here
            self.received[name] += 1
            if request.state == "aborted":
                self._free(request)
                continue
            good = request.local + request.loaded
            begin = request.local // BLOCK
            for index in range(begin, good // BLOCK):
                if request.block_ids[index] in bad_blocks:
                    good = index * BLOCK
                    break
            self.loaded_tokens += good - request.local
            request.num_computed_tokens = good
            request.state = "waiting"
            if good == 0:
                self._free(request)

    def _count(self, connector: KvasirConnector) -> None:
        """Counts go through another process to where they are shown."""
        stats = connector.get_kv_connector_stats()
        if stats is not None:
            data = json.loads(json.dumps(stats.data))
            self.stats = self.stats.aggregate(connector.build_kv_connector_stats(data))

    def _advance(self, request: Request, count: int) -> None:
        self.computed_tokens += count
        request.num_computed_tokens += count
        if request.num_computed_tokens < request.num_tokens:
            return
        request.left -= 1
        if request.left > 0:
            request.tokens.append(len(request.tokens) % 97)
            request.hash_blocks()
            return
        self.requests.remove(request)
        self.finished.add(request.request_id)
        is_delayed, request.answered_params = self.scheduler.request_finished_all_groups(
            request, (request.block_ids,)
        )
        assert not is_delayed
        self._free(request)

    def _free(self, request: Request) -> None:
        self.pool.free_blocks([self.pool.blocks[i] for i in reversed(request.block_ids)])
        request.block_ids = []

    def _fill(self, request: Request, begin: int, end: int) -> None:
        """Computes: writes the blocks that the tokens ``begin`` to ``end`` complete."""
        for index in range(begin // BLOCK, end // BLOCK):
            for rank, name, expected in self._expected(request, index):
                self.tensors[rank][name][request.block_ids[index]] = expected

    def _check(self, request: Request) -> None:
        """Attention reads: all full blocks before the step must be right."""
        for index in range(request.num_computed_tokens // BLOCK):
            for rank, name, expected in self._expected(request, index):
                actual = self.tensors[rank][name][request.block_ids[index]]
                assert torch.equal(actual, expected), f"{request.request_id} block {index}"

    def _expected(self, request: Request, index: int) -> list[tuple[int, str, torch.Tensor]]:
        result = []
        for rank in range(self.world):
            for layer in range(LAYERS):
                part = 0 if self.mla else rank
                seed = hashlib.sha256(request.block_hashes[index] + bytes([part, layer])).digest()
                generator = torch.Generator().manual_seed(int.from_bytes(seed[:7], "little"))
                result.append((rank, f"layer{layer}", torch.rand(2, BLOCK, 8, generator=generator)))
        return result
