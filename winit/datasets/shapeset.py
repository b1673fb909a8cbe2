"""Shapeset-3×2: grey images of one or two triangles, parallelograms and ellipses, generated.

Section 2.1 of the source states: images of 32×32; one or two objects; random lengths, angles, scale, rotation, translation
and grey level; the second object covers at most half of the first one's area; the label is the multiset of shapes.
The following choices are ours: all classes have the same number of examples; the background is black; objects lie completely
inside the image; the ranges below; a pixel belongs to an object if its centre does, without antialiasing. Objects are large,
with the same range of areas for all shapes, because 64 units learn little from a few thousand images of small objects. The
source generates new images without end; here their number is fixed.

Source: Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from winit.datasets.dataset import Dataset, Examples

EXAMPLES, SIDE = 15_300, 32
SHAPES = ("triangle", "parallelogram", "ellipse")
TRIANGLE, PARALLELOGRAM, ELLIPSE = range(3)
# The multisets of one or two shapes: the index of a class is its label.
CLASSES = tuple(shapes for size in (1, 2) for shapes in combinations_with_replacement(range(3), size))

AREA = (180.0, 260.0)  # of an object, in pixels
RATIO = 1.1  # largest ratio of an object's longer length to its shorter one
ANGLE = (np.pi / 3, 3 * np.pi / 8)  # between the two lengths; the axes of an ellipse are perpendicular
GREY = (0.4, 1.0)  # of an object
CONTRAST = 0.2  # smallest difference in grey between two objects
COVERED = 0.5  # largest share of the first object's pixels that the second may cover
FILL = np.array([1 / 2, 1.0, np.pi / 4])  # areas of the canonical regions, see `inside`
BLOCK = 500  # objects rasterized together, so that their coordinates stay in the processor's cache


@dataclass(frozen=True)
class Scenes:
    """The objects in images.

    Attributes:
        shapes: indices into SHAPES of the first object and of the second one on top of it (N, 2); −1: no second object.
        grey: grey levels of the two (N, 2).
        masks: the pixels of the two, including covered ones (N, 2, 32, 32).
    """

    shapes: np.ndarray
    grey: np.ndarray
    masks: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """The images, row by row, (N, 1024) between 0 and 1, float32."""
        grey = self.grey.astype(np.float32)[:, :, None, None]
        first = self.masks[:, 0] * grey[:, 0]
        return np.where(self.masks[:, 1], grey[:, 1], first).reshape(len(first), -1)


def scenes(rng: np.random.Generator, labels: np.ndarray) -> Scenes:
    """Draw a scene for every label. The order of two different shapes is random.

    A second object that covers more than COVERED of the first is redrawn.

    Args:
        rng: the stream.
        labels: indices into CLASSES (N,).
    """
    pairs = np.array([(*shapes, -1)[:2] for shapes in CLASSES])
    shapes = pairs[labels]
    pair = shapes[:, 1] >= 0
    swapped = pair & (rng.random(len(labels)) < 0.5)
    shapes[swapped] = shapes[swapped, ::-1]
    masks = np.zeros((len(labels), 2, SIDE, SIDE), dtype=bool)
    masks[:, 0] = inside(shapes[:, 0], *draw(rng, shapes[:, 0]))
    (open_rows,) = np.nonzero(pair)
    while len(open_rows):
        second = shapes[open_rows, 1]
        masks[open_rows, 1] = inside(second, *draw(rng, second))
        first = masks[open_rows, 0]
        covered = np.count_nonzero(first & masks[open_rows, 1], axis=(1, 2))
        open_rows = open_rows[covered > COVERED * np.count_nonzero(first, axis=(1, 2))]
    return Scenes(shapes, grey_levels(rng, len(labels)), masks)


def grey_levels(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw pairs of grey levels (N, 2), uniform among those in GREY that differ by CONTRAST or more."""
    low, high = GREY
    levels = np.sort(rng.uniform(low, high - CONTRAST, (size, 2)), axis=1)
    levels[:, 1] += CONTRAST
    return rng.permuted(levels, axis=1)


