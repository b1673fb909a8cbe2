"""Corruption of the inputs of denoising autoencoders in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from winit.engine.alignment import aligned
from winit.vocabulary.factors import CORRUPTIONS


@dataclass(frozen=True)
class Corruption:
    """A kind of corruption and its amount.

    `masking` sets a share of the inputs to 0; `gaussian` adds noise. `amount` is the share or the standard deviation of the
    noise.

    Raises:
        ValueError: the kind is unknown, or the amount is out of range.

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


class InputNoise:
    """Corrupts the mini-batches of K networks, each with its own random stream.

    Args:
        corruption: its kind and amount.
        seeds: of each network's stream. Networks with the same seed see the same corruption.
    """

    def __init__(self, corruption: Corruption, seeds: Sequence[int]) -> None:
        self.corruption, self.seeds = corruption, list(seeds)
        self._streams = {seed: NoiseStream(corruption, seed) for seed in self.seeds}
        self._corrupted = torch.empty(0)

    def corrupted(self, x: Tensor) -> Tensor:
        """Return the inputs (K, B, D) of one step with new corruption. The next call overwrites them."""
        apply = torch.mul if self.corruption.kind == "masking" else torch.add
        noise = {seed: stream.take(1, x.shape[1:])[0].to(x) for seed, stream in self._streams.items()}
        if self._corrupted.shape != x.shape:
            self._corrupted = aligned(x.shape, like=x)
        for k, seed in enumerate(self.seeds):
            apply(x[k], noise[seed], out=self._corrupted[k])
        return self._corrupted

    def keep(self, networks: Tensor) -> None:
        """Drop all networks except these, whose streams continue."""
        self.seeds = [self.seeds[k] for k in networks.tolist()]
        self._streams = {seed: self._streams[seed] for seed in self.seeds}


class NoiseStream:
    """The noise of one seed: factors (masking) or summands (Gaussian) of the inputs.

    It is drawn for several steps at once, and Gaussian noise with torch's vectorized generator, because drawing takes a large
    part of the time of a step of small layers. The share of a mask is accurate to 2⁻¹⁶.
    """

    STEPS = 16

    def __init__(self, corruption: Corruption, seed: int) -> None:
        self.corruption, self.left = corruption, 0
        self.bits = np.random.default_rng(seed)
        self.normal = torch.Generator().manual_seed(seed)

    def take(self, steps: int, shape: Sequence[int]) -> Tensor:
        """Return the noise (steps, B, D) of the next steps, of shape (B, D) each."""
        parts = []
        while steps:
            if not self.left:
                self.left, self.block = self.STEPS, self._draw((self.STEPS, *shape))
            count = min(steps, self.left)
            parts.append(self.block[self.left - count : self.left].flip(0))  # from its end
            self.left, steps = self.left - count, steps - count
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _draw(self, size: Sequence[int]) -> Tensor:
        if self.corruption.kind == "gaussian":
            return torch.empty(size).normal_(0, self.corruption.amount, generator=self.normal)
        threshold = round(self.corruption.amount * 2**16)
        kept = self.bits.integers(0, 2**16, size, dtype=np.uint16) >= threshold
        return torch.from_numpy(kept.astype(np.float32))
