"""Chunks on their way into the slab."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from kvasir.connection import Connection, Reply
from kvasir.errors import KvasirError
from kvasir.protocol import Acquired, EndReason, MalformedFrameError, ReadyEntry
from kvasir.slab import Slab


@dataclass(frozen=True)
class LoadedChunk:
    """A resident, pinned chunk.

    Attributes:
        index: index within the acquired run.
        memory: the bytes in the node's slab, read-only; they hold until the acquisition is released
            or the connection is lost, and a copy counts only once the release has said so.
        place: slot, segment, offset, version and source.
    """

    index: int
    memory: memoryview
    place: ReadyEntry


class Acquisition:
    """Chunks on their way into the slab, in order, pinned until ``release``. Thread-safe.

    Must be released exactly once, also when it failed or nothing came.
    """

    def __init__(
        self,
        connection: Connection,
        send_release: Callable[[int], Future[bool]],
        count: int,
        chunk_bytes: int,
        deadline: float,
    ) -> None:
        """Made by ``Client.acquire``.

        Args:
            connection: where the chunks come from.
            send_release: sends RELEASE for an acquire id.
            count: chunks asked for.
            chunk_bytes: size of the space's chunks.
            deadline: ``time.monotonic`` by which the node must have told the end.
        """
        self._connection = connection
        self._send_release = send_release
        self._count = count
        self._chunk_bytes = chunk_bytes
        self._deadline = deadline
        self._changed = threading.Condition()
        self._chunks: list[LoadedChunk] = []
        self._limit = 0
        self._end: EndReason | None = None
        self._error: KvasirError | None = None
        self._released = False
        self.acquired: Future[Acquired] = Future()

    @property
    def end_reason(self) -> EndReason | None:
        """Why no more chunks will come; None while some may."""
        with self._changed:
            return self._end

    @property
    def is_done(self) -> bool:
        """Will no more chunks come, for whatever reason? Never waits."""
        with self._changed:
            return self._end is not None or self._error is not None

    @property
    def chunks(self) -> list[LoadedChunk]:
        """What is resident now; empty once the connection is lost. Never waits."""
        with self._changed:
            return [] if self._error is not None else list(self._chunks)

    def __iter__(self) -> Iterator[LoadedChunk]:
        """Gives the chunks as they come and stops at the end.

        Raises:
            KvasirError: refused, or the node is gone; all chunks given before are void.
        """
        index = 0
        while True:
            knows = partial(self._knows, index)
            self._connection.receive_until(knows)
            with self._changed:
                self._changed.wait_for(knows)  # ends: the client's thread keeps the deadline
                if self._error is not None:
                    raise self._error
                if len(self._chunks) <= index:
                    return
                chunk = self._chunks[index]
            index += 1
            yield chunk

    def release(self) -> Future[bool]:
        """Ends the acquisition; its memory must no longer be read. What is not ready is given up.

        Returns:
            True if the load counts: all its chunks were valid the whole time. On False or an error
            whatever was copied out must be thrown away.

        Raises:
            ValueError: it was released before.
        """
        with self._changed:
            if self._released:
                raise ValueError("KVA-0567 acquisition released twice; release it once")
            self._released = True
        outcome: Reply[bool] = Reply(self._connection)
        self.acquired.add_done_callback(lambda acquired: self._release(acquired, outcome))
        return outcome

    def on_acquired(self, acquired: Acquired) -> None:
        """Takes the answer to ACQUIRE. For the client."""
        if acquired.chunks > self._count:
            raise MalformedFrameError(f"chunks={acquired.chunks} asked={self._count}")
        self._limit = acquired.chunks

    def on_ready(self, first_index: int, entries: Sequence[ReadyEntry], slab: Slab) -> None:
        """Takes the entries of a READY. For the client."""
        with self._changed:
            if (
                self._end is not None
                or first_index != len(self._chunks)
                or len(entries) > self._limit - first_index
            ):
                raise MalformedFrameError(f"READY firstIndex={first_index} count={len(entries)}")
            for entry in entries:
                if not 1 <= entry.length_bytes <= self._chunk_bytes:
                    raise MalformedFrameError(f"READY lengthBytes={entry.length_bytes}")
                memory = view_of(slab, entry.segment, entry.segment_offset, entry.length_bytes)
                self._chunks.append(LoadedChunk(len(self._chunks), memory.toreadonly(), entry))
            self._changed.notify_all()

    def on_end(self, ready_chunks: int, reason: EndReason) -> None:
        """Takes an ACQUIRE_END. For the client."""
        with self._changed:
            if self._end is not None or ready_chunks != len(self._chunks):
                raise MalformedFrameError(f"ACQUIRE_END readyChunks={ready_chunks}")
            self._end = reason
            self._changed.notify_all()

    def on_failed(self, error: KvasirError) -> None:
        """The request was refused or the node is gone. For the client."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def is_late(self, now: float) -> bool:
        """Has the node missed the deadline? For the client."""
        with self._changed:
            return self._end is None and self._error is None and self._deadline < now

    def _knows(self, index: int) -> bool:
        """Is it known whether, and where, a chunk is?"""
        with self._changed:
            return len(self._chunks) > index or self._end is not None or self._error is not None

    def _release(self, acquired: Future[Acquired], outcome: Future[bool]) -> None:
        error = acquired.exception()
        if error is not None:
            outcome.set_exception(error)
            return
        released = self._send_release(acquired.result().acquire_id)
        released.add_done_callback(lambda done: _copy_outcome(done, outcome))


def _copy_outcome(done: Future[bool], outcome: Future[bool]) -> None:
    error = done.exception()
    if error is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(done.result())


def view_of(slab: Slab, segment: int, offset: int, length: int) -> memoryview:
    """A part of the slab as the node named it; malformed if there is no such part."""
    try:
        return slab.view(segment, offset, length)
    except IndexError as e:
        raise MalformedFrameError(f"place={e}") from e
