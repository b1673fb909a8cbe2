"""The run store: what is committed is whole, what is damaged is named, and nothing foreign is read."""

from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winit.store import files
from winit.store.parts import RunStore, _hash
from winit.store.schema import CURVE_COLUMNS, LAYER_COLUMNS, PART


def row(run_id: str, loss: float = 0.5) -> dict:
    return {
        "run_id": run_id, "initializer": "zeros", "learning_rate": 0.1, "replicate": 0, "diverged_step": None,
        "diverged_layer": None, "test_loss": loss, "test_accuracy": 0.5, "device": "cpu", "engine": "torch", "wall_time_s": 0.1,
        "calibration_time_s": 0.0, "calibration_forward": 0.0, "calibration_backward": 0.0,
        "curve_step": [0, 1], "layer_step": [0], **{c: [1.0, 2.0] for c in CURVE_COLUMNS}, **{c: [0.0] for c in LAYER_COLUMNS},
    }  # fmt: skip


@pytest.fixture
def filled(tmp_path):
    s = RunStore(tmp_path)
    first = s.commit("w", [row("a"), row("b")])
    second = s.commit("w", [row("c")])
    return s, first, second


def test_what_is_committed_is_held(filled):
    s, first, second = filled
    shelf = s.shelf("w")
    assert shelf.run_ids == {"a", "b", "c"} and not shelf.broken
    assert sorted(shelf.parts) == sorted([first, second])
    table = shelf.read()
    assert table.schema.equals(PART) and table.num_rows == 3
    assert table["diverged_step"].null_count == 3
    assert s.shelf("other").run_ids == set() and s.shelf("other").read().num_rows == 0


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
    shelf = s.shelf("w")
    assert list(shelf.broken) == [first] and "truncated, altered or foreign" in shelf.broken[first]
    assert shelf.run_ids == {"c"} and shelf.read().num_rows == 1
    assert list(s.set_aside("w")) == [first]
    assert not first.exists() and first.with_suffix(".parquet.rejected").exists() and second.exists()
    assert not s.shelf("w").broken


def test_foreign_files_are_never_read(filled, tmp_path):
    s, *_ = filled
    foreign = tmp_path / "w" / "mine.parquet"
    pq.write_table(pa.table({"run_id": ["z"]}), foreign)
    (tmp_path / "w" / "notes.txt").write_text("hello")
    shelf = s.shelf("w")
    assert list(shelf.broken) == [foreign] and "z" not in shelf.run_ids
    # A file that carries the right name for its content, but is no part.
    named = tmp_path / "w" / f"{_hash(foreign.read_bytes())}.parquet"
    foreign.rename(named)
    assert "columns are not those" in s.shelf("w").broken[named]


def test_a_part_copied_under_another_name_is_not_read_twice(filled):
    s, first, _ = filled
    copy = first.with_name("0" * 32 + ".parquet")
    copy.write_bytes(first.read_bytes())
    assert list(s.shelf("w").broken) == [copy]


def test_a_run_in_two_parts_counts_once(filled):
    s, *_ = filled
    s.commit("w", [row("a", loss=9.0), row("d")])
    table = s.shelf("w").read(["run_id", "test_loss"]).to_pandas()
    assert sorted(table["run_id"]) == ["a", "b", "c", "d"]


def test_a_kill_between_writing_and_renaming_leaves_no_file(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        files.write_bytes(tmp_path / "w" / "x.parquet", b"content")
    assert not list((tmp_path / "w").glob("*.parquet"))
