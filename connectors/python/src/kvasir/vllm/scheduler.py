"""The connector in the engine's scheduler: decides what is loaded and stored. Never waits."""

from __future__ import annotations

import itertools
import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kvasir.errors import ConfigError
from kvasir.hashes import hashes_of_blocks, run_of
from kvasir.link import NodeLink
from kvasir.protocol import HASH_BYTES, RUN_CHUNKS_MAX
from kvasir.vllm.engine import BlockStored, engine_version, maybe_convert_block_hash
from kvasir.vllm.loads import Loads
from kvasir.vllm.messages import (
    ChunkCopy,
    Job,
    SessionInfo,
    StepMetadata,
    WorkerLayout,
    WorkerReport,
)
from kvasir.vllm.search import PrefixSearch
from kvasir.vllm.settings import Settings
from kvasir.vllm.stats import KvasirStats
from kvasir.vllm.stores import NewChunk, Stores

_LOG = logging.getLogger("kvasir")
PROMISE = "kvasir_tokens"
"""In ``kv_transfer_params``: leading tokens that a prefill engine has stored, or is storing."""

_MEDIUM = "STORAGE"
"""What KV events call everything behind the engine's own memory."""


@dataclass
class _Tracked:
    """What is known of a request from its arrival to its end.

    Attributes:
        request: the engine's object.
        hashes: of its complete chunks so far.
        block_ids: its blocks.
        search: for its prefix; None when not asked yet.
        preemptions: how often it had been preempted when the search began.
        computed_tokens: told with the last question.
        is_failed: a load failed; it is computed.
        is_unnamed: its hashes cannot name chunks; no more is done for it.
        is_lost: its blocks are not known for certain; nothing of it is stored any more.
        handled_chunks: leading chunks that were stored or need not be.
    """

    request: Any
    hashes: bytes = b""
    block_ids: list[int] = field(default_factory=list)
    search: PrefixSearch | None = None
    preemptions: int = 0
    computed_tokens: int = 0
    is_failed: bool = False
    is_unnamed: bool = False
    is_lost: bool = False
    handled_chunks: int = 0


