"""Estimators and intervals: small, pure functions of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import CensoredData, binomtest, bootstrap, ecdf, trim_mean, ttest_1samp, wilcoxon


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


# An initializer trains a depth if it brings at least this share of its runs to the target. The texts say "at least half".
TRAINED_SHARE = 0.5
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
    if np.ptp(differences) <= 1e-12 * max(
        1.0, np.abs(differences).max()
    ):  # no spread beyond rounding: scipy warns of it
        return Difference(mean, mean, mean)
    interval = ttest_1samp(differences, 0.0).confidence_interval(level)
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


def interquartile_mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the mean of the middle half of the values along an axis: robust, and still smooth in them.

    Source: Agarwal et al. 2021, §4.3, by scipy's trim_mean.
    """
    return trim_mean(np.asarray(values, dtype=float), 0.25, axis=axis)


def stratified_interval(
    cells: Sequence[np.ndarray], statistic: Callable[..., np.ndarray], rng: np.random.Generator, resamples: int = 2000
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a statistic of all values, replicates drawn anew within each cell.

    The cells stay what they are: the interval speaks of these cells and other replicates. NaN where a cell has fewer than
    three replicates, which carry no interval.

    Args:
        cells: values of each cell.
        statistic: of values along an `axis`.
        rng: what to draw with.
        resamples: how often.

    Source: Agarwal et al. 2021, §4.1, by scipy's bootstrap.
    """
    cells = [np.asarray(cell, dtype=float) for cell in cells]
    if not cells or min(map(len, cells)) < FEWEST_PAIRS:
        return float("nan"), float("nan")

    def of_all(*samples: np.ndarray, axis: int = -1) -> np.ndarray:
        return statistic(np.concatenate(samples, axis=axis), axis=axis)

    resampled = bootstrap(cells, of_all, n_resamples=resamples, method="percentile", rng=rng, batch=100)
    return float(resampled.confidence_interval.low), float(resampled.confidence_interval.high)


def probability_of_improvement(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return the mean over cells of P(ours > theirs) + ½ P(ours = theirs), over all pairs of replicates of a cell.

    Args:
        ours, theirs: values (…, cells, replicates); infinite ones are ranked like others.

    Returns:
        (…,) from 0 to 1; ½ where neither is better.

    Source: Agarwal et al. 2021, §4.4.
    """
    a, b = np.asarray(ours, dtype=float)[..., :, None], np.asarray(theirs, dtype=float)[..., None, :]
    return ((a > b) + 0.5 * (a == b)).mean(axis=(-1, -2, -3))


def mean_difference(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return the mean of ours − theirs (…,) over cells and replicates (…, cells, replicates)."""
    return (np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)).mean(axis=(-1, -2))


def two_stage_interval(
    ours: np.ndarray, theirs: np.ndarray, statistic: Callable[[np.ndarray, np.ndarray], np.ndarray],
    rng: np.random.Generator, resamples: int = 2000,
) -> tuple[float, float]:  # fmt: skip
    """Return the 95 % percentile interval of a statistic, cells drawn anew, and then replicates within each, in pairs.

    It speaks of other cells of the kind, and is wider than `stratified_interval`. NaN for fewer than three cells.

    Args:
        ours, theirs: values (cells, replicates), paired by position.
        statistic: of two such arrays, with any dimensions before them.
        rng: what to draw with.
        resamples: how often.
    """
    cells, replicates = np.shape(ours)
    if cells < FEWEST_PAIRS:
        return float("nan"), float("nan")
    statistics = []
    for start in range(0, resamples, RESAMPLES_AT_ONCE):
        count = min(RESAMPLES_AT_ONCE, resamples - start)
        cell = rng.integers(cells, size=(count, cells, 1))
        replicate = rng.integers(replicates, size=(count, cells, replicates))
        statistics.append(statistic(ours[cell, replicate], theirs[cell, replicate]))
    low, high = np.percentile(np.concatenate(statistics), [2.5, 97.5])
    return float(low), float(high)


RESAMPLES_AT_ONCE = 100


def signed_rank(differences: np.ndarray) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test; 1 where no difference is other than 0.

    By scipy, zeros split between the signs.
    """
    differences = np.asarray(differences, dtype=float)
    if not np.any(differences):
        return 1.0
    # Asymptotic where zeros or ties forbid the exact distribution, exact else: scipy's own choice, made once.
    sizes = np.abs(differences)
    is_exact = len(differences) <= 50 and (sizes > 0).all() and len(np.unique(sizes)) == len(sizes)
    return float(wilcoxon(differences, zero_method="zsplit", method="exact" if is_exact else "approx").pvalue)


def holm(p: Sequence[float]) -> np.ndarray:
    """Return p-values adjusted by Holm's step-down: the k-th smallest of m times m − k + 1, made monotone, at most 1.

    NaNs stay, and are not counted. Source: Holm 1979, Scand. J. Statist. 6.
    """
    values = np.asarray(p, dtype=float)
    adjusted = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * values[index]))
        adjusted[index] = running
    return adjusted


def performance_profile(ratios: np.ndarray, taus: np.ndarray) -> np.ndarray:
    """Return the share of cells (T,) whose ratio to the fastest is at most τ, for ratios (n,) of at least 1; ∞ never is.

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
        steps: to the target (n,); infinite for a run that never arrived, which is censored at the budget.
        budget: last step that was looked at.
        at: steps (T,).
    """
    steps = np.asarray(steps, dtype=float)
    arrived = np.isfinite(steps)
    if not arrived.any():
        return np.zeros(len(at))
    sample = CensoredData(uncensored=steps[arrived], right=np.full((~arrived).sum(), float(budget)))
    return ecdf(sample).cdf.evaluate(np.asarray(at, dtype=float))
