"""What the claims ledger measures: one number a cell, with its 95 % interval where the replicates carry one.

A cell is a dataset, activation, depth, width and optimizer, and often an initializer. Every measure takes the study's
tables, their runs narrowed to what a contrast asks for, and the contrast's parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import studentized_range

from winit import schemes
from winit.analysis import stats
from winit.analysis.select import ARM, Tables, at_chosen_rate, before_training

PLAIN_CELL = ["dataset", "activation", "depth", "width", "optimizer"]  # a contrast itself fixes the regularization

Cell = tuple[Any, ...]  # values of PLAIN_CELL
Arm = tuple[str, str]  # values of ARM


class Parameters(TypedDict, total=False):
    """What a contrast is narrowed to, and what it compares; a key that is not given narrows nothing."""

    dataset: tuple[str, ...]
    activation: tuple[str, ...]
    depth: int | str
    initializer: tuple[str, ...]
    compared_with: tuple[str, ...]
    pretraining: tuple[str, ...]
    dropout: float


@dataclass(frozen=True)
class Evidence:
    """What one cell says: a number with its interval, of how many networks or pairs of them, and of which arms."""

    cell: Cell
    number: stats.Difference
    replicates: int
    initializer: str
    pretraining: str = "none"
    compared_with: str = ""

    @property
    def depth(self) -> int:
        """The hidden layers of its networks."""
        return int(self.cell[PLAIN_CELL.index("depth")])

    @property
    def row(self) -> dict[str, object]:
        """Its columns in the table `claims_evidence`."""
        arms = {"initializer": self.initializer, "pretraining": self.pretraining, "compared_with": self.compared_with}
        number = {"value": self.number.mean, "low": self.number.low, "high": self.number.high}
        return dict(zip(PLAIN_CELL, self.cell, strict=True)) | arms | number | {"replicates": self.replicates}


def median(values: np.ndarray) -> float:
    """Return the median of sorted values; of two in the middle the lower, if one is infinite."""
    middle = values[(len(values) - 1) // 2], values[len(values) // 2]
    return float(sum(middle) / 2 if np.isfinite(middle).all() else middle[0])


def _interval(sample: ArrayLike) -> stats.Difference:
    """Return the mean and its 95 % t-interval; with infinite values the median, and the range as the interval."""
    values = np.sort(np.asarray(sample, dtype=float))
    if not np.isfinite(values).all():
        low, high = (values[0], values[-1]) if len(values) >= stats.FEWEST_PAIRS else (np.nan, np.nan)
        return stats.Difference(median(values), float(low), float(high))
    # Rounded, because scipy warns of values that are equal but for their last bits.
    return stats.paired_difference(np.round(values, 12), np.zeros(len(values)))


def _all_of(parameters: Parameters, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs from the initializers named; from all of them if none is."""
    return runs[runs["initializer"].isin(parameters["initializer"])] if "initializer" in parameters else runs


def _plain(runs: pd.DataFrame, dropout: float = 0.0) -> pd.DataFrame:
    """Return the runs without batch normalization and pretraining, and with so much dropout."""
    return runs[~runs["batch_norm"] & (runs["pretraining"] == "none") & (runs["dropout"] == dropout)]


def _untrained(tables: Tables, parameters: Parameters) -> Iterator[tuple[Cell, str, list[pd.DataFrame]]]:
    """Yield each cell and initializer, and the hidden layers of each of its networks before training.

    A network has one state before training, whatever the learning rates it is trained with.
    """
    key = [*PLAIN_CELL, "initializer"]
    runs = _all_of(parameters, _plain(tables["runs"])).drop_duplicates([*key, "replicate"])
    layers = before_training(tables["layers"], runs, key)
    layers = layers[layers["layer"] <= layers["depth"]].sort_values("layer")
    for (*cell, initializer), rows in layers.groupby(key):
        yield tuple(cell), initializer, [network for _, network in rows.groupby("run_id")]


def _pairs(tables: Tables, parameters: Parameters) -> Iterator[tuple[Cell, dict[str, str], pd.DataFrame]]:
    """Yield, in each cell, the best of `initializer` beside each of `compared_with`, paired by replicate.

    The best has the highest median validation accuracy, then the lowest loss: it is chosen before the test data are seen.
    Ways of pretraining are ours alone, one at a time; what they are compared with has none.
    """
    runs = at_chosen_rate(tables["runs"], tables["summary"])
    runs = runs[~runs["batch_norm"] & (runs["dropout"] == 0)]
    for cell, rows in runs.groupby(PLAIN_CELL):
        arms = {arm: frame.set_index("replicate") for arm, frame in rows.groupby(ARM)}

        def rank(arm: Arm, arms: Mapping[Arm, pd.DataFrame] = arms) -> tuple[float, float]:
            return -arms[arm]["validation_score"].median(), arms[arm]["validation_loss"].median()

        for pretraining in parameters.get("pretraining", ("none",)):
            ours = [(i, pretraining) for i in parameters["initializer"] if (i, pretraining) in arms]
            for reference in parameters["compared_with"]:
                if not ours or (reference, "none") not in arms:
                    continue
                best = min(ours, key=rank)
                both = arms[best].join(arms[reference, "none"].add_suffix("_reference"), how="inner")
                if len(both):
                    names = {"initializer": best[0], "pretraining": pretraining, "compared_with": reference}
                    yield cell, names, both


