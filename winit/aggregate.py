"""From the run store to the tables of a study: what each run did, and what the replicates say together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from winit import catalog, data, meanfield, stats
from winit.data import part_sizes
from winit.initializers import Layer, variances
from winit.store import CURVE_COLUMNS, HISTOGRAM_COLUMNS, JACOBIAN_COLUMNS, LAYER_COLUMNS, TRACE_COLUMNS, Store
from winit.study import Study, Workload, seed
from winit.tables import FACTORS, HISTOGRAM_REACH, TABLES

SETTING = [
    "dataset",
    "activation",
    "depth",
    "width",
    "batch_norm",
    "dropout",
    "optimizer",
]  # what a workload's runs have in common


def _explode(
    run_ids: pd.Series, cells: pd.DataFrame, index: dict[str, np.ndarray], names: tuple[str, ...]
) -> pd.DataFrame:
    """Unfold list cells of equal length into one row an entry, labelled by run id and the given index columns."""
    length = len(next(iter(index.values())))
    frame = {"run_id": np.repeat(run_ids.to_numpy(), length)}
    frame |= {name: np.tile(values, len(run_ids)) for name, values in index.items()}
    frame |= {name: np.concatenate(cells[name].to_numpy()) for name in names}
    return pd.DataFrame(frame)


def workload_tables(workload: Workload, store: Store) -> dict[str, pd.DataFrame]:
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

    steps = stored["curve_step"].iloc[0]
    curves = _explode(stored["run_id"], stored, {"step": steps}, CURVE_COLUMNS)
    depth, probed = workload.depth + 1, stored["layer_step"].iloc[0]
    index = {"step": np.repeat(probed, depth), "layer": np.tile(np.arange(1, depth + 1), len(probed))}
    layers = _explode(stored["run_id"], stored, index, LAYER_COLUMNS)
    layers = layers[layers["distinct_units"].notna()]  # a diverged run has no later layers to measure
    layers["units"] = np.array(workload.widths[1:])[layers["layer"] - 1]
    names = {f"jacobian_{name}": name for name in JACOBIAN_COLUMNS}
    jacobians = _explode(stored["run_id"], stored, {"step": probed}, tuple(names)).rename(columns=names)
    jacobians = jacobians[jacobians["mean"].notna()]
    edges = np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, workload.measure.histogram_bins + 1)
    index = {name: np.repeat(values, len(edges) - 1) for name, values in index.items()}
    index |= {"bin_low": np.tile(edges[:-1], len(probed) * depth), "bin_high": np.tile(edges[1:], len(probed) * depth)}
    histograms = _explode(stored["run_id"], stored, index, HISTOGRAM_COLUMNS)
    traced = stored["trace_step"].iloc[0]
    index = {"step": np.repeat(traced, depth), "layer": np.tile(np.arange(1, depth + 1), len(traced))}
    names = {f"trace_{name}": name for name in TRACE_COLUMNS}
    traces = _explode(stored["run_id"], stored, index, tuple(names)).rename(columns=names)
    traces = traces[traces["gradient_square"].notna()]

    runs = stored[
        ["run_id", "initializer", "learning_rate", "replicate", "test_loss", "test_accuracy", "device", "engine"]
    ].copy()
    for column in ("wall_time_s", "calibration_time_s", "calibration_forward", "calibration_backward"):
        runs[column] = stored[column]
    for column in ("dataset", "activation", "depth", "width", "batch_norm", "dropout"):
        runs[column] = getattr(workload, column)
    runs["optimizer"] = workload.training.optimizer
    runs["steps"], runs["batch_size"] = workload.training.steps, workload.training.batch_size
    for column in ("diverged_step", "diverged_layer"):
        runs[column] = pd.array(stored[column], dtype="Int64")
    for column in CURVE_COLUMNS:
        runs[column] = np.stack(stored[column].to_numpy())[:, -1].astype(float)
    accuracy = np.stack(stored["validation_accuracy"].to_numpy())  # (runs, evaluated steps)
    runs["steps_to_target"] = steps_to_target(accuracy, steps, workload.target_accuracy)
    facts = catalog.DATASETS[workload.dataset]
    limit = stats.chance_limit(facts.classes, part_sizes(facts.examples)[1])
    runs["status"] = status(runs, limit)
    return {
        "runs": runs,
        "curves": curves,
        "layers": layers,
        "jacobians": jacobians,
        "histograms": histograms,
        "traces": traces,
    }


def theory(workload: Workload) -> pd.DataFrame:
    """Return what the theory of wide networks expects of a workload's networks before training, layer by layer.

    Schemes whose weights are not independent are left out, and so are networks with batch normalization.
    """
    x = data.load(
        workload.dataset, workload.dataset_parameters, seed(workload.seed, "data", dataset=workload.dataset)
    ).train.x
    widths, frames = workload.widths, []
    for initializer in workload.initializers:
        if workload.batch_norm or catalog.why_not_applicable(initializer, workload.activation):
            continue
        layers = [
            variances(initializer, Layer(fan_in, fan_out, workload.activation, None, index == workload.depth))
            for index, (fan_in, fan_out) in enumerate(pairwise(widths))
        ]
        if None in layers:
            continue
        weights, biases = zip(*layers, strict=True)
        expected = meanfield.predict(workload.activation, widths, weights, biases, float(np.square(x).mean()))
        frames.append(
            pd.DataFrame(
                {
                    "initializer": initializer,
                    "layer": np.arange(1, len(widths)),
                    "z_square": expected.q,
                    "h_variance": expected.h_variance,
                    "delta_ratio": expected.delta,
                }
            )
        )
    found = pd.concat(frames) if frames else pd.DataFrame(columns=list(TABLES["theory"]))
    facts = {name: getattr(workload, name) for name in ("dataset", "activation", "depth", "width")}
    return found.assign(**facts)


def steps_to_target(accuracy: np.ndarray, steps: np.ndarray, target: float) -> np.ndarray:
    """Return the first step at which each row of accuracy (runs, steps) is at least the target; infinity if none."""
    reached = accuracy >= target  # NaN, after a divergence, compares as False
    return np.where(reached.any(axis=1), np.asarray(steps, float)[reached.argmax(axis=1)], np.inf)


def status(runs: pd.DataFrame, limit: float) -> np.ndarray:
    """Return the status of each run: diverged, else ok, else stuck at or below `limit`, else missed_target.

    A run has diverged, too, if its last update left a network whose loss is not finite.

    A run that reached its target and diverged later counts as diverged: its weights are of no use.
    """
    return np.select(
        [
            runs["diverged_step"].notna().to_numpy(dtype=bool) | ~np.isfinite(runs["validation_loss"].to_numpy()),
            np.isfinite(runs["steps_to_target"].to_numpy()),
            runs["validation_accuracy"].to_numpy() <= limit,
        ],
        ["diverged", "ok", "stuck"],
        default="missed_target",
    )


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row for every setting, initializer and learning rate: counts, success, medians, the chosen rate."""
    keys = [f for f in FACTORS if f != "replicate"]
    scored = runs.assign(
        validation_loss=runs["validation_loss"].fillna(np.inf),
        validation_accuracy=runs["validation_accuracy"].fillna(0.0),
        test_accuracy=runs["test_accuracy"].fillna(0.0),
    )
    groups = scored.groupby(keys, sort=True)
    summary = groups.agg(
        runs=("run_id", "size"),
        **{name: ("status", lambda s, name=name: int((s == name).sum())) for name in catalog.STATUSES},
        validation_loss=("validation_loss", "median"),
        validation_accuracy=("validation_accuracy", "median"),
        test_accuracy=("test_accuracy", "median"),
        test_accuracy_low=("test_accuracy", "min"),
        test_accuracy_high=("test_accuracy", "max"),
        steps_to_target=("steps_to_target", "median"),
    ).reset_index()
    summary["success_rate"] = summary["ok"] / summary["runs"]
    intervals = {pair: stats.wilson(*pair) for pair in set(zip(summary["ok"], summary["runs"], strict=True))}
    both = [intervals[pair] for pair in zip(summary["ok"], summary["runs"], strict=True)]
    summary["success_low"], summary["success_high"] = zip(*both, strict=True)

    # Chosen on validation, reported on test. Equal accuracy: the smaller loss, then the larger rate.
    group = [*SETTING, "initializer"]
    ranked = summary.sort_values(
        [*group, "validation_accuracy", "validation_loss", "learning_rate"],
        ascending=[True] * len(group) + [False, True, False],
    )
    best = ranked.groupby(group, sort=False).head(1)
    summary["is_best_rate"] = summary.index.isin(best.index)
    rates = runs["learning_rate"]
    at_edge = summary["learning_rate"].isin([rates.min(), rates.max()])
    summary["is_edge_rate"] = summary["is_best_rate"] & at_edge & (rates.nunique() > 1)
    return summary


def tables(study: Study, store: Store) -> dict[str, pd.DataFrame]:
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
    ):
        frame = pd.concat([tables[name] for tables in each])
        frame["order"] = frame["run_id"].map(rank)
        found[name] = frame.sort_values(["order", *keys], ignore_index=True).drop(columns="order")
    expected = pd.concat([theory(workload) for workload in study.workloads])
    found["theory"] = expected.drop_duplicates().sort_values(list(TABLES["theory"])[:6], ignore_index=True)
    found["summary"] = summarise(runs)
    found["not_applicable"] = pd.DataFrame(study.not_applicable, columns=["initializer", "activation", "reason"])
    return found
