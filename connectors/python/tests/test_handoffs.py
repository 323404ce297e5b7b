"""A prefill engine hands chunks to the node of a decode engine, slice by slice."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from kvasir import Client, RefusedError, Reservation
from kvasir.protocol import EndReason, ErrorCode, SliceStatus, Source
from nodes import Node, wait_until
from spaces import CHUNK_BYTES, content, new_identity, new_request, new_run

SLICES = 4
SLICE_BYTES = CHUNK_BYTES // SLICES
CHUNKS = 3


@pytest.fixture(scope="module")
def decode_node(node: Node) -> Iterator[Node]:
    other = Node("py-decode", cluster__seeds=f"127.0.0.1:{node.ready['discoveryPort']}")
    yield other
    other.close()


@pytest.fixture
def prefill(node: Node) -> Iterator[Client]:
    with Client(node.socket, new_identity()) as client:
        yield client


@pytest.fixture
def decode(decode_node: Node) -> Iterator[Client]:
    with Client(decode_node.socket, new_identity()) as client:
        yield client


def new_id() -> int:
    return random.randrange(1, 2**64)


def reserved(slots: list[Reservation]) -> list[Reservation]:
    assert all(slot.is_reserved for slot in slots)
    return slots


def test_slices_arrive_while_the_rest_is_computed(prefill: Client, decode: Client) -> None:
    request, run, handoff = new_request(), new_run(CHUNKS), new_id()
    source, target = prefill.register(request).result(), decode.register(request).result()
    awaited = decode.await_handoff(handoff, target, run, 60.0)
    told = prefill.create_handoff(handoff, [decode.node_id], SLICE_BYTES, source, run, 60.0)
    assert told.result() == 1
    slots = reserved(prefill.reserve(source, run).result())
    for number in range(SLICES):  # layer by layer, over all chunks
        part = slice(number * SLICE_BYTES, (number + 1) * SLICE_BYTES)
        for index, slot in enumerate(slots):
            slot.memory[part] = content(b"handoff", index, source)[part]
        committed = prefill.commit_slices(handoff, [(s.slot, number) for s in slots]).result()
        assert [entry.status for entry in committed.entries] == [SliceStatus.COMMITTED] * CHUNKS
        is_last = number == SLICES - 1
        assert [entry.version != 0 for entry in committed.entries] == [is_last] * CHUNKS
    assert prefill.end_handoff(handoff).result()

    chunks = list(awaited)
    assert [chunk.memory == content(b"handoff", chunk.index, target) for chunk in chunks] == [
        True
    ] * CHUNKS
    assert {chunk.place.source for chunk in chunks} == {Source.PEER}
    assert awaited.end_reason == EndReason.COMPLETE
    assert awaited.release().result()
    wait_until(lambda: prefill.stats().result()["store"]["pinned"] == 0, what="no pins")
    wait_until(lambda: decode.stats().result()["store"]["pinned"] == 0, what="no pins")


def test_cancelled_handoff_ends_what_awaits_it(decode: Client) -> None:
    target, run, handoff = decode.register(new_request()).result(), new_run(CHUNKS), new_id()
    awaited = decode.await_handoff(handoff, target, run, 60.0)
    assert decode.end_handoff(handoff, cancel=True).result()
    assert list(awaited) == []
    assert awaited.end_reason == EndReason.CANCELLED
    assert awaited.release().result()

    unknown = new_id()
    assert not decode.end_handoff(unknown, cancel=True).result()
    late = decode.await_handoff(unknown, target, run, 60.0)
    assert list(late) == []
    assert late.end_reason == EndReason.CANCELLED
    assert late.release().result()


def test_handoff_that_nobody_knows(prefill: Client, decode: Client) -> None:
    request, run, handoff = new_request(), new_run(1), new_id()
    source, target = prefill.register(request).result(), decode.register(request).result()
    assert not prefill.end_handoff(handoff).result()
    (slot,) = reserved(prefill.reserve(source, run).result())
    gone = prefill.commit_slices(handoff, [(slot.slot, 0)]).result()
    assert [entry.status for entry in gone.entries] == [SliceStatus.GONE]
    prefill.abort(source, [slot.slot]).result()
    awaited = decode.await_handoff(handoff, target, run, 0.2)
    assert list(awaited) == []
    assert awaited.end_reason == EndReason.DEADLINE
    assert awaited.release().result()


def test_id_is_used_once(prefill: Client, decode: Client) -> None:
    request, run, handoff = new_request(), new_run(1), new_id()
    source = prefill.register(request).result()
    receivers = [decode.node_id]
    prefill.create_handoff(handoff, receivers, SLICE_BYTES, source, run, 60.0).result()
    with pytest.raises(RefusedError) as refused:
        prefill.create_handoff(handoff, receivers, SLICE_BYTES, source, run, 60.0).result()
    assert refused.value.code == ErrorCode.HANDOFF_IN_USE
    assert prefill.end_handoff(handoff).result()
