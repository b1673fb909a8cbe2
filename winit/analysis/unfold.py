"""Unfold the rows of the run store into the tables of one workload."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from winit import datasets
from winit.analysis.select import is_pretrained
from winit.analysis.summary import MEAN_LIMIT, status, steps_to_target
from winit.store.parts import RunStore
from winit.store.schema import HISTOGRAM_REACH, stored_columns
from winit.study.workload import Workload

Labels = Callable[[np.ndarray], dict[str, np.ndarray]]


def unfold(stored: pd.DataFrame, steps: str, labels: Labels, names: Mapping[str, str]) -> pd.DataFrame:
    """Unfold list cells into one row an entry, in the order of the runs.

    Args:
        stored: rows of the run store.
        steps: the column that lists the steps of each run.
        labels: from a run's steps to the columns that label its entries.
        names: the columns to unfold, and their names in the table.
    """
    keys = stored[steps].map(tuple)
    frames = []
    for key in dict.fromkeys(keys):
        alike = stored[(keys == key).to_numpy()] if keys.nunique() > 1 else stored
        columns = labels(np.array(key, dtype=int))
        length = len(next(iter(columns.values())))
        frame = {"run_id": np.repeat(alike["run_id"].to_numpy(), length)}
        frame |= {name: np.tile(values, len(alike)) for name, values in columns.items()}
        frame |= {name: np.concatenate(alike[column].to_numpy()) for column, name in names.items()}
        frames.append(pd.DataFrame(frame))
    frames = [frame for frame in frames if len(frame)] or frames[:1]
    if len(frames) == 1:
        return frames[0]
    order = pd.Series(np.arange(len(stored)), index=stored["run_id"])
    return pd.concat(frames, ignore_index=True).sort_values(
        "run_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True
    )


def _with_stage(table: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Add the stage of every row; a network that is pretrained was probed before that at a negative step."""
    pretrained = table["run_id"].isin(stored.loc[is_pretrained(stored["pretraining"]), "run_id"])
    step = table["step"]
    stage = np.select([step > 0, pretrained & (step == 0)], ["training", "pretrained"], "drawn")
    return table.assign(stage=pd.array(stage, dtype="str"))


