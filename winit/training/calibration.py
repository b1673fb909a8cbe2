"""Data-dependent initializers rescale the weights drawn by a scheme, and some set the biases.

All of them use one fixed calibration batch of the training data, have their own random stream, and count their cost. Each
network is calibrated separately, in float64, so its numbers do not depend on other networks. If a signal is zero or not
finite, the scale is left unchanged: the failure shows up in the results of the study, not as an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from math import inf, isfinite, sqrt

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from winit import schemes
from winit.engine.activations import activation_of
from winit.engine.regularization import EPSILON

LEAST_SIGNAL = 1e-150  # its square is still a normal number
CALIBRATION_EXAMPLES = 512  # training examples, or all of them if there are fewer

# LSUV: Mishkin & Matas 2016, algorithm 1, with the tolerance and the limit of the authors' Caffe code.
LSUV_TOLERANCE, LSUV_ROUNDS = 0.02, 20
# MetaInit: Dauphin & Schoenholz 2019, appendix (the authors' listing).
METAINIT_STEPS, METAINIT_RATE, METAINIT_MOMENTUM, METAINIT_EPSILON = 500, 0.1, 0.9, 1e-5


@dataclass(frozen=True)
class GradInitSettings:
    """The settings of GradInit, named as in the authors' code.

    Attributes:
        iters: steps on the factors.
        lr, beta2: of Adam for these steps.
        eta: size η of the training step that the factors are optimized for.
        gamma: bound γ on the norm of the gradient.
        grad_clip: largest derivative with respect to a factor.
    """

    iters: int
    lr: float
    beta2: float
    eta: float
    gamma: float
    grad_clip: float


# Zhu et al. 2021, the scripts of the authors' code: for SGD those of VGG-19, their network without skip connections
# (run_gradinit.sh); for Adam that of the transformer (run_iwslt_14_gradinit_no_clipping.sh, γ by default).
GRADINIT_SGD = GradInitSettings(iters=390, lr=1e-2, beta2=0.999, eta=0.1, gamma=1.0, grad_clip=1.0)
GRADINIT_SGD_BATCH_NORM = replace(GRADINIT_SGD, lr=0.1)
GRADINIT_ADAM = GradInitSettings(iters=780, lr=2.5e-3, beta2=0.98, eta=1e-3, gamma=1000.0, grad_clip=inf)
GRADINIT_BETA1, GRADINIT_EPSILON, GRADINIT_LEAST = 0.9, 1e-8, 0.01  # the last one is the smallest factor on weights


@dataclass
class Cost:
    """The cost of a calibration: seconds, and forward and backward passes of one mini-batch each."""

    time_s: float = 0.0
    forward: float = 0.0
    backward: float = 0.0


@dataclass
class CalibratedNetwork:
    """One network during calibration, with its batch and its random stream.

    Attributes:
        weights: (fan_in, fan_out) of every layer.
        biases: (fan_out,) of every layer.
        activation: of the hidden layers, by name.
        x, y: the calibration batch, (N, D) float64 and (N,).
        batch_size: of the mini-batches that GradInit and MetaInit draw from it.
        rng: random stream of the mini-batches.
        batch_norm: whether hidden layers have batch normalization, with the statistics of the current batch.
        uses_sign: whether training uses Adam, whose first step is the sign of the gradient.
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

    def normalized(self, z: Tensor) -> Tensor:
        """Return the arguments of φ for the pre-activations of a hidden layer (N, n)."""
        if not self.batch_norm:
            return z
        centred = z - z.mean(dim=0)
        return centred / (centred.square().mean(dim=0) + EPSILON).sqrt()

    def hidden(self, z: Tensor) -> Tensor:
        """Return the outputs of a hidden layer for its pre-activations (N, n)."""
        return activation_of(self.activation).function(self.normalized(z))

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
        """Return the gradient of a value computed from some examples, and count it as a backward pass."""
        self.cost.backward += len(examples) / self.batch_size
        gradients = torch.autograd.grad(of, by, create_graph=graph, allow_unused=True)
        return tuple(torch.zeros_like(p) if g is None else g for g, p in zip(gradients, by, strict=True))


