"""Numbers with an interval of any level, because a cell among many needs a wider one than 95 %."""

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
    """A number, and the ends of its interval at a level of confidence.

    Attributes:
        value: the number; NaN where nothing is known.
        at: the ends for a level, such as 0.95.
    """

    value: float
    at: Callable[[float], Ends]

    def transformed(self, function: Callable[[float], float]) -> Estimate:
        """Return a growing function of the number."""
        return Estimate(function(self.value), lambda level: (function(self.at(level)[0]), function(self.at(level)[1])))


UNKNOWN = Estimate(math.nan, lambda level: NOWHERE)


def counted(value: float) -> Estimate:
    """Return a number that is known exactly: it is its own interval at any level."""
    return Estimate(value, lambda level: (value, value))


def median(values: np.ndarray) -> float:
    """Return the median of sorted values; of two in the middle the lower, if one is infinite."""
    middle = values[(len(values) - 1) // 2], values[len(values) // 2]
    return float(sum(middle) / 2 if np.isfinite(middle).all() else middle[0])


def mean(sample: ArrayLike) -> Estimate:
    """Return the mean of values (n,) with its t-interval; of infinite ones the median, with its sign-test interval.

    Values that are all the same are their own interval.
    """
    values = np.round(np.sort(np.asarray(sample, dtype=float)), 12)  # rounding errors are no spread
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
    """Return the interval of the median of sorted values; unbounded where they are too few for the level."""
    k = int(binom.ppf((1 - level) / 2, len(values), 0.5))
    return (float(values[k - 1]), float(values[-k])) if k else EVERYWHERE


def share(successes: int, trials: int) -> Estimate:
    """Return a proportion with its exact interval, which covers at least as often as it says.

    Source: Clopper & Pearson 1934, by scipy.
    """
    test = binomtest(successes, trials)

    def ends(level: float) -> Ends:
        interval = test.proportion_ci(level, method="exact")
        return float(interval.low), float(interval.high)

    return Estimate(successes / trials, ends)


def share_difference(ours: ArrayLike, theirs: ArrayLike) -> Estimate:
    """Return the difference of two proportions in n pairs, with the interval that the rest of the analysis uses for it.

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
    """Return a number whose interval at one level is known: its sides grow with the level as those of a t-interval do.

    Args:
        value: the number.
        low, high: the ends of that interval.
        pairs: that it is of, at least 2.
        known: the level of that interval.
    """

    def ends(level: float) -> Ends:
        factor = float(t.ppf((1 + level) / 2, pairs - 1) / t.ppf((1 + known) / 2, pairs - 1))
        return value - factor * (value - low), value + factor * (high - value)

    return Estimate(value, ends) if math.isfinite(value) else UNKNOWN
