"""Datasets: split without overlap, standardized on the training part, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import ON_DISK, needs_mnist
from winit import datasets

AT_HAND = [name for name, dataset in datasets.DATASETS.items() if not dataset.needs_files]


@pytest.fixture(params=AT_HAND, scope="module")
def loaded(request):
    return request.param, datasets.load(request.param, datasets.DATASETS[request.param].parameters, seed=3)


@pytest.fixture
def split(loaded):
    return loaded[1]


def test_inputs_are_standardized_on_the_training_part(loaded):
    """Vectors by input, images all pixels together."""
    name, split = loaded
    axis = None if datasets.DATASETS[name].is_image else 0
    x = split.train.x.astype(np.float64)
    np.testing.assert_allclose(x.mean(axis=axis), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=axis), 1, atol=1e-6)
    for part in (split.validation, split.test):
        assert np.isfinite(part.x).all()
        assert abs(part.x.mean()) > 0  # standardized with the training part's numbers, not with their own


@needs_mnist
def test_mnist_is_standardized_as_images_and_keeps_its_test_part():
    split = datasets.load("mnist", {}, seed=3)
    x = split.train.x
    assert x.mean(dtype=float) == pytest.approx(0, abs=1e-6) and x.std(dtype=float) == pytest.approx(1, abs=1e-6)
    assert len(np.unique(x[:, 0])) == 1 and x[0, 0] < 0  # a pixel that is always black is black, not 0
    assert [len(part.y) for part in (split.train, split.validation, split.test)] == [50_000, 10_000, 10_000]
    assert split.test.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]  # the canonical test part begins so
    other = datasets.load("mnist", {}, seed=4)
    assert (other.test.y == split.test.y).all() and (other.train.y != split.train.y).any()


@pytest.mark.parametrize("name", [*AT_HAND, *ON_DISK])
def test_declared_sizes_are_those_of_the_data(name):
    facts = datasets.DATASETS[name]
    split = datasets.load(name, facts.parameters, seed=1)
    sizes = [len(part.y) for part in (split.train, split.validation, split.test)]
    assert sum(sizes) == facts.examples
    assert tuple(sizes) == datasets.part_sizes(name)
    assert split.train.x.shape[1] == facts.inputs
    assert set(split.train.y) == set(range(facts.classes)) and split.classes == facts.classes


def test_types(split):
    for part in (split.train, split.validation, split.test):
        assert part.x.dtype == np.float32 and part.y.dtype == np.int64


def test_parts_do_not_overlap(split):
    parts = (split.train, split.validation, split.test)
    examples = [(x.tobytes(), y) for part in parts for x, y in zip(part.x, part.y, strict=True)]
    assert len(set(examples)) == len(examples)


@pytest.mark.parametrize("name", ["digits", "mnist5k", "shapeset"])
def test_no_pixel_of_an_image_is_far_from_the_others(name):
    """One mean and one deviation serve all pixels, so one that is nearly always black keeps the little weight that it has."""
    split = datasets.load(name, {}, seed=3)
    assert datasets.DATASETS[name].is_image
    for part in (split.train, split.validation, split.test):
        assert np.abs(part.x).max() < 4
    black = split.train.x.min()
    assert black < 0 and (split.test.x.min() == black)


def test_the_seed_decides_the_split():
    one, same, other = (datasets.load("digits", {}, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.train.x, same.train.x)
    assert (one.test.y != other.test.y).any()


def test_an_unknown_dataset_is_refused():
    with pytest.raises(ValueError, match="unknown dataset 'digit'; did you mean 'digits'"):
        datasets.load("digit", {}, 0)


@pytest.mark.parametrize("name", AT_HAND)
def test_inputs_are_brought_to_the_unit_interval(name):
    parameters = datasets.DATASETS[name].parameters
    split, standard = (datasets.load(name, parameters, 3, scaling=scaling) for scaling in ("unit", "standard"))
    for part in (split.train, split.validation, split.test):
        assert part.x.min() >= 0 and part.x.max() <= 1 and part.x.dtype == np.float32
    axis = None if datasets.DATASETS[name].is_image else 0
    assert (split.train.x.max(axis=axis) == 1).all() and (split.train.x.min(axis=axis) == 0).all()
    assert np.array_equal(split.test.y, standard.test.y)


def test_an_input_that_is_constant_in_training_becomes_0(monkeypatch):
    def read(rng, folder, parameters):
        return np.column_stack([np.arange(50.0), np.full(50, 7.0)]), np.arange(50) % 2

    monkeypatch.setitem(datasets.DATASETS, "flat", datasets.Dataset("flat", "flat", 50, 2, 2, "a test", read))
    for scaling in ("standard", "unit"):
        split = datasets.load("flat", {}, seed=1, scaling=scaling)
        assert (split.train.x[:, 1] == 0).all() and (split.test.x[:, 1] == 0).all() and split.train.x[:, 0].std() > 0


def test_a_dataset_is_one_object(monkeypatch):
    """It is registered under its name, and nothing else is told of it."""

    def read(rng, folder, parameters):
        return rng.uniform(-parameters["reach"], parameters["reach"], (50, 3)), np.arange(50) % 2

    cube = datasets.Dataset("cube", "cube", 50, 3, 2, "a test", read, parameters={"reach": 2.0}, test=20)
    monkeypatch.setitem(datasets.DATASETS, "cube", cube)
    split = datasets.load("cube", cube.parameters, seed=1, scaling="unit")
    assert datasets.part_sizes("cube") == (25, 5, 20) and len(split.test.y) == 20
    assert split.test.y.tolist() == [i % 2 for i in range(30, 50)]  # the given test part, in its order
    assert split.train.x.min() == 0 and split.train.x.max() == 1
    datasets.ensure("cube")


def test_batches_are_shuffled_epochs():
    batches = datasets.shuffled_epochs(np.random.default_rng(0), examples=10, steps=4, batch_size=5)
    assert batches.shape == (4, 5)
    for epoch in (batches[:2], batches[2:]):
        assert sorted(epoch.ravel()) == list(range(10))


@pytest.mark.parametrize(("part", "examples"), [(datasets.VALIDATION_PART, 360), (datasets.TEST_PART, 360)])
def test_the_guessing_limit_is_three_standard_errors_above_chance(part, examples):
    assert datasets.part_sizes("spirals")[part] == examples
    assert datasets.chance_limit("spirals", part) == pytest.approx(1 / 3 + 3 * (2 / 9 / examples) ** 0.5)


def test_a_reconstruction_that_explains_nothing_scores_0():
    assert datasets.guessing_limit("digits", True) == 0
    assert datasets.guessing_limit("digits", False) == datasets.chance_limit("digits", datasets.VALIDATION_PART)
