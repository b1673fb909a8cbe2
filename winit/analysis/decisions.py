"""The rule that calls an arm better, worse, equivalent or undecided, and the number of replicates that it needs."""

from __future__ import annotations

import numpy as np

from winit.analysis.stats import Difference, verdict

# With fewer pairs nothing is decided: even 4 to 0 in four pairs has a probability of 1/16 without any difference.
FEWEST_DECIDED = 5
# Two arms train equally often if the interval includes 0 and stays within one run in ten.
SUCCESS_MARGIN = 0.1

UNDECIDED = "undecided"
UNKNOWN_CHOICE = "the uncertainty from choosing the rate is unknown"


def decide(
    pairs: int, success: Difference, score: Difference, margin: float, is_alike: bool = False
) -> tuple[str, str]:
    """Return the verdict on a comparison and what decided it, by the two printed intervals.

    Success comes first. If its interval is on one side of 0, that is the verdict. If it includes 0 and is within
    ±SUCCESS_MARGIN, both train equally often, and the scores of the runs that train decide: equivalent within ±margin,
    otherwise better or worse on one side of 0. The scores also decide if success agrees in every pair, because the interval
    of ten pairs in a single cell is too wide to be within ±SUCCESS_MARGIN. Everything else is undecided.

    Args:
        pairs: number of pairs of replicates in a cell.
        success: the difference in the share of successes, with its simultaneous interval.
        score: the difference in score over pairs in which both runs train, with its simultaneous interval.
        margin: largest difference of scores that counts as equivalent.
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
