"""Nodes and a model that ``kvasir.demo`` and ``kvasir.bench`` work with."""

from __future__ import annotations

import contextlib
import json
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.cache_utils import DynamicCache

POSITIONS_MAX = 8192
VOCABULARY = 2048
_START_LIMIT_S = 120.0
_STOP_LIMIT_S = 30.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NodeProcess:
    """A node process with directories of its own."""

    def __init__(
        self,
        left: contextlib.ExitStack,
        launcher: Path,
        name: str,
        seed: str = "",
        slab: str = "1GiB",
    ) -> None:
        """Starts the node and waits until it serves.

        Args:
            left: stops the node and removes what it leaves.
            launcher: the ``kvasir`` command.
            name: the node's name.
            seed: discovery endpoint of another node.
            slab: size of its slab.

        Raises:
            RuntimeError: it does not start.
        """
        self._directory = new_directory(left, None)
        settings = {
            "node.name": name,
            "node.run-dir": self._directory / "run",
            "store.slab-dir": new_directory(left, memory_directory()),
            "store.slab-bytes": slab,
            "cluster.discovery-port": 0,
            "cluster.communication-port": 0,
            "cluster.seeds": seed,
            "transport.port": 0,
        }
        arguments = [a for key, value in settings.items() for a in ("--set", f"{key}={value}")]
        with (self._directory / "node.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(launcher), "node", "--stop-on-stdin-eof", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        left.callback(self._stop)
        ready = self._await_ready()
        self.pid = int(ready["pid"])
        self.socket = Path(ready["engineSocket"])
        self.discovery = f"127.0.0.1:{ready['discoveryPort']}"

    def _stop(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _await_ready(self) -> dict[str, Any]:
        stream = self._process.stdout
        assert stream is not None
        if select.select([stream], [], [], _START_LIMIT_S)[0]:
            line = stream.readline()
            if line.startswith(b"READY "):
                ready: dict[str, Any] = json.loads(line[len(b"READY ") :])
                return ready
        log = (self._directory / "node.log").read_text(errors="replace")
        raise RuntimeError(f"KVA-0597 a node does not start - log={log[-2000:]}; see the log")


def leave_in_order() -> None:
    """Makes an interruption end the process as an error would: what was opened is closed, once."""
    for interruption in _SIGNALS:
        signal.signal(interruption, _interrupt)


def new_model() -> Any:
    """A Llama with random weights."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=512,
            intermediate_size=1024,
            num_hidden_layers=6,
            num_attention_heads=8,
            num_key_value_heads=4,
            max_position_embeddings=POSITIONS_MAX,
        )
    ).eval()


def new_prompt(tokens: int) -> torch.Tensor:
    """A prompt that nobody else has, shape ``[1, tokens]``."""
    return torch.tensor([[random.randrange(VOCABULARY) for _ in range(tokens)]])


def forward(model: Any, ids: torch.Tensor, cache: DynamicCache, keep: int) -> torch.Tensor:
    """Computes what the cache does not hold; logits of the last ``keep`` tokens."""
    rest = ids[:, cache.get_seq_length() :]
    with torch.no_grad():
        logits: torch.Tensor = model(
            rest,
            past_key_values=cache,
            attention_mask=torch.ones_like(ids),
            logits_to_keep=keep,
        ).logits
    return logits


def new_directory(left: contextlib.ExitStack, parent: str | None) -> Path:
    """A directory that is removed with what else is left."""
    directory = tempfile.mkdtemp(prefix="kvasir-stage-", dir=parent)
    left.callback(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)


def memory_directory() -> str | None:
    """Where slabs lie: in memory, if there is such a directory."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """Nodes are stopped and directories removed on the way out."""
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)
