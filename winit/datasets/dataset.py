"""The interface of a dataset, and the result of loading one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

AUTO = "auto"  # the folder named by the environment, or the cache

Examples = tuple[np.ndarray, np.ndarray]  # x (N, D) and y (N,)
Reader = Callable[[np.random.Generator, str, Mapping[str, float]], Examples]  # rng, folder, parameters

TRAIN, VALIDATION = 0.6, 0.2  # shares of the examples; the rest is the test part
HELD_OUT = 1 / 6  # share for validation if the test part is fixed


@dataclass(frozen=True)
class Dataset:
    """One dataset. Its sizes are known without loading it.

    Attributes:
        name: as written in a study.
        label: for tables and figures.
        examples, inputs, classes: N, D and the number of classes.
        source: where the examples come from.
        read: `read(rng, folder, parameters)` returns raw inputs x (N, D) and labels y (N,), neither split nor scaled.
            A generated dataset draws from `rng`; other datasets read files in `folder`.
        parameters: of the generator, with their default values.
        test: number of test examples if they are fixed (the last ones); None for a fifth of all examples.
        is_image: whether inputs are pixels. Pixels share one mean and one standard deviation, because scaling each pixel
            separately would amplify pixels that are nearly always black.
        ensure: `ensure(folder)` checks that the files are present and intact, or downloads them; None if there are no files.
    """

    name: str
    label: str
    examples: int
    inputs: int
    classes: int
    source: str
    read: Reader
    parameters: Mapping[str, float] = field(default_factory=dict)
    test: int | None = None
    is_image: bool = False
    ensure: Callable[[str], object] | None = None

    @property
    def needs_files(self) -> bool:
        """Whether the dataset is read from a folder or downloaded."""
        return self.ensure is not None

    @property
    def part_sizes(self) -> tuple[int, int, int]:
        """The numbers of examples in the training, validation and test parts."""
        if self.test is None:
            train, validation = int(TRAIN * self.examples), int(VALIDATION * self.examples)
            return train, validation, self.examples - train - validation
        rest = self.examples - self.test
        return rest - int(HELD_OUT * rest), int(HELD_OUT * rest), self.test


@dataclass(frozen=True)
class Part:
    """Examples of one part of a dataset: x (N, D) float32, y (N,) int64."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Split:
    """A dataset, split in three and scaled with the statistics of the training part."""

    train: Part
    validation: Part
    test: Part
    classes: int
