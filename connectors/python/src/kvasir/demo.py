"""``./kvasir demo transformers``: a randomly initialised Llama on two nodes, every logit compared.

Each prompt is computed beside the first node, which stores it, and goes on beside the second one,
which pulls it. Progress goes to standard error, the result as one line of JSON to standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers.cache_utils import DynamicCache

from kvasir.stage import NodeProcess, forward, leave_in_order, new_model, new_prompt
from kvasir.transformers import KvasirCache

QUESTION_TOKENS = 32
RECOMPUTED_DIFF_MAX = 1e-4
"""Matrices of another shape are added up in another order."""

MODEL_ID = "demo-llama"
_INDEX_LIMIT_S = 60.0


class Size(NamedTuple):
    """How much is computed.

    Attributes:
        prefix_tokens: tokens of a prompt before its question, whole chunks.
        rounds: prompts.
        new_tokens: tokens to generate.
    """

    prefix_tokens: int
    rounds: int
    new_tokens: int


FULL = Size(4096, 5, 128)
SHORT = Size(1024, 2, 32)


@dataclass
class Outcome:
    """What the rounds gave. Times in milliseconds, one per round."""

    logits_compared: int = 0
    logits_equal: int = 0
    max_abs_diff: float = 0.0
    recomputed_max_abs_diff: float = 0.0
    generations_equal: bool = True
    uncached_ms: list[float] = field(default_factory=list)
    cached_ms: list[float] = field(default_factory=list)
    in_memory_ms: list[float] = field(default_factory=list)

    def compare(self, actual: torch.Tensor, expected: torch.Tensor) -> None:
        """Counts logits that are equal bit for bit."""
        self.logits_compared += expected.numel()
        self.logits_equal += int((actual == expected).sum())
        self.max_abs_diff = max(self.max_abs_diff, _diff(actual, expected))

    @property
    def is_good(self) -> bool:
        """Did every comparison hold?"""
        return (
            self.logits_compared == self.logits_equal
            and self.generations_equal
            and self.recomputed_max_abs_diff <= RECOMPUTED_DIFF_MAX
        )


def main() -> int:
    """Runs the demo; 0 if every comparison held."""
    parser = argparse.ArgumentParser(prog="kvasir.demo")
    parser.add_argument("--launcher", type=Path, required=True)
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    size = SHORT if options.short else FULL
    leave_in_order()
    begin = time.monotonic()
    torch.manual_seed(1)
    model = new_model()
    _say("starting two nodes")
    with contextlib.ExitStack() as left:
        first = NodeProcess(left, options.launcher, "demo-1")
        second = NodeProcess(left, options.launcher, "demo-2", first.discovery)
        here = left.enter_context(KvasirCache(model, first.socket, model_id=MODEL_ID))
        there = left.enter_context(KvasirCache(model, second.socket, model_id=MODEL_ID))
        if not here.wait(60.0) or not there.wait(60.0):
            raise RuntimeError("KVA-0598 no session with a node; see the warnings above")
        outcome = Outcome()
        _round(model, here, there, Outcome(), size)  # warms the shapes
        for number in range(size.rounds):
            _say(f"prompt {number + 1} of {size.rounds}")
            _round(model, here, there, outcome, size)
        _generate(model, there, outcome, size)
        result = _result(outcome, there.tokens_from_peers, time.monotonic() - begin)
    print(json.dumps(result))
    return 0 if outcome.is_good else 1


def _round(model: Any, here: KvasirCache, there: KvasirCache, outcome: Outcome, size: Size) -> None:
    """One prompt: computed, then from memory and from the cluster in turn."""
    prefix = size.prefix_tokens
    ids = new_prompt(prefix + QUESTION_TOKENS)
    computed = DynamicCache(config=model.config)
    _answer(model, ids[:, :prefix], computed)
    here.store(ids, computed)
    _await(lambda: there.load(ids).get_seq_length() == prefix)

    uncached, full = _timed(lambda: _answer(model, ids, DynamicCache(config=model.config)))
    cached, ours = _timed(lambda: _answer(model, ids, there.load(ids)))
    in_memory, expected = _timed(lambda: _answer(model, ids, computed))
    outcome.compare(ours, expected)
    outcome.recomputed_max_abs_diff = max(outcome.recomputed_max_abs_diff, _diff(ours, full))
    if not torch.equal(full[:, -1].argmax(-1), ours[:, -1].argmax(-1)):
        outcome.generations_equal = False
    outcome.uncached_ms.append(uncached)
    outcome.cached_ms.append(cached)
    outcome.in_memory_ms.append(in_memory)


def _generate(model: Any, there: KvasirCache, outcome: Outcome, size: Size) -> None:
    """The same tokens with and without the cache."""
    _say(f"{size.new_tokens} new tokens with and without the cache")
    ids = new_prompt(size.prefix_tokens // 4)
    options = {"max_new_tokens": size.new_tokens, "do_sample": False, "pad_token_id": 0}
    there.store(ids, _prefill(model, ids))
    expected = model.generate(ids, attention_mask=torch.ones_like(ids), **options)
    if not torch.equal(there.generate(ids, **options), expected):
        outcome.generations_equal = False


def _prefill(model: Any, ids: torch.Tensor) -> DynamicCache:
    cache = DynamicCache(config=model.config)
    _answer(model, ids, cache)
    return cache


def _answer(model: Any, ids: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
    """Logits of the question's tokens."""
    return forward(model, ids, cache, QUESTION_TOKENS)


def _diff(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return float((actual - expected).abs().max())


def _timed(action: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    begin = time.perf_counter()
    answer = action()
    return (time.perf_counter() - begin) * 1000, answer


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _INDEX_LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("KVA-0599 the second node does not find what the first one stored")
        time.sleep(0.01)


def _result(outcome: Outcome, tokens_from_peer: int, seconds: float) -> dict[str, Any]:
    return {
        "logitsCompared": outcome.logits_compared,
        "logitsEqual": outcome.logits_equal,
        "maxAbsDiff": outcome.max_abs_diff,
        "recomputedMaxAbsDiff": outcome.recomputed_max_abs_diff,
        "generationsEqual": outcome.generations_equal,
        "tokensFromPeer": tokens_from_peer,
        "ttftMs": {
            "uncached": round(statistics.median(outcome.uncached_ms), 1),
            "cached": round(statistics.median(outcome.cached_ms), 1),
            "inMemory": round(statistics.median(outcome.in_memory_ms), 1),
        },
        "seconds": round(seconds, 1),
    }


def _say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
