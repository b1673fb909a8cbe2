"""A stack of K restricted Boltzmann machines, trained by contrastive divergence.

Visible units v (V of them) and hidden units h (H) have the energy

    binary visible:    −b·v                     Gaussian visible:  ½|v − b|²
    binary hidden:     −c·h                     linear hidden:     ½|h − c|²
    and always:        −vᵀWh

and p(v, h) ∝ exp(−E). Gaussian and linear units have variance 1. Given the other side, units of one side are
independent: binary units are 1 with probability σ(·), Gaussian and linear units are N(·, 1), with · = c + Wᵀv or b + Wh.

Sources: Hinton 2002 (contrastive divergence); Hinton & Salakhutdinov 2006 and the authors' code, whose recipe gives the
defaults of `RBM.step`; Hinton 2010, A practical guide to training restricted Boltzmann machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from winit.engine.alignment import align, aligned, product
from winit.vocabulary.factors import VISIBLE

HIDDEN = ("binary", "linear")


class ContrastiveStatistics(NamedTuple):
    """The contrastive divergence of one mini-batch.

    Attributes:
        weights, visible, hidden: data statistics minus model statistics, (K, V, H), (K, 1, V), (K, 1, H): the ascent
            directions of W, b and c, mean over the examples.
        reconstruction: squared error of the visible units, summed over units, mean over examples, (K,).
    """

    weights: Tensor
    visible: Tensor
    hidden: Tensor
    reconstruction: Tensor


class RBM:
    """K restricted Boltzmann machines of one shape.

    Args:
        weights: W (K, V, H).
        visible_biases: b (K, 1, V).
        hidden_biases: c (K, 1, H).
        seeds: of the random stream of each machine. Machines with the same seed see the same noise.
        visible: `binary`, for values between 0 and 1, or `gaussian`.
        hidden: `binary` or `linear`.

    Raises:
        ValueError: a kind of units is unknown.
    """

    def __init__(
        self,
        weights: Tensor,
        visible_biases: Tensor,
        hidden_biases: Tensor,
        seeds: Sequence[int],
        visible: str = "binary",
        hidden: str = "binary",
    ) -> None:
        for side, given, allowed in (("visible", visible, VISIBLE), ("hidden", hidden, HIDDEN)):
            if given not in allowed:
                raise ValueError(f"{side} units: got '{given}'; choose from {', '.join(allowed)}")
        self.weights, self.visible_biases, self.hidden_biases = map(align, (weights, visible_biases, hidden_biases))
        self.visible, self.hidden, self.seeds = visible, hidden, list(seeds)
        self._streams = {seed: np.random.default_rng(seed) for seed in self.seeds}
        self._velocities = [aligned(p.shape, like=p).zero_() for p in self.parameters]

    @property
    def parameters(self) -> list[Tensor]:
        """W, b and c."""
        return [self.weights, self.visible_biases, self.hidden_biases]

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Return inputs (N, V) in the form that `advance` needs."""
        return x

    def hidden_mean(self, v: Tensor) -> Tensor:
        """Return E[h | v] (K, B, H) of visible units (K, B, V)."""
        total = product(v, self.weights, self.hidden_biases)
        return total.sigmoid_() if self.hidden == "binary" else total

    def visible_mean(self, h: Tensor) -> Tensor:
        """Return E[v | h] (K, B, V) of hidden units (K, B, H)."""
        total = product(h, self.weights.mT, self.visible_biases)
        return total.sigmoid_() if self.visible == "binary" else total

    def free_energy(self, v: Tensor) -> Tensor:
        """Return F(v) (K, B), with p(v) ∝ exp(−F(v)): the energy with the hidden units summed or integrated out.

        binary hidden: −Σ log(1 + exp(c + Wᵀv)),   linear hidden: −c·Wᵀv − ½|Wᵀv|²,   plus the term of the visible units
        """
        own = -(v * self.visible_biases).sum(dim=2)
        if self.visible == "gaussian":
            own = (v - self.visible_biases).square().sum(dim=2) / 2
        drive = product(v, self.weights)
        if self.hidden == "binary":
            return own - softplus(drive + self.hidden_biases).sum(dim=2)
        return own - (drive * self.hidden_biases).sum(dim=2) - drive.square().sum(dim=2) / 2

    def loss(self, x: Tensor) -> Tensor:
        """Return the squared error (K,) of visible units x (N, V), or (K, N, V), and their means given the hidden means.

        It is summed over units and averaged over the examples.
        """
        v = x.expand(len(self.weights), -1, -1)  # (K, N, V)
        away = self.visible_mean(self.hidden_mean(v)) - v
        # One network at a time, because the bits of a sum over a stack depend on the stack.
        return torch.stack([one.square().sum() for one in away]) / v.shape[1]

    def _sample(self, mean: Tensor, kind: str) -> Tensor:
        """Draw units of a kind from their means (K, B, n), each machine with its own stream."""
        _, batch, units = mean.shape
        drawn = {
            seed: (stream.random if kind == "binary" else stream.standard_normal)((batch, units), dtype=np.float32)
            for seed, stream in self._streams.items()
        }
        noise = aligned(mean.shape, like=mean).copy_(torch.from_numpy(np.stack([drawn[s] for s in self.seeds])))
        return noise.lt_(mean) if kind == "binary" else noise.add_(mean)

    def contrast(self, v: Tensor, steps: int = 1, samples_visible: bool = False) -> ContrastiveStatistics:
        """Return the contrastive divergence CD-k of a mini-batch.

        Hidden units are sampled, visible units are set to their means, and the last hidden units are means again, as in the
        code of Hinton & Salakhutdinov 2006. With `samples_visible` the chain is Gibbs sampling, whose model statistics
        become exact as k grows.

        Args:
            v: visible units (K, B, V), the data.
            steps: k, at least 1.
            samples_visible: whether to sample the visible units.
        """
        data_h = self.hidden_mean(v)
        h = data_h
        for _ in range(steps):
            model_v = self.visible_mean(self._sample(h, self.hidden))
            if samples_visible:
                model_v = self._sample(model_v, self.visible)
            h = self.hidden_mean(model_v)
        K, batch, _ = v.shape
        # Sums by products, one network at a time, because the bits of a sum over a stack depend on the stack.
        ones = aligned((K, 1, batch), like=v).fill_(1)
        away = align(v - model_v)
        return ContrastiveStatistics(
            (product(v.mT, data_h) - product(model_v.mT, h)) / batch,
            product(ones, away) / batch,
            product(ones, align(data_h - h)) / batch,
            torch.stack([one.square().sum() for one in away]) / batch,
        )

    def step(
        self, v: Tensor, rate: float, momentum: float = 0.5, weight_cost: float = 0.0002, steps: int = 1
    ) -> Tensor:
        """Take one step of contrastive divergence, and return the reconstruction errors (K,) before it.

            ΔW ← μ ΔW + η (⟨vh⟩_data − ⟨vh⟩_model − λW),   W ← W + ΔW;   biases likewise, without λ

        Args:
            v: visible units (K, B, V).
            rate: η; 0.1 for binary hidden units and 0.001 for linear ones in the code of Hinton & Salakhutdinov 2006.
            momentum: μ; 0.5 for the first five epochs there, then 0.9.
            weight_cost: λ.
            steps: k of CD-k.
        """
        statistics = self.contrast(v, steps)
        directions = [statistics.weights - weight_cost * self.weights, statistics.visible, statistics.hidden]
        for parameter, velocity, direction in zip(self.parameters, self._velocities, directions, strict=True):
            velocity.mul_(momentum).add_(direction, alpha=rate)
            parameter.add_(velocity)
        return statistics.reconstruction

    def advance(
        self,
        x: Tensor,
        order: Tensor,
        rate: float,
        momenta: Tensor,
        weight_cost: float = 0.0002,
        gibbs_steps: int = 1,
    ) -> None:
        """Take one step for each row of `order`.

        Args:
            x: all inputs (N, V).
            order: indices (steps, K, B) of the mini-batches.
            rate, weight_cost: η and λ.
            momenta: μ of each step, (steps,).
            gibbs_steps: k of CD-k.
        """
        for batch, momentum in zip(order, momenta.tolist(), strict=True):
            self.step(align(x[batch]), rate, momentum, weight_cost, gibbs_steps)
