"""Frames of the engine protocol, version 1; ``docs/spec/engine-protocol.md`` is the law.

Encodes what an engine sends and decodes what a node sends. Little-endian; sizes in bytes. Nothing
here does I/O, keeps state between frames (but ``FrameReader``) or knows what a request is for.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

VERSION = 1
HASH_BYTES = 32
HEADER_BYTES = 12
FRAME_BYTES_MAX = 16 * 1024 * 1024
REQUEST_JSON_BYTES_MAX = 64 * 1024
LIST_ENTRIES_MAX = 262_144
RUN_CHUNKS_MAX = 16_384
"""Chunks of one LOOKUP, ACQUIRE or RESERVE that a node looks at; longer runs go in pieces."""
DEADLINE_MS_MAX = 600_000
U32_MAX = 0x7FFF_FFFF
U64_COUNT_MAX = 0x7FFF_FFFF_FFFF_FFFF
_ID_MAX = 0xFFFF_FFFF_FFFF_FFFF
ERROR_DETAIL_BYTES_MAX = 4096

FLAG_LOCAL_ONLY = 1
FLAG_AWAIT_INDEX = 1
FLAG_PARTIAL = 1
FLAG_CANCEL = 1
RECEIVERS_MAX = 8
"""Nodes that a hand-off may go to."""

_HEADER = struct.Struct("<IBBHI")
_PREFIX = struct.Struct("<IIII")
_FOUND = struct.Struct("<IIQQQII")
_ACQUIRED = struct.Struct("<QII")
_READY = struct.Struct("<QII")
_READY_ENTRY = struct.Struct("<IIQIIQ")
_RELEASE = struct.Struct("<Q")
_COUNT = struct.Struct("<II")
_RESERVED_ENTRY = struct.Struct("<IIIIQ")
_SLOTS = struct.Struct("<IIII")
_COMMITTED_ENTRY = struct.Struct("<IIQ")
_ABORTED_ENTRY = struct.Struct("<II")
_ERROR = struct.Struct("<HBBI")
_AWAIT = struct.Struct("<QII")
_CREATE_HANDOFF = struct.Struct("<QIIII")
_SLICES = struct.Struct("<QII")


class MessageType(IntEnum):
    """Types of frames. A reply is its request's type with the highest bit set."""

    HELLO = 0x01
    REGISTER = 0x02
    LOOKUP = 0x10
    ACQUIRE = 0x11
    RELEASE = 0x12
    AWAIT = 0x13
    RESERVE = 0x20
    COMMIT = 0x21
    ABORT = 0x22
    CREATE_HANDOFF = 0x23
    COMMIT_SLICE = 0x24
    END_HANDOFF = 0x25
    STATS = 0x30
    READY = 0x40
    ACQUIRE_END = 0x41
    NODE_STATE = 0x42
    PING = 0x70
    GOODBYE = 0x71
    HELLO_OK = 0x81
    REGISTERED = 0x82
    FOUND = 0x90
    ACQUIRED = 0x91
    RELEASED = 0x92
    AWAITED = 0x93
    RESERVED = 0xA0
    COMMITTED = 0xA1
    ABORTED = 0xA2
    HANDOFF_CREATED = 0xA3
    SLICE_COMMITTED = 0xA4
    HANDOFF_ENDED = 0xA5
    STATS_OK = 0xB0
    PONG = 0xF0
    GOODBYE_OK = 0xF1
    ERROR = 0xFF


_PUSHES = frozenset((MessageType.READY, MessageType.ACQUIRE_END, MessageType.NODE_STATE))
_TYPES = {int(t): t for t in MessageType}


