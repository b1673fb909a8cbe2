"""The shapes that the benchmarks measure, and the problem that every method solves at them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

CLASSES, EXAMPLES = 10, 1000
RATES = {"sgd": 0.01, "momentum": 0.01, "adam": 0.001}


@dataclass(frozen=True)
class Shape:
    """Multilayer perceptrons of one shape; how many the stacked methods train together, and for how many steps."""

    inputs: int
    width: int
    depth: int
    batch: int
    activation: str
    networks: int
    steps: int
    jax_networks: tuple[int, ...]  # candidates, of which the best is taken

    @property
    def widths(self) -> list[int]:
        """Units of every layer, inputs first and classes last."""
        return [self.inputs, *[self.width] * self.depth, CLASSES]

    @property
    def flops(self) -> float:
        """Operations of one step of one network: 6 B Σ fan_in·fan_out, less ∂L/∂x of the first layer."""
        products = [a * b for a, b in pairwise(self.widths)]
        return self.batch * (6 * sum(products) - 2 * products[0])


SHAPES = {
    "A": Shape(64, 50, 5, 32, "tanh", 32, 200, (8, 32, 128)),
    "B": Shape(784, 100, 10, 64, "relu", 8, 40, (4, 8, 32)),
    "C": Shape(64, 64, 30, 64, "relu", 8, 40, (4, 8, 32)),
    "D": Shape(1024, 1000, 5, 10, "tanh", 1, 30, (1, 2)),
    "E": Shape(784, 256, 50, 128, "relu", 1, 8, (1, 4)),
}


@dataclass
class Problem:
    """Initial weights (K, fan_in, fan_out) and biases (K, 1, fan_out), data, and mini-batches (steps, K, B)."""

    weights: list[Tensor]
    biases: list[Tensor]
    x: Tensor
    y: Tensor
    order: Tensor


def problem(shape: Shape, networks: int, steps: int) -> Problem:
    """Return the problem for so many networks and steps; always the same."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(networks, a, b, generator=generator) / a**0.5 for a, b in pairwise(shape.widths)]
    biases = [torch.zeros(networks, 1, b) for b in shape.widths[1:]]
    x = torch.randn(EXAMPLES, shape.inputs, generator=generator)
    y = torch.randint(0, CLASSES, (EXAMPLES,), generator=generator)
    return Problem(
        weights, biases, x, y, torch.randint(0, EXAMPLES, (steps, networks, shape.batch), generator=generator)
    )
