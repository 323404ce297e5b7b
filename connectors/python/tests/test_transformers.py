"""A randomly initialised Llama on two nodes: KV from the cluster gives the same logits."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)
from transformers.cache_utils import DynamicCache

from kvasir import Client, ConfigError
from kvasir.transformers import KvasirCache
from nodes import Node, wait_until
from spaces import new_identity

CHUNK = 128


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def peer(node: Node) -> Iterator[Node]:
    other = Node("py2", cluster__seeds=f"127.0.0.1:{node.ready['discoveryPort']}")
    yield other
    other.close()


def connect(model: Any, node: Node, model_id: str) -> KvasirCache:
    cache = KvasirCache(model, node.socket, model_id=model_id, chunk_tokens=CHUNK)
    assert cache.wait(30.0)
    return cache


def new_prompt(length: int) -> torch.Tensor:
    return torch.tensor([[random.randrange(512) for _ in range(length)]])


def logits(model: Any, ids: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
    """Logits of what the cache does not hold."""
    with torch.no_grad():
        rest = ids[:, cache.get_seq_length() :]
        answer: torch.Tensor = model(
            rest, past_key_values=cache, attention_mask=torch.ones_like(ids)
        ).logits
    return answer


def load_all(cache: KvasirCache, ids: torch.Tensor, tokens: int) -> DynamicCache:
    """Loads once the index, which may take a moment, tells of all chunks."""
    loaded: list[DynamicCache] = []

    def is_complete() -> bool:
        loaded.append(cache.load(ids))
        return bool(loaded[-1].get_seq_length() == tokens)

    wait_until(is_complete, what="prefix loaded")
    return loaded[-1]


@pytest.mark.parametrize("length", [500, 1500, 4000])
def test_logits_are_equal_wherever_the_prefix_comes_from(
    model: Any, node: Node, peer: Node, length: int
) -> None:
    name = f"llama-{random.randrange(2**32)}"
    ids = new_prompt(length)
    prefix = (length - 1) // CHUNK * CHUNK
    computed = DynamicCache(config=model.config)
    logits(model, ids[:, :prefix], computed)
    with connect(model, node, name) as here, connect(model, peer, name) as there:
        assert here.store(ids, computed) == prefix // CHUNK
        expected = logits(model, ids, computed)

        for place in (here, there):
            assert torch.equal(logits(model, ids, load_all(place, ids, prefix)), expected)

    full = logits(model, ids, DynamicCache(config=model.config))[:, prefix:]
    assert torch.equal(full.argmax(-1), expected.argmax(-1))
    assert (full - expected).abs().max() < 1e-4


def test_generation_is_the_same_with_the_cache(model: Any, node: Node) -> None:
    ids = new_prompt(600)
    options = {"max_new_tokens": 20, "do_sample": False, "pad_token_id": 0}
    expected = model.generate(ids, attention_mask=torch.ones_like(ids), **options)
    with connect(model, node, f"llama-{random.randrange(2**32)}") as cache:
        assert torch.equal(cache.generate(ids, **options), expected)
        assert cache.load(ids).get_seq_length() == 512
        assert torch.equal(cache.generate(ids, **options), expected)
        longer = torch.cat([expected, new_prompt(200)], dim=1)
        cache.generate(longer, **options)
        assert cache.load(longer).get_seq_length() == 768
    with Client(node.socket, new_identity()) as client:
        wait_until(lambda: client.stats().result()["store"]["pinned"] == 0, what="no pins")


def test_generation_goes_on_when_the_node_is_killed(model: Any) -> None:
    node = Node("dies", "32MiB")
    try:
        ids = new_prompt(600)
        options = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0}
        with connect(model, node, "llama") as cache:
            expected = cache.generate(ids, **options)
            node.kill()
            assert torch.equal(cache.generate(ids, **options), expected)
            assert cache.load(ids).get_seq_length() == 0
    finally:
        node.close()


def test_without_a_node_everything_is_computed(model: Any, tmp_path: Path) -> None:
    ids = new_prompt(300)
    with KvasirCache(model, tmp_path / "none.sock", model_id="llama") as cache:
        assert not cache.wait(0.01)
        assert cache.load(ids).get_seq_length() == 0
        assert cache.store(ids, DynamicCache(config=model.config)) == 0


def test_only_single_sequences_are_generated(model: Any, tmp_path: Path) -> None:
    ids = new_prompt(10)
    with KvasirCache(model, tmp_path / "none.sock", model_id="llama") as cache:
        for name in ("num_beams", "num_return_sequences"):
            several = GenerationConfig(**{name: 2}, do_sample=True)
            for options in ({name: 2}, {"generation_config": several}):
                with pytest.raises(ValueError, match="KVA-0572"):
                    cache.generate(ids, **options)
        single = GenerationConfig(num_beams=2, max_new_tokens=2, pad_token_id=0)
        assert cache.generate(ids, generation_config=single, num_beams=1).shape == (1, 12)


def test_adapters_are_refused_and_later_ones_not_cached(
    model: Any, node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids = new_prompt(300)
    states = DynamicCache(config=model.config)
    logits(model, ids, states)
    with connect(model, node, f"llama-{random.randrange(2**32)}") as cache:
        assert cache.store(ids, states) == 2
        monkeypatch.setattr(model, "_hf_peft_config_loaded", True)
        for _ in range(2):
            assert cache.load(ids).get_seq_length() == 0
            assert cache.store(ids, states) == 0
    assert caplog.text.count("KVA-0573") == 1
    with pytest.raises(ConfigError, match="KVA-0573"):
        KvasirCache(model, node.socket, model_id="llama")


def test_cache_of_another_shape_is_not_stored(
    model: Any, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    ids = new_prompt(300)
    good = DynamicCache(config=model.config)
    logits(model, ids, good)

    def changed(change: Callable[[torch.Tensor], torch.Tensor]) -> DynamicCache:
        cache = DynamicCache(config=model.config)
        for index, layer in enumerate(good.layers):
            last = index == len(good.layers) - 1
            states = [change(s) if last else s for s in (layer.keys, layer.values)]
            cache.update(states[0], states[1], index)
        return cache

    with connect(model, node, f"llama-{random.randrange(2**32)}") as cache:
        for change in (
            lambda s: s.repeat(2, 1, 1, 1),
            lambda s: s.repeat(1, 2, 1, 1),
            lambda s: s[:, :, :200],
            lambda s: s[..., :8],
            lambda s: s.to(torch.float64),
        ):
            assert cache.store(ids, changed(change)) == 0
        assert caplog.text.count("KVA-0574") == 1
        assert cache.store(ids, changed(lambda s: s)) == 2


def test_failed_copy_gives_the_slots_back(
    model: Any, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = new_prompt(300)
    states = DynamicCache(config=model.config)
    logits(model, ids, states)
    with connect(model, node, f"llama-{random.randrange(2**32)}") as cache:

        def fail(*_: object) -> None:
            raise RuntimeError("no memory")

        with monkeypatch.context() as patch:
            patch.setattr(cache, "_fill", fail)
            with pytest.raises(RuntimeError, match="no memory"):
                cache.store(ids, states)
        assert cache.store(ids, states) == 2  # they are free again, at once


def test_what_cannot_be_shared_is_refused(model: Any, tmp_path: Path) -> None:
    small = {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    sliding = MistralForCausalLM(MistralConfig(**small, sliding_window=64))
    with pytest.raises(ConfigError, match="KVA-0591"):
        KvasirCache(sliding, tmp_path / "none.sock", model_id="mistral")
    with pytest.raises(ConfigError, match="model"):
        KvasirCache(model, tmp_path / "none.sock")
    with KvasirCache(model, tmp_path / "none.sock", model_id="llama") as cache:
        for ids in (torch.zeros(2, 8, dtype=torch.long), torch.zeros(8, dtype=torch.long)):
            with pytest.raises(ValueError, match="KVA-0592"):
                cache.load(ids)
