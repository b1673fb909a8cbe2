"""The kernel against torch in float64, its bits on any vector width, chunk and split, and its vector functions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from winit import vector
from winit.kernel import KernelStack
from winit.network import Stack

# Widths from 1 up, odd and even, deep and shallow; batches of one and odd; outputs of 2 to 40.
SHAPES = [
    ([64, 50, 50, 50, 10], 32, "tanh"),
    ([7, 33, 33, 33, 3], 31, "relu"),
    ([2, 1, 1, 2], 1, "sigmoid"),
    ([30, 65, 40], 129, "identity"),
    ([3, 300, 5], 17, "tanh"),
]


def make(widths, k=3, batch=8, steps=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(k, a, b, generator=generator) / a**0.5 for a, b in pairwise(widths)]
    biases = [0.1 * torch.randn(k, 1, b, generator=generator) for b in widths[1:]]
    x = torch.randn(200, widths[0], generator=generator)
    y = torch.randint(0, widths[-1], (200,), generator=generator)
    order = torch.randint(0, 200, (steps, k, batch), generator=generator)
    return weights, biases, x, y, order


def trained(widths, batch, activation, optimizer, lanes=None, splits=(), chosen=None, rate=0.05):
    weights, biases, x, y, order = make(widths, batch=batch)
    chosen = list(range(3)) if chosen is None else chosen
    stack = KernelStack(
        [w[chosen] for w in weights], [b[chosen] for b in biases], activation, optimizer,
        torch.tensor([rate, 2 * rate, 3 * rate])[chosen], batch, 0.9, lanes,
    )  # fmt: skip
    assert stack.prepare(x).shape[1] % vector.PAD == 0
    for start, stop in pairwise([0, *splits, len(order)]):
        assert stack.advance(stack.prepare(x), y, order[start:stop, chosen]) == {}
    return stack


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize(("widths", "batch", "activation"), SHAPES)
def test_the_kernel_is_the_torch_engine(widths, batch, activation, optimizer):
    rate = 0.001 if optimizer == "adam" else 0.05
    stack = trained(widths, batch, activation, optimizer, rate=rate)
    weights, biases, x, y, order = make(widths, batch=batch)
    rates = torch.tensor([rate, 2 * rate, 3 * rate], dtype=torch.float64)
    double = [[p.double() for p in parameters] for parameters in (weights, biases)]
    reference = Stack(*double, activation, optimizer, rates, batch)
    assert reference.advance(x.double(), y, order) == {}
    for ours, theirs, start in zip(
        [*stack.weights, *stack.biases], [*reference.weights, *reference.biases], [*weights, *biases], strict=True
    ):
        moved = (theirs - start).norm()
        assert moved > 0
        # Relative to the update. A float32 weight of size 1 rounds by 6e-8 a step, and moves by some 1e-3.
        assert (ours - theirs).norm() / moved < 2e-4, (tuple(start.shape), optimizer)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize(("widths", "batch", "activation"), SHAPES)
def test_bits_do_not_depend_on_vectors_stack_or_split(widths, batch, activation, optimizer):
    whole = trained(widths, batch, activation, optimizer)
    narrow = trained(widths, batch, activation, optimizer, lanes=8)
    split = trained(widths, batch, activation, optimizer, splits=(1, 4))
    alone = trained(widths, batch, activation, optimizer, chosen=[2])
    for name in ("weights", "biases"):
        for one, two, three, four in zip(*(getattr(s, name) for s in (whole, narrow, split, alone)), strict=True):
            assert torch.equal(one, two) and torch.equal(one, three) and torch.equal(one[[2]], four)


@pytest.mark.parametrize(("widths", "batch", "activation"), SHAPES)
def test_predict_is_the_forward_pass(widths, batch, activation):
    weights, biases, x, *_ = make(widths, batch=batch)
    rates = torch.ones(3)
    stack = KernelStack(weights, biases, activation, "sgd", rates, batch)
    reference = Stack(
        [w.double() for w in weights], [b.double() for b in biases], activation, "sgd", rates.double(), batch
    )
    for examples in (1, batch, 2 * batch + 1):
        got = stack.predict(stack.prepare(x[:examples]))
        torch.testing.assert_close(got.double(), reference.predict(x[:examples].double()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_padding_stays_zero(optimizer):
    stack = trained([7, 33, 33, 3], 31, "sigmoid", optimizer)
    for array, width in zip(stack._arrays, stack._outs, strict=True):
        assert (array[:, :, width:] == 0).all()


def test_a_diverged_network_says_where_and_disturbs_nobody():
    widths, batch = [7, 33, 33, 3], 8
    weights, biases, x, y, order = make(widths, batch=batch)
    calm = trained(widths, batch, "relu", "sgd")
    weights[1][1, 0, 0] = float("nan")
    stack = KernelStack(weights, biases, "relu", "sgd", torch.tensor([0.05, 0.1, 0.15]), batch)
    assert stack.advance(stack.prepare(x), y, order) == {1: (0, 2)}
    for ours, theirs in zip(stack.weights, calm.weights, strict=True):
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])
    stack.keep(torch.tensor([0, 2]))
    assert stack.size == 2 and torch.equal(stack.weights[0], calm.weights[0][[0, 2]])
    assert stack.advance(stack.prepare(x), y, order[:, [0, 2]]) == {}


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_keep_keeps_the_optimizers_state(optimizer):
    widths, batch = [7, 33, 33, 3], 8
    _, _, x, y, order = make(widths, batch=batch)
    whole = trained(widths, batch, "tanh", optimizer, splits=(3,))
    weights, biases, *_ = make(widths, batch=batch)
    stack = KernelStack(weights, biases, "tanh", optimizer, torch.tensor([0.05, 0.1, 0.15]), batch)
    stack.advance(stack.prepare(x), y, order[:3])
    stack.keep(torch.tensor([2, 0]))
    stack.advance(stack.prepare(x), y, order[3:, [2, 0]])
    for ours, theirs in zip(stack.weights, whole.weights, strict=True):
        assert torch.equal(ours, theirs[[2, 0]])


@pytest.fixture(scope="module")
def evaluate():
    """Return a function that applies one of the kernel's vector functions to an array."""
    from numba import njit, types
    from numba.extending import intrinsic

    def compiled(name, lanes):
        def codegen(context, builder, signature, arguments):
            e = vector.Emit(builder, lanes)
            at = e.index(0)
            e.store(getattr(e, name)(e.load(arguments[0], at)), arguments[1], at)
            return context.get_dummy_value()

        @intrinsic
        def one(typing, source, target):
            return types.void(types.int64, types.int64), codegen

        @njit
        def run(source, target):
            for i in range(0, source.size, lanes):
                one(source.ctypes.data + 4 * i, target.ctypes.data + 4 * i)

        return run

    def apply(name, values, lanes=16):
        source = np.ascontiguousarray(values, np.float32)
        assert source.size % 16 == 0
        target = np.empty_like(source)
        compiled(name, lanes)(source, target)
        return target

    return apply


