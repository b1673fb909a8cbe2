"""Batch normalization and dropout in the kernel: against the torch engine in float64, and their bits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from winit.engine.engine import NetworkSpec
from winit.engine.kernel import regularization
from winit.engine.kernel.regularization import Masks
from winit.engine.kernel.stack import KernelStack
from winit.engine.optimizers import RULES, Optimizer
from winit.engine.regularization import Dropout
from winit.engine.torch_stack import TorchStack

STEPS, SEEDS, STATISTICS = 30, [11, 22, 11], ("gamma", "beta", "mean", "variance")
REGULARIZATION = {
    "batch_norm": {"batch_norm": True},
    "dropout": {"dropout": 0.3},
    "both": {"batch_norm": True, "dropout": 0.5},
}
# Widths and batches below, at and above whole vectors; one hidden layer and several.
SHAPES = [
    ([64, 50, 50, 50, 10], 32, "tanh"),
    ([7, 33, 33, 33, 3], 31, "relu"),
    ([5, 1, 2], 7, "sigmoid"),
    ([30, 65, 40], 129, "identity"),
    ([3, 300, 300, 5], 17, "tanh"),
]


def problem(widths, batch, activation, optimizer, k=3):
    """Return weights, biases, and what `advance` is given."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(k, a, b, generator=generator) / a**0.5 for a, b in pairwise(widths)]
    biases = [0.1 * torch.randn(k, 1, b, generator=generator) for b in widths[1:]]
    x = torch.randn(200, widths[0], generator=generator)
    y = torch.randint(0, widths[-1], (200,), generator=generator)
    order = torch.randint(0, 200, (STEPS, k, batch), generator=generator)
    rates = torch.linspace(1, 3, k) * torch.linspace(1, 0.5, STEPS)[:, None]
    return weights, biases, x, y, order, rates * (0.001 if optimizer.name.startswith("adam") else 0.03)


def stack_of(engine, weights, biases, spec, chosen=(0, 1, 2), **options):
    chosen = list(chosen)
    seeds = [SEEDS[k] for k in chosen]
    return engine([w[chosen] for w in weights], [b[chosen] for b in biases], spec, seeds, **options)


def trained(shape, optimizer, kind, splits=(), chosen=(0, 1, 2), traced=False, lanes=None, steps=STEPS):
    """Return the kernel's networks after all steps, and the traces of the parts."""
    _, batch, activation = shape
    weights, biases, x, y, order, rates = problem(*shape, optimizer)
    spec = NetworkSpec(activation, optimizer, batch, **REGULARIZATION[kind])
    stack = stack_of(KernelStack, weights, biases, spec, chosen, lanes=lanes)
    traces = []
    for start, stop in pairwise([0, *splits, steps]):
        part = order[start:stop, list(chosen)], rates[start:stop, list(chosen)]
        lost, trace = stack.advance(stack.prepare(x), y, *part, traced)
        assert lost == {}
        traces.append(trace)
    return stack, traces


def numbers(stack):
    """Return everything that training changes."""
    return [*stack.weights, *stack.biases, *(getattr(n, name) for n in stack.norms if n for name in STATISTICS)]


def moved_alike(ours, theirs, start):
    """Compare relative to the update: parameters hardly move, and would hide a wrong kernel."""
    moved = (theirs - start).norm()
    return moved > 0 and (ours - theirs).norm() / moved < 5e-4


@pytest.mark.parametrize("kind", REGULARIZATION)
@pytest.mark.parametrize(("name", "decay"), [*((name, 0.1) for name in RULES), ("sgd", 0.0), ("adam", 0.0)])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape[2] + str(shape[1]))
def test_the_kernel_is_the_torch_engine(shape, name, decay, kind):
    optimizer, options = Optimizer(name, 0.9, decay), REGULARIZATION[kind]
    weights, biases, x, y, order, rates = problem(*shape, optimizer)
    steps = 8 if shape[2] == "relu" else STEPS  # later, an output at ReLU's kink falls on the other side by rounding
    ours, (trace,) = trained(shape, optimizer, kind, traced=True, steps=steps)
    double = [[p.double() for p in parameters] for parameters in (weights, biases)]
    theirs = stack_of(TorchStack, *double, NetworkSpec(shape[2], optimizer, shape[1], **options))
    lost, expected = theirs.advance(x.double(), y, order[:steps], rates[:steps].double(), traced=True)
    assert lost == {}

    normalized = "batch_norm" in options
    # Before batch normalization a bias has no gradient but rounding errors, which Adam makes large. The mean follows it.
    drifts = normalized and name.startswith("adam") and (name == "adamw" or not decay)
    pairs = list(zip(ours.weights, theirs.weights, weights, strict=True))
    pairs += list(zip(ours.biases, theirs.biases, biases, strict=True))[len(biases) - 1 if normalized else 0 :]
    if normalized:
        for a, b in zip(ours.norms, theirs.norms, strict=True):
            for start, statistic in zip((1, 0, 0, 1), STATISTICS, strict=True):
                if statistic != "mean" or not drifts:
                    pairs.append((getattr(a, statistic), getattr(b, statistic), start))
    assert all(moved_alike(*pair) for pair in pairs)
    for got, want in zip(trace[..., 1:].unbind(-1), expected[..., 1:].unbind(-1), strict=True):
        torch.testing.assert_close(got, want, rtol=2e-3, atol=1e-9)
    assert ((trace[..., 0] - expected[..., 0]).abs() / expected[..., 1].sqrt()).max() < 1e-3
    if not drifts:
        logits = ours.predict(ours.prepare(x)).double()
        torch.testing.assert_close(logits, theirs.predict(x.double()), rtol=1e-4, atol=1e-4)
        for a, b in zip(ours.evaluate(ours.prepare(x), y), theirs.evaluate(x.double(), y), strict=True):
            torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("kind", REGULARIZATION)
