"""Memory of the kernel's matrices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor


def zeros(*shape: int) -> np.ndarray:
    """Return float32 zeros aligned to 64 bytes, which torch guarantees and numpy does not."""
    return torch.zeros(shape).numpy()


def chosen(arrays: Sequence[np.ndarray], networks: Tensor) -> list[np.ndarray]:
    """Return arrays (K, …) restricted to some networks, with the same alignment."""
    return [torch.from_numpy(array)[networks].numpy() for array in arrays]


def addresses(matrices: Iterable[np.ndarray]) -> np.ndarray:
    """Return the addresses of matrices, int64."""
    return np.array([matrix.ctypes.data for matrix in matrices], np.int64)


def rows(stacks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the addresses of every network's matrices in some stacks (K, …), (K, stacks) int64."""
    return np.stack([s.ctypes.data + s.strides[0] * np.arange(len(s), dtype=np.int64) for s in stacks], axis=1)
