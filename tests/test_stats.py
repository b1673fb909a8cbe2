"""Estimators against closed forms and answers one can work out in one's head."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from winit import stats


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (5, 5), (3, 5), (50, 100)])
def test_wilson_closed_form(successes, trials):
    z, p = 1.959963984540054, successes / trials
    centre = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * sqrt(p * (1 - p) / trials + z * z / (4 * trials**2))
    assert stats.wilson(successes, trials) == pytest.approx((max(centre - half, 0), min(centre + half, 1)), abs=1e-9)


def test_geometric_mean():
    assert stats.geometric_mean([1.0, 100.0]) == pytest.approx(10.0)
    assert stats.geometric_mean([1.0, 0.0]) == 0.0
    assert np.isnan(stats.geometric_mean([])) and np.isnan(stats.geometric_mean([1.0, np.nan]))


def test_decades_per_layer():
    assert stats.decades_per_layer([1.0, 0.1, 0.01]) == pytest.approx(-1.0)
    assert stats.decades_per_layer([2.0, 2.0]) == pytest.approx(0.0)
    assert np.isnan(stats.decades_per_layer([1.0, 0.0])) and np.isnan(stats.decades_per_layer([1.0]))


def test_chance_limit():
    assert stats.chance_limit(2, 100) == pytest.approx(0.5 + 3 * 0.05)
