"""Initializers that draw the same weights."""

from __future__ import annotations

import numpy as np
import pytest

from tests.runs import runs_of
from winit import schemes
from winit.schemes import Layer
from winit.study.compose import compose

WIDTHS = [64, 32, 32, 10]


@pytest.mark.parametrize(
    ("names", "activation", "repeats"),
    [
        (["lecun_normal", "kumar"], "tanh", {"kumar": "lecun_normal"}),  # φ′(0) = 1
        (["kumar", "lecun_normal"], "tanh", {"lecun_normal": "kumar"}),  # the first one stays
        (["lecun_normal", "kumar"], "sigmoid", {}),
        (["lecun_normal", "glorot_normal", "he_normal", "lecun_uniform"], "tanh", {}),
        (["zeros", "constant:0"], "relu", {"constant:0": "zeros"}),
        (["he_normal", "he_normal+lsuv"], "relu", {}),
        (["lecun_normal+lsuv", "kumar+lsuv"], "tanh", {"kumar+lsuv": "lecun_normal+lsuv"}),
    ],
)
def test_equal_draws_are_found(names, activation, repeats):
    assert schemes.same_draws(names, activation, WIDTHS) == repeats


def test_equal_draws_are_equal_weights():
    def weights(name: str) -> np.ndarray:
        return schemes.draw(name, Layer(64, 32, "tanh", np.random.default_rng(5), 1, 2))[0]

    np.testing.assert_allclose(weights("kumar"), weights("lecun_normal"), rtol=1e-6)


def test_equal_initializers_are_trained_once_and_reported(tiny):
    study = tiny("grid.initializer=[lecun_normal,kumar]", "grid.activation=[sigmoid,tanh]")
    trained = {w.activation: {run.initializer for run in runs_of(w)} for w in study.workloads}
    assert trained == {"sigmoid": {"lecun_normal", "kumar"}, "tanh": {"lecun_normal"}}
    [(initializer, _, activation, reason)] = study.not_applicable
    assert (initializer, activation) == ("kumar", "tanh")
    assert "the same weights as lecun_normal" in reason


def test_every_study_composes_with_its_own_arms():
    assert any("trained only once" in reason for *_, reason in compose([]).not_applicable)
