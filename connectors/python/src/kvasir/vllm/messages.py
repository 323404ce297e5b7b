"""What the two sides of the connector tell each other; the engine carries it (pickled).

A *job* is one load or one store of one request; its id is unique in the scheduler's process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from kvasir.vllm.engine import (
    KVConnectorHandshakeMetadata,
    KVConnectorMetadata,
    KVConnectorWorkerMetadata,
)


class ChunkCopy(NamedTuple):
    """A copy between a slot of the slab and blocks of the engine.

    Attributes:
        segment: segment of the slab.
        offset: of the slot in it, in bytes; the cells of the ranks follow each other from there.
        first_block: index within the chunk of the first block that is copied.
        block_ids: the engine's blocks, from that one on.
    """

    segment: int
    offset: int
    first_block: int
    block_ids: list[int]


@dataclass(frozen=True)
class SessionInfo:
    """The scheduler's session, which the workers join.

    Attributes:
        instance: UUID given in HELLO.
        incarnation: of the node's slab; a worker that meets another one does not copy.
    """

    instance: str
    incarnation: str


@dataclass(frozen=True)
class Job:
    """Copies that belong together, all in the slab of one session.

    Attributes:
        id: named in ``WorkerReport``.
        session: the scheduler's session, which owns the slots.
        copies: what to copy.
    """

    id: int
    session: SessionInfo
    copies: list[ChunkCopy]


@dataclass
class StepMetadata(KVConnectorMetadata):
    """From the scheduler to all ranks, once per step.

    Attributes:
        session: to be connected to, None while there is none.
        loads: to copy from the slab now.
        stores: to copy to the slab after this step's forward pass.
        loaded: requests whose load counts: report them received.
        failed: requests whose load does not count, with the blocks that hold nothing.
    """

    session: SessionInfo | None = None
    loads: list[Job] = field(default_factory=list)
    stores: list[Job] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    failed: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class WorkerReport(KVConnectorWorkerMetadata):
    """From the ranks to the scheduler: which jobs are over.

    Attributes:
        done: ranks that have finished a job, by its id.
        bad: jobs in which a copy failed on some rank.
    """

    done: dict[int, int] = field(default_factory=dict)
    bad: set[int] = field(default_factory=set)

    def aggregate(self, other: KVConnectorWorkerMetadata) -> WorkerReport:
        """Adds the report of another rank."""
        assert isinstance(other, WorkerReport)
        for job, ranks in other.done.items():
            self.done[job] = self.done.get(job, 0) + ranks
        self.bad |= other.bad
        return self


@dataclass(frozen=True)
class WorkerLayout(KVConnectorHandshakeMetadata):
    """From each rank, once: how its blocks look. The scheduler refuses ranks that differ.

    Attributes:
        identity: digest of the configuration as this process sees it.
        layout: digest of the blocks' shapes, strides and types.
        cell_bytes: of one rank in one chunk.
    """

    identity: str
    layout: str
    cell_bytes: int