def ulps(got, exact):
    """Return the error in units of the last place of the float32 result."""
    return np.abs(got.astype(np.float64) - exact) / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)


def test_exp_tanh_sigmoid_are_accurate(evaluate):
    x = np.linspace(-20, 20, 1 << 18, dtype=np.float32)
    wide = np.float64(x)
    assert ulps(evaluate("exp", x), np.exp(wide)).max() < 2
    assert ulps(evaluate("tanh", x), np.tanh(wide)).max() < 2
    assert ulps(evaluate("sigmoid", x), 1 / (1 + np.exp(-wide))).max() < 4
    small = np.geomspace(1e-30, 1, 1 << 12).astype(np.float32)
    assert ulps(evaluate("tanh", small), np.tanh(np.float64(small))).max() < 2


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid"])
def test_vector_functions_rise_and_have_the_same_bits_on_any_width(evaluate, name):
    x = np.linspace(-8, 8, 1 << 16, dtype=np.float32)
    wide, narrow = evaluate(name, x, 16), evaluate(name, x, 8)
    np.testing.assert_array_equal(wide, narrow)
    assert (np.diff(wide) >= -np.abs(np.spacing(wide[1:]))).all()  # monotone, to the last place


def test_vector_functions_at_the_ends(evaluate):
    ends = np.zeros(16, np.float32)
    ends[:5] = [np.inf, -np.inf, np.nan, 1e30, -1e30]
    assert evaluate("tanh", ends)[[0, 1, 3, 4]].tolist() == [1, -1, 1, -1]
    assert evaluate("sigmoid", ends)[[0, 3]].tolist() == [1, 1]
    assert (np.abs(evaluate("sigmoid", ends)[[1, 4]]) < 1e-37).all()
    for name in ("exp", "tanh", "sigmoid"):
        assert np.isnan(evaluate(name, ends)[2]), f"{name} swallows NaN"
