"""Defects of drawn weights."""

from __future__ import annotations

import numpy as np
import pytest

from winit import schemes
from winit.schemes.degeneracy import defects, is_degenerate

NORMAL = np.random.default_rng(0).standard_normal((6, 6))


@pytest.mark.parametrize(
    ("weights", "phrases", "expected"),
    [
        (NORMAL, "", False),
        (np.zeros((3, 5)), "all weights are 0", True),
        (np.full((3, 5), 0.1), "5 of 5 units are equal to another; rank 1 of 3", True),
        (np.hstack([NORMAL, NORMAL[:, :2]]), "4 of 8 units are equal to another", True),
        (np.hstack([NORMAL[:, :2], -NORMAL[:, :1]]), "2 of 3 units are the negative of another; rank 2 of 3", False),
        (np.hstack([NORMAL, 1e-14 * NORMAL[:, :1]]), "1 of 7 units have weights of 0", False),
        (NORMAL[:, :1] * NORMAL[:1], "rank 1 of 6", True),
        (NORMAL[:1], "", False),
        (1e-300 * NORMAL, "", False),
    ],
)
def test_defects(weights, phrases, expected):
    assert defects(weights) == phrases
    assert is_degenerate(weights) == expected


def test_the_card_lists_them():
    assert schemes.card("zeros").defects == "all weights are 0"
    assert ("of 64 × 64 weights", "all weights are 0") in schemes.lines(schemes.card("zeros"))
    assert schemes.card("he_normal").defects == ""


def test_layers_of_a_network():
    assert schemes.degenerate_layers("scaled_ws", "relu", [2, 8, 8, 3]) == {
        1: "8 of 8 units are equal to another; 8 of 8 units are the negative of another; rank 1 of 2"
    }
    assert schemes.degenerate_layers("constant:1", "relu", [2, 8, 8, 3]) == {}  # intended
    assert schemes.degenerate_layers("he_normal+last_layer_zero", "relu", [2, 8, 8, 3]) == {}  # intended
    assert schemes.degenerate_layers("scaled_ws", "relu", [1, 8, 8, 3]) == {1: "all weights are 0"}
