"""Select runs, and what is known of their networks before training: every analysis and every figure selects here.

Three groups of factors, in the order in which the tables are sorted:

- `SETTING`: what the page repeats its sections for;
- `CELL`: a setting, an activation and a depth, in which arms compete;
- `ARM`: what competes in a cell, an initializer and its pretraining.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from winit import schemes
from winit.store.schema import FACTORS
from winit.study.model import Study, numbered_replicates
from winit.vocabulary.pretraining import parse_pretraining

Tables = Mapping[str, pd.DataFrame]

SETTING = ["dataset", "width", "batch_norm", "dropout", "optimizer"]
CELL = [name for name in FACTORS if name in (*SETTING, "activation", "depth")]
ARM = ["initializer", "pretraining"]
# What runs may differ in: `role` follows from `replicate`, and tuning replicates come first.
RUN_FACTORS = [name for name in FACTORS if name != "role"]
RATE_FACTORS = [*CELL, *ARM, "learning_rate"]

# What a diverged run counts as: no comparison may gain by it.
WORST = {
    "train_score": 0.0, "validation_score": 0.0, "test_score": 0.0,
    "train_loss": np.inf, "validation_loss": np.inf, "test_loss": np.inf,
    "steps_to_target": np.inf,
}  # fmt: skip


def judged(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that results are told of.

    Args:
        runs: with `role`.
    """
    return runs[runs["role"] == "judged"]


def tuning(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that choose the learning rate and nothing else.

    Args:
        runs: with `role`.
    """
    return runs[runs["role"] == "tuning"]


def main_grid(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table that lie in a study's main grid: what extra grids add is left out.

    Tuning replicates count as part of it.

    Args:
        study: the study.
        frame: `runs` or `summary`, with `CELL`, `ARM` and `learning_rate`; `replicate` if it has a row for each run.
    """
    grid = study.grid
    keep = frame["dataset"].isin(list(study.datasets))
    for factor in (*ARM, "activation", "depth", "width", "batch_norm", "dropout", "learning_rate"):
        keep &= frame[factor].isin(getattr(grid, factor))
    if "replicate" in frame:
        replicates = [number for number, _ in numbered_replicates(grid.replicates, grid.tuning_replicates)]
        keep &= frame["replicate"].isin(replicates)
    return frame[keep]


def chosen_rates(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the summary at the learning rate chosen for their arm.

    Args:
        summary: with `is_best_rate`.
    """
    return summary[summary["is_best_rate"]]


def at_chosen_rate(runs: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the judged runs at the learning rate chosen for their arm; one that diverged counts as the worst.

    Args:
        runs: with `RATE_FACTORS`, `role` and `status`.
        summary: with `RATE_FACTORS` and `is_best_rate`.
    """
    return diverged_as_worst(judged(runs).merge(chosen_rates(summary)[RATE_FACTORS], on=RATE_FACTORS))


def diverged_as_worst(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs, those that diverged with the worst result there is, whatever they had reached before.

    Args:
        runs: with `status`; of the columns in `WORST` those that are there are replaced.
    """
    lost = runs["status"] == "diverged"
    return runs.assign(**{name: runs[name].mask(lost, worst) for name, worst in WORST.items() if name in runs})


def curves_as_worst(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the curves, with the worst result there is from where a run diverged.

    Args:
        curves: with any columns of `WORST`; they are missing after a divergence.
    """
    return curves.assign(**{name: curves[name].fillna(worst) for name, worst in WORST.items() if name in curves})


def is_pretrained(pretraining: pd.Series) -> pd.Series:
    """Return which ways of pretraining train layers before step 0: all but `none` and `none+longer`."""
    return pretraining.map(lambda name: parse_pretraining(name).method != "none").astype(bool)


def one_rate(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one run of all that differ in the learning rate alone: they start from the same weights.

    Args:
        runs: with `CELL`, `ARM` and `replicate`; sorted by rate, so that the smallest stands for all.
    """
    return runs.drop_duplicates([*CELL, *ARM, "replicate"])


def before_training(table: pd.DataFrame, runs: pd.DataFrame, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return what the networks of some runs are as training begins: drawn, or drawn and pretrained.

    Args:
        table: `layers`, `jacobians` or `histograms`, with `run_id` and `stage`.
        runs: with `run_id`, `pretraining` and the columns asked for.
        columns: those of `runs` to add.
    """
    stage = np.where(is_pretrained(runs["pretraining"]), "pretrained", "drawn")
    first = runs[["run_id", *columns]].assign(stage=stage)
    return table[table["stage"] != "training"].merge(first, on=["run_id", "stage"])


def since_pretraining(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return a table without what pretrained networks were before their pretraining.

    Args:
        table: `layers`, `jacobians` or `histograms`, with `run_id` and `stage`.
        runs: with `run_id` and `pretraining`.
    """
    pretrained = runs.loc[is_pretrained(runs["pretraining"]), "run_id"]
    return table[(table["stage"] != "drawn") | ~table["run_id"].isin(pretrained)]


def is_scaled(initializer: str) -> bool:
    """Return whether a scheme takes its scale from the layer, rather than from a number or from data."""
    parsed = schemes.parse(initializer)
    is_fixed = parsed.scheme.family in ("fixed", "constant")
    return not is_fixed and not parsed.modifiers


def small_weights(initializers: list[str]) -> str | None:
    """Return the `normal:σ` of the smallest σ, or None."""
    by_std = {schemes.parse(name).parameters["std"]: name for name in initializers if name.startswith("normal:")}
    return by_std[min(by_std)] if by_std else None
