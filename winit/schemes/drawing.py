"""Weights and biases of one layer, by the name of an initializer."""

from __future__ import annotations

import numpy as np

from winit.schemes.modifiers import MODIFIERS
from winit.schemes.registry import Parsed, parse
from winit.schemes.scheme import Layer, Parameters


def draw(initializer: str, layer: Layer) -> Parameters:
    """Return weights (fan_in, fan_out) and biases (fan_out,) of one layer, in float64, before any data is seen.

    Args:
        initializer: a scheme, its parameters and modifiers, such as `he_normal`, `normal:0.01` or
            `he_normal+last_layer_zero`. What a data-dependent modifier does next is in `winit.training.calibration`.
        layer: the layer to fill; its random stream is advanced.

    Raises:
        ValueError: unknown scheme, wrong parameters, or a scheme that has no meaning for the activation.
    """
    parsed = parse(initializer)
    _check(parsed, layer)
    if _is_zeroed(parsed, layer):
        return np.zeros(layer.shape), np.zeros(layer.fan_out)
    return parsed.scheme.draw(layer, **parsed.parameters)


def variances(initializer: str, layer: Layer) -> tuple[float, float] | None:
    """Return Var(w) and Var(b) of a layer, or None where the weights are not independent, or depend on data.

    Raises:
        ValueError: as `draw`.
    """
    parsed = parse(initializer)
    if parsed.is_data_dependent:
        return None
    _check(parsed, layer)
    of_scheme = parsed.scheme.variances(layer, **parsed.parameters)
    return (0.0, 0.0) if of_scheme and _is_zeroed(parsed, layer) else of_scheme


def _check(parsed: Parsed, layer: Layer) -> None:
    reason = parsed.scheme.why_not(layer.phi)
    if reason:
        raise ValueError(reason)


def _is_zeroed(parsed: Parsed, layer: Layer) -> bool:
    return any(MODIFIERS[modifier].zeroes(layer) for modifier in parsed.modifiers)
