"""Batch normalization and dropout in the kernel: parameters and masks in the layout of its machine code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from winit.engine.kernel.emit import padded
from winit.engine.kernel.memory import chosen, zeros
from winit.engine.kernel.rows import BETA, GAMMA, MEAN, VARIANCE
from winit.engine.regularization import EPSILON, BatchNorm, Dropout

DRAWN_AT_ONCE = 4 << 20  # random numbers
MASK_BITS_AT_ONCE = 1 << 29  # of one network: 64 MiB


class Norms:
    """Batch normalization of the hidden layers of K networks.

    Args:
        networks, hidden, width: K, the number of hidden layers, and their normalized units, 0 for none.
        states: number of arrays that the optimizer keeps for each parameter.

    Attributes:
        arrays: γ, β, moving mean and variance by layer, (K, 4, units padded).
        state: of the optimizer, by kind and layer: (K, 2, units padded), for γ and β.
    """

    def __init__(self, networks: int, hidden: int, width: int, states: int) -> None:
        self._width = width
        self.arrays = [zeros(networks, 4, padded(width)) for _ in range(hidden)]
        for array in self.arrays:
            array[:, [GAMMA, VARIANCE], :width] = 1
        self.state = [[zeros(networks, 2, padded(width)) for _ in range(hidden)] for _ in range(states)]

    def views(self) -> list[BatchNorm | None]:
        """Return the batch normalization of every layer, as views of the arrays; None if there is none."""
        if not self._width:
            return [None] * len(self.arrays)
        rows = [torch.from_numpy(array)[:, :, : self._width] for array in self.arrays]
        return [BatchNorm(*(row[:, i : i + 1] for i in (GAMMA, BETA, MEAN, VARIANCE))) for row in rows]

    def keep(self, networks: Tensor) -> None:
        """Drop all networks except these."""
        self.arrays = chosen(self.arrays, networks)
        self.state = [chosen(arrays, networks) for arrays in self.state]

    def folded(self, parameters: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Return parameters without batch normalization that are equivalent to these networks in evaluation.

            γ(Wᵀh + b − m)/√(v + ε) + β = (sW)ᵀh + s(b − m) + β,   s = γ/√(v + ε)

        Args:
            parameters: weights and biases of these networks by layer, (K, fan_in + 1, fan_out padded).
        """
        if not self._width:
            return parameters
        out = [array.copy() for array in parameters]
        for array, norm in zip(out[:-1], self.arrays, strict=True):
            gamma, beta, mean, variance = (norm[:, row] for row in (GAMMA, BETA, MEAN, VARIANCE))
            with np.errstate(over="ignore", invalid="ignore"):  # networks that are about to diverge
                array[:, -1] -= mean
                array *= (gamma / np.sqrt(variance + np.float32(EPSILON)))[:, None]
                array[:, -1] += beta
        return out


class Masks:
    """Dropout masks, one bit per output, drawn from the same streams in the same order as in the torch engine.

    Args:
        dropout: the streams; None for networks without dropout.
        hidden, width, batch: the number of hidden layers, their units, the examples of a mini-batch.
    """

    def __init__(self, dropout: Dropout | None, hidden: int, width: int, batch: int) -> None:
        self._dropout, self._shape = dropout, (hidden, batch, width)

    def keep(self, networks: Tensor) -> None:
        """Drop all networks except these."""
        if self._dropout:
            self._dropout.keep(networks)

    def parts(self, steps: int, networks: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Yield steps to take at once, the masks for them, (streams, steps, hidden, bytes) uint8, and each network's stream.

        Networks with the same stream share masks. Without dropout, there is one stream with masks of 0 bytes.
        """
        hidden, batch, width = self._shape
        if not self._dropout:
            yield slice(0, steps), np.empty((1, steps, hidden, 0), np.uint8), np.zeros(networks, np.int64)
            return
        most = max(1, MASK_BITS_AT_ONCE // (hidden * width * padded(batch)))
        for start in range(0, steps, most):
            stop = min(start + most, steps)
            yield slice(start, stop), *self._drawn(self._dropout, stop - start)

    def _drawn(self, dropout: Dropout, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks of the next steps by stream, and each network's stream."""
        most = max(1, DRAWN_AT_ONCE // int(np.prod(self._shape)))
        parts = []
        for start in range(0, steps, most):
            kept = dropout.kept(min(most, steps - start), *self._shape)
            parts.append(np.stack([self._packed(own) for own in kept.values()]))
        numbers = {seed: i for i, seed in enumerate(kept)}
        return np.concatenate(parts, axis=1), np.array([numbers[seed] for seed in dropout.seeds], np.int64)

    @staticmethod
    def _packed(kept: np.ndarray) -> np.ndarray:
        """Return truth values (steps, hidden, B, width) as bits of (width, B padded), (steps, hidden, bytes)."""
        steps, hidden, batch, width = kept.shape
        rows = np.zeros((steps, hidden, width, padded(batch)), bool)
        rows[..., :batch] = kept.transpose(0, 1, 3, 2)
        return np.packbits(rows.reshape(steps, hidden, -1), axis=-1, bitorder="little")
