"""Weights that are standardized for each unit: incoming weights sum to 0 and have an exact mean square."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from winit.schemes import papers
from winit.schemes.scheme import Layer, Lines, MatrixScheme, Scheme, number
from winit.theory.layers import LayerStatistics
from winit.theory.quadrature import moments


def gain(layer: Layer) -> float:
    """Return γ = 1/√Var φ(z), z ~ N(0, 1); 1 in the first layer, whose inputs are standardized.

    Source: Brock, De & Smith 2021, arXiv:2101.08692. Their code has Monte Carlo estimates of γ.
    """
    return 1.0 if layer.is_first else 1 / sqrt(moments(layer.phi, 1.0).variance)


def scaled_ws(layer: Layer) -> np.ndarray:
    """Draw normal weights and standardize them for each unit: mean 0 and mean square γ²/fan_in, exactly.

    The only weight of a unit with one input is equal to its mean, so it becomes 0.
    """
    weights = layer.stream.standard_normal(layer.shape)
    weights -= weights.mean(axis=0)
    size = np.sqrt(np.square(weights).mean(axis=0))
    scale = np.divide(gain(layer) / sqrt(layer.fan_in), size, out=np.zeros_like(size), where=size > 0)
    return weights * scale


@dataclass(frozen=True, kw_only=True)
class ScaledWeightStandardization(MatrixScheme):
    """Scaled weight standardization: weights that are independent except for the mean and mean square of each unit."""

    def statistics(self, layer: Layer, **parameters: float) -> LayerStatistics:
        """Return Var(w) = γ²/fan_in of weights that sum to 0."""
        return LayerStatistics(gain(layer) ** 2 / layer.fan_in, shift=None)

    def depends_on_activation(self, **parameters: float) -> bool:
        """Return True, because γ depends on φ."""
        return True

    def lines(self, layer: Layer, **parameters: float) -> Lines:
        """Return the code for torch."""
        return Lines(
            "w = torch.randn_like(layer.weight); w = w - w.mean(dim=1, keepdim=True); "
            f"layer.weight.data = {number(gain(layer))} * w / w.norm(dim=1, keepdim=True); torch.nn.init.zeros_(layer.bias)"
        )


SCHEMES: tuple[Scheme, ...] = (
    ScaledWeightStandardization(
        name="scaled_ws",
        label="scaled weight standardization",
        family="theory",
        distribution="normal, standardized over the inputs of each unit",
        variance="γ²/fan_in, γ² = 1/Var φ(z); first layer 1/fan_in",
        source="Brock, De & Smith 2021, arXiv:2101.08692 (NF-ResNets), as an initialization",
        paper=papers.BROCK,
        caveat="the authors' code has Monte Carlo estimates of γ, which differ from these values by up to 0.1 %; "
        "in the paper, weights are standardized in every step",
        fill=scaled_ws,
        marker="<",
        remark="hidden layers",
    ),
)
