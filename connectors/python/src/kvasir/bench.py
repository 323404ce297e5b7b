"""What the connectors cost: ``python -m kvasir.bench --launcher ./kvasir [--json [FILE]]``.

Every figure stands beside a reference measured in the same run; the sides alternate, and ``ratio``
is the median of the rounds' ratios. Nodes and directories are removed at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import socket
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from kvasir import protocol
from kvasir.client import Client, Space
from kvasir.hashes import chunk_hashes, run_of
from kvasir.identity import EngineIdentity, Namespace, SpaceRequest
from kvasir.protocol import Frame, FrameReader, MessageType, ReserveStatus, Run
from kvasir.stage import NodeProcess, forward, leave_in_order, new_model, new_prompt
from kvasir.transformers import KvasirCache

LOOKUP_CHUNKS = (16, 128)
PREFIXES = 64
LOOKUPS = 4000
CHUNK_TOKENS = 256
SLOT_BYTES = 32 << 20
SLOTS = 8
WARM_UPS = 4000
ROUNDS = 25
PROMPT_TOKENS = 4096
PROMPT_ROUNDS = 9
_WARM_UP = 5
_SMALL_BYTES = 64
_US = 1e6
_GB = 1e9


@dataclass(frozen=True)
class Row:
    """One figure. Without a reference the last three are None.

    Attributes:
        name: what was measured.
        unit: of all values, ``us``, ``GB/s`` or ``ms``.
        value: median.
        p99: of the single measurements, in the unit.
        reference: what it is compared with.
        reference_value: median of the reference.
        ratio: median of the rounds' ratios, above 1 where the reference is worse.
    """

    name: str
    unit: str
    value: float
    p99: float
    reference: str | None = None
    reference_value: float | None = None
    ratio: float | None = None


class BareSocket:
    """The engine socket without the client: what the node, the kernel and Python's calls take."""

    def __init__(self, path: Path, request: SpaceRequest) -> None:
        """Connects, says HELLO and registers."""
        self._reader = FrameReader()
        self._buffer = memoryview(bytearray(1 << 16))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._socket.setblocking(False)
        hello = EngineIdentity.single("bench", "1").to_json()
        self.ask(protocol.encode_json(MessageType.HELLO, 1, hello))
        body = self.ask(protocol.encode_json(MessageType.REGISTER, 2, request.to_json())).body
        self.space = int(json.loads(body)["space"])

    def exchange(self, frame: bytes) -> memoryview:
        """Sends a frame and looks for what comes, without sleeping."""
        self._socket.send(frame)
        while True:
            with contextlib.suppress(BlockingIOError):
                return self._buffer[: self._socket.recv_into(self._buffer)]

    def ask(self, frame: bytes) -> Frame:
        """Sends a frame and decodes the answer."""
        while True:
            for answer in list(self._reader.feed(self.exchange(frame))):
                return answer
            frame = b""

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()


def main() -> int:
    """Measures everything, prints a table or JSON."""
    parser = argparse.ArgumentParser(prog="kvasir.bench")
    parser.add_argument("--launcher", type=Path, required=True)
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE")
    options = parser.parse_args()
    leave_in_order()
    random.seed(4)
    torch.manual_seed(4)
    with contextlib.ExitStack() as left:
        node = NodeProcess(left, options.launcher, "bench", slab="2GiB")
        rows = [
            *_lookups(node),
            *_copies(node),
            *_prompts(node),
        ]
    report = {"machine": _machine(), "results": [_to_json(row) for row in rows]}
    if options.json != "-":
        _print(rows)
    if options.json == "-":
        print(json.dumps(report))
    elif options.json:
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n")
    return 0


def _lookups(node: NodeProcess) -> list[Row]:
    """LOOKUP of prefixes in the local directory, through the client and beside it."""
    request = _request("lookup", _SMALL_BYTES)
    rows = []
    with Client(node.socket, EngineIdentity.single("bench", "1")) as client:
        bare = BareSocket(node.socket, request)
        with contextlib.closing(bare):
            space = client.register(request).result()
            for chunks in LOOKUP_CHUNKS:
                _say(f"lookups of {chunks} chunks")
                runs = [_new_run(chunks) for _ in range(PREFIXES)]
                for run in runs:
                    _store_small(client, space, run)
                rows += _lookup_rows(client, space, bare, runs)
    tokens = [random.randrange(1 << 17) for _ in range(LOOKUP_CHUNKS[-1] * CHUNK_TOKENS)]
    took = [_seconds(lambda: chunk_hashes(tokens, CHUNK_TOKENS)) for _ in range(50)]
    rows.append(_row(f"hash-{LOOKUP_CHUNKS[-1]}", "us", [t * _US for t in took]))
    return rows


