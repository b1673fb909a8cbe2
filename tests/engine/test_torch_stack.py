"""The stack against torch's own networks and optimizers, and its independence of how networks are stacked."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.engine.networks import BATCH, SEEDS, WIDTHS, K, batches, build, make, single
from winit.engine.activations import TENSOR_ACTIVATIONS
from winit.engine.alignment import align
from winit.engine.optimizers import RULES, Optimizer
from winit.engine.torch_stack import TorchStack

OPTIMIZERS = {
    "sgd": lambda p, decay: torch.optim.SGD(p, 1.0, weight_decay=decay),
    "momentum": lambda p, decay: torch.optim.SGD(p, 1.0, momentum=0.9, weight_decay=decay),
    "nesterov": lambda p, decay: torch.optim.SGD(p, 1.0, momentum=0.9, weight_decay=decay, nesterov=True),
    "adam": lambda p, decay: torch.optim.Adam(p, 1.0, weight_decay=decay),
    "adamw": lambda p, decay: torch.optim.AdamW(p, 1.0, weight_decay=decay),
}
REGULARIZATION = {
    "plain": {},
    "batch_norm": {"batch_norm": True},
    "dropout": {"rate": 0.3},
    "both": {"batch_norm": True, "rate": 0.5},
}


def step(stack: TorchStack, x, y, rates) -> None:
    x = align(x)
    stack.forward(x)
    stack.backward(x, y, rates)


def train(weights, biases, x, y, rates, activation: str, optimizer: Optimizer, **regularization) -> TorchStack:
    stack = build(weights, biases, activation, optimizer, x.shape[2], **regularization)
    for xb, yb, r in zip(x, y, rates, strict=True):
        step(stack, xb, yb, r)
    return stack


def reference(weights, biases, x, y, rates, k, activation, name, decay, **regularization) -> nn.Sequential:
    model = single(weights, biases, k, activation, **regularization)
    optimizer = OPTIMIZERS[name](model.parameters(), decay)
    for xb, yb, rate in zip(x[:, k], y[:, k], rates[:, k], strict=True):
        optimizer.param_groups[0]["lr"] = rate.item()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(xb), yb).backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("regularization", REGULARIZATION)
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity", "silu", "wavy"])
def test_a_stack_is_k_networks_of_torch(name, activation, decay, regularization):
    options = REGULARIZATION[regularization]
    batch_norm = "batch_norm" in options
    weights, biases = make()
    x, y, rates = batches(steps=6)
    rates = rates / 10 if name.startswith("adam") else rates
    stack = train(weights, biases, x, y, rates, activation, Optimizer(name, 0.9, decay), **options)
    for k in range(K):
        model = reference(weights, biases, x, y, rates, k, activation, name, decay, **options)
        linears = [m for m in model if isinstance(m, nn.Linear)]
        pairs = []
        for i, linear in enumerate(linears):
            pairs.append((stack.weights[i][k], linear.weight.detach().T, weights[i][k]))
            # Before batch normalization a bias has no gradient but rounding errors, which Adam makes large.
            if not batch_norm or i == len(linears) - 1:
                pairs.append((stack.biases[i][k, 0], linear.bias.detach(), biases[i][k, 0]))
        norms = [m for m in model if isinstance(m, nn.BatchNorm1d)] or [None] * (len(linears) - 1)
        for i, (ours, theirs) in enumerate(zip(stack.norms, norms, strict=True)):
            if not batch_norm:
                assert ours is theirs is None
                continue
            if activation != "identity" or i == len(norms) - 1:  # else the next normalization takes β, too, out again
                pairs.append((ours.gamma[k, 0], theirs.weight.detach(), torch.ones(()).double()))
                pairs.append((ours.beta[k, 0], theirs.bias.detach(), torch.zeros(()).double()))
            torch.testing.assert_close(ours.variance[k, 0], theirs.running_var)
        for ours, theirs, start in pairs:
            # Relative to the update: weights hardly move in a few steps, and would hide a wrong kernel.
            moved = (theirs - start).norm()
            assert moved > 0
            assert (ours - theirs).norm() / moved < 1e-7, (k, tuple(theirs.shape))
        if not batch_norm or not name.startswith("adam"):
            probe = torch.randn(11, WIDTHS[0], dtype=torch.float64, generator=torch.Generator().manual_seed(2))
            torch.testing.assert_close(stack.predict(probe)[k], model.eval()(probe).detach())


class Loss(torch.autograd.Function):
    """The mean loss of a stack's networks, with the stack's own gradients: one step of SGD at rate 1 is −g."""

    @staticmethod
    def forward(ctx, x, y, activation, batch_norm, *parameters):
        half = len(WIDTHS) - 1
        stack = build(parameters[:half], parameters[half : 2 * half], activation, Optimizer(), BATCH, batch_norm)
        for norm, gamma, beta in zip(
            filter(None, stack.norms), parameters[2 * half :: 2], parameters[2 * half + 1 :: 2], strict=True
        ):
            norm.gamma, norm.beta = align(gamma.clone()), align(beta.clone())
        before = [p.clone() for p in stack.parameters]
        logits = stack.forward(align(x)).clone()
        stack.backward(align(x), y, torch.ones(len(y)).double())
        moved = [a - b for a, b in zip(before, stack.parameters, strict=True)]
        ctx.gradients = [*moved[0 : 2 * half : 2], *moved[1 : 2 * half : 2], *moved[2 * half :]]
        return nn.functional.cross_entropy(logits, y, reduction="none").mean(dim=1).sum()

    @staticmethod
    def backward(ctx, grad):
        return None, None, None, None, *(grad * g for g in ctx.gradients)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", [*TENSOR_ACTIVATIONS, "wavy"])
def test_gradients_pass_gradcheck(activation, batch_norm):
    # One network: the check takes two losses for every parameter. Others in the stack are the other tests' matter.
    weights, biases = make(k=1)
    x, y, _ = batches(steps=1, k=1)
    parameters = [p.requires_grad_() for p in [*weights, *biases]]
    if batch_norm:
        generator = torch.Generator().manual_seed(3)
        for width in WIDTHS[1:-1]:
            for middle in (1, 0):
                noise = torch.randn(1, 1, width, dtype=torch.float64, generator=generator)
                parameters.append((middle + 0.2 * noise).requires_grad_())
    assert torch.autograd.gradcheck(lambda *p: Loss.apply(x[0], y[0], activation, batch_norm, *p), parameters)


# Shapes of odd sizes: there a product's rounding depends on the alignment of its operands, if nothing is done about it.
SHAPES = [
    ([64, 50, 50, 10], 6),
    ([64, 12, 12, 10], 359),
    ([7, 33, 1, 29, 3], 31),
    ([2, 101, 57, 13], 129),
    ([784, 100, 10], 1),
]


def apart_is_together(widths, size, activation, optimizer, **regularization):
    weights, biases = make(torch.float32, k=13, widths=widths)
    x, y, rates = batches(5, k=13, dtype=torch.float32, widths=widths, size=size)
    together = train(weights, biases, x, y, rates, activation, optimizer, **regularization)
    for chosen in ([0], [12], [3, 7], [5, 4, 3, 2, 1], list(range(12))):
        apart = train(
            [w[chosen] for w in weights], [b[chosen] for b in biases], x[:, chosen], y[:, chosen], rates[:, chosen],
            activation, optimizer, seeds=[SEEDS[k] for k in chosen], **regularization,
        )  # fmt: skip
        for ours, theirs in zip(apart.parameters, together.parameters, strict=True):
            assert torch.equal(ours, theirs[chosen]), chosen


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "wavy"])
@pytest.mark.parametrize(("widths", "size"), SHAPES)
def test_bits_do_not_depend_on_the_stack(name, activation, widths, size):
    apart_is_together(widths, size, activation, Optimizer(name, 0.9, 0.01))


@pytest.mark.parametrize("activation", sorted(set(TENSOR_ACTIVATIONS) - {"sigmoid", "tanh", "relu"}))
def test_bits_do_not_depend_on_the_stack_with_any_activation(activation):
    for widths, size in SHAPES:
        apart_is_together(widths, size, activation, Optimizer())


@pytest.mark.parametrize("regularization", ["batch_norm", "dropout", "both"])
@pytest.mark.parametrize(("widths", "size"), SHAPES[:4])
def test_bits_of_regularized_networks_do_not_depend_on_the_stack(regularization, widths, size):
    for name in ("sgd", "adam"):
        apart_is_together(widths, size, "tanh", Optimizer(name), **REGULARIZATION[regularization])


@pytest.mark.parametrize("regularization", REGULARIZATION)
@pytest.mark.parametrize("name", RULES)
def test_a_diverging_neighbour_changes_nothing(name, regularization):
    weights, biases = make(torch.float32)
    x, y, rates = batches(10, dtype=torch.float32)
    run = x, y, rates, "relu", Optimizer(name)
    calm = train(weights, biases, *run, **REGULARIZATION[regularization])
    weights[1][1, 0, 0] = float("nan")
    disturbed = train(weights, biases, *run, **REGULARIZATION[regularization])
    assert not torch.isfinite(disturbed.weights[0][1]).all()
    for ours, theirs in zip(disturbed.parameters, calm.parameters, strict=True):
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])


@pytest.mark.parametrize("regularization", REGULARIZATION)
@pytest.mark.parametrize("name", RULES)
def test_dropping_networks_keeps_the_others_on_course(name, regularization):
    weights, biases = make(torch.float32)
    x, y, rates = batches(10, dtype=torch.float32)
    options = REGULARIZATION[regularization]
    whole = train(weights, biases, x, y, rates, "tanh", Optimizer(name), **options)
    stack = build(weights, biases, "tanh", Optimizer(name), BATCH, **options)
    kept = torch.tensor([0, 2])
    for t in range(10):
        if t == 4:
            stack.keep(kept)
        chosen = slice(None) if t < 4 else kept
        step(stack, x[t, chosen], y[t, chosen], rates[t, chosen])
    assert stack.size == 2
    for ours, theirs in zip(stack.parameters, whole.parameters, strict=True):
        assert torch.equal(ours, theirs[kept])


@pytest.mark.parametrize("activation", ["tanh", "wavy"])
def test_the_trace_is_what_autograd_measures(activation):
    weights, biases = make()
    generator = torch.Generator().manual_seed(4)
    x, y = torch.randn(50, WIDTHS[0], dtype=torch.float64, generator=generator), torch.arange(50) % 3
    order = torch.randint(0, 50, (4, K, BATCH), generator=generator)
    stack = build(weights, biases, activation, Optimizer(), BATCH)
    trace = stack.advance(x, y, order, torch.full((4, K), 0.1).double(), traced=True).trace
    assert trace.shape == (K, 4, len(weights), 4)
    for k in range(K):
        model = single(weights, biases, k, activation)
        h, outputs = x[order[0, k]], []
        zs = []
        for module in model:
            h = module(h)
            if isinstance(module, nn.Linear):
                h.retain_grad()
                zs.append(h)
                outputs.append(h)
            else:
                outputs[-1] = h
        nn.functional.cross_entropy(h, y[order[0, k]]).backward()
        linears = [m for m in model if isinstance(m, nn.Linear)]
        for layer, (z, out, linear) in enumerate(zip(zs, outputs, linears, strict=True)):
            gradient = torch.cat([linear.weight.grad.flatten(), linear.bias.grad])
            want = [out.mean(), out.square().mean(), (z.grad * BATCH).square().mean(), gradient.square().mean()]
            torch.testing.assert_close(trace[k, 0, layer], torch.stack(want).detach(), rtol=1e-9, atol=0)
