"""Controls of pretraining: weights that share one property with pretrained ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from winit.engine.alignment import align
from winit.vocabulary import pretraining


def shuffled(weights: Sequence[Tensor], seeds: Sequence[int]) -> list[Tensor]:
    """Return weights (K, fan_in, fan_out) with entries permuted within each layer: the values without the structure.

    Source: the control of Erhan et al. 2010, §6.2, drawn from the marginal distribution of the pretrained weights.
    """
    return _each(weights, seeds, lambda w, stream: stream.permutation(w.ravel()).reshape(w.shape))


def with_moments(weights: Sequence[Tensor], seeds: Sequence[int]) -> list[Tensor]:
    """Return normal weights with the mean and the standard deviation of each given layer: the scale only."""
    return _each(weights, seeds, lambda w, stream: w.mean() + w.std() * stream.standard_normal(w.shape))


CONTROLS: dict[str, Callable[[Sequence[Tensor], Sequence[int]], list[Tensor]]] = {
    "shuffled": shuffled,
    "moments": with_moments,
}
assert set(CONTROLS) < set(pretraining.CONTROLS)


def _each(
    weights: Sequence[Tensor], seeds: Sequence[int], make: Callable[[np.ndarray, np.random.Generator], np.ndarray]
) -> list[Tensor]:
    """Apply `make` to every network's weights of every layer, with a stream for each network and layer."""
    return [
        align(torch.stack([
            torch.tensor(make(w.cpu().numpy(), np.random.default_rng([seed, layer, 1])), dtype=stack.dtype)
            for w, seed in zip(stack, seeds, strict=True)
        ]).to(stack.device))
        for layer, stack in enumerate(weights)
    ]  # fmt: skip