class ErrorCode(IntEnum):
    """The protocol's error table. A node may know more."""

    MALFORMED = 1
    VERSION_MISMATCH = 2
    UNKNOWN_TYPE = 3
    FRAME_TOO_LARGE = 4
    NOT_GREETED = 5
    FORBIDDEN = 6
    UNKNOWN_SPACE = 7
    STALE_EPOCH = 8
    LAYOUT_MISMATCH = 9
    INVALID_ARGUMENT = 10
    TOO_MANY = 11
    CHUNK_TOO_LARGE = 12
    SHUTTING_DOWN = 13
    INTERNAL = 14
    HANDOFF_IN_USE = 15


class Source(IntEnum):
    """Where the bytes of a READY chunk came from."""

    LOCAL = 0
    PEER = 1


class EndReason(IntEnum):
    """Why no more chunks of an acquisition will come."""

    COMPLETE = 0
    MISSING = 1
    DEADLINE = 2
    NO_SPACE = 3
    RELEASED = 4
    FAILED = 5
    CANCELLED = 6


class LoadAdvice(IntEnum):
    """Why loading all, some or none of the found chunks is worth it."""

    ALL = 0
    UNKNOWN = 1
    BANDWIDTH = 2
    LATENCY = 3
    QUEUE = 4
    UNREACHABLE = 5


class ReleaseStatus(IntEnum):
    """Outcome of RELEASE; a load counts only when it is OK."""

    OK = 0
    UNKNOWN = 1


class ReserveStatus(IntEnum):
    """Outcome of RESERVE for one chunk."""

    RESERVED = 0
    ALREADY = 1
    BUSY = 2
    NO_SPACE = 3
    OVER_SHARE = 4


class CommitStatus(IntEnum):
    """Outcome of COMMIT for one slot."""

    COMMITTED = 0
    NOT_RESERVED = 1
    FAILED = 2


class AbortStatus(IntEnum):
    """Outcome of ABORT for one slot."""

    OK = 0
    NOT_RESERVED = 1


class SliceStatus(IntEnum):
    """Outcome of COMMIT_SLICE for one slice."""

    COMMITTED = 0
    NOT_RESERVED = 1
    FAILED = 2
    GONE = 3


class EndStatus(IntEnum):
    """Outcome of END_HANDOFF."""

    ENDED = 0
    UNKNOWN = 1


class MalformedFrameError(Exception):
    """A frame of the node breaks a rule of the protocol."""


class Frame(NamedTuple):
    """One received frame."""

    type: MessageType
    flags: int
    correlation_id: int
    body: bytes


class Found(NamedTuple):
    """FOUND: what exists of a run. A hint: nothing is pinned.

    Attributes:
        partial: the index did not answer in time; peers may have more.
        found: leading chunks that exist somewhere.
        local: of those, chunks in this node's slab.
        found_bytes: size of the found chunks.
        peer_bytes: bytes that would have to be pulled.
        estimate_us: microseconds until all are ready, 0 if unknown.
        worth: leading chunks to load so that the first token comes soonest when the rest is
            computed at the rate that LOOKUP named; ``found`` if it named none.
        advice: why so many.
    """

    partial: bool
    found: int
    local: int
    found_bytes: int
    peer_bytes: int
    estimate_us: int
    worth: int
    advice: LoadAdvice


class Acquired(NamedTuple):
    """ACQUIRED: the node tries to make this many leading chunks resident."""

    acquire_id: int
    chunks: int


class ReadyEntry(NamedTuple):
    """One resident, pinned chunk and its place in the slab."""

    slot: int
    segment: int
    segment_offset: int
    length_bytes: int
    source: Source
    version: int


class Ready(NamedTuple):
    """READY: chunks from ``first_index`` of the run on are resident."""

    acquire_id: int
    first_index: int
    entries: list[ReadyEntry]


class AcquireEnd(NamedTuple):
    """ACQUIRE_END: no more chunks will come."""

    acquire_id: int
    ready_chunks: int
    reason: EndReason


class Released(NamedTuple):
    """RELEASED."""

    acquire_id: int
    status: ReleaseStatus


