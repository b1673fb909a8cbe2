"""Columns: name, type, unit, meaning, and how the run store holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Names of types in pandas. Int64 is an integer that may be missing.
Type = Literal["str", "int32", "int64", "Int64", "float32", "float64", "bool"]
STR: Type = "str"
INT32: Type = "int32"
INT: Type = "int64"
OPTIONAL_INT: Type = "Int64"
FLOAT32: Type = "float32"
FLOAT: Type = "float64"
BOOL: Type = "bool"

# Axes of lists in the run store. Pretrained runs are probed once more, before pretraining.
Axis = Literal[
    "curve_step",
    "budget",
    "test_example",
    "layer_step",
    "layer",
    "bin",
    "trace_step",
    "pretraining_step",
    "pretraining_layer",
]


@dataclass(frozen=True)
class Stored:
    """How a row of the run store holds a column of a table.

    Attributes:
        name: of the field.
        type: of the field, or of the entries of its list.
        axes: axes of the list, the last one varying fastest; empty for a single value.
    """

    name: str
    type: Type
    axes: tuple[Axis, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: of the column.
        type: of its values, as named in pandas.
        unit: of its values; empty if they have none.
        meaning: description for the reference.
        stored: how the run store holds it; None if it is computed from other columns.
    """

    name: str
    type: Type
    unit: str
    meaning: str
    stored: Stored | None = None


Table = dict[str, Column]


def kept(
    name: str, type: Type, unit: str, meaning: str, *axes: Axis, field: str = "", field_type: Type | None = None
) -> Column:
    """Return a column that is stored in the run store.

    Args:
        name, type, unit, meaning: of the column.
        axes: axes of the list in the run store; none for a single value.
        field: the name in the run store, if it differs from that of the column.
        field_type: the type in the run store, if it differs from that of the column.
    """
    return Column(name, type, unit, meaning, Stored(field or name, field_type or type, axes))


def table(*columns: Column) -> Table:
    """Return the columns of a table by name."""
    return {column.name: column for column in columns}


def some(columns: Table, *names: str) -> list[Column]:
    """Return the named columns of a table, in the order of the table."""
    return [column for name, column in columns.items() if name in names]


def others(columns: Table, *names: str) -> list[Column]:
    """Return the columns of a table except the named ones."""
    return [column for name, column in columns.items() if name not in names]
