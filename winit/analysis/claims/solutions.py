"""Measures of solutions: how far apart networks end that were trained alike from different initializers.

Two runs are compared if they have the same cell, replicate and learning rate: the same data, mini-batches and steps, so
that their weights at the start are all that differs. Both must be at the target when training ends, and have come down
to the same small training loss: what is compared are solutions, and not how far training has got.
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

SOLVED = 0.05  # nats: the true class has a probability of 95 % in the geometric mean over training examples


def is_solved(runs: pd.DataFrame) -> pd.Series:
    """Return which runs have found a solution: they are at the target, with a small training loss."""
    return (runs["status"] == "ok") & (runs["train_loss"] <= SOLVED)


def _mean_distance(values: np.ndarray, metric: str) -> float:
    """Return the mean over pairs of networks, and over examples, of how far their values (networks, examples) differ."""
    distances = pdist(values, metric)
    return float(distances.mean() / (values.shape[1] if metric == "cityblock" else 1))


def _between(column: str, metric: str, tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Take the mean distance of predictions between the solutions of a replicate, then over replicates."""
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
