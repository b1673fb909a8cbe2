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
