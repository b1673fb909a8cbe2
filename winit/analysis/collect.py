"""Collect the runs of a study into tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from winit import datasets
from winit.analysis import stats
from winit.analysis.agreement import agreement
from winit.analysis.baselines import baselines
from winit.analysis.claims.declaration import read as read_claims
from winit.analysis.claims.judging import judge
from winit.analysis.depth import depth_limits, phase
from winit.analysis.expectation import probe_inputs, theory
from winit.analysis.pretraining_effects import pretraining_effects
from winit.analysis.ranking import arrivals, profiles, ranking
from winit.analysis.select import main_grid
from winit.analysis.summary import MEAN_LIMIT, initial_state, status, steps_to_target, summarise
from winit.datasets import part_sizes
from winit.store.parts import RunStore
from winit.store.schema import (
    CURVE_COLUMNS,
    FACTORS,
    HISTOGRAM_COLUMNS,
    HISTOGRAM_REACH,
    JACOBIAN_COLUMNS,
    LAYER_COLUMNS,
    TABLES,
    TRACE_COLUMNS,
)
from winit.study.compose import CLAIMS
from winit.study.model import Study, Workload, log_spaced
from winit.study.seeds import seed


def _unfold(
    stored: pd.DataFrame, steps: str, index: Callable[[np.ndarray], dict[str, np.ndarray]], names: tuple[str, ...]
) -> pd.DataFrame:
    """Unfold list cells into one row an entry, labelled by run id and by what `index` makes of the run's steps."""
    keys = stored[steps].map(tuple)
    frames = []
    for key in dict.fromkeys(keys):
        mine = stored[(keys == key).to_numpy()] if keys.nunique() > 1 else stored
        labels = index(np.array(key, dtype=int))
        length = len(next(iter(labels.values())))
        frame = {"run_id": np.repeat(mine["run_id"].to_numpy(), length)}
        frame |= {name: np.tile(values, len(mine)) for name, values in labels.items()}
        frame |= {name: np.concatenate(mine[name].to_numpy()) for name in names}
        frames.append(pd.DataFrame(frame))
    frames = [f for f in frames if len(f)] or frames[:1]
    found = pd.concat(frames, ignore_index=True)
    order = pd.Series(np.arange(len(stored)), index=stored["run_id"])
    return (
        found.sort_values("run_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True)
        if len(frames) > 1
        else found
    )


def workload_tables(workload: Workload, store: RunStore) -> dict[str, pd.DataFrame]:
    """Return the runs, curves, layers, jacobians, histograms and traces of one workload.

    Raises:
        ValueError: the store lacks a run.
    """
    stored = store.shelf(workload.name).read().to_pandas(use_threads=False).set_index("run_id", drop=False)
    wanted = [run.id for run in workload.runs]
    lacking = [run_id for run_id in wanted if run_id not in stored.index]
    if lacking:
        raise ValueError(
            f"the store lacks {len(lacking)} of {len(wanted)} runs of {workload.name}; train them first: winit run"
        )
    stored = stored.loc[wanted].reset_index(drop=True)

    depth = workload.depth + 1
    curves = _unfold(stored, "curve_step", lambda steps: {"step": steps}, CURVE_COLUMNS)

    def by_layer(steps: np.ndarray) -> dict[str, np.ndarray]:
        return {"step": np.repeat(steps, depth), "layer": np.tile(np.arange(1, depth + 1), len(steps))}

    layers = _unfold(stored, "layer_step", by_layer, LAYER_COLUMNS)
    layers = layers[layers["distinct_units"].notna()]  # a diverged run has no later layers to measure
    layers["units"] = np.array(workload.widths[1:])[layers["layer"] - 1]
    names = {f"jacobian_{name}": name for name in JACOBIAN_COLUMNS}
    jacobians = _unfold(stored, "layer_step", lambda steps: {"step": steps}, tuple(names)).rename(columns=names)
    jacobians = jacobians[jacobians["mean"].notna()]
    edges = np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, workload.measure.histogram_bins + 1)

    def by_bin(steps: np.ndarray) -> dict[str, np.ndarray]:
        index = {name: np.repeat(values, len(edges) - 1) for name, values in by_layer(steps).items()}
        places = len(steps) * depth
        return index | {"bin_low": np.tile(edges[:-1], places), "bin_high": np.tile(edges[1:], places)}

    histograms = _unfold(stored, "layer_step", by_bin, HISTOGRAM_COLUMNS)
    names = {f"trace_{name}": name for name in TRACE_COLUMNS}
    traces = _unfold(stored, "trace_step", by_layer, tuple(names)).rename(columns=names)
    traces = traces[traces["gradient_square"].notna()]

    def by_pretrained_layer(steps: np.ndarray) -> dict[str, np.ndarray]:
        numbers = np.arange(1, workload.pretrained_layers + 1) if len(steps) else np.zeros(0, int)
        return {"layer": np.repeat(numbers, len(steps)), "step": np.tile(steps, len(numbers))}

    pretraining = _unfold(stored, "pretraining_step", by_pretrained_layer, ("pretraining_error",))
    pretraining = pretraining.rename(columns={"pretraining_error": "error"})
    pretraining["baseline"] = np.concatenate([
        np.repeat(baseline, len(steps))
        for baseline, steps in zip(stored["pretraining_baseline"], stored["pretraining_step"], strict=True)
    ]) if len(pretraining) else np.zeros(0)  # fmt: skip

    runs = stored[
        [
            "run_id",
            "initializer",
            "pretraining",
            "learning_rate",
            "replicate",
            "test_loss",
            "test_accuracy",
            "device",
            "engine",
        ]
    ].copy()
    for column in (
        "wall_time_s",
        "calibration_time_s",
        "calibration_forward",
        "calibration_backward",
        "pretraining_time_s",
    ):
        runs[column] = stored[column]
    runs["pretraining_updates"] = stored["pretraining"].map(workload.pretraining_updates)
    for column in ("dataset", "activation", "depth", "width", "batch_norm", "dropout"):
        runs[column] = getattr(workload, column)
    runs["optimizer"] = workload.training.optimizer
    runs["steps"], runs["batch_size"] = workload.training.steps, workload.training.batch_size
    for column in ("diverged_step", "diverged_layer"):
        runs[column] = pd.array(stored[column], dtype="Int64")
    for column in CURVE_COLUMNS:
        runs[column] = np.stack(stored[column].to_numpy())[:, -1].astype(float)
    accuracy = np.stack(stored["validation_accuracy"].to_numpy())  # (runs, evaluated steps)
    runs["steps_to_target"] = steps_to_target(accuracy, stored["curve_step"].iloc[0], workload.target_accuracy)
    facts = datasets.DATASETS[workload.dataset]
    limit = stats.chance_limit(facts.classes, part_sizes(workload.dataset)[1])
    if workload.task.is_reconstruction:
        limit = MEAN_LIMIT
    runs["status"] = status(runs, limit)
    return {
        "runs": runs,
        "curves": curves,
        "layers": layers,
        "jacobians": jacobians,
        "histograms": histograms,
        "traces": traces,
        "pretraining": pretraining,
    }


