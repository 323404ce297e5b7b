"""The node's slab segment files, mapped.

Plain ``mmap``: ``multiprocessing.shared_memory`` would unlink the node's files when the engine
ends.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kvasir.errors import NodeUnavailableError

_POPULATE_READ = 22
"""``MADV_POPULATE_READ`` of Linux 5.14: maps pages as reading each would."""

_POPULATE_BYTES = 16 << 20
_madvise = ctypes.CDLL(None).madvise
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


@dataclass(frozen=True)
class SegmentFile:
    """A segment file as the node describes it; ``bytes`` is its exact size."""

    path: Path
    bytes: int


class Slab:
    """All segments of one incarnation of a node's slab.

    The memory stays mapped as long as a view of it is alive, whatever becomes of the node.
    """

    def __init__(self, files: Sequence[SegmentFile]) -> None:
        """Maps the files.

        Raises:
            NodeUnavailableError: one is missing, not a file of this user, or has another size.
        """
        self._segments: list[memoryview] | None = [_map(file) for file in files]

    def view(self, segment: int, offset: int, length: int) -> memoryview:
        """A writable part of a segment, without a copy. Sizes in bytes.

        Raises:
            IndexError: there is no such part.
            NodeUnavailableError: the slab is closed.
        """
        segments = self._open_segments()
        if not 0 <= segment < len(segments):
            raise IndexError(f"segment={segment} (limit={len(segments)})")
        memory = segments[segment]
        if offset < 0 or length < 0 or offset + length > len(memory):
            raise IndexError(f"offset={offset} length={length} (limit={len(memory)})")
        return memory[offset : offset + length]

    @property
    def segments(self) -> list[memoryview]:
        """The segments, writable, in the order of their index.

        Raises:
            NodeUnavailableError: the slab is closed.
        """
        return list(self._open_segments())

    def populate(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Maps all pages ahead, so that copies need not stop at each: they take a third as long.

        Takes a fraction of a second per GiB, lets other threads run, and ends early when the slab
        is closed or the kernel does not know how. Nothing is read or written.

        Args:
            is_wanted: asked before every 16 MiB; False ends it.
        """
        for memory in self._segments or ():
            # Not mmap.madvise, which would keep the interpreter's lock.
            start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            for offset in range(0, len(memory), _POPULATE_BYTES):
                size = min(_POPULATE_BYTES, len(memory) - offset)
                if self._segments is None or not is_wanted():
                    return
                if _madvise(start + offset, size, _POPULATE_READ):
                    return

    def close(self) -> None:
        """Forgets the segments; each is unmapped when its last view is gone."""
        self._segments = None

    def _open_segments(self) -> list[memoryview]:
        segments = self._segments
        if segments is None:
            raise NodeUnavailableError(
                "KVA-0516 the connection is closed - slab=closed; connect again"
            )
        return segments


def _map(file: SegmentFile) -> memoryview:
    descriptor = -1
    try:
        descriptor = os.open(file.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unusable(file, "file=not regular")
        if status.st_size != file.bytes:
            raise _unusable(file, f"fileBytes={status.st_size}")
        if status.st_uid != os.geteuid():
            raise _unusable(file, f"fileUid={status.st_uid} uid={os.geteuid()}")
        return memoryview(mmap.mmap(descriptor, file.bytes))
    except (OSError, ValueError) as e:
        raise _unusable(file, f"cause={e}") from e
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _unusable(file: SegmentFile, problem: str) -> NodeUnavailableError:
    return NodeUnavailableError(
        f"KVA-0514 slab segment cannot be mapped - path={file.path} bytes={file.bytes} {problem}; "
        "engine and node must see the same slab directory under the same user"
    )
