"""Statuses of runs, and summaries over replicates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winit import datasets
from winit.analysis import stats
from winit.analysis.select import ARM, CELL, RATE_FACTORS, before_training, judged, scored, tuning
from winit.study.protocol import choose
from winit.vocabulary.factors import STATUSES

MEAN_LIMIT = 0.02  # a reconstruction that explains at most this share of the mean predictor's error has learned nothing


def steps_to_target(scores: np.ndarray, steps: np.ndarray, target: float) -> np.ndarray:
    """Return the step at which each row of scores (runs, steps) first meets the target; infinity if it never does.

    It is interpolated between the evaluated steps s₀ and s₁, whose scores are a₀ < target ≤ a₁:

        log(s + 1) = log(s₀ + 1) + (target − a₀)/(a₁ − a₀) · (log(s₁ + 1) − log(s₀ + 1))
    """
    reached = scores >= target  # NaN (after a divergence) compares as False
    first = reached.argmax(axis=1)
    row, before = np.arange(len(scores)), np.maximum(first - 1, 0)
    low, high = scores[row, before], scores[row, first]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(first > 0, (target - low) / (high - low), 0.0)
    logs = np.log1p(np.asarray(steps, float))
    at = np.expm1(logs[before] + share * (logs[first] - logs[before]))
    return np.where(reached.any(axis=1), at, np.inf)


def status(runs: pd.DataFrame, budget: int, target: float, limit: float) -> np.ndarray:
    """Return the status of each run at a budget: one of `STATUSES`.

    A run has also diverged if the loss after its last update is not finite. A run that met its target and diverged later
    counts as diverged.

    Args:
        runs: with `diverged_step`, `test_loss`, `test_score` and `steps_to_target` at the budget.
        budget: updates of the whole network.
        target: test score from which a network counts as trained.
        limit: test score up to which a network counts as having learned nothing.
    """
    diverged = (runs["diverged_step"] <= budget + 1).fillna(False).to_numpy(dtype=bool)
    score = runs["test_score"].to_numpy()
    return np.select(
        [
            diverged | ~np.isfinite(runs["test_loss"].to_numpy()),
            score >= target,
            np.isfinite(runs["steps_to_target"].to_numpy()),
            score <= limit,
        ],
        ["diverged", "ok", "lost_target", "stuck"],
        default="missed_target",
    )


def tuning_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row for every arm, cell and rate of tuning: the mean validation score, and which rate was chosen.

    The rule is that of `winit.study.protocol`: the highest mean; ties go to the smaller rate. Factors on the rates of
    pretraining that were not chosen also have rows. Without tuning runs, judged runs choose.

    Args:
        runs: of one budget, with `RATE_FACTORS`, `role`, `run_id`, `status`, `chance`, `validation_score`.
    """
    keys = [*CELL, *ARM]
    tuned = tuning(runs)[keys].drop_duplicates().assign(is_tuned=True)
    marked = _choosing(runs).merge(tuned, how="left", on=keys)
    choosing = _counted(marked[(marked["role"] == "tuning") | marked["is_tuned"].isna()])
    table = choosing.groupby(RATE_FACTORS, sort=True).agg(
        runs=("run_id", "size"),
        ok=("ok", "sum"),
        diverged=("diverged", "sum"),
        mean_score=("validation_score", "mean"),
        is_extension=("is_extension", "first"),
    ).reset_index()  # fmt: skip
    factor = judged(runs).groupby(keys)["pretraining_rate"].first().rename("judged_factor")
    table = table.join(factor, on=keys)
    is_candidate = table["pretraining_rate"] == table.pop("judged_factor")
    chosen = table[is_candidate].groupby(keys, sort=False)[["learning_rate", "mean_score"]].apply(
        lambda rows: choose(rows["learning_rate"].tolist(), rows["mean_score"].tolist())
    ).rename("chosen")  # fmt: skip
    table = table.join(chosen, on=keys)
    is_chosen = is_candidate & (table.pop("chosen") == table["learning_rate"])
    offered = table["learning_rate"].where(is_candidate).groupby([table[key] for key in keys])
    smallest, largest = offered.transform("min"), offered.transform("max")
    is_edge = ((table["learning_rate"] == smallest) | (table["learning_rate"] == largest)) & (smallest < largest)
    return table.assign(is_chosen=is_chosen, is_edge=is_chosen & is_edge)


def _counted(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with a column for every status, which says whether it is theirs: its sum counts them."""
    return runs.assign(**{name: runs["status"] == name for name in STATUSES})


def _choosing(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with the validation score used for choosing: that of random guessing if they diverged or are stuck."""
    is_reconstruction = runs["chance"] == 0
    limits = {name: datasets.guessing_limit(name, False) for name in runs["dataset"].unique()}
    limit = runs["dataset"].map(limits).mask(is_reconstruction, 0.0)
    learned = (runs["validation_score"] > limit) & (runs["status"] != "diverged")
    return runs.assign(validation_score=runs["validation_score"].where(learned, runs["chance"]))


def summarise(runs: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """Return one row for every judged arm, cell and rate: counts, success, means.

    Args:
        runs: of one budget, with `RATE_FACTORS`, `role`, `run_id`, `status`, `chance`, the losses and scores, and
            `steps_to_target`.
        tuned: `tuning_table` of the same budget.
    """
    summary = _counted(judged(scored(runs))).groupby(RATE_FACTORS, sort=True).agg(
        runs=("run_id", "size"),
        **{name: (name, "sum") for name in STATUSES},
        train_loss=("train_loss", "median"),
        test_loss=("test_loss", "median"),
        test_score=("test_score", "mean"),
        test_score_minimum=("test_score", "min"),
        test_score_maximum=("test_score", "max"),
        steps_to_target=("steps_to_target", "median"),
    ).reset_index()  # fmt: skip
    columns = {"mean_score": "tuning_score", "is_chosen": "is_best_rate", "is_edge": "is_edge_rate"}
    chosen = tuned[[*RATE_FACTORS, *columns]].rename(columns=columns)
    summary = summary.merge(chosen, how="left", on=RATE_FACTORS)
    summary = summary.astype({"is_best_rate": bool, "is_edge_rate": bool})
    summary["success_rate"] = summary["ok"] / summary["runs"]
    pairs = list(zip(summary["ok"], summary["runs"], strict=True))
    intervals = {pair: stats.wilson(*pair) for pair in set(pairs)}
    summary["success_low"], summary["success_high"] = zip(*(intervals[pair] for pair in pairs), strict=True)
    return summary


def initial_state(runs: pd.DataFrame, curves: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Return statistics of the judged replicates of each arm, cell and learning rate at the start of training.

    An initial loss of log C means that all classes get the same probability. A large spread of log(mean z²) over replicates
    in the last hidden layer is the failure mode of deep and narrow networks in Hanin & Rolnick 2018 (§3).

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
