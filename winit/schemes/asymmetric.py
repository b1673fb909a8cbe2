"""Schemes whose weights have a nonzero mean: for ReLU, against dead networks, and for sigmoid."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from winit.schemes import papers
from winit.schemes.scheme import Layer, MatrixScheme, Parameter, Parameters, Scheme
from winit.theory.activations import Activation

RAI_STD = 0.6007  # times 1/√fan_in
RAI_BETA = 2, 1  # the parameters of the beta distribution of the replaced entries


@dataclass(frozen=True, kw_only=True)
class RandomizedAsymmetric(Scheme):
    """Randomized asymmetric initialization: one of the weights and the bias of each unit is positive and large."""

    def draw(self, layer: Layer, **parameters: float) -> Parameters:
        """Draw the weights and the bias of each unit from N(0, 0.6007²/fan_in), and replace one of them by Beta(2, 1).

        Source: Lu, Shin, Su & Karniadakis 2019, arXiv:1903.06733.
        """
        entries = layer.stream.standard_normal((layer.fan_in + 1, layer.fan_out)) * (RAI_STD / sqrt(layer.fan_in))
        replaced = layer.stream.integers(layer.fan_in + 1, size=layer.fan_out)
        entries[replaced, np.arange(layer.fan_out)] = layer.stream.beta(*RAI_BETA, size=layer.fan_out)
        return entries[:-1], entries[-1]


def negative_mean(layer: Layer, strength: float, std: float) -> np.ndarray:
    """Draw weights from N(max(−1, −c/fan_in), σ²).

    Source: Yilmaz & Poli 2022, Neural Networks 153.
    """
    return max(-1.0, -strength / layer.fan_in) + std * layer.stream.standard_normal(layer.shape)


def _needs_sigmoid(activation: Activation) -> str | None:
    if activation.name == "sigmoid":
        return None
    return f"a negative mean is a rule for sigmoid only, and the activation is {activation.label}"


SCHEMES: tuple[Scheme, ...] = (
    RandomizedAsymmetric(
        name="rai",
        label="randomized asymmetric",
        family="he",
        distribution="normal; one of the weights and the bias of each unit is Beta(2, 1)",
        variance="0.361/fan_in, except for the replaced weights",
        source="Lu, Shin, Su & Karniadakis 2019, arXiv:1903.06733",
        paper=papers.LU_RAI,
        caveat="the constants were read in public copies of the authors' code, not in the paper",
        bias="same as the weights",
        marker="<",
    ),
    MatrixScheme(
        name="negative_mean",
        label="negative mean −{strength}/n, σ = {std}",
        family="kumar",
        distribution="normal, with a mean",
        variance="σ²; mean max(−1, −c/fan_in)",
        source="Yilmaz & Poli 2022, Neural Networks 153, for sigmoid",
        paper=papers.YILMAZ,
        caveat="only the abstract was read, which has the form of the mean and no constants; they are parameters here and apply to every layer",
        parameters=(
            Parameter("strength", "c", low=0.0, example="8"),
            Parameter("std", "σ", low=0.0, example="0.1"),
        ),
        needs=_needs_sigmoid,
        fill=negative_mean,
        marker="v",
    ),
)
