"""The schema: one object for a column, from which the run store, the tables and the reference are made."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest

from winit.store import files
from winit.store.schema import FIELDS, PART, TABLES, documentation, stored_columns

MEASURED = ("runs", "curves", "layers", "jacobians", "histograms", "traces", "pretraining")


def test_parts_of_earlier_versions_are_read():
    """Parts with another schema are rejected, so a change here trains every stored run again."""
    text = "\n".join(f"{field.name} {field.type}" for field in PART)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "962d201ebace10c1"


def test_every_column_is_declared_under_its_name():
    for name, columns in TABLES.items():
        assert all(key == column.name and column.meaning for key, column in columns.items()), name


def test_every_field_of_the_run_store_is_a_column_of_one_table():
    stored = [column.stored.name for name in MEASURED for column in TABLES[name].values() if column.stored]
    assert sorted(stored) == sorted(FIELDS) == sorted(PART.names)


def test_names_in_the_run_store_lead_to_columns():
    assert stored_columns("curves")["validation_accuracy"] == "validation_score"
    assert stored_columns("jacobians")["jacobian_low"] == "minimum"
    for name in MEASURED:
        assert set(stored_columns(name).values()) <= set(TABLES[name])


def test_lists_extend_over_axes_whose_length_a_row_tells():
    """Every list is over steps, or over layers and bins besides them; steps come first in a row."""
    known: set[str] = set()
    for field in FIELDS.values():
        assert len(set(field.axes) - known) <= 1, field
        known |= set(field.axes)


def test_the_reference_prints_name_type_unit_and_meaning():
    lines = documentation(["runs"]).splitlines()
    assert lines[0] == "**runs**" and lines[2] == "| column | type | unit | meaning |"
    assert "| `wall_time_s` | float64 | seconds | its share of the wall time of the stack it was trained in |" in lines
    assert all(line.count(" | ") == 3 for line in lines[4:])


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_a_table_with_other_columns_is_refused(change):
    columns = list(TABLES["profiles"])
    frame = pd.DataFrame({name: [] for name in columns})
    conformed = files.conform("profiles", frame)
    assert [str(t) for t in conformed.dtypes] == ["str", "str", "float64", "float64", "int64"]
    frame = frame.drop(columns="tau") if change == "missing" else frame.assign(rank=[])
    with pytest.raises(ValueError, match=r"table profiles has columns that differ from its declaration: (tau|rank)$"):
        files.conform("profiles", frame)
