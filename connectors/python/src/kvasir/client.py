"""An engine's connection to the node on its host.

Control frames over a Unix-domain socket, bytes in the node's slab, which is mapped. Requests return
a ``concurrent.futures.Future`` at once: poll it with ``done()`` or wait with ``result()``. Every
future ends within its time limit; any ``KvasirError`` in it means a miss.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kvasir import protocol
from kvasir.acquisition import Acquisition, view_of
from kvasir.connection import Connection, Decoder, Encoder, T
from kvasir.errors import KvasirError, NodeUnavailableError
from kvasir.identity import EngineIdentity, SpaceRequest
from kvasir.protocol import (
    Acquired,
    CommittedEntry,
    EndStatus,
    Found,
    Frame,
    MalformedFrameError,
    MessageType,
    ReleaseStatus,
    ReserveStatus,
    Run,
    SliceCommitted,
)
from kvasir.slab import SegmentFile, Slab

_DEADLINE_GRACE_S = 0.5
"""How long after its own deadline the node may tell the end of an acquisition."""

_INDEX_LIMIT_S = 1.0
"""The node answers COMMIT after this time even if the index does not."""


@dataclass(frozen=True)
class Space:
    """A registered namespace. Valid on the client that registered it and nowhere else.

    Attributes:
        client: the client it belongs to.
        id: id on the wire.
        epoch: the namespace's epoch when it was registered.
        request: what was registered.
    """

    client: Client
    id: int
    epoch: int
    request: SpaceRequest


class Reservation(NamedTuple):
    """Outcome of a reservation for one chunk.

    Attributes:
        status: ``RESERVED``, or why not.
        slot: the slot to commit or abort.
        segment: segment of the slab.
        segment_offset: offset in it, in bytes.
        memory: where to write, as long as the space's chunks; empty unless reserved.
    """

    status: ReserveStatus
    slot: int
    segment: int
    segment_offset: int
    memory: memoryview

    @property
    def is_reserved(self) -> bool:
        """May the engine write?"""
        return self.status == ReserveStatus.RESERVED


class Client:
    """A connection, greeted and mapped. Thread-safe.

    After a ``NodeUnavailableError`` it is of no more use: close it and connect anew; spaces, slots
    and acquisitions do not survive. Use ``kvasir.link.NodeLink`` for one that comes back by itself.
    """

    def __init__(self, socket_path: Path, identity: EngineIdentity, timeout_s: float = 2.0) -> None:
        """Connects, says HELLO and maps the slab.

        Args:
            socket_path: ``engine.sock`` in the node's run directory.
            identity: who connects.
            timeout_s: limit of this call and of every later one that names no limit of its own.

        Raises:
            NodeUnavailableError: there is no node, or its slab cannot be mapped.
            RefusedError: the node refuses the engine.
        """
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._acquisitions: dict[int, Acquisition] = {}
        self._asked: set[Acquisition] = set()
        self._slab: Slab | None = None
        self._closed = threading.Event()
        self.identity = identity
        self.incarnation = ""
        self.node_id = 0
        self._connection = Connection(socket_path, self, timeout_s)
        try:
            hello = self._call(
                MessageType.HELLO,
                lambda i: protocol.encode_json(MessageType.HELLO, i, identity.to_json()),
                self._on_hello_ok,
            )
            self._slab = Slab(hello.result())
        except BaseException:
            self._connection.close()
            raise

    @property
    def is_open(self) -> bool:
        """False once the connection is lost or closed."""
        return self._connection.is_open

    @property
    def slab(self) -> Slab:
        """The mapped slab. Writing is allowed in reserved slots only."""
        assert self._slab is not None  # set by the constructor
        return self._slab

    def wait_closed(self, timeout_s: float) -> bool:
        """Waits until the connection is lost or closed; False if it is still open."""
        return self._closed.wait(timeout_s)

    def register(self, request: SpaceRequest) -> Future[Space]:
        """Registers a namespace. LAYOUT_MISMATCH: the node knows it with another chunk size."""
        return self._call(
            MessageType.REGISTER,
            lambda i: protocol.encode_json(MessageType.REGISTER, i, request.to_json()),
            lambda frame: self._on_registered(frame, request),
        )

    def lookup(
        self,
        space: Space,
        run: Run,
        local_only: bool = False,
        prefill_tokens_per_second: int = 0,
    ) -> Future[Found]:
        """Asks how many leading chunks of a run exist. A hint: nothing is pinned.

        Args:
            space: of this client.
            run: the chunks.
            local_only: in this node's slab; no other node is asked.
            prefill_tokens_per_second: how fast the engine would compute this prompt now, for the
                node's advice (``Found.worth``); 0 not to say.
        """
        self._check_own(space)

        def decode(frame: Frame) -> Found:
            found = protocol.decode_found(frame)
            if found.found > run.count:
                raise MalformedFrameError(f"found={found.found} asked={run.count}")
            return found

        return self._call(
            MessageType.LOOKUP,
            lambda i: protocol.encode_lookup(
                i, space.id, space.epoch, run, local_only, prefill_tokens_per_second
            ),
            decode,
        )

    def acquire(self, space: Space, run: Run, deadline_s: float) -> Acquisition:
        """Makes leading chunks of a run resident and pins them.

        Args:
            space: of this client.
            run: the chunks.
            deadline_s: after it the node gives up what is missing; 1 ms to 10 minutes.

        Raises:
            NodeUnavailableError: in a forked child.
        """
        deadline_ms = _deadline_ms(deadline_s)
        return self._acquire(
            MessageType.ACQUIRE,
            lambda i: protocol.encode_acquire(i, deadline_ms, space.id, space.epoch, run),
            space,
            run,
            deadline_ms,
        )

    def await_handoff(
        self, handoff_id: int, space: Space, run: Run, deadline_s: float
    ) -> Acquisition:
        """As ``acquire``, but what is not in this slab comes from a hand-off alone.

        Args:
            handoff_id: as the prefill engine gave it in ``create_handoff``.
            space: of this client.
            run: the chunks.
            deadline_s: after it the node gives up what is missing; 1 ms to 10 minutes.

        Raises:
            NodeUnavailableError: in a forked child.
        """
        deadline_ms = _deadline_ms(deadline_s)
        return self._acquire(
            MessageType.AWAIT,
            lambda i: protocol.encode_await(i, handoff_id, deadline_ms, space.id, space.epoch, run),
            space,
            run,
            deadline_ms,
        )

    def create_handoff(
        self,
        handoff_id: int,
        receivers: Sequence[int],
        slice_bytes: int,
        space: Space,
        run: Run,
        deadline_s: float,
    ) -> Future[int]:
        """Offers chunks that are about to be computed here to other nodes.

        Reserve their slots, write them slice by slice, and tell each with ``commit_slices``; chunks
        that the node already has go out by themselves.

        Args:
            handoff_id: a random number that was never used before, 1 to 2^64 - 1.
            receivers: ``node_id`` of the decode engines' clients, 1 to 8.
            slice_bytes: length of every slice of a chunk but the last.
            space: of this client.
            run: the chunks.
            deadline_s: after it nothing is sent any more; 1 ms to 10 minutes.

        Returns:
            How many of the receivers are members of the cluster now and were told.
        """
        self._check_own(space)
        deadline_ms, nodes = _deadline_ms(deadline_s), list(receivers)

        def decode(frame: Frame) -> int:
            created = protocol.decode_handoff_created(frame)
            if created.handoff_id != handoff_id or created.receivers > len(nodes):
                raise MalformedFrameError(f"handoffId={created.handoff_id} asked={handoff_id}")
            return created.receivers

        return self._call(
            MessageType.CREATE_HANDOFF,
            lambda i: protocol.encode_create_handoff(
                i, handoff_id, deadline_ms, slice_bytes, nodes, space.id, space.epoch, run
            ),
            decode,
        )

    def commit_slices(
        self, handoff_id: int, slices: Sequence[tuple[int, int]]
    ) -> Future[SliceCommitted]:
        """Hands slices off. All writes into them must have finished.

        With its last slice a chunk is committed; a slot of which one slice was committed is no
        longer the engine's to commit or abort.

        Args:
            handoff_id: of a hand-off that this engine created.
            slices: pairs of a reserved slot and the number of a slice in it, at least one.
        """
        asked = list(slices)

        def decode(frame: Frame) -> SliceCommitted:
            committed = protocol.decode_slice_committed(frame)
            slots = [entry.slot for entry in committed.entries]
            if committed.handoff_id != handoff_id or slots != [slot for slot, _ in asked]:
                raise MalformedFrameError("SLICE_COMMITTED names other slots")
            return committed

        return self._call(
            MessageType.COMMIT_SLICE,
            lambda i: protocol.encode_commit_slice(i, handoff_id, asked),
            decode,
        )

    def end_handoff(self, handoff_id: int, cancel: bool = False) -> Future[bool]:
        """Ends a hand-off that this engine created: what is not committed will not come.

        Args:
            handoff_id: of the hand-off.
            cancel: nothing of it arrives any more; any engine of either node may say so.

        Returns:
            False if the node does not know it.
        """

        def decode(frame: Frame) -> bool:
            ended = protocol.decode_handoff_ended(frame)
            if ended.handoff_id != handoff_id:
                raise MalformedFrameError(f"handoffId={ended.handoff_id} asked={handoff_id}")
            return ended.status == EndStatus.ENDED

        return self._call(
            MessageType.END_HANDOFF,
            lambda i: protocol.encode_end_handoff(i, handoff_id, cancel),
            decode,
        )

    def reserve(self, space: Space, run: Run) -> Future[list[Reservation]]:
        """Asks for slots to write chunks into; one outcome per chunk, in order."""
        self._check_own(space)

        def decode(frame: Frame) -> list[Reservation]:
            entries = protocol.decode_reserved(frame)
            _check_count(run.count, len(entries))
            return [self._reservation(space, entry) for entry in entries]

        return self._call(
            MessageType.RESERVE,
            lambda i: protocol.encode_reserve(i, space.id, space.epoch, run),
            decode,
        )

    def commit(
        self, space: Space, slots: Sequence[int], await_index: bool = False
    ) -> Future[list[CommittedEntry]]:
        """Commits slots; one outcome per slot, in order. All writes into them must have finished.

        Args:
            space: of this client.
            slots: at least one.
            await_index: answer when the cluster's index names this node as a holder, or after 1 s.
        """
        self._check_own(space)
        asked = list(slots)

        def decode(frame: Frame) -> list[CommittedEntry]:
            entries = protocol.decode_committed(frame)
            if [entry.slot for entry in entries] != asked:
                raise MalformedFrameError("COMMITTED names other slots")
            return entries

        return self._call(
            MessageType.COMMIT,
            lambda i: protocol.encode_commit(i, space.id, space.epoch, asked, await_index),
            decode,
            self._timeout_s + (_INDEX_LIMIT_S if await_index else 0.0),
        )

    def abort(self, space: Space, slots: Sequence[int]) -> Future[None]:
        """Gives reserved slots back; the engine no longer writes into them."""
        self._check_own(space)
        asked = list(slots)

        def decode(frame: Frame) -> None:
            _check_count(len(asked), len(protocol.decode_aborted(frame)))

        return self._call(
            MessageType.ABORT,
            lambda i: protocol.encode_abort(i, space.id, space.epoch, asked),
            decode,
        )

    def stats(self) -> Future[dict[str, Any]]:
        """The node's counters; ``docs/reference/stats.md`` names them."""
        return self._call(
            MessageType.STATS,
            lambda i: protocol.encode_empty(MessageType.STATS, i),
            protocol.decode_json,
        )

    def goodbye(self) -> None:
        """Takes leave and closes. A node that has gone is fine; a forked child does nothing."""
        if not self._connection.is_own:
            return
        with contextlib.suppress(KvasirError):
            self._call(
                MessageType.GOODBYE,
                lambda i: protocol.encode_empty(MessageType.GOODBYE, i),
                protocol.decode_empty,
            ).result()
        self.close()

    def close(self) -> None:
        """Closes the socket and ends the thread; views of the slab stay valid. May be repeated."""
        if not self._connection.is_own:
            return
        self._connection.close()
        if self._slab is not None:
            self._slab.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.goodbye()

    def _acquire(
        self, request: MessageType, encode: Encoder, space: Space, run: Run, deadline_ms: int
    ) -> Acquisition:
        self._check_own(space)
        if not self._connection.is_own:
            raise self._connection.foreign()
        limit_s = deadline_ms / 1000 + _DEADLINE_GRACE_S
        acquisition = Acquisition(
            self._connection,
            self._send_release,
            run.count,
            space.request.chunk_bytes,
            time.monotonic() + limit_s,
        )
        with self._lock:
            self._asked.add(acquisition)

        def decode(frame: Frame) -> Acquired:
            acquired = protocol.decode_acquired(frame)
            acquisition.on_acquired(acquired)
            with self._lock:
                if acquired.acquire_id in self._acquisitions:
                    raise MalformedFrameError(f"acquireId={acquired.acquire_id} twice")
                self._acquisitions[acquired.acquire_id] = acquisition
            return acquired

        try:
            acquisition.acquired = self._call(request, encode, decode, limit_s)
        except BaseException:  # a number that does not fit: nothing was sent
            with self._lock:
                self._asked.discard(acquisition)
            raise
        acquisition.acquired.add_done_callback(lambda done: self._on_asked(acquisition, done))
        return acquisition

    def _send_release(self, acquire_id: int) -> Future[bool]:
        def decode(frame: Frame) -> bool:
            released = protocol.decode_released(frame)
            if released.acquire_id != acquire_id:
                raise MalformedFrameError(f"acquireId={released.acquire_id} asked={acquire_id}")
            with self._lock:
                acquisition = self._acquisitions.pop(acquire_id, None)
            if acquisition is not None and not acquisition.is_done:
                raise MalformedFrameError(f"acquireId={acquire_id} released without an end")
            return released.status == ReleaseStatus.OK

        return self._call(
            MessageType.RELEASE, lambda i: protocol.encode_release(i, acquire_id), decode
        )

    def on_push(self, frame: Frame) -> None:
        """Takes a push. For ``Connection``."""
        if frame.type == MessageType.READY:
            ready = protocol.decode_ready(frame)
            acquisition = self._acquisition(ready.acquire_id)
            acquisition.on_ready(ready.first_index, ready.entries, self.slab)
        elif frame.type == MessageType.ACQUIRE_END:
            end = protocol.decode_acquire_end(frame)
            self._acquisition(end.acquire_id).on_end(end.ready_chunks, end.reason)
        # NODE_STATE: a draining node says so again in its answers, SHUTTING_DOWN.

    def on_tick(self, now: float) -> bool:
        """Looks at the deadlines of acquisitions. For ``Connection``."""
        with self._lock:
            acquisitions = list(self._acquisitions.values())
        return not any(acquisition.is_late(now) for acquisition in acquisitions)

    def on_closed(self, error: NodeUnavailableError) -> None:
        """Ends all acquisitions. For ``Connection``."""
        self._closed.set()
        with self._lock:
            acquisitions = {*self._acquisitions.values(), *self._asked}
            self._acquisitions.clear()
            self._asked.clear()
        for acquisition in acquisitions:
            acquisition.on_failed(error)

    def _call(
        self,
        request: MessageType,
        encode: Encoder,
        decode: Decoder[T],
        timeout_s: float | None = None,
    ) -> Future[T]:
        return self._connection.request(request, encode, decode, timeout_s or self._timeout_s)

    def _on_asked(self, acquisition: Acquisition, done: Future[Acquired]) -> None:
        with self._lock:
            self._asked.discard(acquisition)
        error = done.exception()
        if isinstance(error, KvasirError):
            acquisition.on_failed(error)

    def _on_hello_ok(self, frame: Frame) -> list[SegmentFile]:
        body = protocol.decode_json(frame)
        if body.get("protocol") != protocol.VERSION:
            raise MalformedFrameError(f"protocol={body.get('protocol')!r}")
        self.incarnation = str(body.get("incarnation"))
        self.node_id = _node_id(body.get("nodeId"))
        segments = body.get("segments")
        if not isinstance(segments, list) or not segments:
            raise MalformedFrameError("segments=none")
        return [_segment(index, segment) for index, segment in enumerate(segments)]

    def _on_registered(self, frame: Frame, request: SpaceRequest) -> Space:
        body = protocol.decode_json(frame)
        expected = request.namespace.fingerprint().hex()
        if body.get("fingerprint") != expected:
            raise MalformedFrameError(
                f"fingerprint={body.get('fingerprint')!r} expected={expected}"
            )
        if (
            body.get("chunkTokens") != request.chunk_tokens
            or body.get("chunkBytes") != request.chunk_bytes
        ):
            raise MalformedFrameError(
                f"chunkTokens={body.get('chunkTokens')!r} chunkBytes={body.get('chunkBytes')!r}"
            )
        space, epoch = (_integer(body, name, protocol.U32_MAX) for name in ("space", "epoch"))
        return Space(self, space, epoch, request)

    def _acquisition(self, acquire_id: int) -> Acquisition:
        with self._lock:
            acquisition = self._acquisitions.get(acquire_id)
        if acquisition is None:
            raise MalformedFrameError(f"acquireId={acquire_id} unknown")
        return acquisition

    def _reservation(self, space: Space, entry: protocol.ReservedEntry) -> Reservation:
        if entry.status == ReserveStatus.RESERVED:
            memory = view_of(
                self.slab, entry.segment, entry.segment_offset, space.request.chunk_bytes
            )
        else:
            memory = memoryview(b"")
        return Reservation(entry.status, entry.slot, entry.segment, entry.segment_offset, memory)

    def _check_own(self, space: Space) -> None:
        if space.client is not self:
            raise ValueError(
                f"KVA-0568 space of another connection - space={space.id}; register it again"
            )


def _deadline_ms(deadline_s: float) -> int:
    return min(max(round(deadline_s * 1000), 1), protocol.DEADLINE_MS_MAX)


def _node_id(text: object) -> int:
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{1,16}", text):
        raise MalformedFrameError(f"nodeId={text!r}")
    return int(text, 16)


def _check_count(expected: int, count: int) -> None:
    if count != expected:
        raise MalformedFrameError(f"count={count} expected={expected}")


def _integer(body: dict[str, Any], name: str, limit: int = protocol.U64_COUNT_MAX) -> int:
    value = body.get(name)
    if type(value) is not int or not 0 <= value <= limit:
        raise MalformedFrameError(f"{name}={value!r}")
    return value


def _segment(index: int, segment: object) -> SegmentFile:
    if not isinstance(segment, dict) or _integer(segment, "index") != index:
        raise MalformedFrameError(f"segment={segment!r}")
    path = segment.get("path")
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
        raise MalformedFrameError(f"path={path!r}")
    return SegmentFile(Path(path), _integer(segment, "bytes"))
