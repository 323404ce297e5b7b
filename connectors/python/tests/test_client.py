"""The client against a real node."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest
import torch

from kvasir import (
    Client,
    CommitStatus,
    EndReason,
    EngineIdentity,
    NodeLink,
    NodeUnavailableError,
    RefusedError,
    ReserveStatus,
    Run,
    Source,
)
from kvasir.connection import Reply
from kvasir.protocol import ErrorCode
from nodes import Node, wait_until
from spaces import CHUNK_BYTES, content, new_identity, new_request, new_run, store


@pytest.fixture
def client(node: Node) -> Iterator[Client]:
    with Client(node.socket, new_identity()) as connected:
        yield connected


def test_stored_chunks_come_back_byte_for_byte(client: Client) -> None:
    space = client.register(new_request()).result()
    run = new_run(5)
    assert client.lookup(space, run).result().found == 0
    store(client, space, run, b"hello")

    found = client.lookup(space, run, local_only=True).result()
    assert (found.found, found.local, found.found_bytes) == (5, 5, 5 * CHUNK_BYTES)
    acquisition = client.acquire(space, run, 1.0)
    for index, chunk in enumerate(acquisition):
        assert chunk.index == index
        assert chunk.memory == content(b"hello", index, space)
        assert chunk.place.source == Source.LOCAL
    assert acquisition.end_reason == EndReason.COMPLETE
    assert acquisition.release().result()


def test_run_ends_at_the_first_missing_chunk(client: Client) -> None:
    space = client.register(new_request()).result()
    run = new_run(4)
    store(client, space, Run(0, run.anchor, run.hashes[:64]), b"x")

    assert client.lookup(space, run).result().found == 2
    acquisition = client.acquire(space, run, 5.0)
    assert len(list(acquisition)) == 2
    assert acquisition.is_done
    assert acquisition.end_reason == EndReason.MISSING
    assert acquisition.release().result()


def test_memory_is_the_slab_itself(client: Client) -> None:
    """No copy on the way to torch, and nobody can write by accident."""
    chunk_bytes = 16 * 1024 * 1024
    space = client.register(new_request(chunk_bytes)).result()
    run = new_run(1)
    (reservation,) = client.reserve(space, run).result()
    written = torch.frombuffer(reservation.memory, dtype=torch.float32)
    written.copy_(torch.arange(chunk_bytes // 4, dtype=torch.float32))
    client.commit(space, [reservation.slot]).result()

    acquisition = client.acquire(space, run, 1.0)
    (chunk,) = acquisition
    assert chunk.memory.readonly
    place = chunk.place
    seen = client.slab.view(place.segment, place.segment_offset, place.length_bytes)
    read = torch.frombuffer(seen, dtype=torch.float32)
    assert read.data_ptr() == written.data_ptr()
    assert torch.equal(read, torch.arange(chunk_bytes // 4, dtype=torch.float32))
    assert acquisition.release().result()


def test_present_chunks_are_not_written_again(client: Client) -> None:
    space = client.register(new_request()).result()
    run = new_run(2)
    store(client, space, Run(0, run.anchor, run.hashes[:32]), b"x")

    first, second = client.reserve(space, run).result()
    assert first.status == ReserveStatus.ALREADY
    assert not first.is_reserved
    assert second.is_reserved
    assert client.reserve(space, run).result()[1].status == ReserveStatus.BUSY
    client.abort(space, [second.slot]).result()
    assert client.reserve(space, run).result()[1].is_reserved


def test_slot_of_nobody_is_not_committed(client: Client) -> None:
    space = client.register(new_request()).result()
    (entry,) = client.commit(space, [999]).result()
    assert entry.status == CommitStatus.NOT_RESERVED


def test_layout_that_differs_is_refused(client: Client) -> None:
    client.register(new_request(CHUNK_BYTES, model="layout")).result()
    with pytest.raises(RefusedError) as refused:
        client.register(new_request(2 * CHUNK_BYTES, model="layout")).result()
    assert refused.value.code == ErrorCode.LAYOUT_MISMATCH
    assert client.is_open


def test_full_slab_says_so(client: Client) -> None:
    space = client.register(new_request(8 * 1024 * 1024)).result()
    reservations = client.reserve(space, new_run(20)).result()
    statuses = [r.status for r in reservations]
    assert ReserveStatus.OVER_SHARE in statuses or ReserveStatus.NO_SPACE in statuses
    client.abort(space, [r.slot for r in reservations if r.is_reserved]).result()


def test_prompt_of_100_000_tokens_is_looked_up(client: Client) -> None:
    space = client.register(new_request()).result()
    assert client.lookup(space, new_run(100_000 // 16)).result().found == 0
    assert client.acquire(space, new_run(100_000 // 16), 0.2).release().result()


def test_release_may_come_before_the_answer_and_only_once(client: Client) -> None:
    space = client.register(new_request()).result()
    run = new_run(3)
    store(client, space, run, b"x")
    acquisition = client.acquire(space, run, 1.0)
    assert acquisition.release().result()
    with pytest.raises(ValueError, match="KVA-0567"):
        acquisition.release()
    wait_until(lambda: client.stats().result()["store"]["pinned"] == 0, what="pins gone")


def test_space_of_another_connection_is_refused(node: Node, client: Client) -> None:
    with Client(node.socket, new_identity()) as other:
        space = other.register(new_request()).result()
        with pytest.raises(ValueError, match="KVA-0568"):
            client.lookup(space, new_run(1))


def test_threads_share_a_client(client: Client) -> None:
    space = client.register(new_request()).result()
    run = new_run(8)
    store(client, space, run, b"shared")
    failures: list[object] = []

    def load() -> None:
        for _ in range(50):
            acquisition = client.acquire(space, run, 5.0)
            good = all(c.memory == content(b"shared", c.index, space) for c in acquisition)
            if not good or not acquisition.release().result():
                failures.append(acquisition.end_reason)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_pins_fall_with_the_scheduler_socket_and_worker_sockets_hold_none(node: Node) -> None:
    instance = new_identity().instance
    scheduler = Client(node.socket, EngineIdentity("test", "1", instance, world=2))
    worker = Client(node.socket, EngineIdentity("test", "1", instance, "worker", 1, 2))
    space = scheduler.register(new_request()).result()
    run = new_run(2)
    store(scheduler, space, run, b"x")
    assert len(list(scheduler.acquire(space, run, 1.0))) == 2
    assert worker.stats().result()["store"]["pinned"] == 2
    scheduler.close()
    wait_until(lambda: worker.stats().result()["store"]["pinned"] == 0, what="pins gone")
    worker.close()


def test_everything_old_is_void_after_a_node_was_killed() -> None:
    node = Node("killed")
    request = new_request()
    link = NodeLink(node.socket, "test", "1", request)
    try:
        session = link.wait(30.0)
        assert session is not None
        run = new_run(3)
        store(session.client, session.space, run, b"kept")
        acquisition = session.client.acquire(session.space, run, 1.0)
        chunks = list(acquisition)
        node.kill()

        with pytest.raises(NodeUnavailableError):
            acquisition.release().result()
        assert acquisition.chunks == []
        assert chunks[0].memory == content(b"kept", 0, session.space)  # mapped, but it counts not
        wait_until(lambda: link.session is None, what="session dropped")
        with pytest.raises(NodeUnavailableError):
            session.client.lookup(session.space, run).result()

        node.start()
        renewed = link.wait(30.0)
        assert renewed is not None
        assert renewed.instance != session.instance
        assert link.connects == 2
        loaded = renewed.client.acquire(renewed.space, run, 5.0)
        assert [c.memory == content(b"kept", c.index, renewed.space) for c in loaded] == [True] * 3
        assert loaded.release().result()
    finally:
        link.close()
        node.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_fails_at_once_and_leaves_the_connection_alone(node: Node) -> None:
    link = NodeLink(node.socket, "test", "1", new_request())
    session = link.wait(30.0)
    assert session is not None
    client, space = session.client, session.space
    begun: Reply[None] = Reply(client._connection)
    with client._connection._lock, client._lock:  # as when another thread holds them in the fork
        child = os.fork()
        if child == 0:
            status = 1
            signal.alarm(30)  # rather than wait for a lock for ever
            try:
                future = client.lookup(space, new_run(1))
                assert "KVA-0518" in str(future.exception(0))
                with pytest.raises(NodeUnavailableError, match="KVA-0518"):
                    client.acquire(space, new_run(1), 1.0)
                with pytest.raises(NodeUnavailableError, match="KVA-0518"):
                    begun.result()
                assert not client.is_open
                assert link.session is None
                client.goodbye()
                client.close()
                link.close()
                status = 0
            finally:
                os._exit(status)
    exited = os.waitid(os.P_PID, child, os.WEXITED)
    assert exited is not None
    assert exited.si_status == 0
    assert client.lookup(space, new_run(1)).result().found == 0
    link.close()


def test_closed_slab_says_that_the_connection_is_closed(node: Node) -> None:
    client = Client(node.socket, new_identity())
    slab = client.slab
    client.goodbye()
    with pytest.raises(NodeUnavailableError, match="KVA-0516"):
        slab.view(0, 0, 64)


def test_slab_is_mapped_ahead_and_a_closed_one_is_not(client: Client) -> None:
    client.slab.populate()
    answers = iter([False])  # asked for the first piece and for no other
    client.slab.populate(lambda: next(answers))
    assert list(answers) == []
    client.close()
    client.slab.populate()
