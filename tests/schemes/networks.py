"""Plain networks as schemes draw them, for tests of schemes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from winit import schemes
from winit.theory.activations import resolve

Layers = list[tuple[np.ndarray, np.ndarray]]


def layer(fan_in: int, fan_out: int, activation: str = "relu", seed: int = 0, index: int = 2, depth: int = 3):
    """Return a layer with a random stream of its own."""
    return schemes.Layer(fan_in, fan_out, activation, np.random.default_rng(seed), index, depth)


def drawn(initializer: str, activation: str, widths: Sequence[int], seed: int = 0) -> Layers:
    """Return weights and biases of every layer of a network."""
    return [
        schemes.draw(
            initializer,
            schemes.Layer(n, m, activation, np.random.default_rng([seed, index]), index, len(widths) - 2),
        )
        for index, (n, m) in enumerate(pairwise(widths), start=1)
    ]


def pre_activations(layers: Layers, activation: str, x: np.ndarray) -> list[np.ndarray]:
    """Return z of every layer."""
    zs: list[np.ndarray] = []
    for weights, biases in layers:
        zs.append((resolve(activation).phi(zs[-1]) if zs else x) @ weights + biases)
    return zs


def gradients(layers: Layers, activation: str, zs: list[np.ndarray], error: np.ndarray) -> list[np.ndarray]:
    """Return ∂ℓ/∂z of every layer for ∂ℓ/∂z = `error` at the output."""
    deltas = [error]
    for (weights, _), z in zip(layers[:0:-1], zs[-2::-1], strict=True):
        deltas.insert(0, deltas[0] @ weights.T * resolve(activation).dphi(z))
    return deltas