class ReservedEntry(NamedTuple):
    """Outcome of RESERVE for one chunk; the place is meant only with ``RESERVED``."""

    status: ReserveStatus
    slot: int
    segment: int
    segment_offset: int


class CommittedEntry(NamedTuple):
    """Outcome of COMMIT for one slot; the version is 0 unless it is committed."""

    slot: int
    status: CommitStatus
    version: int


class AbortedEntry(NamedTuple):
    """Outcome of ABORT for one slot."""

    slot: int
    status: AbortStatus


class HandoffCreated(NamedTuple):
    """HANDOFF_CREATED: so many of the named nodes are members now and were told."""

    handoff_id: int
    receivers: int


class SliceEntry(NamedTuple):
    """Outcome of COMMIT_SLICE for one slice; a version if its chunk is complete now, else 0."""

    slot: int
    status: SliceStatus
    version: int


class SliceCommitted(NamedTuple):
    """SLICE_COMMITTED: so many receivers still wait for slices."""

    handoff_id: int
    receivers: int
    entries: list[SliceEntry]


class HandoffEnded(NamedTuple):
    """HANDOFF_ENDED."""

    handoff_id: int
    status: EndStatus


class Error(NamedTuple):
    """ERROR: a request was refused."""

    code: int
    definite: bool
    retry: bool
    detail: str


@dataclass(frozen=True)
class Run:
    """A run of chunks of one prompt, as LOOKUP, ACQUIRE and RESERVE name it.

    Attributes:
        first_position: index within the prompt of the first chunk, in chunks.
        anchor: content hash of the first chunk of the index group that holds it, 32 bytes.
        hashes: content hashes in prompt order, 32 bytes each, joined.
    """

    first_position: int
    anchor: bytes
    hashes: bytes

    def __post_init__(self) -> None:
        if (
            self.first_position < 0
            or len(self.anchor) != HASH_BYTES
            or not self.hashes
            or len(self.hashes) % HASH_BYTES
            or self.count > LIST_ENTRIES_MAX
            or self.first_position + self.count > U32_MAX
        ):
            raise ValueError(
                f"KVA-0560 not a run of chunks - firstPosition={self.first_position} "
                f"anchorBytes={len(self.anchor)} hashesBytes={len(self.hashes)} "
                f"(limit={LIST_ENTRIES_MAX} hashes of {HASH_BYTES} bytes); give whole hashes"
            )

    @property
    def count(self) -> int:
        """Number of chunks."""
        return len(self.hashes) // HASH_BYTES


def encode_json(message: MessageType, correlation_id: int, body: dict[str, Any]) -> bytes:
    """A frame with a JSON body: HELLO or REGISTER.

    Raises:
        ValueError: the body is larger than a node takes.
    """
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    if len(data) > REQUEST_JSON_BYTES_MAX:
        raise ValueError(
            f"KVA-0561 request too large - request={message.name} bytes={len(data)} "
            f"(limit={REQUEST_JSON_BYTES_MAX}); shorten the names in it"
        )
    return _frame(message, 0, correlation_id, data)


def encode_empty(message: MessageType, correlation_id: int) -> bytes:
    """A frame without a body: STATS, PING, PONG or GOODBYE."""
    return _frame(message, 0, correlation_id)


def encode_lookup(
    correlation_id: int,
    space: int,
    epoch: int,
    run: Run,
    local_only: bool = False,
    prefill_tokens_per_second: int = 0,
) -> bytes:
    """LOOKUP. The rate is how fast the engine would compute the run, 0 if it does not say.

    Raises:
        ValueError: the rate does not fit.
    """
    _check_fits("prefillTokensPerSecond", U32_MAX, prefill_tokens_per_second)
    flags = FLAG_LOCAL_ONLY if local_only else 0
    first = _COUNT.pack(prefill_tokens_per_second, 0)
    return _prefix_frame(MessageType.LOOKUP, flags, correlation_id, first, space, epoch, run)


