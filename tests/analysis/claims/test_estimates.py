"""Intervals of any level, against tables and other formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm, ttest_1samp

from winit.analysis.claims import estimates


def test_a_count_is_its_own_interval():
    assert estimates.counted(3.0).at(0.999) == (3.0, 3.0)
    assert np.isnan(estimates.UNKNOWN.value) and np.isnan(estimates.UNKNOWN.at(0.95)).all()


@pytest.mark.parametrize("level", [0.95, 0.999])
def test_means_have_t_intervals(level):
    values = np.random.default_rng(0).normal(size=9)
    estimate, interval = estimates.mean(values), ttest_1samp(values, 0).confidence_interval(level)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.at(level) == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_values_that_are_equal_but_for_rounding_are_their_own_interval():
    values = 0.1 + np.arange(5) * 1e-17
    assert estimates.mean(values).at(0.999) == (0.1, 0.1)
    assert np.isnan(estimates.mean([]).value)


def test_infinite_values_have_the_median_with_its_interval_by_order():
    values = [-np.inf, 1, 2, 3, 4, 5, 6, 7, 8, np.inf]
    estimate = estimates.mean(values)
    # Of ten values the second to the ninth contain the median with 97.9 %, the third to the eighth with 89.1 %.
    assert estimate.value == 4.5 and estimate.at(0.95) == (1, 8) and estimate.at(0.99) == (-np.inf, np.inf)
    assert estimates.mean(values[:5]).at(0.95) == (-np.inf, np.inf)  # five contain it with 93.8 % at most
    assert estimates.mean([-np.inf] * 5).at(0.999) == (-np.inf, -np.inf)


@pytest.mark.parametrize(("successes", "low", "high"), [(10, 0.6915, 1), (0, 0, 0.3085), (7, 0.3475, 0.9333)])
def test_shares_have_exact_intervals(successes, low, high):
    assert estimates.share(successes, 10).at(0.95) == pytest.approx((low, high), abs=1e-4)


def pairs(both: int, ours: int, theirs: int, neither: int) -> tuple[list[bool], list[bool]]:
    return (
        [True] * (both + ours) + [False] * (theirs + neither),
        [True] * both + [False] * ours + [True] * theirs + [False] * neither,
    )


@pytest.mark.parametrize("counts", [(0, 10, 0, 0), (5, 0, 0, 5), (0, 0, 10, 0), (4, 9, 3, 14)])
@pytest.mark.parametrize("level", [0.95, 0.998])
def test_differences_of_paired_shares_have_the_interval_of_bonett_and_price(counts, level):
    """With one pair of each kind added: p̃ = (b + 1)/(n + 2), and so on."""
    _, b, c, _ = counts
    n = sum(counts)
    estimate = estimates.share_difference(*pairs(*counts))
    ours, theirs = (b + 1) / (n + 2), (c + 1) / (n + 2)
    reach = norm.ppf((1 + level) / 2) * np.sqrt((ours + theirs - (ours - theirs) ** 2) / (n + 2))
    assert estimate.value == pytest.approx((b - c) / n)
    assert estimate.at(level) == pytest.approx((max(-1, ours - theirs - reach), min(1, ours - theirs + reach)))


def test_differences_of_paired_shares_are_covered():
    n, cells = 10, (0.3, 0.4, 0.1)  # both, ours alone, theirs alone
    truth, covered, total = cells[1] - cells[2], 0.0, 0.0
    for ours in range(n + 1):
        for theirs in range(n + 1 - ours):
            p = binom.pmf(ours, n, cells[1]) * binom.pmf(theirs, n - ours, cells[2] / (1 - cells[1]))
            low, high = estimates.share_difference(*pairs(0, ours, theirs, n - ours - theirs)).at(0.95)
            total, covered = total + p, covered + p * (low <= truth <= high)
    assert total == pytest.approx(1) and 0.94 <= covered <= 0.99


def test_known_intervals_grow_with_the_level_as_t_intervals_do():
    values = np.random.default_rng(1).normal(size=6)
    exact = estimates.mean(values)
    low, high = exact.at(0.95)
    assert estimates.widened(exact.value, low, high, 6).at(0.999) == pytest.approx(exact.at(0.999))
    assert np.isnan(estimates.widened(np.nan, np.nan, np.nan, 6).value)


def test_a_growing_function_of_a_number_has_the_interval_of_its_ends():
    doubled = estimates.mean([1.0, 2.0, 3.0]).transformed(lambda x: 2**x)
    low, high = estimates.mean([1.0, 2.0, 3.0]).at(0.95)
    assert doubled.value == 4 and doubled.at(0.95) == (2**low, 2**high)
