"""Statuses of runs, and summaries over replicates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winit.analysis import stats
from winit.analysis.select import SETTING
from winit.store.schema import FACTORS
from winit.vocabulary.factors import STATUSES

MEAN_LIMIT = 0.02  # a reconstruction that explains no more than this of the mean predictor's error has learned nothing


def steps_to_target(accuracy: np.ndarray, steps: np.ndarray, target: float) -> np.ndarray:
    """Return the first step at which each row of accuracy (runs, steps) is at least the target; infinity if none."""
    reached = accuracy >= target  # NaN, after a divergence, compares as False
    return np.where(reached.any(axis=1), np.asarray(steps, float)[reached.argmax(axis=1)], np.inf)


def status(runs: pd.DataFrame, limit: float) -> np.ndarray:
    """Return the status of each run: diverged, else ok, else stuck at or below `limit`, else missed_target.

    A run has diverged, too, if its last update left a network whose loss is not finite.

    A run that reached its target and diverged later counts as diverged: its weights are of no use.
    """
    return np.select(
        [
            runs["diverged_step"].notna().to_numpy(dtype=bool) | ~np.isfinite(runs["validation_loss"].to_numpy()),
            np.isfinite(runs["steps_to_target"].to_numpy()),
            runs["validation_accuracy"].to_numpy() <= limit,
        ],
        ["diverged", "ok", "stuck"],
        default="missed_target",
    )


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row for every setting, initializer and learning rate: counts, success, medians, the chosen rate.

    The rate is chosen on the tuning replicates alone, the rest is told of the others; where there are none, all are both.
    """
    keys = [f for f in FACTORS if f != "replicate"]
    scored = runs.assign(
        validation_loss=runs["validation_loss"].fillna(np.inf),
        validation_accuracy=runs["validation_accuracy"].fillna(0.0),
        test_accuracy=runs["test_accuracy"].fillna(0.0),
        test_loss=runs["test_loss"].fillna(np.inf),
    )
    tuning = scored[scored["replicate"] < 0] if (scored["replicate"] < 0).any() else scored
    tuned = tuning.groupby(keys, as_index=False).agg(
        tuning_accuracy=("validation_accuracy", "median"), tuning_loss=("validation_loss", "median")
    )
    groups = scored[scored["replicate"] >= 0].groupby(keys, sort=True)
    summary = groups.agg(
        runs=("run_id", "size"),
        **{name: ("status", lambda s, name=name: int((s == name).sum())) for name in STATUSES},
        validation_loss=("validation_loss", "median"),
        validation_accuracy=("validation_accuracy", "median"),
        test_accuracy=("test_accuracy", "median"),
        test_loss=("test_loss", "median"),
        test_accuracy_low=("test_accuracy", "min"),
        test_accuracy_high=("test_accuracy", "max"),
        steps_to_target=("steps_to_target", "median"),
    ).reset_index().merge(tuned, how="left", on=keys)  # fmt: skip
    summary["success_rate"] = summary["ok"] / summary["runs"]
    intervals = {pair: stats.wilson(*pair) for pair in set(zip(summary["ok"], summary["runs"], strict=True))}
    both = [intervals[pair] for pair in zip(summary["ok"], summary["runs"], strict=True)]
    summary["success_low"], summary["success_high"] = zip(*both, strict=True)

    # Chosen on validation of the tuning replicates, reported on test of the others. Equal accuracy: the smaller loss, then the larger rate.
    group = [*SETTING, "initializer", "pretraining"]
    ranked = summary.sort_values(
        [*group, "tuning_accuracy", "tuning_loss", "learning_rate"],
        ascending=[True] * len(group) + [False, True, False],
    )
    best = ranked.groupby(group, sort=False).head(1)
    summary["is_best_rate"] = summary.index.isin(best.index)
    offered = summary.groupby(group)["learning_rate"]
    rate, low, high = summary["learning_rate"], offered.transform("min"), offered.transform("max")
    summary["is_edge_rate"] = summary["is_best_rate"] & ((rate == low) | (rate == high)) & (low < high)
    return summary


def initial_state(runs: pd.DataFrame, curves: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Return what the replicates of each setting, initializer and learning rate are before training.

    The initial loss against log C says whether a network starts out undecided; the spread of log(mean z²) over
    replicates in the last hidden layer is what Hanin & Rolnick 2018 (§3) find to fail deep and narrow networks.
    """
    keys = [f for f in FACTORS if f != "replicate"]
    start = layers.loc[layers["step"] == 0, ["run_id", "layer", "z_mean", "z_variance"]]
    runs = runs[runs["replicate"] >= 0]
    start = start.merge(runs[["run_id", *keys]], on="run_id")
    start = start[start["layer"] == start["depth"]]
    square = (start["z_variance"] + start["z_mean"] ** 2).to_numpy()
    length = np.log(square, out=np.full(len(square), np.nan), where=square > 0)
    spread = start.assign(log_length_spread=length).groupby(keys, as_index=False)["log_length_spread"].std()
    loss = curves.loc[curves["step"] == 0, ["run_id", "train_loss"]].merge(runs[["run_id", *keys]], on="run_id")
    loss = loss.groupby(keys, as_index=False)["train_loss"].median()
    return loss.rename(columns={"train_loss": "initial_loss"}).merge(spread, how="left")