def encode_acquire(
    correlation_id: int, deadline_ms: int, space: int, epoch: int, run: Run
) -> bytes:
    """ACQUIRE. ``deadline_ms`` is 1 to 600,000."""
    first = _COUNT.pack(deadline_ms, 0)
    return _prefix_frame(MessageType.ACQUIRE, 0, correlation_id, first, space, epoch, run)


def encode_release(correlation_id: int, acquire_id: int) -> bytes:
    """RELEASE."""
    return _frame(MessageType.RELEASE, 0, correlation_id, _RELEASE.pack(acquire_id))


def encode_reserve(correlation_id: int, space: int, epoch: int, run: Run) -> bytes:
    """RESERVE."""
    return _prefix_frame(MessageType.RESERVE, 0, correlation_id, b"", space, epoch, run)


def encode_commit(
    correlation_id: int, space: int, epoch: int, slots: Sequence[int], await_index: bool = False
) -> bytes:
    """COMMIT."""
    flags = FLAG_AWAIT_INDEX if await_index else 0
    return _frame(MessageType.COMMIT, flags, correlation_id, _slots(space, epoch, slots))


def encode_abort(correlation_id: int, space: int, epoch: int, slots: Sequence[int]) -> bytes:
    """ABORT."""
    return _frame(MessageType.ABORT, 0, correlation_id, _slots(space, epoch, slots))


def encode_await(
    correlation_id: int, handoff_id: int, deadline_ms: int, space: int, epoch: int, run: Run
) -> bytes:
    """AWAIT. ``deadline_ms`` is 1 to 600,000.

    Raises:
        ValueError: the id does not fit.
    """
    _check_fits("handoffId", _ID_MAX, handoff_id)
    first = _AWAIT.pack(handoff_id, deadline_ms, 0)
    return _prefix_frame(MessageType.AWAIT, 0, correlation_id, first, space, epoch, run)


def encode_create_handoff(
    correlation_id: int,
    handoff_id: int,
    deadline_ms: int,
    slice_bytes: int,
    receivers: Sequence[int],
    space: int,
    epoch: int,
    run: Run,
) -> bytes:
    """CREATE_HANDOFF. ``deadline_ms`` is 1 to 600,000, ``receivers`` are 1 to 8 node ids.

    Raises:
        ValueError: too few or too many receivers, or a number that does not fit.
    """
    _check_fits("handoffId", _ID_MAX, handoff_id)
    _check_fits("sliceBytes", U32_MAX, slice_bytes)
    _check_fits("receiver", _ID_MAX, *receivers)
    if not 1 <= len(receivers) <= RECEIVERS_MAX:
        raise ValueError(
            f"KVA-0569 bad number of receivers - receivers={len(receivers)} "
            f"(limit={RECEIVERS_MAX}); name at least one node"
        )
    head = _CREATE_HANDOFF.pack(handoff_id, deadline_ms, slice_bytes, len(receivers), 0)
    first = head + struct.pack(f"<{len(receivers)}Q", *receivers)
    return _prefix_frame(MessageType.CREATE_HANDOFF, 0, correlation_id, first, space, epoch, run)


def encode_commit_slice(
    correlation_id: int, handoff_id: int, slices: Sequence[tuple[int, int]]
) -> bytes:
    """COMMIT_SLICE of pairs of a slot and a slice's number.

    Raises:
        ValueError: too few or too many pairs, or a number that does not fit.
    """
    _check_slots(len(slices))
    numbers = [number for pair in slices for number in pair]
    _check_fits("handoffId", _ID_MAX, handoff_id)
    _check_fits("slotOrSlice", U32_MAX, *numbers)
    body = _SLICES.pack(handoff_id, len(slices), 0) + struct.pack(f"<{len(numbers)}I", *numbers)
    return _frame(MessageType.COMMIT_SLICE, 0, correlation_id, body)


