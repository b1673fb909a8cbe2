"""Scaled weight standardization."""

from __future__ import annotations

import numpy as np
import pytest

from tests.schemes.networks import drawn, layer, pre_activations
from winit import schemes
from winit.schemes.standardized import gain

# γ = 1/√Var φ(z) by quadrature; the published Monte-Carlo values agree with them to 1/1000.
EXACT = {
    "relu": 1.712859, "tanh": 1.592537, "sigmoid": 4.801313, "silu": 1.787187, "gelu": 1.700926, "softplus": 1.919126,
}  # fmt: skip


@pytest.mark.parametrize("activation", EXACT)
def test_gain(activation):
    assert gain(layer(8, 8, activation)) == pytest.approx(EXACT[activation], abs=1e-6)
    assert gain(layer(8, 8, activation, index=1)) == 1


@pytest.mark.parametrize("index", [1, 2, 4])
def test_every_unit_is_standardized_exactly(index):
    w, b = schemes.draw("scaled_ws", layer(30, 50, "silu", index=index))
    np.testing.assert_allclose(w.sum(axis=0), 0, atol=1e-12)
    size = 1.0 if index == 1 else EXACT["silu"] ** 2
    np.testing.assert_allclose(np.square(w).mean(axis=0), size / 30, rtol=1e-6)
    assert not b.any()


def test_a_unit_with_one_input_has_no_weight():
    w, _ = schemes.draw("scaled_ws", layer(1, 5))
    assert not w.any()


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_lengths_are_kept(activation):
    widths, x = [200, *[600] * 6, 10], np.random.default_rng(0).standard_normal((20, 200))
    zs = pre_activations(drawn("scaled_ws", activation, widths), activation, x)
    assert [float(np.square(z).mean()) for z in zs[:-1]] == pytest.approx([1] * 6, abs=0.15)