def _layer_tables(workload: Workload, stored: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables of what was measured in every layer."""
    depth = workload.depth + 1

    def by_layer(steps: np.ndarray) -> dict[str, np.ndarray]:
        return {"step": np.repeat(steps, depth), "layer": np.tile(np.arange(1, depth + 1), len(steps))}

    edges = np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, workload.measure.histogram_bins + 1)

    def by_bin(steps: np.ndarray) -> dict[str, np.ndarray]:
        index = {name: np.repeat(values, len(edges) - 1) for name, values in by_layer(steps).items()}
        layers = len(steps) * depth
        return index | {"bin_low": np.tile(edges[:-1], layers), "bin_high": np.tile(edges[1:], layers)}

    layers = unfold(stored, "layer_step", by_layer, stored_columns("layers"))
    layers = layers[layers["distinct_units"].notna()]  # a diverged run has no later layers to measure
    layers = layers.assign(units=np.array(workload.widths[1:])[layers["layer"] - 1])
    jacobians = unfold(stored, "layer_step", lambda steps: {"step": steps}, stored_columns("jacobians"))
    traces = unfold(stored, "trace_step", by_layer, stored_columns("traces"))
    return {
        "layers": _with_stage(layers, stored),
        "jacobians": _with_stage(jacobians[jacobians["mean"].notna()], stored),
        "histograms": _with_stage(unfold(stored, "layer_step", by_bin, stored_columns("histograms")), stored),
        "traces": traces[traces["gradient_mean_square"].notna()],
    }


def _pretraining_table(workload: Workload, stored: pd.DataFrame) -> pd.DataFrame:
    """Return the error of every pretrained layer while it learned, and that of knowing nothing."""

    def by_layer(steps: np.ndarray) -> dict[str, np.ndarray]:
        numbers = np.arange(1, workload.pretrained_layers + 1) if len(steps) else np.zeros(0, int)
        return {"layer": np.repeat(numbers, len(steps)), "step": np.tile(steps, len(numbers))}

    table = unfold(stored, "pretraining_step", by_layer, {"pretraining_error": "error"})
    if table.empty:
        return table.assign(baseline=np.zeros(0))
    of_run = zip(stored["pretraining_baseline"], stored["pretraining_step"], strict=True)
    return table.assign(baseline=np.concatenate([np.repeat(baseline, len(steps)) for baseline, steps in of_run]))


def _runs_table(workload: Workload, stored: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    """Return one row a run: its factors, and what it cost. Its outcome is added by `_outcomes`."""
    names = stored_columns("runs")
    runs = stored[list(names)].rename(columns=names)
    runs["role"] = stored["run_id"].map(dict(roles))
    runs["pretraining_updates"] = stored["pretraining"].map(workload.pretraining_updates)
    for column in ("dataset", "activation", "depth", "width", "batch_norm", "dropout"):
        runs[column] = getattr(workload, column)
    for column in ("optimizer", "steps", "batch_size"):
        runs[column] = getattr(workload.training, column)
    for column in ("diverged_step", "diverged_layer"):
        runs[column] = pd.array(stored[column], dtype="Int64")
    runs["chance"] = workload.chance
    grids = {(arm.initializer, arm.pretraining): arm.learning_rates for arm in workload.arms}
    rates = zip(runs["initializer"], runs["pretraining"], runs["learning_rate"], strict=True)
    runs["is_extension"] = [rate not in grids[arm, pretraining] for arm, pretraining, rate in rates]
    return runs


def _outcomes(workload: Workload, stored: pd.DataFrame) -> pd.DataFrame:
    """Return one row a run and budget: losses and scores then, the steps to the target, the status."""
    alike = stored.groupby(stored["curve_step"].map(tuple), sort=False)  # tuning runs are evaluated less often
    return pd.concat([_outcomes_of(workload, rows) for _, rows in alike], ignore_index=True)


def _outcomes_of(workload: Workload, stored: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes of runs that were evaluated at the same steps."""
    steps = np.asarray(stored["curve_step"].iloc[0])
    target = float(np.float32(workload.target_accuracy))  # as scores are stored, so that equal means equal
    curves = {name: np.stack(stored[column].to_numpy()) for column, name in stored_columns("curves").items()}
    limit = datasets.chance_limit(workload.dataset, datasets.TEST_PART)
    limit = MEAN_LIMIT if workload.task.is_reconstruction else limit
    frames = []
    for index, budget in enumerate(workload.budgets):
        at, until = int(np.flatnonzero(steps == budget)[0]), steps <= budget
        frame = stored[["run_id"]].assign(budget=budget - workload.longer_by)
        frame = frame.assign(**{name: values[:, at].astype(float) for name, values in curves.items()})
        for column, name in stored_columns("outcomes").items():
            frame[name] = [values[index] for values in stored[column]]
        scores = curves["test_score"][:, until]
        frame["steps_to_target"] = steps_to_target(scores, steps[until], target)
        frame["diverged_step"] = pd.array(stored["diverged_step"], dtype="Int64")
        frame["status"] = status(frame, budget, target, limit)
        frames.append(frame.drop(columns="diverged_step"))
    return pd.concat(frames, ignore_index=True)


def _predictions(stored: pd.DataFrame) -> pd.DataFrame:
    """Return one row a run and test example."""
    sizes = stored["test_prediction"].map(len).to_numpy()
    frame = {"run_id": np.repeat(stored["run_id"].to_numpy(), sizes)}
    frame["example"] = np.concatenate([np.arange(size) for size in sizes])
    frame |= {name: np.concatenate(stored[c].to_numpy()) for c, name in stored_columns("predictions").items()}
    return pd.DataFrame(frame)


def workload_tables(workload: Workload, store: RunStore) -> dict[str, pd.DataFrame]:
    """Return the tables of one workload that the run store holds: those in `MEASURED`, and `runs`.

    Raises:
        ValueError: the store lacks a run.
    """
    parts = store.parts_of(workload.name)
    runs, is_complete = workload.schedule(parts.validation_scores)
    lacking = sum(run.id not in parts.run_ids for run in runs)
    if lacking or not is_complete:
        raise ValueError(
            f"the store lacks {lacking} of {len(runs)} runs of {workload.name}; train them first: winit run"
        )
    stored = parts.read().to_pandas(use_threads=False).set_index("run_id", drop=False)
    stored = stored.loc[[run.id for run in runs]].reset_index(drop=True)
    outcomes = _outcomes(workload, stored)
    at_the_end = outcomes[outcomes["budget"] == outcomes["budget"].max()].drop(columns="budget")
    return {
        "runs": _runs_table(workload, stored, {run.id: run.role for run in runs}).merge(at_the_end, on="run_id"),
        "outcomes": outcomes,
        "predictions": _predictions(stored),
        "curves": unfold(stored, "curve_step", lambda steps: {"step": steps}, stored_columns("curves")),
        "pretraining": _pretraining_table(workload, stored),
    } | _layer_tables(workload, stored)
