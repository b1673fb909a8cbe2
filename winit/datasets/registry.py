"""The datasets by name."""

from __future__ import annotations

from math import sqrt

from winit.datasets.dataset import AUTO, Dataset
from winit.datasets.digits import DIGITS
from winit.datasets.mnist import MNIST
from winit.datasets.mnist5k import MNIST5K
from winit.datasets.shapeset import SHAPESET
from winit.datasets.spirals import SPIRALS
from winit.vocabulary.errors import unknown_name

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (DIGITS, SPIRALS, SHAPESET, MNIST5K, MNIST)}


def dataset_of(name: str) -> Dataset:
    """Return a dataset by name.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in DATASETS:
        raise ValueError(unknown_name("dataset", name, DATASETS))
    return DATASETS[name]


def part_sizes(name: str) -> tuple[int, int, int]:
    """Return the numbers of examples in the training, validation and test parts of a dataset."""
    return dataset_of(name).part_sizes


VALIDATION_PART, TEST_PART = 1, 2  # indices into `part_sizes`


def chance_limit(name: str, part: int) -> float:
    """Return the accuracy that random guessing stays below on a part of a dataset: three standard errors above chance.

    1/C + 3 √((1/C)(1 − 1/C)/N)

    Args:
        name: of the dataset.
        part: index of the part in `part_sizes`.
    """
    p = 1 / dataset_of(name).classes
    return p + 3 * sqrt(p * (1 - p) / part_sizes(name)[part])


def guessing_limit(name: str, is_reconstruction: bool) -> float:
    """Return the validation score up to which a network counts as having learned nothing.

    Args:
        name: of the dataset.
        is_reconstruction: whether networks reconstruct their inputs; the limit is then 0, the score of the mean predictor.
    """
    return 0.0 if is_reconstruction else chance_limit(name, VALIDATION_PART)


def ensure(name: str, folder: str = AUTO) -> None:
    """Check that the files of a dataset are present and intact, or download them.

    Raises:
        ValueError: files are missing or damaged; the message says what to do.
    """
    check = dataset_of(name).ensure
    if check is not None:
        check(folder)
