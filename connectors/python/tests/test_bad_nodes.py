"""Whatever is at the other end of the socket: an error within the time limit, nothing else."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kvasir import Client, KvasirError, NodeLink, NodeUnavailableError, RefusedError
from kvasir.protocol import Found, Frame, MessageType, encode_empty
from nodes import wait_until
from spaces import CHUNK_BYTES, new_identity, new_request, new_run
from test_protocol import VECTORS

Answer = Callable[[int, int, bytes], bytes]
"""Makes the bytes to send from type, correlation id and body of a request."""


class ScriptedNode:
    """Speaks for a node as a test tells it to."""

    def __init__(self, directory: Path, answer: Answer) -> None:
        self.socket = directory / "engine.sock"
        self.slab = directory / "segment-0.slab"
        self.slab.write_bytes(bytes(4 * CHUNK_BYTES))
        self.received: list[int] = []
        self._answer = answer
        self._connections: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        for end in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for end in (self._listener, *self._connections):
            end.close()

    def drop(self) -> None:
        """Ends the connections that there are."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def hello_ok(self, **changes: object) -> bytes:
        body = {
            "protocol": 1,
            "session": 1,
            "node": "n",
            "nodeId": "01",
            "incarnation": "02",
            "segments": [{"index": 0, "path": str(self.slab), "bytes": 4 * CHUNK_BYTES}],
            "limits": {},
            **changes,
        }
        return json.dumps(body).encode()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            with contextlib.suppress(OSError):
                self._serve(connection)
            connection.close()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        with stream:
            while len(header := stream.read(12)) == 12:
                length, _, message, _, correlation_id = struct.unpack("<IBBHI", header)
                self.received.append(message)
                connection.sendall(self._answer(message, correlation_id, stream.read(length - 8)))


def frame(message: int, correlation_id: int, body: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack("<IBBHI", len(body) + 8, 1, message, flags, correlation_id) + body


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Answer], ScriptedNode]]:
    nodes: list[ScriptedNode] = []

    def start_one(answer: Answer) -> ScriptedNode:
        nodes.append(ScriptedNode(tmp_path, answer))
        return nodes[-1]

    yield start_one
    for node in nodes:
        node.close()


def greeted(node: list[ScriptedNode], then: Answer) -> Answer:
    """Answers HELLO and REGISTER as a node does, then as told."""

    def answer(message: int, correlation_id: int, body: bytes) -> bytes:
        wait_until(lambda: node, what="node made")  # a link may be quicker than its test
        if message == MessageType.HELLO:
            return frame(0x81, correlation_id, node[0].hello_ok())
        if message == MessageType.REGISTER:
            request = json.loads(body)
            grant = {"space": 1, "epoch": 0, "fingerprint": FINGERPRINT, **request}
            return frame(0x82, correlation_id, json.dumps(grant).encode())
        return then(message, correlation_id, body)

    return answer


REQUEST = new_request()
FINGERPRINT = REQUEST.namespace.fingerprint().hex()


def test_no_node_at_the_path(tmp_path: Path) -> None:
    for path in (tmp_path / "none.sock", tmp_path / ("x" * 200)):
        with pytest.raises(NodeUnavailableError, match="KVA-0510"):
            Client(path, new_identity())


def test_socket_that_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "mute.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        begin = time.monotonic()
        with pytest.raises(NodeUnavailableError, match="KVA-0512"):
            Client(path, new_identity(), timeout_s=0.3)
        assert time.monotonic() - begin < 5.0


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b"-ERR x\r\n" * 9]
)
def test_socket_of_another_program(start: Callable[[Answer], ScriptedNode], data: bytes) -> None:
    node = start(lambda *_: data)
    with pytest.raises(NodeUnavailableError, match="KVA-0513"):
        Client(node.socket, new_identity())


