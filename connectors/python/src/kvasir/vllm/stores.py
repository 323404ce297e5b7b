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
from kvasir.protocol import Run
from kvasir.vllm.messages import ChunkCopy, Job, SessionInfo, StepMetadata


@dataclass
class _Asked:
    session: Session
    reserved: Future[list[Reservation]]
    chunks: list[list[Any]]


@dataclass
class _Store:
    session: Session
    slots: list[int]
    blocks: list[Any]
    ranks_left: int
    is_bad: bool = False


class Stores:
    """From RESERVE to the answer to COMMIT, without waiting."""

    def __init__(self, link: NodeLink, pool: Any, world: int, new_id: Callable[[], int]) -> None:
        """Starts without stores.

        Args:
            link: is told of failures.
            pool: has ``blocks``, ``touch`` and ``free_blocks``.
            world: number of ranks.
            new_id: makes job ids.
        """
        self._link = link
        self._pool = pool
        self._world = world
        self._new_id = new_id
        self._blocks_max = max(1, len(pool.blocks) // 2)
        self._pinned = 0
        self._asked: list[_Asked] = []
        self._stores: dict[int, _Store] = {}
        self._ending: list[Future[Any]] = []

    def __len__(self) -> int:
        ending = sum(not ended.done() for ended in self._ending)
        return len(self._asked) + len(self._stores) + ending

    def room(self) -> int:
        """Blocks that may still be pinned; the rest is left to the engine's requests."""
        return self._blocks_max - self._pinned

    def ask(self, session: Session, run: Run, chunks: list[list[int]]) -> None:
        """Pins the blocks of chunks and asks the node for slots.

        Args:
            session: the open session.
            run: the chunks.
            chunks: block ids of each.
        """
        blocks = [[self._pool.blocks[i] for i in chunk] for chunk in chunks]
        reserved = session.client.reserve(session.space, run)
        for chunk in blocks:
            self._pool.touch(chunk)
            self._pinned += len(chunk)
        self._asked.append(_Asked(session, reserved, blocks))

    def report(self, step: StepMetadata) -> None:
        """Writes stores that the node has granted into the metadata of a step."""
        self._ending = [ended for ended in self._ending if not ended.done()]
        answered = [asked for asked in self._asked if asked.reserved.done()]
        self._asked = [asked for asked in self._asked if asked not in answered]
        for asked in answered:
            error = asked.reserved.exception()
            if error is not None:
                self._link.report(asked.session, error)
                self._free([block for chunk in asked.chunks for block in chunk])
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
        ended: Future[Any]
        if store.is_bad:
            ended = client.abort(store.session.space, store.slots)
        else:
            ended = client.commit(store.session.space, store.slots)
        self._ending.append(ended)
        ended.add_done_callback(lambda done: self._on_ended(store.session, done))

    def _start(self, asked: _Asked, step: StepMetadata) -> None:
        copies, slots, pinned = [], [], []
        for reservation, blocks in zip(asked.reserved.result(), asked.chunks, strict=True):
            if reservation.is_reserved:
                ids = [block.block_id for block in blocks]
                copies.append(ChunkCopy(reservation.segment, reservation.segment_offset, 0, ids))
                slots.append(reservation.slot)
                pinned += blocks
            else:
                self._free(blocks)
        if slots:
            job = self._new_id()
            client = asked.session.client
            info = SessionInfo(asked.session.instance, client.incarnation)
            self._stores[job] = _Store(asked.session, slots, pinned, self._world)
            step.stores.append(Job(job, info, copies))

    def _free(self, blocks: list[Any]) -> None:
        self._pinned -= len(blocks)
        self._pool.free_blocks(list(reversed(blocks)))

    def _on_ended(self, session: Session, done: Future[Any]) -> None:
        error = done.exception()
        if isinstance(error, KvasirError):
            self._link.report(session, error)
