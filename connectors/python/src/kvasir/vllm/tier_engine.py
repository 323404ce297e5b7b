"""What the secondary tier takes from vLLM, or its stand-ins where vLLM is not installed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from kvasir.errors import ConfigError
from kvasir.vllm import standins
from kvasir.vllm.engine import engine_version


def _too_old(missing: str) -> ConfigError:
    return ConfigError(
        f"KVA-0590 this vLLM is too old for tiers - version={engine_version} missing={missing}; "
        "take a release of August 2026 or later, or the connector instead"
    )


if TYPE_CHECKING:
    from kvasir.vllm.standins import (
        JobResult,
        LookupResult,
        Medium,
        RequestOffloadingContext,
        SecondaryTierManager,
    )
else:
    if engine_version == "none":
        _tiering = _offload = standins
    else:
        try:
            _tiering = importlib.import_module("vllm.v1.kv_offload.tiering.base")
            _offload = importlib.import_module("vllm.v1.kv_offload.base")
        except ModuleNotFoundError as e:
            raise _too_old(str(e)) from e
        if not hasattr(_tiering.SecondaryTierManager, "get_finished_jobs"):
            raise _too_old("get_finished_jobs")
    JobResult = _tiering.JobResult
    LookupResult = _offload.LookupResult
    Medium = _offload.Medium
    RequestOffloadingContext = _offload.RequestOffloadingContext
    SecondaryTierManager = _tiering.SecondaryTierManager


__all__ = [
    "JobResult",
    "LookupResult",
    "Medium",
    "RequestOffloadingContext",
    "SecondaryTierManager",
]
