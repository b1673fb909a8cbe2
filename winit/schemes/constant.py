"""Schemes that give every weight the same value."""

from __future__ import annotations

import numpy as np

from winit.schemes.scheme import MatrixScheme, Parameter, Scheme

SCHEMES: tuple[Scheme, ...] = (
    MatrixScheme(
        name="zeros",
        label="zeros",
        family="constant",
        distribution="constant",
        variance="0",
        source="the tutorial's first case",
        fill=lambda layer: np.zeros(layer.shape),
        why_not_calibrated="all weights are 0, which no factor changes",
        marker="s",
        torch="torch.nn.init.zeros_(layer.weight); torch.nn.init.zeros_(layer.bias)",
        keras="keras.initializers.Zeros()",
        jax="jax.nn.initializers.zeros",
    ),
    MatrixScheme(
        name="constant",
        label="constant k = {value}",
        family="constant",
        distribution="constant",
        variance="0",
        source="the tutorial's second case",
        parameters=(Parameter("value", "k", example="0.1"),),
        fill=lambda layer, value: np.full(layer.shape, value),
        marker="D",
        dashes=(4, 2),
        torch="torch.nn.init.constant_(layer.weight, {value}); torch.nn.init.zeros_(layer.bias)",
        keras="keras.initializers.Constant({value})",
        jax="jax.nn.initializers.constant({value})",
    ),
)
