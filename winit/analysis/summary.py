"""Statuses of runs, and summaries over replicates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winit.analysis import stats
from winit.analysis.select import ARM, CELL, RATE_FACTORS, before_training, diverged_as_worst, judged, tuning
from winit.vocabulary.factors import STATUSES

MEAN_LIMIT = 0.02  # a reconstruction that explains no more than this of the mean predictor's error has learned nothing


def steps_to_target(scores: np.ndarray, steps: np.ndarray, target: float) -> np.ndarray:
    """Return the first step at which each row of scores (runs, steps) is at least the target; infinity if none."""
    reached = scores >= target  # NaN, after a divergence, compares as False
    return np.where(reached.any(axis=1), np.asarray(steps, float)[reached.argmax(axis=1)], np.inf)


def status(runs: pd.DataFrame, limit: float) -> np.ndarray:
    """Return the status of each run: diverged, else ok, else stuck at or below `limit`, else missed_target.

    A run has also diverged if its last update left a network whose loss is not finite. A run that reached its target and
    diverged later counts as diverged: its weights are of no use.

    Args:
        runs: with `diverged_step`, `validation_loss`, `validation_score` and `steps_to_target`.
        limit: the largest validation score of a network that has learned nothing.
    """
    return np.select(
        [
            runs["diverged_step"].notna().to_numpy(dtype=bool) | ~np.isfinite(runs["validation_loss"].to_numpy()),
            np.isfinite(runs["steps_to_target"].to_numpy()),
            runs["validation_score"].to_numpy() <= limit,
        ],
        ["diverged", "ok", "stuck"],
        default="missed_target",
    )


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row for every arm, cell and learning rate: counts, success, medians, the chosen rate.

    The rate is chosen on the tuning replicates, and results are told of the judged ones. Without tuning replicates the
    judged ones are used for both.

    Args:
        runs: with `RATE_FACTORS`, `role`, `run_id`, `status`, the losses and scores of validation and test, and
            `steps_to_target`.
    """
    scored = diverged_as_worst(runs).assign(
        steps_to_target=runs["steps_to_target"]
    )  # a run may arrive and diverge later
    for_tuning = tuning(scored)
    tuned = (for_tuning if len(for_tuning) else scored).groupby(RATE_FACTORS, as_index=False).agg(
        tuning_score=("validation_score", "median"), tuning_loss=("validation_loss", "median")
    )  # fmt: skip
    summary = judged(scored).groupby(RATE_FACTORS, sort=True).agg(
        runs=("run_id", "size"),
        **{name: ("status", lambda s, name=name: int((s == name).sum())) for name in STATUSES},
        validation_loss=("validation_loss", "median"),
        validation_score=("validation_score", "median"),
        test_score=("test_score", "median"),
        test_loss=("test_loss", "median"),
        test_score_minimum=("test_score", "min"),
        test_score_maximum=("test_score", "max"),
        steps_to_target=("steps_to_target", "median"),
    ).reset_index().merge(tuned, how="left", on=RATE_FACTORS)  # fmt: skip
    summary["success_rate"] = summary["ok"] / summary["runs"]
    intervals = {pair: stats.wilson(*pair) for pair in set(zip(summary["ok"], summary["runs"], strict=True))}
    both = [intervals[pair] for pair in zip(summary["ok"], summary["runs"], strict=True)]
    summary["success_low"], summary["success_high"] = zip(*both, strict=True)
    return _with_chosen_rate(summary)


def _with_chosen_rate(summary: pd.DataFrame) -> pd.DataFrame:
    """Mark the rate of the best tuning score of each arm; of equals that of the smaller loss, then the larger rate."""
    arms = [*CELL, *ARM]
    ranked = summary.sort_values(
        [*arms, "tuning_score", "tuning_loss", "learning_rate"], ascending=[True] * len(arms) + [False, True, False]
    )
    best = ranked.groupby(arms, sort=False).head(1)
    is_best = pd.Series(summary.index.isin(best.index), index=summary.index)
    offered = summary.groupby(arms)["learning_rate"]
    rate, smallest, largest = summary["learning_rate"], offered.transform("min"), offered.transform("max")
    is_edge = ((rate == smallest) | (rate == largest)) & (smallest < largest)
    return summary.assign(is_best_rate=is_best, is_edge_rate=is_best & is_edge)


def initial_state(runs: pd.DataFrame, curves: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Return what the judged replicates of each arm, cell and learning rate are as training begins.

    The initial loss against log C says whether a network starts out undecided. The spread of log(mean z²) over replicates
    in the last hidden layer is what Hanin & Rolnick 2018 (§3) find to fail deep and narrow networks.

    Args:
        runs: with `RATE_FACTORS`, `role` and `run_id`.
        curves: with `run_id`, `step` and `train_loss`.
        layers: with `run_id`, `stage`, `layer`, `z_mean` and `z_variance`.
    """
    runs = judged(runs)
    start = before_training(layers[["run_id", "stage", "layer", "z_mean", "z_variance"]], runs, RATE_FACTORS)
    start = start[start["layer"] == start["depth"]]
    square = (start["z_variance"] + start["z_mean"] ** 2).to_numpy()
    length = np.log(square, out=np.full(len(square), np.nan), where=square > 0)
    spread = start.assign(log_length_spread=length).groupby(RATE_FACTORS, as_index=False)["log_length_spread"].std()
    first = curves.loc[curves["step"] == 0, ["run_id", "train_loss"]]
    loss = first.merge(runs[["run_id", *RATE_FACTORS]], on="run_id").groupby(RATE_FACTORS, as_index=False)["train_loss"]
    return loss.median().rename(columns={"train_loss": "initial_loss"}).merge(spread, how="left")
