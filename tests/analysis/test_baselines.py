"""Baselines without hidden layers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import needs_mnist
from winit.analysis.baselines import MOST_EXAMPLES, baselines, linear_model, pca_error
from winit.datasets import Part, Split, mnist
from winit.study.compose import compose


def test_components_leave_the_smallest_variances():
    """Of independent inputs with variances 9, 4, 1, two components leave 1, the mean leaves 14."""
    rng = np.random.default_rng(0)
    train, test = (rng.standard_normal((40_000, 3)) * [3, 2, 1] + [5, 0, -2] for _ in range(2))
    assert pca_error(train, test, 0) == pytest.approx(14, rel=0.02)
    assert pca_error(train, test, 2) == pytest.approx(1, rel=0.03)
    assert pca_error(train, test, 3) == pytest.approx(0, abs=1e-9)


def test_a_study_has_them_for_the_size_of_its_code():
    study = compose(["study=smoke", "task=reconstruction", "task.encoder=[20,6]"])
    mean, pca = baselines(study).to_dict("records")
    assert (mean["components"], pca["components"]) == (0, 6)
    assert mean["test_score"] == 0 and pca["test_score"] == pytest.approx(1 - pca["test_loss"] / mean["test_loss"])


def test_a_study_of_classifiers_has_a_linear_model_of_every_dataset():
    table = baselines(compose(["study=smoke", "dataset=[digits,spirals]"])).set_index("dataset")
    assert (table["baseline"] == "linear model").all() and (table["components"] == 0).all()
    assert 0.94 < table.at["digits", "test_score"] < 0.99 and 0.35 < table.at["spirals", "test_score"] < 0.55
    assert 0 < table.at["digits", "test_loss"] < 0.3 < table.at["spirals", "test_loss"] < np.log(3)


def part(x: np.ndarray, y: np.ndarray) -> Part:
    return Part(x.astype(np.float32), y.astype(np.int64))


def test_a_linear_model_finds_a_plane_and_nothing_else():
    """Two classes on either side of a plane, and the same points labelled by the product of two inputs."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (3000, 4))
    for y, low, high in ((x @ [1, -2, 0.5, 0] > 0, 0.98, 1.0), (x[:, 0] * x[:, 1] > 0, 0.4, 0.6)):
        split = Split(*(part(x[i::3], y[i::3]) for i in range(3)), classes=2)
        assert low <= linear_model(split)[1] <= high


def test_the_penalty_is_chosen_on_validation_and_examples_are_limited():
    """Validation alone knows that the labels of the first examples are noise; later examples of the training part are not read."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((MOST_EXAMPLES + 500, 2))
    y = x[:, 0] > 0
    y[MOST_EXAMPLES:] = ~y[MOST_EXAMPLES:]
    held = part(x[:300], y[:300])
    loss, score = linear_model(Split(part(x, y), held, held, classes=2))
    alone = linear_model(Split(part(x[:MOST_EXAMPLES], y[:MOST_EXAMPLES]), held, held, classes=2))
    assert (loss, score) == alone and score > 0.97


@needs_mnist
def test_pca_of_mnist_is_the_published_number():
    """13.87 in Hinton & Salakhutdinov 2006, figure 3."""
    x, _ = mnist.read()
    assert pca_error(x[:60_000], x[60_000:], 30) == pytest.approx(13.87, rel=0.005)
    assert pca_error(x[:60_000], x[60_000:], 0) == pytest.approx(52.90, abs=0.01)
