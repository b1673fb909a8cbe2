"""Selections of runs that every analysis shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from winit import schemes
from winit.store.schema import FACTORS
from winit.study.model import Study

if TYPE_CHECKING:
    import pandas as pd


def main_grid(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table of runs or of settings that lie in a study's main grid: what extra grids add is left out.

    Tuning replicates count as part of it.
    """
    grid = study.settings["grid"]
    keep = frame["dataset"].isin(list(study.settings["dataset"]))
    for factor in (
        "initializer",
        "activation",
        "depth",
        "width",
        "batch_norm",
        "dropout",
        "pretraining",
        "learning_rate",
    ):
        keep &= frame[factor].isin(grid[factor])
    if "replicate" in frame:
        keep &= frame["replicate"].between(-grid["tuning_replicates"], grid["replicates"] - 1)
    return frame[keep]


SETTING = [f for f in FACTORS if f not in ("initializer", "pretraining", "learning_rate", "replicate")]


def at_best_rate(runs: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the runs at the learning rates that were chosen, those for tuning left out, with their test accuracy as it counts."""
    runs = runs[runs["replicate"] >= 0]
    best = summary.loc[summary["is_best_rate"], [f for f in FACTORS if f != "replicate"]]
    return runs.merge(best).assign(test_accuracy=lambda frame: frame["test_accuracy"].fillna(0.0))


def is_scaled(initializer: str) -> bool:
    """Return whether a scheme takes its scale from the layer, rather than from a number or from data."""
    parsed = schemes.parse(initializer)
    is_fixed = parsed.name in ("normal", "uniform") or schemes.INITIALIZERS[parsed.name].family == "constant"
    return not is_fixed and not parsed.modifiers


def small_weights(initializers: list[str]) -> str | None:
    """Return the `normal:σ` of the smallest σ, or None."""
    found = {schemes.parse(i).parameters["std"]: i for i in initializers if i.startswith("normal:")}
    return found[min(found)] if found else None
