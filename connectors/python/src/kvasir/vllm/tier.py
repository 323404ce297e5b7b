"""A tier behind vLLM's own CPU offloading: chunks travel between its memory and the cluster.

The second door. The engine copies between its devices and its CPU memory, a row per chunk; this
tier, in the scheduler's process, copies between rows and the node's slab, in threads of its own.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvasir.client import Reservation
from kvasir.errors import ConfigError, KvasirError
from kvasir.identity import Namespace, SpaceRequest
from kvasir.link import NodeLink, Session
from kvasir.protocol import CommitStatus, ReserveStatus
from kvasir.vllm.engine import engine_version
from kvasir.vllm.settings import default_socket, wrong_settings
from kvasir.vllm.tier_engine import (
    JobResult,
    LookupResult,
    Medium,
    RequestOffloadingContext,
    SecondaryTierManager,
)
from kvasir.vllm.tier_search import CHUNK_TOKENS, KeySearch, is_key, run_of_keys

_SETTINGS = {
    "socket": str,
    "load_deadline_ms": int,
    "lookup_wait_ms": int,
    "model_revision": str,
    "trust_domain": str,
    "tenant_salt": str,
}
_LOG = logging.getLogger("kvasir")


class KvasirTier(SecondaryTierManager):
    """Chunks of the engine's CPU memory, kept in the cluster.

    Named in ``secondary_tiers`` with ``"type": "KvasirTier"``, ``"module_path":
    "kvasir.vllm.tier"``; see ``docs/engines/vllm.md``. The engine makes one call at a time.
    """

    medium = Medium.STORAGE

    def __init__(
        self, offloading_spec: Any, primary_kv_view: memoryview, tier_type: str, **settings: Any
    ) -> None:
        """Called by the engine's scheduler.

        Args:
            offloading_spec: the engine's description of what it offloads.
            primary_kv_view: the rows, ``[rows, bytes]``.
            tier_type: the name of this class.
            settings: the rest of the tier's entry in the configuration.

        Raises:
            ConfigError: it cannot be cached safely, or a setting is misspelt.
        """
        super().__init__(offloading_spec, primary_kv_view, tier_type)
        problems = wrong_settings(settings, _SETTINGS)
        groups = offloading_spec.config.groups
        if len(groups) != 1:
            problems.append(f"groups={len(groups)} (only one KV cache group)")
        if problems:
            raise ConfigError(
                f"KVA-0580 the engine cannot use the cache - {'; '.join(problems)}; "
                "correct the configuration or start without the tier"
            )
        self._rows = _Rows(primary_kv_view)
        self._deadline_s = settings.get("load_deadline_ms", 2000) / 1000
        self._link = NodeLink(
            Path(settings.get("socket") or default_socket()),
            "vllm-tier",
            engine_version,
            SpaceRequest(
                _namespace(offloading_spec, settings, self._rows.row_bytes),
                CHUNK_TOKENS,
                self._rows.row_bytes,
            ),
        )
        self._search = KeySearch(self._link, settings.get("lookup_wait_ms", 100) / 1000)
        self._jobs: dict[int, _Job] = {}
        self._loads = ThreadPoolExecutor(1, "kvasir-tier-load")  # never behind stores
        self._stores = ThreadPoolExecutor(1, "kvasir-tier-store")

    def on_new_request(self, req_context: Any) -> RequestOffloadingContext:
        """No wishes."""
        del req_context
        return RequestOffloadingContext()

    def lookup(self, key: bytes, req_context: Any) -> LookupResult:
        """Does the cluster have the key? RETRY: ask again in the next step."""
        answer = self._search.answer(req_context.req_id, key)
        if answer is None:
            return LookupResult.RETRY
        return LookupResult.HIT if answer else LookupResult.MISS

    def submit_store(self, job_metadata: Any) -> None:
        """Starts copying rows into the cluster."""
        self._submit(job_metadata, self._stores, self._store, is_load=False)

    def submit_load(self, job_metadata: Any) -> None:
        """Starts copying chunks into rows."""
        self._submit(job_metadata, self._loads, self._load, is_load=True)

    def get_finished_jobs(self) -> Iterable[JobResult]:
        """The jobs that have ended since the last call, each once."""
        ended = {number: job for number, job in self._jobs.items() if job.done.done()}
        for number in ended:
            del self._jobs[number]
        return [self._result(number, job) for number, job in ended.items()]

    def has_pending_work(self) -> bool:
        """True while something is under way, so that an idle engine goes on stepping."""
        return bool(self._jobs or self._search)

    def on_schedule_end(self, context: Any) -> None:
        """Sends the questions of the step."""
        del context
        self._search.send()

    def on_request_finished(self, req_context: Any) -> None:
        """Forgets the request; its jobs go on."""
        self._search.forget(req_context.req_id)

    def drain_jobs(self) -> None:
        """Waits until no row is read or written any more; every wait in a job has a limit."""
        wait([job.done for job in self._jobs.values()])

    def shutdown(self) -> None:
        """Ends the jobs and leaves the node. May be called twice."""
        self._loads.shutdown()
        self._stores.shutdown()
        self._link.close()

    def _submit(
        self,
        job: Any,
        thread: ThreadPoolExecutor,
        work: Callable[[Session, list[bytes], list[int]], int],
        *,
        is_load: bool,
    ) -> None:
        # The field has changed its name in 2026.
        rows = [int(i) for i in (job.chunk_ids if hasattr(job, "chunk_ids") else job.block_ids)]
        keys = [bytes(key) for key in job.keys]
        self._jobs[job.job_id] = _Job(keys, is_load, thread.submit(self._do, work, keys, rows))

    def _do(
        self,
        work: Callable[[Session, list[bytes], list[int]], int],
        keys: list[bytes],
        rows: list[int],
    ) -> int:
        """Leading keys of which the work was done; every job must end in a report."""
        session = self._link.session
        if session is None or not keys or not all(is_key(key) for key in keys):
            return 0
        try:
            return work(session, keys, rows)
        except KvasirError as e:
            self._link.report(session, e)
        except Exception:
            _LOG.exception("KVA-0589 cache call failed, computing instead - keys=%d", len(keys))
        return 0

    def _load(self, session: Session, keys: list[bytes], rows: list[int]) -> int:
        acquisition = session.client.acquire(session.space, run_of_keys(keys), self._deadline_s)
        loaded = 0
        try:
            for chunk, row in zip(acquisition, rows, strict=False):  # it may end early
                place = chunk.place
                memory = session.client.slab.view(
                    place.segment, place.segment_offset, place.length_bytes
                )
                self._rows.load(row, memory)
                loaded += 1
        finally:
            released = acquisition.release()
        return loaded if released.result() else 0

    def _store(self, session: Session, keys: list[bytes], rows: list[int]) -> int:
        reservations = session.client.reserve(session.space, run_of_keys(keys)).result()
        slots = [r.slot for r in reservations if r.is_reserved]
        try:
            for reservation, row in zip(reservations, rows, strict=True):
                if reservation.is_reserved:
                    self._rows.store(row, reservation.memory)
        except BaseException:
            if slots:
                session.client.abort(session.space, slots)
            raise
        committed = set()
        if slots:
            entries = session.client.commit(session.space, slots).result()
            committed = {e.slot for e in entries if e.status == CommitStatus.COMMITTED}
        return sum(_is_there(reservation, committed) for reservation in reservations)

    def _result(self, number: int, job: _Job) -> JobResult:
        count = job.done.result()
        if count == len(job.keys):
            return JobResult(number, success=True)
        if not job.is_load:
            return JobResult(number, success=False)
        self._search.miss(job.keys[count:])  # else the engine would try for ever
        return JobResult(number, success=False, successful_keys=tuple(job.keys[:count]) or None)


@dataclass(frozen=True)
class _Job:
    keys: list[bytes]
    is_load: bool
    done: Future[int]


class _Rows:
    """The engine's CPU memory. Copies leave the interpreter to other threads."""

    def __init__(self, view: memoryview) -> None:
        if view.readonly or not view.c_contiguous or view.ndim != 2 or not view.nbytes:
            raise ConfigError(
                f"KVA-0583 CPU memory of an unknown layout - shape={view.shape} "
                f"strides={view.strides} readonly={view.readonly}; "
                "use a version of the tier that knows it"
            )
        self._view = view
        self._begin = ctypes.addressof(ctypes.c_char.from_buffer(view))
        self.row_bytes = view.nbytes // len(view)

    def load(self, row: int, memory: memoryview) -> None:
        """Copies a slot into a row."""
        ctypes.memmove(self._address(row), self._slot(memory), self.row_bytes)

    def store(self, row: int, memory: memoryview) -> None:
        """Copies a row into a slot."""
        ctypes.memmove(self._slot(memory), self._address(row), self.row_bytes)

    def _address(self, row: int) -> int:
        if not 0 <= row < len(self._view):
            raise IndexError(f"row={row} (limit={len(self._view)})")
        return self._begin + row * self.row_bytes

    def _slot(self, memory: memoryview) -> int:
        if len(memory) != self.row_bytes:
            raise KvasirError(
                f"KVA-0595 chunk of another size - bytes={len(memory)} expected={self.row_bytes}; "
                "it is not loaded"
            )
        return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _is_there(reservation: Reservation, committed: set[int]) -> bool:
    if reservation.is_reserved:
        return reservation.slot in committed
    return reservation.status == ReserveStatus.ALREADY


