"""The datasets by name."""

from __future__ import annotations

from winit.datasets.dataset import AUTO, Dataset
from winit.datasets.digits import DIGITS
from winit.datasets.mnist import MNIST
from winit.datasets.mnist5k import MNIST5K
from winit.datasets.shapeset import SHAPESET
from winit.datasets.spirals import SPIRALS
from winit.vocabulary.errors import unknown_name

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (DIGITS, SPIRALS, SHAPESET, MNIST5K, MNIST)}


def dataset_of(name: str) -> Dataset:
    """Return the dataset of that name.

    Raises:
        ValueError: an unknown name.
    """
    if name not in DATASETS:
        raise ValueError(unknown_name("dataset", name, DATASETS))
    return DATASETS[name]


def part_sizes(name: str) -> tuple[int, int, int]:
    """Return the numbers of examples in the training, validation and test parts of a dataset."""
    return dataset_of(name).part_sizes


def ensure(name: str, folder: str = AUTO) -> None:
    """Check that a dataset's files are present and intact, or download them, before anything is computed.

    Raises:
        ValueError: files are missing or damaged; the sentence says what to do.
    """
    check = dataset_of(name).ensure
    if check is not None:
        check(folder)
