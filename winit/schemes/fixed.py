"""Random weights with a fixed scale, independent of the layer's size."""

from __future__ import annotations

from winit.schemes.scheme import Parameter, Scheme
from winit.schemes.variance_scaling import VarianceScaling

SCHEMES: tuple[Scheme, ...] = (
    VarianceScaling(
        name="normal",
        label="normal σ = {std}",
        family="fixed",
        variance="σ²",
        source="the tutorial's small and large random weights",
        parameters=(Parameter("std", "σ", low=0.0, example="0.01"),),
        scale=lambda layer, std: std**2,
        fan="one",
        distribution="normal",
        marker="v",
    ),
    VarianceScaling(
        name="uniform",
        label="uniform ±{bound}",
        family="fixed",
        variance="a²/3",
        source="the same with a uniform distribution",
        parameters=(Parameter("bound", "a", low=0.0, example="0.05"),),
        scale=lambda layer, bound: bound**2 / 3,
        fan="one",
        distribution="uniform",
        marker="<",
        dashes=(1, 1),
    ),
)
