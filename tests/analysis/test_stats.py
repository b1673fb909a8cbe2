"""Estimators against closed forms and simple examples."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from winit.analysis import stats


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


def test_a_paired_difference_is_the_t_interval_of_the_differences():
    ours, theirs = np.array([0.9, 0.8, 0.95, 0.7]), np.array([0.5, 0.6, 0.7, 0.6])
    result = stats.paired_difference(ours, theirs)
    # Differences 0.4, 0.2, 0.25, 0.1: mean 0.2375, standard deviation 0.125; t₃ at 97.5 % is 3.1824.
    assert result.mean == pytest.approx(0.2375)
    assert (result.high - result.low) / 2 == pytest.approx(3.18245 * 0.125 / 2, rel=1e-4)
    assert stats.paired_difference(ours, ours - 0.25)[1:] == pytest.approx((0.25, 0.25))
    few = stats.paired_difference(ours[:2], theirs[:2])
    assert few.mean == pytest.approx(0.3) and np.isnan([few.low, few.high]).all()


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.02, 0.3, "better"), (-0.3, -0.02, "worse"), (-0.005, 0.008, "equivalent"), (0.001, 0.009, "equivalent"),
        (-0.1, 0.1, "undecided"), (0.001, 0.2, "better"), (float("nan"), float("nan"), "undecided"),
    ],
)  # fmt: skip
def test_verdicts_in_words(low, high, word):
    assert stats.verdict(low, high, 0.01) == word


def test_profiles_and_their_area():
    ratios, taus = np.array([1, 2, np.inf, 1.5]), np.array([1, 1.5, 2, 4])
    assert stats.performance_profile(ratios, taus).tolist() == [0.25, 0.5, 0.75, 0.75]
    assert stats.profile_score(ratios) == pytest.approx((1 + 2 / 3 + 0 + 2.5 / 3) / 4)
    fine = np.linspace(1, 4, 100_001)
    assert stats.profile_score(ratios) == pytest.approx(stats.performance_profile(ratios, fine).mean(), abs=1e-4)


def test_arrivals_with_censoring_are_shares_of_all():
    assert stats.reached_by(np.array([5, 10, np.inf, np.inf]), 20, np.array([0, 5, 9, 10, 20])).tolist() == [
        0,
        0.25,
        0.25,
        0.5,
        0.5,
    ]
    assert stats.reached_by(np.array([np.inf]), 20, np.array([20])).tolist() == [0]
