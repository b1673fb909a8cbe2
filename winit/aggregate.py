"""From the run store to the tables of a study: what each run did, and what the replicates say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from winit import catalog, data, meanfield, stats
from winit.baselines import baselines
from winit.claims import judge
from winit.claims import read as read_claims
from winit.comparisons import SETTING, pretraining_effects
from winit.data import part_sizes
from winit.initializers import Layer, variances
from winit.ranking import arrivals, profiles, ranking
from winit.store import CURVE_COLUMNS, HISTOGRAM_COLUMNS, JACOBIAN_COLUMNS, LAYER_COLUMNS, TRACE_COLUMNS, Store
from winit.study import CLAIMS, Study, Workload, log_spaced, main_grid, seed
from winit.tables import FACTORS, HISTOGRAM_REACH, TABLES


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
    return found.sort_values("run_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True) if len(frames) > 1 else found


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
        ["run_id", "initializer", "pretraining", "learning_rate", "replicate", "test_loss", "test_accuracy", "device", "engine"]
    ].copy()
    for column in ("wall_time_s", "calibration_time_s", "calibration_forward", "calibration_backward", "pretraining_time_s"):
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
    facts = catalog.DATASETS[workload.dataset]
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


MEAN_LIMIT = 0.02  # a reconstruction that explains no more than this of the mean predictor's error has learned nothing
UNSTABLE = 3  # from here on, growth of deviations over the depth is called unstable
LENGTH_GROUPS = 8  # groups of equally many inputs, by length, for which the theory is evaluated and averaged


@dataclass(frozen=True)
class Inputs:
    """What the theory needs to know of the probe's inputs: the mean squares of groups of them, the cosine of pairs."""

    squares: np.ndarray
    correlation: float


