"""Measures of solutions: how much trained networks differ that differ only in their initializer.

Two runs are compared if they have the same cell, replicate and learning rate, hence the same data, mini-batches and steps.
Both must be at the target at the end of training and have a small training loss, so that solutions are compared and not
the progress of training.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from winit import schemes
from winit.analysis.claims.estimates import mean
from winit.analysis.claims.evidence import PLAIN_CELL, Evidence, Parameters
from winit.analysis.claims.outcomes import named, plain
from winit.analysis.select import Tables, judged

SOLVED = 0.05  # nats: a probability of 95 % of the true class, in the geometric mean over training examples


def is_solved(runs: pd.DataFrame) -> pd.Series:
    """Return which runs have found a solution: they are at the target, with a small training loss."""
    return (runs["status"] == "ok") & (runs["train_loss"] <= SOLVED)


def _mean_distance(values: np.ndarray, metric: str) -> float:
    """Return the mean distance between values (networks, examples), over pairs of networks and over examples."""
    distances = pdist(values, metric)
    return float(distances.mean() / (values.shape[1] if metric == "cityblock" else 1))


def _between(column: str, metric: str, tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return the mean distance between predictions of the solutions of a replicate, averaged over replicates."""
    runs = named(parameters, plain(judged(tables["runs"])))
    runs = runs[runs.groupby(PLAIN_CELL)["initializer"].transform("nunique") > 1]
    solved = is_solved(runs)
    predictions = tables["predictions"]
    predictions = predictions[predictions["run_id"].isin(runs.loc[solved, "run_id"])].sort_values(
        "example", kind="stable"
    )
    solutions = {run: values.to_numpy(dtype=float) for run, values in predictions.groupby("run_id")[column]}
    rows = []
    for cell, trained in runs.groupby(PLAIN_CELL):
        by_replicate: dict[int, list[float]] = {}
        initializers: set[str] = set()
        for (replicate, _), alike in trained[solved[trained.index]].groupby(["replicate", "learning_rate"]):
            if len(alike) > 1:
                values = np.stack([solutions[run] for run in alike["run_id"]])
                by_replicate.setdefault(replicate, []).append(_mean_distance(values, metric))
                initializers |= set(alike["initializer"])
        means = [float(np.mean(distances)) for distances in by_replicate.values()]
        rows.append(Evidence(cell, mean(means), len(means), ", ".join(schemes.in_order(initializers))))
    return rows


disagreement = partial(_between, "prediction", "hamming")
distance = partial(_between, "probability", "cityblock")
