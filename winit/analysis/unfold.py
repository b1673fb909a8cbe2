"""Unfold the rows of the run store (one per run) into the rows of the tables of measurements.

The lists of a run are in the order of their axes, with ascending steps, so the rows of sorted runs are sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from winit.store.schema import HISTOGRAM_REACH, stored_columns
from winit.study.workload import Workload
from winit.vocabulary.pretraining import parse_pretraining

Columns = dict[str, np.ndarray]

STAGES = pa.array(["drawn", "pretrained", "training"])


def flat(stored: pa.Table, field: str) -> np.ndarray:
    """Return the concatenated entries of all lists of a field."""
    return stored[field].combine_chunks().flatten().to_numpy(zero_copy_only=False)


def lengths(stored: pa.Table, field: str) -> np.ndarray:
    """Return the lengths of the lists of a field (runs,)."""
    return np.diff(stored[field].combine_chunks().offsets.to_numpy())


def alike(stored: pa.Table, field: str) -> Iterator[tuple[np.ndarray, pa.Table]]:
    """Yield each distinct list of a field and the rows that have it; tuning runs are evaluated less often than others."""
    ends = np.cumsum(lengths(stored, field))
    keys = [part.tobytes() for part in np.split(flat(stored, field), ends[:-1])]
    for key in dict.fromkeys(keys):
        rows = stored.take([row for row, other in enumerate(keys) if other == key])
        yield flat(rows.slice(0, 1), field), rows


@dataclass(frozen=True)
class Unfolding:
    """How a table is made from rows of the run store.

    Attributes:
        labels: function from the network and the rows to the number of entries of each run, and the columns that label them.
        fields: fields of the run store that `labels` needs.
        measured: column whose missing values mark entries to leave out.
    """

    labels: Callable[[Workload, pa.Table], tuple[np.ndarray, Columns]]
    fields: tuple[str, ...]
    measured: str = ""


def fields(name: str) -> list[str]:
    """Return the fields of the run store that a table needs."""
    return ["run_id", *UNFOLDINGS[name].fields, *stored_columns(name)]


def unfold(name: str, network: Workload, stored: pa.Table) -> pa.Table:
    """Return rows of a table of measurements.

    Args:
        name: one of `UNFOLDINGS`.
        network: the workload of the runs, or any of several.
        stored: rows of the run store, with `fields(name)`.
    """
    unfolding = UNFOLDINGS[name]
    entries, labels = unfolding.labels(network, stored)
    run = np.repeat(np.arange(len(stored)), entries)
    columns = labels | {
        column: flat(stored, field) for field, column in stored_columns(name).items() if column not in labels
    }
    if unfolding.measured:
        kept = ~np.isnan(columns[unfolding.measured])
        run, columns = run[kept], {column: values[kept] for column, values in columns.items()}
    table = {"run_id": stored["run_id"].combine_chunks().take(run)}
    table |= {column: pa.array(values, from_pandas=True) for column, values in columns.items() if column != "stage"}
    if "stage" in columns:
        table["stage"] = STAGES.take(columns["stage"])
    if "distinct_units" in columns:  # stored as a float, because it may be missing
        table["distinct_units"] = table["distinct_units"].cast(pa.int32())
    return pa.table(table)


def _by_step(field: str) -> Callable[[Workload, pa.Table], tuple[np.ndarray, Columns]]:
    def labels(_: Workload, stored: pa.Table) -> tuple[np.ndarray, Columns]:
        return lengths(stored, field), {"step": flat(stored, field)}

    return labels


def _by_layer(field: str) -> Callable[[Workload, pa.Table], tuple[np.ndarray, Columns]]:
    def labels(network: Workload, stored: pa.Table) -> tuple[np.ndarray, Columns]:
        layers, steps = network.depth + 1, flat(stored, field)
        columns = {"step": np.repeat(steps, layers), "layer": np.tile(np.arange(1, layers + 1), len(steps))}
        return lengths(stored, field) * layers, columns

    return labels


def _staged(
    labels: Callable[[Workload, pa.Table], tuple[np.ndarray, Columns]],
) -> Callable[[Workload, pa.Table], tuple[np.ndarray, Columns]]:
    """Add the stage of every entry. Pretrained networks were probed before pretraining at a negative step."""

    def staged(network: Workload, stored: pa.Table) -> tuple[np.ndarray, Columns]:
        entries, columns = labels(network, stored)
        names = stored["pretraining"].to_pylist()
        pretrained = np.repeat([parse_pretraining(name).method != "none" for name in names], entries)
        step = columns["step"]
        return entries, columns | {"stage": np.select([step > 0, pretrained & (step == 0)], [2, 1], 0)}

    return staged


def _by_bin(network: Workload, stored: pa.Table) -> tuple[np.ndarray, Columns]:
    edges = np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, network.measure.histogram_bins + 1)
    bins = len(edges) - 1
    entries, columns = _by_layer("layer_step")(network, stored)
    layers = len(columns["layer"])
    columns = {name: np.repeat(values, bins) for name, values in columns.items()}
    return entries * bins, columns | {"bin_low": np.tile(edges[:-1], layers), "bin_high": np.tile(edges[1:], layers)}


def _layers(network: Workload, stored: pa.Table) -> tuple[np.ndarray, Columns]:
    entries, columns = _by_layer("layer_step")(network, stored)
    return entries, columns | {"units": np.array(network.widths[1:])[columns["layer"] - 1]}


def _by_example(_: Workload, stored: pa.Table) -> tuple[np.ndarray, Columns]:
    entries = lengths(stored, "test_prediction")
    return entries, {"example": _places(entries)}


def _by_pretrained_layer(network: Workload, stored: pa.Table) -> tuple[np.ndarray, Columns]:
    """Label the error of every layer during pretraining, and add the error of the baseline."""
    layers, steps = network.pretrained_layers, lengths(stored, "pretraining_step")
    entries = steps * layers
    place, of_run = _places(entries), np.repeat(steps, entries)
    first = np.repeat(np.cumsum(steps) - steps, entries)
    columns = {"layer": place // of_run + 1, "step": flat(stored, "pretraining_step")[first + place % of_run]}
    baseline = np.repeat(
        flat(stored, "pretraining_baseline"), np.repeat(steps, lengths(stored, "pretraining_baseline"))
    )
    return entries, columns | {"baseline": baseline}


def _places(entries: np.ndarray) -> np.ndarray:
    """Return 0, 1, … for the entries of each run, given how many it has."""
    return np.arange(entries.sum()) - np.repeat(np.cumsum(entries) - entries, entries)


UNFOLDINGS: Mapping[str, Unfolding] = {
    "curves": Unfolding(_by_step("curve_step"), ("curve_step",)),
    "predictions": Unfolding(_by_example, ()),
    "layers": Unfolding(_staged(_layers), ("layer_step", "pretraining"), "distinct_units"),
    "jacobians": Unfolding(_staged(_by_step("layer_step")), ("layer_step", "pretraining"), "mean"),
    "histograms": Unfolding(_staged(_by_bin), ("layer_step", "pretraining")),
    "traces": Unfolding(_by_layer("trace_step"), ("trace_step",), "gradient_mean_square"),
    "pretraining": Unfolding(_by_pretrained_layer, ("pretraining_step",)),
}
