"""Loads under way: from the slab into the engine's blocks, counted only once the node confirms."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from kvasir.acquisition import Acquisition
from kvasir.vllm.messages import StepMetadata
from kvasir.vllm.stats import KvasirStats


@dataclass
class _Load:
    request_id: str
    acquisition: Acquisition
    block_ids: list[int]
    ranks_left: int
    is_bad: bool = False
    is_wanted: bool = True
    released: Future[bool] | None = None


class Loads:
    """Every load ends in exactly one report: loaded or failed.

    The ranks copy; when all have, the acquisition is released; when the node says that all was
    valid the whole time, the request may use its blocks. A lost connection is a failed load.
    """

    def __init__(self, world: int, block_tokens: int, stats: KvasirStats) -> None:
        """Starts without loads.

        Args:
            world: number of ranks.
            block_tokens: tokens per block.
            stats: counts tokens.
        """
        self._world = world
        self._block_tokens = block_tokens
        self._stats = stats
        self._loads: dict[int, _Load] = {}

    def __len__(self) -> int:
        return len(self._loads)

    def start(
        self, job: int, request_id: str, acquisition: Acquisition, block_ids: list[int]
    ) -> None:
        """The ranks are told to copy into these blocks."""
        self._loads[job] = _Load(request_id, acquisition, block_ids, self._world)

    def on_ranks_done(self, job: int, ranks: int, is_bad: bool) -> bool:
        """Some ranks have copied, or failed to. False if it is no load."""
        load = self._loads.get(job)
        if load is None:
            return False
        load.ranks_left -= ranks
        load.is_bad |= is_bad
        if load.ranks_left == 0:
            load.released = load.acquisition.release()
        return True

    def on_request_finished(self, request_id: str) -> None:
        """Nobody will read the blocks; the engine still waits for the report."""
        for load in self._loads.values():
            if load.request_id == request_id:
                load.is_wanted = False

    def report(self, step: StepMetadata) -> None:
        """Writes what has ended into the metadata of a step."""
        for job, load in list(self._loads.items()):
            if load.released is None or not load.released.done():
                continue
            del self._loads[job]
            tokens = len(load.block_ids) * self._block_tokens
            counts = self._counts(load)
            self._stats.add("loaded_tokens" if counts else "failed_load_tokens", tokens)
            if load.is_wanted and not counts:
                step.failed[load.request_id] = load.block_ids
            else:
                step.loaded.append(load.request_id)

    @staticmethod
    def _counts(load: _Load) -> bool:
        assert load.released is not None
        return not load.is_bad and load.released.exception() is None and load.released.result()
