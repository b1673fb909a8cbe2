"""Activations as functions of a real number, in float64: φ, φ′, and where either is not smooth.

This is what the theory of wide networks needs (`winit.meanfield`); the same functions on tensors, as training needs them,
are in `winit.activations`. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from scipy.special import erf, expit, ndtr

Function = Callable[[np.ndarray], np.ndarray]

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017, §2
LECUN_SCALE, LECUN_SLOPE = 1.7159, 2 / 3  # LeCun et al. 1998, §4.4
LEAK = 0.01  # torch.nn.LeakyReLU's default slope
LARGE_LEAK = 0.2


@dataclass(frozen=True)
class Phi:
    """φ, its derivative, and the points where either jumps or bends: quadrature is split there."""

    phi: Function
    dphi: Function
    kinks: tuple[float, ...] = ()


def _elu(scale: float, alpha: float) -> Phi:
    return Phi(
        lambda z: scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0))),
        lambda z: scale * np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0))),
        (0.0,),
    )


def _leaky(slope: float) -> Phi:
    return Phi(lambda z: np.where(z > 0, z, slope * z), lambda z: np.where(z > 0, 1, slope), (0.0,))


def _mish_slope(z: np.ndarray) -> np.ndarray:
    t = np.tanh(np.logaddexp(0, z))
    return t + z * (1 - t * t) * expit(z)


def _density(z: np.ndarray) -> np.ndarray:
    return np.exp(-z * z / 2) / sqrt(2 * pi)


FUNCTIONS: dict[str, Phi] = {
    "sigmoid": Phi(expit, lambda z: expit(z) * expit(-z)),
    "tanh": Phi(np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": Phi(lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0, (0.0,)),
    "identity": Phi(lambda z: z, np.ones_like),
    "leaky_relu": _leaky(LEAK),
    "leaky_relu_0.2": _leaky(LARGE_LEAK),
    "elu": _elu(1.0, 1.0),
    "selu": _elu(SELU_SCALE, SELU_ALPHA),
    "gelu": Phi(lambda z: z * ndtr(z), lambda z: ndtr(z) + z * _density(z)),
    "silu": Phi(lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
    "mish": Phi(lambda z: z * np.tanh(np.logaddexp(0, z)), _mish_slope),
    "softplus": Phi(lambda z: np.logaddexp(0, z), expit),
    "lecun_tanh": Phi(
        lambda z: LECUN_SCALE * np.tanh(LECUN_SLOPE * z),
        lambda z: LECUN_SCALE * LECUN_SLOPE * (1 - np.tanh(LECUN_SLOPE * z) ** 2),
    ),
    "softsign": Phi(lambda z: z / (1 + np.abs(z)), lambda z: (1 + np.abs(z)) ** -2.0, (0.0,)),
    "erf": Phi(erf, lambda z: 2 / sqrt(pi) * np.exp(-z * z)),
}
