"""The tables `runs` and `outcomes`: one row per run, and one row per run and budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from winit import datasets
from winit.analysis.stored import StoredRuns
from winit.analysis.summary import MEAN_LIMIT, status, steps_to_target
from winit.analysis.unfold import alike, flat
from winit.store.schema import stored_columns
from winit.study.protocol import Run
from winit.study.workload import Workload

FIELDS = ("run_id", "curve_step", *stored_columns("runs"), *stored_columns("curves"), *stored_columns("outcomes"))


def run_tables(cell: StoredRuns, stored: pa.Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of `runs` and `outcomes` for the runs of a cell, in order.

    Args:
        cell: the runs.
        stored: their rows in the run store, with `FIELDS`.
    """
    runs, outcomes = [], []
    places = np.array([place for _, place in cell.runs])
    for place, workload in enumerate(cell.workloads):
        rows = stored.take(np.flatnonzero(places == place))
        runs.append(_runs(workload, rows, [run for run, own in cell.runs if own == place]))
        outcomes += [_outcomes(workload, of_steps) for _, of_steps in alike(rows, "curve_step")]
    order = pd.Series(np.arange(len(stored)), index=stored["run_id"].to_pylist())
    by_run, by_budget = pd.concat(runs, ignore_index=True), pd.concat(outcomes, ignore_index=True)
    by_run = by_run.loc[by_run["run_id"].map(order).argsort()]
    by_budget = by_budget.iloc[np.lexsort([by_budget["budget"], by_budget["run_id"].map(order)])]
    at_the_end = by_budget[by_budget["budget"] == by_budget["budget"].max()].drop(columns="budget")
    return by_run.merge(at_the_end, on="run_id"), by_budget


def _runs(workload: Workload, stored: pa.Table, runs: list[Run]) -> pd.DataFrame:
    """Return one row per run of a workload: its factors and its cost."""
    names = stored_columns("runs")
    table = stored.select(list(names)).to_pandas(use_threads=False).rename(columns=names)
    table["role"] = [run.role.value for run in runs]
    updates = {name: workload.pretraining_updates(name) for name in table["pretraining"].unique()}
    table["pretraining_updates"] = table["pretraining"].map(updates)
    for column in ("dataset", "activation", "depth", "width", "batch_norm", "dropout"):
        table[column] = getattr(workload, column)
    for column in ("optimizer", "steps", "batch_size"):
        table[column] = getattr(workload.training, column)
    for column in ("diverged_step", "diverged_layer"):
        table[column] = pd.array(stored[column].to_pylist(), dtype="Int64")
    table["chance"] = workload.chance
    grids = {(arm.initializer, arm.pretraining): arm.learning_rates for arm in workload.arms}
    rates = zip(table["initializer"], table["pretraining"], table["learning_rate"], strict=True)
    table["is_extension"] = [rate not in grids[arm, pretraining] for arm, pretraining, rate in rates]
    return table


def _outcomes(workload: Workload, stored: pa.Table) -> pd.DataFrame:
    """Return one row per run and budget: losses and scores at that budget, steps to the target, status.

    Args:
        workload: of the runs.
        stored: rows of the run store; all runs were evaluated at the same steps.
    """

    def values(field: str) -> np.ndarray:
        return flat(stored, field).reshape(len(stored), -1)

    steps = values("curve_step")[0]
    target = float(
        np.float32(workload.target_accuracy)
    )  # the precision of stored scores, so that comparing for equality works
    curves = {name: values(field) for field, name in stored_columns("curves").items()}
    read = {name: values(field) for field, name in stored_columns("outcomes").items()}
    limit = datasets.chance_limit(workload.dataset, datasets.TEST_PART)
    limit = MEAN_LIMIT if workload.task.is_reconstruction else limit
    diverged = pd.array(stored["diverged_step"].to_pylist(), dtype="Int64")
    frames = []
    for index, budget in enumerate(workload.budgets):
        at, until = int(np.flatnonzero(steps == budget)[0]), steps <= budget
        frame = pd.DataFrame({"run_id": stored["run_id"].to_pandas(), "budget": budget - workload.longer_by})
        frame = frame.assign(**{name: of_run[:, at].astype(float) for name, of_run in curves.items()})
        frame = frame.assign(**{name: of_run[:, index] for name, of_run in read.items()})
        frame["steps_to_target"] = steps_to_target(curves["test_score"][:, until], steps[until], target)
        frame["status"] = status(frame.assign(diverged_step=diverged), budget, target, limit)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
