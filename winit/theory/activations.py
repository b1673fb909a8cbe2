"""Activations as functions of a real number, in float64: φ, φ′, and where either is not smooth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np
from scipy.special import erf, expit, ndtr


@dataclass(frozen=True)
class Activation:
    """One activation φ. `value_at_0` and `slope_at_0` are φ(0) and φ′(0); the slope is None where φ has a kink at 0.

    `saturated` bounds the healthy outputs: a unit is saturated when its activation lies outside them
    (None: the function does not saturate). `has_critical_line` says whether wide networks with some bias can be critical.
    """

    label: str
    formula: str
    value_at_0: float
    slope_at_0: float | None
    saturated: tuple[float, float] | None = None
    has_critical_line: bool = True


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation("sigmoid", "1/(1 + e^(−z))", 0.5, 0.25, (0.03, 0.97)),
    "tanh": Activation("tanh", "tanh z", 0.0, 1.0, (-0.97, 0.97)),
    "relu": Activation("ReLU", "max(0, z)", 0.0, None, has_critical_line=False),
    "identity": Activation("identity", "z", 0.0, 1.0, has_critical_line=False),
    "leaky_relu": Activation("leaky ReLU", "z for z > 0, else 0.01 z", 0.0, None, has_critical_line=False),
    "leaky_relu_0.2": Activation("leaky ReLU 0.2", "z for z > 0, else 0.2 z", 0.0, None, has_critical_line=False),
    "elu": Activation("ELU", "z for z > 0, else eᶻ − 1", 0.0, 1.0),
    "selu": Activation("SELU", "1.0507 z for z > 0, else 1.7581 (eᶻ − 1)", 0.0, None),
    "gelu": Activation("GELU", "z Φ(z)", 0.0, 0.5),
    "silu": Activation("SiLU", "z/(1 + e^(−z))", 0.0, 0.5),
    "mish": Activation("Mish", "z tanh(log(1 + eᶻ))", 0.0, 0.6),
    "softplus": Activation("softplus", "log(1 + eᶻ)", log(2), 0.5, has_critical_line=False),
    "lecun_tanh": Activation("LeCun's tanh", "1.7159 tanh(2z/3)", 0.0, 1.7159 * 2 / 3, (-0.97 * 1.7159, 0.97 * 1.7159)),
    "softsign": Activation("softsign", "z/(1 + |z|)", 0.0, 1.0, (-0.97, 0.97)),
}

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
