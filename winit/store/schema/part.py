"""The rows of the run store. Their fields are derived from the columns of the tables, and every row is checked.

One row is one run. Curves are lists over evaluated steps, statistics of layers lists over (step, layer), histograms lists over
(step, layer, bin), and errors of pretraining lists over (layer, step).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
import pyarrow as pa

from winit.store.schema.column import Axis, Stored, Type
from winit.store.schema.measured import MEASURED

Row = Mapping[str, object]  # a run's values by field: single values, and lists or flat arrays

# The tables in the order of their columns in a row.
_ORDER = ("runs", "pretraining", "curves", "outcomes", "predictions", "layers", "jacobians", "histograms", "traces")
FIELDS: dict[str, Stored] = {
    column.stored.name: column.stored for name in _ORDER for column in MEASURED[name].values() if column.stored
}
_NULLABLE = {column.stored.name for column in MEASURED["runs"].values() if column.stored and column.type == "Int64"}

_ARROW: dict[Type, pa.DataType] = {
    "str": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "Int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
}
PART = pa.schema(
    [(f.name, pa.list_(_ARROW[f.type]) if f.axes else _ARROW[f.type]) for f in FIELDS.values()]
)  # the schema of every file of the run store


def stored_columns(table: str) -> dict[str, str]:
    """Return the stored columns of a table except steps: names in the run store to names in the table."""
    stored = [(column.stored, column.name) for column in MEASURED[table].values() if column.stored]
    return {field.name: name for field, name in stored if field.axes != (field.name,)}


def check_row(row: Row) -> None:
    """Check that a row has exactly the fields of the run store, with their types and lengths.

    Raises:
        ValueError: the row does not match; the message names the run and the fields.
    """
    missing, unknown = sorted(set(FIELDS) - set(row)), sorted(set(row) - set(FIELDS))
    faults = [
        f"{what} {', '.join(names)}" for what, names in (("lacks", missing), ("has the unknown", unknown)) if names
    ]
    if not faults:
        faults = [f"has {row[name]!r:.60} as {name}, not {_wanted(field)}" for name, field in FIELDS.items()
                  if not _has_type(row[name], field)]  # fmt: skip
    faults = faults or _wrong_lengths(row)
    if faults:
        raise ValueError(f"run store: the row of run {row.get('run_id')} {' and '.join(faults)}")


def _wanted(field: Stored) -> str:
    return f"a list of {field.type}" if field.axes else field.type


def _has_type(value: object, field: Stored) -> bool:
    """Return whether a value has the type of a field. Floats may be NaN, and lists may be empty."""
    if value is None:
        return field.name in _NULLABLE
    if isinstance(value, list | np.ndarray) != bool(field.axes):
        return False
    array = np.asarray(value)
    return array.ndim == bool(field.axes) and (not array.size or array.dtype.kind in _kinds(field.type))


def _kinds(type: Type) -> str:
    """Return the kinds of numpy types that a type can represent."""
    if type == "str":
        return "U"
    return "fiu" if type.startswith("float") else "iu"


def _wrong_lengths(row: Row) -> list[str]:
    """Return a phrase for each list whose length does not match those before it."""
    sizes: dict[Axis, int] = {}
    faults = []
    for name, field in FIELDS.items():
        if not field.axes:
            continue
        length = np.size(row[name])  # type: ignore[arg-type]  # a list or an array, as was checked
        unknown = [axis for axis in field.axes if axis not in sizes]
        known = prod(sizes[axis] for axis in field.axes if axis in sizes)
        if len(unknown) == 1 and known and length % known == 0:
            sizes[unknown[0]] = length // known
        elif length != (0 if unknown else known):
            faults.append(f"has {length} values as {name}, for ({', '.join(field.axes)})")
    return faults
