"""Where the kernel's matrices lie in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor


def zeros(*shape: int) -> np.ndarray:
    """Return float32 zeros on a 64-byte boundary, which torch guarantees and numpy does not."""
    return torch.zeros(shape).numpy()


def chosen(arrays: Sequence[np.ndarray], networks: Tensor) -> list[np.ndarray]:
    """Return arrays (K, …) of some networks alone, on the same boundary."""
    return [torch.from_numpy(array)[networks].numpy() for array in arrays]


def addresses(matrices: Iterable[np.ndarray]) -> np.ndarray:
    """Return where matrices lie in memory, int64."""
    return np.array([matrix.ctypes.data for matrix in matrices], np.int64)


def rows(stacks: Sequence[np.ndarray]) -> np.ndarray:
    """Return where every network's matrices of some stacks (K, …) lie in memory, (K, stacks) int64."""
    return np.stack([s.ctypes.data + s.strides[0] * np.arange(len(s), dtype=np.int64) for s in stacks], axis=1)