def test_node_of_another_version(start: Callable[[Answer], ScriptedNode]) -> None:
    detail = b"protocolMin=1"
    body = struct.pack("<HBBI", 2, 1, 0, len(detail)) + detail
    node = start(lambda _message, correlation_id, _body: frame(0xFF, correlation_id, body))
    with pytest.raises(RefusedError, match="code=2"):
        Client(node.socket, new_identity())


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": 2},
        {"nodeId": None},
        {"nodeId": "-1"},
        {"nodeId": "1" * 17},
        {"segments": []},
        {"segments": [{"index": 1, "path": "/x", "bytes": 1}]},
        {"segments": [{"index": 0, "path": "relative", "bytes": 1}]},
        {"segments": [{"index": 0, "path": "/dev/null", "bytes": -1}]},
        {"segments": "none"},
        {"segments": [{"index": 0, "path": "/dev/null", "bytes": 4096}]},
        {"segments": [{"index": 0, "path": "/nowhere/segment", "bytes": 4096}]},
    ],
)
def test_greeting_that_cannot_be_true(
    start: Callable[[Answer], ScriptedNode], changes: dict[str, object]
) -> None:
    nodes: list[ScriptedNode] = []
    nodes.append(start(lambda _m, i, _b: frame(0x81, i, nodes[0].hello_ok(**changes))))
    with pytest.raises(NodeUnavailableError, match=r"KVA-051[34]"):
        Client(nodes[0].socket, new_identity())


def test_slab_file_of_another_size(start: Callable[[Answer], ScriptedNode]) -> None:
    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, lambda *_: b"")))
    os.truncate(nodes[0].slab, 4096)
    with pytest.raises(NodeUnavailableError, match="KVA-0514"):
        Client(nodes[0].socket, new_identity())


def test_slab_file_of_another_owner(
    start: Callable[[Answer], ScriptedNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, lambda *_: b"")))
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(NodeUnavailableError, match="KVA-0514"):
        Client(nodes[0].socket, new_identity())


@pytest.mark.parametrize(
    "reply",
    [
        VECTORS["committed"],
        VECTORS["found"][:8] + b"\x63\0\0\0" + VECTORS["found"][12:],
        VECTORS["ready"],
        VECTORS["acquire-end"],
        b"\xff" * 64,
    ],
)
def test_answer_that_nobody_asked_for(
    start: Callable[[Answer], ScriptedNode], reply: bytes
) -> None:
    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, lambda *_: reply)))
    client = Client(nodes[0].socket, new_identity())
    space = client.register(REQUEST).result()
    with pytest.raises(NodeUnavailableError, match="KVA-0513"):
        client.lookup(space, new_run(1)).result()
    assert not client.is_open
    client.close()


@pytest.mark.parametrize(
    ("segment", "offset", "length"),
    [(1, 0, 64), (0, 4 * CHUNK_BYTES, 64), (0, 2**62, 64), (0, 0, CHUNK_BYTES + 1), (0, 0, 0)],
)
def test_place_outside_the_slab(
    start: Callable[[Answer], ScriptedNode], segment: int, offset: int, length: int
) -> None:
    def answer(_message: int, correlation_id: int, _body: bytes) -> bytes:
        entry = struct.pack("<IIQIIQ", 1, segment, offset, length, 0, 1)
        return frame(0x91, correlation_id, struct.pack("<QII", 7, 1, 0)) + frame(
            0x40, 0, struct.pack("<QII", 7, 0, 1) + entry
        )

    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, answer)))
    client = Client(nodes[0].socket, new_identity())
    space = client.register(REQUEST).result()
    with pytest.raises(NodeUnavailableError, match="KVA-0513"):
        list(client.acquire(space, new_run(1), 1.0))
    client.close()


def test_acquisition_without_an_end(start: Callable[[Answer], ScriptedNode]) -> None:
    nodes: list[ScriptedNode] = []
    nodes.append(
        start(greeted(nodes, lambda _m, i, _b: frame(0x91, i, struct.pack("<QII", 7, 1, 0))))
    )
    client = Client(nodes[0].socket, new_identity())
    space = client.register(REQUEST).result()
    with pytest.raises(NodeUnavailableError, match="KVA-0512"):
        list(client.acquire(space, new_run(1), 0.01))
    client.close()


