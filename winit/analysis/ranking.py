"""The field as a whole: how initializers compare over all cells of a study's main grid.

A *cell* is one dataset, activation, depth, width, regularization, pretraining and optimizer. Every initializer stands for
itself in each cell, at the rate chosen for it (view *tuned*) or at the one rate nobody tuned (view *fixed*). Accuracies are
brought to a common scale in each cell:

    score = clip((accuracy − chance)/(reference − chance), 0, 1),   chance = 1/C

with the best median of the cell as the reference; a diverged run scores 0. Cells in which no initializer's median leaves
chance say nothing about initializers: they are counted, and left out of the scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from winit import datasets, schemes
from winit.analysis import stats
from winit.analysis.select import SETTING
from winit.datasets import part_sizes
from winit.store.schema import TABLES

CELL = [*SETTING, "pretraining"]
VIEWS = ("tuned", "fixed")
TAUS = np.round(np.arange(1, 4.01, 0.05), 2)
WORST = 0.1  # the share of scores that counts as the worst
FEWEST_CELLS = 3


def views(
    runs: pd.DataFrame, summary: pd.DataFrame, fixed_rate: float
) -> Iterator[tuple[str, float | None, pd.DataFrame]]:
    """Yield each view's name, its rate if it has one, and the judged runs in it.

    Args:
        runs, summary: tables of the main grid.
        fixed_rate: of the fixed view; the nearest rate of the grid, on a log scale, stands for it.
    """
    judged = runs[runs["replicate"] >= 0]
    if judged.empty:
        return
    best = summary.loc[summary["is_best_rate"], [*CELL, "initializer", "learning_rate"]]
    yield "tuned", None, judged.merge(best)
    rates = np.sort(judged["learning_rate"].unique())
    if len(rates) > 1:
        nearest = float(rates[np.abs(np.log(rates / fixed_rate)).argmin()])
        yield "fixed", nearest, judged[judged["learning_rate"] == nearest]


def scores(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with their `score`; and `is_open`, whether any initializer's median leaves chance in their cell."""
    accuracy = runs["test_accuracy"].fillna(0.0)
    classes = runs["dataset"].map(lambda name: datasets.DATASETS[name].classes).astype(float)
    examples = runs["dataset"].map(lambda name: part_sizes(name)[2])
    medians = accuracy.groupby([runs[f] for f in [*CELL, "initializer"]]).transform("median")
    reference = medians.groupby([runs[f] for f in CELL]).transform("max")
    is_open = reference > stats.chance_limit(classes, examples)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = ((accuracy - 1 / classes) / (reference - 1 / classes)).clip(0, 1)
    return runs.assign(score=score.where(is_open), is_open=is_open)


def _by_cell(frame: pd.DataFrame, value: str) -> dict[tuple, np.ndarray]:
    """Return the values of each cell, in the order of the replicates."""
    ordered = frame.sort_values("replicate")
    return {key: cell[value].to_numpy() for key, cell in ordered.groupby(CELL, sort=True)}


def ranking(runs: pd.DataFrame, summary: pd.DataFrame, analysis: Mapping[str, object], seed: int) -> pd.DataFrame:
    """Return one row for each view and initializer: success, scores with intervals, and the comparison with the baseline.

    Args:
        runs, summary: tables of the main grid.
        analysis: the study's settings of that name.
        seed: of the bootstrap.
    """
    rows = []
    for view, rate, chosen in views(runs, summary, float(analysis["fixed_rate"])):
        scored = scores(chosen)
        theirs = scored[scored["initializer"] == analysis["baseline"]]
        fastest = _fastest(chosen)
        for place, initializer in enumerate(schemes.in_order(scored["initializer"])):
            mine = scored[scored["initializer"] == initializer]
            rng = np.random.default_rng([seed, VIEWS.index(view), place])
            rows.append(
                {"view": view, "initializer": initializer, "rate": rate if rate is not None else np.nan}
                | _own(mine, rng, int(analysis["resamples"]))
                | {"profile_score": stats.profile_score(_ratios(mine, fastest))}
                | _against(mine, theirs, initializer == analysis["baseline"], rng, analysis)
            )
    frame = pd.DataFrame(rows, columns=list(TABLES["ranking"]))
    if frame.empty:
        return frame
    frame["p_holm"] = frame.groupby("view")["p"].transform(lambda p: stats.holm(p.to_numpy()))
    return frame.sort_values(
        ["view", "success_rate", "iqm"], ascending=[False, False, False], kind="stable", ignore_index=True
    )


