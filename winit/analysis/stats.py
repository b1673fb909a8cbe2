"""Estimators and intervals: small, pure functions of arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import CensoredData, binomtest, ecdf, ttest_1samp


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion.

    Args:
        successes: number of successes, 0 to trials.
        trials: number of trials, at least 1.
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

    −0.3 means that the variance halves with every layer, 0 that it stays constant.
    """
    variance = np.asarray(variance, dtype=float)
    if len(variance) < 2 or not (np.isfinite(variance) & (variance > 0)).all():
        return float("nan")
    return float(np.polyfit(np.arange(len(variance)), np.log10(variance), 1)[0])


class Difference(NamedTuple):
    """A mean difference and the ends of its 95 % interval; NaN if there are too few pairs."""

    mean: float
    low: float
    high: float


# An initializer trains at a depth if at least this share of its runs reach the target. Texts say "at least half".
TRAINED_SHARE = 0.5
FEWEST_PAIRS = 3  # with two pairs, a t-interval is wider than any difference compared here


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
    if np.ptp(differences) <= 1e-12 * max(
        1.0, np.abs(differences).max()
    ):  # no spread except rounding, for which scipy warns
        return Difference(mean, mean, mean)
    interval = ttest_1samp(differences, 0.0).confidence_interval(level)
    return Difference(mean, float(interval.low), float(interval.high))


def verdict(low: float, high: float, margin: float) -> str:
    """Return the verdict on an interval of a difference: equivalent, better, worse or undecided.

    Equivalent: the interval is within ±margin. Otherwise, better: it is above 0; worse: it is below 0.
    """
    if -margin <= low and high <= margin:
        return "equivalent"
    if low > 0:
        return "better"
    return "worse" if high < 0 else "undecided"


def performance_profile(ratios: np.ndarray, taus: np.ndarray) -> np.ndarray:
    """Return the share of cells (T,) whose ratio to the fastest is at most τ, for ratios (n,) of at least 1, possibly ∞.

    Source: Dolan & Moré 2002; AlgoPerf (Dahl et al. 2023).
    """
    ratios = np.asarray(ratios, dtype=float)
    return (ratios[:, None] <= np.asarray(taus)[None]).mean(axis=0) if len(ratios) else np.full(len(taus), np.nan)


def profile_score(ratios: np.ndarray, longest: float = 4.0) -> float:
    """Return the area under the performance profile from 1 to `longest`, as a share of the whole: 1 for the fastest everywhere.

    mean of max(0, longest − r)/(longest − 1)
    """
    ratios = np.asarray(ratios, dtype=float)
    return float(np.mean(np.clip(longest - ratios, 0, None) / (longest - 1))) if len(ratios) else float("nan")


def reached_by(steps: np.ndarray, budget: float, at: np.ndarray) -> np.ndarray:
    """Return the share of runs that have reached their target by each step (Kaplan & Meier 1958), by scipy.

    Args:
        steps: to the target (n,); infinite for a run that never reached it, which is censored at the budget.
        budget: last step.
        at: steps (T,) at which the share is returned.
    """
    steps = np.asarray(steps, dtype=float)
    arrived = np.isfinite(steps)
    if not arrived.any():
        return np.zeros(len(at))
    sample = CensoredData(uncensored=steps[arrived], right=np.full((~arrived).sum(), float(budget)))
    return ecdf(sample).cdf.evaluate(np.asarray(at, dtype=float))
