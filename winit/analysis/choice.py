"""Uncertainty from choosing the learning rate: which rates other tuning replicates would choose, and the effect of that."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winit.analysis.select import ARM, CELL, RATE_FACTORS, judged, scored, tuning

ARM_KEYS = [*CELL, *ARM]
MEASURES = ("success", "score", "trained_score")


def probabilities(validation: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each rate is chosen (R,) when the tuning replicates are resampled.

    The rate with the highest mean is chosen; ties go to the smaller rate. Deviations of a resampled mean from the mean are
    multiplied by √(n/(n − 1)), because the variance of n values around their mean is too small by a factor of (n − 1)/n.
    With a single replicate the uncertainty is unknown: return NaN, unless there is only one rate.

    Args:
        validation: scores (R, n), rates in ascending order.
        resamples: number of resamples.
        rng: random generator.

    Source: Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, §10, for the factor.
    """
    rates, n = validation.shape
    if rates == 1:
        return np.ones(1)
    if n < 2:
        return np.full(rates, np.nan)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    mean = validation.mean(axis=1, keepdims=True)
    drawn = mean + np.sqrt(n / (n - 1)) * (validation @ weights.T - mean)
    # Ignore differences below 1e-9 as rounding, as in `study.protocol.choose`.
    return np.bincount(np.round(drawn, 9).argmax(axis=0), minlength=rates) / resamples


def choice_variance(chosen: np.ndarray, means: np.ndarray, variances: np.ndarray, runs: np.ndarray) -> float:
    """Return the variance of an arm's result that is due to choosing its rate.

        Σ p_r (m_r − m̄)² − ½ Σ p_r(1 − p_r) s_r²/n_r,   at least 0

    The second sum is the contribution of noise in the results m_r to the first one. All of it should be subtracted for results
    that are independent of the choice (judged runs), and nothing for results that make the choice (tuning runs). Half of
    it gives intervals that are correct or conservative (docs/coverage.md).

    Args:
        chosen: probability p_r that each rate is chosen (R,).
        means, variances, runs: m_r, s_r² and n_r of the results at each rate (R,). Rates without results are ignored.
    """
    known = (runs > 0) & ~(chosen == 0)  # unknown probabilities (NaN) are kept
    if known.sum() < 2 or np.ptp(means[known]) == 0:
        return 0.0
    p = chosen[known] / chosen[known].sum()
    m = means[known]
    between = (p * (m - p @ m) ** 2).sum()
    noise = (p * (1 - p) * np.nan_to_num(variances[known]) / runs[known]).sum()
    return float(np.maximum(0.0, between - noise / 2))


def _outcomes(runs: pd.DataFrame) -> pd.DataFrame:
    """Return mean, variance and number of values of each measure at each rate of each arm.

    Judged runs exist only at chosen rates; at other rates, the test scores of the tuning runs are used.
    """
    is_judged = runs["role"] == "judged"
    has_judged = is_judged.groupby([runs[key] for key in RATE_FACTORS]).transform("any")
    kept = runs[is_judged | ~has_judged]
    score = (kept["test_score"] - kept["chance"]) / (1 - kept["chance"])
    is_ok = kept["status"] == "ok"
    values = kept[RATE_FACTORS].assign(success=is_ok.astype(float), score=score, trained_score=score.where(is_ok))
    return values.groupby(RATE_FACTORS)[list(MEASURES)].agg(["mean", "var", "count"])


def _candidates(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the validation scores of the runs that choose the rate: one row per rate of each arm, one column per replicate.

    Candidates are the rates with the chosen factor on the learning rates of pretraining. Judged runs choose the rate of an
    arm without tuning runs.
    """
    factor = judged(runs).groupby(ARM_KEYS)["pretraining_rate"].first().rename("judged_factor")
    tuned = pd.MultiIndex.from_frame(tuning(runs)[ARM_KEYS].drop_duplicates())
    is_tuned = pd.MultiIndex.from_frame(runs[ARM_KEYS]).isin(tuned)
    is_candidate = runs["pretraining_rate"] == runs.join(factor, on=ARM_KEYS)["judged_factor"]
    choosing = runs[((runs["role"] == "tuning") | ~is_tuned) & is_candidate]
    return choosing.pivot(index=RATE_FACTORS, columns="replicate", values="validation_score").sort_index()


def choice_noise(runs: pd.DataFrame, seed: int, resamples: int) -> pd.DataFrame:
    """Return the variance that choosing the rate adds to each arm's results, by cell and arm.

    Args:
        runs: of one budget, of both roles, with `RATE_FACTORS`, `role`, `replicate`, `status`, `chance`,
            `validation_score` and `test_score`.
        seed: of the resampling.
        resamples: number of resamples of the tuning replicates.

    Returns:
        Indexed by cell and arm: a column for each of `MEASURES`.
    """
    if runs.empty:
        index = pd.MultiIndex.from_frame(runs[ARM_KEYS])
        return pd.DataFrame(index=index, columns=list(MEASURES), dtype=float)
    runs = scored(runs)
    candidates = _candidates(runs)
    outcomes = _outcomes(runs).reindex(candidates.index)
    places = (
        candidates.reset_index(drop=True).groupby([candidates.index.get_level_values(key) for key in ARM_KEYS]).indices
    )
    validation, results = candidates.to_numpy(), {name: outcomes[name].to_numpy() for name in MEASURES}
    rows = {}
    for number, (key, place) in enumerate(sorted(places.items())):
        known = validation[place][:, np.isfinite(validation[place]).all(axis=0)]  # replicates that all rates have
        chosen = probabilities(known, resamples, np.random.default_rng([seed, number]))
        rows[key] = {name: choice_variance(chosen, *results[name][place].T) for name in MEASURES}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(MEASURES)).set_axis(
        pd.MultiIndex.from_tuples(list(rows), names=ARM_KEYS)
    )
