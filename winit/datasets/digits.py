"""Handwritten digits of 8×8 pixels, embedded in scikit-learn."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from winit.datasets.dataset import Dataset, Examples


@cache
def read() -> Examples:
    """Read the digits: x (1797, 64) from 0 to 16, y (1797,). The file is read once per process.

    The file is part of scikit-learn. `sklearn.datasets.load_digits` returns the same numbers but takes a second to import.
    """
    package = find_spec("sklearn")  # finds it without importing it
    assert package and package.origin, "winit depends on scikit-learn"
    table = np.loadtxt(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    x, y = table[:, :-1], table[:, -1].astype(np.int64)
    x.flags.writeable = y.flags.writeable = False
    return x, y


DIGITS = Dataset(
    name="digits",
    label="digits",
    examples=1797,
    inputs=64,
    classes=10,
    source="8×8 handwritten digits of the UCI test set, embedded in scikit-learn",
    read=lambda rng, folder, parameters: read(),
    is_image=True,
)
