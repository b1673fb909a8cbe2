"""The one rule by which an arm is called better, worse or equivalent, and what it takes to decide anything."""

from __future__ import annotations

import numpy as np

from winit.analysis.stats import Difference, verdict

# With fewer pairs nothing is decided: of four pairs even 4 to 0 has a probability of 1/16 without any difference.
FEWEST_DECIDED = 5
# Two arms train as often as each other if an interval that contains 0 stays within one run in ten.
SUCCESS_MARGIN = 0.1

UNDECIDED = "undecided"
UNKNOWN_CHOICE = "the noise of the choice of rate is not known"


def decide(
    pairs: int, success: Difference, score: Difference, margin: float, is_alike: bool = False
) -> tuple[str, str]:
    """Return the verdict on a comparison and what decided it, by the two intervals that are printed beside it.

    Success comes first. If its interval lies on one side of 0, that is the verdict. If it contains 0 and lies within
    ±SUCCESS_MARGIN, both train as often, and the scores of the runs that train decide: equivalent within ±margin, else
    better or worse on one side of 0. The scores also decide where success is alike in every pair: the interval of ten
    pairs of a single cell is too wide to lie within ±SUCCESS_MARGIN. Everything else is undecided.

    Args:
        pairs: of replicates in a cell.
        success: the difference in the share of successes, with its simultaneous interval.
        score: the difference in score among pairs in which both runs train, likewise.
        margin: within which scores are equivalent.
        is_alike: whether in each pair both runs train or neither does.

    Returns:
        better, worse, equivalent or undecided; and the reason.
    """
    if pairs < FEWEST_DECIDED:
        return UNDECIDED, f"fewer than {FEWEST_DECIDED} replicates"
    if not np.isfinite([success.low, success.high]).all():
        return UNDECIDED, UNKNOWN_CHOICE
    if success.low > 0 or success.high < 0:
        return ("better" if success.low > 0 else "worse"), "success"
    if not is_alike and (success.low < -SUCCESS_MARGIN or success.high > SUCCESS_MARGIN):
        return UNDECIDED, "success"
    if not np.isfinite([score.low, score.high]).all():
        return UNDECIDED, "too few pairs train"
    return verdict(score.low, score.high, margin), "score"