def distinct_units(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Count the distinct units of the hidden layer that has most of them, at the last step measured, in any run of a cell.

    A claim that units stay equal is refuted by one run in which they do not, so there is no interval.
    """
    runs = _all_of(parameters, _plain(tables["runs"], parameters.get("dropout", 0.0)))
    layers = tables["layers"]
    layers = layers[layers["stage"] == "training"].merge(runs[["run_id", *PLAIN_CELL, "initializer"]], on="run_id")
    layers = layers[layers["layer"] <= layers["depth"]]
    last = layers[layers["step"] == layers.groupby("run_id")["step"].transform("max")]
    return [
        Evidence(
            cell,
            stats.Difference(float(rows["distinct_units"].max()), np.nan, np.nan),
            rows["run_id"].nunique(),
            ", ".join(schemes.in_order(rows["initializer"])),
        )
        for cell, rows in last.groupby(PLAIN_CELL)
    ]


def _slope(variance: np.ndarray) -> float:
    """Return decades per layer; −∞ where a layer has no variance left, +∞ where one is not finite."""
    if not np.isfinite(variance).all():
        return math.inf
    return stats.decades_per_layer(variance) if (variance > 0).all() else -math.inf


def _variance_slope(of: str, tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Take the slope of a variance over the hidden layers before training, in the direction in which the signal travels."""
    rows = []
    for cell, initializer, networks in _untrained(tables, parameters):
        depth = cell[PLAIN_CELL.index("depth")]
        if depth < 2:
            continue
        slopes = []
        for network in networks:
            values = np.full(depth, np.inf)  # the layers of a network that is not finite are missing
            values[network["layer"].to_numpy() - 1] = network[of]
            slopes.append(_slope(values if of == "h_variance" else values[::-1]))
        rows.append(Evidence(cell, _interval(slopes), len(slopes), initializer))
    return rows


def _layer_mean(of: str, tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Take the mean of a quantity over the hidden layers before training; not where an activation has no such thing."""
    rows = []
    for cell, initializer, networks in _untrained(tables, parameters):
        means = [network[of].mean() for network in networks if network[of].notna().all()]
        if means:
            rows.append(Evidence(cell, _interval(means), len(means), initializer))
    return rows


def success(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Take the share of runs that reached their target and did not diverge, at the chosen rate; Wilson's interval."""
    rows = []
    for (*cell, initializer), runs in _all_of(
        parameters, _plain(at_chosen_rate(tables["runs"], tables["summary"]))
    ).groupby([*PLAIN_CELL, "initializer"]):
        ok, n = int((runs["status"] == "ok").sum()), len(runs)
        interval = stats.wilson(ok, n) if n >= stats.FEWEST_PAIRS else (np.nan, np.nan)
        rows.append(Evidence(tuple(cell), stats.Difference(ok / n, *interval), n, initializer))
    return rows


def accuracy_gain(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Take the difference in test accuracy, the best of ours − theirs, paired by replicate, each at its chosen rate."""
    return [
        Evidence(cell, _interval(both["test_score"] - both["test_score_reference"]), len(both), **names)
        for cell, names, both in _pairs(tables, parameters)
    ]


def speed(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Take the factor by which the best of ours is faster to the target, theirs/ours, the geometric mean over pairs.

    A run that never arrives takes infinitely long. A pair in which neither arrives is a tie; if all are, there is no factor.
    """
    rows = []
    for cell, names, both in _pairs(tables, parameters):
        # Logarithms, of at least one step: a network may be at its target before training.
        ours, theirs = (np.log2(both[f"steps_to_target{side}"].clip(lower=1).to_numpy()) for side in ("", "_reference"))
        neither = np.isinf(ours) & np.isinf(theirs)
        logs = np.subtract(theirs, ours, out=np.zeros(len(both)), where=~neither)
        number = stats.Difference(*np.full(3, np.nan)) if neither.all() else _interval(logs)
        rows.append(Evidence(cell, stats.Difference(*(2.0**end for end in number)), len(both), **names))
    return rows


def _largest_difference(groups: Sequence[np.ndarray]) -> stats.Difference:
    """Return the largest difference of two groups' means, with Tukey's simultaneous 95 % interval.

        |m_i − m_j| ± q √(s²/2 · (1/n_i + 1/n_j)),   s² the variance within groups

    The largest true difference lies between the largest lower and the largest upper end of all pairs: picking the extremes
    of many groups is paid for.

    Source: Tukey 1949; Kramer 1956 for groups of different sizes.
    """
    means, sizes = np.array([g.mean() for g in groups]), np.array([len(g) for g in groups])
    freedom = int(sizes.sum()) - len(groups)
    variance = sum(np.square(g - g.mean()).sum() for g in groups) / freedom
    i, j = np.triu_indices(len(groups), 1)
    q = studentized_range.ppf(0.95, len(groups), freedom)
    reach = q * np.sqrt(variance / 2 * (1 / sizes[i] + 1 / sizes[j]))
    difference = np.abs(means[i] - means[j])
    low, high = max(0.0, float((difference - reach).max())), float((difference + reach).max())
    return stats.Difference(float(difference.max()), low, high)


def optimum_difference(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Take the largest difference in mean test accuracy between initializers, among runs that reached the target.

    Initializers with fewer than three such runs are left out: their replicates' noise is not known.
    """
    runs = _all_of(parameters, _plain(at_chosen_rate(tables["runs"], tables["summary"])))
    rows = []
    for cell, cells in runs[runs["status"] == "ok"].groupby(PLAIN_CELL):
        groups = {name: rows["test_score"].to_numpy() for name, rows in cells.groupby("initializer")}
        groups = {name: values for name, values in groups.items() if len(values) >= stats.FEWEST_PAIRS}
        if len(groups) < 2:
            continue
        means = {name: float(values.mean()) for name, values in groups.items()}
        best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        count = sum(map(len, groups.values()))
        rows.append(Evidence(cell, _largest_difference(list(groups.values())), count, best, compared_with=worst))
    return rows


def spread_reduction(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Take by how much batch normalization narrows the range of test accuracy over the initializers that have both.

    (max − min over initializers, without) − (max − min, with), paired by replicate
    """
    runs = _all_of(parameters, at_chosen_rate(tables["runs"], tables["summary"]))
    runs = runs[(runs["pretraining"] == "none") & (runs["dropout"] == 0)]
    rows = []
    for cell, cells in runs.groupby(PLAIN_CELL):
        sides = {
            norm: side.pivot(index="replicate", columns="initializer", values="test_score")
            for norm, side in cells.groupby("batch_norm")
        }
        both = schemes.in_order(set.intersection(*(set(side.columns) for side in sides.values())))
        if len(sides) < 2 or len(both) < 2:
            continue
        without, normed = (sides[norm][both].dropna() for norm in (False, True))
        ranges = [side.max(axis=1) - side.min(axis=1) for side in (without, normed)]
        narrowed = (ranges[0] - ranges[1]).dropna()
        if len(narrowed):
            rows.append(Evidence(cell, _interval(narrowed), len(narrowed), ", ".join(both)))
    return rows


@dataclass(frozen=True)
class Measure:
    """A measure: what makes its rows, what its number says and how it is written, its parameters beside `EVERYWHERE`.

    A number is written times `factor`, by the format `form`, with the unit behind it.
    """

    rows: Callable[[Tables, Parameters], list[Evidence]]
    quantity: str
    form: str
    needs: tuple[str, ...] = ("initializer",)
    offers: tuple[str, ...] = ()
    factor: float = 1.0
    unit: str = ""

    def write(self, *values: float) -> str:
        """Return a number, or the two ends of an interval, rounded and with the unit."""
        text = " to ".join(format(self.factor * value, self.form) for value in values)
        return text.replace("-", "−").replace("inf", "∞") + self.unit

    def threshold(self, value: float) -> str:
        """Return a number as it was declared, not rounded, with the unit."""
        text = format(self.factor * value, ".10g").replace("-", "−")
        return text + (self.unit.removesuffix("s") if text == "1" else self.unit)


_SHARE: dict[str, Any] = {"form": ".0f", "factor": 100, "unit": " %"}
_POINTS: dict[str, Any] = {"form": "+.1f", "factor": 100, "unit": " points"}
MEASURES: dict[str, Measure] = {
    "distinct_units": Measure(
        distinct_units, "largest number of distinct units in a hidden layer after training", ".0f", offers=("dropout",)
    ),
    "activation_slope": Measure(
        partial(_variance_slope, "h_variance"), "variance of the activations, decades a layer towards the output", "+.2f"
    ),
    "gradient_slope": Measure(
        partial(_variance_slope, "delta_variance"), "variance of the gradient ∂ℓ/∂z, decades a layer towards the input", "+.2f"
    ),
    "saturated_share": Measure(partial(_layer_mean, "saturated"), "share of saturated activations before training", **_SHARE),
    "activation_mean": Measure(partial(_layer_mean, "h_mean"), "mean activation before training", "+.2f"),
    "success": Measure(success, "share of runs that reach the target", **_SHARE),
    "accuracy_gain": Measure(
        accuracy_gain, "gain in test accuracy", needs=("initializer", "compared_with"), offers=("pretraining",), **_POINTS
    ),
    "speed": Measure(
        speed, "factor of speed to the target", ".3g", ("initializer", "compared_with"), ("pretraining",)
    ),
    "optimum_difference": Measure(
        optimum_difference, "largest difference in test accuracy between initializers that reach the target",
        needs=(), offers=("initializer",), **_POINTS,
    ),
    "spread_reduction": Measure(
        spread_reduction, "range of test accuracy over initializers, without − with batch normalization",
        needs=(), offers=("initializer",), **_POINTS,
    ),
}  # fmt: skip