def _own(mine: pd.DataFrame, rng: np.random.Generator, resamples: int) -> dict[str, object]:
    """Return what an initializer's own runs say."""
    ok, total = int((mine["status"] == "ok").sum()), len(mine)
    low, high = stats.wilson(ok, total)
    cells = [values for values in _by_cell(mine[mine["is_open"]], "score").values()]
    found: dict[str, object] = {
        "cells": mine.drop_duplicates(CELL).shape[0], "open_cells": len(cells), "runs": total, "ok": ok,
        "diverged": int((mine["status"] == "diverged").sum()), "success_rate": ok / total, "success_low": low, "success_high": high,
    }  # fmt: skip
    if not cells:
        return found
    values = np.concatenate(cells)
    worst = np.sort(values)[: max(1, round(WORST * len(values)))]
    iqm_low, iqm_high = stats.stratified_interval(cells, stats.interquartile_mean, rng, resamples)
    return found | {
        "iqm": float(stats.interquartile_mean(values)), "iqm_low": iqm_low, "iqm_high": iqm_high,
        "mean_score": float(values.mean()), "worst_score": float(worst.mean()),
    }  # fmt: skip


def _against(
    mine: pd.DataFrame,
    theirs: pd.DataFrame,
    is_baseline: bool,
    rng: np.random.Generator,
    analysis: Mapping[str, object],
) -> dict[str, object]:
    """Return the comparison with the baseline, over the cells that both have, in pairs of replicates."""
    if is_baseline or theirs.empty:
        return {"verdict": "baseline" if is_baseline else ""}
    a, b = (_by_cell(frame[frame["is_open"]], "score") for frame in (mine, theirs))
    common = [key for key in a if key in b and len(a[key]) == len(b[key])]
    if not common:
        return {"verdict": "undecided"}
    ours, base = (np.stack([of[key] for key in common]) for of in (a, b))
    resamples = int(analysis["resamples"])
    low, high = stats.two_stage_interval(ours, base, stats.mean_difference, rng, resamples)
    better_low, better_high = stats.two_stage_interval(ours, base, stats.probability_of_improvement, rng, resamples)
    medians = np.median(ours, axis=1) - np.median(base, axis=1)
    return {
        "common_cells": len(common),
        "difference": float(stats.mean_difference(ours, base)), "difference_low": low, "difference_high": high,
        "improvement": float(stats.probability_of_improvement(ours, base)),
        "improvement_low": better_low, "improvement_high": better_high,
        "p": stats.signed_rank(medians) if len(common) >= FEWEST_CELLS else np.nan,
        "verdict": stats.verdict(low, high, float(analysis["margin"])),
    }  # fmt: skip


def _median_steps(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the median steps to the target of each cell and initializer; a run that diverged has not arrived."""
    steps = runs["steps_to_target"].where(runs["status"] != "diverged", np.inf)
    return steps.groupby([runs[f] for f in [*CELL, "initializer"]]).median().rename("steps").reset_index()


def _fastest(runs: pd.DataFrame) -> pd.Series:
    """Return the fewest median steps of each cell in which any initializer arrives."""
    fewest = _median_steps(runs).groupby(CELL)["steps"].min()
    return fewest[np.isfinite(fewest)]


def _ratios(mine: pd.DataFrame, fastest: pd.Series) -> np.ndarray:
    """Return, for each of an initializer's cells in which any arrives, its median steps relative to the fewest."""
    steps = _median_steps(mine).set_index(CELL)["steps"]
    shared = steps.index.intersection(fastest.index)
    # A target that is met untrained would divide by 0: there, all who meet it are as fast.
    return (np.maximum(steps[shared], 1) / np.maximum(fastest[shared], 1)).to_numpy()


def profiles(runs: pd.DataFrame, summary: pd.DataFrame, analysis: Mapping[str, object]) -> pd.DataFrame:
    """Return the performance profile of every view and initializer: the share of cells within τ of the fastest."""
    frames = []
    for view, _, chosen in views(runs, summary, float(analysis["fixed_rate"])):
        fastest = _fastest(chosen)
        for initializer in schemes.in_order(chosen["initializer"]):
            ratios = _ratios(chosen[chosen["initializer"] == initializer], fastest)
            if len(ratios):
                share = stats.performance_profile(ratios, TAUS)
                frames.append(
                    pd.DataFrame(
                        {"view": view, "initializer": initializer, "tau": TAUS, "share": share, "cells": len(ratios)}
                    )
                )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(TABLES["profiles"]))


def arrivals(
    runs: pd.DataFrame, summary: pd.DataFrame, analysis: Mapping[str, object], steps: list[int]
) -> pd.DataFrame:
    """Return the share of runs that have reached their target by each evaluated step, over all cells of an initializer.

    A run that never does, or that diverges, is censored at the budget.
    """
    frames = []
    for view, _, chosen in views(runs, summary, float(analysis["fixed_rate"])):
        for initializer in schemes.in_order(chosen["initializer"]):
            mine = chosen[chosen["initializer"] == initializer]
            to_target = mine["steps_to_target"].where(mine["status"] != "diverged", np.inf).to_numpy()
            share = stats.reached_by(to_target, float(mine["steps"].max()), np.array(steps))
            frames.append(
                pd.DataFrame(
                    {"view": view, "initializer": initializer, "step": steps, "share": share, "runs": len(mine)}
                )
            )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(TABLES["arrivals"]))