def lsuv(network: CalibratedNetwork) -> None:
    """Give the pre-activations of every layer variance 1 on the calibration batch, from the first layer to the last.

        W ← W/√Var(z), until |Var(z) − 1| < 0.02 or 20 times

    Biases are not changed. Without biases, as in the paper and the authors' code, the variance is over units and examples.
    Random biases alone can have a variance above 1 over units, which no weights can reduce. With biases, the variance is
    therefore over examples, mean over units. It depends only on the weights, so one correction is exact. LSUV starts from
    the scheme that it is applied to, which is orthogonal in the paper.

    Source: Mishkin & Matas 2016, arXiv:1511.06422, algorithm 1.
    """
    h = network.x
    operations = [w.numel() for w in network.weights]
    has_biases = any(bool(b.any()) for b in network.biases)
    for weights, biases in zip(network.weights, network.biases, strict=True):
        share = weights.numel() / sum(operations) * len(h) / network.batch_size
        z = h @ weights + biases
        network.cost.forward += share
        for _ in range(LSUV_ROUNDS):
            variance = (z.var(dim=0, correction=0).mean() if has_biases else z.var(correction=0)).item()
            if abs(variance - 1) < LSUV_TOLERANCE or not isfinite(variance) or variance < 1e-300:
                break
            weights.div_(sqrt(variance))
            z = h @ weights + biases
            network.cost.forward += share
        h = network.hidden(z)


def unit_norm(network: CalibratedNetwork) -> None:
    """Give the pre-activations of every unit mean 0 and variance 1 on the calibration batch, from the first layer to the last.

        w_j ← w_j/σ_j,   b_j ← −μ_j/σ_j,   μ_j and σ_j of Σ_i w_ij h_i over examples

    Units without a signal are not changed. In the paper w_j is drawn from N(0, 0.05²); its length has no influence.

    Source: Salimans & Kingma 2016, arXiv:1602.07868, the initialization of weight normalization.
    """
    h = network.x
    for weights, biases in zip(network.weights, network.biases, strict=True):
        z = h @ weights
        size = z.std(dim=0, correction=0)
        has_signal = torch.isfinite(size) & (size > LEAST_SIGNAL)
        scale = torch.where(has_signal, size, 1.0)
        biases.copy_(torch.where(has_signal, -z.mean(dim=0) / scale, biases))
        weights.div_(scale)
        h = network.hidden(h @ weights + biases)
    network.cost.forward += 2 * len(h) / network.batch_size


def unit_jacobian(network: CalibratedNetwork) -> None:
    """Give the Jacobian of every layer but the first a mean square of 1 on the calibration batch, from the second to the last.

        W ← W/√J,   J = 1/fan_out Σ_ij w_ij² E[φ′(z_i)²]

    z are the pre-activations of the layer below. J is the factor by which the layer changes the mean square of gradients.
    With batch normalization, its statistics count as constants.

    Source: He, Doshi & Gromov 2022, arXiv:2206.13568, for the Jacobian between layers; each is corrected at once here.
    """
    h = network.x
    slopes: Tensor | None = None
    for weights, biases in zip(network.weights, network.biases, strict=True):
        if slopes is not None:
            square = (weights.square() * slopes[:, None]).sum().item() / weights.shape[1]
            if isfinite(square) and square > LEAST_SIGNAL**2:
                weights.div_(sqrt(square))
        z = h @ weights + biases
        u = network.normalized(z).requires_grad_()
        h = activation_of(network.activation).function(u)
        (slope,) = torch.autograd.grad(h.sum(), u)
        if network.batch_norm:
            slope = slope / (z.var(dim=0, correction=0) + EPSILON).sqrt()
        slopes, h = slope.square().mean(dim=0), h.detach()
    network.cost.forward += len(h) / network.batch_size


class AdamMoments:
    """Adam's moments and steps for some numbers."""

    def __init__(self, size: int, beta2: float) -> None:
        self.mean, self.square = torch.zeros(2, size, dtype=torch.float64)
        self.beta2, self.steps = beta2, 0

    def step(self, slope: Tensor) -> Tensor:
        """Return Adam's step for a derivative, at rate 1."""
        self.steps += 1
        self.mean.lerp_(slope, 1 - GRADINIT_BETA1)
        self.square.lerp_(slope.square(), 1 - self.beta2)
        size = (self.square / (1 - self.beta2**self.steps)).sqrt() + GRADINIT_EPSILON
        return self.mean / (1 - GRADINIT_BETA1**self.steps) / size


