"""The kernel against torch in float64, and its bits on any vector width, chunk and split."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from winit.engine.engine import NetworkSpec
from winit.engine.kernel.stack import KernelStack
from winit.engine.optimizers import RULES, Optimizer
from winit.engine.torch_stack import TorchStack

STEPS = 6

# Widths from 1 up, odd and even, deep and shallow; batches of one and odd; outputs of 2 to 40; inner lengths in blocks.
SHAPES = [
    ([64, 50, 50, 50, 10], 32, "tanh"),
    ([7, 33, 33, 33, 3], 31, "relu"),
    ([2, 1, 1, 2], 1, "sigmoid"),
    ([30, 65, 40], 129, "identity"),
    ([3, 300, 300, 5], 17, "tanh"),
    ([600, 60, 60, 7], 64, "sigmoid"),
]


def make(widths, k=3, batch=8, seed=0):
    """Return weights, biases, data, mini-batches and rates, which differ between networks and steps."""
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(k, a, b, generator=generator) / a**0.5 for a, b in pairwise(widths)]
    biases = [0.1 * torch.randn(k, 1, b, generator=generator) for b in widths[1:]]
    x = torch.randn(200, widths[0], generator=generator)
    y = torch.randint(0, widths[-1], (200,), generator=generator)
    order = torch.randint(0, 200, (STEPS, k, batch), generator=generator)
    rates = torch.linspace(1, 3, k) * torch.linspace(1, 0.5, STEPS)[:, None]
    return weights, biases, x, y, order, rates


def rate_of(optimizer):
    return 0.001 if optimizer.name.startswith("adam") else 0.03


def trained(widths, batch, activation, optimizer, lanes=None, splits=(), chosen=(0, 1, 2), traced=False, seed=0):
    """Return the trained stack and the trace of its last part."""
    weights, biases, x, y, order, rates = make(widths, batch=batch, seed=seed)
    chosen = list(chosen)
    stack = KernelStack(
        [w[chosen] for w in weights],
        [b[chosen] for b in biases],
        NetworkSpec(activation, optimizer, batch),
        lanes=lanes,
    )
    rates = rates * rate_of(optimizer)
    for start, stop in pairwise([0, *splits, STEPS]):
        part = order[start:stop, chosen], rates[start:stop, chosen]
        lost, trace = stack.advance(stack.prepare(x), y, *part, traced)
        assert lost == {}
    return stack, trace


def compare(widths, batch, activation, optimizer, seed=0):
    """Compare the kernel with the torch engine in float64, relative to the update."""
    weights, biases, x, y, order, rates = make(widths, batch=batch, seed=seed)
    stack, trace = trained(widths, batch, activation, optimizer, traced=True, seed=seed)
    double = [[p.double() for p in parameters] for parameters in (weights, biases)]
    reference = TorchStack(*double, NetworkSpec(activation, optimizer, batch))
    rates = rates.double() * rate_of(optimizer)
    lost, expected = reference.advance(x.double(), y, order, rates, traced=True)
    assert lost == {}
    for ours, theirs, start in zip(
        [*stack.weights, *stack.biases], [*reference.weights, *reference.biases], [*weights, *biases], strict=True
    ):
        moved = (theirs - start).norm()
        assert moved > 0
        # A float32 weight of size 1 rounds by 6e-8 a step, and moves by some 1e-3.
        assert (ours - theirs).norm() / moved < 5e-4, (tuple(start.shape), optimizer)
    for name, got, want in zip(
        ("square", "delta", "gradient"), trace[..., 1:].unbind(-1), expected[..., 1:].unbind(-1), strict=True
    ):
        torch.testing.assert_close(got, want, rtol=2e-3, atol=1e-9, msg=lambda m, name=name: f"{name}: {m}")
    scale = expected[..., 1].sqrt()
    assert ((trace[..., 0] - expected[..., 0]).abs() / scale).max() < 1e-3


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("widths", "batch", "activation"), SHAPES)
def test_the_kernel_is_the_torch_engine(widths, batch, activation, name, decay):
    compare(widths, batch, activation, Optimizer(name, 0.9, decay))


@pytest.mark.parametrize("seed", range(12))
def test_the_kernel_is_the_torch_engine_at_any_shape(seed):
    rng = np.random.default_rng(seed)
    depth, width = int(rng.integers(1, 5)), int(np.exp(rng.uniform(0, np.log(301))))
    widths = [int(rng.integers(1, 301)), *[width] * depth, int(rng.integers(2, 41))]
    name = rng.choice(list(RULES))
    # ReLU's kink at 0 flips on rounding: it is compared at the fixed shapes above.
    compare(
        widths, int(rng.integers(1, 130)), rng.choice(["tanh", "sigmoid", "identity"]), Optimizer(name, 0.5, 0.01), seed
    )


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("widths", "batch", "activation"), SHAPES)
def test_bits_do_not_depend_on_vectors_stack_split_or_tracing(widths, batch, activation, name):
    run = widths, batch, activation, Optimizer(name, 0.9, 0.01)
    whole, _ = trained(*run)
    narrow, _ = trained(*run, lanes=8)
    split, _ = trained(*run, splits=(1, 4))
    traced, _ = trained(*run, traced=True)
    alone, _ = trained(*run, chosen=[2])
    for kind in ("weights", "biases"):
        ours = getattr(whole, kind)
        for other in (narrow, split, traced):
            assert all(torch.equal(a, b) for a, b in zip(ours, getattr(other, kind), strict=True))
        assert all(torch.equal(a[[2]], b) for a, b in zip(ours, getattr(alone, kind), strict=True))


@pytest.mark.parametrize(("widths", "batch", "activation"), SHAPES)
def test_predict_is_the_forward_pass(widths, batch, activation):
    weights, biases, x, *_ = make(widths, batch=batch)
    stack = KernelStack(weights, biases, NetworkSpec(activation, Optimizer(), batch))
    double = [w.double() for w in weights], [b.double() for b in biases]
    reference = TorchStack(*double, NetworkSpec(activation, Optimizer(), batch))
    for examples in (1, batch, min(2 * batch + 1, 200)):
        got = stack.predict(stack.prepare(x[:examples]))
        torch.testing.assert_close(got.double(), reference.predict(x[:examples].double()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("widths", "batch", "activation"), SHAPES)
def test_loss_and_accuracy_are_those_of_the_torch_engine_in_float64(widths, batch, activation):
    weights, biases, x, y, *_ = make(widths, batch=batch)
    spec = NetworkSpec(activation, Optimizer(), batch)
    stack = KernelStack(weights, biases, spec)
    reference = TorchStack([w.double() for w in weights], [b.double() for b in biases], spec)
    for examples in (1, batch, 200):
        inputs, labels = x[:examples], y[:examples]
        got, want = stack.evaluate(stack.prepare(inputs), labels), reference.evaluate(inputs.double(), labels)
        torch.testing.assert_close(got.loss.double(), want.loss, rtol=3e-6, atol=1e-6)
        assert torch.equal(got.score, want.score.float())


@pytest.mark.parametrize("counts", [[1, 1, 198], [5, 150, 45], [32, 168], [200]])
def test_parts_are_evaluated_as_if_each_were_alone(counts):
    weights, biases, x, y, *_ = make([64, 50, 50, 10], batch=32)
    stack, reference = (
        engine(weights, biases, NetworkSpec("tanh", Optimizer(), 32)) for engine in (KernelStack, TorchStack)
    )
    inputs, labels = x[:200].split(counts), y[:200].split(counts)
    together = stack.evaluate_parts([(stack.prepare(own), of) for own, of in zip(inputs, labels, strict=True)])
    expected = reference.evaluate_parts(list(zip(inputs, labels, strict=True)))
    for own, of, got, want in zip(inputs, labels, together, expected, strict=True):
        alone = stack.evaluate(stack.prepare(own), of)
        torch.testing.assert_close(got.loss, alone.loss, rtol=3e-7, atol=0)
        torch.testing.assert_close(got.loss, want.loss, rtol=1e-5, atol=1e-6)
        assert torch.equal(got.score, alone.score) and torch.equal(got.score, want.score)


@pytest.mark.parametrize(("widths", "batch", "activation"), SHAPES)
def test_bits_of_an_evaluation_do_not_depend_on_vectors_or_stack(widths, batch, activation):
    weights, biases, x, y, *_ = make(widths, batch=batch)
    spec = NetworkSpec(activation, Optimizer(), batch)
    whole, narrow = (KernelStack(weights, biases, spec, lanes=lanes) for lanes in (None, 8))
    alone = KernelStack([w[[2]] for w in weights], [b[[2]] for b in biases], spec)
    prepared = whole.prepare(x)
    expected = whole.evaluate(prepared, y)
    for kind in range(2):
        assert torch.equal(narrow.evaluate(prepared, y)[kind], expected[kind])
        assert torch.equal(alone.evaluate(prepared, y)[kind], expected[kind][[2]])
    whole.keep(torch.tensor([2, 0]))
    assert torch.equal(whole.evaluate(prepared, y).loss, expected.loss[[2, 0]])


def test_a_loss_near_zero_keeps_its_digits_and_ties_go_to_the_first_class():
    def evaluated(logits, labels, batch_size=8):
        """Evaluate a network that gives every example the same logits."""
        weights, biases = [torch.zeros(1, 2, 3), torch.zeros(1, 3, 4)], [torch.zeros(1, 1, 3), torch.tensor([[logits]])]
        stack = KernelStack(weights, biases, NetworkSpec("tanh", Optimizer(), batch_size))
        loss, score = stack.evaluate(stack.prepare(torch.zeros(len(labels), 2)), torch.tensor(labels))
        return loss.item(), score.item()

    assert evaluated([0.0, 25.0, 0.0, 0.0], [1]) == (pytest.approx(3 * np.exp(-25.0), rel=1e-6), 1)
    assert evaluated([0.0, 200.0, 0.0, 0.0], [1, 0]) == (pytest.approx(100), 0.5)
    assert evaluated([1.0, 3.0, 3.0, 3.0], [1, 2, 3, 0]) == (pytest.approx(np.log(3 + np.exp(-2)) + 0.5), 0.25)
    assert evaluated([1.0] * 4, [0] * 1200, batch_size=600) == (pytest.approx(np.log(4)), 1)  # 4⁶⁰⁰ is no float64
    for ruined in (np.nan, np.inf, -np.inf):
        for place in range(4):
            logits = [0.0] * 4
            logits[place] = ruined
            loss, score = evaluated(logits, [0, 1, 2, 3])
            assert not np.isfinite(loss) and np.isnan(score)


@pytest.mark.parametrize("name", RULES)
def test_networks_may_share_their_mini_batches(name):
    widths, batch, optimizer = [7, 33, 33, 3], 31, Optimizer(name, 0.9, 0.01)
    weights, biases, x, y, order, rates = make(widths, batch=batch)
    rates = rates * rate_of(optimizer)
    for engine in (KernelStack, TorchStack):
        shared, repeated = (engine(weights, biases, NetworkSpec("tanh", optimizer, batch)) for _ in range(2))
        one = order[:, :1]
        shared.advance(shared.prepare(x), y, one, rates)
        repeated.advance(repeated.prepare(x), y, one.repeat(1, 3, 1), rates)
        assert all(torch.equal(a, b) for a, b in zip(shared.weights, repeated.weights, strict=True))


@pytest.mark.parametrize("name", RULES)
def test_padding_stays_zero(name):
    stack, _ = trained([7, 33, 33, 3], 31, "sigmoid", Optimizer(name))
    for array, width in zip(stack._arrays, stack._fan_outs, strict=True):
        assert (array[:, :, width:] == 0).all()


def test_a_diverged_network_records_where_and_does_not_affect_others():
    widths, batch = [7, 33, 33, 3], 8
    weights, biases, x, y, order, rates = make(widths, batch=batch)
    calm, calm_trace = trained(widths, batch, "relu", Optimizer(), traced=True)
    weights[1][1, 0, 0] = float("nan")
    rates = rates * rate_of(Optimizer())
    stack = KernelStack(weights, biases, NetworkSpec("relu", Optimizer(), batch))
    lost, trace = stack.advance(stack.prepare(x), y, order, rates, traced=True)
    assert lost == {1: (0, 2)}
    assert torch.equal(trace[[0, 2]], calm_trace[[0, 2]]) and trace[1].isnan().all()
    for ours, theirs in zip(stack.weights, calm.weights, strict=True):
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])
    kept = torch.tensor([0, 2])
    stack.keep(kept)
    assert stack.size == 2 and torch.equal(stack.weights[0], calm.weights[0][[0, 2]])
    assert stack.advance(stack.prepare(x), y, order[:, kept], rates[:, kept]).diverged == {}


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_keep_keeps_the_optimizers_state(name):
    widths, batch, optimizer = [7, 33, 33, 3], 8, Optimizer(name)
    weights, biases, x, y, order, rates = make(widths, batch=batch)
    whole, _ = trained(widths, batch, "tanh", optimizer, splits=(3,))
    rates = rates * rate_of(optimizer)
    stack = KernelStack(weights, biases, NetworkSpec("tanh", optimizer, batch))
    stack.advance(stack.prepare(x), y, order[:3], rates[:3])
    kept = torch.tensor([2, 0])
    stack.keep(kept)
    stack.advance(stack.prepare(x), y, order[3:, kept], rates[3:, kept])
    for ours, theirs in zip(stack.weights, whole.weights, strict=True):
        assert torch.equal(ours, theirs[kept])


def test_a_square_that_overflows_stops_its_parameter_and_no_other():
    """Adam's square of a gradient of 1e20 is infinite, and its size a divisor that no finite mean survives."""
    widths, batch, optimizer = [3, 4, 2], 4, Optimizer("adam")
    weights, biases, x, y, order, rates = make(widths, batch=batch)
    x[:, 0] = 0.0
    calm = KernelStack(weights, biases, NetworkSpec("relu", optimizer, batch))
    calm.advance(calm.prepare(x), y, order[:1], rates[:1] * 1e-3)
    x[:, 0], weights[0][:, 0] = 1e25, 0.0
    stack = KernelStack(weights, biases, NetworkSpec("relu", optimizer, batch))
    assert stack.advance(stack.prepare(x), y, order[:1], rates[:1] * 1e-3).diverged == {}
    assert (stack.weights[0][:, 0].abs() <= 1e-3).all()
    for ours, theirs in zip(stack.weights, calm.weights, strict=True):
        start = 1 if ours is stack.weights[0] else 0
        torch.testing.assert_close(ours[:, start:], theirs[:, start:])
