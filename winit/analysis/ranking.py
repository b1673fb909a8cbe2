"""The field as a whole: how initializers compare over all cells of a study's main grid.

Every initializer stands for itself in each cell, at the rate chosen for it (view *tuned*) or at the one rate nobody tuned
(view *fixed*); ways of pretraining make cells of their own here. Test scores are brought to a common scale in each cell:

    score = clip((accuracy − chance)/(reference − chance), 0, 1),   chance = 1/C

with the best median of the cell as the reference; a diverged run scores 0. A cell is learnable if at least one
initializer's median beats chance. The others say nothing about initializers: they are counted, and left out of the scores.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winit import datasets, schemes
from winit.analysis import stats
from winit.analysis.select import CELL, at_chosen_rate, judged, scored
from winit.datasets import part_sizes
from winit.store.schema import TABLES
from winit.study.schema import AnalysisSettings

PRETRAINED_CELL = [*CELL, "pretraining"]
VIEWS = ("tuned", "fixed")
TAUS = np.round(np.arange(1, 4.01, 0.05), 2)
WORST_SHARE = 0.1  # the share of scores that counts as the worst
FEWEST_CELLS = 3


def views(
    runs: pd.DataFrame, summary: pd.DataFrame, fixed_rate: float
) -> Iterator[tuple[str, float | None, pd.DataFrame]]:
    """Yield each view's name, its rate if it has one, and the judged runs in it; a diverged run counts as the worst.

    Args:
        runs, summary: tables of the main grid.
        fixed_rate: of the fixed view; the nearest rate of the grid, on a log scale, stands for it.
    """
    of_all_rates = judged(runs)
    if of_all_rates.empty:
        return
    yield "tuned", None, at_chosen_rate(runs, summary)
    rates = np.sort(of_all_rates["learning_rate"].unique())
    if len(rates) > 1:
        nearest = float(rates[np.abs(np.log(rates / fixed_rate)).argmin()])
        yield "fixed", nearest, scored(of_all_rates[of_all_rates["learning_rate"] == nearest])


def scores(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with `score` and `is_learnable`, whether any initializer's median beats chance in their cell.

    Args:
        runs: of one view, with `PRETRAINED_CELL`, `initializer` and `test_score`.
    """
    accuracy = runs["test_score"]
    classes = runs["dataset"].map(lambda name: datasets.DATASETS[name].classes).astype(float)
    examples = runs["dataset"].map(lambda name: part_sizes(name)[2])
    medians = accuracy.groupby([runs[f] for f in [*PRETRAINED_CELL, "initializer"]]).transform("median")
    reference = medians.groupby([runs[f] for f in PRETRAINED_CELL]).transform("max")
    is_learnable = reference > stats.chance_limit(classes, examples)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = ((accuracy - 1 / classes) / (reference - 1 / classes)).clip(0, 1)
    return runs.assign(score=score.where(is_learnable), is_learnable=is_learnable)


def _scores_by_cell(runs: pd.DataFrame) -> dict[tuple[object, ...], np.ndarray]:
    """Return the scores in each learnable cell, in the order of the replicates."""
    ordered = runs[runs["is_learnable"]].sort_values("replicate")
    return {key: cell["score"].to_numpy() for key, cell in ordered.groupby(PRETRAINED_CELL, sort=True)}


def ranking(runs: pd.DataFrame, summary: pd.DataFrame, analysis: AnalysisSettings, seed: int) -> pd.DataFrame:
    """Return one row for each view and initializer: success, scores with intervals, and the comparison with the baseline.

    Args:
        runs, summary: tables of the main grid.
        analysis: the study's settings of that name.
        seed: of the bootstrap.
    """
    rows: list[dict[str, object]] = []
    for view, rate, chosen in views(runs, summary, analysis.fixed_rate):
        scored = scores(chosen)
        of_baseline = scored[scored["initializer"] == analysis.baseline]
        fastest = _fastest(chosen)
        for index, initializer in enumerate(schemes.in_order(scored["initializer"])):
            of_initializer = scored[scored["initializer"] == initializer]
            rng = np.random.default_rng([seed, VIEWS.index(view), index])
            row = {"view": view, "initializer": initializer, "rate": np.nan if rate is None else rate}
            row |= _own(of_initializer, rng, analysis.resamples)
            row["profile_score"] = stats.profile_score(_ratios(of_initializer, fastest))
            if initializer == analysis.baseline:
                row["verdict"] = "baseline"
            else:
                row |= _against(of_initializer, of_baseline, rng, analysis)
            rows.append(row)
    frame = pd.DataFrame(rows, columns=list(TABLES["ranking"]))
    if frame.empty:
        return frame
    frame["p_holm"] = frame.groupby("view")["p"].transform(lambda p: stats.holm(p.to_numpy()))
    return frame.sort_values(
        ["view", "success_rate", "iqm"], ascending=[False, False, False], kind="stable", ignore_index=True
    )


