"""Sinusoidal weights."""

from __future__ import annotations

from math import pi, sin

import numpy as np
import pytest
import torch

from tests.schemes.networks import layer
from winit import schemes
from winit.schemes.degeneracy import defects, is_degenerate

SHAPES = [(64, 64), (50, 100), (100, 50), (784, 64)]


@pytest.mark.parametrize("shape", SHAPES)
def test_sinusoidal_is_its_formula_with_an_exact_sample_variance(shape):
    n, m = shape
    w, b = schemes.draw("sinusoidal", layer(n, m))
    assert w.var(ddof=1) == pytest.approx(2 / (n + m), rel=1e-12) and not b.any()
    assert torch.var(torch.from_numpy(w)).item() == pytest.approx(2 / (n + m))
    waves = np.array([[sin(2 * pi * j * i / n + 2 * pi * j / m) for j in range(1, m + 1)] for i in range(n)])
    scale = (w * waves).sum() / (waves * waves).sum()
    np.testing.assert_allclose(w, scale * waves, atol=1e-12)


@pytest.mark.parametrize(("shape", "rank"), [*zip(SHAPES, [31, 25, 49, 64], strict=True)])
def test_rank_of_sinusoidal_weights(shape, rank):
    w, _ = schemes.draw("sinusoidal", layer(*shape))
    assert np.linalg.matrix_rank(w, tol=1e-9) == rank


def test_what_square_sinusoidal_layers_lack_is_said():
    w, _ = schemes.draw("sinusoidal", layer(64, 64))
    sentence = "2 of 64 units have weights of 0; 62 of 64 units are the negative of another; rank 31 of 64"
    assert defects(w) == sentence and not is_degenerate(w)
    assert schemes.card("sinusoidal").defects == sentence


@pytest.mark.parametrize(
    ("shape", "rank"), [((64, 64), 62), ((65, 64), 64), ((64, 30), 30), ((50, 100), 48), ((9, 4), 4)]
)
def test_waves_below_nyquist_are_independent_and_sum_to_0(shape, rank):
    """The rank is the number of units, or of waves that there are: two phases of each of the ⌊(n − 1)/2⌋ frequencies."""
    w, _ = schemes.draw("sinusoidal_nyquist", layer(*shape))
    assert np.linalg.matrix_rank(w, tol=1e-9) == rank
    np.testing.assert_allclose(w.sum(axis=0), 0, atol=1e-12)
    assert w.var() == pytest.approx(2 / sum(shape))


@pytest.mark.parametrize("name", ["sinusoidal", "sinusoidal_nyquist"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 1), (2, 2)])
def test_small_layers_are_finite(name, shape):
    w, _ = schemes.draw(name, layer(*shape))
    assert w.shape == shape and np.isfinite(w).all()
