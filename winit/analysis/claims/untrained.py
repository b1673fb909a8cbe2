"""Measures of layers: networks before training, and distinct units after training."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from winit import schemes
from winit.analysis.claims.estimates import counted, mean
from winit.analysis.claims.evidence import PLAIN_CELL, Cell, Evidence, Parameters
from winit.analysis.claims.outcomes import named, plain
from winit.analysis.select import Tables, before_training, judged


def _untrained(tables: Tables, parameters: Parameters) -> Iterator[tuple[Cell, str, pd.DataFrame]]:
    """Yield each cell and initializer with the hidden layers of its networks before training, in order.

    The state before training does not depend on the learning rate.
    """
    key = [*PLAIN_CELL, "initializer"]
    runs = named(parameters, plain(judged(tables["runs"]))).drop_duplicates([*key, "replicate"])
    layers = before_training(tables["layers"], runs, key)
    layers = layers[layers["layer"] <= layers["depth"]].sort_values("layer")
    for (*cell, initializer), rows in layers.groupby(key):
        yield tuple(cell), initializer, rows


def distinct_units(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return the largest number of distinct units in a hidden layer at the last measured step, over all runs of a cell.

    A claim that units stay equal is refuted by a single run, so the interval has width 0.
    """
    runs = named(parameters, plain(judged(tables["runs"]), parameters.get("dropout", 0.0)))
    layers = tables["layers"]
    columns = ["run_id", *PLAIN_CELL, "initializer", "replicate"]
    layers = layers[layers["stage"] == "training"].merge(runs[columns], on="run_id")
    layers = layers[layers["layer"] <= layers["depth"]]
    last = layers[layers["step"] == layers.groupby("run_id")["step"].transform("max")]
    return [
        Evidence(
            cell,
            counted(float(rows["distinct_units"].max())),
            rows["replicate"].nunique(),
            ", ".join(schemes.in_order(rows["initializer"])),
        )
        for cell, rows in last.groupby(PLAIN_CELL)
    ]


def _decades(first: float, last: float) -> float:
    """Return log10(last/first); −∞ if the last value is 0, +∞ if one of the two is not finite."""
    if not (math.isfinite(first) and math.isfinite(last)):
        return math.inf
    return math.log10(last / first) if first > 0 and last > 0 else -math.inf


def _factor(of: str, is_backward: bool, tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return the change of a variance over the hidden layers before training, in the direction of its signal, in decades."""
    rows = []
    for cell, initializer, layers in _untrained(tables, parameters):
        depth = cell[PLAIN_CELL.index("depth")]
        if depth < 2:
            continue
        network, run_ids = pd.factorize(layers["run_id"])
        values = np.full((len(run_ids), depth), np.inf)  # the layers of non-finite networks are missing
        values[network, layers["layer"] - 1] = layers[of]
        is_finite = np.isfinite(values).all(axis=1)
        first, last = (-1, 0) if is_backward else (0, -1)
        factors = [
            _decades(of_network[first], of_network[last]) if known else math.inf
            for of_network, known in zip(values, is_finite, strict=True)
        ]
        rows.append(Evidence(cell, mean(factors), len(factors), initializer))
    return rows


def activation_factor(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return log10 of the variance over examples in the last hidden layer, relative to the first, before training."""
    return _factor("h_example_variance", False, tables, parameters)


def gradient_factor(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return log10 of the gradient's variance in the first hidden layer, relative to the last, before training."""
    return _factor("delta_variance", True, tables, parameters)


def saturated_share(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return the saturated share of units and examples, mean over hidden layers, before training."""
    rows = []
    for cell, initializer, layers in _untrained(tables, parameters):
        networks = [saturated for _, saturated in layers.groupby("run_id")["saturated"]]
        means = [saturated.mean() for saturated in networks if saturated.notna().all()]
        if means:
            rows.append(Evidence(cell, mean(means), len(means), initializer))
    return rows
