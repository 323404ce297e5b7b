"""One socket to a node: sends requests, gives each answer to whoever asked.

Callers never wait to send: what the kernel does not take at once, the connection's thread sends.
That thread also receives, unless somebody waits for a reply: who waits receives, which spares two
changes of threads.
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
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from kvasir import protocol
from kvasir.errors import KvasirError, NodeUnavailableError, RefusedError
from kvasir.protocol import Frame, FrameReader, MalformedFrameError, MessageType

_RECEIVE_BYTES = 256 * 1024
_SEND_QUEUE_BYTES_MAX = 4 * protocol.FRAME_BYTES_MAX
_TICK_S = 0.2
"""How often deadlines are looked at."""

_LINGER_S = 100e-6
"""How long who waits looks for an answer before it sleeps: to be woken often takes longer."""

_JOIN_S = 5.0
_CLOSING_ERRORS = frozenset((1, 2, 3, 4, 5, 6, 14))

T = TypeVar("T")
Encoder = Callable[[int], bytes]
Decoder = Callable[[Frame], T]


class Handler(Protocol):
    """Takes what a connection has to say; called without locks.

    Pushes come one at a time; a tick may come beside one, and the end beside both.
    """

    def on_push(self, frame: Frame) -> None:
        """READY, ACQUIRE_END or NODE_STATE. May raise ``MalformedFrameError``."""

    def on_tick(self, now: float) -> bool:
        """Looks at deadlines (``time.monotonic``); False if the node has missed one."""

    def on_closed(self, error: NodeUnavailableError) -> None:
        """The connection is gone; called exactly once."""


class _Pending(NamedTuple):
    future: Future[Any]
    request: MessageType
    decode: Decoder[Any]
    deadline: float


class Reply(Future[T]):
    """A future of a connection; whoever waits for it receives meanwhile."""

    def __init__(self, connection: Connection) -> None:
        """Begins to run, so that it cannot be cancelled.

        Args:
            connection: where the reply comes from.
        """
        super().__init__()
        self.set_running_or_notify_cancel()
        self._connection = connection

    def result(self, timeout: float | None = None) -> T:
        """The result, as a future gives it."""
        return super().result(self._connection.receive_until(self.done, timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The error or None, as a future gives it."""
        return super().exception(self._connection.receive_until(self.done, timeout))


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
        self._receiving = threading.Lock()
        self._receiver: int | None = None
        self._arrived = select.poll()
        self._arrived.register(self._socket, select.POLLIN)
        self._checked = time.monotonic()
        self._was_late = False
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
            self._events = select.EPOLLIN
            self._epoll = select.epoll()
            opened.callback(self._epoll.close)
            self._epoll.register(self._wake_in, select.EPOLLIN)
            self._epoll.register(self._socket, self._events)
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
    ) -> Reply[T]:
        """Sends a request and returns at once.

        The reply ends within ``timeout_s`` and about half a second; its callbacks run in the thread
        that receives it and must not wait. It cannot be cancelled. Errors:
        ``RefusedError``, ``NodeUnavailableError``.

        Args:
            request: type of the request.
            encode: makes the frame from a correlation id.
            decode: makes the result from the reply, or raises ``MalformedFrameError``.
            timeout_s: after it the node counts as gone and the connection is closed.
        """
        future: Reply[T] = Reply(self)
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
        # The thread ends when nobody receives any more, and the caller may be who does.
        if threading.get_ident() not in (self._thread.ident, self._receiver):
            self._thread.join(_JOIN_S)

    def receive_until(
        self, is_done: Callable[[], bool], timeout_s: float | None = None
    ) -> float | None:
        """Receives in the caller's thread until something is done, the time is up or the end.

        Returns at once where another thread waits, and receives, already.

        Args:
            is_done: what to wait for; asked again after each arrival.
            timeout_s: longest wait; None for no limit.

        Returns:
            What is left of ``timeout_s``.

        Raises:
            NodeUnavailableError: in a forked child, where nothing more will come.
        """
        if is_done():
            return timeout_s
        if not self.is_own:
            raise self.foreign()
        if not self._receiving.acquire(blocking=False):
            return timeout_s
        try:
            begin = time.monotonic()
            left = timeout_s
            self._receiver = threading.get_ident()
            self._watch()
            while self._error is None and not is_done():
                if self._has_arrived(_TICK_S if left is None else min(left, _TICK_S)):
                    self._ending_on_errors(self._receive)
                if timeout_s is not None:
                    left = timeout_s - (time.monotonic() - begin)
                    if left <= 0:
                        return 0.0
        finally:
            try:
                self._receiver = None
                self._watch()
            finally:
                self._receiving.release()
        return left

    def foreign(self) -> NodeUnavailableError:
        """What calls fail with in a forked child."""
        return NodeUnavailableError(
            f"KVA-0518 the connection belongs to another process - socket={self._path} "
            f"pid={os.getpid()} owner={self._pid}; connect again in this one"
        )

    def _send(self, frame: bytes) -> NodeUnavailableError | None:
        """Sends as much as the kernel takes and queues the rest. Needs the lock."""
        sent = 0
        if not self._unsent:
            try:
                sent = self._socket.send(frame)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as e:
                return self._lost(e)
        if sent < len(frame):
            if len(self._unsent) + len(frame) - sent > _SEND_QUEUE_BYTES_MAX:
                return self._broken("KVA-0517 the node does not read", "")
            self._unsent += memoryview(frame)[sent:]
            self._wake()
        return None

    def _run(self) -> None:
        try:
            while self._error is None:
                self._ending_on_errors(self._turn)
        finally:
            with self._receiving:  # whoever receives has seen the end and lets go
                for end in (self._epoll, self._socket, self._wake_in, self._wake_out):
                    end.close()

    def _ending_on_errors(self, work: Callable[[], None]) -> None:
        """Does a part of the work; what goes wrong is the end of the connection."""
        error: NodeUnavailableError | None = self._lost(None)
        try:
            work()
            error = None
        except MalformedFrameError as e:
            error = self._broken("KVA-0513 not a Kvasir node, or a broken one", f"cause={e}")
        except KvasirError as e:
            error = self._broken("KVA-0513 the node closes the connection", f"cause={e}")
        except Exception as e:  # who receives need not be who asked
            error = self._lost(e)
        finally:
            # Also when something else ends the thread: nobody must wait for it in vain.
            if error is not None:
                self._end(error)

    def _turn(self) -> None:
        """Waits for the socket, or a fifth of a second, and does what is to be done."""
        self._watch()
        for descriptor, events in self._epoll.poll(_TICK_S):
            if descriptor == self._wake_in.fileno():
                with contextlib.suppress(BlockingIOError):
                    self._wake_in.recv(4096)
                continue
            if events & select.EPOLLOUT:
                self._flush()
            if events & ~select.EPOLLOUT and self._receiving.acquire(blocking=False):
                try:
                    self._receiver = threading.get_ident()
                    self._receive()
                finally:
                    self._receiver = None
                    self._receiving.release()
        now = time.monotonic()
        if now - self._checked >= _TICK_S:
            self._checked = now
            self._check_deadlines(now)

    def _watch(self) -> None:
        """Tells the kernel what wakes the thread: not what somebody else receives."""
        with self._lock:
            events = 0 if self._receiver is not None else select.EPOLLIN
            if self._unsent:
                events |= select.EPOLLOUT
            if events != self._events and self._error is None:
                self._epoll.modify(self._socket, events)
                self._events = events

    def _flush(self) -> None:
        with self._lock, contextlib.suppress(BlockingIOError):
            sent = self._socket.send(self._unsent)
            del self._unsent[:sent]

    def _has_arrived(self, limit_s: float) -> bool:
        """Looks for the next bytes, and sleeps when none come soon: to be woken takes longer."""
        sleep_at = time.monotonic() + _LINGER_S
        while time.monotonic() < sleep_at:
            if self._arrived.poll(0):
                return True
        return bool(self._arrived.poll(limit_s * 1000))

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
        elif frame.correlation_id == 0 and frame.type != MessageType.ERROR:
            self._handler.on_push(frame)
        else:
            self._answer(frame)

    def _answer(self, frame: Frame) -> None:
        pending = None
        try:
            with self._lock:
                pending = self._pending.pop(frame.correlation_id, None)
            self._complete(pending, frame)
        except BaseException as e:  # an interrupt, too: who receives need not be who asked
            if pending is not None and not pending.future.done():
                pending.future.set_exception(
                    self._broken("KVA-0513 not a Kvasir node, or a broken one", f"cause={e!r}")
                )
            raise

    def _complete(self, pending: _Pending | None, frame: Frame) -> None:
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
            raise MalformedFrameError(
                f"unexpected={frame.type.name} correlationId={frame.correlation_id}"
            )
        pending.future.set_result(pending.decode(frame))

    def _check_deadlines(self, now: float) -> None:
        """Ends the connection when the node is late at two ticks in a row.

        After a stall of this process what is late may have come and lie unread in the socket: who
        receives has a tick to take it.
        """
        with self._lock:
            late = next((p for p in self._pending.values() if p.deadline < now), None)
        is_late = late is not None or not self._handler.on_tick(now)
        was_late, self._was_late = self._was_late, is_late
        if is_late and was_late:
            what = "push" if late is None else late.request.name
            self._end(self._broken("KVA-0512 the node does not answer in time", f"awaited={what}"))

    def _end(self, error: NodeUnavailableError) -> None:
        """Ends everything that is awaited, once."""
        with self._lock:
            if self._error is not None:
                return
            with contextlib.suppress(OSError):  # before the thread may close it
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes who waits for it
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

    def _lost(self, cause: Exception | None) -> NodeUnavailableError:
        return self._broken("KVA-0511 connection lost", f"cause={cause!r}")

    def _broken(self, what: str, values: str) -> NodeUnavailableError:
        return NodeUnavailableError(
            f"{what} - socket={self._path} {values}; count it as a miss and connect again"
        )
