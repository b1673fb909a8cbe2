"""Activations on arrays against their derivatives, their stated properties, and the code on tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.conftest import ERF
from winit.engine.activations import activation_of
from winit.theory.activations import ACTIVATIONS
from winit.theory.maps import critical


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_functions_are_those_of_training(name):
    z = torch.linspace(-6, 6, 401, dtype=torch.float64) + 1e-3
    phi = activation_of(name)
    h = phi.phi(z)
    np.testing.assert_allclose(ACTIVATIONS[name].phi(z.numpy()), h.numpy(), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(
        ACTIVATIONS[name].dphi(z.numpy()), phi.dphi(z if phi.keeps_input else h).numpy(), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("phi", [*ACTIVATIONS.values(), ERF], ids=lambda phi: phi.name)
def test_value_and_slope_at_zero_are_those_of_the_function(phi):
    step = 1e-6
    left, at, right = (float(phi.phi(np.array([z]))[0]) for z in (-step, 0.0, step))
    assert at == pytest.approx(phi.value_at_0, abs=1e-12)
    slopes = (at - left) / step, (right - at) / step
    if phi.slope_at_0 is None:
        assert 0.0 in phi.kinks and abs(slopes[0] - slopes[1]) > 0.5
    else:
        assert slopes == pytest.approx((phi.slope_at_0,) * 2, abs=1e-5)
        assert float(phi.dphi(np.zeros(1))[0]) == pytest.approx(phi.slope_at_0)


@pytest.mark.parametrize("phi", ACTIVATIONS.values(), ids=lambda phi: phi.name)
def test_saturating_activations_are_flat_on_both_sides_and_state_their_largest_slope(phi):
    slopes = np.abs(phi.dphi(np.linspace(-50, 50, 100_001)))
    is_flat = max(slopes[0], slopes[-1]) < 1e-3 * slopes.max()
    assert (phi.steepest is not None) == is_flat
    if is_flat:
        assert slopes.max() == pytest.approx(phi.steepest, rel=1e-6)


@pytest.mark.parametrize("phi", [*ACTIVATIONS.values(), ERF], ids=lambda phi: phi.name)
def test_the_critical_line_agrees_with_the_activation(phi):
    for bias_variance in (1e-3, 0.05, 1.0):
        assert bool(critical(phi, bias_variance)) == phi.has_critical_line
