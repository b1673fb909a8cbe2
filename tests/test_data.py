"""Datasets: split without overlap, standardised on the training part, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from winit import catalog, data


@pytest.fixture(params=catalog.DATASETS)
def split(request):
    return data.load(request.param, catalog.DATASETS[request.param].parameters, seed=3)


def test_inputs_are_standardised_on_the_training_part(split):
    x = split.train.x.astype(np.float64)
    varying = x.std(axis=0) > 0
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=0)[varying], 1, atol=1e-6)
    assert (x[:, ~varying] == 0).all()
    for part in (split.validation, split.test):
        assert np.isfinite(part.x).all()
        assert abs(part.x.mean()) > 0  # standardised with the training part's numbers, not with their own


def test_types(split):
    for part in (split.train, split.validation, split.test):
        assert part.x.dtype == np.float32 and part.y.dtype == np.int64


def test_parts_do_not_overlap(split):
    examples = np.concatenate([p.x for p in (split.train, split.validation, split.test)])
    labels = np.concatenate([p.y for p in (split.train, split.validation, split.test)])
    assert len(np.unique(np.column_stack([examples, labels]), axis=0)) == len(labels)


def test_the_seed_decides_the_split():
    one, same, other = (data.load("digits", {}, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.train.x, same.train.x)
    assert (one.test.y != other.test.y).any()


def test_spirals_follow_their_equation_without_noise():
    x, y = data.spirals(np.random.default_rng(0), turns=1.25, noise=0.0)
    r = np.hypot(*x.T)
    expected = 2 * np.pi * (1.25 * r + y / 3)
    np.testing.assert_allclose(np.cos(np.arctan2(x[:, 1], x[:, 0]) - expected), 1, atol=1e-9)
    assert r.min() >= 0.1 and r.max() <= 1


def test_an_unknown_dataset_is_refused():
    with pytest.raises(ValueError, match="unknown dataset 'digit'; did you mean 'digits'"):
        data.load("digit", {}, 0)