def _own(runs: pd.DataFrame, rng: np.random.Generator, resamples: int) -> dict[str, object]:
    """Return what an initializer's own runs say."""
    ok, total = int((runs["status"] == "ok").sum()), len(runs)
    low, high = stats.wilson(ok, total)
    cells = list(_scores_by_cell(runs).values())
    row: dict[str, object] = {
        "cells": runs.drop_duplicates(PRETRAINED_CELL).shape[0], "learnable_cells": len(cells), "runs": total, "ok": ok,
        "diverged": int((runs["status"] == "diverged").sum()), "success_rate": ok / total, "success_low": low, "success_high": high,
    }  # fmt: skip
    if not cells:
        return row
    values = np.concatenate(cells)
    worst = np.sort(values)[: max(1, round(WORST_SHARE * len(values)))]
    iqm_low, iqm_high = stats.stratified_interval(cells, stats.interquartile_mean, rng, resamples)
    return row | {
        "iqm": float(stats.interquartile_mean(values)), "iqm_low": iqm_low, "iqm_high": iqm_high,
        "mean_score": float(values.mean()), "worst_score": float(worst.mean()),
    }  # fmt: skip


def _against(
    ours: pd.DataFrame, theirs: pd.DataFrame, rng: np.random.Generator, analysis: AnalysisSettings
) -> dict[str, object]:
    """Return the comparison with the baseline, over the cells that both have, in pairs of replicates."""
    if theirs.empty:
        return {"verdict": ""}
    a, b = _scores_by_cell(ours), _scores_by_cell(theirs)
    common = [key for key in a if key in b and len(a[key]) == len(b[key])]
    if not common:
        return {"verdict": "undecided"}
    first, second = (np.stack([scores_of[key] for key in common]) for scores_of in (a, b))  # (cells, replicates)
    resamples = analysis.resamples
    low, high = stats.two_stage_interval(first, second, stats.mean_difference, rng, resamples)
    better_low, better_high = stats.two_stage_interval(first, second, stats.probability_of_improvement, rng, resamples)
    medians = np.median(first, axis=1) - np.median(second, axis=1)
    return {
        "common_cells": len(common),
        "difference": float(stats.mean_difference(first, second)), "difference_low": low, "difference_high": high,
        "improvement": float(stats.probability_of_improvement(first, second)),
        "improvement_low": better_low, "improvement_high": better_high,
        "p": stats.signed_rank(medians) if len(common) >= FEWEST_CELLS else np.nan,
        "verdict": stats.verdict(low, high, analysis.margin),
    }  # fmt: skip


def _median_steps(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the median steps to the target of each cell and initializer."""
    by_cell = runs.groupby([*PRETRAINED_CELL, "initializer"])["steps_to_target"]
    return by_cell.median().rename("steps").reset_index()


def _fastest(runs: pd.DataFrame) -> pd.Series:
    """Return the fewest median steps of each cell in which any initializer arrives."""
    fewest = _median_steps(runs).groupby(PRETRAINED_CELL)["steps"].min()
    return fewest[np.isfinite(fewest)]


def _ratios(runs: pd.DataFrame, fastest: pd.Series) -> np.ndarray:
    """Return, for each of an initializer's cells in which any arrives, its median steps relative to the fewest."""
    steps = _median_steps(runs).set_index(PRETRAINED_CELL)["steps"]
    shared = steps.index.intersection(fastest.index)
    # A target that is met untrained would divide by 0: there, all who meet it are as fast.
    return (np.maximum(steps[shared], 1) / np.maximum(fastest[shared], 1)).to_numpy()


def profiles(runs: pd.DataFrame, summary: pd.DataFrame, analysis: AnalysisSettings) -> pd.DataFrame:
    """Return the performance profile of every view and initializer: the share of cells within τ of the fastest.

    Args:
        runs, summary: tables of the main grid.
        analysis: the study's settings of that name.
    """
    frames = []
    for view, _, chosen in views(runs, summary, analysis.fixed_rate):
        fastest = _fastest(chosen)
        for initializer in schemes.in_order(chosen["initializer"]):
            ratios = _ratios(chosen[chosen["initializer"] == initializer], fastest)
            if len(ratios):
                share = stats.performance_profile(ratios, TAUS)
                columns = {"view": view, "initializer": initializer, "tau": TAUS, "share": share, "cells": len(ratios)}
                frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(TABLES["profiles"]))


def arrivals(runs: pd.DataFrame, summary: pd.DataFrame, analysis: AnalysisSettings, steps: list[int]) -> pd.DataFrame:
    """Return the share of runs that have reached their target by each evaluated step, over all cells of an initializer.

    A run that never does, or that diverges, is censored at the budget.

    Args:
        runs, summary: tables of the main grid.
        analysis: the study's settings of that name.
        steps: the evaluated steps.
    """
    frames = []
    for view, _, chosen in views(runs, summary, analysis.fixed_rate):
        for initializer in schemes.in_order(chosen["initializer"]):
            own = chosen[chosen["initializer"] == initializer]
            share = stats.reached_by(own["steps_to_target"].to_numpy(), float(own["steps"].max()), np.array(steps))
            columns = {"view": view, "initializer": initializer, "step": steps, "share": share, "runs": len(own)}
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(TABLES["arrivals"]))