def probe_inputs(workload: Workload) -> Inputs:
    """Return what the theory needs to know of a workload's probe batch."""
    source = seed(workload.seed, "data", dataset=workload.dataset)
    train = data.load(workload.dataset, workload.dataset_parameters, source, workload.data_dir, workload.scaling).train
    x = train.x[: workload.measure.probe_examples].astype(float)
    squares = np.sort(np.square(x).mean(axis=1))
    groups = [group.mean() for group in np.array_split(squares, LENGTH_GROUPS) if len(group)]
    one, two = x[: len(x) // 2 * 2 : 2], x[1::2]
    cosines = (one * two).sum(axis=1) / np.sqrt(np.square(one).sum(axis=1) * np.square(two).sum(axis=1))
    return Inputs(np.array(groups), float(np.nanmean(cosines)))


def theory(workload: Workload, inputs: Inputs) -> pd.DataFrame:
    """Return what the theory of wide networks expects of a workload's networks before training, layer by layer.

    Schemes whose weights are not independent are left out, and so are deep autoencoders and networks with batch normalization.
    """
    widths, frames = workload.widths, []
    for initializer in workload.initializers:
        if workload.batch_norm or workload.task.is_reconstruction:
            continue  # the one has other lengths, the other a linear code between its layers
        if catalog.why_not_applicable(initializer, workload.activation):
            continue
        layers = [
            variances(initializer, Layer(fan_in, fan_out, workload.activation, None, index == workload.depth))
            for index, (fan_in, fan_out) in enumerate(pairwise(widths))
        ]
        if None in layers:
            continue
        weights, biases = zip(*layers, strict=True)
        expected = meanfield.predict(workload.activation, widths, weights, biases, inputs.squares)
        frames.append(
            pd.DataFrame(
                {
                    "initializer": initializer,
                    "layer": np.arange(1, len(widths)),
                    "z_square": expected.q,
                    "h_variance": expected.h_variance,
                    "delta_ratio": expected.delta,
                    "correlation": correlations(workload, weights, biases, inputs),
                    "z_spread": expected.q_spread,
                    "h_spread": expected.h_spread,
                    "delta_spread": expected.delta_spread,
                    "amplification": expected.amplification,
                }
            )
        )
    found = pd.concat(frames) if frames else pd.DataFrame(columns=list(TABLES["theory"]))
    facts = {name: getattr(workload, name) for name in ("dataset", "activation", "depth", "width")}
    return found.assign(**facts)


def correlations(workload: Workload, weights: Sequence[float], biases: Sequence[float], inputs: Inputs) -> list[float]:
    """Return the correlation of the pre-activations of two inputs in every layer, begun at the inputs' mean cosine."""
    n, square = workload.widths, float(inputs.squares.mean())
    q = n[0] * weights[0] * square + biases[0]
    found = [(n[0] * weights[0] * square * inputs.correlation + biases[0]) / q if q else np.nan]
    for layer in range(1, len(weights)):
        following = meanfield.length_map(workload.activation, q, n[layer] * weights[layer], biases[layer])
        defined = 0 < q < 1e100 and 0 < following < 1e100 and -1 <= found[-1] <= 1
        c = (
            meanfield.correlation_map(workload.activation, found[-1], q, n[layer] * weights[layer], biases[layer])
            if defined
            else np.nan
        )
        found.append(min(max(c, -1.0), 1.0) if defined else np.nan)
        q = following
    return found


def agreement(layers: pd.DataFrame, runs: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Compare measurement and theory before training: the signal in the last hidden layer, the gradient in the first.

    They agree if the geometric mean over replicates lies within `meanfield.tolerance` of the theory; where they do not,
    `reason` says what stands out.
    """
    place = ["dataset", "activation", "depth", "width"]
    plain = ~runs["batch_norm"] & (runs["pretraining"] == "none") & (runs["replicate"] >= 0)
    first = runs[plain].drop_duplicates([*place, "initializer", "replicate"])
    initial = layers[layers["step"] == 0].merge(first[["run_id", *place, "initializer", "replicate"]], on="run_id")
    measured_at = dict(list(initial.groupby([*place, "initializer"], sort=False)))
    rows = []
    for key, theory_rows in expected.groupby([*place, "initializer"], sort=False):
        mine = measured_at.get(key, initial.head(0))
        depth, of = key[2], theory_rows.set_index("layer")
        amplification = of.at[depth, "amplification"]
        by_layer = {layer: rows.set_index("replicate") for layer, rows in mine.groupby("layer")}
        if depth not in by_layer:
            continue
        # h already in the first layer, h in the last, δ in the first relative to the output.
        h = {layer: by_layer[layer]["h_variance"] for layer in (1, depth)}
        delta = by_layer[1]["delta_variance"] / by_layer[depth + 1]["delta_variance"].replace(0.0, np.nan)
        low, high = meanfield.tolerance(of.at[1, "h_spread"], len(h[1]))
        is_off_at_once = not low <= _mean(h[1]) / of.at[1, "h_variance"] <= high
        for quantity, layer, sample, value, spread in (
            ("h_variance", depth, h[depth], of.at[depth, "h_variance"], of.at[depth, "h_spread"]),
            ("delta_ratio", 1, delta, of.at[1, "delta_ratio"], of.at[1, "delta_spread"]),
        ):
            measured = _mean(sample)
            low, high = meanfield.tolerance(spread, len(sample))
            agrees = bool(value * low <= measured <= value * high)
            rows.append(
                dict(zip([*place, "initializer"], key, strict=True))
                | {
                    "quantity": quantity,
                    "layer": layer,
                    "replicates": len(sample),
                    "measured": measured,
                    "predicted": value,
                    "spread": spread,
                    "low": value * low,
                    "high": value * high,
                    "agrees": agrees,
                    "reason": "" if agrees else _reason(measured, value, spread, is_off_at_once, amplification),
                }
            )
    return pd.DataFrame(rows, columns=list(TABLES["agreement"]))


def _mean(sample: pd.Series) -> float:
    """Return the geometric mean; NaN where nothing was measured."""
    return float(stats.geometric_mean(sample.dropna())) if sample.notna().any() else np.nan


def _reason(measured: float, value: float, spread: float, is_off_at_once: bool, amplification: float) -> str:
    """Say, of a disagreement, what stands out: the first of these that holds."""
    if not (measured > 0 and np.isfinite(measured)):
        return "the measured value is not a positive number"
    if is_off_at_once:
        return "off in the first layer already: few inputs, or inputs unlike one another in length"
    if amplification > UNSTABLE:
        return f"unstable: a deviation of q in the first layer is {amplification:.2g} times as large in the last"
    if abs(np.log(measured / value)) <= 3 * spread:
        return "finite width: single networks of this width spread as far, and these replicates lean to one side"
    return "finite width, beyond what linear propagation of its noise explains"


def depth_limits(study: Study, summary: pd.DataFrame) -> pd.DataFrame:
    """Return how deep the theory expects training to work under each scheme, and how deep it did.

    Of the square hidden layers of each width, for schemes of independent weights, without batch normalization and
    dropout; measured at each initializer's chosen rate.
    """
    best = summary[summary["is_best_rate"] & ~summary["batch_norm"] & (summary["dropout"] == 0)]
    best = best[best["pretraining"] == "none"]
    if study.settings["task"]["name"] == "reconstruction":
        best = best.head(0)
    rows = []
    for key, cells in best.groupby(["activation", "width", "initializer"], sort=False):
        activation, width, initializer = key
        found = variances(initializer, Layer(width, width, activation, None))
        if found is None:
            continue
        scale = meanfield.depth_scale(activation, width * found[0], found[1])
        for (dataset, optimizer), here in cells.groupby(["dataset", "optimizer"], sort=False):
            trained = here.loc[here["success_rate"] >= 0.5, "depth"]
            rows.append(
                {
                    "dataset": dataset,
                    "optimizer": optimizer,
                    "activation": activation,
                    "width": width,
                    "initializer": initializer,
                    "sigma_w2": width * found[0],
                    "sigma_b2": found[1],
                    "q": scale.q,
                    "chi_1": scale.chi_1,
                    "depth_limit": scale.depth_limit,
                    "deepest_trained": trained.max() if len(trained) else 0,
                    "deepest_tried": here["depth"].max(),
                }
            )
    frame = pd.DataFrame(rows, columns=list(TABLES["depth_limits"]))
    return frame.sort_values(["dataset", "optimizer", "activation", "width", "initializer"], ignore_index=True)


PHASE_GRID = 48, 32  # points of the theory along σ_w² and σ_b²


def phase(study: Study) -> pd.DataFrame:
    """Return the theory over the plane (σ_w², σ_b²) that a study's `mean_field` arms span; empty if they span none."""
    given = np.array(list(catalog.diagram_points(study.initializers).values()) or [(0.0, 0.0)])
    low, high = given.min(axis=0), given.max(axis=0)
    rows = []
    if (low < high).all():
        for activation in study.activations:
            for sigma_b2 in np.linspace(low[1], high[1], PHASE_GRID[1]):
                q = 1.0
                for sigma_w2 in np.linspace(low[0], high[0], PHASE_GRID[0]):
                    # The neighbour's length is near this one's, unless it has vanished or run away.
                    scale = meanfield.depth_scale(activation, sigma_w2, sigma_b2, q if 1e-3 < q < 1e3 else 1.0)
                    q = scale.q
                    rows.append((activation, sigma_w2, sigma_b2, q, scale.chi_1, scale.depth_limit))
    return pd.DataFrame(rows, columns=list(TABLES["phase"]))


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
    """Return one row for every setting, initializer and learning rate: counts, success, medians, the chosen rate.

    The rate is chosen on the tuning replicates alone, the rest is told of the others; where there are none, all are both.
    """
    keys = [f for f in FACTORS if f != "replicate"]
    scored = runs.assign(
        validation_loss=runs["validation_loss"].fillna(np.inf),
        validation_accuracy=runs["validation_accuracy"].fillna(0.0),
        test_accuracy=runs["test_accuracy"].fillna(0.0),
        test_loss=runs["test_loss"].fillna(np.inf),
    )
    tuning = scored[scored["replicate"] < 0] if (scored["replicate"] < 0).any() else scored
    tuned = tuning.groupby(keys, as_index=False).agg(
        tuning_accuracy=("validation_accuracy", "median"), tuning_loss=("validation_loss", "median")
    )
    groups = scored[scored["replicate"] >= 0].groupby(keys, sort=True)
    summary = groups.agg(
        runs=("run_id", "size"),
        **{name: ("status", lambda s, name=name: int((s == name).sum())) for name in catalog.STATUSES},
        validation_loss=("validation_loss", "median"),
        validation_accuracy=("validation_accuracy", "median"),
        test_accuracy=("test_accuracy", "median"),
        test_loss=("test_loss", "median"),
        test_accuracy_low=("test_accuracy", "min"),
        test_accuracy_high=("test_accuracy", "max"),
        steps_to_target=("steps_to_target", "median"),
    ).reset_index().merge(tuned, how="left", on=keys)  # fmt: skip
    summary["success_rate"] = summary["ok"] / summary["runs"]
    intervals = {pair: stats.wilson(*pair) for pair in set(zip(summary["ok"], summary["runs"], strict=True))}
    both = [intervals[pair] for pair in zip(summary["ok"], summary["runs"], strict=True)]
    summary["success_low"], summary["success_high"] = zip(*both, strict=True)

    # Chosen on validation of the tuning replicates, reported on test of the others. Equal accuracy: the smaller loss, then the larger rate.
    group = [*SETTING, "initializer", "pretraining"]
    ranked = summary.sort_values(
        [*group, "tuning_accuracy", "tuning_loss", "learning_rate"],
        ascending=[True] * len(group) + [False, True, False],
    )
    best = ranked.groupby(group, sort=False).head(1)
    summary["is_best_rate"] = summary.index.isin(best.index)
    offered = summary.groupby(group)["learning_rate"]
    rate, low, high = summary["learning_rate"], offered.transform("min"), offered.transform("max")
    summary["is_edge_rate"] = summary["is_best_rate"] & ((rate == low) | (rate == high)) & (low < high)
    return summary


def initial_state(runs: pd.DataFrame, curves: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Return what the replicates of each setting, initializer and learning rate are before training.

    The initial loss against log C says whether a network starts out undecided; the spread of log(mean z²) over
    replicates in the last hidden layer is what Hanin & Rolnick 2018 (§3) find to fail deep and narrow networks.
    """
    keys = [f for f in FACTORS if f != "replicate"]
    start = layers.loc[layers["step"] == 0, ["run_id", "layer", "z_mean", "z_variance"]]
    runs = runs[runs["replicate"] >= 0]
    start = start.merge(runs[["run_id", *keys]], on="run_id")
    start = start[start["layer"] == start["depth"]]
    square = (start["z_variance"] + start["z_mean"] ** 2).to_numpy()
    length = np.log(square, out=np.full(len(square), np.nan), where=square > 0)
    spread = start.assign(log_length_spread=length).groupby(keys, as_index=False)["log_length_spread"].std()
    loss = curves.loc[curves["step"] == 0, ["run_id", "train_loss"]].merge(runs[["run_id", *keys]], on="run_id")
    loss = loss.groupby(keys, as_index=False)["train_loss"].median()
    return loss.rename(columns={"train_loss": "initial_loss"}).merge(spread, how="left")


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
