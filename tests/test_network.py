"""The stack against torch's own networks and optimizers, and its independence of how networks are stacked."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from winit.activations import ACTIVATIONS
from winit.memory import align
from winit.network import Stack, make_optimizer

MODULES = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU, "identity": nn.Identity}
OPTIMIZERS = {
    "sgd": lambda p, lr: torch.optim.SGD(p, lr),
    "momentum": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9),
    "adam": lambda p, lr: torch.optim.Adam(p, lr),
}
WIDTHS, BATCH, K = [7, 5, 9, 5, 3], 6, 3  # unequal widths and an odd batch, so that a transposition shows


def make(dtype=torch.float64, k: int = K, widths=WIDTHS, seed: int = 0):
    """Return weights, biases and rates of k networks."""
    generator = torch.Generator().manual_seed(seed)
    shapes = list(pairwise(widths))
    weights = [torch.randn(k, a, b, generator=generator, dtype=dtype) / a**0.5 for a, b in shapes]
    biases = [0.1 * torch.randn(k, 1, b, generator=generator, dtype=dtype) for _, b in shapes]
    rates = torch.linspace(0.01, 0.3, k, dtype=dtype).reshape(k, 1, 1)
    return weights, biases, rates


def batches(steps: int, k: int = K, dtype=torch.float64, widths=WIDTHS, size: int = BATCH):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(steps, k, size, widths[0], generator=generator, dtype=dtype)
    y = torch.randint(0, widths[-1], (steps, k, size), generator=generator)
    return x, y


def train(weights, biases, rates, x, y, activation: str, name: str) -> Stack:
    stack = Stack([w.clone() for w in weights], [b.clone() for b in biases], activation, name, rates, x.shape[2])
    for xb, yb in zip(x, y, strict=True):
        xb = align(xb)
        stack.forward(xb)
        stack.backward(xb, yb)
    return stack


def single(weights, biases, k: int, activation: str) -> nn.Sequential:
    layers = []
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        linear = nn.Linear(w.shape[1], w.shape[2], dtype=w.dtype)
        with torch.no_grad():
            linear.weight.copy_(w[k].T)
            linear.bias.copy_(b[k, 0])
        layers += [linear, MODULES[activation]()] if i < len(weights) - 1 else [linear]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_stack_is_k_networks_of_torch(name, activation):
    weights, biases, rates = make()
    x, y = batches(steps=8)
    stack = train(weights, biases, rates, x, y, activation, name)
    for k in range(K):
        model = single(weights, biases, k, activation)
        reference = OPTIMIZERS[name](model.parameters(), rates[k].item())
        for xb, yb in zip(x[:, k], y[:, k], strict=True):
            reference.zero_grad()
            nn.functional.cross_entropy(model(xb), yb).backward()
            reference.step()
        linears = [m for m in model if isinstance(m, nn.Linear)]
        for i, linear in enumerate(linears):
            # Relative to the update: weights hardly move in a few steps, and would hide a wrong kernel.
            for ours, theirs, start in (
                (stack.weights[i][k], linear.weight.detach().T, weights[i][k]),
                (stack.biases[i][k, 0], linear.bias.detach(), biases[i][k, 0]),
            ):
                moved = (theirs - start).norm()
                assert moved > 0
                assert (ours - theirs).norm() / moved < 1e-9, (name, activation, k, i)


# Shapes of odd sizes: there a product's rounding depends on the alignment of its operands, if nothing is done about it.
SHAPES = [
    ([64, 50, 50, 10], 6),
    ([64, 12, 12, 10], 359),
    ([7, 33, 1, 29, 3], 31),
    ([2, 101, 57, 13], 129),
    ([784, 100, 10], 1),
]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize(("widths", "size"), SHAPES)
def test_bits_do_not_depend_on_the_stack(name, activation, widths, size):
    weights, biases, rates = make(torch.float32, k=13, widths=widths)
    x, y = batches(5, k=13, dtype=torch.float32, widths=widths, size=size)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        together = train(weights, biases, rates, x, y, activation, name)
        for chosen in ([0], [12], [3, 7], [5, 4, 3, 2, 1], list(range(12))):
            apart = train(
                [w[chosen] for w in weights], [b[chosen] for b in biases], rates[chosen], x[:, chosen], y[:, chosen],
                activation, name,
            )  # fmt: skip
            for ours, theirs in zip(apart.parameters, together.parameters, strict=True):
                assert torch.equal(ours, theirs[chosen]), chosen
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_diverging_neighbour_changes_nothing(name):
    weights, biases, rates = make(torch.float32)
    x, y = batches(10, dtype=torch.float32)
    calm = train(weights, biases, rates, x, y, "relu", name)
    weights[1][1, 0, 0] = float("nan")
    disturbed = train(weights, biases, rates, x, y, "relu", name)
    assert not torch.isfinite(disturbed.weights[0][1]).all()
    for ours, theirs in zip(disturbed.parameters, calm.parameters, strict=True):
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_dropping_networks_keeps_the_others_on_course(name):
    weights, biases, rates = make(torch.float32)
    x, y = batches(10, dtype=torch.float32)
    whole = train(weights, biases, rates, x, y, "tanh", name)
    stack = Stack([w.clone() for w in weights], [b.clone() for b in biases], "tanh", name, rates, BATCH)
    kept = torch.tensor([0, 2])
    for t in range(10):
        if t == 4:
            stack.keep(kept)
        xb, yb = (align(x[t]), y[t]) if t < 4 else (align(x[t, kept]), y[t, kept])
        stack.forward(xb)
        stack.backward(xb, yb)
    assert stack.size == 2
    for ours, theirs in zip(stack.parameters, whole.parameters, strict=True):
        assert torch.equal(ours, theirs[kept])


def test_predict_is_the_forward_pass():
    weights, biases, rates = make()
    stack = Stack(weights, biases, "tanh", "sgd", rates, BATCH)
    x = torch.randn(11, WIDTHS[0], dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for k in range(K):
        torch.testing.assert_close(stack.predict(x)[k], single(weights, biases, k, "tanh")(x).detach())


def test_the_first_non_finite_layer_is_found():
    weights, biases, rates = make()
    weights[2][1] = float("inf")
    stack = Stack(weights, biases, "tanh", "sgd", rates, BATCH)
    x = torch.ones(BATCH, WIDTHS[0], dtype=torch.float64)
    assert stack.first_non_finite_layer(1, x) == 3
    assert stack.first_non_finite_layer(0, x) == 4  # nothing to be found: the output


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="unknown optimizer 'sdg'"):
        make_optimizer("sdg", [], torch.ones(1, 1, 1), 0.9)
