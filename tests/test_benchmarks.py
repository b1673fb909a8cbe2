"""The peers of the benchmark do the same work as our engines."""

from __future__ import annotations

import pytest
import torch

from benchmarks import peers
from benchmarks.shapes import RATES, Shape, problem
from winit.engine.engine import NetworkSpec
from winit.engine.optimizers import Optimizer
from winit.engine.torch_stack import TorchStack

SMALL = Shape(6, 5, 3, 4, "tanh", 3, 5, (3,))


def ours(optimizer: str) -> list[torch.Tensor]:
    """Return weights, then biases, of our torch engine after the problem's steps."""
    task = problem(SMALL, SMALL.networks, SMALL.steps)
    stack = TorchStack(task.weights, task.biases, NetworkSpec(SMALL.activation, Optimizer(optimizer), SMALL.batch))
    stack.advance(task.x, task.y, task.order, torch.full((SMALL.steps, SMALL.networks), RATES[optimizer]))
    return [*stack.weights, *(b.squeeze(1) for b in stack.biases)]


@pytest.mark.parametrize("optimizer", RATES)
def test_vmap_trains_the_same_networks(optimizer):
    train, parameters = peers.vmap_trainer(problem(SMALL, SMALL.networks, SMALL.steps), SMALL.activation, optimizer)
    train()
    for theirs, own in zip(parameters, ours(optimizer), strict=True):
        torch.testing.assert_close(theirs, own, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", RATES)
def test_jax_trains_the_same_networks(optimizer):
    pytest.importorskip("jax", reason="jax is not installed: pip install -e '.[benchmark]'")
    task = problem(SMALL, SMALL.networks, SMALL.steps)
    _, result = peers.jax_trainer(task, SMALL.activation, optimizer)
    for theirs, own in zip(result(), ours(optimizer), strict=True):
        torch.testing.assert_close(torch.from_numpy(theirs.copy()), own, rtol=1e-5, atol=1e-6)
