"""Estimators and intervals: small, pure functions of arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, ttest_rel


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion.

    Args:
        successes: how many succeeded, 0 to trials.
        trials: how many were tried, at least 1.
        level: of confidence.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22, by scipy.
    """
    interval = binomtest(int(successes), int(trials)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def geometric_mean(values: np.ndarray) -> float:
    """Return exp(mean(log values)); 0 if any value is 0, NaN if any is NaN or there is none."""
    values = np.asarray(values, dtype=float)
    if len(values) == 0 or np.isnan(values).any():
        return float("nan")
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(values).mean()))


def decades_per_layer(variance: np.ndarray) -> float:
    """Return the slope of log10 variance over consecutive layers, by least squares; NaN unless all are positive.

    −0.3 means that the variance halves with every layer, 0 that it keeps.
    """
    variance = np.asarray(variance, dtype=float)
    if len(variance) < 2 or not (np.isfinite(variance) & (variance > 0)).all():
        return float("nan")
    return float(np.polyfit(np.arange(len(variance)), np.log10(variance), 1)[0])


def chance_limit(classes: int, examples: int) -> float:
    """Return the accuracy that guessing stays below: 1/C + 3 √((1/C)(1 − 1/C)/N), three standard errors above chance."""
    p = 1 / classes
    return p + 3 * np.sqrt(p * (1 - p) / examples)


class Difference(NamedTuple):
    """A mean difference and the ends of its 95 % interval; NaN where there are too few pairs for one."""

    mean: float
    low: float
    high: float


FEWEST_PAIRS = 3  # with two, a t-interval is wider than anything that is compared here


def paired_difference(ours: np.ndarray, theirs: np.ndarray, level: float = 0.95) -> Difference:
    """Return the mean of ours − theirs, and its t-interval over pairs.

        d̄ ± t_{n−1} s_d/√n

    Args:
        ours, theirs: values (n,), paired by position.
        level: of confidence.
    """
    differences = np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)
    mean = float(differences.mean()) if len(differences) else float("nan")
    if len(differences) < FEWEST_PAIRS:
        return Difference(mean, float("nan"), float("nan"))
    if np.ptp(differences) == 0:  # no spread, where scipy warns of one
        return Difference(mean, mean, mean)
    interval = ttest_rel(ours, theirs).confidence_interval(level)
    return Difference(mean, float(interval.low), float(interval.high))


def verdict(low: float, high: float, margin: float) -> str:
    """Return what an interval of a difference says: equivalent, better, worse or undecided.

    Equivalent lies within ±margin, whatever side of 0; else better lies above 0 and worse below it.
    """
    if -margin <= low and high <= margin:
        return "equivalent"
    if low > 0:
        return "better"
    return "worse" if high < 0 else "undecided"
