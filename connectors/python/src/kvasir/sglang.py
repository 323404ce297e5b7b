"""SGLang's door to the cluster: a ``HiCacheStorage`` backend, loaded with ``dynamic``.

One page of the engine is one chunk. Every tensor-parallel rank is a process of its own and has a
namespace of its own; with MLA all ranks hold the same and share one, which rank 0 writes. Called by
the cache controller's threads, which may wait; nothing raises there.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from kvasir.acquisition import Acquisition
from kvasir.attachment import Attachment
from kvasir.errors import ConfigError, KvasirError
from kvasir.hashes import anchor_position
from kvasir.identity import Namespace, SpaceRequest
from kvasir.link import NodeLink, Session
from kvasir.protocol import HASH_BYTES, Run

_LOG = logging.getLogger("kvasir")
_KEYS = frozenset(("socket", "model_revision", "trust_domain", "tenant_salt", "load_deadline_ms"))
_ENGINE_KEYS = frozenset(("backend_name", "module_path", "class_name", "interface_v1", "allocator"))
_FIRST_CONNECT_S = 5.0
_T = TypeVar("_T")

if TYPE_CHECKING:

    class HiCacheStorage:
        """The engine's base class, as far as types go."""

    engine_version: str
else:
    try:
        HiCacheStorage = importlib.import_module(
            "sglang.srt.mem_cache.hicache_storage"
        ).HiCacheStorage
        engine_version = importlib.import_module("sglang").__version__
    except ModuleNotFoundError:
        HiCacheStorage = object
        engine_version = "none"


