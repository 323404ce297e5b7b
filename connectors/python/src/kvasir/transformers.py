"""Hugging Face Transformers: the ``DynamicCache`` of a prompt's prefix comes from the cluster.

A chunk holds ``[layer][key, value][head][token][dimension]`` in the model's type. Prompts are
single sequences without padding; layers must keep all their keys and values. Adapters change KV
without changing the model's name: models that carry some are not cached.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.cache_utils import DynamicCache, DynamicLayer

from kvasir.acquisition import Acquisition
from kvasir.errors import ConfigError, KvasirError
from kvasir.hashes import chunk_hashes, run_of
from kvasir.identity import Namespace, SpaceRequest
from kvasir.link import NodeLink, Session
from kvasir.protocol import HASH_BYTES, RUN_CHUNKS_MAX, CommitStatus, Source

_LOG = logging.getLogger("kvasir")


class KvasirCache:
    """Loads and stores the KV of one model. A context manager; not thread-safe.

    Whatever happens to the node, ``load`` gives a cache that can be used, an empty one at worst,
    and ``store`` goes without.

    Attributes:
        tokens_loaded: tokens that were loaded so far.
        tokens_from_peers: of those, tokens whose chunks came from another node.
    """

    def __init__(
        self,
        model: Any,
        socket: Path,
        *,
        model_id: str | None = None,
        chunk_tokens: int = 256,
        trust_domain: str = "default",
        tenant_salt: str | None = None,
        load_deadline_s: float = 2.0,
    ) -> None:
        """Starts connecting and returns at once.

        Args:
            model: a causal language model.
            socket: the node's ``engine.sock``.
            model_id: names the weights; the model's own name by default.
            chunk_tokens: tokens per chunk.
            trust_domain: the engines that share a slab.
            tenant_salt: separates tenants.
            load_deadline_s: longest wait for chunks.

        Raises:
            ConfigError: the model cannot be cached safely, with the reason.
        """
        if _has_adapters(model):
            raise ConfigError(
                "KVA-0573 the model has adapters, which its name does not tell - adapters=yes; "
                "merge them into the weights and give the result a model_id of its own"
            )
        self._model = model
        self._warned: set[str] = set()
        self._chunk_tokens = chunk_tokens
        self._load_deadline_s = load_deadline_s
        text = model.config.get_text_config(decoder=True)
        heads = int(getattr(text, "num_key_value_heads", None) or text.num_attention_heads)
        size = int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
        layers = len(_plain_layers(model.config))
        self._shape = (layers, 2, heads, chunk_tokens, size)
        name = model_id or str(getattr(model.config, "_name_or_path", ""))
        dtype = str(model.dtype).removeprefix("torch.")
        namespace = Namespace(
            trust_domain=trust_domain,
            tenant_salt=tenant_salt,
            model=name,
            revision=getattr(model.config, "_commit_hash", None),
            lora_id=None,
            lora_version=None,
            kv_dtype=dtype,
            quant_scale=None,
            layers=layers,
            kv_heads=heads,
            head_size=size,
            block_layout="layer,kv,head,token,dim",
            rope_config=_digest(model.config),
            world_size=1,
            hash_scheme=f"kvasir-sha256/{chunk_tokens}",
        )
        chunk_bytes = layers * 2 * heads * chunk_tokens * size * model.dtype.itemsize
        self.tokens_loaded = 0
        self.tokens_from_peers = 0
        self._link = NodeLink(
            socket,
            "transformers",
            transformers.__version__,
            SpaceRequest(namespace, chunk_tokens, chunk_bytes),
        )

    def wait(self, timeout_s: float) -> bool:
        """Waits for the node; False if it is not there in time."""
        return self._link.wait(timeout_s) is not None

    def load(self, input_ids: torch.Tensor) -> DynamicCache:
        """The KV of the leading chunks of a prompt, as far as the cluster has them.

        At least one token is left to compute.

        Args:
            input_ids: shape ``[1, tokens]``, without padding.

        Returns:
            A new cache of as many tokens as were found, possibly none.

        Raises:
            ValueError: not a single sequence.
        """
        tokens = _tokens(input_ids)
        hashes = chunk_hashes(tokens[:-1], self._chunk_tokens)
        session = self._session()
        if session is not None and hashes:
            try:
                return self._load(session, hashes)
            except KvasirError as e:
                self._link.report(session, e)
        return DynamicCache(config=self._model.config)

    def store(self, input_ids: torch.Tensor, cache: DynamicCache, first_token: int = 0) -> int:
        """Stores the full chunks of a sequence that are not stored yet.

        Args:
            input_ids: shape ``[1, tokens]``; ``cache`` may hold fewer tokens.
            cache: the KV of the leading tokens.
            first_token: tokens before it were loaded.

        Returns:
            Number of chunks stored.

        Raises:
            ValueError: not a single sequence.
        """
        tokens = _tokens(input_ids)[: cache.get_seq_length()]
        hashes = chunk_hashes(tokens, self._chunk_tokens)
        first = first_token // self._chunk_tokens
        last = min(len(hashes) // HASH_BYTES, first + RUN_CHUNKS_MAX)
        session = self._session()
        if session is None or last <= first or not self._fits(cache, last):
            return 0
        try:
            return self._store(session, hashes, first, last, cache)
        except KvasirError as e:
            self._link.report(session, e)
            return 0

    def generate(self, input_ids: torch.Tensor, **options: Any) -> torch.Tensor:
        """``model.generate`` that begins with what the cluster has and stores what it has not.

        Args:
            input_ids: shape ``[1, tokens]``, without padding.
            options: for ``generate``.

        Returns:
            Prompt and new tokens, shape ``[1, tokens]``.

        Raises:
            ValueError: not a single sequence, or several are asked for.
        """
        self._check_single(options)
        cache = self.load(input_ids)
        loaded = cache.get_seq_length()
        # The mask must be told: guessed from padding it would cover the new tokens only.
        output: torch.Tensor = self._model.generate(
            input_ids,
            past_key_values=cache,
            attention_mask=torch.ones_like(input_ids),
            return_dict_in_generate=False,
            **options,
        )
        self.store(output, cache, loaded)
        return output

    def close(self) -> None:
        """Leaves the node. May be called twice."""
        self._link.close()

    def __enter__(self) -> KvasirCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _session(self) -> Session | None:
        """The session, or None while nothing may be loaded or stored."""
        if _has_adapters(self._model):
            self._warn_once(
                "KVA-0573 the model has got adapters, computing instead - adapters=yes; "
                "merge them into the weights and make a cache with a model_id of its own"
            )
            return None
        return self._link.session

    def _fits(self, cache: DynamicCache, last: int) -> bool:
        """Is every layer of the cache what the namespace says, for all tokens to be stored?"""
        layers, _, heads, _, size = self._shape
        tokens = last * self._chunk_tokens
        found = [
            (tuple(states.shape), states.dtype) if isinstance(states, torch.Tensor) else None
            for layer in cache.layers
            for states in (layer.keys, layer.values)
        ]
        is_good = len(found) == 2 * layers and all(
            entry is not None
            and len(entry[0]) == 4
            and entry[0][:2] == (1, heads)
            and entry[0][2] >= tokens
            and entry[0][3] == size
            and entry[1] == self._model.dtype
            for entry in found
        )
        if not is_good:
            kinds = sorted(map(str, set(found)))
            self._warn_once(
                f"KVA-0574 cache of another shape, not stored - states={kinds} "
                f"expected={2 * layers} of [1, {heads}, {tokens} or more, {size}] "
                f"{self._model.dtype}; hand over the cache of this model and a single sequence"
            )
        return is_good

    def _check_single(self, options: dict[str, Any]) -> None:
        configs = (
            options.get("generation_config"),
            getattr(self._model, "generation_config", None),
        )
        chosen = next((config for config in configs if config is not None), None)
        for name in ("num_beams", "num_return_sequences"):
            value = options.get(name)
            value = getattr(chosen, name, None) if value is None else value
            if value is not None and value > 1:
                raise ValueError(
                    f"KVA-0572 only single sequences can be generated - {name}={value} (limit=1); "
                    f"set {name}=1, or call the model's own generate"
                )

    def _warn_once(self, message: str) -> None:
        if message[:8] not in self._warned:
            self._warned.add(message[:8])
            _LOG.warning("%s", message)

    def _load(self, session: Session, hashes: bytes) -> DynamicCache:
        count = min(len(hashes) // HASH_BYTES, RUN_CHUNKS_MAX)
        run = run_of(hashes, self._chunk_tokens, 0, count)
        known = session.client.lookup(session.space, run).result()
        # A partial answer says nothing of peers; ACQUIRE gives the index more time.
        found = count if known.partial else known.found
        empty = DynamicCache(config=self._model.config)
        if found == 0:
            return empty
        run = run_of(hashes, self._chunk_tokens, 0, found)
        acquisition = session.client.acquire(session.space, run, self._load_deadline_s)
        try:
            states = self._copy(session, acquisition)
        finally:
            released = acquisition.release()
        if states is None or not released.result():
            return empty
        sources = [chunk.place.source for chunk in acquisition.chunks]
        self.tokens_loaded += len(sources) * self._chunk_tokens
        self.tokens_from_peers += sources.count(Source.PEER) * self._chunk_tokens
        return states

    def _copy(self, session: Session, acquisition: Acquisition) -> DynamicCache | None:
        """Copies chunks as they come; None if there were none."""
        chunks = []
        for chunk in acquisition:
            place = chunk.place
            # Writable only because torch knows no other way; it is read once.
            memory = session.client.slab.view(
                place.segment, place.segment_offset, place.length_bytes
            )
            values = torch.frombuffer(memory, dtype=self._model.dtype).view(self._shape)
            chunks.append(values.to(self._model.device))
        if not chunks:
            return None
        cache = DynamicCache(config=self._model.config)
        for index in range(self._shape[0]):
            keys, values = (
                torch.cat([c[index, kv] for c in chunks], dim=1).unsqueeze(0) for kv in (0, 1)
            )
            # update() would copy them once more; without tokens it only prepares the layer.
            cache.update(keys[:, :, :0], values[:, :, :0], index)
            layer = cache.layers[index]
            layer.keys, layer.values = keys, values
        return cache

    def _store(
        self, session: Session, hashes: bytes, first: int, last: int, cache: DynamicCache
    ) -> int:
        run = run_of(hashes, self._chunk_tokens, first, last)
        reservations = session.client.reserve(session.space, run).result()
        slots = [reservation.slot for reservation in reservations if reservation.is_reserved]
        if not slots:
            return 0
        try:
            for number, reservation in enumerate(reservations, first):
                if reservation.is_reserved:
                    chunk = torch.frombuffer(reservation.memory, dtype=self._model.dtype)
                    self._fill(chunk.view(self._shape), cache, number)
        except BaseException:
            session.client.abort(session.space, slots)
            raise
        entries = session.client.commit(session.space, slots).result()
        return sum(entry.status == CommitStatus.COMMITTED for entry in entries)

    def _fill(self, chunk: torch.Tensor, cache: DynamicCache, number: int) -> None:
        begin = number * self._chunk_tokens
        for index, layer in enumerate(cache.layers):
            for kv, states in enumerate((layer.keys, layer.values)):
                chunk[index, kv].copy_(states[0, :, begin : begin + self._chunk_tokens])


def _plain_layers(config: Any) -> list[Any]:
    layers = list(DynamicCache(config=config).layers)
    kinds = {type(layer).__name__ for layer in layers if type(layer) is not DynamicLayer}
    if kinds or not layers:
        raise ConfigError(
            f"KVA-0591 the model's cache cannot be shared - layers={sorted(kinds) or 'none'} "
            "(only DynamicLayer); sliding-window and linear layers forget what a prefix needs"
        )
    return layers


def _has_adapters(model: Any) -> bool:
    return bool(
        getattr(model, "_hf_peft_config_loaded", False) or getattr(model, "peft_config", None)
    )


def _digest(config: Any) -> str:
    text = json.dumps(config.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _tokens(input_ids: torch.Tensor) -> list[int]:
    if input_ids.dim() != 2 or input_ids.shape[0] != 1:
        raise ValueError(
            f"KVA-0592 not a single sequence - shape={tuple(input_ids.shape)} (expected=[1, n]); "
            "call once per sequence"
        )
    tokens: list[int] = input_ids[0].tolist()
    return tokens