def encode_end_handoff(correlation_id: int, handoff_id: int, cancel: bool = False) -> bytes:
    """END_HANDOFF.

    Raises:
        ValueError: the id does not fit.
    """
    _check_fits("handoffId", _ID_MAX, handoff_id)
    flags = FLAG_CANCEL if cancel else 0
    return _frame(MessageType.END_HANDOFF, flags, correlation_id, _RELEASE.pack(handoff_id))


def decode_json(frame: Frame) -> dict[str, Any]:
    """The object in the body of HELLO_OK, REGISTERED, STATS_OK or NODE_STATE."""
    try:
        value = json.loads(frame.body.decode("utf-8"))
    except (ValueError, RecursionError) as e:
        raise _malformed(frame, f"json={e}") from e
    if not isinstance(value, dict):
        raise _malformed(frame, "json=not an object")
    return value


def decode_empty(frame: Frame) -> None:
    """Checks that there is no body."""
    if frame.body:
        raise _malformed(frame, f"bodyBytes={len(frame.body)}")


def decode_found(frame: Frame) -> Found:
    """FOUND."""
    found, local, found_bytes, peer_bytes, estimate_us, worth, advice = _only(frame, _FOUND)
    _check_u32(frame, found)
    _check_u64(frame, max(found_bytes, peer_bytes, estimate_us))
    if max(local, worth) > found:
        raise _malformed(frame, f"local={local} worth={worth} found={found}")
    partial = frame.flags == FLAG_PARTIAL
    why = _enum(frame, LoadAdvice, advice)
    return Found(partial, found, local, found_bytes, peer_bytes, estimate_us, worth, why)


def decode_acquired(frame: Frame) -> Acquired:
    """ACQUIRED or AWAITED."""
    acquire_id, chunks, zero = _only(frame, _ACQUIRED)
    _check_u32(frame, chunks)
    _check_zero(frame, zero)
    return Acquired(acquire_id, chunks)


def decode_ready(frame: Frame) -> Ready:
    """READY."""
    _at_least(frame, _READY)
    acquire_id, first_index, count = _READY.unpack_from(frame.body)
    _check_u32(frame, first_index)
    entries = []
    for slot, segment, offset, length, source, version in _entries(
        frame, _READY.size, count, _READY_ENTRY
    ):
        _check_u32(frame, slot)
        _check_u32(frame, segment)
        _check_u64(frame, offset)
        _check_u32(frame, length)
        entries.append(
            ReadyEntry(slot, segment, offset, length, _enum(frame, Source, source), version)
        )
    return Ready(acquire_id, first_index, entries)


def decode_acquire_end(frame: Frame) -> AcquireEnd:
    """ACQUIRE_END."""
    acquire_id, chunks, reason = _only(frame, _ACQUIRED)
    _check_u32(frame, chunks)
    return AcquireEnd(acquire_id, chunks, _enum(frame, EndReason, reason))


def decode_released(frame: Frame) -> Released:
    """RELEASED."""
    acquire_id, status, zero = _only(frame, _ACQUIRED)
    _check_zero(frame, zero)
    return Released(acquire_id, _enum(frame, ReleaseStatus, status))


def decode_reserved(frame: Frame) -> list[ReservedEntry]:
    """RESERVED: one entry per chunk of the request, in order."""
    entries = []
    for status, slot, segment, zero, offset in _counted(frame, _RESERVED_ENTRY):
        _check_u32(frame, slot)
        _check_u32(frame, segment)
        _check_zero(frame, zero)
        _check_u64(frame, offset)
        entries.append(ReservedEntry(_enum(frame, ReserveStatus, status), slot, segment, offset))
    return entries


def decode_committed(frame: Frame) -> list[CommittedEntry]:
    """COMMITTED: one entry per slot of the request, in order."""
    entries = []
    for slot, status, version in _counted(frame, _COMMITTED_ENTRY):
        _check_u32(frame, slot)
        entries.append(CommittedEntry(slot, _enum(frame, CommitStatus, status), version))
    return entries