class KvasirStorage(HiCacheStorage):
    """Pages of the host pool, kept in the cluster."""

    def __init__(self, storage_config: Any, kwargs: dict[str, Any] | None = None) -> None:
        """Called by the engine in each rank.

        Args:
            storage_config: the engine's description of this rank.
            kwargs: the engine's further settings; not needed.

        Raises:
            ConfigError: a setting is unknown.
        """
        del kwargs
        extra = dict(storage_config.extra_config or {})
        unknown = sorted(
            key
            for key in extra
            if key not in _KEYS | _ENGINE_KEYS and not key.startswith("hicache")
        )
        if unknown:
            raise ConfigError(
                f"KVA-0593 unknown settings - keys={unknown} (known={sorted(_KEYS)}); correct them"
            )
        self._config = storage_config
        self._extra = extra
        self._deadline_s = extra.get("load_deadline_ms", 2000) / 1000
        self._writes = not storage_config.is_mla_model or storage_config.tp_rank == 0
        self._pool: Any = None
        self._page_tokens = 0
        self._link: NodeLink | None = None
        self._attachment = Attachment()

    def register_mem_pool_host(self, mem_pool_host: Any) -> None:
        """Takes the host pool, whose pages are copied; starts connecting.

        Raises:
            ConfigError: its layout is unknown.
        """
        self._pool = mem_pool_host
        self._page_tokens = int(mem_pool_host.page_size)
        _, sizes = self._fragments(torch.arange(self._page_tokens))
        self._link = NodeLink(
            Path(self._extra.get("socket") or _default_socket()),
            "sglang",
            engine_version,
            SpaceRequest(self._namespace(sizes), self._page_tokens, sum(sizes)),
        )
        self._link.wait(_FIRST_CONNECT_S)  # the engine starts; later nobody waits for the node

    def batch_exists(self, keys: list[str], extra_info: Any = None) -> int:
        """Leading pages that exist somewhere."""
        run = self._run(keys, extra_info)
        if run is None:
            return 0
        return self._ask(lambda s: s.client.lookup(s.space, run).result().found, 0)

    def exists(self, key: str) -> bool:
        """Does the page exist somewhere?"""
        return self.batch_exists([key]) == 1

    def batch_get_v1(
        self, keys: list[str], host_indices: torch.Tensor, extra_info: Any = None
    ) -> list[bool]:
        """Copies pages into the host pool; True for leading pages that are there and count."""
        run = self._run(keys, extra_info)
        pages = 0 if run is None else self._ask(lambda s: self._load(s, run, host_indices), 0)
        return [i < pages for i in range(len(keys))]

    def batch_set_v1(
        self, keys: list[str], host_indices: torch.Tensor, extra_info: Any = None
    ) -> list[bool]:
        """Stores pages of the host pool; True for pages that are in the cluster now."""
        if not self._writes:
            return [True] * len(keys)
        missed = [False] * len(keys)
        run = self._run(keys, extra_info)
        if run is None:
            return missed
        return self._ask(lambda s: self._store(s, run, host_indices), missed)

    def get(self, key: str, target_location: Any = None, target_sizes: Any = None) -> None:
        """Not offered: the engine must be told ``interface_v1``."""
        raise _needs_v1(key, target_location, target_sizes)

    def batch_get(self, keys: Any, target_locations: Any = None, target_sizes: Any = None) -> None:
        """Not offered: the engine must be told ``interface_v1``."""
        raise _needs_v1(keys, target_locations, target_sizes)

    def set(
        self, key: str, value: Any = None, target_location: Any = None, target_sizes: Any = None
    ) -> bool:
        """Not offered: the engine must be told ``interface_v1``."""
        raise _needs_v1(key, value, target_location, target_sizes)

    def batch_set(
        self, keys: Any, values: Any = None, target_locations: Any = None, target_sizes: Any = None
    ) -> bool:
        """Not offered: the engine must be told ``interface_v1``."""
        raise _needs_v1(keys, values, target_locations, target_sizes)

    def clear(self) -> None:
        """Nothing: other engines share the pages."""

    def get_stats(self) -> None:
        """None of its own; ``./kvasir status`` tells the node's."""

    def close(self) -> None:
        """Leaves the node. May be called twice."""
        if self._link is not None:
            self._link.close()

    def _ask(self, call: Callable[[Session], _T], instead: _T) -> _T:
        """What the call says; ``instead`` without a node, and when it fails."""
        link = self._link
        session = None if link is None else link.session
        if link is None or session is None or not self._attachment.may_ask():
            return instead
        try:
            answer = call(session)
        except KvasirError as e:
            link.report(session, e)
            self._attachment.on_fault()
            return instead
        self._attachment.on_success()
        return answer

    def _run(self, keys: Sequence[str], extra_info: Any) -> Run | None:
        """The pages as a run of the prompt; None if the keys are not page hashes."""
        before = list(getattr(extra_info, "prefix_keys", None) or [])
        try:
            hashes = [bytes.fromhex(key) for key in (*before, *keys)]
        except ValueError:
            hashes = []
        if not keys or not hashes or any(len(h) != HASH_BYTES for h in hashes):
            return None
        anchor = hashes[anchor_position(len(before), self._page_tokens)]
        return Run(len(before), anchor, b"".join(hashes[len(before) :]))

    def _load(self, session: Session, run: Run, host_indices: torch.Tensor) -> int:
        """Pages that were copied and count."""
        acquisition = session.client.acquire(session.space, run, self._deadline_s)
        try:
            pages = self._copy_in(session, acquisition, host_indices)
        finally:
            released = acquisition.release()
        return pages if released.result() else 0

    def _copy_in(
        self, session: Session, acquisition: Acquisition, host_indices: torch.Tensor
    ) -> int:
        pointers, sizes = self._fragments(host_indices)
        per_page = len(pointers) * self._page_tokens // len(host_indices)
        pages = 0
        for chunk in acquisition:
            place = chunk.place
            memory = session.client.slab.view(
                place.segment, place.segment_offset, place.length_bytes
            )
            page = slice(pages * per_page, (pages + 1) * per_page)
            for pointer, (address, size) in zip(
                pointers[page], _addresses(memory, sizes[page]), strict=True
            ):
                ctypes.memmove(pointer, address, size)
            pages += 1
        return pages

    def _store(self, session: Session, run: Run, host_indices: torch.Tensor) -> list[bool]:
        pointers, sizes = self._fragments(host_indices)
        per_page = len(pointers) * self._page_tokens // len(host_indices)
        reservations = session.client.reserve(session.space, run).result()
        slots = [reservation.slot for reservation in reservations if reservation.is_reserved]
        try:
            for index, reservation in enumerate(reservations):
                if reservation.is_reserved:
                    page = slice(index * per_page, (index + 1) * per_page)
                    for pointer, (address, size) in zip(
                        pointers[page], _addresses(reservation.memory, sizes[page]), strict=True
                    ):
                        ctypes.memmove(address, pointer, size)
        except BaseException:
            if slots:
                session.client.abort(session.space, slots)
            raise
        committed = set()
        if slots:
            entries = session.client.commit(session.space, slots).result()
            committed = {entry.slot for entry in entries if entry.status == 0}
        return [
            r.status.name == "ALREADY" or (r.is_reserved and r.slot in committed)
            for r in reservations
        ]

    def _fragments(self, host_indices: torch.Tensor) -> tuple[list[int], list[int]]:
        """Addresses and sizes in bytes of the parts of pages in the host pool, page by page."""
        pointers, sizes = self._pool.get_page_buffer_meta(host_indices)
        pages = len(host_indices) // self._page_tokens
        if not pages or len(pointers) != len(sizes) or len(pointers) % pages:
            raise ConfigError(
                f"KVA-0594 host pool of an unknown layout - indices={len(host_indices)} "
                f"pageTokens={self._page_tokens} pointers={len(pointers)} sizes={len(sizes)}; "
                "choose --hicache-mem-layout page_first"
            )
        return [int(p) for p in pointers], [int(s) for s in sizes]

    def _namespace(self, sizes: Sequence[int]) -> Namespace:
        config = self._config
        shared = config.is_mla_model
        rank = "all" if shared else f"{config.tp_rank}/{config.tp_size}"
        facts = {
            "rank": rank,
            "stage": f"{getattr(config, 'pp_rank', 0)}/{getattr(config, 'pp_size', 1)}",
            "context": f"{getattr(config, 'attn_cp_rank', 0)}/{getattr(config, 'attn_cp_size', 1)}",
            "layout": str(getattr(self._pool, "layout", "unknown")),
            "dtype": str(self._pool.dtype),
            "fragments": list(sizes),
            "engine": engine_version,
        }
        text = json.dumps(facts, sort_keys=True)
        return Namespace(
            trust_domain=self._extra.get("trust_domain", "default"),
            tenant_salt=self._extra.get("tenant_salt"),
            model=str(config.model_name),
            revision=self._extra.get("model_revision"),
            lora_id=None,
            lora_version=None,
            kv_dtype=str(self._pool.dtype).removeprefix("torch."),
            quant_scale=None,
            layers=int(self._pool.layer_num),
            kv_heads=max(1, int(getattr(self._pool, "head_num", 1))),
            head_size=max(1, int(getattr(self._pool, "head_dim", 1))),
            block_layout=f"sglang/{rank}/{hashlib.sha256(text.encode()).hexdigest()}",
            rope_config=None,
            world_size=1,
            hash_scheme=f"sglang/{self._page_tokens}",
        )


def _addresses(memory: memoryview, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Where the fragments of a page lie in a slot, which must be as large as they are."""
    if len(memory) != sum(sizes):
        raise KvasirError(
            f"KVA-0595 page of another size - bytes={len(memory)} expected={sum(sizes)}; "
            "it is not loaded"
        )
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    result = []
    for size in sizes:
        result.append((address, size))
        address += size
    return result


def _needs_v1(*_: object) -> ConfigError:
    return ConfigError(
        "KVA-0596 call of the copying interface - interface_v1=missing; "
        'put "interface_v1": 1 into --hicache-storage-backend-extra-config'
    )


def _default_socket() -> str:
    return os.environ.get("KVASIR_ENGINE_SOCKET") or f"/tmp/kvasir-{os.geteuid()}/node/engine.sock"
