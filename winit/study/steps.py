"""Steps at which runs are measured."""

from __future__ import annotations


def log_spaced(last: int, points: int) -> list[int]:
    """Return at most `points` steps from 0 to `last`, evenly spaced on a log scale, both ends included.

    Return every step if there are at least as many points, and no steps for 0 points.
    """
    if points > last or not points:
        return list(range(last + 1)) if points else []
    ratio = [i / max(points - 2, 1) for i in range(points - 1)]
    return sorted({0, last} | {round(last**r) for r in ratio if points > 2})
