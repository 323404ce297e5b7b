"""Stores under way: from the engine's blocks into slots of the slab.

The engine's blocks are pinned in its block pool from the moment of RESERVE until the ranks have
copied them; so neither the end, the abort nor the preemption of a request disturbs a store.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from kvasir.client import Reservation
from kvasir.errors import KvasirError
from kvasir.link import NodeLink, Session
from kvasir.protocol import ReserveStatus, Run
from kvasir.vllm.engine import BlockStored
from kvasir.vllm.messages import ChunkCopy, Job, SessionInfo, StepMetadata
from kvasir.vllm.stats import KvasirStats


@dataclass(frozen=True)
class NewChunk:
    """A chunk to be stored.

    Attributes:
        block_ids: the engine's blocks that hold it.
        event: to be published when it is stored; None if nobody listens.
    """

    block_ids: list[int]
    event: BlockStored | None


@dataclass
class _Asked:
    session: Session
    reserved: Future[list[Reservation]]
    chunks: list[NewChunk]


@dataclass
class _Store:
    session: Session
    events: dict[int, BlockStored | None]  # by slot
    blocks: list[Any]
    ranks_left: int
    is_bad: bool = False
    ended: Future[Any] | None = None


class Stores:
    """From RESERVE to the answer to COMMIT, without waiting."""

    def __init__(
        self,
        link: NodeLink,
        pool: Any,
        world: int,
        new_id: Callable[[], int],
        stats: KvasirStats,
    ) -> None:
        """Starts without stores.

        Args:
            link: is told of failures.
            pool: has ``blocks``, ``touch`` and ``free_blocks``.
            world: number of ranks.
            new_id: makes job ids.
            stats: counts chunks.
        """
        self._link = link
        self._pool = pool
        self._world = world
        self._new_id = new_id
        self._stats = stats
        self._blocks_max = max(1, len(pool.blocks) // 2)
        self._pinned = 0
        self._asked: list[_Asked] = []
        self._stores: dict[int, _Store] = {}
        self._ending: list[_Store] = []
        self._events: list[BlockStored] = []

    def __len__(self) -> int:
        return len(self._asked) + len(self._stores) + len(self._ending)

    def room(self) -> int:
        """Blocks that may still be pinned; the rest is left to the engine's requests."""
        return self._blocks_max - self._pinned

    def ask(self, session: Session, run: Run, chunks: list[NewChunk]) -> None:
        """Pins the blocks of chunks and asks the node for slots.

        Args:
            session: the open session.
            run: names the chunks.
            chunks: the same, in order.
        """
        blocks = [block for chunk in chunks for block in self._blocks(chunk)]
        reserved = session.client.reserve(session.space, run)
        self._pool.touch(blocks)
        self._pinned += len(blocks)
        self._asked.append(_Asked(session, reserved, chunks))

    def report(self, step: StepMetadata) -> None:
        """Writes stores that the node has granted into the metadata of a step."""
        ended = [store for store in self._ending if store.ended is not None and store.ended.done()]
        self._ending = [store for store in self._ending if store not in ended]
        for store in ended:
            self._end(store)
        answered = [asked for asked in self._asked if asked.reserved.done()]
        self._asked = [asked for asked in self._asked if asked not in answered]
        for asked in answered:
            error = asked.reserved.exception()
            if error is not None:
                self._link.report(asked.session, error)
                self._free([block for chunk in asked.chunks for block in self._blocks(chunk)])
                self._stats.add("failed_chunks", len(asked.chunks))
            else:
                self._start(asked, step)

    def on_ranks_done(self, job: int, ranks: int, is_bad: bool) -> None:
        """Some ranks have copied, or failed to."""
        store = self._stores.get(job)
        if store is None:
            return
        store.ranks_left -= ranks
        store.is_bad |= is_bad
        if store.ranks_left > 0:
            return
        del self._stores[job]
        self._free(store.blocks)
        client = store.session.client
        end = client.abort if store.is_bad else client.commit
        store.ended = end(store.session.space, list(store.events))
        self._ending.append(store)

    def take_events(self) -> list[BlockStored]:
        """What has been stored since the last call."""
        events, self._events = self._events, []
        return events

    def _start(self, asked: _Asked, step: StepMetadata) -> None:
        copies, pinned = [], []
        events: dict[int, BlockStored | None] = {}
        for reservation, chunk in zip(asked.reserved.result(), asked.chunks, strict=True):
            blocks = self._blocks(chunk)
            if reservation.is_reserved:
                place = (reservation.segment, reservation.segment_offset)
                copies.append(ChunkCopy(*place, 0, chunk.block_ids))
                events[reservation.slot] = chunk.event
                pinned += blocks
            else:
                self._free(blocks)
                is_present = reservation.status == ReserveStatus.ALREADY
                self._stats.add("present_chunks" if is_present else "refused_chunks", 1)
        if events:
            job = self._new_id()
            client = asked.session.client
            info = SessionInfo(asked.session.instance, client.incarnation)
            self._stores[job] = _Store(asked.session, events, pinned, self._world)
            step.stores.append(Job(job, info, copies))

    def _end(self, store: _Store) -> None:
        """Takes the answer to COMMIT, or to ABORT."""
        assert store.ended is not None
        error = store.ended.exception()
        if isinstance(error, KvasirError):
            self._link.report(store.session, error)
        committed = []
        if error is None and not store.is_bad:
            committed = [entry.slot for entry in store.ended.result() if entry.status == 0]
        self._stats.add("stored_chunks", len(committed))
        self._stats.add("failed_chunks", len(store.events) - len(committed))
        stored = (store.events[slot] for slot in committed)
        self._events += [event for event in stored if event is not None]

    def _blocks(self, chunk: NewChunk) -> list[Any]:
        return [self._pool.blocks[i] for i in chunk.block_ids]

    def _free(self, blocks: list[Any]) -> None:
        self._pinned -= len(blocks)
        self._pool.free_blocks(list(reversed(blocks)))
