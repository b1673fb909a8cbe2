"""Numbers are written in few digits."""

from __future__ import annotations

import pytest

from winit.report import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [(float("nan"), "–"), (float("inf"), "∞"), (0.0, "0"), (-0.5, "−0.5"), (1234.6, "1.23e+03"), (2.5e-7, "2.5·10⁻⁷")],
)
def test_numbers_in_tables(value, text):
    assert wording.number(value) == text
