"""Schemes whose weights have a mean."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from tests.schemes.networks import drawn, gradients, layer, pre_activations
from winit import schemes


def test_rai_replaces_one_entry_of_each_unit():
    """Of a unit's weights and bias one is Beta(2, 1), of mean 2/3 and variance 1/18; the others have σ = 0.6007/√n."""
    n, m = 2500, 4000
    w, b = schemes.draw("rai", layer(n, m))
    entries = np.vstack([w, b])
    replaced = entries.max(axis=0)  # normal entries are below 0.06
    others = entries[entries < 0.07]
    assert others.std() == pytest.approx(0.6007 / sqrt(n), rel=1e-3)
    assert abs(others.mean()) < 4 * others.std() / sqrt(others.size) + 1e-6
    assert ((entries > 0.1).sum(axis=0) <= 1).all()
    assert replaced.mean() == pytest.approx(2 / 3, abs=4 * sqrt(1 / 18 / m))
    assert replaced.var() == pytest.approx(1 / 18, rel=0.1)


def test_rai_replaces_biases_too():
    """With one input, half of the replaced entries are biases: the mean of each is 2/3 in half of the cases."""
    w, b = schemes.draw("rai", layer(1, 20_000))
    assert b.mean() == pytest.approx(1 / 3, abs=0.02) and w.mean() == pytest.approx(1 / 3, abs=0.02)


def test_rai_networks_of_two_units_a_layer_live():
    """Ten layers of two ReLUs: a network is dead where no input moves its output."""
    x = np.random.default_rng(0).standard_normal((50, 2))

    def dead(name: str) -> float:
        outputs = [pre_activations(drawn(name, "relu", [2] * 12, seed), "relu", x)[-1] for seed in range(300)]
        return float(np.mean([np.ptp(z, axis=0).max() < 1e-12 for z in outputs]))

    assert dead("he_normal") > 0.7
    assert dead("rai") < dead("he_normal") - 0.25


@pytest.mark.parametrize(("n", "mean"), [(64, -8 / 64), (4, -1.0)])
def test_negative_mean(n, mean):
    w, b = schemes.draw("negative_mean:8/0.1", layer(n, 40_000, "sigmoid"))
    assert w.mean() == pytest.approx(mean, abs=4 * 0.1 / sqrt(w.size)) and not b.any()
    assert w.std() == pytest.approx(0.1, rel=0.01)
    assert schemes.why_not_applicable("negative_mean:8/0.1", "tanh").startswith("a negative mean is a rule for sigmoid")


def test_a_negative_mean_keeps_gradients_of_sigmoid_networks():
    """Over ten layers they shrink by 10^1.2 in mean square, and by 10^4.3 from Kumar's weights, for errors that sum to 0."""

    def shrinkage(name: str) -> float:
        x, error = np.random.default_rng(0).standard_normal((2, 50, 64))
        error -= error.mean(axis=1, keepdims=True)
        logs = []
        for seed in range(10):
            layers = drawn(name, "sigmoid", [64] * 12, seed)
            zs = pre_activations(layers, "sigmoid", x)
            deltas = gradients(layers, "sigmoid", zs, error)
            logs.append(np.log10(np.square(deltas[0]).mean() / np.square(deltas[9]).mean()))
        return float(np.mean(logs))

    assert shrinkage("negative_mean:8/0.1") == pytest.approx(-1.2, abs=0.5)
    assert shrinkage("kumar") == pytest.approx(-4.3, abs=0.6)
