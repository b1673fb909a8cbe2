"""The spirals against their equation."""

from __future__ import annotations

import numpy as np

from winit.datasets.spirals import spirals


def test_spirals_follow_their_equation_without_noise():
    x, y = spirals(np.random.default_rng(0), turns=1.25, noise=0.0)
    r = np.hypot(*x.T)
    expected = 2 * np.pi * (1.25 * r + y / 3)
    np.testing.assert_allclose(np.cos(np.arctan2(x[:, 1], x[:, 0]) - expected), 1, atol=1e-9)
    assert r.min() >= 0.1 and r.max() <= 1
