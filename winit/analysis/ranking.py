"""Ranking of initializers over the cells of a study's main grid, for all activations and for each activation.

Every initializer is evaluated in each cell at its chosen rate (view *tuned*) or at one untuned rate (view *fixed*). Ways of
pretraining are separate cells here.

Initializers are compared on common cells: a table ranks those that were tried in all of its cells. An initializer that is
not applicable to an activation is ranked only for other activations, not for all.

Cells are fixed; they are not a sample of other cells. Test scores are scaled but not clipped:

    score = (accuracy − chance)/(1 − chance)

The verdict on an initializer follows from two intervals of its differences to the baseline, in success and in score
(`analysis.decisions`). They are simultaneous for all initializers of a table and include the uncertainty from choosing
the rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from winit import schemes
from winit.analysis import intervals, stats
from winit.analysis.choice import choice_noise
from winit.analysis.decisions import FEWEST_DECIDED, UNDECIDED, decide
from winit.analysis.select import CELL, at_chosen_rate, judged, scored
from winit.store.schema import TABLES
from winit.study.schema import AnalysisSettings

PRETRAINED_CELL = [*CELL, "pretraining"]
ALL = "all"  # used instead of an activation for all activations
TAUS = np.round(np.arange(1, 4.01, 0.05), 2)
WORST_SHARE = 0.1  # the share of scores that counts as the worst
INTERVALS_EACH = 2  # of an initializer's comparison: success and score


class View(NamedTuple):
    """The judged runs at the chosen rates, or at one rate for all.

    Attributes:
        name: tuned or fixed.
        rate: the rate of the fixed view; NaN if there are several.
        runs: judged runs, scored.
    """

    name: str
    rate: float
    runs: pd.DataFrame


class Contender(NamedTuple):
    """An initializer in the cells of a table: arrays (cells, replicates), in the same order for all initializers.

    Attributes:
        runs: its rows.
        ok: whether a run trains.
        score: of a run.
        noise: variance that choosing the rate adds to the mean over cells, by measure; 0 if no rate was chosen.
    """

    runs: pd.DataFrame
    ok: np.ndarray
    score: np.ndarray
    noise: dict[str, float]


def views(runs: pd.DataFrame, summary: pd.DataFrame, fixed_rate: float) -> Iterator[View]:
    """Yield the views: at the chosen rates and, if there are several rates, at one rate for all.

    Args:
        runs, summary: tables of the main grid, of one budget.
        fixed_rate: of the fixed view; the nearest rate of the grid on a log scale is used.
    """
    of_all_rates = judged(runs)
    if of_all_rates.empty:
        return
    yield View("tuned", np.nan, at_chosen_rate(runs, summary))
    if runs["learning_rate"].nunique() < 2:
        return
    of_grid = of_all_rates[~of_all_rates["is_extension"]]  # rates that tuning added are not used
    distance = np.abs(np.log(of_grid["learning_rate"] / fixed_rate))
    nearest = distance.groupby(of_grid["optimizer"]).transform("min")
    at_fixed = of_grid[distance == nearest]
    rates = at_fixed["learning_rate"].unique()
    yield View("fixed", float(rates[0]) if len(rates) == 1 else np.nan, scored(at_fixed))


def with_score(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with `score`: 0 at chance, 1 without errors.

    Args:
        runs: with `test_score` and `chance`.
    """
    return runs.assign(score=(runs["test_score"] - runs["chance"]) / (1 - runs["chance"]))


