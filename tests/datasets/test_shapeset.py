"""Shapeset-3×2 against what its source states, and against the geometry of its shapes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from winit.datasets import shapeset
from winit.datasets.shapeset import CLASSES, ELLIPSE, PARALLELOGRAM, SHAPESET, TRIANGLE, extent, inside, scenes

COUNT = 2700
LABELS = np.arange(COUNT) % 9


@pytest.fixture(scope="module")
def drawn():
    return scenes(np.random.default_rng(0), LABELS)


@pytest.fixture(scope="module")
def covered(drawn):
    """The share of the first object that the second one covers, of the images with two."""
    first, second = drawn.masks[LABELS >= 3].swapaxes(0, 1)
    return (first & second).sum(axis=(1, 2)) / first.sum(axis=(1, 2))


def test_there_are_nine_classes_the_multisets_of_one_or_two_shapes():
    assert len(CLASSES) == len(set(CLASSES)) == SHAPESET.classes == 9
    assert Counter(map(len, CLASSES)) == {1: 3, 2: 6}
    assert all(tuple(sorted(shapes)) == shapes and set(shapes) <= {0, 1, 2} for shapes in CLASSES)


def test_the_data_are_equally_many_images_of_each_class_between_black_and_white():
    x, y = shapeset.shapeset(np.random.default_rng(1))
    assert x.shape == (15_300, 1024) and x.dtype == np.float32 and np.bincount(y).tolist() == [1700] * 9
    assert x.min() == 0 and 0.99 < x.max() <= 1 and not ((x > 0) & (x < 0.4)).any()
    assert len({image.tobytes() for image in x}) == len(x)


def test_a_stream_decides_the_images(drawn):
    same, other = (scenes(np.random.default_rng(seed), LABELS).images for seed in (0, 1))
    assert np.array_equal(same, drawn.images) and (other != same).any(axis=1).all()


def test_a_label_is_the_multiset_of_the_shapes(drawn):
    shown = [tuple(sorted(shape for shape in shapes if shape >= 0)) for shapes in drawn.shapes]
    assert shown == [CLASSES[label] for label in LABELS]
    ordered = drawn.shapes[CLASSES.index((TRIANGLE, ELLIPSE)) == LABELS, 0] == TRIANGLE
    assert ordered.mean() == pytest.approx(0.5, abs=0.1)  # 300 images, s.d. 0.029


def test_the_second_object_covers_at_most_half_of_the_first(drawn, covered):
    assert covered.max() <= 0.5
    assert covered.max() > 0.45 and (covered > 0).mean() > 0.5  # the bound is at work
    assert not drawn.masks[LABELS < 3, 1].any()


def test_every_object_is_seen_in_its_own_grey(drawn):
    images = drawn.images.reshape(-1, 32, 32)
    for image, masks, grey, label in zip(images, drawn.masks, drawn.grey.astype(np.float32), LABELS, strict=True):
        levels, pixels = np.unique(image[image > 0], return_counts=True)
        assert set(levels) == set(grey if label >= 3 else grey[:1]) and pixels.min() > 70
        assert np.array_equal(image > 0, masks.any(axis=0))
    assert drawn.grey.min() >= 0.4 and drawn.grey.max() <= 1 and abs(np.diff(drawn.grey)).min() >= 0.2 - 1e-12
    assert (drawn.grey[:, 0] > drawn.grey[:, 1]).mean() == pytest.approx(0.5, abs=0.05)


def test_areas_do_not_depend_on_the_shape(drawn):
    """Each shape's area is uniform from 180 to 260 pixels: mean 220, s.d. 23; the first objects are never redrawn."""
    areas, shapes = drawn.masks[:, 0].sum(axis=(1, 2)), drawn.shapes[:, 0]
    for shape in (TRIANGLE, PARALLELOGRAM, ELLIPSE):
        chosen = areas[shapes == shape]
        assert chosen.mean() == pytest.approx(220, abs=4) and chosen.std() == pytest.approx(80 / 12**0.5, abs=2)
        assert chosen.min() > 165 and chosen.max() < 275


def spread(masks: np.ndarray) -> np.ndarray:
    """Return the mean of r⁴ over the pixels of each mask, of the distance r that is scaled by their covariance."""
    values = []
    for mask in masks:
        points = np.argwhere(mask).astype(float)
        points -= points.mean(axis=0)
        squares = np.einsum("ni,ij,nj->n", points, np.linalg.inv(np.cov(points.T, bias=True)), points)
        values.append(np.square(squares).mean())
    return np.array(values)


def test_the_shapes_can_be_told_from_the_pixels_of_an_image(drawn):
    """E r⁴ is the same after every affine map: 16/3 of an ellipse, 28/5 of a parallelogram, 32/5 of a triangle."""
    single = LABELS < 3
    measured = spread(drawn.images[single].reshape(-1, 32, 32) > 0)
    nearest = np.abs(measured[:, None] - [32 / 5, 28 / 5, 16 / 3]).argmin(axis=1)
    assert (nearest == LABELS[single]).mean() > 0.98
    pairs = drawn.images[~single].reshape(-1, 32, 32)
    over = pairs == drawn.grey[~single, 1].astype(np.float32)[:, None, None]
    nearest = np.abs(spread(over)[:, None] - [32 / 5, 28 / 5, 16 / 3]).argmin(axis=1)
    assert (nearest == drawn.shapes[~single, 1]).mean() > 0.98  # the object that lies over the other is whole


@pytest.mark.parametrize(
    ("shape", "expected"),
    [(TRIANGLE, 10 * 20 / 2), (PARALLELOGRAM, 10 * 20), (ELLIPSE, np.pi * 5 * 10)],
)
def test_an_object_is_where_its_matrix_and_centre_put_it(shape, expected):
    """Lengths of 10 along the columns and of 20 along the rows, around (16.3, 15.2)."""
    matrix, centre = np.array([[[10.0, 0.0], [0.0, 20.0]]]), np.array([[16.3, 15.2]])
    (mask,) = inside(np.array([shape]), matrix, centre)
    rows, columns = np.nonzero(mask)
    assert mask.sum() == pytest.approx(expected, abs=15)  # half a pixel along two sides
    middle = [(columns + 0.5).mean(), (rows + 0.5).mean()]
    np.testing.assert_allclose(middle, centre[0], atol=0.5)
    low, high = extent(np.array([shape]), matrix)
    for seen, axis in ((columns, 0), (rows, 1)):
        assert (
            seen.min() + 0.5 >= centre[0, axis] + low[0, axis] and seen.max() + 0.5 <= centre[0, axis] + high[0, axis]
        )
        assert high[0, axis] - low[0, axis] == pytest.approx((10, 20)[axis])


def test_places_and_rotations_are_spread_evenly():
    """Means of 20,000 draws: the centre is the image's, and no direction is preferred."""
    shape = np.full(20_000, PARALLELOGRAM)
    matrix, centre = shapeset.draw(np.random.default_rng(2), shape)
    np.testing.assert_allclose(centre.mean(axis=0), 16, atol=0.1)
    direction = matrix[:, :, 0] / np.linalg.norm(matrix[:, :, 0], axis=1, keepdims=True)
    np.testing.assert_allclose(direction.mean(axis=0), 0, atol=0.03)
    lengths = np.linalg.norm(matrix, axis=1)
    ratio = lengths[:, 0] / lengths[:, 1]
    assert 1 / 1.1 <= ratio.min() < 0.915 and 1.093 < ratio.max() <= 1.1 + 1e-9
    low, high = extent(shape, matrix)
    assert (centre + low >= -1e-9).all() and (centre + high <= 32 + 1e-9).all()
