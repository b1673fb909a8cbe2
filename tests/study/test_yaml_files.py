"""The reader of YAML agrees with Hydra's, and written files are read back correctly by all readers."""

from __future__ import annotations

import math
import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omegaconf._utils import get_yaml_loader

from winit.study import yaml_files

UNICODE = st.text(st.characters(exclude_categories=["Cs"]))
ODD = ["1e5", "007", "2024_01", "1.10", "true", "no", "null", "~", "1_000", "0x10", "1:30",
       "2026-01-01", "", "=", "<<", " a ", "1e-3", "🙂"]  # fmt: skip


@given(st.text(string.digits + "eE+-._:xo", max_size=8) | st.sampled_from(["1e-3", "1e5", "2026-01-01", "007", "1_0"]))
def test_a_scalar_means_what_it_means_to_hydra(text):
    def read(load):
        try:
            return load(text)
        except (yaml.YAMLError, ValueError):
            return "an error"

    ours, theirs = read(yaml_files.parse), read(lambda text: yaml.load(text, Loader=get_yaml_loader()))
    assert type(ours) is type(theirs) and (ours == theirs or math.isnan(ours))


@given(UNICODE)
def test_text_comes_back_from_every_reader(text):
    tree = {"question": text, "list": [text]}
    written = yaml_files.dump(tree)
    assert yaml_files.parse(written) == yaml.safe_load(written) == yaml.full_load(written) == tree
    line = yaml_files.dump_line([text, "a=b"])
    assert line.isascii() and "\n" not in line
    assert yaml_files.parse(line) == yaml.load(line, Loader=yaml.BaseLoader) == [text, "a=b"]


@pytest.mark.parametrize("text", ODD)
def test_text_that_looks_like_something_else_is_quoted(text):
    written = yaml_files.dump({"name": text})
    assert yaml_files.parse(written) == yaml.safe_load(written) == yaml.full_load(written) == {"name": text}


@given(st.floats(allow_nan=False))
def test_numbers_come_back_from_every_reader(value):
    written = yaml_files.dump({"x": value})
    assert yaml_files.parse(written) == yaml.full_load(written) == {"x": value}


def test_keys_of_text_keep_what_is_written():
    parsed = yaml_files.parse("name: 2024_01\ndata: {dir: 007}\nx: 1e-3\ny: null", ["name", "data.dir", "y"])
    assert parsed == {"name": "2024_01", "data": {"dir": "007"}, "x": 0.001, "y": None}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: 1\na: 2\n", "the key 'a' is repeated in line 2"),
        (b"a: [1", "expected ',' or ']', but got '<stream end>' in line 1"),
        (b"\xff\xfe\x00", "byte 0 is not UTF-8"),
        (b"[" * 5000, "it is nested too deeply"),
    ],
)
def test_a_file_that_is_no_yaml_is_named(tmp_path, content, reason):
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(ValueError) as error:
        yaml_files.read(tmp_path / "x.yaml")
    assert str(error.value).endswith(f"x.yaml as YAML: {reason}") and "\n" not in str(error.value)


def test_a_path_that_cannot_be_read_is_named_and_shortened(tmp_path):
    with pytest.raises(ValueError, match=r"cannot read .*: is a directory"):
        yaml_files.read(tmp_path)
    with pytest.raises(ValueError, match=r"cannot read x+….*: file name too long") as error:
        yaml_files.read(tmp_path.relative_to(tmp_path) / ("x" * 5000))
    assert len(str(error.value)) < 160
