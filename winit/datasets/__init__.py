"""Datasets: sizes known without loading, loaders, splits, scaling."""

from winit.datasets.dataset import (
    DATASETS,
    LOADERS,
    ON_DISK,
    Part,
    Split,
    ensure,
    load,
    part_sizes,
    shuffled_epochs,
    spirals,
)

__all__ = [
    "DATASETS",
    "LOADERS",
    "ON_DISK",
    "Part",
    "Split",
    "ensure",
    "load",
    "part_sizes",
    "shuffled_epochs",
    "spirals",
]
