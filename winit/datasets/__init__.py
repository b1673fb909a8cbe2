"""Datasets: sizes known without loading, loaders, splits, scaling."""

from winit.datasets.batches import shuffled_epochs
from winit.datasets.dataset import AUTO, Dataset, Part, Split
from winit.datasets.loading import load
from winit.datasets.registry import (
    DATASETS,
    TEST_PART,
    VALIDATION_PART,
    chance_limit,
    dataset_of,
    ensure,
    guessing_limit,
    part_sizes,
)

__all__ = [
    "AUTO",
    "DATASETS",
    "TEST_PART",
    "VALIDATION_PART",
    "Dataset",
    "Part",
    "Split",
    "chance_limit",
    "dataset_of",
    "ensure",
    "guessing_limit",
    "load",
    "part_sizes",
    "shuffled_epochs",
]
