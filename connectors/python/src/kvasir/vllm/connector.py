"""The connector as vLLM calls it. Every call of a step ends without an exception."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import torch

from kvasir.vllm.engine import (
    BlockStored,
    KVConnectorBase_V1,
    KVConnectorHandshakeMetadata,
    KVConnectorMetadata,
    KVConnectorRole,
    SupportsHMA,
)
from kvasir.vllm.messages import StepMetadata, WorkerReport
from kvasir.vllm.scheduler import Scheduler
from kvasir.vllm.settings import read_settings
from kvasir.vllm.stats import KvasirPromMetrics, KvasirStats
from kvasir.vllm.worker import Worker

_LOG = logging.getLogger("kvasir")
_P = ParamSpec("_P")
_T = TypeVar("_T")


def _harmless(instead: Callable[[], Any]) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Makes a method answer ``instead()`` where it would raise: the engine must go on."""

    def wrap(method: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(method)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                return method(*args, **kwargs)
            except Exception:
                _LOG.exception("KVA-0589 cache call failed, computing instead - %s", method)
                result: _T = instead()
                return result

        return call

    return wrap


class KvasirConnector(KVConnectorBase_V1, SupportsHMA):
    """Loads and stores KV blocks through the node on this host.

    Switch it on with ``--kv-transfer-config`` and ``"kv_connector": "KvasirConnector"``,
    ``"kv_connector_module_path": "kvasir.vllm"``; see ``docs/engines/vllm.md``.
    """

    def __init__(
        self, vllm_config: Any, role: KVConnectorRole, kv_cache_config: Any = None
    ) -> None:
        """Called by the engine, once in the scheduler's process and once in each worker.

        Raises:
            ConfigError: the engine is set up in a way that cannot be cached safely.
        """
        if len(inspect.signature(KVConnectorBase_V1.__init__).parameters) > 3:
            super().__init__(vllm_config, role, kv_cache_config)
        else:  # releases of early 2026
            super().__init__(vllm_config, role)
        self._config = vllm_config
        self._cache_config = kv_cache_config
        self._settings = read_settings(vllm_config, kv_cache_config)
        self._scheduler = Scheduler(self._settings) if role == KVConnectorRole.SCHEDULER else None
        self._worker: Worker | None = None
        self._bad_blocks: set[int] = set()

    @property
    def requires_kv_delivery(self) -> bool:
        """A cache may lose what it was given: nobody waits for it."""
        return False

    # Worker's side, in the order of a step.

    def register_kv_caches(self, kv_caches: Mapping[str, torch.Tensor]) -> None:
        """Takes the tensors, at the engine's start.

        Raises:
            ConfigError: a tensor's layout is unknown.
        """
        blocks = (
            self._config.cache_config.num_gpu_blocks
            if self._cache_config is None
            else self._cache_config.num_blocks
        )
        self._worker = Worker(self._settings, kv_caches, int(blocks))

    def get_handshake_metadata(self) -> KVConnectorHandshakeMetadata | None:
        """This rank's layout, for the scheduler."""
        return None if self._worker is None else self._worker.layout

    def handle_preemptions(self, *_: Any) -> None:
        """Nothing: blocks that are read are pinned in the block pool."""

    @_harmless(lambda: None)
    def start_load_kv(self, *_: Any, **__: Any) -> None:
        """Starts the loads of the step."""
        step = self._get_connector_metadata()
        if self._worker is not None and isinstance(step, StepMetadata):
            self._worker.begin(step)

    def wait_for_layer_load(self, layer_name: str) -> None:
        """Nothing: a request waits until all its layers are there."""

    def save_kv_layer(self, *_: Any, **__: Any) -> None:
        """Nothing: whole blocks are stored after the step."""

    def wait_for_save(self) -> None:
        """Nothing: blocks are pinned until they are stored."""

    @_harmless(lambda: (None, None))
    def get_finished(self, finished_req_ids: set[str]) -> tuple[set[str] | None, set[str] | None]:
        """Starts the stores of the step; names the requests whose loads are over."""
        del finished_req_ids
        if self._worker is None:
            return None, None
        received, bad_blocks = self._worker.end()
        self._bad_blocks |= bad_blocks
        return None, received or None

    def get_block_ids_with_load_errors(self) -> set[int]:
        """The blocks that hold nothing, once."""
        bad_blocks, self._bad_blocks = self._bad_blocks, set()
        return bad_blocks

    @_harmless(lambda: None)
    def build_connector_worker_meta(self) -> WorkerReport | None:
        """The jobs that this rank has finished."""
        return None if self._worker is None else self._worker.report()

    # Scheduler's side.

    def bind_gpu_block_pool(self, pool: Any) -> None:
        """Takes the block pool, at the engine's start."""
        if self._scheduler is not None:
            self._scheduler.bind_pool(pool)

    def set_xfer_handshake_metadata(self, metadata: Mapping[Any, Any]) -> None:
        """Takes the ranks' layouts, at the engine's start.

        Raises:
            ConfigError: they differ.
        """
        if self._scheduler is not None:
            self._scheduler.set_layouts(metadata.values())

    def set_xfer_handshake_metadata_pp_aware(self, metadata: Mapping[Any, Any]) -> None:
        """The same by pipeline and tensor rank; there is one pipeline stage."""
        self.set_xfer_handshake_metadata(metadata)

    @_harmless(lambda: None)
    def on_new_request(self, request: Any) -> None:
        """Asks the node for the request's prefix."""
        if self._scheduler is not None:
            self._scheduler.on_new_request(request)

    @_harmless(lambda: (0, False))
    def get_num_new_matched_tokens(
        self, request: Any, num_computed_tokens: int
    ) -> tuple[int | None, bool]:
        """Tokens that can be loaded; None: ask again in the next step."""
        if self._scheduler is None:
            return 0, False
        return self._scheduler.match(request, num_computed_tokens)

    @_harmless(lambda: None)
    def update_state_after_alloc(self, request: Any, blocks: Any, num_external_tokens: int) -> None:
        """Starts the load, or gives it up."""
        if self._scheduler is not None:
            block_ids = list(blocks.get_block_ids()[0]) if num_external_tokens else []
            self._scheduler.on_allocated(request, block_ids, num_external_tokens)

    @_harmless(StepMetadata)
    def build_connector_meta(self, scheduler_output: Any) -> KVConnectorMetadata:
        """What the workers have to do in this step."""
        if self._scheduler is None:
            return StepMetadata()
        return self._scheduler.build(scheduler_output)

    @_harmless(lambda: None)
    def update_connector_output(self, connector_output: Any) -> None:
        """What the workers have done."""
        report = getattr(connector_output, "kv_connector_worker_meta", None)
        if self._scheduler is not None and isinstance(report, WorkerReport):
            self._scheduler.update(report)

    @_harmless(lambda: (False, None))
    def request_finished(
        self, request: Any, block_ids: list[int]
    ) -> tuple[bool, dict[str, Any] | None]:
        """Forgets the request; its blocks may be freed, those being stored are pinned.

        A request of a prefill engine is answered with what the decode engine should be told.
        """
        del block_ids
        if self._scheduler is None:
            return False, None
        return False, self._scheduler.on_finished(request)

    def request_finished_all_groups(
        self, request: Any, block_ids: tuple[list[int], ...]
    ) -> tuple[bool, dict[str, Any] | None]:
        """The same where the engine knows of groups; there is one."""
        return self.request_finished(request, block_ids[0])

    def has_pending_push_work(self) -> bool:
        """True while something is under way, so that an idle engine goes on stepping."""
        return self._scheduler is not None and self._scheduler.is_busy

    @_harmless(lambda: False)
    def reset_cache(self) -> bool:
        """From here on nothing is met that was stored before."""
        if self._scheduler is not None:
            self._scheduler.reset()
        return True

    @_harmless(tuple)
    def take_events(self) -> Iterable[BlockStored]:
        """What has been stored, for those who listen to the engine's KV events."""
        return () if self._scheduler is None else self._scheduler.take_events()

    # Both sides.

    @_harmless(lambda: None)
    def get_kv_connector_stats(self) -> KvasirStats | None:
        """What this side has counted since the last call."""
        side = self._worker or self._scheduler
        return None if side is None else side.stats.take()

    @classmethod
    def build_kv_connector_stats(cls, data: dict[str, Any] | None = None) -> KvasirStats:
        """Counts that come from another process."""
        return KvasirStats(data=data or {})

    @classmethod
    def build_prom_metrics(
        cls,
        vllm_config: Any,
        metric_types: Mapping[type, Any],
        labelnames: Sequence[str],
        per_engine_labelvalues: Mapping[int, Sequence[object]],
    ) -> KvasirPromMetrics:
        """Registers the counters with Prometheus, in the process that serves them."""
        return KvasirPromMetrics(vllm_config, metric_types, labelnames, per_engine_labelvalues)

    @_harmless(lambda: None)
    def shutdown(self) -> None:
        """Leaves the node; both sides."""
        if self._worker is not None:
            self._worker.close()
        if self._scheduler is not None:
            self._scheduler.close()