def _lookup_rows(client: Client, space: Space, bare: BareSocket, runs: Sequence[Run]) -> list[Row]:
    chunks = runs[0].count
    frames = [protocol.encode_lookup(3, bare.space, space.epoch, run) for run in runs]
    ping = protocol.encode_empty(MessageType.PING, 4)
    ours, theirs, pings = [], [], []
    for number in range(-LOOKUPS // 4, LOOKUPS):
        run, frame = runs[number % PREFIXES], frames[number % PREFIXES]
        begin = time.perf_counter()
        found = client.lookup(space, run).result()
        lookup = time.perf_counter()
        bare.exchange(frame)
        exchange = time.perf_counter()
        bare.exchange(ping)
        end = time.perf_counter()
        if found.local != chunks:
            raise RuntimeError(f"KVA-0605 a stored chunk was not found - local={found.local}")
        if number >= 0:
            ours.append((lookup - begin) * _US)
            theirs.append((exchange - lookup) * _US)
            pings.append((end - exchange) * _US)
    return [
        _row(f"lookup-{chunks}", "us", ours, "bare-socket", theirs),
        _row(f"ping-beside-{chunks}", "us", pings),
    ]


def _copies(node: NodeProcess) -> list[Row]:
    """Loads and stores of large slots beside copies of the same size."""
    _say(f"loads and stores of {SLOT_BYTES >> 20} MiB")
    request = _request("slots", SLOT_BYTES)
    own, targets = (
        [torch.full((SLOT_BYTES,), i, dtype=torch.uint8) for i in range(SLOTS)] for _ in range(2)
    )
    with Client(node.socket, EngineIdentity.single("bench", "1"), 10.0) as client:
        client.slab.populate()
        _warm_up(client)
        space = client.register(request).result()
        stored, copied = [], []
        runs = [_new_run(1) for _ in range(ROUNDS + _WARM_UP)]
        for number, run in enumerate(runs):
            source, target = own[number % SLOTS], targets[number % SLOTS]
            stored.append(_seconds(partial(_store, client, space, run, source)))
            copied.append(_copy_and_crc(target, source))
        rows = [
            _load_row(client, space, own, targets, runs[-SLOTS:]),
            _load_row(client, space, own, targets, [_new_run(SLOTS // 2), _new_run(SLOTS // 2)]),
        ]
    crc = [c for c in copied if c is not None]
    if len(crc) < len(copied):
        _say("no google-crc32c in this environment, so no reference for the store")
    rows.append(_rates("store", SLOT_BYTES, stored, "copy-crc" if crc else None, crc))
    return rows


def _load_row(
    client: Client,
    space: Space,
    own: Sequence[torch.Tensor],
    targets: Sequence[torch.Tensor],
    runs: Sequence[Run],
) -> Row:
    """Loads of runs, each of as many slots, that are stored if they are not."""
    slots = runs[0].count
    places = [range(i * slots, (i + 1) * slots) for i in range(len(runs))]
    for run, place in zip(runs, places, strict=True):
        _store(client, space, run, *(own[i] for i in place))
    loaded, plain = [], []
    for number in range(ROUNDS + _WARM_UP):
        run, place = runs[number % len(runs)], places[number % len(runs)]
        into, source = [targets[i] for i in place], [own[i] for i in place]
        loaded.append(_seconds(partial(_load, client, space, run, *into)))
        plain.append(_seconds(partial(_copy, into, source)))
    return _rates(f"load-{slots}", slots * SLOT_BYTES, loaded, "copy", plain)


def _copy(targets: Sequence[torch.Tensor], sources: Sequence[torch.Tensor]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)


def _warm_up(client: Client) -> None:
    """Lets the node's compiler see loads and stores: a node that has just started takes longer."""
    space = client.register(_request("warm-up", _SMALL_BYTES)).result()
    target = torch.zeros(_SMALL_BYTES, dtype=torch.uint8)
    for _ in range(WARM_UPS):
        run = _new_run(1)
        _store(client, space, run, target)
        _load(client, space, run, target)


def _copy_and_crc(target: torch.Tensor, source: torch.Tensor) -> float | None:
    """Seconds for a copy and the CRC-32C of as many bytes; None if nothing here computes it."""
    try:
        import google_crc32c
    except ModuleNotFoundError:
        return None
    # The library takes nothing but bytes objects, which nobody may write into.
    data = _same_bytes(source.numel())
    return _seconds(lambda: (target.copy_(source), google_crc32c.value(data)))


def _prompts(node: NodeProcess) -> list[Row]:
    """CPU time of prompts that nobody has stored, with and without the connector."""
    _say(f"prompts of {PROMPT_TOKENS} tokens with nothing to reuse")
    model = new_model()
    with KvasirCache(model, node.socket, model_id="bench-llama") as cache:
        if not cache.wait(60.0):
            raise RuntimeError("KVA-0606 no session with the node; see the warnings above")
        engine: list[float] = []
        plain: list[float] = []
        beside: list[float] = []
        idle: list[float] = []
        for number in range(-1, PROMPT_ROUNDS):
            ids = new_prompt(PROMPT_TOKENS)

            def with_cache(ids: torch.Tensor = ids) -> None:
                states = cache.load(ids)
                forward(model, ids, states, 1)
                cache.store(ids, states)

            def without(ids: torch.Tensor = ids) -> None:
                forward(model, ids, DynamicCache(config=model.config), 1)

            sides = [(with_cache, engine, beside), (without, plain, idle)]
            for action, own, other in sides if number % 2 else sides[::-1]:
                used = time.process_time(), _cpu_ms(node.pid)
                action()
                if number >= 0:
                    own.append((time.process_time() - used[0]) * 1000)
                    other.append(_cpu_ms(node.pid) - used[1])
    both = [a + b for a, b in zip(engine, beside, strict=True)]
    neither = [a + b for a, b in zip(plain, idle, strict=True)]
    return [
        _row("cpu-engine", "ms", engine, "no-connector", plain),
        _row("cpu-engine-node", "ms", both, "no-connector", neither),
    ]


def _request(model: str, chunk_bytes: int) -> SpaceRequest:
    namespace = Namespace(
        trust_domain="default",
        tenant_salt=None,
        model=f"bench-{model}",
        revision=None,
        lora_id=None,
        lora_version=None,
        kv_dtype="uint8",
        quant_scale=None,
        layers=1,
        kv_heads=1,
        head_size=1,
        block_layout="bench",
        rope_config=None,
        world_size=1,
        hash_scheme=f"bench/{CHUNK_TOKENS}",
    )
    return SpaceRequest(namespace, CHUNK_TOKENS, chunk_bytes)


def _new_run(chunks: int) -> Run:
    hashes = random.randbytes(chunks * protocol.HASH_BYTES)
    return run_of(hashes, CHUNK_TOKENS, 0, chunks)


def _store_small(client: Client, space: Space, run: Run) -> None:
    reservations = client.reserve(space, run).result()
    client.commit(space, [reservation.slot for reservation in reservations]).result()


def _store(client: Client, space: Space, run: Run, *sources: torch.Tensor) -> None:
    reservations = client.reserve(space, run).result()
    written = []
    for reservation, source in zip(reservations, sources, strict=True):
        if reservation.is_reserved:
            torch.frombuffer(reservation.memory, dtype=torch.uint8).copy_(source)
            written.append(reservation.slot)
        elif reservation.status != ReserveStatus.ALREADY:
            raise RuntimeError(f"KVA-0608 no slot to write - status={reservation.status.name}")
    if written:
        client.commit(space, written).result()


def _load(client: Client, space: Space, run: Run, *targets: torch.Tensor) -> None:
    acquisition = client.acquire(space, run, 5.0)
    for chunk, target in zip(acquisition, targets, strict=True):
        place = chunk.place
        memory = client.slab.view(place.segment, place.segment_offset, place.length_bytes)
        target.copy_(torch.frombuffer(memory, dtype=torch.uint8))
    if not acquisition.release().result():
        raise RuntimeError("KVA-0609 a load does not count; see the node's log")


def _seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def _cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def _row(
    name: str,
    unit: str,
    values: Sequence[float],
    reference: str | None = None,
    reference_values: Sequence[float] = (),
) -> Row:
    """Times; the smaller the better."""
    value, p99 = statistics.median(values), _percentile(values, 0.99)
    if reference is None:
        return Row(name, unit, value, p99)
    ratios = [r / v for v, r in zip(values, reference_values, strict=True)]
    return Row(
        name,
        unit,
        value,
        p99,
        reference,
        statistics.median(reference_values),
        statistics.median(ratios),
    )


def _rates(
    name: str,
    size: int,
    seconds: Sequence[float],
    reference: str | None,
    reference_seconds: Sequence[float],
) -> Row:
    """Bytes per second, without the first rounds; the larger the better."""
    ours, theirs = (
        [size / s / _GB for s in side[_WARM_UP:]] for side in (seconds, reference_seconds)
    )
    value, slowest = statistics.median(ours), _percentile(ours, 0.01)
    if reference is None:
        return Row(name, "GB/s", value, slowest)
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    return Row(
        name,
        "GB/s",
        value,
        slowest,
        reference,
        statistics.median(theirs),
        statistics.median(ratios),
    )


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


@lru_cache(maxsize=1)
def _same_bytes(length: int) -> bytes:
    return random.randbytes(length)


def _machine() -> dict[str, Any]:
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchThreads": torch.get_num_threads(),
    }


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def _to_json(row: Row) -> dict[str, Any]:
    names = {"reference_value": "referenceValue"}
    return {
        names.get(key, key): round(value, 4) if isinstance(value, float) else value
        for key, value in asdict(row).items()
        if value is not None
    }


def _print(rows: Sequence[Row]) -> None:
    print(f"{'name':<18} {'unit':>5} {'p50':>10} {'p99':>10}   {'reference':<14} {'p50':>10} ratio")
    for row in rows:
        line = f"{row.name:<18} {row.unit:>5} {row.value:>10.3f} {row.p99:>10.3f}"
        if row.reference is not None:
            line += f"   {row.reference:<14} {row.reference_value:>10.3f} {row.ratio:>5.3f}"
        print(line)


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
