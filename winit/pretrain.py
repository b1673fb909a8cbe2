"""Greedy layerwise pretraining: each layer learns from the codes of the one below, then the whole is fine-tuned.

Sources: Hinton & Salakhutdinov 2006 and the authors' code.

Two controls tell what pretraining gave the weights: their scale alone, or their structure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from winit.memory import align
from winit.rbm import RBM


@dataclass(frozen=True)
class Recipe:
    """How a stack of RBMs is trained; the defaults are those of Hinton & Salakhutdinov's code, but for the epochs (50).

    Attributes:
        epochs: passes over the data, for each layer.
        batch_size: examples in a mini-batch.
        rate, linear_rate: learning rates of machines with binary and with linear hidden units.
        momentum, late_momentum: in the first `early_epochs` epochs, and then.
        weight_cost: λ.
        std: of the initial weights; biases are 0.
        steps: k of CD-k.
    """

    epochs: int = 10
    batch_size: int = 100
    rate: float = 0.1
    linear_rate: float = 0.001
    momentum: float = 0.5
    late_momentum: float = 0.9
    early_epochs: int = 5
    weight_cost: float = 0.0002
    std: float = 0.1
    steps: int = 1


def train_rbms(
    x: Tensor, widths: Sequence[int], seeds: Sequence[int], recipe: Recipe, has_linear_code: bool = True
) -> tuple[list[RBM], Tensor]:
    """Train a stack of RBMs greedily, once for each of K seeds.

    The first machine sees the inputs, each other one the means of the hidden units below. What does not fill a last
    mini-batch of an epoch is left out of it.

    Args:
        x: inputs (N, D) between 0 and 1, the same for all.
        widths: units of every layer, the inputs first.
        seeds: of weights, mini-batches and noise.
        recipe: how to train.
        has_linear_code: whether the hidden units of the last machine are linear.

    Returns:
        The machines, first layer first, and their reconstruction errors (layers, epochs, K), mean over each epoch.
    """
    codes = x.expand(len(seeds), -1, -1)
    machines, errors = [], []
    batches = len(x) // recipe.batch_size
    for layer, (below, above) in enumerate(pairwise(widths)):
        is_linear = has_linear_code and layer == len(widths) - 2
        streams = [np.random.default_rng([seed, layer]) for seed in seeds]
        drawn = np.stack([recipe.std * stream.standard_normal((below, above)) for stream in streams])
        machine = RBM(
            torch.tensor(drawn).to(x), x.new_zeros(len(seeds), 1, below), x.new_zeros(len(seeds), 1, above),
            [int(stream.integers(2**62)) for stream in streams], hidden="linear" if is_linear else "binary",
        )  # fmt: skip
        for epoch in range(recipe.epochs):
            momentum = recipe.momentum if epoch < recipe.early_epochs else recipe.late_momentum
            order = np.stack([stream.permutation(len(x)) for stream in streams])
            total = x.new_zeros(len(seeds))
            for batch in np.split(order[:, : batches * recipe.batch_size], batches, axis=1):
                v = align(torch.stack([codes[k][torch.from_numpy(batch[k])] for k in range(len(seeds))]))
                rate = recipe.linear_rate if is_linear else recipe.rate
                total += machine.step(v, rate, momentum, recipe.weight_cost, recipe.steps)
            errors.append(total / batches)
        machines.append(machine)
        codes = machine.hidden_mean(codes)
    return machines, torch.stack(errors).unflatten(0, (len(machines), recipe.epochs))


def unroll(machines: Sequence[RBM]) -> tuple[list[Tensor], list[Tensor]]:
    """Return weights and biases of the deep autoencoder that a stack of RBMs makes: encoder, then decoder, not tied.

    The decoder's weights are the encoder's transposed, its biases those of the visible units.
    """
    back = machines[::-1]
    weights = [m.weights for m in machines] + [align(m.weights.mT.contiguous()) for m in back]
    biases = [m.hidden_biases for m in machines] + [m.visible_biases for m in back]
    return [w.clone() for w in weights], [b.clone() for b in biases]


# --- controls -----------------------------------------------------------------------------------------------------


def shuffled(weights: Sequence[Tensor], seeds: Sequence[int]) -> list[Tensor]:
    """Return weights (K, fan_in, fan_out) whose entries are permuted within each layer: the values, not the structure.

    Source: the control that Erhan et al. 2010, §6.2, draw from the pretrained weights' marginal distribution.
    """
    return _each(weights, seeds, lambda w, stream: stream.permutation(w.ravel()).reshape(w.shape))


def with_moments(weights: Sequence[Tensor], seeds: Sequence[int]) -> list[Tensor]:
    """Return normal weights with the mean and the standard deviation of each given layer: the scale, nothing else."""
    return _each(weights, seeds, lambda w, stream: w.mean() + w.std() * stream.standard_normal(w.shape))


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
