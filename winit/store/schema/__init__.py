"""The schema: every column of every table, with type, unit and meaning, and the rows of the run store."""

from __future__ import annotations

from collections.abc import Iterable

from winit.store.schema.analysed import ANALYSED, TIME_TABLES
from winit.store.schema.column import Column, Stored, Table
from winit.store.schema.measured import FACTORS, HISTOGRAM_REACH, MEASURED, TIME_COLUMNS
from winit.store.schema.part import FIELDS, PART, Row, check_row, stored_columns

__all__ = [
    "COLLECTED",
    "COPIED",
    "FACTORS",
    "FIELDS",
    "HISTOGRAM_REACH",
    "PART",
    "REPLAYED",
    "TABLES",
    "TIME_COLUMNS",
    "TIME_TABLES",
    "Column",
    "Row",
    "Stored",
    "Table",
    "check_row",
    "documentation",
    "stored_columns",
]

TABLES: dict[str, Table] = MEASURED | ANALYSED

# Tables written by each rule of the workflow, and tables with a CSV copy.
REPLAYED = ("replay",)
COLLECTED = tuple(name for name in TABLES if name not in REPLAYED)
COPIED = ("runs", "summary", "not_applicable")


def documentation(names: Iterable[str] = TABLES) -> str:
    """Return the columns of tables as Markdown, for the reference in the docs."""
    lines = []
    for name in names:
        lines += [f"## `{name}`", "", "| column | type | unit | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{c.name}` | {c.type} | {c.unit} | {c.meaning.replace('|', chr(92) + '|')} |"
            for c in TABLES[name].values()
        ]
        lines.append("")
    return "\n".join(lines).rstrip()
