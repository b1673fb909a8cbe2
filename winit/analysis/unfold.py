"""Unfold the rows of the run store into the tables of one workload."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from winit import datasets
from winit.analysis import stats
from winit.analysis.select import is_pretrained
from winit.analysis.summary import MEAN_LIMIT, status, steps_to_target
from winit.datasets import part_sizes
from winit.store.parts import RunStore
from winit.store.schema import HISTOGRAM_REACH, stored_columns
from winit.study.model import Workload

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


def _runs_table(workload: Workload, stored: pd.DataFrame) -> pd.DataFrame:
    """Return one row a run: its factors, how it ended, what it cost."""
    names = stored_columns("runs")
    runs = stored[list(names)].rename(columns=names)
    runs["role"] = stored["run_id"].map({run.id: run.role for run in workload.runs})
    runs["pretraining_updates"] = stored["pretraining"].map(workload.pretraining_updates)
    for column in ("dataset", "activation", "depth", "width", "batch_norm", "dropout"):
        runs[column] = getattr(workload, column)
    for column in ("optimizer", "steps", "batch_size"):
        runs[column] = getattr(workload.training, column)
    for column in ("diverged_step", "diverged_layer"):
        runs[column] = pd.array(stored[column], dtype="Int64")
    for column, name in stored_columns("curves").items():
        runs[name] = np.stack(stored[column].to_numpy())[:, -1].astype(float)
    scores = np.stack(stored["validation_accuracy"].to_numpy())  # (runs, evaluated steps)
    runs["steps_to_target"] = steps_to_target(scores, stored["curve_step"].iloc[0], workload.target_accuracy)
    facts = datasets.DATASETS[workload.dataset]
    chance = stats.chance_limit(facts.classes, part_sizes(workload.dataset)[1])
    runs["status"] = status(runs, MEAN_LIMIT if workload.task.is_reconstruction else chance)
    return runs


def workload_tables(workload: Workload, store: RunStore) -> dict[str, pd.DataFrame]:
    """Return the runs, curves, layers, jacobians, histograms, traces and pretraining of one workload.

    Raises:
        ValueError: the store lacks a run.
    """
    stored = store.parts_of(workload.name).read().to_pandas(use_threads=False).set_index("run_id", drop=False)
    wanted = [run.id for run in workload.runs]
    lacking = [run_id for run_id in wanted if run_id not in stored.index]
    if lacking:
        raise ValueError(
            f"the store lacks {len(lacking)} of {len(wanted)} runs of {workload.name}; train them first: winit run"
        )
    stored = stored.loc[wanted].reset_index(drop=True)
    return {
        "runs": _runs_table(workload, stored),
        "curves": unfold(stored, "curve_step", lambda steps: {"step": steps}, stored_columns("curves")),
        "pretraining": _pretraining_table(workload, stored),
    } | _layer_tables(workload, stored)
