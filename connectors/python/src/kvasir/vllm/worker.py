"""The connector in an engine's worker: copies between blocks and the slab, in a thread of its own.

The worker asks the node for nothing. It maps the slab, does the jobs that the scheduler sends with
each step and says when they are over.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import torch

from kvasir.client import Client
from kvasir.errors import KvasirError, NodeUnavailableError
from kvasir.identity import EngineIdentity
from kvasir.slab import Slab
from kvasir.vllm.engine import engine_version
from kvasir.vllm.messages import Job, SessionInfo, StepMetadata, WorkerLayout, WorkerReport
from kvasir.vllm.pages import BlockPages
from kvasir.vllm.settings import Settings
from kvasir.vllm.stats import KvasirStats

_LOG = logging.getLogger("kvasir")


class Copied(NamedTuple):
    """A job that was done.

    Attributes:
        is_store: into the slab, not out of it.
        size: bytes that this rank copied.
        seconds: how long that took.
    """

    is_store: bool
    size: int
    seconds: float


class Worker:
    """One rank. Called by the engine's main thread only."""

    def __init__(
        self, settings: Settings, kv_caches: Mapping[str, torch.Tensor], blocks: int
    ) -> None:
        """Takes the engine's tensors.

        Args:
            settings: the connector's settings.
            kv_caches: the tensors by layer.
            blocks: number of the engine's blocks.

        Raises:
            ConfigError: a tensor's layout is unknown.
        """
        self._settings = settings
        self._pages = BlockPages(kv_caches, blocks, settings.blocks_per_chunk)
        self._mover = _Mover(settings, self._pages)
        self._session: SessionInfo | None = None
        self._step = StepMetadata()
        self._running: dict[int, Future[Copied | None]] = {}
        self.stats = KvasirStats()
        self.layout = WorkerLayout(settings.digest(), _layout(self._pages), self._pages.cell_bytes)

    def begin(self, step: StepMetadata) -> None:
        """A step begins: starts its loads."""
        self._step = step
        if step.session is not None and step.session != self._session:
            self._session = step.session
            self._mover.join(step.session)
        for job in step.loads:
            self._running[job.id] = self._mover.submit(job, is_store=False)

    def end(self) -> tuple[set[str], set[int]]:
        """The forward pass is under way or over: starts the step's stores.

        Returns:
            The requests whose loads are over, and the blocks among theirs that hold nothing.
        """
        step, self._step = self._step, StepMetadata()
        for job in step.stores:
            self._running[job.id] = self._mover.submit(job, is_store=True)
        received = {*step.loaded, *step.failed}
        return received, {block for blocks in step.failed.values() for block in blocks}

    def report(self) -> WorkerReport | None:
        """The jobs that have ended since the last report."""
        ended = {job: future for job, future in self._running.items() if future.done()}
        if not ended:
            return None
        for job, future in ended.items():
            del self._running[job]
            if (copied := future.result()) is not None:
                what = "store" if copied.is_store else "load"
                self.stats.add(f"{what}_bytes", copied.size)
                self.stats.add(f"{what}_seconds", copied.seconds)
        return WorkerReport(
            done=dict.fromkeys(ended, 1),
            bad={job for job, future in ended.items() if future.result() is None},
        )

    def close(self) -> None:
        """Waits for copies under way and leaves the node."""
        self._mover.close()


