"""Select runs, and measurements of their networks before training. All analyses and figures select here.

Three groups of factors, in the order in which the tables are sorted:

- `SETTING`: dataset, width, optimizer and regularization; the page shows each setting separately;
- `CELL`: a setting, an activation and a depth, in which arms are compared;
- `ARM`: an initializer and its pretraining, which are compared within a cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from winit import schemes
from winit.store.schema import FACTORS, TABLES
from winit.study.model import Study
from winit.vocabulary.pretraining import parse_pretraining

Tables = Mapping[str, pd.DataFrame]

SETTING = ["dataset", "width", "batch_norm", "dropout", "optimizer"]
CELL = [name for name in FACTORS if name in (*SETTING, "activation", "depth")]
ARM = ["initializer", "pretraining"]
# The factors of runs. `role` follows from `replicate`, and tuning replicates come first.
RUN_FACTORS = [name for name in FACTORS if name != "role"]
RATE_FACTORS = [*CELL, *ARM, "pretraining_rate", "learning_rate"]

# Outcomes: the columns that differ between the budgets of a run.
OUTCOME = [name for name in TABLES["outcomes"] if name not in ("run_id", "budget")]
SCORES = ("train_score", "validation_score", "test_score")
LOSSES = ("train_loss", "validation_loss", "test_loss")


def judged(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the judged runs.

    Args:
        runs: with `role`.
    """
    return runs[runs["role"] == "judged"]


def tuning(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the tuning runs, which are used only to choose learning rates.

    Args:
        runs: with `role`.
    """
    return runs[runs["role"] == "tuning"]


def main_grid(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table for arms of the main grid, without those of extra grids.

    Args:
        study: the study.
        frame: `runs`, `tuning` or `summary`, with `CELL` and `ARM`.
    """
    main = study.resolved.grids[""]
    keep = frame["dataset"].isin(main.dataset) & frame["optimizer"].isin(main.optimizer)
    for factor in (*ARM, "activation", "depth", "width", "batch_norm", "dropout"):
        keep &= frame[factor].isin(getattr(main, factor))
    return frame[keep]


def chosen_rates(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the summary at the chosen rate of each arm.

    Args:
        summary: with `is_best_rate`.
    """
    return summary[summary["is_best_rate"]]


def at_chosen_rate(runs: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the judged runs at the chosen rate of each arm, scored.

    Args:
        runs: of one budget, with `RATE_FACTORS`, `role`, `status` and `chance`.
        summary: of the same budget, with `RATE_FACTORS` and `is_best_rate`.
    """
    return scored(judged(runs).merge(chosen_rates(summary)[RATE_FACTORS], on=RATE_FACTORS))


def scored(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with the scores and losses that comparisons use, where failures are scored as random guessing.

    Runs that diverged or are stuck have a test score of chance, and no score is below chance. Diverged runs also have an
    infinite loss and infinite steps to the target.

    Args:
        runs: with `status` and `chance`; the outcomes that it has are replaced.
    """
    lost, chance = runs["status"] == "diverged", runs["chance"]
    stuck = runs["status"] == "stuck"  # on test data
    failed = dict.fromkeys(SCORES, lost) | {"test_score": lost | stuck}
    columns = {name: runs[name].mask(failed[name], chance).clip(lower=chance) for name in SCORES if name in runs}
    columns |= {name: runs[name].mask(lost, np.inf) for name in (*LOSSES, "steps_to_target") if name in runs}
    return runs.assign(**columns)


def at_budget(runs: pd.DataFrame, outcomes: pd.DataFrame, budget: int) -> pd.DataFrame:
    """Return the runs with their outcomes at a budget instead of the full budget.

    Args:
        runs: the table.
        outcomes: with `run_id`, `budget` and the outcomes.
        budget: one of the budgets of the study.
    """
    read = outcomes[outcomes["budget"] == budget].drop(columns="budget").set_index("run_id")
    return runs.drop(columns=OUTCOME).join(read, on="run_id")[list(runs.columns)]


def of_budget(table: pd.DataFrame, budget: int | None = None) -> pd.DataFrame:
    """Return the rows of a table at a budget, by default the full budget.

    Args:
        table: with `budget`.
        budget: one of the budgets of the study.
    """
    return table[table["budget"] == (table["budget"].max() if budget is None else budget)]


def curves_as_worst(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the curves with the score of random guessing and an infinite loss from the step of divergence on.

    Args:
        curves: with `chance`; losses and scores are missing after a divergence.
    """
    columns = {name: curves[name].astype(float).fillna(curves["chance"]) for name in SCORES if name in curves}
    columns |= {name: curves[name].fillna(np.inf) for name in LOSSES if name in curves}
    return curves.assign(**columns)


def is_pretrained(pretraining: pd.Series) -> pd.Series:
    """Return which ways of pretraining train layers before step 0: all but `none` and `none+longer`."""
    return pretraining.map(lambda name: parse_pretraining(name).method != "none").astype(bool)


def one_rate(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one run for each group that differs only in the learning rate, because they start from the same weights.

    Args:
        runs: with `CELL`, `ARM` and `replicate`, sorted by rate; the run with the smallest rate is returned.
    """
    return runs.drop_duplicates([*CELL, *ARM, "pretraining_rate", "replicate"])


def before_training(table: pd.DataFrame, runs: pd.DataFrame, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return measurements of networks at the start of training, after drawing and pretraining.

    Args:
        table: `layers`, `jacobians` or `histograms`, with `run_id` and `stage`.
        runs: with `run_id`, `pretraining` and the columns asked for.
        columns: columns of `runs` to add.
    """
    stage = np.where(is_pretrained(runs["pretraining"]), "pretrained", "drawn")
    first = runs[["run_id", *columns]].assign(stage=stage)
    return table[table["stage"] != "training"].merge(first, on=["run_id", "stage"])


def since_pretraining(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return a table without measurements from before pretraining.

    Args:
        table: `layers`, `jacobians` or `histograms`, with `run_id` and `stage`.
        runs: with `run_id` and `pretraining`.
    """
    pretrained = runs.loc[is_pretrained(runs["pretraining"]), "run_id"]
    return table[(table["stage"] != "drawn") | ~table["run_id"].isin(pretrained)] if len(pretrained) else table


def is_scaled(initializer: str) -> bool:
    """Return whether a scheme derives its scale from the layer, not from a parameter or from data."""
    parsed = schemes.parse(initializer)
    is_fixed = parsed.scheme.family in ("fixed", "constant")
    return not is_fixed and not parsed.modifiers


def small_weights(initializers: list[str]) -> str | None:
    """Return the `normal:σ` with the smallest σ, or None."""
    by_std = {schemes.parse(name).parameters["std"]: name for name in initializers if name.startswith("normal:")}
    return by_std[min(by_std)] if by_std else None
