"""Tables are checked against the schema and come back as they were written."""

from __future__ import annotations

import pandas as pd
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
