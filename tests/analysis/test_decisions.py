"""The rule of verdicts: success first, then scores, and no verdict that contradicts its interval."""

from __future__ import annotations

import numpy as np
import pytest

from winit.analysis.decisions import FEWEST_DECIDED, SUCCESS_MARGIN, decide
from winit.analysis.stats import Difference

UNKNOWN = Difference(0.0, np.nan, np.nan)
SAME, UNSURE = Difference(0.0, -0.05, 0.05), Difference(0.0, -0.2, 0.05)
CASES = {
    "more train": (10, Difference(0.2, 0.1, 0.3), Difference(-0.1, -0.2, -0.05), "better", "success"),
    "fewer train": (10, Difference(-0.2, -0.3, -0.1), Difference(0.1, 0.05, 0.2), "worse", "success"),
    "a small sure gain in success": (10, Difference(0.02, 0.01, 0.03), SAME, "better", "success"),
    "success is not known well": (10, UNSURE, Difference(0.05, 0.04, 0.06), "undecided", "success"),
    "higher scores": (10, SAME, Difference(0.05, 0.02, 0.08), "better", "score"),
    "lower scores": (10, SAME, Difference(-0.05, -0.08, -0.02), "worse", "score"),
    "scores within the margin": (10, SAME, Difference(0.0, -0.008, 0.009), "equivalent", "score"),
    "scores across the margin": (10, SAME, Difference(0.0, -0.02, 0.009), "undecided", "score"),
    "nothing trains": (10, SAME, UNKNOWN, "undecided", "too few pairs train"),
    "the choice is not known": (10, UNKNOWN, SAME, "undecided", "the uncertainty from choosing the rate is unknown"),
    "too few": (FEWEST_DECIDED - 1, Difference(1.0, 0.9, 1.0), SAME, "undecided", "fewer than 5 replicates"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_rule(name):
    pairs, success, score, verdict, reason = CASES[name]
    assert decide(pairs, success, score, 0.01) == (verdict, reason)


def test_scores_decide_where_success_is_alike_in_every_pair():
    score = Difference(0.05, 0.02, 0.08)
    assert decide(10, UNSURE, score, 0.01) == ("undecided", "success")
    assert decide(10, UNSURE, score, 0.01, is_alike=True) == ("better", "score")
    assert decide(FEWEST_DECIDED - 1, UNSURE, score, 0.01, is_alike=True)[0] == "undecided"


def test_no_verdict_contradicts_an_interval():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        success, score = (Difference(m, m - abs(w), m + abs(w)) for m, w in rng.normal(0, 0.05, (2, 2)))
        verdict, reason = decide(10, success, score, 0.03)
        by = success if reason == "success" else score
        assert (verdict != "better" or by.low > 0) and (verdict != "worse" or by.high < 0)
        if verdict == "equivalent":
            assert success.low >= -SUCCESS_MARGIN and success.high <= SUCCESS_MARGIN and abs(score.mean) <= 0.03
