"""A stack of K multilayer perceptrons of one shape, trained as one batched computation.

Shapes. Layer l has weights (K, fan_in, fan_out) and biases (K, 1, fan_out); hidden activations are (K, B, width) and
logits (K, C, B), class-major, because a softmax over a short last dimension is slow. Every operation treats the K
networks independently: a network's numbers do not depend on how many others are in the stack, nor on its place in it
(on one thread, with every matrix aligned: see `winit.memory`).

The training step records no graph, and keeps its buffers from step to step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from winit.engine.activations import TensorActivation, activation_of
from winit.engine.alignment import align, product
from winit.engine.regularization import BatchNorm, normalize

# What a traced step measures in each layer, on its mini-batch: mean and mean square of the outputs (the logits, in the
# last layer), mean square of δ = ∂ℓ/∂z over examples and units, mean square of ∂L/∂(W, b).
TRACE = ("h_mean", "h_square", "delta_square", "gradient_square")

Given = str | Callable[[Tensor], Tensor]  # an activation, by name or as a function


class Advance(NamedTuple):
    """What came of some steps.

    Attributes:
        diverged: for each network whose logits became non-finite, the step, from 0, in whose forward pass they did, and
            the first layer, from 1, with a non-finite pre-activation. The parameters of such a network are of no use.
        trace: where the steps were traced, the measurements `TRACE` of every layer, (K, steps, layers, 4) in float64,
            NaN from a network's divergence on.
    """

    diverged: dict[int, tuple[int, int]]
    trace: Tensor | None = None


class Networks:
    """K networks of one shape: what every engine that trains them has in common.

    Args:
        weights: one tensor (K, fan_in, fan_out) a layer, the output layer last.
        biases: one tensor (K, 1, fan_out) a layer.
        activation: φ of the hidden layers: a name, or any elementwise function of a tensor; or one of these for each.

    An engine adds `prepare`, `advance` and `keep`.
    """

    engine: str  # its name, as the tables have it

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], activation: Given | Sequence[Given]
    ) -> None:
        self.weights, self.biases = list(weights), list(biases)
        hidden = len(self.weights) - 1
        each = list(activation) if isinstance(activation, list | tuple) else [activation] * hidden
        self.activations: list[TensorActivation] = [activation_of(a) for a in each]
        self.norms: list[BatchNorm] = []  # one a hidden layer, where there is batch normalization

    @property
    def size(self) -> int:
        """K, the number of networks."""
        return self.weights[0].shape[0]

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Return inputs (N, D) in the form that `advance` and `predict` want."""
        return x

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool = False) -> Advance:
        """Take one step for each row of `order`.

        Args:
            x: all training inputs, as `prepare` made them.
            y: their labels (N,).
            order: indices (steps, K, B) of the mini-batches.
            rates: learning rates (steps, K).
            traced: whether to measure every layer at every one of these steps.
        """
        raise NotImplementedError

    def keep(self, networks: Tensor) -> None:
        """Drop all networks but these (a tensor of indices); the others go on with the same bits."""
        raise NotImplementedError

    def predict(self, x: Tensor) -> Tensor:
        """Return the logits (K, N, C) of the same examples, inputs (N, D) as `prepare` made them, for every network.

        Inputs (K, N, D) are each network's own.
        """
        h = x.expand(self.size, -1, -1)
        for layer, (weight, bias) in enumerate(zip(self.weights[:-1], self.biases[:-1], strict=True)):
            h = product(h, weight, bias)
            if self.norms:
                self.norms[layer].evaluate_(h)
            self.activations[layer].apply_(h)
        return product(h, self.weights[-1], self.biases[-1])

    def output_delta(self, z: Tensor, y: Tensor) -> Tensor:
        """Return δ = ∂ℓ/∂z (K, N, C) of each example, for logits z (K, N, C) and labels y (N,): softmax(z) − onehot(y)."""
        delta = align(torch.softmax(z, dim=2))
        delta[:, torch.arange(len(y)), y] -= 1
        return delta

    def first_non_finite_layer(self, network: int, x: Tensor) -> int:
        """Return the first layer (from 1) at which one network's pre-activation of x (B, D) is not finite.

        Returns the output layer where all are finite: another engine's rounding met the overflow there.
        """
        h = x
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            z = torch.addmm(bias[network], h, weight[network])
            if not torch.isfinite(z).all() or layer == len(self.weights):
                return layer
            if layer <= len(self.norms):
                norm = self.norms[layer - 1]
                z = (normalize(z[None])[0].z * norm.gamma[network] + norm.beta[network])[0]
            h = self.activations[layer - 1].phi(z)
        raise AssertionError("the loop returns at the output layer")
