"""The engine's KV tensors as pages: what a block holds is copied whole, never looked into.

The tensors' shapes change with engine version, attention backend and platform; only the block
dimension must be found. What is not understood is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch

from kvasir.errors import ConfigError
from kvasir.vllm.settings import CELL_ALIGN_BYTES


class BlockPages:
    """All pages of a rank. A *fragment* is a tensor ``[blocks, bytes]`` of type uint8."""

    def __init__(self, kv_caches: Mapping[str, torch.Tensor], blocks: int, per_chunk: int) -> None:
        """Finds the pages.

        Args:
            kv_caches: the engine's tensors by layer.
            blocks: number of the engine's blocks.
            per_chunk: blocks in a chunk.

        Raises:
            ConfigError: a tensor has no block dimension, or its blocks overlap.
        """
        self._per_chunk = per_chunk
        self._fragments: list[torch.Tensor] = []
        digest = hashlib.sha256()
        seen = set()
        for name, tensor in kv_caches.items():
            if not isinstance(tensor, torch.Tensor):
                raise _refused(name, f"type={type(tensor).__name__}")
            # Only what lies behind the blocks: their number differs from engine to engine, and
            # with it the strides before.
            dim = _blocks_dimension(name, tensor, blocks)
            shape, stride = tuple(tensor.shape[dim + 1 :]), tensor.stride()[dim + 1 :]
            digest.update(f"{name} {tensor.dtype} {dim} {shape} {stride}\n".encode())
            place = (tensor.data_ptr(), tensor.stride())
            if place not in seen:  # layers may share a tensor
                seen.add(place)
                parts = [tensor] if dim == 0 else [tensor[0], tensor[1]]  # keys, then values
                self._fragments += [_fragment(name, part) for part in parts]
        if not self._fragments:
            raise _refused("none", "layers=0")
        self.device = self._fragments[0].device
        self.block_bytes = sum(fragment.shape[1] for fragment in self._fragments)
        used = per_chunk * self.block_bytes
        self.cell_bytes = -(-used // CELL_ALIGN_BYTES) * CELL_ALIGN_BYTES
        self.layout = f"vllm/{per_chunk} blocks/{digest.hexdigest()}"

    def load(self, cell: torch.Tensor, first_block: int, block_ids: list[int]) -> None:
        """Copies blocks from a cell of the slab; asynchronous on an accelerator."""
        ids = torch.tensor(block_ids, device=self.device)
        for fragment, part in self._parts(cell):
            chosen = part[first_block : first_block + len(block_ids)]
            fragment.index_copy_(0, ids, chosen.to(self.device, non_blocking=True))

    def store(self, cell: torch.Tensor, first_block: int, block_ids: list[int]) -> None:
        """Copies blocks into a cell of the slab; asynchronous on an accelerator."""
        ids = torch.tensor(block_ids, device=self.device)
        for fragment, part in self._parts(cell):
            chosen = part[first_block : first_block + len(block_ids)]
            chosen.copy_(fragment.index_select(0, ids), non_blocking=True)

    def _parts(self, cell: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        parts = []
        offset = 0
        for fragment in self._fragments:
            size = self._per_chunk * fragment.shape[1]
            parts.append((fragment, cell[offset : offset + size].view(self._per_chunk, -1)))
            offset += size
        return parts


def _blocks_dimension(name: str, tensor: torch.Tensor, blocks: int) -> int:
    shape = tensor.shape
    if tensor.dim() >= 2 and shape[0] == blocks:
        return 0
    if tensor.dim() >= 3 and shape[0] == 2 and shape[1] == blocks:
        return 1
    raise _refused(name, f"shape={tuple(shape)} blocks={blocks}")


def _fragment(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of each block. A block must fill a stretch of memory, in whatever order."""
    block = tensor[0]
    elements = 1
    for stride, size in sorted(zip(block.stride(), block.shape, strict=True)):
        if size > 1 and stride != elements:
            raise _refused(name, f"shape={tuple(tensor.shape)} stride={tensor.stride()}")
        elements *= size
    if tensor.shape[0] > 1 and tensor.stride(0) < elements:
        raise _refused(name, f"shape={tuple(tensor.shape)} stride={tensor.stride()}")
    item = tensor.element_size()
    storage = torch.empty(0, dtype=torch.uint8, device=tensor.device)
    storage.set_(tensor.untyped_storage())
    return torch.as_strided(
        storage,
        (tensor.shape[0], elements * item),
        (tensor.stride(0) * item, 1),
        tensor.storage_offset() * item,
    )


def _refused(name: str, problem: str) -> ConfigError:
    return ConfigError(
        f"KVA-0583 KV tensor of an unknown layout - layer={name} {problem}; "
        "use another attention backend, or a version of the connector that knows it"
    )
