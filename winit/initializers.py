"""Initial weights and biases of one layer, by named scheme.

Every scheme is a function `(layer) -> weights` in float64, written for weights of shape (fan_in, fan_out). All random
schemes draw from the layer's own generator, which does not know the scheme: two normal schemes in the same replicate
are the same noise at two scales, and so are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import ndtri

from winit import catalog

# Standard deviation of a standard normal cut at ±2 (its variance is 1 − 4φ(2)/(2Φ(2) − 1) = 0.7737413).
TRUNCATED_STD = 0.87962566103423978
CUT = 0.02275013194817921  # Φ(−2), the mass below the cut


@dataclass(frozen=True)
class Layer:
    """What a scheme may know about the layer it fills."""

    fan_in: int
    fan_out: int
    activation: str
    rng: np.random.Generator

    @property
    def shape(self) -> tuple[int, int]:
        return self.fan_in, self.fan_out


def variance_scaling(layer: Layer, scale: float, fan: str, distribution: str) -> np.ndarray:
    """Draw weights with Var(w) = scale / fan.

    Args:
        layer: the layer to fill.
        scale: the variance times the fan: 1 for LeCun and Glorot, 2 for He.
        fan: `fan_in`, `fan_out` or `fan_avg`, their mean.
        distribution: `normal`; `truncated_normal`, cut at two standard deviations and widened again so that the
            variance is as stated; or `uniform`, on ±√(3 Var).

    Returns:
        (fan_in, fan_out), float64.
    """
    fan_in, fan_out = layer.fan_in, layer.fan_out
    std = sqrt(scale / {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[fan])
    if distribution == "normal":
        return std * layer.rng.standard_normal(layer.shape)
    u = layer.rng.uniform(-1.0, 1.0, layer.shape)
    if distribution == "uniform":
        return sqrt(3.0) * std * u
    if distribution == "truncated_normal":
        return std / TRUNCATED_STD * ndtri(0.5 + (0.5 - CUT) * u)  # inverse of the cut distribution function
    raise ValueError(catalog.unknown("distribution", distribution, ["normal", "truncated_normal", "uniform"]))


def kumar(layer: Layer) -> np.ndarray:
    """Draw normal weights with Var(w) = 1 / (fan_in φ′(0)² (1 + φ(0)²)).

    For tanh this is 1/fan_in; for sigmoid 12.8/fan_in, a standard deviation of 3.6/√fan_in.

    Raises:
        ValueError: the activation is not differentiable at 0.

    Source: Kumar 2017, arXiv:1704.08863.
    """
    reason = catalog.why_not_applicable("kumar", layer.activation)
    if reason:
        raise ValueError(reason)
    phi = catalog.ACTIVATIONS[layer.activation]
    return variance_scaling(layer, 1 / (phi.slope_at_0**2 * (1 + phi.value_at_0**2)), "fan_in", "normal")


Scheme = Callable[..., np.ndarray]

SCHEMES: dict[str, Scheme] = {
    "zeros": lambda layer: np.zeros(layer.shape),
    "constant": lambda layer, value: np.full(layer.shape, value),
    "normal": lambda layer, std: std * layer.rng.standard_normal(layer.shape),
    "uniform": lambda layer, bound: bound * layer.rng.uniform(-1.0, 1.0, layer.shape),
    "lecun_normal": lambda layer: variance_scaling(layer, 1, "fan_in", "normal"),
    "lecun_truncated_normal": lambda layer: variance_scaling(layer, 1, "fan_in", "truncated_normal"),
    "lecun_uniform": lambda layer: variance_scaling(layer, 1, "fan_in", "uniform"),
    "glorot_normal": lambda layer: variance_scaling(layer, 1, "fan_avg", "normal"),
    "glorot_truncated_normal": lambda layer: variance_scaling(layer, 1, "fan_avg", "truncated_normal"),
    "glorot_uniform": lambda layer: variance_scaling(layer, 1, "fan_avg", "uniform"),
    "he_normal": lambda layer: variance_scaling(layer, 2, "fan_in", "normal"),
    "he_truncated_normal": lambda layer: variance_scaling(layer, 2, "fan_in", "truncated_normal"),
    "he_uniform": lambda layer: variance_scaling(layer, 2, "fan_in", "uniform"),
    "he_fan_avg": lambda layer: variance_scaling(layer, 2, "fan_avg", "normal"),
    "he_fan_out": lambda layer: variance_scaling(layer, 2, "fan_out", "normal"),
    "kumar": kumar,
    "torch_default": lambda layer: variance_scaling(layer, 1 / 3, "fan_in", "uniform"),
}

# Biases are zero unless a scheme says otherwise.
BIASES: Mapping[str, Scheme] = {
    "torch_default": lambda layer: layer.rng.uniform(-1.0, 1.0, layer.fan_out) / sqrt(layer.fan_in),
}


def draw(initializer: str, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (fan_in, fan_out) and biases (fan_out,) of one layer, in float64.

    Args:
        initializer: a scheme and its parameters, such as `he_normal` or `normal:0.01`.
        layer: the layer to fill; its generator is advanced.

    Raises:
        ValueError: unknown scheme, wrong parameters, or a scheme that has no meaning for the activation.
    """
    name, parameters = catalog.parse_initializer(initializer)
    weights = SCHEMES[name](layer, **parameters)
    biases = BIASES[name](layer) if name in BIASES else np.zeros(layer.fan_out)
    return weights, biases
