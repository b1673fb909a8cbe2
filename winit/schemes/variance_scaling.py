"""Independent weights whose variance is a scale divided by a fan: `VarianceScaling` and its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import scipy  # loads its modules when they are first used

from winit.schemes import libraries
from winit.schemes.libraries import TRUNCATED_STD
from winit.schemes.scheme import Layer, Lines, Parameters, Scheme
from winit.theory.activations import ACTIVATIONS
from winit.theory.layers import LayerStatistics

Fan = Literal["fan_in", "fan_out", "fan_avg", "one"]
Distribution = Literal["normal", "truncated_normal", "uniform"]

CUT = 0.02275013194817921  # Φ(−2), the mass below the cut


@dataclass(frozen=True)
class Scaling:
    """Independent numbers with mean 0 and variance scale/fan.

    Attributes:
        scale: the variance times the fan, 1 for LeCun and Glorot, 2 for He; or a function `scale(layer, **parameters)`
            that returns it.
        fan: `fan_in`, `fan_out`, `fan_avg` (their mean) or `one`.
        distribution: `normal`; `uniform`, on ±√3 std; or `truncated_normal`, cut at two standard deviations of the
            underlying normal distribution, which is scaled to give the stated standard deviation.
    """

    scale: float | Callable[..., float]
    fan: Fan
    distribution: Distribution

    def scale_of(self, layer: Layer, **parameters: float) -> float:
        """Return the variance times the fan."""
        return self.scale(layer, **parameters) if callable(self.scale) else self.scale

    def std(self, layer: Layer, **parameters: float) -> float:
        """Return √(scale/fan)."""
        fan_in, fan_out = layer.fan_in, layer.fan_out
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2, "one": 1}
        return sqrt(self.scale_of(layer, **parameters) / fans[self.fan])

    def term(self, layer: Layer, **parameters: float) -> libraries.Term:
        """Return the scaling for one layer."""
        return libraries.Term(
            self.scale_of(layer, **parameters), self.fan, self.distribution, is_fixed=not callable(self.scale)
        )

    def draw(self, layer: Layer, shape: tuple[int, ...], **parameters: float) -> np.ndarray:
        """Draw an array of the given shape, float64."""
        std = self.std(layer, **parameters)
        if self.distribution == "normal":
            return std * layer.stream.standard_normal(shape)
        u = layer.stream.uniform(-1.0, 1.0, shape)
        if self.distribution == "uniform":
            return sqrt(3.0) * std * u
        return (
            std / TRUNCATED_STD * scipy.special.ndtri(0.5 + (0.5 - CUT) * u)
        )  # inverse of the cut distribution function


@dataclass(frozen=True, kw_only=True)
class VarianceScaling(Scheme):
    """Independent weights with Var(w) = scale/fan, and biases that are 0 or independent as well.

    Attributes:
        scale, fan, distribution: of the weights, see `Scaling`.
        biases: scaling of the biases; None if they are 0.
    """

    scale: float | Callable[..., float]
    fan: Fan
    distribution: Distribution
    biases: Scaling | None = None

    @property
    def weights(self) -> Scaling:
        """The scaling of the weights."""
        return Scaling(self.scale, self.fan, self.distribution)

    def draw(self, layer: Layer, **parameters: float) -> Parameters:
        """Draw the weights and then the biases."""
        weights = self.weights.draw(layer, layer.shape, **parameters)
        if self.biases is None:
            return weights, np.zeros(layer.fan_out)
        return weights, self.biases.draw(layer, (layer.fan_out,), **parameters)

    def statistics(self, layer: Layer, **parameters: float) -> LayerStatistics:
        """Return Var(w) and Var(b) of a layer."""
        of_biases = self.biases.std(layer, **parameters) ** 2 if self.biases else 0.0
        return LayerStatistics(self.weights.std(layer, **parameters) ** 2, of_biases)

    def depends_on_activation(self, **parameters: float) -> bool:
        """Return whether the scale is defined for some activations only, or differs between them."""
        if not callable(self.scale):
            return False
        fitting = [name for name, phi in ACTIVATIONS.items() if self.why_not(phi) is None]
        scales = {self.scale(Layer(256, 256, name), **parameters) for name in fitting}
        return len(fitting) < len(ACTIVATIONS) or len(scales) > 1

    def lines(self, layer: Layer, **parameters: float) -> Lines:
        """Return the stated code, or the library's variance scaling where none is stated."""
        stated = super().lines(layer, **parameters)
        weights = self.weights.term(layer, **parameters)
        biases = self.biases.term(layer, **parameters) if self.biases else None
        return Lines(
            stated.torch or libraries.torch_line(weights, biases),
            stated.keras or libraries.KERAS.line(weights, biases),
            stated.jax or libraries.JAX.line(weights, biases),
        )
