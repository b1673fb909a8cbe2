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

from winit.engine.alignment import align, aligned, product
from winit.engine.engine import Given
from winit.engine.optimizers import Optimizer
from winit.engine.torch_stack import Stack
from winit.vocabulary.factors import CORRUPTIONS, LOSSES

EXAMPLES_AT_ONCE = 2000  # what is reconstructed of them would be large


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


class _Noise:
    """The corruption's stream of one seed: what inputs are multiplied with (masking) or what is added to them.

    Drawn for several steps at once, and for Gaussian noise by torch's vectorised generator: it is a large part of a step
    of small layers. A mask's share is exact to 2⁻¹⁶.
    """

    STEPS = 16

    def __init__(self, corruption: Corruption, seed: int) -> None:
        self.corruption, self.left = corruption, 0
        self.bits = np.random.default_rng(seed)
        self.normal = torch.Generator().manual_seed(seed)

    def next(self, shape: Sequence[int]) -> Tensor:
        """Return the noise of one step, of shape (B, D)."""
        if not self.left:
            self.left, size = self.STEPS, (self.STEPS, *shape)
            if self.corruption.kind == "masking":
                threshold = round(self.corruption.amount * 2**16)
                kept = self.bits.integers(0, 2**16, size, dtype=np.uint16) >= threshold
                self.block = torch.from_numpy(kept.astype(np.float32))
            else:
                self.block = torch.empty(size).normal_(0, self.corruption.amount, generator=self.normal)
        self.left -= 1
        return self.block[self.left]


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
        if corruption:
            self._noise = {seed: _Noise(corruption, seed) for seed in self.seeds}
            self._corrupted = aligned(self.size, batch_size, self.weights[0].shape[1], like=self.weights[0])

    def _inputs(self, x: Tensor) -> Tensor:
        if self.corruption is None:
            return align(x)
        drawn = {seed: noise.next(x.shape[1:]).to(x) for seed, noise in self._noise.items()}
        for k, seed in enumerate(self.seeds):
            if self.corruption.kind == "masking":
                torch.mul(x[k], drawn[seed], out=self._corrupted[k])
            else:
                torch.add(x[k], drawn[seed], out=self._corrupted[k])
        return self._corrupted

    def _error(self, y: Tensor) -> Tensor:
        if self.loss == "cross_entropy":
            self._logits.sigmoid_()
        return self._logits.sub_(y.mT).div_(self.batch_size)

    def keep(self, networks: Tensor) -> None:
        super().keep(networks)
        self.seeds = [self.seeds[k] for k in networks.tolist()] if self.seeds else []
        if self.corruption:
            self._corrupted = aligned(self.size, *self._corrupted.shape[1:], like=self._corrupted)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return what comes out (K, N, D), of the same inputs (N, D) in every network or of its own (K, N, D)."""
        z = self.predict(x)
        return z.sigmoid_() if self.loss == "cross_entropy" else z

    def reconstruction_error(self, x: Tensor) -> Tensor:
        """Return the squared error (K,), summed over the outputs and averaged over the examples: (N, D), or (K, N, D).

        The measure of Hinton & Salakhutdinov 2006, for pixels between 0 and 1.
        """
        parts = x.split(EXAMPLES_AT_ONCE, dim=-2)
        away = (self.reconstruct(part) - part for part in parts)
        # One network after the other: the bits of a sum over a stack depend on the stack.
        return sum(torch.stack([one.square_().sum() for one in stack]) for stack in away) / x.shape[-2]

    def output_delta(self, z: Tensor, y: Tensor) -> Tensor:
        """Return ∂ℓ/∂z of each example (K, N, D): output − target."""
        return (torch.sigmoid(z) if self.loss == "cross_entropy" else z) - y


class TiedAutoencoder(Autoencoder):
    """K autoencoders of one hidden layer whose decoder is the encoder transposed: x → φ(xW + b) → hWᵀ + c.

    Args:
        weights: W (K, D, n).
        biases, visible_biases: b (K, 1, n) and c (K, 1, D).
        The others are those of `Autoencoder`.

    Source: Vincent et al. 2010, §3.
    """

    def __init__(
        self, weights: Tensor, biases: Tensor, visible_biases: Tensor, *others: object, **options: object
    ) -> None:
        super().__init__([weights, weights.mT], [biases, visible_biases], *others, **options)

    @property
    def parameters(self) -> list[Tensor]:
        return [self.weights[0], *self.biases]

    def _allocate(self) -> None:
        self.weights[1] = self.weights[0].mT  # one tensor in two roles
        super()._allocate()

    def backward(self, x: Tensor, y: Tensor, rates: Tensor, trace: Tensor | None = None) -> None:
        rate = rates.reshape(-1, 1, 1)
        delta = self._error(y).mT
        self.optimizer.begin_step()
        below = self._back(0, delta, rate)
        of_weights = product(delta.mT, self._h[0], out=self._gradient[0])
        of_weights.add_(product(x.mT, below))
        gradients = [
            of_weights,
            *(product(self._ones, d, out=g) for d, g in zip((below, delta), self._gradient[1:], strict=True)),
        ]
        for index, (parameter, gradient) in enumerate(zip(self.parameters, gradients, strict=True)):
            self.optimizer.update(index, parameter, gradient, rate)
