"""The run store: committed parts are complete, damaged files are reported, and foreign files are never read."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winit.store import files
from winit.store.parts import RunStore, content_hash
from winit.store.schema import FIELDS, PART


def row(run_id: str, loss: float = 0.5) -> dict[str, object]:
    """A row of a run of one layer, evaluated at two steps, read at one budget and probed at one step."""
    lengths = {("curve_step",): 2, ("budget",): 1, ("test_example",): 3, ("layer_step",): 1, ("layer_step", "layer"): 1}
    values = {
        name: [0] * lengths.get(field.axes, 0) if field.axes else {"str": "x"}.get(field.type, 0)
        for name, field in FIELDS.items()
    }
    return values | {"run_id": run_id, "wall_time_s": loss, "diverged_step": None, "diverged_layer": None}


@pytest.fixture
def filled(tmp_path):
    s = RunStore(tmp_path)
    first = s.commit("w", [row("a"), row("b")])
    second = s.commit("w", [row("c")])
    return s, first, second


def test_what_is_committed_is_held(filled):
    s, first, second = filled
    parts = s.parts_of("w")
    assert parts.run_ids == {"a", "b", "c"} and not parts.broken
    assert sorted(parts.parts) == sorted([first, second])
    table = parts.read()
    assert table.schema.equals(PART) and table.num_rows == 3
    assert table["diverged_step"].null_count == 3
    assert s.parts_of("other").run_ids == set() and s.parts_of("other").read().num_rows == 0


def test_a_part_is_named_after_its_bytes(filled, tmp_path):
    s, first, _ = filled
    assert s.commit("w", [row("a"), row("b")]) == first  # the same content is the same part


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
    ],
    ids=["one byte short", "half", "empty", "one bit flipped"],
)
def test_a_damaged_part_is_named_and_its_runs_are_lacking(filled, damage):
    s, first, second = filled
    first.write_bytes(damage(first.read_bytes()))
    parts = s.parts_of("w")
    assert list(parts.broken) == [first] and "truncated, altered or foreign" in parts.broken[first]
    assert parts.run_ids == {"c"} and parts.read().num_rows == 1
    assert list(s.set_aside("w")) == [first]
    assert not first.exists() and first.with_suffix(".parquet.rejected").exists() and second.exists()
    assert not s.parts_of("w").broken


def test_foreign_files_are_never_read(filled, tmp_path):
    s, *_ = filled
    foreign = tmp_path / "w" / "mine.parquet"
    pq.write_table(pa.table({"run_id": ["z"]}), foreign)
    (tmp_path / "w" / "notes.txt").write_text("hello")
    parts = s.parts_of("w")
    assert list(parts.broken) == [foreign] and "z" not in parts.run_ids
    # A file that carries the right name for its content, but is no part.
    named = tmp_path / "w" / f"{content_hash(foreign.read_bytes())}.parquet"
    foreign.rename(named)
    assert "columns are not those" in s.parts_of("w").broken[named]


def test_validation_scores_are_those_at_the_budgets(tmp_path):
    store = RunStore(tmp_path)
    read = {"budget": [5, 9], "validation_loss": [0.1, np.nan], "validation_accuracy": np.float32([0.5, np.nan])}
    store.commit("w", [row("a") | read, row("b")])
    scores = store.parts_of("w").validation_scores
    assert scores["b"] == [0.0] and scores["a"][0] == 0.5 and np.isnan(scores["a"][1])
    assert store.parts_of("none").validation_scores == {}


def test_a_part_copied_under_another_name_is_not_read_twice(filled):
    s, first, _ = filled
    copy = first.with_name("0" * 32 + ".parquet")
    copy.write_bytes(first.read_bytes())
    assert list(s.parts_of("w").broken) == [copy]


def test_a_run_in_two_parts_counts_once(filled):
    s, *_ = filled
    s.commit("w", [row("a", loss=9.0), row("d")])
    table = s.parts_of("w").read(["run_id", "wall_time_s"]).to_pandas()
    assert sorted(table["run_id"]) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda row: row.pop("engine"), "the row of run b lacks engine$"),
        (lambda row: row.update(accuracy=0.5), "the row of run b has the unknown accuracy$"),
        (lambda row: row.update(wall_time=row.pop("wall_time_s")), "lacks wall_time_s and has the unknown wall_time$"),
        (lambda row: row.update(wall_time_s="low"), "has 'low' as wall_time_s, not float64$"),
        (lambda row: row.update(wall_time_s=None), "has None as wall_time_s, not float64$"),
        (lambda row: row.update(replicate=0.5), "has 0.5 as replicate, not int64$"),
        (lambda row: row.update(engine=1), "has 1 as engine, not str$"),
        (lambda row: row.update(curve_step=0), "has 0 as curve_step, not a list of int32$"),
        (lambda row: row.update(wall_time_s=[0.5]), r"has \[0.5\] as wall_time_s, not float64$"),
        (lambda row: row.update(train_loss=[0.5, None]), r"has \[0.5, None\] as train_loss, not a list of float32$"),
        (lambda row: row.update(train_loss=np.zeros((2, 1))), "as train_loss, not a list of float32$"),
        (lambda row: row.update(train_loss=[0.5]), r"has 1 values as train_loss, for \(curve_step\)$"),
        (lambda row: row.update(validation_loss=[0.5] * 2), r"has 2 values as validation_loss, for \(budget\)$"),
        (lambda row: row.update(test_prediction=[1]), r"has 3 values as test_probability, for \(test_example\)$"),
        (lambda row: row.update(h_mean=[0.5] * 2), r"has 2 values as h_mean, for \(layer_step, layer\)$"),
        (lambda row: row.update(trace_h_mean=[0.5]), r"has 1 values as trace_h_mean, for \(trace_step, layer\)$"),
    ],
)
def test_a_row_that_differs_from_the_schema_is_refused_and_nothing_is_written(tmp_path, change, sentence):
    store, wrong = RunStore(tmp_path), row("b")
    change(wrong)
    with pytest.raises(ValueError, match=sentence):
        store.commit("w", [row("a"), wrong])
    assert not list(tmp_path.rglob("*"))


def test_a_row_may_hold_numpy_values_and_nan(tmp_path):
    values = {
        "wall_time_s": np.float64("nan"),
        "replicate": np.int64(-1),
        "train_loss": np.float32([1, np.nan]),
        "diverged_step": 3,
    }
    store = RunStore(tmp_path)
    store.commit("w", [row("a") | values])
    table = store.parts_of("w").read()
    assert table["replicate"].to_pylist() == [-1] and table["diverged_step"].to_pylist() == [3]
    assert np.isnan(table["train_loss"].to_pylist()[0][1]) and table["wall_time_s"].null_count == 0


def test_a_kill_between_writing_and_renaming_leaves_no_file(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        files.write_bytes(tmp_path / "w" / "x.parquet", b"content")
    assert not list((tmp_path / "w").glob("*.parquet"))