def draw(rng: np.random.Generator, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw objects that lie completely inside the image.

    Two lengths a, b with log a/b ~ U(−log RATIO, log RATIO), at an angle ~ U(ANGLE), scaled to an area ~ U(AREA), rotated by
    ~ U(0, 2π), and moved to a uniform position inside the image.

    Args:
        rng: the stream.
        shape: indices into SHAPES (N,).

    Returns:
        matrix M (N, 2, 2) and centre c (N, 2), see `inside`.
    """
    size = len(shape)
    area, ratio = rng.uniform(*AREA, size), RATIO ** rng.uniform(-1, 1, size)
    angle = np.where(shape == ELLIPSE, np.pi / 2, rng.uniform(*ANGLE, size))
    turn = rng.uniform(0, 2 * np.pi, size)
    b = np.sqrt(area / (FILL[shape] * ratio * np.sin(angle)))
    sides = np.stack([ratio * b * np.exp(1j * turn), b * np.exp(1j * (turn + angle))], axis=1)
    matrix = np.stack([sides.real, sides.imag], axis=1)
    low, high = extent(shape, matrix)
    return matrix, rng.uniform(-low, SIDE - high)


def extent(shape: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest coordinates (N, 2) of objects, relative to their centres.

    Args:
        shape, matrix: as in `inside`.
    """
    vertices = np.pad(matrix, ((0, 0), (0, 0), (1, 0))) - matrix.sum(axis=2, keepdims=True) / 3
    box = np.abs(matrix).sum(axis=2) / 2
    ball = np.linalg.norm(matrix, axis=2) / 2
    kind = shape[:, None]
    return (
        np.choose(kind, [vertices.min(axis=2), -box, -ball]),
        np.choose(kind, [vertices.max(axis=2), box, ball]),
    )


def inside(shape: np.ndarray, matrix: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return which pixels have their centre in an object x = c + M p, where p is in a canonical region around its centroid.

        triangle: p₁, p₂ ≥ −1/3, p₁ + p₂ ≤ 1/3;   parallelogram: |p₁|, |p₂| ≤ 1/2;   ellipse: p₁² + p₂² ≤ 1/4

    The columns of M are two sides of a triangle or a parallelogram, or two diameters of an ellipse.

    Args:
        shape: indices into SHAPES (N,).
        matrix: M (N, 2, 2), in pixels.
        centre: c (N, 2), in pixels from the image's corner: the column, then the row.

    Returns:
        masks (N, 32, 32).
    """
    inverse = np.linalg.inv(matrix)
    offset = np.arange(SIDE) + 0.5 - centre[:, :, None]
    # p = M⁻¹ (x − c) is the sum of a term from the column and a term from the row.
    columns = (inverse[:, :, :1] * offset[:, :1]).astype(np.float32)[:, :, None, :]
    rows = (inverse[:, :, 1:] * offset[:, 1:]).astype(np.float32)[:, :, :, None]
    masks = np.empty((len(shape), SIDE, SIDE), dtype=bool)
    for index, region in enumerate((_triangle, _parallelogram, _ellipse)):
        members = np.flatnonzero(shape == index)
        for block in np.split(members, range(BLOCK, len(members), BLOCK)):
            masks[block] = region(*(columns[block] + rows[block]).swapaxes(0, 1))
    return masks


def _triangle(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return (np.minimum(p, q) >= -1 / 3) & (p + q <= 1 / 3)


def _parallelogram(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(p), np.abs(q)) <= 1 / 2


def _ellipse(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return p * p + q * q <= 1 / 4


def shapeset(rng: np.random.Generator) -> Examples:
    """Generate the images, with the same number in each class.

    Returns:
        x (15300, 1024) between 0 and 1, float32, and y (15300,), indices into CLASSES.
    """
    y = np.arange(EXAMPLES) % len(CLASSES)
    return scenes(rng, y).images, y


SHAPESET = Dataset(
    name="shapeset",
    label="Shapeset-3×2",
    examples=EXAMPLES,
    inputs=SIDE * SIDE,
    classes=len(CLASSES),
    source="32×32 images of one or two triangles, parallelograms and ellipses, generated as in Glorot & Bengio 2010",
    read=lambda rng, folder, parameters: shapeset(rng),
    test=1800,  # small, because examples have 1,024 inputs and are evaluated many times in a run
    is_image=True,
)
