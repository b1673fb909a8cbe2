"""φ against torch's own function, φ′ against autograd; activations without fast code."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.conftest import ERF
from tests.runs import runs_of
from winit.engine.activations import TENSOR_ACTIVATIONS, activation_of
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


def test_every_activation_has_torch_code():
    assert set(TENSOR_ACTIVATIONS) <= set(ACTIVATIONS)
    for name in ACTIVATIONS:
        activation_of(name)


def test_an_activation_without_fast_code_is_trained_by_autograd(monkeypatch, tiny):
    """One object is enough: the theory, the schemes and the training know it by its name."""
    from winit.training.workload import train

    monkeypatch.setitem(ACTIVATIONS, "erf", ERF)
    z = torch.linspace(-3, 3, 25)
    torch.testing.assert_close(activation_of("erf").dphi(z), torch.from_numpy(ERF.dphi(z.numpy())), check_dtype=False)
    study = tiny("grid.activation=[tanh]", "grid.initializer=[he_normal,moment_matched,orthogonal:1+lsuv]")
    workload = replace(study.workloads[0], activation="erf")
    rows = [row for chunk in train(workload, runs_of(workload), torch.device("cpu")) for row in chunk]
    assert len(rows) == len(runs_of(workload))
    assert all(row["diverged_step"] is None for row in rows)


def test_an_activation_without_torch_code_is_refused(monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "erf", replace(ERF, torch=None))
    with pytest.raises(ValueError, match="activation 'erf' has no torch code; name a torch function in its `torch`"):
        activation_of("erf")


def test_non_finite_inputs_are_not_swallowed():
    for name in TENSOR_ACTIVATIONS:
        assert torch.isnan(TENSOR_ACTIVATIONS[name].phi(torch.tensor([[float("nan")]]))).all(), name