def decode_aborted(frame: Frame) -> list[AbortedEntry]:
    """ABORTED: one entry per slot of the request, in order."""
    entries = []
    for slot, status in _counted(frame, _ABORTED_ENTRY):
        _check_u32(frame, slot)
        entries.append(AbortedEntry(slot, _enum(frame, AbortStatus, status)))
    return entries


def decode_handoff_created(frame: Frame) -> HandoffCreated:
    """HANDOFF_CREATED."""
    handoff_id, receivers, zero = _only(frame, _ACQUIRED)
    _check_u32(frame, receivers)
    _check_zero(frame, zero)
    return HandoffCreated(handoff_id, receivers)


def decode_slice_committed(frame: Frame) -> SliceCommitted:
    """SLICE_COMMITTED: one entry per slice of the request, in order."""
    _at_least(frame, _SLICES)
    handoff_id, count, receivers = _SLICES.unpack_from(frame.body)
    _check_u32(frame, receivers)
    entries = []
    for slot, status, version in _entries(frame, _SLICES.size, count, _COMMITTED_ENTRY):
        _check_u32(frame, slot)
        entries.append(SliceEntry(slot, _enum(frame, SliceStatus, status), version))
    return SliceCommitted(handoff_id, receivers, entries)


def decode_handoff_ended(frame: Frame) -> HandoffEnded:
    """HANDOFF_ENDED."""
    handoff_id, status, zero = _only(frame, _ACQUIRED)
    _check_zero(frame, zero)
    return HandoffEnded(handoff_id, _enum(frame, EndStatus, status))


def decode_error(frame: Frame) -> Error:
    """ERROR."""
    _at_least(frame, _ERROR)
    code, definite, retry, length = _ERROR.unpack_from(frame.body)
    detail = frame.body[_ERROR.size :]
    if length != len(detail) or length > ERROR_DETAIL_BYTES_MAX or definite > 1 or retry > 1:
        raise _malformed(
            frame, f"detailBytes={length} present={len(detail)} definite={definite} retry={retry}"
        )
    try:
        return Error(code, definite == 1, retry == 1, detail.decode("utf-8"))
    except UnicodeDecodeError as e:
        raise _malformed(frame, "detail=not UTF-8") from e


