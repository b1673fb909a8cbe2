"""Load a dataset: read, split and scale it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from winit.datasets.dataset import AUTO, Dataset, Part, Split
from winit.datasets.registry import dataset_of


def load(name: str, parameters: Mapping[str, float], seed: int, folder: str = AUTO, scaling: str = "standard") -> Split:
    """Return a dataset, split and scaled.

    Args:
        name: of the dataset.
        parameters: of its generator; empty for datasets that are read from files.
        seed: of the random stream that generates and shuffles it.
        folder: of its files; the setting data.dir.
        scaling: `standard`: inputs have mean 0 and variance 1 on the training part. `unit`: (x − min)/(max − min) with the
            minimum and maximum of the training part, clipped to [0, 1]. Images are scaled with one statistic for all pixels,
            other data with one for each input. An input that is constant in the training part becomes 0.

    Returns:
        The dataset; bit-identical for the same arguments.

    Raises:
        ValueError: the dataset is unknown, or its files are missing or damaged.
    """
    dataset, rng = dataset_of(name), np.random.default_rng(seed)
    x, y = dataset.read(rng, folder, parameters)
    rows = split_rows(dataset, rng)
    scale = scaler(x[rows[0]], scaling, together=dataset.is_image)
    train, validation, test = (Part(scale(x[i]).astype(np.float32), y[i].astype(np.int64)) for i in rows)
    return Split(train, validation, test, dataset.classes)


def split_rows(dataset: Dataset, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the indices of the training, validation and test examples, shuffled except for a fixed test part."""
    train, validation, test = dataset.part_sizes
    if dataset.test is None:
        return np.split(rng.permutation(dataset.examples), [train, train + validation])
    rest = dataset.examples - test
    return [*np.split(rng.permutation(rest), [train]), np.arange(rest, dataset.examples)]


def scaler(train: np.ndarray, scaling: str, together: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that scales inputs (N, D) with the statistics of the training part.

    Args:
        train: inputs of the training part (N, D).
        scaling: `standard` or `unit`, see `load`.
        together: whether all inputs share one statistic.
    """
    axis = None if together else 0
    if scaling == "unit":
        low, width = train.min(axis=axis), np.asarray(np.ptp(train, axis=axis), dtype=float)
    else:
        low, width = train.mean(axis=axis, dtype=float), np.asarray(train.std(axis=axis, dtype=float))
    width[width == 0] = np.inf  # inputs that are constant in training become 0

    def scale(x: np.ndarray) -> np.ndarray:
        values = (x - low) / width
        return values.clip(0, 1) if scaling == "unit" else values

    return scale
