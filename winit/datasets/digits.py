"""Handwritten digits of 8×8 pixels, embedded in scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from winit.datasets.dataset import Dataset, Examples


def read(rng: np.random.Generator, folder: str, parameters: Mapping[str, float]) -> Examples:
    """Read the digits: x (1797, 64) from 0 to 16, y (1797,)."""
    from sklearn.datasets import load_digits  # takes a second to import, and only this dataset needs it

    x, y = load_digits(return_X_y=True)
    return x, y


DIGITS = Dataset(
    name="digits",
    label="digits",
    examples=1797,
    inputs=64,
    classes=10,
    source="8×8 handwritten digits of the UCI test set, embedded in scikit-learn",
    read=read,
    is_image=True,
)
