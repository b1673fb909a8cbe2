"""Estimates with intervals at any level, because with many cells the level must be above 95 %."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom, binomtest, t

from winit.analysis.intervals import paired_proportions

Ends = tuple[float, float]

NOWHERE = (math.nan, math.nan)
EVERYWHERE = (-math.inf, math.inf)


@dataclass(frozen=True)
class Estimate:
    """A value, and the ends of its interval at any confidence level.

    Attributes:
        value: the value; NaN if it is unknown.
        at: returns the ends for a level such as 0.95.
    """

    value: float
    at: Callable[[float], Ends]

    def transformed(self, function: Callable[[float], float]) -> Estimate:
        """Return an increasing function of the estimate."""
        return Estimate(function(self.value), lambda level: (function(self.at(level)[0]), function(self.at(level)[1])))


UNKNOWN = Estimate(math.nan, lambda level: NOWHERE)


def counted(value: float) -> Estimate:
    """Return an exactly known value, with an interval of width 0 at any level."""
    return Estimate(value, lambda level: (value, value))


def median(values: np.ndarray) -> float:
    """Return the median of sorted values. If one of two middle values is infinite, return the lower one."""
    middle = values[(len(values) - 1) // 2], values[len(values) // 2]
    return float(sum(middle) / 2 if np.isfinite(middle).all() else middle[0])


def mean(sample: ArrayLike) -> Estimate:
    """Return the mean of values (n,) with its t-interval, or with infinite values the median with its sign-test interval.

    If all values are equal, the interval has width 0.
    """
    values = np.round(np.sort(np.asarray(sample, dtype=float)), 12)  # rounding errors do not count as spread
    n = len(values)
    if n == 0:
        return UNKNOWN
    if values[0] == values[-1]:
        return counted(float(values[0]))
    if not np.isfinite(values).all():
        return Estimate(median(values), lambda level: _between_order_statistics(values, level))
    centre, error = float(values.mean()), float(values.std(ddof=1) / math.sqrt(n))

    def ends(level: float) -> Ends:
        low, high = t.interval(level, n - 1, centre, error)
        return float(low), float(high)

    return Estimate(centre, ends)


def _between_order_statistics(values: np.ndarray, level: float) -> Ends:
    """Return the interval of the median of sorted values; unbounded if there are too few values for the level."""
    k = int(binom.ppf((1 - level) / 2, len(values), 0.5))
    return (float(values[k - 1]), float(values[-k])) if k else EVERYWHERE


def share(successes: int, trials: int) -> Estimate:
    """Return a proportion with its exact (conservative) interval.

    Source: Clopper & Pearson 1934, by scipy.
    """
    test = binomtest(successes, trials)

    def ends(level: float) -> Ends:
        interval = test.proportion_ci(level, method="exact")
        return float(interval.low), float(interval.high)

    return Estimate(successes / trials, ends)


def share_difference(ours: ArrayLike, theirs: ArrayLike) -> Estimate:
    """Return the difference of two proportions in n pairs, with the interval that the rest of the analysis uses.

    Args:
        ours, theirs: successes (n,) of both sides, paired by position.

    Source: Bonett & Price 2012; see `intervals.paired_proportions`.
    """
    first, second = (np.asarray(side, dtype=bool)[None] for side in (ours, theirs))
    if first.size == 0:
        return UNKNOWN

    def ends(level: float) -> Ends:
        interval = paired_proportions(first, second, level)
        return interval.low, interval.high

    return Estimate(float(first.mean() - second.mean()), ends)


def widened(value: float, low: float, high: float, pairs: int, known: float = 0.95) -> Estimate:
    """Return an estimate from an interval at one level. Its sides grow with the level like those of a t-interval.

    Args:
        value: the value.
        low, high: the ends of the known interval.
        pairs: number of pairs, at least 2.
        known: the level of the known interval.
    """

    def ends(level: float) -> Ends:
        factor = float(t.ppf((1 + level) / 2, pairs - 1) / t.ppf((1 + known) / 2, pairs - 1))
        return value - factor * (value - low), value + factor * (high - value)

    return Estimate(value, ends) if math.isfinite(value) else UNKNOWN
