"""Error messages for unknown names: short lists are printed completely, long ones only with the most similar names."""

from __future__ import annotations

import pytest

from winit.vocabulary.errors import LONGEST_LIST, sentence_of, unknown_name

KEYS = [f"grid.{name}" for name in ("depth", "width", "dropout")] + [f"key{i:02}" for i in range(LONGEST_LIST)]


def test_a_short_list_is_printed_whole():
    assert (
        unknown_name("animal", "catt", ["cat", "dog"])
        == "unknown animal 'catt'; did you mean 'cat'? choose from cat, dog"
    )
    assert unknown_name("animal", "xyz", ["cat", "dog"]) == "unknown animal 'xyz'; choose from cat, dog"


def test_of_a_long_list_the_three_nearest_are_named():
    sentence = unknown_name("key", "grid.dept", KEYS, "README.md")
    assert (
        sentence
        == "unknown key 'grid.dept'; did you mean grid.depth, grid.dropout or grid.width? README.md lists all keys"
    )


def test_a_long_list_without_similar_names():
    assert unknown_name("key", "zzz", KEYS, "README.md") == "unknown key 'zzz'; README.md lists all keys"
    assert unknown_name("key", "zzz", KEYS) == (
        f"unknown key 'zzz'; choose from grid.depth, grid.width, grid.dropout, … ({len(KEYS)} in all)"
    )


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("depth: got\n'x'"), "depth: got 'x'"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(28, "No space left on device", "a/b"), "No space left on device: a/b"),
        (OSError("no network"), "no network"),
        (KeyError("loss"), "KeyError: 'loss'"),
    ],
)
def test_an_error_is_one_line(error, sentence):
    assert sentence_of(error) == sentence


def test_a_long_path_is_cut():
    assert len(sentence_of(OSError(36, "File name too long", "a" * 5000))) < 150
