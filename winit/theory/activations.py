"""Activations: one object each, with φ and φ′ on float64 arrays and the properties that theory and schemes use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np
import scipy  # loads its modules when they are first used

from winit.vocabulary.errors import unknown_name

Function = Callable[[np.ndarray], np.ndarray]

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017, §2
LECUN_SCALE, LECUN_SLOPE = 1.7159, 2 / 3  # LeCun et al. 1998, §4.4
LEAK = 0.01  # torch.nn.LeakyReLU's default slope
LARGE_LEAK = 0.2


@dataclass(frozen=True, eq=False)
class Activation:
    """One activation φ.

    Attributes:
        name: as written in a grid.
        label: for tables and figures.
        formula: of φ(z).
        phi, dphi: φ and φ′, elementwise on arrays.
        kinks: points where φ or φ′ is not smooth; quadrature is split there.
        value_at_0: φ(0).
        slope_at_0: φ′(0), or None if φ has a kink at 0.
        steepest: the largest |φ′| if φ saturates, that is, if it is bounded and flat on both sides. None for other φ: a ReLU
            below zero is inactive, not saturated.
        has_critical_line: whether wide networks with independent biases of mean 0 and nonzero variance can be critical. With
            biases that depend on the weights all can (`winit.theory.transforms.gaussian_poincare`).
        torch: dotted path of the torch function that computes φ, such as `torch.nn.functional.hardtanh`. Networks are
            trained with it and autograd, unless `winit.engine.activations` has faster code for the same name.
        is_centred: whether the theory uses φ − E φ in place of φ, because weights that sum to 0 see no mean.
    """

    name: str
    label: str
    formula: str
    phi: Function
    dphi: Function
    kinks: tuple[float, ...] = ()
    value_at_0: float = 0.0
    slope_at_0: float | None = 1.0
    steepest: float | None = None
    has_critical_line: bool = True
    torch: str | None = None
    is_centred: bool = False

    @property
    def is_homogeneous(self) -> bool:
        """Whether φ(a z) = a φ(z) for all a > 0, so that lengths have no scale: ReLU, leaky ReLU and the identity."""
        z = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
        return bool(np.array_equal(self.phi(2 * z), 2 * self.phi(z)))


def _leaky_relu(name: str, label: str, slope: float) -> Activation:
    return Activation(
        name,
        label,
        f"z for z > 0, else {slope:g} z",
        lambda z: np.where(z > 0, z, slope * z),
        lambda z: np.where(z > 0, 1, slope),
        kinks=(0.0,),
        slope_at_0=None,
        has_critical_line=False,
    )


def _elu(name: str, label: str, formula: str, scale: float, alpha: float, slope_at_0: float | None) -> Activation:
    return Activation(
        name,
        label,
        formula,
        lambda z: scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0))),
        lambda z: scale * np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0))),
        kinks=(0.0,),
        slope_at_0=slope_at_0,
    )


def _mish_slope(z: np.ndarray) -> np.ndarray:
    t = np.tanh(np.logaddexp(0, z))
    return t + z * (1 - t * t) * _logistic(z)


def _logistic(z: np.ndarray) -> np.ndarray:
    return scipy.special.expit(z)


def _normal(z: np.ndarray) -> np.ndarray:
    return scipy.special.ndtr(z)


def _density(z: np.ndarray) -> np.ndarray:
    return np.exp(-z * z / 2) / sqrt(2 * pi)


_ALL = (
    Activation(
        "sigmoid",
        "sigmoid",
        "1/(1 + e^(−z))",
        _logistic,
        lambda z: _logistic(z) * _logistic(-z),
        value_at_0=0.5,
        slope_at_0=0.25,
        steepest=0.25,
    ),
    Activation("tanh", "tanh", "tanh z", np.tanh, lambda z: 1 - np.tanh(z) ** 2, steepest=1.0),
    Activation(
        "relu",
        "ReLU",
        "max(0, z)",
        lambda z: np.maximum(z, 0),
        lambda z: (z > 0) * 1.0,
        kinks=(0.0,),
        slope_at_0=None,
        has_critical_line=False,
    ),
    Activation("identity", "identity", "z", lambda z: z, np.ones_like, has_critical_line=False),
    _leaky_relu("leaky_relu", "leaky ReLU", LEAK),
    _leaky_relu("leaky_relu_0.2", "leaky ReLU 0.2", LARGE_LEAK),
    _elu("elu", "ELU", "z for z > 0, else eᶻ − 1", 1.0, 1.0, slope_at_0=1.0),
    _elu("selu", "SELU", "1.0507 z for z > 0, else 1.7581 (eᶻ − 1)", SELU_SCALE, SELU_ALPHA, slope_at_0=None),
    Activation(
        "gelu", "GELU", "z Φ(z)", lambda z: z * _normal(z), lambda z: _normal(z) + z * _density(z), slope_at_0=0.5
    ),
    Activation(
        "silu",
        "SiLU",
        "z/(1 + e^(−z))",
        lambda z: z * _logistic(z),
        lambda z: _logistic(z) * (1 + z * _logistic(-z)),
        slope_at_0=0.5,
    ),
    Activation(
        "mish",
        "Mish",
        "z tanh(log(1 + eᶻ))",
        lambda z: z * np.tanh(np.logaddexp(0, z)),
        _mish_slope,
        slope_at_0=0.6,
    ),
    Activation(
        "softplus",
        "softplus",
        "log(1 + eᶻ)",
        lambda z: np.logaddexp(0, z),
        _logistic,
        value_at_0=log(2),
        slope_at_0=0.5,
        has_critical_line=False,
    ),
    Activation(
        "lecun_tanh",
        "LeCun's tanh",
        "1.7159 tanh(2z/3)",
        lambda z: LECUN_SCALE * np.tanh(LECUN_SLOPE * z),
        lambda z: LECUN_SCALE * LECUN_SLOPE * (1 - np.tanh(LECUN_SLOPE * z) ** 2),
        slope_at_0=LECUN_SCALE * 2 / 3,
        steepest=LECUN_SCALE * LECUN_SLOPE,
    ),
    Activation(
        "softsign",
        "softsign",
        "z/(1 + |z|)",
        lambda z: z / (1 + np.abs(z)),
        lambda z: (1 + np.abs(z)) ** -2.0,
        kinks=(0.0,),
        steepest=1.0,
    ),
)
ACTIVATIONS: dict[str, Activation] = {activation.name: activation for activation in _ALL}


def resolve(activation: str | Activation) -> Activation:
    """Return the activation with a name, or the activation itself.

    Raises:
        ValueError: the name is unknown.
    """
    if isinstance(activation, Activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(unknown_name("activation", activation, ACTIVATIONS))
    return ACTIVATIONS[activation]
