"""Captured steps have the same bits as single steps. On a CPU, the step itself stands in for the capture."""

from __future__ import annotations

import weakref

import pytest
import torch

from tests.engine.networks import BATCH, SEEDS, WIDTHS, K, make
from winit.engine.engine import NetworkSpec
from winit.engine.optimizers import RULES, Optimizer
from winit.engine.torch_stack import TorchStack

DEVICES = ["cpu", pytest.param("cuda", marks=[
    pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
])]  # fmt: skip
STEPS = 8


class OneByOne(TorchStack):
    captured_on = ()


class Captured(TorchStack):
    """Captured on a CPU as a graph is on a card: with a step taken before, and then a function of no arguments."""

    captured_on = ("cpu",)
    launches = 0

    @staticmethod
    def capture(step):
        step()

        def launch():
            Captured.launches += 1
            step()

        return launch


def problem(device, rate=0.1, batch_norm=False, dropout=0.0, name="sgd", activation="tanh"):
    generator = torch.Generator().manual_seed(4)
    x, y = torch.randn(50, WIDTHS[0], generator=generator), torch.arange(50) % 3
    order = torch.randint(0, 50, (STEPS, K, BATCH), generator=generator)
    rates = rate * torch.linspace(1, 0.5, STEPS)[:, None].repeat(1, K)
    spec = NetworkSpec(activation, Optimizer(name, 0.9, 0.01), BATCH, batch_norm=batch_norm, dropout=dropout)
    data = [t.to(device) for t in (x, y, order, rates)]

    def stack(kind):
        weights, biases = make(torch.float32)
        return kind([w.to(device) for w in weights], [b.to(device) for b in biases], spec, SEEDS[:K])

    return stack, data


def same(ours, theirs):
    return all(torch.equal(a, b) for a, b in zip(ours.parameters, theirs.parameters, strict=True))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_captured_steps_are_the_steps(name, batch_norm, device):
    build, (x, y, order, rates) = problem(device, 0.01, batch_norm, name=name)
    one, captured = build(OneByOne), build(Captured if device == "cpu" else TorchStack)
    before = Captured.launches
    for part in (slice(0, 3), slice(3, 4), slice(4, STEPS)):  # captured once, for all of these
        for stack in (one, captured):
            assert stack.advance(x, y, order[part], rates[part]).diverged == {}
    assert same(one, captured)
    for ours, theirs in zip(filter(None, captured.norms), filter(None, one.norms), strict=True):
        assert torch.equal(ours.mean, theirs.mean) and torch.equal(ours.variance, theirs.variance)
    assert device == "cuda" or Captured.launches == before + STEPS


def test_after_networks_are_dropped_or_data_change_steps_are_captured_again():
    build, (x, y, order, rates) = problem("cpu", name="adam")
    one, captured = build(OneByOne), build(Captured)
    kept = torch.tensor([2, 0])
    for stack in (one, captured):
        stack.advance(x, y, order[:2], rates[:2])
        stack.keep(kept)
        stack.advance(x, y, order[2:5, kept], rates[2:5, kept])
        stack.advance(x + 1, y, order[5:, kept], rates[5:, kept])
    assert same(one, captured)


def test_data_stay_while_captured_steps_may_read_them():
    """A graph knows the data by their addresses alone, and holds no tensor of ours."""

    class Recorded(TorchStack):
        captured_on = ("cpu",)
        capture = staticmethod(lambda step: lambda: None)

    build, (x, y, order, rates) = problem("cpu")
    stack, data = build(Recorded), [x.clone(), y.clone()]
    stack.advance(*data, order[:1], rates[:1])
    alive = [weakref.ref(tensor) for tensor in data]
    data.clear()
    assert all(reference() is not None for reference in alive)
    stack.keep(torch.tensor([0]))
    assert all(reference() is None for reference in alive)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_divergence_is_found_where_it_is(name):
    build, (x, y, order, rates) = problem("cpu", name=name, activation="relu")
    rates[3, 1] = 1e30
    one, captured = build(OneByOne), build(Captured)
    for stack in (one, captured):
        assert stack.advance(x, y, order[:2], rates[:2]).diverged == {}
    expected = one.advance(x, y, order[2:], rates[2:]).diverged
    assert list(expected) == [1] and captured.advance(x, y, order[2:], rates[2:]).diverged == expected
    others = torch.tensor([0, 2])
    for ours, theirs in zip(captured.parameters, one.parameters, strict=True):
        assert torch.equal(ours[others], theirs[others])


def test_what_draws_on_the_host_is_not_captured():
    build, (x, y, order, rates) = problem("cpu", dropout=0.3)
    before = Captured.launches
    one, captured = build(OneByOne), build(Captured)
    for stack in (one, captured):
        stack.advance(x, y, order, rates)
    assert same(one, captured) and Captured.launches == before


def test_a_step_that_no_graph_can_hold_is_taken_operation_by_operation(caplog):
    class Refused(TorchStack):
        captured_on = ("cpu",)

        @staticmethod
        def capture(step):
            step()
            raise RuntimeError("operation not permitted when stream is capturing")

    build, (x, y, order, rates) = problem("cpu", name="momentum")
    one, refused = build(OneByOne), build(Refused)
    with caplog.at_level("WARNING", logger="winit"):
        for start in range(0, STEPS, 4):
            for stack in (one, refused):
                stack.advance(x, y, order[start : start + 4], rates[start : start + 4])
    assert same(one, refused)
    (message,) = caplog.messages  # once
    assert message.endswith("launched operation by operation: operation not permitted when stream is capturing")