def gradinit_settings(batch_norm: bool, uses_sign: bool) -> GradInitSettings:
    """Return the authors' settings for networks with or without batch normalization, and for SGD or Adam."""
    if uses_sign:
        return GRADINIT_ADAM
    return GRADINIT_SGD_BATCH_NORM if batch_norm else GRADINIT_SGD


def gradinit(network: CalibratedNetwork, settings: GradInitSettings | None = None) -> None:
    """Learn one factor m for each tensor to minimize the loss after the first training step.

        min over m of L̃(m∘θ − η A(g))/η  subject to ‖g‖ ≤ γ,   g = ∇L(m∘θ)

    For SGD, A(g) is g/‖g‖ with the 2-norm; for Adam, sign(g) with the 1-norm. L̃ is the loss of another mini-batch, half of
    which is new. If the norm is too large, a step reduces the norm instead, with separate moments. The steps on m use Adam.
    Factors on weights stay above 0.01, and a bias whose factor has reached 0 stays 0.

    Args:
        network: its weights and biases are multiplied by the learned factors.
        settings: those of the authors by default.

    Source: Zhu et al. 2021, arXiv:2102.08098, algorithm 1. As in the authors' code, A(g) is treated as a constant in the derivative of L̃.
    """
    settings = settings or gradinit_settings(network.batch_norm, network.uses_sign)
    start, layers = [p.clone() for p in network.parameters], len(network.weights)
    scales = torch.ones(len(start), dtype=torch.float64)
    towards_loss, towards_bound = (AdamMoments(len(start), settings.beta2) for _ in range(2))
    for _ in range(settings.iters):
        kept, other, new = network.draw(), network.draw(), network.draw()
        m = scales.clone().requires_grad_()
        scaled = [a * p for a, p in zip(m, start, strict=True)]
        first = torch.cat([kept, other])
        gradients = network.gradient(network.loss(scaled, first), scaled, first, graph=True)
        size = torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients]), 1 if network.uses_sign else 2)
        if size.item() > settings.gamma:
            moments = towards_bound
            (slope,) = network.gradient(size, [m], first)
        else:
            moments = towards_loss
            steps = [(g.sign() if network.uses_sign else g / size).detach() for g in gradients]
            moved = [p - settings.eta * step for p, step in zip(scaled, steps, strict=True)]
            second = torch.cat([kept, new])
            (slope,) = network.gradient(network.loss(moved, second) / settings.eta, [m], second)
        if not torch.isfinite(slope).all():
            break
        change = settings.lr * moments.step(slope.clamp(-settings.grad_clip, settings.grad_clip))
        scales = torch.where(scales > 0, scales - change, scales)
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

    Source: Dauphin & Schoenholz 2019, MetaInit, the authors' listing; with mini-batches of training data instead
    of noise.
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
METHODS: dict[str, Callable[[CalibratedNetwork], None]] = {
    "lsuv": lsuv,
    "unit_norm": unit_norm,
    "unit_jacobian": unit_jacobian,
    "gradinit": gradinit,
    "metainit": metainit,
}


@dataclass
class Calibration:
    """The calibration batch of a workload, and the properties of its networks."""

    x: Tensor
    y: Tensor
    activation: str
    batch_size: int
    batch_norm: bool = False
    uses_sign: bool = False
    done: dict[tuple[str, int], tuple[Layers, Cost]] = field(default_factory=dict, repr=False)

    def __call__(self, initializer: str, layers: Layers, source: int) -> tuple[Layers, Cost]:
        """Apply the data-dependent modifiers of an initializer to its drawn layers, once for all learning rates.

        Args:
            initializer: with its modifiers.
            layers: weights (fan_in, fan_out) and biases (fan_out,) of every layer, float64.
            source: the seed of the network's calibration stream.

        Returns:
            The calibrated layers and the cost, or the given layers and no cost if no modifier uses data.
        """
        modifiers = [m for m in schemes.parse(initializer).modifiers if m in METHODS]
        if not modifiers:
            return layers, Cost()
        if (initializer, source) in self.done:
            return self.done[initializer, source]
        started = time.perf_counter()
        # Copy, because torch aligns its memory and numpy does not.
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
