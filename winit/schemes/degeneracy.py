"""Defects of drawn weights: low rank, equal units, units without input."""

from __future__ import annotations

from collections import Counter

import numpy as np

TOLERANCE = 1e-9  # relative to the largest weight, or singular value


def is_degenerate(weights: np.ndarray) -> bool:
    """Return whether all weights are 0, units are equal, or the rank is 1 in a layer with more inputs and units.

    Args:
        weights: (fan_in, fan_out).
    """
    units = _units(weights)
    if not units.any():
        return True
    longest = units[np.square(units).sum(axis=1).argmax()]
    rest = units - np.outer(units @ longest, longest) / (longest @ longest)
    return (min(weights.shape) > 1 and bool(np.abs(rest).max() < TOLERANCE)) or _twins(units)[0] > 0


def defects(weights: np.ndarray) -> str:
    """Return the defects of a layer's weights as phrases; "" for weights of full rank whose units differ.

    Defects are weights that are all 0, units whose weights are 0, units that are equal up to the sign, and a rank below the
    smaller fan.

    Args:
        weights: (fan_in, fan_out).
    """
    units = _units(weights)
    if not units.any():
        return "all weights are 0"
    equal, opposite = _twins(units)
    zero = len(units) - np.count_nonzero(np.abs(units).max(axis=1) >= TOLERANCE)
    counts = [(zero, "have weights of 0"), (equal, "are equal to another"), (opposite, "are the negative of another")]
    phrases = [f"{count} of {len(units)} units {what}" for count, what in counts if count]
    values, full = np.linalg.svd(units, compute_uv=False), min(weights.shape)
    rank = np.count_nonzero(values >= TOLERANCE * values[0])
    return "; ".join([*phrases, f"rank {rank} of {full}"] if rank < full else phrases)


def _units(weights: np.ndarray) -> np.ndarray:
    """Return the incoming weights of every unit (fan_out, fan_in), relative to the largest weight."""
    largest = float(np.abs(weights).max())
    return weights.T / largest if largest > 0 else np.zeros_like(weights.T)


def _twins(units: np.ndarray) -> tuple[int, int]:
    """Return how many units are equal to another one, and how many to the negative of another one; units of 0 are not counted."""
    rounded = np.round(units / (100 * TOLERANCE)) + 0.0  # −0 is 0
    rows = [row.tobytes() for row in rounded if row.any()]
    opposites = [(0.0 - row).tobytes() for row in rounded if row.any()]
    known = Counter(rows)
    return sum(known[row] > 1 for row in rows), sum(row in known for row in opposites)