def on_common_cells(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of initializers that were tried in every cell.

    Args:
        runs: with `PRETRAINED_CELL` and `initializer`.
    """
    cells = runs[[*PRETRAINED_CELL, "initializer"]].drop_duplicates()
    tried = cells.groupby("initializer")["initializer"].transform("size")
    complete = cells.loc[tried == len(cells[PRETRAINED_CELL].drop_duplicates()), "initializer"]
    return runs[runs["initializer"].isin(complete)]


def tables_of(view: View) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the activation, or `ALL`, and the runs of the initializers ranked there."""
    yield ALL, on_common_cells(view.runs)
    for activation, runs in view.runs.groupby("activation", sort=True):
        yield str(activation), on_common_cells(runs)


def _arms(runs: pd.DataFrame, noise: pd.DataFrame | None) -> dict[str, Contender]:
    """Return the initializers of a table in order, without replicates that any of them lacks."""
    index = ["initializer", *PRETRAINED_CELL]
    scored_runs = with_score(runs).assign(ok=runs["status"] == "ok")
    score = scored_runs.pivot(index=index, columns="replicate", values="score").dropna(axis=1)
    ok = scored_runs.pivot(index=index, columns="replicate", values="ok")[score.columns].astype(bool)
    arms = {}
    for name in schemes.in_order(runs["initializer"]):
        own = runs[runs["initializer"] == name]
        cells = score.loc[name].shape[0]
        added = dict.fromkeys(("success", "score", "trained_score"), 0.0)
        if noise is not None:
            rows = noise.loc[pd.MultiIndex.from_frame(own[noise.index.names].drop_duplicates())]
            added = (rows.sum(skipna=False) / cells**2).to_dict()
        arms[name] = Contender(own, ok.loc[name].to_numpy(), score.loc[name].to_numpy(), added)
    return arms


def ranking(runs: pd.DataFrame, summary: pd.DataFrame, analysis: AnalysisSettings, seed: int) -> pd.DataFrame:
    """Return one row for each view, activation (or all) and initializer: success, scores, comparison with the baseline.

    Args:
        runs, summary: tables of the main grid, of one budget; runs of both roles.
        analysis: the study's settings of that name.
        seed: of the resampling of tuning replicates.
    """
    rows: list[dict[str, object]] = []
    noise = choice_noise(runs, seed, analysis.resamples)
    for view in views(runs, summary, analysis.fixed_rate):
        for activation, of_table in tables_of(view):
            arms = _arms(of_table, noise if view.name == "tuned" else None)
            baseline = arms.get(analysis.baseline)
            speeds = _ratios(of_table)
            level = intervals.simultaneous_level(INTERVALS_EACH * (len(arms) - (baseline is not None)))
            for name, arm in arms.items():
                row: dict[str, object] = {
                    "view": view.name,
                    "activation": activation,
                    "initializer": name,
                    "rate": view.rate,
                }
                row |= _own(arm) | {"profile_score": stats.profile_score(speeds[name])}
                if name == analysis.baseline:
                    row |= {"verdict": "baseline", "reason": ""}
                elif baseline is None:
                    row |= {"verdict": UNDECIDED, "reason": "the baseline was not tried in every cell"}
                else:
                    row |= _against(arm, baseline, level, analysis.margin)
                rows.append(row)
    columns = [name for name in TABLES["ranking"] if name != "budget"]
    frame = pd.DataFrame(rows, columns=columns)
    if frame.empty:
        return frame
    views_in_order = frame["view"].map({"tuned": 0, "fixed": 1})
    is_part = frame["activation"] != ALL
    order = frame.assign(view=views_in_order, part=is_part).sort_values(
        ["view", "part", "activation", "success_rate", "mean_score"],
        ascending=[True, True, True, False, False],
        kind="stable",
    )
    return frame.loc[order.index].reset_index(drop=True)


def _own(arm: Contender) -> dict[str, object]:
    """Return the statistics of an initializer's own runs."""
    cells, replicates = arm.ok.shape
    success = intervals.proportion(arm.ok.sum(axis=1), np.full(cells, replicates)) if replicates else intervals.UNKNOWN
    success = intervals.widened(success, arm.noise["success"])
    score = intervals.widened(intervals.mean_over_replicates(arm.score), arm.noise["score"])
    ordered = np.sort(arm.score, axis=None)
    return {
        "cells": cells, "runs": len(arm.runs), "ok": int((arm.runs["status"] == "ok").sum()),
        "diverged": int((arm.runs["status"] == "diverged").sum()), "success_rate": success.mean,
        "success_low": float(np.clip(success.low, 0, 1)), "success_high": float(np.clip(success.high, 0, 1)),
        "mean_score": score.mean, "mean_score_low": score.low, "mean_score_high": score.high,
        "worst_score": float(ordered[: max(1, round(WORST_SHARE * len(ordered)))].mean()),
    }  # fmt: skip


def compare(ours: Contender, theirs: Contender, level: float) -> tuple[stats.Difference, stats.Difference, int]:
    """Return the difference in success, the difference in score over pairs that both train, and their number of cells.

    Args:
        ours, theirs: the arms, in the same cells.
        level: of the intervals.
    """

    def both(measure: str) -> float:
        return ours.noise[measure] + theirs.noise[measure]

    success = intervals.widened(intervals.paired_proportions(ours.ok, theirs.ok, level), both("success"), level)
    train = ours.ok & theirs.ok
    pairs = [(ours.score[k] - theirs.score[k])[train[k]] for k in range(len(train)) if train[k].sum() >= FEWEST_DECIDED]
    # The noise is for a mean over all cells; here the mean is over cells in which enough pairs train.
    noise = both("trained_score") * (len(train) / len(pairs)) ** 2 if pairs else 0.0
    return success, intervals.widened(intervals.mean_over_cells(pairs, level), noise, level), len(pairs)


def _against(arm: Contender, baseline: Contender, level: float, margin: float) -> dict[str, object]:
    """Return the paired comparison with the baseline."""
    success, score, trained_cells = compare(arm, baseline, level)
    verdict, reason = decide(arm.ok.shape[1], success, score, margin)
    return {
        "level": level,
        "success_difference": success.mean,
        "success_difference_low": success.low, "success_difference_high": success.high,
        "trained_cells": trained_cells,
        "score_difference": score.mean,
        "score_difference_low": score.low, "score_difference_high": score.high,
        "verdict": verdict, "reason": reason,
    }  # fmt: skip


def _steps(runs: pd.DataFrame) -> pd.Series:
    """Return the steps to the target of runs that are at the target at the end; infinity for all others."""
    return runs["steps_to_target"].where(runs["status"] == "ok", np.inf)


def _ratios(runs: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return each initializer's median steps to the target relative to the fewest, in cells in which any reaches it."""
    by_cell = _steps(runs).groupby([runs[key] for key in (*PRETRAINED_CELL, "initializer")])
    steps = by_cell.median().unstack("initializer")
    fewest = steps.min(axis=1)
    steps = steps[np.isfinite(fewest)]
    # If a target is met without training, avoid dividing by 0: all that meet it are equally fast.
    ratios = steps.clip(lower=1).div(fewest[steps.index].clip(lower=1), axis=0)
    return {name: ratios[name].to_numpy() for name in schemes.in_order(steps.columns)}


def profiles(runs: pd.DataFrame, summary: pd.DataFrame, analysis: AnalysisSettings) -> pd.DataFrame:
    """Return the performance profile of every view, activation and initializer: the share of cells within τ of the fastest.

    Args:
        runs, summary: tables of the main grid, of one budget.
        analysis: the study's settings of that name.
    """
    frames = []
    for view in views(runs, summary, analysis.fixed_rate):
        for activation, of_table in tables_of(view):
            for name, ratios in _ratios(of_table).items():
                if len(ratios):
                    facts = {"view": view.name, "activation": activation, "initializer": name, "cells": len(ratios)}
                    frames.append(pd.DataFrame(facts | {"tau": TAUS, "share": stats.performance_profile(ratios, TAUS)}))
    return _joined(frames, "profiles")


def arrivals(runs: pd.DataFrame, summary: pd.DataFrame, analysis: AnalysisSettings, steps: list[int]) -> pd.DataFrame:
    """Return the share of runs that have reached their target by each step, by view, activation and initializer.

    A run that is not at the target at the end is censored at the last step.

    Args:
        runs, summary: tables of the main grid, of one budget.
        analysis: the study's settings of that name.
        steps: at which the share is evaluated, ascending; the last one is the budget.
    """
    frames = []
    for view in views(runs, summary, analysis.fixed_rate):
        for activation, of_table in tables_of(view):
            for name in schemes.in_order(of_table["initializer"]):
                own = of_table[of_table["initializer"] == name]
                share = stats.reached_by(_steps(own).to_numpy(), float(steps[-1]), np.array(steps))
                facts = {"view": view.name, "activation": activation, "initializer": name, "runs": len(own)}
                frames.append(pd.DataFrame(facts | {"step": steps, "share": share}))
    return _joined(frames, "arrivals")


def _joined(frames: list[pd.DataFrame], name: str) -> pd.DataFrame:
    """Return concatenated frames with the columns of a table, except the budget."""
    columns = [column for column in TABLES[name] if column != "budget"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
