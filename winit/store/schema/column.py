"""A column is one object: its name, type, unit and meaning, and how the run store holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Types as pandas writes them; Int64 is an integer that can be missing.
Type = Literal["str", "int32", "int64", "Int64", "float32", "float64", "bool"]
STR: Type = "str"
INT32: Type = "int32"
INT: Type = "int64"
OPTIONAL_INT: Type = "Int64"
FLOAT32: Type = "float32"
FLOAT: Type = "float64"
BOOL: Type = "bool"

# What the lists of the run store extend over. A run that is pretrained is probed once more, before pretraining.
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
        axes: what the list extends over, the last axis running fastest; none where the field is a single value.
    """

    name: str
    type: Type
    axes: tuple[Axis, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: of the column.
        type: of its values, as pandas writes it.
        unit: of its values; empty where they have none.
        meaning: what it holds, for the reference.
        stored: how the run store holds it; None where it is computed from other columns.
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
    """Return a column that the run store holds.

    Args:
        name, type, unit, meaning: those of the column.
        axes: what the list in the run store extends over; none for a single value.
        field: the name in the run store, where it is not that of the column.
        field_type: the type in the run store, where it is not that of the column.
    """
    return Column(name, type, unit, meaning, Stored(field or name, field_type or type, axes))


def table(*columns: Column) -> Table:
    """Return the columns of a table by name."""
    return {column.name: column for column in columns}


def some(columns: Table, *names: str) -> list[Column]:
    """Return some columns of a table, in the table's order."""
    return [column for name, column in columns.items() if name in names]


def others(columns: Table, *names: str) -> list[Column]:
    """Return the columns of a table without those named."""
    return [column for name, column in columns.items() if name not in names]
