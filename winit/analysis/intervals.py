"""Intervals for averages over cells. The cells are fixed: they are not a sample of other cells.

An interval covers other replicates of the same cells. Runs of one replicate share the split of the data. Differences are
taken within pairs of a replicate, where its effect cancels, and means of one arm are taken over replicates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm, t

from winit.analysis.stats import FEWEST_PAIRS, Difference

UNKNOWN = Difference(float("nan"), float("nan"), float("nan"))


def simultaneous_level(comparisons: int, level: float = 0.95) -> float:
    """Return the level of each of several intervals that cover simultaneously with a probability of at least `level`.

        1 − (1 − level)/comparisons

    Args:
        comparisons: number of intervals, at least 1.
        level: simultaneous level.

    Source: Bonferroni's inequality (Dunn 1961, J. Am. Stat. Assoc. 56).
    """
    return 1 - (1 - level) / max(1, comparisons)


def _quantile(level: float) -> float:
    return float(norm.ppf((1 + level) / 2))


def proportion(successes: np.ndarray, trials: np.ndarray, level: float = 0.95) -> Difference:
    """Return the share of successes in all cells together, with a score interval: Wilson's, stratified.

        (X + z²/2 ± z √(Σ n_k p_k(1 − p_k) n_k/(n_k − 1) + z²/4))/(N + z²)

    With one cell, for which the factor n/(n − 1) is left out, it is Wilson's interval. The z² added runs, half of which
    succeed, are treated as a separate cell. Differences between cells therefore do not count as noise.

    Args:
        successes, trials: of each cell (K,).
        level: of confidence.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22; the strata as in Cochran 1977, Sampling Techniques, §5.10.
    """
    x, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    z, share = _quantile(level), x / n
    within = n * share * (1 - share) * (n / np.maximum(n - 1, 1) if len(n) > 1 else 1.0)
    centre = (x.sum() + z**2 / 2) / (n.sum() + z**2)
    reach = z * np.sqrt(within.sum() + z**2 / 4) / (n.sum() + z**2)
    return Difference(float(x.sum() / n.sum()), max(0.0, float(centre - reach)), min(1.0, float(centre + reach)))


def paired_proportions(ours: np.ndarray, theirs: np.ndarray, level: float = 0.95) -> Difference:
    """Return the paired difference of two shares of successes, averaged over cells, with its interval.

    In each cell, n is the number of pairs, b the number in which only ours succeeds and c in which only theirs does. With
    a = 1/K for K cells:

        b̃ = (b + a)/(n + 2a),   c̃ = (c + a)/(n + 2a),   v = (b̃ + c̃ − (b̃ − c̃)²)/(n + 3a − 1)
        mean(b̃ − c̃) ± z √(Σ v)/K

    With one cell it is the interval of Bonett and Price, who add one pair of each kind. Here the two pairs are spread over
    the cells, and one degree of freedom is subtracted from all cells but one. The width is positive even if no pair differs.

    Args:
        ours, theirs: whether a run succeeded (cells, replicates), paired by position.
        level: of confidence.

    Source: Bonett & Price 2012, J. Educ. Behav. Stat. 37; recommended by Fagerland, Lydersen & Laake 2014, Stat. Med. 33.
    """
    difference = np.asarray(ours, dtype=int) - np.asarray(theirs, dtype=int)
    cells, pairs = difference.shape
    added = 1 / cells
    only_ours, only_theirs = (
        (side.sum(axis=1) + added) / (pairs + 2 * added) for side in (difference > 0, difference < 0)
    )
    shifted = only_ours - only_theirs
    variance = (only_ours + only_theirs - shifted**2) / (pairs + 3 * added - 1)
    reach = _quantile(level) * np.sqrt(variance.sum()) / cells
    low, high = np.clip([shifted.mean() - reach, shifted.mean() + reach], -1, 1)
    return Difference(float(difference.mean()), float(low), float(high))


def mean_over_cells(cells: Sequence[np.ndarray], level: float = 0.95) -> Difference:
    """Return the mean of the cells' means, with its t-interval. Cells may differ in size.

        mean(m_k) ± t_ν √(Σ v_k)/K,   v_k = s_k²/n_k,   ν = (Σ v_k)²/Σ v_k²/(n_k − 1)

    Args:
        cells: the values of each cell, at least two each; without cells there is no interval.
        level: of confidence.

    Source: Satterthwaite 1946, Biometrics Bull. 2, for the degrees of freedom.
    """
    if not len(cells):
        return UNKNOWN
    mean = float(np.mean([np.mean(cell) for cell in cells]))
    sizes = np.array([len(cell) for cell in cells])
    if sizes.min() < 2:
        return Difference(mean, float("nan"), float("nan"))
    variance = np.array([np.var(cell, ddof=1) for cell in cells]) / sizes
    if variance.sum() <= 1e-24:  # no spread except rounding
        return Difference(mean, mean, mean)
    freedom = variance.sum() ** 2 / (variance**2 / (sizes - 1)).sum()
    reach = float(t.ppf((1 + level) / 2, freedom) * np.sqrt(variance.sum()) / len(cells))
    return Difference(mean, mean - reach, mean + reach)


def mean_over_replicates(values: np.ndarray, level: float = 0.95) -> Difference:
    """Return the mean over cells and replicates, with the t-interval of the replicates' means over cells.

    All cells of a replicate share the split of the data, so its runs are not independent. Replicates are.

    Args:
        values: (cells, replicates).
        level: of confidence.
    """
    values = np.asarray(values, dtype=float)
    if values.shape[1] < FEWEST_PAIRS:
        return Difference(float(values.mean()), float("nan"), float("nan"))
    return mean_over_cells([values.mean(axis=0)], level)


def widened(interval: Difference, variance: float, level: float = 0.95) -> Difference:
    """Return an interval with independent noise added: the squares of the distances add up.

        low′ = m − √((m − low)² + z² v),   high′ = m + √((high − m)² + z² v)

    Args:
        interval: a value with its interval.
        variance: v of the added noise; if it is unknown (NaN), there is no interval.
        level: of confidence of the interval.

    Source: Zou & Donner 2008, Stat. Med. 27 (square-and-add, after Newcombe 1998).
    """
    if variance == 0:
        return interval
    if np.isnan(variance):
        return Difference(interval.mean, float("nan"), float("nan"))
    other = _quantile(level) ** 2 * variance
    below, above = (float(np.sqrt((interval.mean - end) ** 2 + other)) for end in (interval.low, interval.high))
    # An interval of few runs need not include its own value, so the ends only move outwards.
    return Difference(
        interval.mean, min(interval.low, interval.mean - below), max(interval.high, interval.mean + above)
    )