def _namespace(spec: Any, settings: dict[str, Any], row_bytes: int) -> Namespace:
    """All that decides what the bytes of a row mean, as far as the engine tells."""
    config = spec.config
    group, parallel = config.groups[0], config.parallel
    tokens = int(group.tokens_per_block) * int(config.cache.blocks_per_chunk)
    facts = {
        "rowBytes": row_bytes,
        "layers": list(group.layer_names),
        "tokens": [config.cache.tokens_per_hash, group.tokens_per_block, tokens],
        "parallel": [parallel.tp_size, parallel.pp_size, parallel.pcp_size, parallel.dcp_size],
        "replicated": bool(getattr(config, "replicated_layout", False)),
        "canonical": bool(getattr(config, "canonical_layout", False)),
        "cacheLayout": str(getattr(config, "kv_cache_layout", None)),
        "storageFormat": str(getattr(spec, "storage_format", None)),
        "backend": os.environ.get("VLLM_ATTENTION_BACKEND", ""),
        "layout": os.environ.get("VLLM_KV_CACHE_LAYOUT", ""),
        "engine": engine_version,
    }
    text = json.dumps(facts, sort_keys=True)
    return Namespace(
        trust_domain=settings.get("trust_domain", "default"),
        tenant_salt=settings.get("tenant_salt"),
        model=str(config.model.name),
        revision=settings.get("model_revision"),
        lora_id=None,  # the engine puts the adapter into the block hash
        lora_version=None,
        kv_dtype=str(config.model.dtype),
        quant_scale=None,
        layers=len(group.layer_names),
        kv_heads=1,  # not told; rowBytes and the layers' names are
        head_size=1,
        block_layout=f"vllm-tier/{hashlib.sha256(text.encode()).hexdigest()}",
        rope_config=None,
        world_size=int(parallel.world_size),
        hash_scheme=f"vllm/{tokens}",
    )
