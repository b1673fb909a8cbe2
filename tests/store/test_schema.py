"""The schema: every column is one object, from which the run store, the tables and the reference are derived."""

from __future__ import annotations

import hashlib
import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winit.store import files
from winit.store.parts import RunStore, content_hash
from winit.store.schema import FIELDS, PART, TABLES, documentation, stored_columns
from winit.study import identity
from winit.study.compose import compose
from winit.study.identity import REVISION

MEASURED = ("runs", "outcomes", "predictions", "curves", "layers", "jacobians", "histograms", "traces", "pretraining")


def test_the_schema_of_parts_is_tied_to_the_revision():
    """Another schema is another revision, so that no folder of workloads holds parts of both.

    The revision is part of a workload's name. Parts of an earlier one lie in folders that are never asked for: they are
    neither read nor set aside as damaged, and stay for the version that made them.
    """
    text = "\n".join(f"{field.name} {field.type}" for field in PART)
    assert (REVISION, hashlib.sha256(text.encode()).hexdigest()[:16]) == (4, "9e352c39b1d93621")


def test_parts_of_an_earlier_revision_are_left_alone(tmp_path, monkeypatch):
    name = compose(["study=smoke"]).workloads[0].name
    monkeypatch.setattr(identity, "REVISION", REVISION - 1)
    folder = tmp_path / compose(["study=smoke"]).workloads[0].name
    folder.mkdir()
    content = io.BytesIO()
    pq.write_table(pa.table({"run_id": ["a"], "an_old_column": [1.0]}), content)
    part = folder / f"{content_hash(content.getvalue())}.parquet"
    part.write_bytes(content.getvalue())
    store = RunStore(tmp_path)
    assert folder.name != name and store.set_aside(name) == {}
    assert store.parts_of(name).run_ids == set() and part.read_bytes() == content.getvalue()


def test_every_column_is_declared_under_its_name():
    for name, columns in TABLES.items():
        assert all(key == column.name and column.meaning for key, column in columns.items()), name


def test_every_field_of_the_run_store_is_a_column_of_one_table():
    stored = [column.stored.name for name in MEASURED for column in TABLES[name].values() if column.stored]
    assert sorted(stored) == sorted(FIELDS) == sorted(PART.names)


def test_names_in_the_run_store_lead_to_columns():
    assert stored_columns("curves")["test_accuracy"] == "test_score"
    assert stored_columns("outcomes")["validation_accuracy"] == "validation_score"
    assert stored_columns("jacobians")["jacobian_low"] == "minimum"
    for name in MEASURED:
        assert set(stored_columns(name).values()) <= set(TABLES[name])


def test_the_lengths_of_lists_match_the_axes_of_a_row():
    """Every list is over steps, budgets or examples, or over layers and bins besides steps, which come first in a row."""
    known: set[str] = set()
    for field in FIELDS.values():
        assert len(set(field.axes) - known) <= 1, field
        known |= set(field.axes)


def test_the_reference_prints_name_type_unit_and_meaning():
    lines = documentation(["runs"]).splitlines()
    assert lines[0] == "## `runs`" and lines[2] == "| column | type | unit | meaning |"
    assert "| `wall_time_s` | float64 | seconds | its share of the wall time of its stack |" in lines
    assert all(line.count(" | ") == 3 for line in lines[4:])


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_a_table_with_other_columns_is_refused(change):
    columns = list(TABLES["profiles"])
    frame = pd.DataFrame({name: [] for name in columns})
    conformed = files.conform("profiles", frame)
    assert [str(t) for t in conformed.dtypes] == ["int64", "str", "str", "str", "float64", "float64", "int64"]
    frame = frame.drop(columns="tau") if change == "missing" else frame.assign(rank=[])
    with pytest.raises(ValueError, match=r"table profiles has columns that differ from its declaration: (tau|rank)$"):
        files.conform("profiles", frame)