@pytest.mark.parametrize("name", ["sgd", "nesterov", "adamw"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape[2] + str(shape[1]))
def test_bits_do_not_depend_on_vectors_stack_split_or_tracing(shape, name, kind):
    run = shape, Optimizer(name, 0.9, 0.01), kind
    whole, _ = trained(*run)
    narrow, (narrow_trace,) = trained(*run, lanes=8, traced=True)
    split, _ = trained(*run, splits=(1, 4, 17))
    traced, (trace,) = trained(*run, traced=True)
    alone, _ = trained(*run, chosen=[2])
    for other in (narrow, split, traced):
        assert all(torch.equal(a, b) for a, b in zip(numbers(whole), numbers(other), strict=True))
    assert all(torch.equal(a[[2]], b) for a, b in zip(numbers(whole), numbers(alone), strict=True))
    # The gradient's square is added up tile by tile, and tiles are as wide as the vectors.
    assert torch.equal(narrow_trace[..., :3], trace[..., :3])


@pytest.mark.parametrize("kind", REGULARIZATION)
def test_the_size_of_a_part_changes_nothing(kind, monkeypatch):
    run = SHAPES[1], Optimizer("adam"), kind
    whole, (trace,) = trained(*run, traced=True)
    monkeypatch.setattr(regularization, "DRAWN_AT_ONCE", 3 * 31 * 33 * 2)  # two steps
    monkeypatch.setattr(regularization, "MASK_BITS_AT_ONCE", 3 * 32 * 33 * 7)  # seven steps
    parts, (parts_trace,) = trained(*run, traced=True)
    assert all(torch.equal(a, b) for a, b in zip(numbers(whole), numbers(parts), strict=True))
    assert torch.equal(trace, parts_trace)


def test_masks_are_those_of_the_torch_engine():
    hidden, width, batch = 2, 33, 31
    (part, masks, streams), *rest = Masks(Dropout(0.3, SEEDS), hidden, width, batch).parts(4, len(SEEDS))
    assert part == slice(0, 4) and not rest and len(masks) == len(set(SEEDS))
    reference = Dropout(0.3, SEEDS)
    for step in range(4):
        for layer in range(hidden):
            factors = reference.factors(batch, width, torch.zeros(())).numpy()
            for k, stream in enumerate(streams):
                bits = np.unpackbits(masks[stream, step, layer], bitorder="little").reshape(width, 32)[:, :batch]
                assert np.array_equal(bits.T, factors[k] > 0)


@pytest.mark.parametrize("kind", REGULARIZATION)
@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_keep_keeps_state_statistics_and_streams(name, kind):
    _, batch, activation = shape = SHAPES[1]
    whole, _ = trained(shape, Optimizer(name), kind)
    weights, biases, x, y, order, rates = problem(*shape, Optimizer(name))
    stack = stack_of(
        KernelStack, weights, biases, NetworkSpec(activation, Optimizer(name), batch, **REGULARIZATION[kind])
    )
    stack.advance(stack.prepare(x), y, order[:9], rates[:9])
    kept = torch.tensor([1, 2])
    stack.keep(kept)
    stack.advance(stack.prepare(x), y, order[9:, kept], rates[9:, kept])
    assert all(torch.equal(a, b[kept]) for a, b in zip(numbers(stack), numbers(whole), strict=True))


@pytest.mark.parametrize("kind", REGULARIZATION)
def test_padding_stays_zero(kind):
    stack, _ = trained(SHAPES[1], Optimizer("adam"), kind)
    arrays = [*stack._arrays, *stack._norms.arrays]
    for array, width in zip(arrays, [*stack._fan_outs, 33, 33, 33], strict=True):
        assert (array[:, :, width:] == 0).all()


@pytest.mark.parametrize("kind", REGULARIZATION)
def test_divergence_is_that_of_the_torch_engine_and_disturbs_nobody(kind, monkeypatch):
    monkeypatch.setattr(regularization, "MASK_BITS_AT_ONCE", 3 * 32 * 33 * 7)  # several parts
    shape = SHAPES[1]
    calm, (calm_trace,) = trained(shape, Optimizer(), kind, traced=True)
    weights, biases, x, y, order, rates = problem(*shape, Optimizer())
    rates[9:, 1] = float("inf")
    spec = NetworkSpec(shape[2], Optimizer(), shape[1], **REGULARIZATION[kind])
    stack, reference = (stack_of(engine, weights, biases, spec) for engine in (KernelStack, TorchStack))
    lost, trace = stack.advance(stack.prepare(x), y, order, rates, traced=True)
    assert lost == reference.advance(x, y, order, rates).diverged == {1: (10, 1)}
    assert torch.equal(trace[[0, 2]], calm_trace[[0, 2]])
    assert trace[1, :10].isfinite().all() and trace[1, 10:].isnan().all()
    assert all(torch.equal(a[[0, 2]], b[[0, 2]]) for a, b in zip(numbers(stack), numbers(calm), strict=True))
    weights[1][1, 0, 0] = float("nan")  # of a unit that dropout may drop: it is lost in the first step all the same
    broken, _ = stack_of(KernelStack, weights, biases, spec).advance(stack.prepare(x), y, order[:1], rates[:1])
    assert broken == {1: (0, 2)}
