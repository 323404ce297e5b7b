"""One socket to a node: sends requests, gives each answer to whoever asked, in a thread of its own.

Callers never wait for the socket: what the kernel does not take at once, the thread sends.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from kvasir import protocol
from kvasir.errors import KvasirError, NodeUnavailableError, RefusedError
from kvasir.protocol import Frame, FrameReader, MalformedFrameError, MessageType

_RECEIVE_BYTES = 256 * 1024
_SEND_QUEUE_BYTES_MAX = 4 * protocol.FRAME_BYTES_MAX
_TICK_S = 0.2
"""How often deadlines are looked at."""

_JOIN_S = 5.0
_CLOSING_ERRORS = frozenset((1, 2, 3, 4, 5, 6, 14))

T = TypeVar("T")
Encoder = Callable[[int], bytes]
Decoder = Callable[[Frame], T]


class Handler(Protocol):
    """Takes what a connection has to say; called by its thread, without locks."""

    def on_push(self, frame: Frame) -> None:
        """READY, ACQUIRE_END or NODE_STATE. May raise ``MalformedFrameError``."""

    def on_tick(self, now: float) -> bool:
        """Looks at deadlines (``time.monotonic``); False if the node has missed one."""

    def on_closed(self, error: NodeUnavailableError) -> None:
        """The connection is gone; called exactly once."""


@dataclass
class _Pending:
    future: Future[Any]
    request: MessageType
    decode: Decoder[Any]
    deadline: float


class Connection:
    """A socket to the node at ``path``. Thread-safe.

    It belongs to the process that made it: in a forked child, which has neither the thread nor a
    right to the socket, every call fails and closing does nothing.
    """

    def __init__(self, path: Path, handler: Handler, timeout_s: float) -> None:
        """Connects.

        Args:
            path: the node's ``engine.sock``.
            handler: takes pushes and the end.
            timeout_s: limit of connecting.

        Raises:
            NodeUnavailableError: nobody listens there.
        """
        self._path = path
        self._handler = handler
        self._pid = os.getpid()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout_s)
            self._socket.connect(str(path))
            self._socket.setblocking(False)
        except OSError as e:
            self._socket.close()
            raise NodeUnavailableError(
                f"KVA-0510 no node at the socket - socket={path} cause={e}; "
                "start the node or correct the path"
            ) from e
        self._reader = FrameReader()
        self._received = memoryview(bytearray(_RECEIVE_BYTES))
        self._is_writing = False
        self._checked = time.monotonic()
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._unsent = bytearray()
        self._ids = itertools.count()
        self._error: NodeUnavailableError | None = None
        with contextlib.ExitStack() as opened:
            opened.callback(self._socket.close)
            self._wake_in, self._wake_out = socket.socketpair()
            opened.callback(self._wake_in.close)
            opened.callback(self._wake_out.close)
            self._wake_in.setblocking(False)
            self._wake_out.setblocking(False)
            self._thread = threading.Thread(target=self._run, name="kvasir-client", daemon=True)
            self._thread.start()
            opened.pop_all()  # the thread closes them

    @property
    def is_open(self) -> bool:
        """False once the connection is lost or closed, and in a forked child."""
        return self._error is None and self.is_own

    @property
    def is_own(self) -> bool:
        """Does the connection belong to this process?"""
        return os.getpid() == self._pid

    def request(
        self, request: MessageType, encode: Encoder, decode: Decoder[T], timeout_s: float
    ) -> Future[T]:
        """Sends a request and returns at once.

        The future ends within ``timeout_s``, give or take a fifth of a second; its callbacks run in
        the connection's thread and must not wait. It cannot be cancelled. Errors: ``RefusedError``,
        ``NodeUnavailableError``.

        Args:
            request: type of the request.
            encode: makes the frame from a correlation id.
            decode: makes the result from the reply, or raises ``MalformedFrameError``.
            timeout_s: after it the node counts as gone and the connection is closed.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        if not self.is_own:  # the lock may be held by a thread that is not here
            future.set_exception(self.foreign())
            return future
        with self._lock:
            error = self._error
            if error is None:
                correlation_id = next(self._ids) % 0xFFFF_FFFF + 1
                frame = encode(correlation_id)
                deadline = time.monotonic() + timeout_s
                self._pending[correlation_id] = _Pending(future, request, decode, deadline)
                error = self._send(frame)
                if error is not None:
                    del self._pending[correlation_id]
        if error is not None:
            self._end(error)
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Closes the socket and ends the thread. May be called twice."""
        if not self.is_own:
            return
        self._end(
            NodeUnavailableError(
                f"KVA-0516 the connection is closed - socket={self._path}; connect again"
            )
        )
        if threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_S)

    def foreign(self) -> NodeUnavailableError:
        """What calls fail with in a forked child."""
        return NodeUnavailableError(
            f"KVA-0518 the connection belongs to another process - socket={self._path} "
            f"pid={os.getpid()} owner={self._pid}; connect again in this one"
        )

    def _send(self, frame: bytes) -> NodeUnavailableError | None:
        """Sends as much as the kernel takes and queues the rest. Needs the lock."""
        rest = memoryview(frame)
        if not self._unsent:
            try:
                rest = rest[self._socket.send(rest) :]
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as e:
                return self._lost(e)
        if rest:
            if len(self._unsent) + len(rest) > _SEND_QUEUE_BYTES_MAX:
                return self._broken("KVA-0517 the node does not read", "")
            self._unsent += rest
            self._wake()
        return None

    def _run(self) -> None:
        error = None
        poll = select.poll()
        try:
            poll.register(self._wake_in, select.POLLIN)
            poll.register(self._socket, select.POLLIN)
            while self._error is None:
                self._turn(poll)
        except MalformedFrameError as e:
            error = self._broken("KVA-0513 not a Kvasir node, or a broken one", f"cause={e}")
        except OSError as e:
            error = self._lost(e)
        except KvasirError as e:
            error = self._broken("KVA-0513 the node closes the connection", f"cause={e}")
        finally:
            # Also when something unforeseen ends this thread: nobody must wait for it in vain.
            self._end(error or self._lost(None))
            for end in (self._socket, self._wake_in, self._wake_out):
                end.close()

    def _turn(self, poll: select.poll) -> None:
        """Waits for the socket, or a fifth of a second, and does what is to be done."""
        is_writing = bool(self._unsent)
        if is_writing != self._is_writing:
            self._is_writing = is_writing
            poll.modify(self._socket, select.POLLIN | (select.POLLOUT if is_writing else 0))
        for descriptor, events in poll.poll(_TICK_S * 1000):
            if descriptor == self._wake_in.fileno():
                with contextlib.suppress(BlockingIOError):
                    self._wake_in.recv(4096)
                continue
            if events & select.POLLOUT:
                self._flush()
            if events & ~select.POLLOUT:
                self._receive()
        now = time.monotonic()
        if now - self._checked >= _TICK_S:
            self._checked = now
            self._check_deadlines(now)

    def _flush(self) -> None:
        with self._lock, contextlib.suppress(BlockingIOError):
            sent = self._socket.send(self._unsent)
            del self._unsent[:sent]

    def _receive(self) -> None:
        try:
            size = self._socket.recv_into(self._received)
        except BlockingIOError:
            return
        if size == 0:
            raise ConnectionResetError("end of stream")
        for frame in self._reader.feed(self._received[:size]):
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if frame.type == MessageType.PING:
            with self._lock:
                error = self._send(protocol.encode_empty(MessageType.PONG, frame.correlation_id))
            if error is not None:
                raise error
        elif frame.type.is_push:
            self._handler.on_push(frame)
        else:
            self._answer(frame)

    def _answer(self, frame: Frame) -> None:
        with self._lock:
            pending = self._pending.pop(frame.correlation_id, None)
        if frame.type == MessageType.ERROR:
            name = "none" if pending is None else pending.request.name
            body = protocol.decode_error(frame)
            refused = RefusedError(name, body.code, body.definite, body.retry, body.detail)
            if pending is not None:
                pending.future.set_exception(refused)
            if (
                pending is None
                or pending.request == MessageType.HELLO
                or body.code in _CLOSING_ERRORS
            ):
                raise refused
            return
        if pending is None or frame.type != pending.request | 0x80:
            self._fail_pending(pending, f"unexpected={frame.type.name}")
            raise MalformedFrameError(
                f"unexpected={frame.type.name} correlationId={frame.correlation_id}"
            )
        try:
            result = pending.decode(frame)
        except (KvasirError, MalformedFrameError) as e:
            self._fail_pending(pending, str(e))
            raise
        pending.future.set_result(result)

    def _fail_pending(self, pending: _Pending | None, problem: str) -> None:
        if pending is not None:
            pending.future.set_exception(
                self._broken("KVA-0513 not a Kvasir node, or a broken one", f"cause={problem}")
            )

    def _check_deadlines(self, now: float) -> None:
        with self._lock:
            late = next((p for p in self._pending.values() if p.deadline < now), None)
        if late is not None or not self._handler.on_tick(now):
            what = "push" if late is None else late.request.name
            self._end(self._broken("KVA-0512 the node does not answer in time", f"awaited={what}"))

    def _end(self, error: NodeUnavailableError) -> None:
        """Ends everything that is awaited, once."""
        with self._lock:
            if self._error is not None:
                return
            self._error = error
            pending = list(self._pending.values())
            self._pending.clear()
            self._unsent.clear()
        self._wake()
        for entry in pending:
            entry.future.set_exception(error)
        self._handler.on_closed(error)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_out.send(b"\0")

    def _lost(self, cause: OSError | None) -> NodeUnavailableError:
        return self._broken("KVA-0511 connection lost", f"cause={cause}")

    def _broken(self, what: str, values: str) -> NodeUnavailableError:
        return NodeUnavailableError(
            f"{what} - socket={self._path} {values}; count it as a miss and connect again"
        )