def tables(study: Study, store: RunStore) -> dict[str, pd.DataFrame]:
    """Return the tables of a study: all of `tables.TABLES` but the tutorial's replay.

    Rows are sorted by factor, so that they do not depend on how the study was computed.
    """
    each = [workload_tables(workload, store) for workload in study.workloads]
    runs = pd.concat([tables["runs"] for tables in each]).sort_values(list(FACTORS), ignore_index=True)
    rank = pd.Series(runs.index, index=runs["run_id"])
    found = {"runs": runs}
    for name, keys in (
        ("curves", ["step"]),
        ("layers", ["step", "layer"]),
        ("jacobians", ["step"]),
        ("histograms", ["step", "layer", "bin_low"]),
        ("traces", ["step", "layer"]),
        ("pretraining", ["layer", "step"]),
    ):
        frame = pd.concat([tables[name] for tables in each])
        frame["order"] = frame["run_id"].map(rank)
        found[name] = frame.sort_values(["order", *keys], ignore_index=True).drop(columns="order")
    one_of_each = {workload.dataset: workload for workload in study.workloads}
    inputs = {dataset: probe_inputs(workload) for dataset, workload in one_of_each.items()}
    expected = pd.concat([theory(workload, inputs[workload.dataset]) for workload in study.workloads])
    found["theory"] = expected.drop_duplicates().sort_values(list(TABLES["theory"])[:6], ignore_index=True)
    found["agreement"] = agreement(found["layers"], runs, found["theory"])
    found["summary"] = summarise(runs).merge(initial_state(runs, found["curves"], found["layers"]), how="left")
    main = {name: main_grid(study, found[name]) for name in ("runs", "summary")}
    analysis = study.settings["analysis"]
    budget = study.settings["training"]["steps"]
    curve_steps = log_spaced(budget, study.settings["measure"]["curve_points"])
    if study.settings["task"]["name"] == "reconstruction":  # its scores are no accuracies
        main = {name: frame.head(0) for name, frame in main.items()}
    found["ranking"] = ranking(main["runs"], main["summary"], analysis, seed(study.seed, "analysis"))
    found["profiles"] = profiles(main["runs"], main["summary"], analysis)
    found["arrivals"] = arrivals(main["runs"], main["summary"], analysis, curve_steps)
    found["depth_limits"] = depth_limits(study, found["summary"])
    found["phase"] = phase(study)
    found["pretraining_effects"] = pretraining_effects(runs, found["summary"], analysis["margin"])
    found["baselines"] = baselines(study)
    found |= judge(read_claims(CLAIMS), found)
    found["not_applicable"] = pd.DataFrame(study.not_applicable, columns=list(TABLES["not_applicable"]))
    return found