@pytest.mark.parametrize("name", ["space", "epoch"])
def test_space_that_does_not_fit_the_wire(
    start: Callable[[Answer], ScriptedNode], name: str
) -> None:
    def answer(message: int, correlation_id: int, body: bytes) -> bytes:
        if message == MessageType.HELLO:
            return frame(0x81, correlation_id, nodes[0].hello_ok())
        request = json.loads(body)
        grant = {"space": 1, "epoch": 0, "fingerprint": FINGERPRINT, **request, name: 2**32}
        return frame(0x82, correlation_id, json.dumps(grant).encode())

    nodes: list[ScriptedNode] = []
    nodes.append(start(answer))
    client = Client(nodes[0].socket, new_identity())
    with pytest.raises(NodeUnavailableError, match="KVA-0513"):
        client.register(REQUEST).result()
    client.close()


def test_connection_that_cannot_start_leaves_nothing_open(
    start: Callable[[Answer], ScriptedNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, lambda *_: b"")))

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="new thread"):
            Client(nodes[0].socket, new_identity())
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before, what="sockets closed")


def test_link_survives_whatever_goes_wrong(
    start: Callable[[Answer], ScriptedNode],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, lambda *_: b"")))

    def fail(*_: object) -> None:
        raise RuntimeError("too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("kvasir.link.Client", fail)
        link = NodeLink(nodes[0].socket, "test", "1", REQUEST)
        wait_until(lambda: "too many open files" in caplog.text, what="said so")
    session = link.wait(20.0)
    assert session is not None
    session.client.close()
    link.close()


def test_ping_is_answered_while_the_engine_is_busy(
    start: Callable[[Answer], ScriptedNode],
) -> None:
    ponged = threading.Event()

    def answer(message: int, correlation_id: int, _body: bytes) -> bytes:
        if message == MessageType.PONG:
            ponged.set()
            return b""
        return frame(MessageType.PING, 99) + frame(0xB0, correlation_id, b"{}")

    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, answer)))
    client = Client(nodes[0].socket, new_identity())
    client.stats().result()
    assert ponged.wait(10.0)
    client.close()


def test_node_that_does_not_read_never_blocks_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "deaf.sock"
    slab = tmp_path / "segment-0.slab"
    slab.write_bytes(bytes(4096))
    segments = [{"index": 0, "path": str(slab), "bytes": 4096}]
    hello = {"protocol": 1, "nodeId": "1", "segments": segments}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        clients: list[Client] = []
        thread = threading.Thread(
            target=lambda: clients.append(Client(path, new_identity(), timeout_s=10.0))
        )
        thread.start()
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(frame(0x81, 1, json.dumps(hello).encode()))
            thread.join()
            futures = []
            longest = 0.0
            for _ in range(200):
                begin = time.monotonic()
                futures.append(clients[0].register(new_request(model="m" * 4000)))
                longest = max(longest, time.monotonic() - begin)
            assert longest < 5.0
            for future in futures:
                with pytest.raises(KvasirError):
                    future.result(20.0)
        clients[0].close()


def test_link_waits_for_a_node_that_is_absent_at_start(
    tmp_path: Path, start: Callable[[Answer], ScriptedNode]
) -> None:
    link = NodeLink(tmp_path / "engine.sock", "test", "1", REQUEST)
    assert link.session is None
    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, lambda *_: b"")))
    session = link.wait(20.0)
    assert session is not None
    session.client.close()  # as when the node is lost
    link.close()
    link.close()


def test_wait_with_a_limit_ends_and_the_reply_still_comes(
    start: Callable[[Answer], ScriptedNode],
) -> None:
    node: list[ScriptedNode] = []
    may_answer = threading.Event()
    rates: list[bytes] = []

    def answer(message: int, correlation_id: int, body: bytes) -> bytes:
        rates.append(body[:4])
        may_answer.wait(30.0)
        return frame(message | 0x80, correlation_id, struct.pack("<IIQQQII", 1, 1, 64, 0, 0, 1, 0))

    node.append(start(greeted(node, answer)))
    client = Client(node[0].socket, new_identity(), timeout_s=30.0)
    space = client.register(REQUEST).result()
    found = client.lookup(space, new_run(1), prefill_tokens_per_second=900)
    with pytest.raises(concurrent.futures.TimeoutError):
        found.result(0.01)
    with pytest.raises(concurrent.futures.TimeoutError):
        found.exception(0.01)
    may_answer.set()
    assert found.result(30.0).local == 1
    assert rates == [struct.pack("<I", 900)]
    client.close()