class Scheduler:
    """Called by the engine's scheduler thread only."""

    def __init__(self, settings: Settings) -> None:
        """Does nothing yet: the workers' layout and the block pool are still to come."""
        self._settings = settings
        self._link: NodeLink | None = None
        self._layout: WorkerLayout | None = None
        self._pool: Any = None
        self._stores: Stores | None = None
        self.stats = KvasirStats()
        self._loads = Loads(settings.world, settings.block_tokens, self.stats)
        self._new_loads: list[Job] = []
        self._tracked: dict[str, _Tracked] = {}
        self._ids = itertools.count(1)

    def bind_pool(self, pool: Any) -> None:
        """Takes the engine's block pool, whose blocks are pinned while they are stored."""
        self._pool = pool
        self._begin()

    def set_layouts(self, layouts: Iterable[object]) -> None:
        """Takes what each rank says of its tensors.

        Raises:
            ConfigError: they differ among themselves, or from this process's configuration.
        """
        told = list(layouts)
        good = [layout for layout in told if isinstance(layout, WorkerLayout)]
        identity = self._settings.digest()
        if (
            len(good) != self._settings.world
            or len(good) != len(told)
            or any(layout != good[0] for layout in good)
            or good[0].identity != identity
        ):
            raise ConfigError(
                f"KVA-0588 workers and scheduler differ - layouts={told} "
                f"ranks={self._settings.world} identity={identity}; "
                "start all processes with the same configuration and version"
            )
        self._layout = good[0]
        self._link = NodeLink(
            self._settings.socket,
            "vllm",
            engine_version,
            self._settings.space(good[0].layout, good[0].cell_bytes),
            self._settings.world,
            copies=False,
        )
        self._begin()

    def wait_for_node(self, timeout_s: float) -> bool:
        """Waits until there is a session, for tests; the engine starts without one."""
        return self._link is not None and self._link.wait(timeout_s) is not None

    def on_new_request(self, request: Any) -> None:
        """A request has arrived: asks the node what it has of the prompt."""
        tracked = self._tracked.setdefault(request.request_id, _Tracked(request))
        if not _skips_reading(request):
            self._search(tracked)

    def match(self, request: Any, computed_tokens: int) -> tuple[int | None, bool]:
        """Tokens beyond ``computed_tokens`` that can be loaded; None if not known yet."""
        tracked = self._tracked.setdefault(request.request_id, _Tracked(request))
        if tracked.is_failed or _skips_reading(request):
            return 0, False
        if tracked.search is None or tracked.preemptions != _preemptions(request):
            self._search(tracked)
        search = tracked.search
        if search is None:
            return 0, False
        tracked.computed_tokens = computed_tokens
        tokens = search.poll(computed_tokens)
        if tokens is None:
            return None, False
        block = self._settings.block_tokens
        # One token must be left to compute, and blocks are whole.
        most = (request.num_tokens - 1) // block * block
        matched = max(0, min(tokens, most) - computed_tokens)
        return matched, matched > 0

    def on_allocated(self, request: Any, block_ids: list[int], external_tokens: int) -> None:
        """Blocks are there: starts the load that the engine chose, or gives it up.

        The engine calls twice for a load, the second time with 0 tokens.
        """
        tracked = self._tracked.get(request.request_id)
        if tracked is None or tracked.search is None:
            return
        if external_tokens == 0:
            tracked.search.cancel()  # does nothing to a load: that one was taken
            return
        taken = tracked.search.take()
        assert taken is not None  # tokens were promised
        acquisition, chunks = taken
        block = self._settings.block_tokens
        begin = tracked.computed_tokens // block
        end = begin + external_tokens // block
        per_chunk = self._settings.blocks_per_chunk
        copies = []
        for number, chunk in enumerate(chunks, tracked.search.first_chunk):
            first = max(begin, number * per_chunk)
            last = min(end, (number + 1) * per_chunk)
            if first < last:
                copies.append(
                    ChunkCopy(
                        chunk.place.segment,
                        chunk.place.segment_offset,
                        first - number * per_chunk,
                        block_ids[first:last],
                    )
                )
        job = next(self._ids)
        session = tracked.search.session
        info = SessionInfo(session.instance, session.client.incarnation)
        self._new_loads.append(Job(job, info, copies))
        self._loads.start(job, request.request_id, acquisition, block_ids[begin:end])

    def build(self, output: Any) -> StepMetadata:
        """What the ranks have to do in the step that is about to begin."""
        session = None if self._link is None else self._link.session
        step = StepMetadata(loads=self._new_loads)
        self._new_loads = []
        if session is not None:
            step.session = SessionInfo(session.instance, session.client.incarnation)
        self._loads.report(step)
        for request_id in step.failed:
            if (tracked := self._tracked.get(request_id)) is not None:
                tracked.is_failed = True
        try:
            self._build_stores(output, step)
        except Exception:  # the engine waits for the loads that are in the step already
            _LOG.exception("KVA-0589 storing failed, going on without - loads=%d", len(step.loads))
            for tracked in self._tracked.values():
                tracked.is_lost = True  # new blocks of this step may have been missed
        return step

    def update(self, report: WorkerReport) -> None:
        """What the ranks have done."""
        for job, ranks in report.done.items():
            is_bad = job in report.bad
            if not self._loads.on_ranks_done(job, ranks, is_bad) and self._stores is not None:
                self._stores.on_ranks_done(job, ranks, is_bad)

    def on_finished(self, request: Any) -> dict[str, Any] | None:
        """A request has ended, or was aborted; what to tell the engine that goes on with it."""
        tracked = self._tracked.pop(request.request_id, None)
        if tracked is not None and tracked.search is not None:
            tracked.search.cancel()
        self._loads.on_request_finished(request.request_id)
        if tracked is None or not _params(request).get("do_remote_decode"):
            return None
        return {
            "do_remote_decode": False,
            "do_remote_prefill": True,
            PROMISE: tracked.handled_chunks * self._settings.chunk_tokens,
        }

    def take_events(self) -> list[BlockStored]:
        """The chunks stored since the last call, for the engine's KV events."""
        return [] if self._stores is None else self._stores.take_events()

    @property
    def is_busy(self) -> bool:
        """Must the engine go on stepping although it has no request?"""
        return bool(self._loads) or bool(self._stores)

    def reset(self) -> None:
        """Meets nothing again that was stored so far: the engine's weights may be others now.

        The chunks stay where they are, for engines that were not reset. Requests under way store
        no more, what they hold was begun before.
        """
        for tracked in self._tracked.values():
            tracked.is_lost = True
            if tracked.search is not None:
                tracked.search.cancel()
        if self._link is not None and self._layout is not None:
            layout = self._layout
            reset = uuid.uuid4().hex
            self._link.register(self._settings.space(layout.layout, layout.cell_bytes, reset))

    def close(self) -> None:
        """Leaves the node."""
        if self._link is not None:
            self._link.close()

    def _begin(self) -> None:
        if self._link is not None and self._pool is not None and self._stores is None:
            self._stores = Stores(
                self._link,
                self._pool,
                self._settings.world,
                lambda: next(self._ids),
                self.stats,
            )

    def _build_stores(self, output: Any, step: StepMetadata) -> None:
        if self._stores is not None:
            self._stores.report(step)
        for request_id, computed_tokens in self._scheduled(output):
            self._store(request_id, computed_tokens)

    def _search(self, tracked: _Tracked) -> None:
        """Starts a new search for the request's prefix, if there is a node and a chunk."""
        if tracked.search is not None:
            tracked.search.cancel()
            tracked.search = None
        tracked.preemptions = _preemptions(tracked.request)
        session = None if self._link is None else self._link.session
        self._hash(tracked)
        if self._link is not None and session is not None and tracked.hashes:
            promised = _promised_tokens(tracked.request)
            tracked.search = PrefixSearch(
                self._link, session, tracked.hashes, self._settings, promised
            )
            chunks = len(tracked.hashes) // HASH_BYTES
            self.stats.add("asked_tokens", chunks * self._settings.chunk_tokens)

    def _hash(self, tracked: _Tracked) -> None:
        """Adds the hashes of chunks that have become complete."""
        per_chunk = self._settings.blocks_per_chunk
        known = len(tracked.hashes) // HASH_BYTES
        if tracked.is_unnamed or len(tracked.request.block_hashes) // per_chunk <= known:
            return
        try:
            fresh = tracked.request.block_hashes[known * per_chunk :]
            tracked.hashes += hashes_of_blocks(fresh, per_chunk)
        except ValueError as e:
            tracked.is_unnamed = True
            _LOG.warning("%s", e)

    def _scheduled(self, output: Any) -> list[tuple[str, int]]:
        """Scheduled requests with their computed tokens after the step; keeps their block ids."""
        after = []
        for new in output.scheduled_new_reqs:
            after.append((new.req_id, new.num_computed_tokens))
            if (tracked := self._tracked.get(new.req_id)) is not None:
                tracked.block_ids = list(new.block_ids[0])
        cached = output.scheduled_cached_reqs
        resumed = _resumed(cached)
        for request_id, blocks, computed in zip(
            cached.req_ids, cached.new_block_ids, cached.num_computed_tokens, strict=True
        ):
            after.append((request_id, computed))
            if (tracked := self._tracked.get(request_id)) is not None and blocks is not None:
                if request_id in resumed:
                    tracked.block_ids = []
                tracked.block_ids += blocks[0]
        return [(r, computed + output.num_scheduled_tokens.get(r, 0)) for r, computed in after]

    def _store(self, request_id: str, computed_tokens: int) -> None:
        """Asks for slots for the chunks that this step completes."""
        tracked = self._tracked.get(request_id)
        session = None if self._link is None else self._link.session
        if tracked is None or tracked.is_lost or session is None or self._stores is None:
            return
        self._hash(tracked)
        per_chunk = self._settings.blocks_per_chunk
        first = tracked.handled_chunks
        complete = min(
            computed_tokens // self._settings.chunk_tokens,
            len(tracked.hashes) // HASH_BYTES,
            len(tracked.block_ids) // per_chunk,
            first + RUN_CHUNKS_MAX,
            first + self._stores.room() // per_chunk,
        )
        if complete <= first:
            return
        tracked.handled_chunks = complete
        self._stores.ask(
            session,
            run_of(tracked.hashes, self._settings.chunk_tokens, first, complete),
            [self._new_chunk(tracked, number) for number in range(first, complete)],
        )

    def _new_chunk(self, tracked: _Tracked, number: int) -> NewChunk:
        """The chunk at a position of the request."""
        per_chunk, tokens = self._settings.blocks_per_chunk, self._settings.chunk_tokens
        first, last = number * per_chunk, (number + 1) * per_chunk
        block_ids = tracked.block_ids[first:last]
        if not self._settings.has_events:
            return NewChunk(block_ids, None)
        request = tracked.request
        hashes = [
            maybe_convert_block_hash(h) for h in request.block_hashes[max(0, first - 1) : last]
        ]
        lora = getattr(request, "lora_request", None)
        event = BlockStored(
            block_hashes=hashes[-per_chunk:],
            parent_block_hash=hashes[0] if first > 0 else None,
            token_ids=list(request.all_token_ids[number * tokens : (number + 1) * tokens]),
            block_size=self._settings.block_tokens,
            lora_id=None,
            medium=_MEDIUM,
            lora_name=None if lora is None else lora.lora_name,
        )
        return NewChunk(block_ids, event)


def _params(request: Any) -> dict[str, Any]:
    """What the client of the engine sent with the request, to go from engine to engine."""
    params = getattr(request, "kv_transfer_params", None)
    return params if isinstance(params, dict) else {}


def _promised_tokens(request: Any) -> int:
    """Leading tokens that the prefill engine has stored, or is storing."""
    tokens = _params(request).get(PROMISE, 0)
    if type(tokens) is int and tokens >= 0:
        return tokens
    _LOG.warning("KVA-0575 not a number of tokens, ignored - %s=%r", PROMISE, tokens)
    return 0


def _preemptions(request: Any) -> int:
    return int(getattr(request, "num_preemptions", 0))


def _skips_reading(request: Any) -> bool:
    """Must every token of the prompt be computed, as for its log probabilities?"""
    return bool(getattr(request, "skip_reading_prefix_cache", False))


def _resumed(cached: Any) -> set[str]:
    """Requests whose block ids are told in full; the field's name has changed in early 2026."""
    ids = getattr(cached, "resumed_req_ids", None)
    if ids is not None:
        return set(ids)
    flags = cached.resumed_from_preemption
    return {r for r, flag in zip(cached.req_ids, flags, strict=True) if flag}
