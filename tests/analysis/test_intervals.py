"""Intervals against closed forms, published examples and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from winit.analysis import intervals, stats
from winit.analysis.stats import Difference


def pairs(only_ours: int, only_theirs: int, total: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one cell of pairs with given numbers of discordant pairs of each kind."""
    ours, theirs = np.ones((1, total), bool), np.ones((1, total), bool)
    theirs[0, :only_ours] = False
    ours[0, only_ours : only_ours + only_theirs] = False
    return ours, theirs


@pytest.mark.parametrize(("ok", "runs"), [(0, 10), (10, 10), (7, 10), (3, 5)])
def test_the_proportion_of_one_cell_is_wilsons(ok, runs):
    number = intervals.proportion(np.array([ok]), np.array([runs]))
    assert number.mean == ok / runs
    assert number[1:] == pytest.approx(stats.wilson(ok, runs))


def test_what_differs_between_cells_is_no_noise():
    half_of_the_cells, all_cells = np.repeat([10, 0], 12), np.full(24, 5)
    fixed, mixed = (intervals.proportion(ok, np.full(24, 10)) for ok in (half_of_the_cells, all_cells))
    assert fixed.mean == mixed.mean == 0.5
    # Cells of 10/10 and 0/10 leave Wilson's z²/4 alone: 1.96² / 2 / (240 + 1.96²).
    assert (fixed.high - fixed.low) / 2 == pytest.approx(1.96**2 / 2 / (240 + 1.96**2), rel=1e-4)
    assert mixed.high - mixed.low > 5 * (fixed.high - fixed.low)


def test_the_paired_difference_of_one_cell_is_that_of_bonett_and_price():
    # The example of ci.prop.ps(.05, 12, 4, 26, 6) in R's statpsych, by D. G. Bonett: 0.44, 0.2548067 to 0.6251933.
    number = intervals.paired_proportions(*pairs(26, 4, 48))
    assert number[1:] == pytest.approx((0.2548067, 0.6251933), abs=1e-7)
    # Bentur et al. 2009, in Fagerland, Lydersen & Laake 2014: 1 and 7 of 21.
    number = intervals.paired_proportions(*pairs(1, 7, 21))
    assert number.mean == pytest.approx(-6 / 21)
    assert number[1:] == pytest.approx((-0.5083, -0.0135), abs=5e-4)


def test_the_paired_difference_is_antisymmetric_and_has_a_width_where_nothing_differs():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random((2, 6, 10)) < 0.7
    there, back = intervals.paired_proportions(ours, theirs), intervals.paired_proportions(theirs, ours)
    assert there == pytest.approx((-back.mean, -back.high, -back.low))
    same = intervals.paired_proportions(ours, ours)
    assert same.mean == 0 and same.low == -same.high < 0


def test_the_mean_over_cells_of_one_cell_is_the_t_interval():
    sample = np.array([0.4, 0.2, 0.25, 0.1])
    assert intervals.mean_over_cells([sample], 0.9) == pytest.approx(stats.paired_difference(sample, 0 * sample, 0.9))


def test_the_mean_over_cells_weighs_cells_equally_and_accounts_for_their_sizes():
    small, large = np.array([1.0, 2.0]), np.arange(10.0)
    number = intervals.mean_over_cells([small, large])
    assert number.mean == 3.0  # (1.5 + 4.5)/2
    v = np.array([0.5 / 2, large.var(ddof=1) / 10])
    freedom = v.sum() ** 2 / (v[0] ** 2 / 1 + v[1] ** 2 / 9)
    assert number.high - number.mean == pytest.approx(t.ppf(0.975, freedom) * np.sqrt(v.sum()) / 2)
    assert np.isnan(intervals.mean_over_cells([])).all()
    assert np.isnan(intervals.mean_over_cells([np.array([1.0])])[1:]).all()
    assert intervals.mean_over_cells([np.full(3, 0.1)] * 2) == pytest.approx((0.1, 0.1, 0.1))


def test_a_split_that_all_cells_share_does_not_average_out():
    rng = np.random.default_rng(1)
    held = {"replicates": 0, "cells": 0}
    for _ in range(300):
        values = rng.normal(0, 1, 10) + rng.normal(0, 1, (24, 10))
        for name, number in (
            ("replicates", intervals.mean_over_replicates(values)), ("cells", intervals.mean_over_cells(list(values)))
        ):  # fmt: skip
            held[name] += number.low <= 0 <= number.high
    assert held["replicates"] > 0.91 * 300 and held["cells"] < 0.7 * 300
    assert np.isnan(intervals.mean_over_replicates(np.ones((3, 2)))[1:]).all()


def test_independent_noise_adds_in_squares_and_unknown_noise_gives_no_interval():
    number = Difference(1.0, 1.0 - 0.3, 1.0 + 0.3)
    added = intervals.widened(number, (0.4 / 1.959964) ** 2)
    assert added == pytest.approx((1.0, 0.5, 1.5))
    assert intervals.widened(number, 0.0) == number
    unknown = intervals.widened(number, float("nan"))
    assert unknown.mean == 1 and np.isnan(unknown[1:]).all()


def test_several_intervals_hold_together():
    assert intervals.simultaneous_level(10) == pytest.approx(0.995)
    assert intervals.simultaneous_level(0) == intervals.simultaneous_level(1) == pytest.approx(0.95)


@pytest.mark.parametrize(("failing", "other"), [(0.1, 0.0), (0.2, 0.2), (0.3, 0.1)])
def test_differences_in_success_hold_the_truth(failing, other):
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        number = intervals.paired_proportions(rng.random((24, 10)) >= other, rng.random((24, 10)) >= failing)
        held += number.low <= failing - other <= number.high
    assert 0.92 <= held / 400 <= 0.99