class _Mover:
    """Copies in a thread; owns this rank's connection, whose end would free slots under a copy."""

    def __init__(self, settings: Settings, pages: BlockPages) -> None:
        self._settings = settings
        self._pages = pages
        self._stream = torch.cuda.Stream(pages.device) if pages.device.type == "cuda" else None
        self._client: Client | None = None
        self._wanted: SessionInfo | None = None
        self._locked: list[int] = []
        self._thread = ThreadPoolExecutor(1, "kvasir-copy")

    def join(self, session: SessionInfo) -> None:
        """Connects ahead of the first job."""
        self._thread.submit(self._try_join, session)

    def submit(self, job: Job, is_store: bool) -> Future[Copied | None]:
        """Does a job after what the engine has queued on its device so far; None if it failed."""
        event = None
        if self._stream is not None:
            event = torch.cuda.Event()
            event.record()
        return self._thread.submit(self._do, job, is_store, event)

    def close(self) -> None:
        self._thread.submit(self._leave).result()
        self._thread.shutdown()

    def _do(self, job: Job, is_store: bool, event: torch.cuda.Event | None) -> Copied | None:
        if is_store and self._settings.cell != self._settings.rank:
            return Copied(is_store, 0, 0.0)  # every rank holds the same: the first one stores it
        begin = time.perf_counter()
        try:
            slab = self._slab(job.session)
            with self._after(event):
                for copy in job.copies:
                    offset = copy.offset + self._settings.cell * self._pages.cell_bytes
                    memory = slab.view(copy.segment, offset, self._pages.cell_bytes)
                    cell = torch.frombuffer(memory, dtype=torch.uint8)
                    move = self._pages.store if is_store else self._pages.load
                    move(cell, copy.first_block, copy.block_ids)
            if self._stream is not None:
                self._stream.synchronize()
        except Exception as e:  # every job must end in a report
            _LOG.warning("KVA-0584 copy failed, computing instead - job=%d cause=%s", job.id, e)
            return None
        blocks = sum(len(copy.block_ids) for copy in job.copies)
        return Copied(is_store, blocks * self._pages.block_bytes, time.perf_counter() - begin)

    def _after(self, event: torch.cuda.Event | None) -> AbstractContextManager[object]:
        if self._stream is None or event is None:
            return nullcontext()
        self._stream.wait_event(event)
        return torch.cuda.stream(self._stream)

    def _try_join(self, session: SessionInfo) -> None:
        self._wanted = session
        try:
            self._slab(session)
        except KvasirError as e:
            _LOG.warning("KVA-0585 worker without the slab for now - cause=%s", e)

    def _slab(self, session: SessionInfo) -> Slab:
        """The slab of the session last joined; connects when it is a new one.

        The slots of an earlier one belong to others by now.
        """
        if session != self._wanted:
            raise NodeUnavailableError(
                f"KVA-0586 job of a session that is over - instance={session.instance} "
                f"joined={self._wanted and self._wanted.instance}; the next session will do"
            )
        client = self._client
        if client is None or not client.is_open or client.identity.instance != session.instance:
            self._leave()
            settings = self._settings
            client = Client(
                settings.socket,
                EngineIdentity(
                    "vllm",
                    engine_version,
                    session.instance,
                    "worker",
                    settings.rank,
                    settings.world,
                ),
            )
            self._client = client
            self._lock(client.slab)
        if client.incarnation != session.incarnation:
            raise NodeUnavailableError(
                f"KVA-0586 another slab than the scheduler's - incarnation={client.incarnation} "
                f"expected={session.incarnation}; the next session will do"
            )
        return client.slab

    def _lock(self, slab: Slab) -> None:
        """Page-locks the slab for the device, so that copies need no staging buffer."""
        if self._stream is None:
            return
        for segment in slab.segments:
            tensor = torch.frombuffer(segment, dtype=torch.uint8)
            error = torch.cuda.cudart().cudaHostRegister(tensor.data_ptr(), tensor.numel(), 0)
            if int(error) != 0:
                _LOG.warning("KVA-0587 slab not page-locked, copies are slower - cuda=%s", error)
                return
            self._locked.append(tensor.data_ptr())

    def _leave(self) -> None:
        for address in self._locked:
            torch.cuda.cudart().cudaHostUnregister(address)
        self._locked.clear()
        if self._client is not None:
            self._client.goodbye()
            self._client = None


def _layout(pages: BlockPages) -> str:
    """All that decides how bytes lie inside a page, as far as it can be seen from outside."""
    facts = [
        pages.layout,
        engine_version,
        pages.device.type,
        os.environ.get("VLLM_ATTENTION_BACKEND", ""),
        os.environ.get("VLLM_KV_CACHE_LAYOUT", ""),
    ]
    if pages.device.type == "cpu":  # the engine packs pages as the processor likes them
        facts += [platform.machine(), _processor_flags()]
    return "vllm/" + hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _processor_flags() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
