"""Tables are checked against the schema and read back unchanged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from winit.store import files


def test_a_table_must_match_its_declaration(tmp_path):
    frame = pd.DataFrame({"initializer": ["a"], "pretraining": [""], "activation": ["b"]})
    with pytest.raises(ValueError, match="table not_applicable has columns that differ from its declaration: reason"):
        files.write(tmp_path, "not_applicable", frame)
    with pytest.raises(ValueError, match=r"no table at .*; run the study first"):
        files.read(tmp_path, "runs")


def test_tables_come_back_as_they_were_written(tmp_path):
    frame = pd.DataFrame({"initializer": ["kumar"], "pretraining": [""], "activation": ["relu"], "reason": ['ü, "x"']})
    files.write(tmp_path, "not_applicable", frame)
    pd.testing.assert_frame_equal(files.read(tmp_path, "not_applicable"), files.conform("not_applicable", frame))
    assert pd.read_csv(tmp_path / "not_applicable.csv")["reason"].tolist() == ['ü, "x"']


def rows(name: str, probability: list[float]) -> pa.Table:
    return pa.table(
        {
            "prediction": [3] * len(probability),
            "run_id": [name] * len(probability),
            "example": range(len(probability)),
            "probability": probability,
        }
    )


def test_a_stream_comes_back_as_a_table_that_was_written_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "GROUP", 3)
    parts = [rows("a", [0.5, 0.25]), rows("b", [1.0, np.nan]), rows("c", []), rows("d", [0.75])]
    with files.stream(tmp_path, "predictions") as stream:
        for part in parts:
            stream.add(part)
        assert not (tmp_path / "predictions.parquet").exists(), "it appears when it is complete"
    whole = files.conform("predictions", pd.concat([part.to_pandas() for part in parts]))
    pd.testing.assert_frame_equal(files.read(tmp_path, "predictions"), whole)
    files.write(tmp_path / "at once", "predictions", whole)
    pd.testing.assert_frame_equal(files.read(tmp_path / "at once", "predictions"), whole)


def test_a_stream_without_rows_is_an_empty_table(tmp_path):
    with files.stream(tmp_path, "histograms"):
        pass
    frame = files.read(tmp_path, "histograms", ["run_id", "h_count"])
    assert frame.empty and list(frame) == ["run_id", "h_count"] and frame["h_count"].dtype == "int64"


def test_a_stream_that_ends_early_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), files.stream(tmp_path, "predictions") as stream:
        stream.add(rows("a", [0.5]))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_stream_removes_what_a_killed_one_has_left(tmp_path):
    for name in (".predictions.parquet.1.tmp", ".replay.parquet.1.tmp"):
        (tmp_path / name).write_bytes(b"half")
    with files.stream(tmp_path, "predictions") as stream:
        stream.add(rows("a", [0.5]))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".replay.parquet.1.tmp", "predictions.parquet"]


def test_columns_and_rows_are_chosen_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "GROUP", 2)
    with files.stream(tmp_path, "predictions") as stream:
        for name in "abc":
            stream.add(rows(name, [0.1, 0.9]))
    lengths = []

    def likely(part: pd.DataFrame) -> pd.DataFrame:
        lengths.append(len(part))
        return part[part["probability"] > 0.5]

    frame = files.read(tmp_path, "predictions", ["run_id", "probability"], likely)
    assert frame["run_id"].tolist() == ["a", "b", "c"] and list(frame) == ["run_id", "probability"]
    assert lengths == [2, 2, 2] and frame.index.tolist() == [0, 1, 2]


def test_run_ids_are_categories_in_the_order_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "GROUP", 2)
    with files.stream(tmp_path, "predictions") as stream:
        for name in "bca":
            stream.add(rows(name, [0.1, 0.9]))
    for ids in (["a", "b", "c"], ["c", "a", "b", "d"]):
        column = files.read(tmp_path, "predictions", run_ids=pd.Index(ids))["run_id"]
        assert column.cat.categories.tolist() == ids
        assert column.tolist() == ["b", "b", "c", "c", "a", "a"]
