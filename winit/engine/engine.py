"""The interface of engines: K multilayer perceptrons of one shape, trained as one stack.

Shapes: layer l has weights (K, fan_in, fan_out) and biases (K, 1, fan_out); hidden activations are (K, B, width).
Every operation treats the K networks independently: the numbers of a network depend neither on the number of networks in
the stack nor on its position in it (with one thread and aligned matrices, see `winit.engine.alignment`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from winit.engine.activations import TensorActivation, activation_of
from winit.engine.alignment import product
from winit.engine.corruption import Corruption
from winit.engine.objectives import Classification, Evaluation, Objective
from winit.engine.optimizers import Optimizer
from winit.engine.regularization import BatchNorm, normalize

# Measurements of a traced step in each layer, on its mini-batch: mean and mean square of the outputs (of the logits in the
# last layer), mean square of δ = ∂ℓ/∂z over examples and units, mean square of ∂L/∂(W, b).
TRACE = ("h_mean", "h_square", "delta_square", "gradient_square")

GivenActivation = str | TensorActivation | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class NetworkSpec:
    """Common properties of the networks of a stack, except the shapes of their parameters.

    Attributes:
        activation: φ of the hidden layers: a name, an elementwise function of a tensor, or a tuple of these with one entry
            per hidden layer.
        optimizer: the update rule and its options.
        batch_size: B, examples in a mini-batch.
        objective: what they are trained for.
        batch_norm: whether hidden layers have batch normalization.
        dropout: p, the probability that a hidden unit is dropped in training; 0 for no dropout.
        corruption: of the inputs in training, if any.
    """

    activation: GivenActivation | tuple[GivenActivation, ...]
    optimizer: Optimizer
    batch_size: int
    objective: Objective = field(default_factory=Classification)
    batch_norm: bool = False
    dropout: float = 0.0
    corruption: Corruption | None = None

    def activations(self, hidden: int) -> list[TensorActivation]:
        """Return the activation of each of the given number of hidden layers."""
        each = self.activation if isinstance(self.activation, tuple) else (self.activation,) * hidden
        return [activation_of(one) for one in each]


class Advance(NamedTuple):
    """Events and measurements of some steps.

    Attributes:
        diverged: for each network whose logits became non-finite, the step, from 0, in whose forward pass they did, and
            the first layer, from 1, with a non-finite pre-activation. The parameters of such a network are not usable.
        trace: if the steps were traced, the measurements `TRACE` of every layer, (K, steps, layers, 4) in float64,
            NaN from a network's divergence on.
    """

    diverged: dict[int, tuple[int, int]]
    trace: Tensor | None = None


class Engine(ABC):
    """K networks of one shape, and the operations of an engine.

    Args:
        weights: one tensor (K, fan_in, fan_out) per layer, the output layer last.
        biases: one tensor (K, 1, fan_out) per layer.
        spec: common properties of the networks.
        seeds: seeds of the random streams of the networks, for dropout and corruption. Networks with the same seed draw the
            same numbers.

    Attributes:
        name: of the engine, as in the tables.
        weights, biases: the current parameters.
        activations: φ of each hidden layer.
        norms: batch normalization of each hidden layer; None if it has none.
        objective: what the networks are trained for.
    """

    name: ClassVar[str]
    weights: list[Tensor]
    biases: list[Tensor]
    activations: list[TensorActivation]
    norms: list[BatchNorm | None]
    objective: Objective

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], spec: NetworkSpec, seeds: Sequence[int] = ()
    ) -> None:
        self.weights, self.biases, self.objective = list(weights), list(biases), spec.objective
        hidden = len(self.weights) - 1
        self.activations, self.norms = spec.activations(hidden), [None] * hidden

    @property
    def size(self) -> int:
        """K, the number of networks."""
        return self.weights[0].shape[0]

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Return inputs (N, D) in the form that the other methods need."""
        return x

    @abstractmethod
    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool = False) -> Advance:
        """Take one step for each row of `order`.

        Args:
            x: all training inputs, from `prepare`.
            y: their targets: labels (N,), or for reconstruction the inputs.
            order: indices of the mini-batches: (steps, K, B), or (steps, 1, B) if all networks share them.
            rates: learning rates (steps, K).
            traced: whether to measure every layer at every one of these steps.
        """

    @abstractmethod
    def keep(self, networks: Tensor) -> None:
        """Drop all networks except these (a tensor of indices), which continue with the same bits."""

    def predict(self, x: Tensor) -> Tensor:
        """Return the logits (K, N, C) for inputs (N, D) from `prepare`, the same for all networks, or (K, N, D)."""
        h = x.expand(self.size, -1, -1)
        for layer, (norm, phi) in enumerate(zip(self.norms, self.activations, strict=True)):
            h = product(h, self.weights[layer], self.biases[layer])  # (K, N, width)
            if norm:
                norm.evaluate_(h)
            phi.apply_(h)
        return product(h, self.weights[-1], self.biases[-1])

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the objective's loss (K,) on examples x, from `prepare`, with targets y."""
        return self.objective.loss(self.predict, x, y)

    def evaluate(self, x: Tensor, y: Tensor) -> Evaluation:
        """Return the objective's loss and score, (K,) each, on examples x, from `prepare`, with targets y.

        Engines may convert the examples once for all evaluations, so x must not change afterwards.
        """
        return self.objective.evaluate(self.predict, x, y)

    def evaluate_parts(self, parts: Sequence[tuple[Tensor, Tensor]]) -> list[Evaluation]:
        """Return the evaluation of each part of the data.

        Args:
            parts: x and y of each, as `evaluate` takes them.
        """
        return [self.evaluate(x, y) for x, y in parts]

    def first_non_finite_layer(self, network: int, x: Tensor) -> int:
        """Return the first layer (from 1) at which one network's pre-activation of x (B, D) is not finite.

        If all are finite, return the output layer: the overflow depended on the rounding of another engine.
        """
        h = x
        for layer, (norm, phi) in enumerate(zip(self.norms, self.activations, strict=True)):
            z = torch.addmm(self.biases[layer][network], h, self.weights[layer][network])
            if not torch.isfinite(z).all():
                return layer + 1
            if norm:
                z = (normalize(z[None])[0].z * norm.gamma[network] + norm.beta[network])[0]
            h = phi.phi(z)
        return len(self.weights)
