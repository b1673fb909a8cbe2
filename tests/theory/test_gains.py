"""Gains of activations and the card that prints them."""

from __future__ import annotations

import json

import pytest

from winit.theory.gains import CARD_LINES, activation_card
from winit.tools.gain import gain


# Kumar 2017: the gain 1/√(φ′(0)²(1 + φ(0)²))
@pytest.mark.parametrize(
    ("name", "kumar"),
    [("sigmoid", 3.578), ("tanh", 1), ("relu", None), ("gelu", 2), ("softplus", 1.644), ("selu", None)],
)
def test_the_card_of_an_activation(name, kumar):
    facts = activation_card(name)
    assert facts["kumar_gain"] == (kumar and pytest.approx(kumar, abs=1e-3))
    assert set(CARD_LINES) == set(facts)
    assert len(gain(name).critical) == (0 if name in ("relu", "softplus") else 3)


# Homogeneous activations are leaky ReLUs of some slope.
@pytest.mark.parametrize("name", ["relu", "identity", "leaky_relu", "leaky_relu_0.2"])
def test_torch_s_gain_of_a_homogeneous_activation_keeps_lengths(name):
    assert gain(name).torch_gain == pytest.approx(gain(name).any_length ** 0.5, rel=1e-12)


def test_winit_gain_prints_it(capsys):

    from winit.cli import main

    for arguments, expected in (
        (["gain", "gelu"], "refuses"),
        (["gain", "tanh"], "1.66666"),
        (["gain", "leaky_relu_0.2"], "1.386750"),
        (["gain", "softplus"], "critical with independent biases: none"),
        (
            ["gain", "softplus"],
            "as every activation: n·Var(w) = 3.4086, b = -0.95393 Σ w, q* = 1, slope of the length map 0.873",
        ),
        (["gain", "relu"], "σ_w² = 2, every q is a fixed point; no depth limit"),
    ):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 0 and expected in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["gain", "gelu", "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert facts["forward_gain"] == pytest.approx(1.534, abs=1e-3) and facts["torch_gain"] is None
    with pytest.raises(SystemExit) as end:
        main(["gain", "gelo"])
    assert end.value.code == 2 and "did you mean 'gelu'?" in capsys.readouterr().err
