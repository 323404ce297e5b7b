"""A contract simulator for the secondary tier: the engine's CPU memory around it.

It looks keys up, promotes and stores as the engine's tiering manager does as far as a tier can see.
A row's content is a function of its key, so every row that a request gets can be proven right.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kvasir.vllm.tier import KvasirTier
from kvasir.vllm.tier_engine import LookupResult

ROW_BYTES = 48 * 1024
TOKENS = 64
_LIMIT_S = 60.0
_IDLE_S = 0.0005


def spec(model: str, groups: int = 1, tensor_parallel: int = 1) -> Any:
    """The engine's description as far as the tier reads it."""
    group = SimpleNamespace(tokens_per_block=16, layer_names=("a", "b"))
    return SimpleNamespace(
        config=SimpleNamespace(
            groups=(group,) * groups,
            model=SimpleNamespace(name=model, dtype="bfloat16"),
            cache=SimpleNamespace(tokens_per_hash=16, blocks_per_chunk=TOKENS // 16),
            parallel=SimpleNamespace(
                tp_size=tensor_parallel,
                pp_size=1,
                pcp_size=1,
                dcp_size=1,
                world_size=tensor_parallel,
            ),
        )
    )


def keys_of(tokens: list[int]) -> list[bytes]:
    """The engine's keys: the hash of the last block of each chunk, and the group."""
    keys, digest = [], b""
    for start in range(0, len(tokens) - TOKENS + 1, TOKENS):
        digest = hashlib.sha256(digest + repr(tokens[start : start + TOKENS]).encode()).digest()
        keys.append(digest + bytes(4))
    return keys


def content(key: bytes) -> bytes:
    """What a row holds for a key."""
    return (hashlib.sha256(key).digest() * (ROW_BYTES // 32 + 1))[:ROW_BYTES]


class Tiering:
    """CPU memory of ``rows`` rows in front of one tier."""

    def __init__(
        self, socket: Path, model: str, rows: int = 32, described: Any = None, **settings: Any
    ) -> None:
        self.memory = memoryview(bytearray(rows * ROW_BYTES)).cast("B", (rows, ROW_BYTES))
        self.flat = self.memory.cast("B")
        self.tier = KvasirTier(
            offloading_spec=described or spec(model),
            primary_kv_view=self.memory,
            tier_type="KvasirTier",
            socket=str(socket),
            **settings,
        )
        self.free = list(range(rows))
        self.jobs: dict[int, tuple[list[bytes], list[int], bool]] = {}
        self.rows: dict[bytes, int] = {}
        self.results: list[Any] = []
        self.retries = 0
        self._requests = 0
        self._job_ids = 0

    def wait_for_node(self) -> None:
        assert self.tier._link.wait(60.0) is not None

    def request(self, keys: list[bytes]) -> int:
        """A request from its arrival to its end: leading keys that it found or got, all right."""
        self._requests += 1
        context = SimpleNamespace(req_id=f"r{self._requests}", kv_transfer_params=None)
        self.tier.on_new_request(context)
        hits: list[bytes] = []

        def is_ready() -> bool:
            """All leading keys that the tier has are in rows."""
            hits[:] = self._leading(keys, context)
            missing = [key for key in hits if key not in self.rows]
            if None in self._verdicts:
                return False
            if missing and not self.jobs:
                self.promote(missing, context)
            return not missing

        self.run_until(is_ready)
        for key in hits:
            assert self.row(key) == content(key), "wrong bytes"
        for key in keys[len(hits) :]:  # computed, copied from the device
            row = self.free.pop()
            self.flat[row * ROW_BYTES : (row + 1) * ROW_BYTES] = content(key)
            self.rows[key] = row
        if len(hits) < len(keys):
            self.store(keys[len(hits) :], context)
        self.tier.on_request_finished(context)
        return len(hits)

    def promote(self, keys: list[bytes], context: Any) -> None:
        """Asks the tier for keys that it has said it has."""
        self._submit(keys, [self.free.pop() for _ in keys], context, True)

    def store(self, keys: list[bytes], context: Any) -> None:
        """Gives rows to the tier; they stay until the job is over."""
        self._submit(keys, [self.rows[key] for key in keys], context, False)

    def step(self) -> None:
        """The end of a scheduler step, and its results."""
        self.tier.on_schedule_end(SimpleNamespace(new_req_ids=(), preempted_req_ids=()))
        for result in self.tier.get_finished_jobs():
            keys, rows, is_promotion = self.jobs.pop(result.job_id)  # a second report would raise
            self.results.append(result)
            if not is_promotion:
                continue
            good = keys if result.success else list(result.successful_keys or ())
            assert set(good) <= set(keys)
            for key, row in zip(keys, rows, strict=True):
                if key in good:
                    self.rows[key] = row
                else:
                    self.free.append(row)

    def run(self) -> None:
        """Steps until the tier has nothing left to do."""
        self.run_until(lambda: not self.tier.has_pending_work())
        assert not self.jobs

    def run_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + _LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, f"no end: jobs={self.jobs.keys()}"
            self.step()
            time.sleep(_IDLE_S)

    def drop(self) -> None:
        """The CPU memory loses what it holds."""
        assert not self.jobs
        self.free += self.rows.values()
        self.rows.clear()
        self.flat[:] = bytes(len(self.flat))

    def row(self, key: bytes) -> bytes:
        row = self.rows[key]
        return bytes(self.flat[row * ROW_BYTES : (row + 1) * ROW_BYTES])

    def close(self) -> None:
        self.tier.drain_jobs()
        assert all(job.done.done() for job in self.tier._jobs.values())
        self.tier.shutdown()
        self.tier.shutdown()

    def _leading(self, keys: list[bytes], context: Any) -> list[bytes]:
        """Leading keys in rows or said to be in the tier; asks for all, as the engine does."""
        self._verdicts: list[bool | None] = []
        for key in keys:
            verdict: bool | None = key in self.rows
            if not verdict:
                answer = self.tier.lookup(key, context)
                verdict = None if answer is LookupResult.RETRY else answer is LookupResult.HIT
            self.retries += verdict is None
            self._verdicts.append(verdict)
            if verdict is False:
                break
        return [key for key, verdict in zip(keys, self._verdicts, strict=False) if verdict]

    def _submit(self, keys: list[bytes], rows: list[int], context: Any, promotion: bool) -> None:
        self._job_ids += 1
        self.jobs[self._job_ids] = (keys, rows, promotion)
        job = SimpleNamespace(
            job_id=self._job_ids,
            keys=keys,
            chunk_ids=rows,
            is_promotion=promotion,
            req_context=context,
        )
        if promotion:
            self.tier.submit_load(job)
        else:
            self.tier.submit_store(job)