def test_threads_that_wait_for_replies_learn_of_the_close(
    start: Callable[[Answer], ScriptedNode],
) -> None:
    node: list[ScriptedNode] = []
    node.append(start(greeted(node, lambda *_: b"")))
    client = Client(node[0].socket, new_identity(), timeout_s=60.0)
    space = client.register(REQUEST).result()
    replies = [client.lookup(space, new_run(1)) for _ in range(3)]
    errors: list[BaseException | None] = []

    def wait(reply: concurrent.futures.Future[Found]) -> None:
        errors.append(reply.exception())

    waiting = [threading.Thread(target=wait, args=(reply,)) for reply in replies]
    for thread in waiting:
        thread.start()
    wait_until(lambda: client._connection._receiver is not None, what="one of them receives")
    client.close()
    for thread in waiting:
        thread.join(30.0)
    assert [type(error) for error in errors] == [NodeUnavailableError] * 3


def test_answer_that_lies_unread_after_a_stall_counts(
    start: Callable[[Answer], ScriptedNode],
) -> None:
    may_answer = threading.Event()

    def answer(_message: int, correlation_id: int, _body: bytes) -> bytes:
        may_answer.wait(30.0)
        return frame(0xB0, correlation_id, b"{}")

    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, answer)))
    client = Client(nodes[0].socket, new_identity(), timeout_s=60.0)
    stats = client.stats()
    client._connection._check_deadlines(time.monotonic() + 90.0)  # as a thread that was stalled
    may_answer.set()
    assert stats.result(30.0) == {}
    client.close()


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("too deep"), RuntimeError("no")])
def test_answer_that_cannot_be_taken_ends_the_connection(
    start: Callable[[Answer], ScriptedNode], error: Exception
) -> None:
    def decode(_: Frame) -> None:
        raise error

    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, lambda _m, i, _b: frame(0xB0, i, b"{}"))))
    client = Client(nodes[0].socket, new_identity())
    reply = client._connection.request(
        MessageType.STATS, lambda i: encode_empty(MessageType.STATS, i), decode, 20.0
    )
    with pytest.raises(NodeUnavailableError, match=f"KVA-0513.*{type(error).__name__}"):
        reply.result(30.0)
    assert client.wait_closed(20.0)
    client.close()


def test_acquisition_that_cannot_be_asked_for_leaves_nothing(
    start: Callable[[Answer], ScriptedNode],
) -> None:
    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, lambda *_: b"")))
    client = Client(nodes[0].socket, new_identity())
    space = client.register(REQUEST).result()
    with pytest.raises(ValueError, match="KVA-0576"):
        client.await_handoff(2**64, space, new_run(1), 1.0)
    assert not client._asked
    client.close()


def test_link_does_not_map_the_slab_of_a_node_that_has_gone(
    start: Callable[[Answer], ScriptedNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    links: list[NodeLink] = []
    mapped: list[int] = []

    def madvise(*_: int) -> int:
        wait_until(lambda: links, what="link made")
        mapped.append(links[0].connects)
        if len(mapped) == 1:
            nodes[0].drop()
            wait_until(lambda: links[0].session is None, what="connection lost")
        return 0

    monkeypatch.setattr("kvasir.slab._POPULATE_BYTES", CHUNK_BYTES)
    monkeypatch.setattr("kvasir.slab._madvise", madvise)
    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, lambda m, i, _b: frame(m | 0x80, i))))
    links.append(NodeLink(nodes[0].socket, "test", "1", REQUEST))
    wait_until(lambda: mapped.count(2) == 4, what="the next slab mapped whole")
    assert mapped.count(1) == 1
    links[0].close()


def test_interrupted_wait_leaves_the_connection_usable(
    start: Callable[[Answer], ScriptedNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes: list[ScriptedNode] = []
    nodes.append(start(greeted(nodes, lambda _m, i, _b: frame(0xB0, i, b"{}"))))
    client = Client(nodes[0].socket, new_identity())
    watch = client._connection._watch

    def interrupted() -> None:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        watch()

    with monkeypatch.context() as patch:
        patch.setattr(client._connection, "_watch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client._connection.receive_until(lambda: False)
    assert client.stats().result(20.0) == {}
    client.close()
