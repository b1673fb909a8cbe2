"""Dropout and batch normalization of stacked networks, as in torch's training and evaluation modes.

A hidden layer with both computes dropout(φ(batch_norm(Wᵀh + b))), like a sequence of nn.Linear, nn.BatchNorm1d, φ and
nn.Dropout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from winit.engine.alignment import align, aligned

EPSILON = 1e-5  # nn.BatchNorm1d's defaults
MOVING = 0.1


class Normalized(NamedTuple):
    """Values of a batch normalization that its gradient needs: ẑ (K, B, n), 1/σ (K, 1, n)."""

    z: Tensor
    inverse: Tensor


def normalize(z: Tensor) -> tuple[Normalized, Tensor, Tensor]:
    """Return ẑ = (z − m)/√(v + ε) for z (K, B, n), with mean m and biased variance v of the batch, (K, 1, n) each.

    Source: Ioffe & Szegedy 2015, algorithm 1.
    """
    mean = z.mean(dim=1, keepdim=True)
    centred = aligned(z.shape, like=z).copy_(z).sub_(mean)
    variance = centred.square().mean(dim=1, keepdim=True)
    inverse = (variance + EPSILON).rsqrt_()
    return Normalized(centred.mul_(inverse), inverse), mean, variance


def normalize_backward(delta: Tensor, normalized: Normalized, gamma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return ∂L/∂z (K, B, n), ∂L/∂γ and ∂L/∂β (K, 1, n), given δ = ∂L/∂(γẑ + β).

        ∂L/∂z = γ/σ (δ − mean_B(δ) − ẑ mean_B(δẑ))

    Source: Ioffe & Szegedy 2015, §3.
    """
    weighted = delta * normalized.z
    of_gamma, of_beta = weighted.sum(dim=1, keepdim=True), delta.sum(dim=1, keepdim=True)
    size = delta.shape[1]
    below = aligned(delta.shape, like=delta).copy_(normalized.z).mul_(of_gamma / -size)
    return below.add_(delta).sub_(of_beta / size).mul_(gamma * normalized.inverse), of_gamma, of_beta


@dataclass
class BatchNorm:
    """Batch normalization of one layer of n units in K networks: y = γẑ + β, with moving statistics for evaluation.

    Attributes:
        gamma, beta: γ and β, (K, 1, n).
        mean, variance: the moving statistics, (K, 1, n).
    """

    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor

    @classmethod
    def fresh(cls, networks: int, units: int, like: Tensor) -> BatchNorm:
        """Return the initial batch normalization: γ = 1, β = 0, mean 0, variance 1."""
        return cls(*(aligned((networks, 1, units), like=like).fill_(value) for value in (1, 0, 0, 1)))

    def train_(self, z: Tensor) -> Normalized:
        """Replace z (K, B, n) by y, update the moving statistics, and return the values that the gradient needs."""
        normalized, mean, variance = normalize(z)
        self.mean.lerp_(mean, MOVING)
        size = z.shape[1]
        self.variance.lerp_(variance * (size / (size - 1)), MOVING)  # the moving variance is unbiased
        torch.mul(normalized.z, self.gamma, out=z).add_(self.beta)
        return normalized

    def evaluate_(self, z: Tensor) -> None:
        """Replace z (K, N, n) by y with the moving statistics."""
        z.sub_(self.mean).mul_((self.variance + EPSILON).rsqrt_() * self.gamma).add_(self.beta)

    def keep(self, networks: Tensor) -> None:
        """Drop all networks except these."""
        for name in ("gamma", "beta", "mean", "variance"):
            setattr(self, name, align(getattr(self, name)[networks]))


class Dropout:
    """Inverted dropout: in training, each unit is set to 0 with probability p and the others are multiplied by 1/(1 − p).

    Source: Srivastava et al. 2014, with scaling in training as in torch.

    Args:
        rate: p.
        seeds: of the random stream of each network. Networks with the same seed drop the same units, on any device and in
            any stack.
    """

    def __init__(self, rate: float, seeds: Sequence[int]) -> None:
        self.rate, self.seeds = rate, list(seeds)
        self._streams = {seed: np.random.default_rng(seed) for seed in self.seeds}

    def kept(self, *shape: int) -> dict[int, np.ndarray]:
        """Return which of the next units of each stream are kept: booleans of any shape, drawn row by row."""
        return {seed: stream.random(shape, dtype=np.float32) >= self.rate for seed, stream in self._streams.items()}

    def factors(self, batch: int, units: int, like: Tensor) -> Tensor:
        """Return the next factors (K, B, n), 0 or 1/(1 − p)."""
        drawn = {seed: np.float32(kept) / (1 - self.rate) for seed, kept in self.kept(batch, units).items()}
        each = torch.from_numpy(np.stack([drawn[seed] for seed in self.seeds]))
        return align(each.to(like))

    def keep(self, networks: Tensor) -> None:
        """Drop all networks except these, whose streams continue."""
        self.seeds = [self.seeds[k] for k in networks.tolist()]
        self._streams = {seed: stream for seed, stream in self._streams.items() if seed in set(self.seeds)}
