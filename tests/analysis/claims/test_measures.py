"""Formatting of measures, and their parameters."""

from __future__ import annotations

import numpy as np
import pytest

from winit.analysis.claims.measures import MEASURES
from winit.analysis.claims.reading import PARAMETERS


@pytest.mark.parametrize(
    ("measure", "values", "written", "threshold"),
    [
        ("success", (0.25,), "25 %", "25 %"),
        ("accuracy_gain", (-0.012, 0.01), "−1.2 to +1.0 points", "−1.2 points"),
        ("accuracy_spread", (0.01,), "+1.0 points", "1 point"),
        ("accuracy_spread", (-0.01,), "−1.0 points", "−1 point"),
        ("activation_factor", (-np.inf, 1), "−∞ to +1.00 decades", None),
        ("speed", (1234.0,), "1.23e+03", "1234"),
        ("disagreement", (0.0123,), "1.2 %", "1.23 %"),
    ],
)
def test_numbers_are_written_with_their_unit(measure, values, written, threshold):
    assert MEASURES[measure].write(*values) == written
    assert threshold is None or MEASURES[measure].threshold(values[0]) == threshold  # no condition is infinite


@pytest.mark.parametrize("name", MEASURES)
def test_parameters_can_be_read(name):
    takes = MEASURES[name].takes
    assert set(takes) <= set(PARAMETERS) and len(set(takes)) == len(takes)


def test_measures_at_budgets_may_name_one():
    named = {name for name, measure in MEASURES.items() if "budget" in measure.takes}
    assert {"success", "best_success", "success_difference", "accuracy_gain", "speed", "success_spread"} <= named
    assert not {"activation_factor", "saturated_share", "distinct_units", "disagreement"} & named
