"""Initializers that look at data: LSUV, GradInit and MetaInit rescale weights that a scheme has drawn.

All see one fixed calibration batch of the training data and nothing else, draw from a stream of their own, and count
what they cost. A network is calibrated alone, in float64, so its numbers depend on no other. Where a signal is zero or
not finite a scale is left as it is: a scheme that cannot be saved shows in the study, and not as an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import isfinite, sqrt

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from winit import schemes
from winit.engine.activations import activation_of
from winit.engine.regularization import EPSILON

CALIBRATION_EXAMPLES = 512  # of the training data; all of them, if there are fewer

# LSUV: Mishkin & Matas 2016, algorithm 1, with the tolerance and the limit of the authors' Caffe code.
LSUV_TOLERANCE, LSUV_ROUNDS = 0.02, 20
# GradInit: Zhu et al. 2021, algorithm 1, with the defaults of the authors' code.
GRADINIT_STEPS, GRADINIT_RATE, GRADINIT_STEP_SIZE, GRADINIT_NORM, GRADINIT_LEAST = 390, 1e-3, 0.1, 1.0, 0.01
# MetaInit: Dauphin & Schoenholz 2019, appendix (the authors' listing).
METAINIT_STEPS, METAINIT_RATE, METAINIT_MOMENTUM, METAINIT_EPSILON = 500, 0.1, 0.9, 1e-5


@dataclass
class Cost:
    """What a calibration has cost: seconds, and passes, each of them one mini-batch forward or back."""

    time_s: float = 0.0
    forward: float = 0.0
    backward: float = 0.0


@dataclass
class CalibratedNetwork:
    """One network under calibration, its batch and its random stream.

    Attributes:
        weights: (fan_in, fan_out) of every layer.
        biases: (fan_out,) of every layer.
        activation: of the hidden layers, by name.
        x, y: the calibration batch, (N, D) float64 and (N,).
        batch_size: of the mini-batches that GradInit and MetaInit draw from it.
        rng: their stream.
        batch_norm: whether the hidden layers are normalized, with the statistics of whatever batch is seen.
        uses_sign: whether training takes Adam's steps, whose first is the sign of the gradient.
    """

    weights: list[Tensor]
    biases: list[Tensor]
    activation: str
    x: Tensor
    y: Tensor
    batch_size: int
    rng: np.random.Generator
    batch_norm: bool = False
    uses_sign: bool = False
    cost: Cost = field(default_factory=Cost)

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def draw(self) -> Tensor:
        """Return the indices of half a mini-batch from the calibration batch, at least one."""
        return torch.from_numpy(self.rng.integers(len(self.y), size=max(self.batch_size // 2, 1)))

    def hidden(self, z: Tensor) -> Tensor:
        """Return what a hidden layer makes of its pre-activations (N, n)."""
        if self.batch_norm:
            centred = z - z.mean(dim=0)
            z = centred / (centred.square().mean(dim=0) + EPSILON).sqrt()
        return activation_of(self.activation).function(z)

    def loss(self, parameters: Sequence[Tensor], examples: Tensor) -> Tensor:
        """Return the mean cross-entropy of some examples under these weights and biases."""
        layers = len(parameters) // 2
        h = self.x[examples]
        for i in range(layers):
            z = h @ parameters[i] + parameters[layers + i]
            h = self.hidden(z) if i < layers - 1 else z
        self.cost.forward += len(examples) / self.batch_size
        return functional.cross_entropy(h, self.y[examples])

    def gradient(self, of: Tensor, by: Sequence[Tensor], examples: Tensor, graph: bool = False) -> tuple[Tensor, ...]:
        """Return the gradient of something that was computed from some examples; counted as a pass back."""
        self.cost.backward += len(examples) / self.batch_size
        gradients = torch.autograd.grad(of, by, create_graph=graph, allow_unused=True)
        return tuple(torch.zeros_like(p) if g is None else g for g, p in zip(gradients, by, strict=True))


def lsuv(network: CalibratedNetwork) -> None:
    """Give the pre-activations of every layer variance 1 on the calibration batch, from the first layer to the last.

        W ← W/√Var(z), until |Var(z) − 1| < 0.02 or 20 times

    Biases stay as they are. The scheme that it is applied to is the start; the paper's is orthogonal.

    Source: Mishkin & Matas 2016, arXiv:1511.06422, algorithm 1.
    """
    h = network.x
    operations = [w.numel() for w in network.weights]
    for weights, biases in zip(network.weights, network.biases, strict=True):
        share = weights.numel() / sum(operations) * len(h) / network.batch_size
        z = h @ weights + biases
        network.cost.forward += share
        for _ in range(LSUV_ROUNDS):
            variance = z.var(correction=0).item()
            if abs(variance - 1) < LSUV_TOLERANCE or not isfinite(variance) or variance < 1e-300:
                break
            weights.div_(sqrt(variance))
            z = h @ weights + biases
            network.cost.forward += share
        h = network.hidden(z)


def gradinit(network: CalibratedNetwork) -> None:
    """Learn one factor m for each tensor so that a first step of training lowers the loss as far as it can.

        min over m of L̃(m∘θ − η A(g))/η  subject to ‖g‖ ≤ 1,   g = ∇L(m∘θ), η = 0.1

    A(g) is g, and the norm the 2-norm, for SGD; for Adam sign(g) and the 1-norm. L̃ is the loss of another mini-batch,
    half of which is new. Where the norm is too large, a step lowers the norm instead. 390 steps of Adam on m, at a rate
    of 10⁻³, so a factor can hardly leave 0.6 to 1.4; weights' factors stay above 0.01.

    Source: Zhu et al. 2021, arXiv:2102.08098, algorithm 1. As in the authors' code g is a constant in L̃'s derivative.
    """
    start, layers = [p.clone() for p in network.parameters], len(network.weights)
    scales = torch.ones(len(start), dtype=torch.float64)
    mean, square = torch.zeros_like(scales), torch.zeros_like(scales)
    for step in range(1, GRADINIT_STEPS + 1):
        kept, other, new = network.draw(), network.draw(), network.draw()
        m = scales.clone().requires_grad_()
        scaled = [a * p for a, p in zip(m, start, strict=True)]
        first = torch.cat([kept, other])
        gradients = network.gradient(network.loss(scaled, first), scaled, first, graph=True)
        size = torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients]), 1 if network.uses_sign else 2)
        if size.item() > GRADINIT_NORM:
            (slope,) = network.gradient(size, [m], first)
        else:
            direction = [(g.sign() if network.uses_sign else g).detach() for g in gradients]
            moved = [p - GRADINIT_STEP_SIZE * d for p, d in zip(scaled, direction, strict=True)]
            second = torch.cat([kept, new])
            (slope,) = network.gradient(network.loss(moved, second) / GRADINIT_STEP_SIZE, [m], second)
        if not torch.isfinite(slope).all():
            break
        slope = slope.clamp(-1, 1)
        mean.lerp_(slope, 0.1)
        square.lerp_(slope.square(), 0.001)
        scales -= GRADINIT_RATE * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
        scales[:layers].clamp_(min=GRADINIT_LEAST)
        scales[layers:].clamp_(min=0.0)
    for parameter, scale in zip(network.parameters, scales.tolist(), strict=True):
        parameter.mul_(scale)


def gradient_quotient(network: CalibratedNetwork, parameters: Sequence[Tensor], examples: Tensor) -> Tensor:
    """Return how much a gradient step changes the gradient, per parameter: (1/P) ‖(g − Hg)/(g + ε) − 1‖₁.

    ε = 10⁻⁵ has the sign of g. Source: Dauphin & Schoenholz 2019, eq. 2.
    """
    gradients = network.gradient(network.loss(parameters, examples), parameters, examples, graph=True)
    half_square = reduce(torch.add, [g.square().sum() for g in gradients]) / 2
    products = network.gradient(half_square, parameters, examples, graph=True)  # H g
    changes = [
        ((g - hg) / (g + METAINIT_EPSILON * torch.where(g >= 0, 1.0, -1.0)) - 1).abs().sum()
        for g, hg in zip(gradients, products, strict=True)
    ]
    return reduce(torch.add, changes) / sum(p.numel() for p in parameters)


def metainit(network: CalibratedNetwork) -> None:
    """Learn the norm of each weight matrix by 500 signed gradient steps, with momentum, on the gradient quotient.

        v ← 0.9 v − 0.1 sign(∂GQ/∂‖W‖),   ‖W‖ ← ‖W‖ + v

    Source: Dauphin & Schoenholz 2019, MetaInit, the authors' listing; with mini-batches of training data where the
    listing has noise.
    """
    velocities = [0.0] * len(network.weights)
    for _ in range(METAINIT_STEPS):
        examples = torch.cat([network.draw(), network.draw()])
        parameters = [p.clone().requires_grad_() for p in network.parameters]
        weights = parameters[: len(network.weights)]
        slopes = network.gradient(gradient_quotient(network, parameters, examples), weights, examples)
        if not all(torch.isfinite(s).all() for s in slopes):
            break
        for i, (w, slope) in enumerate(zip(network.weights, slopes, strict=True)):
            norm = w.norm().item()
            if norm:
                velocities[i] = METAINIT_MOMENTUM * velocities[i] - METAINIT_RATE * torch.sign((w * slope).sum()).item()
                w.mul_((norm + velocities[i]) / norm)


Layers = list[tuple[np.ndarray, np.ndarray]]  # weights (fan_in, fan_out) and biases (fan_out,) of each
METHODS: dict[str, Callable[[CalibratedNetwork], None]] = {"lsuv": lsuv, "gradinit": gradinit, "metainit": metainit}


@dataclass
class Calibration:
    """The calibration batch of a workload, and how its networks look at it."""

    x: Tensor
    y: Tensor
    activation: str
    batch_size: int
    batch_norm: bool = False
    uses_sign: bool = False
    done: dict[tuple[str, int], tuple[Layers, Cost]] = field(default_factory=dict, repr=False)

    def __call__(self, initializer: str, layers: Layers, source: int) -> tuple[Layers, Cost]:
        """Apply an initializer's data-dependent modifiers to the layers that it has drawn, once for all learning rates.

        Args:
            initializer: with its modifiers.
            layers: weights (fan_in, fan_out) and biases (fan_out,) of every layer, float64.
            source: the seed of the network's calibration stream.

        Returns:
            The layers calibrated, and the cost; the layers as they are and no cost where nothing looks at data.
        """
        modifiers = [m for m in schemes.parse(initializer).modifiers if m in METHODS]
        if not modifiers:
            return layers, Cost()
        if (initializer, source) in self.done:
            return self.done[initializer, source]
        started = time.perf_counter()
        # Copied, because torch aligns its memory and numpy does not.
        weights, biases = ([torch.tensor(part) for part in parts] for parts in zip(*layers, strict=True))
        network = CalibratedNetwork(
            weights, biases, self.activation, self.x, self.y, self.batch_size,
            np.random.default_rng(source), self.batch_norm, self.uses_sign,
        )  # fmt: skip
        for modifier in modifiers:
            METHODS[modifier](network)
        network.cost.time_s = time.perf_counter() - started
        calibrated = [(w.numpy(), b.numpy()) for w, b in zip(weights, biases, strict=True)]
        self.done[initializer, source] = calibrated, network.cost
        return self.done[initializer, source]
