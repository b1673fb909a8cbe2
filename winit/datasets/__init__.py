"""Datasets: sizes known without loading, loaders, splits, scaling."""

from winit.datasets.batches import shuffled_epochs
from winit.datasets.dataset import AUTO, Dataset, Part, Split
from winit.datasets.loading import load
from winit.datasets.registry import DATASETS, dataset_of, ensure, part_sizes

__all__ = [
    "AUTO",
    "DATASETS",
    "Dataset",
    "Part",
    "Split",
    "dataset_of",
    "ensure",
    "load",
    "part_sizes",
    "shuffled_epochs",
]
