"""φ against torch's own function, φ′ against autograd, and the catalogue's facts about both."""

from __future__ import annotations

import pytest
import torch

from winit.engine.activations import TENSOR_ACTIVATIONS
from winit.theory.activations import ACTIVATIONS

F = torch.nn.functional
REFERENCE = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda z: z,
    "leaky_relu": F.leaky_relu,
    "leaky_relu_0.2": lambda z: F.leaky_relu(z, 0.2),
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "lecun_tanh": lambda z: 1.7159 * torch.tanh(2 / 3 * z),
    "softsign": F.softsign,
}


@pytest.mark.parametrize("name", TENSOR_ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_derivative(name, dtype):
    z = torch.linspace(-8, 8, 101, dtype=dtype).reshape(1, 101).requires_grad_()  # 0 is on the grid
    expected = REFERENCE[name](z)
    phi = TENSOR_ACTIVATIONS[name]
    h = phi.phi(z.detach())
    torch.testing.assert_close(h, expected.detach())
    (slope,) = torch.autograd.grad(expected.sum(), z)
    torch.testing.assert_close(phi.dphi(z.detach() if phi.keeps_input else h), slope)


@pytest.mark.parametrize("name", TENSOR_ACTIVATIONS)
def test_the_plain_function_is_the_same_and_has_three_derivatives(name):
    z = torch.linspace(-4, 4, 33, dtype=torch.float64).requires_grad_()
    function = TENSOR_ACTIVATIONS[name].function
    torch.testing.assert_close(function(z), REFERENCE[name](z))
    first, points = (1.3 * function(z)).square().sum(), z
    for _ in range(3):
        (slope,) = torch.autograd.grad(first, points, create_graph=True)
        first = slope.square().sum()
    assert torch.isfinite(slope).all()


@pytest.mark.parametrize("name", TENSOR_ACTIVATIONS)
def test_chain_multiplies_in_place(name):
    z, phi = torch.tensor([[-1.0, 0.5, 2.0]]), TENSOR_ACTIVATIONS[name]
    kept = z if phi.keeps_input else phi.phi(z)
    grad = torch.tensor([[2.0, 3.0, 4.0]])
    expected = grad * phi.dphi(kept)
    phi.chain_(grad, kept)
    torch.testing.assert_close(grad, expected)


@pytest.mark.parametrize("name", TENSOR_ACTIVATIONS)
def test_catalogued_value_and_slope_at_zero(name):
    facts, phi = ACTIVATIONS[name], REFERENCE[name]
    step = 1e-6
    left, at, right = (phi(torch.tensor(x, dtype=torch.float64)).item() for x in (-step, 0.0, step))
    assert at == pytest.approx(facts.value_at_0, abs=1e-12)
    slopes = (at - left) / step, (right - at) / step
    if facts.slope_at_0 is None:
        assert abs(slopes[0] - slopes[1]) > 0.5  # a kink
    else:
        assert slopes == pytest.approx((facts.slope_at_0,) * 2, abs=1e-5)


def test_non_finite_inputs_are_not_swallowed():
    for name in TENSOR_ACTIVATIONS:
        assert torch.isnan(TENSOR_ACTIVATIONS[name].phi(torch.tensor([[float("nan")]]))).all(), name
