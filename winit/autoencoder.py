"""Autoencoders: the stacked network with its own input as the target, and with that input corrupted if wanted.

An encoder of one layer and its decoder is what greedy layerwise pretraining trains layer by layer (Bengio et al. 2007;
with corruption Vincent et al. 2010); a deep one is what Hinton & Salakhutdinov 2006 fine-tune.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from winit.memory import align, aligned
from winit.network import Given, Optimizer, Stack

LOSSES = ("squared_error", "cross_entropy")
CORRUPTIONS = ("masking", "gaussian")


@dataclass(frozen=True)
class Corruption:
    """What denoising autoencoders do to their inputs.

    `masking` sets a share of them to 0; `gaussian` adds noise of a standard deviation. `amount` is the one or the other.

    Source: Vincent et al. 2010, §3.3.
    """

    kind: str
    amount: float

    def __post_init__(self) -> None:
        if self.kind not in CORRUPTIONS:
            raise ValueError(f"corruption: got '{self.kind}'; choose from {', '.join(CORRUPTIONS)}")
        if not (self.amount >= 0 and (self.kind == "gaussian" or self.amount < 1)):
            allowed = "from 0 to below 1" if self.kind == "masking" else "at least 0"
            raise ValueError(f"corruption: got {self.amount:g} for {self.kind}; allowed is a number {allowed}")


class Autoencoder(Stack):
    """K autoencoders, trained together to give back what they are given.

        squared_error:  L = 1/(2B) Σ |z − x|²,  linear outputs
        cross_entropy:  L = −1/B Σ x log σ(z) + (1 − x) log(1 − σ(z)),  outputs σ(z), inputs between 0 and 1

    Both sum over the outputs and average over the B examples, and have ∂L/∂z = (output − x)/B. As `y` for `advance` goes
    what should come out: the inputs themselves.

    Args:
        weights, biases, activation, optimizer, batch_size: as for `Stack`. A code layer can be linear: one activation a
            hidden layer.
        loss: `squared_error` or `cross_entropy`.
        corruption: of the inputs in training, if any; new at every step.
        seeds: of the corruption's stream of each network. Those with the same seed see the same corruption.

    Raises:
        ValueError: an unknown loss.
    """

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], activation: Given | Sequence[Given],
        optimizer: Optimizer, batch_size: int, loss: str = "squared_error", corruption: Corruption | None = None,
        seeds: Sequence[int] = (),
    ) -> None:  # fmt: skip
        if loss not in LOSSES:
            raise ValueError(f"loss: got '{loss}'; choose from {', '.join(LOSSES)}")
        super().__init__(weights, biases, activation, optimizer, batch_size)
        self.loss, self.corruption, self.seeds = loss, corruption, list(seeds)
        self._streams = {seed: np.random.default_rng(seed) for seed in self.seeds}

    def _inputs(self, x: Tensor) -> Tensor:
        if self.corruption is None:
            return align(x)
        amount, shape = self.corruption.amount, x.shape[1:]
        masks = self.corruption.kind == "masking"
        drawn = {
            seed: stream.random(shape, dtype=np.float32) if masks else stream.standard_normal(shape, dtype=np.float32)
            for seed, stream in self._streams.items()
        }
        noise = aligned(*x.shape, like=x).copy_(torch.from_numpy(np.stack([drawn[seed] for seed in self.seeds])))
        return noise.ge_(amount).mul_(x) if masks else noise.mul_(amount).add_(x)

    def _error(self, y: Tensor) -> Tensor:
        if self.loss == "cross_entropy":
            self._logits.sigmoid_()
        return self._logits.sub_(y.mT).div_(self.batch_size)

    def keep(self, networks: Tensor) -> None:
        super().keep(networks)
        self.seeds = [self.seeds[k] for k in networks.tolist()] if self.seeds else []

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return what comes out (K, N, D) for the same inputs (N, D) in every network."""
        z = self.predict(x)
        return z.sigmoid_() if self.loss == "cross_entropy" else z

    def reconstruction_error(self, x: Tensor) -> Tensor:
        """Return the squared error, summed over the outputs and averaged over the examples x (N, D): (K,).

        The measure of Hinton & Salakhutdinov 2006, for pixels between 0 and 1.
        """
        return (self.reconstruct(x) - x).square().sum(dim=2).mean(dim=1)
