"""What reconstructs without a network."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import needs_mnist
from winit.analysis.baselines import baselines, pca_error
from winit.datasets import mnist
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
    assert baselines(compose(["study=smoke"])).empty


@needs_mnist
def test_pca_of_mnist_is_the_published_number():
    """13.87 in Hinton & Salakhutdinov 2006, figure 3."""
    x, _ = mnist.read()
    assert pca_error(x[:60_000], x[60_000:], 30) == pytest.approx(13.87, rel=0.005)
    assert pca_error(x[:60_000], x[60_000:], 0) == pytest.approx(52.90, abs=0.01)
