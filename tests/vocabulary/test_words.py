"""Numbers with their nouns."""

import pytest

from winit.vocabulary.words import count


@pytest.mark.parametrize(("number", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (14460, "14,460 runs")])
def test_one_is_singular(number: int, text: str) -> None:
    assert count(number, "run") == text
