"""What things are called: initializers, activations, datasets, optimizers, statuses, metrics.

Pure data. Every name, label, colour, marker and order that a table, a figure or a sentence uses stands here once, so
that a scheme looks the same on every page. Nothing is computed from data here and nothing is imported from the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from winit.datasets import mnist
from winit.vocabulary.errors import unknown_name


@dataclass(frozen=True)
class Dataset:
    """One dataset: how many examples, inputs and classes, known without loading it.

    `test` is the size of the test part where the data come with one, as their last examples. `is_image` says that one
    mean and one deviation standardise all inputs together, so that pixels keep their weights.
    """

    label: str
    examples: int
    inputs: int
    classes: int
    source: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    test: int | None = None
    is_image: bool = False


DATASETS: dict[str, Dataset] = {
    "digits": Dataset(
        "digits",
        1797,
        64,
        10,
        "8×8 handwritten digits of the UCI test set, embedded in scikit-learn",
    ),
    "spirals": Dataset(
        "spirals",
        1800,
        2,
        3,
        "three interleaved spiral arms in the plane, generated",
        parameters={"turns": 1.25, "noise": 0.02},
    ),
    "mnist": Dataset(
        "MNIST",
        70_000,
        784,
        10,
        "28×28 handwritten digits, LeCun et al. 1998; 10,000 of the 60,000 training examples are for validation",
        test=10_000,
        is_image=True,
    ),
}

TRAIN, VALIDATION = 0.6, 0.2  # shares of the examples; the rest is the test part
HELD_OUT = 1 / 6  # share for validation, where the test part is given


@dataclass(frozen=True)
class Part:
    """Examples of one part of a dataset: x (N, D) float32, y (N,) int64."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Split:
    """A dataset cut in three. Inputs have mean 0 and variance 1 on `train`: each of them (0 where it is constant there),
    or, of images, all of them together; or they lie between 0 and 1, if `load` was asked for that.
    """

    train: Part
    validation: Part
    test: Part
    classes: int


def part_sizes(name: str) -> tuple[int, int, int]:
    """Return how many examples of a dataset go to train, validation and test."""
    facts = DATASETS[name]
    if facts.test is None:
        train, validation = int(TRAIN * facts.examples), int(VALIDATION * facts.examples)
        return train, validation, facts.examples - train - validation
    rest = facts.examples - facts.test
    return rest - int(HELD_OUT * rest), int(HELD_OUT * rest), facts.test


def digits(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Read the 8×8 digits embedded in scikit-learn: 1,797 examples, 64 inputs, 10 classes."""
    from sklearn.datasets import load_digits  # takes a second to import, and only this dataset needs it

    x, y = load_digits(return_X_y=True)
    return x, y


def spirals(rng: np.random.Generator, turns: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Generate three interleaved spiral arms in the plane.

        r = √u, θ = 2π(turns · r + class/3), x = r (cos θ, sin θ) + noise · ε,  u ~ U(0.01, 1), ε ~ N(0, I)

    √u spreads the points evenly over the disc; the boundary between two arms winds `turns` times around the origin,
    so a network must compose folds to draw it, and depth pays.
    """
    n, arms = DATASETS["spirals"].examples, DATASETS["spirals"].classes
    y = np.arange(n) % arms
    r = np.sqrt(rng.uniform(0.01, 1.0, n))
    theta = 2 * np.pi * (turns * r + y / arms)
    x = np.stack([r * np.cos(theta), r * np.sin(theta)], axis=1) + noise * rng.standard_normal((n, 2))
    return x, y


def shuffled_epochs(rng: np.random.Generator, examples: int, steps: int, batch_size: int) -> np.ndarray:
    """Return indices (steps, B) of mini-batches: shuffled epochs, one after another."""
    needed = steps * batch_size
    epochs = [rng.permutation(examples) for _ in range(-(-needed // examples))]
    return np.concatenate(epochs)[:needed].reshape(steps, batch_size)


LOADERS = {"digits": digits, "spirals": spirals, "mnist": lambda rng, folder: mnist.read(folder)}
ON_DISK = {"mnist"}  # read from a folder, or downloaded


def ensure(name: str, folder: str = mnist.AUTO) -> None:
    """See that a dataset's files are there and whole, before anything is computed.

    Raises:
        ValueError: they are not; the sentence says what to do.
    """
    if name in ON_DISK:
        mnist.files(folder)


def load(
    name: str, parameters: Mapping[str, float], seed: int, folder: str = mnist.AUTO, scaling: str = "standard"
) -> Split:
    """Return a dataset, split and scaled.

    Args:
        name: a dataset of the catalogue.
        parameters: of its generator; empty for a dataset that is read.
        seed: of the stream that generates and shuffles it.
        folder: where files lie, the setting data.dir.
        scaling: `standard`, or `unit`: (x − min)/(max − min) with the extremes of the training part, cut at 0 and 1.

    Returns:
        The same split for the same arguments, to the bit.

    Raises:
        ValueError: unknown dataset, or files that are missing or damaged.
    """
    if name not in LOADERS:
        raise ValueError(unknown_name("dataset", name, LOADERS))
    rng = np.random.default_rng(seed)
    x, y = LOADERS[name](rng, folder, **parameters) if name in ON_DISK else LOADERS[name](rng, **parameters)
    train, validation, test = part_sizes(name)
    if DATASETS[name].test is None:
        cuts = np.split(rng.permutation(len(y)), [train, train + validation])
    else:  # the given test part stays what it is, in its own order
        cuts = [*np.split(rng.permutation(len(y) - test), [train]), np.arange(len(y) - test, len(y))]
    axis = None if DATASETS[name].is_image else 0
    train_x = x[cuts[0]]
    if scaling == "unit":
        low, width = train_x.min(axis=axis), np.asarray(np.ptp(train_x, axis=axis), dtype=float)
    else:
        low, width = train_x.mean(axis=axis, dtype=float), np.asarray(train_x.std(axis=axis, dtype=float))
    width[width == 0] = np.inf  # an input that is constant in training carries nothing: it becomes 0

    def scaled(rows: np.ndarray) -> np.ndarray:
        values = (rows - low) / width
        return values.clip(0, 1) if scaling == "unit" else values

    parts = [Part(scaled(x[i]).astype(np.float32), y[i].astype(np.int64)) for i in cuts]
    return Split(*parts, classes=DATASETS[name].classes)