class FrameReader:
    """Cuts a stream of bytes into the frames of a node. Not thread-safe."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[Frame]:
        """Takes bytes and gives the frames that are now complete; all must be taken.

        Raises:
            MalformedFrameError: the stream is of no more use.
        """
        buffer = self._buffer
        if buffer:
            buffer += data
            data = buffer
        start = 0
        while len(data) - start >= HEADER_BYTES:
            length, version, code, flags, correlation_id = _HEADER.unpack_from(data, start)
            message = _check_header(length, version, code, flags, correlation_id)
            end = start + 4 + length
            if len(data) < end:
                break
            body = bytes(data[start + HEADER_BYTES : end])
            start = end
            yield Frame(message, flags, correlation_id, body)
        if buffer:
            del buffer[:start]
        else:  # as a rule a frame comes whole and alone
            buffer += data[start:]


def _check_header(
    length: int, version: int, code: int, flags: int, correlation_id: int
) -> MessageType:
    message = _TYPES.get(code)
    is_push = code in _PUSHES
    if length < HEADER_BYTES - 4 or length > FRAME_BYTES_MAX:
        problem = f"length={length} (limit={FRAME_BYTES_MAX})"
    elif version != VERSION:
        problem = f"version={version} (supported={VERSION})"
    elif message is None or (code < 0x80 and not is_push and code != MessageType.PING):
        problem = "type unknown or not one of a node"
    elif flags and (code != MessageType.FOUND or flags != FLAG_PARTIAL):
        problem = f"flags={flags}"
    elif is_push != (correlation_id == 0) and code != MessageType.ERROR:
        problem = f"correlationId={correlation_id}"
    else:
        return message
    raise MalformedFrameError(f"type={code:#04x} {problem}")


def _frame(message: MessageType, flags: int, correlation_id: int, body: bytes = b"") -> bytes:
    length = HEADER_BYTES - 4 + len(body)
    return _HEADER.pack(length, VERSION, message, flags, correlation_id) + body


def _prefix_frame(
    message: MessageType,
    flags: int,
    correlation_id: int,
    first: bytes,
    space: int,
    epoch: int,
    run: Run,
) -> bytes:
    """A frame whose body is ``first`` and a prefix block; the hashes are copied once."""
    hashes = run.hashes
    size = len(first) + _PREFIX.size + HASH_BYTES + len(hashes)
    header = _HEADER.pack(HEADER_BYTES - 4 + size, VERSION, message, flags, correlation_id)
    count = len(hashes) // HASH_BYTES
    prefix = _PREFIX.pack(space, epoch, run.first_position, count)
    return b"".join((header, first, prefix, run.anchor, hashes))


def _check_slots(count: int) -> None:
    if not 1 <= count <= LIST_ENTRIES_MAX:
        raise ValueError(
            f"KVA-0562 bad number of slots - slots={count} (limit={LIST_ENTRIES_MAX}); "
            "name at least one"
        )


def _check_fits(name: str, limit: int, *numbers: int) -> None:
    bad = next((number for number in numbers if not 0 <= number <= limit), None)
    if bad is not None:
        raise ValueError(
            f"KVA-0576 number does not fit the protocol - {name}={bad} (limit={limit}); "
            "name one from 0 to the limit"
        )


def _slots(space: int, epoch: int, slots: Sequence[int]) -> bytes:
    _check_slots(len(slots))
    return _SLOTS.pack(space, epoch, len(slots), 0) + struct.pack(f"<{len(slots)}I", *slots)


def _only(frame: Frame, layout: struct.Struct) -> tuple[Any, ...]:
    if len(frame.body) != layout.size:
        raise _malformed(frame, f"bodyBytes={len(frame.body)} expected={layout.size}")
    return layout.unpack(frame.body)


def _at_least(frame: Frame, layout: struct.Struct) -> None:
    if len(frame.body) < layout.size:
        raise _malformed(frame, f"bodyBytes={len(frame.body)} expected>={layout.size}")


def _counted(frame: Frame, entry: struct.Struct) -> Iterator[tuple[Any, ...]]:
    _at_least(frame, _COUNT)
    count, zero = _COUNT.unpack_from(frame.body)
    _check_zero(frame, zero)
    return _entries(frame, _COUNT.size, count, entry)


def _entries(
    frame: Frame, offset: int, count: int, entry: struct.Struct
) -> Iterator[tuple[Any, ...]]:
    if count > LIST_ENTRIES_MAX or len(frame.body) != offset + count * entry.size:
        raise _malformed(frame, f"count={count} bodyBytes={len(frame.body)}")
    return entry.iter_unpack(memoryview(frame.body)[offset:])


_E = TypeVar("_E", bound=IntEnum)


def _enum(frame: Frame, kind: type[_E], value: int) -> _E:
    try:
        return kind(value)
    except ValueError as e:
        raise _malformed(frame, f"{kind.__name__}={value}") from e


def _check_u32(frame: Frame, value: int) -> None:
    if value > U32_MAX:
        raise _malformed(frame, f"value={value} (limit={U32_MAX})")


def _check_u64(frame: Frame, value: int) -> None:
    if value > U64_COUNT_MAX:
        raise _malformed(frame, f"value={value} (limit={U64_COUNT_MAX})")


def _check_zero(frame: Frame, value: int) -> None:
    if value:
        raise _malformed(frame, f"reserved={value}")


def _malformed(frame: Frame, problem: str) -> MalformedFrameError:
    return MalformedFrameError(f"type={frame.type.name} {problem}")
