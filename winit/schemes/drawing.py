"""Draw the weights and biases of a layer, by the name of an initializer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from winit.schemes.degeneracy import defects, is_degenerate
from winit.schemes.modifiers import MODIFIERS
from winit.schemes.registry import Parsed, parse
from winit.schemes.scheme import Layer, Parameters
from winit.theory.layers import PLAIN, LayerStatistics, effective_activation
from winit.theory.maps import DepthScale, depth_scale
from winit.theory.quadrature import moments

DEEP = 1000  # a depth that differs from the default
LARGEST_Q, NOISE = 1e30, 1e-12  # smaller means are quadrature errors


def draw(initializer: str, layer: Layer) -> Parameters:
    """Return weights (fan_in, fan_out) and biases (fan_out,) of one layer, in float64, before data-dependent modifiers.

    Args:
        initializer: a scheme, its parameters and modifiers, such as `he_normal`, `normal:0.01` or
            `he_normal+last_layer_zero`. `winit.training.calibration` applies data-dependent modifiers.
        layer: the layer to fill; its random stream is advanced.

    Raises:
        ValueError: the scheme is unknown, its parameters are wrong, or it is not applicable to the activation.
    """
    parsed = parse(initializer)
    _check(parsed, layer)
    if _is_zeroed(parsed, layer):
        return np.zeros(layer.shape), np.zeros(layer.fan_out)
    parameters = parsed.scheme.draw(layer, **parsed.parameters)
    changes = [change for m in parsed.modifiers if (change := MODIFIERS[m].change)]
    mean = _mean_below(parsed, layer) if changes else 0.0
    for change in changes:
        parameters = change(parameters, layer, mean)
    return parameters


def statistics(initializer: str, layer: Layer) -> LayerStatistics | None:
    """Return what the theory needs of a layer: Var(w), Var(b), and how biases depend on the weights.

    Returns None if the weights are not independent with mean 0, or depend on data.

    Raises:
        ValueError: as for `draw`.
    """
    parsed = parse(initializer)
    if parsed.is_data_dependent:
        return None
    _check(parsed, layer)
    return _statistics(parsed, layer, _mean_below(parsed, layer))


def hidden_depth_scale(initializer: str, width: int, activation: str) -> DepthScale | None:
    """Return the depth scales of square hidden layers; None if `statistics` returns None or depends on the depth.

    Raises:
        ValueError: as `draw`.
    """
    parsed, layer = parse(initializer), Layer(width, width, activation)
    _check(parsed, layer)
    of_layer = None if parsed.is_data_dependent else _statistics(parsed, layer, None)
    if of_layer is None or of_layer != _statistics(parsed, replace(layer, depth=DEEP), None):
        return None
    phi = effective_activation(activation, of_layer, of_layer)
    return depth_scale(phi, width * of_layer.weight_variance, of_layer.bias_variance)


def _statistics(parsed: Parsed, layer: Layer, mean: float | None) -> LayerStatistics | None:
    """Return the statistics of a layer, given the mean of the shifted activations below; None stands for the exact mean."""
    of_layer = parsed.scheme.statistics(layer, **parsed.parameters)
    if of_layer is None:
        return None
    if _is_zeroed(parsed, layer):
        return LayerStatistics(0.0)
    for modifier in parsed.modifiers:
        if restate := MODIFIERS[modifier].restate:
            of_layer = restate(of_layer, layer, mean)
    return of_layer


def _mean_below(parsed: Parsed, layer: Layer) -> float:
    """Return E φ(√q z) + c of the layer below, where c is the shift by the scheme's own biases; 0 in the first layer.

    q follows from the theory of layers as wide as this one's fan_in, for inputs of mean square 1. It is 1 if the weights
    are not independent.
    """
    if layer.is_first or not any(MODIFIERS[m].change for m in parsed.modifiers):
        return 0.0
    mean, square, q, below = 0.0, 1.0, 1.0, PLAIN
    for index in range(1, layer.index):
        here = _statistics(parsed, replace(layer, fan_out=layer.fan_in, rng=None, index=index), mean)
        if here is None:
            return _mean(layer, PLAIN, 1.0, 0.0)
        if index > 1:
            square = moments(effective_activation(layer.phi, below, here), q).square
        q, below = min(layer.fan_in * here.weight_variance * square + here.bias_variance, LARGEST_Q), here
        following = parsed.scheme.statistics(replace(layer, rng=None, index=index + 1), **parsed.parameters)
        mean = _mean(layer, below, q, (following.shift if following else None) or 0.0)
    return mean


def _mean(layer: Layer, below: LayerStatistics, q: float, shift: float) -> float:
    mean = moments(effective_activation(layer.phi, below, PLAIN), q).mean + shift
    return mean if abs(mean) > NOISE else 0.0


def _check(parsed: Parsed, layer: Layer) -> None:
    reason = parsed.scheme.why_not(layer.phi)
    if reason:
        raise ValueError(reason)


def _is_zeroed(parsed: Parsed, layer: Layer) -> bool:
    return any(MODIFIERS[modifier].zeroes(layer) for modifier in parsed.modifiers)


@lru_cache(maxsize=4096)
def _sample(initializer: str, activation: str, widths: tuple[int, ...]) -> dict[int, Parameters]:
    """Return the weights that an initializer draws in the first, second and last two layers, from fixed streams."""
    shapes = list(enumerate(pairwise(widths), start=1))
    shown = {index: shape for index, shape in [*shapes[:2], *shapes[-2:]]}
    return {
        index: draw(initializer, Layer(*shape, activation, np.random.default_rng(index), index, len(shapes) - 1))
        for index, shape in shown.items()
    }


def degenerate_layers(initializer: str, activation: str, widths: Sequence[int]) -> dict[int, str]:
    """Return the layers of a network whose drawn weights are degenerate, each with its defects.

    Weights are degenerate if all are 0, the rank is 1, or units are equal. Constant schemes, for which this is intended, and
    layers that a modifier sets to 0 are not included.

    Args:
        initializer: applicable to the activation and the network.
        activation: of the hidden layers.
        widths: units of every layer, inputs first.
    """
    parsed, depth = parse(initializer), len(widths) - 2
    if parsed.scheme.family == "constant":
        return {}
    return {
        index: defects(weights)
        for index, (weights, _) in _sample(initializer, activation, tuple(widths)).items()
        if is_degenerate(weights)
        and not _is_zeroed(parsed, Layer(widths[index - 1], widths[index], activation, None, index, depth))
    }


def same_draws(initializers: Iterable[str], activation: str, widths: Sequence[int]) -> dict[str, str]:
    """Return the initializers that draw the same weights as an earlier one in networks of these widths.

    Weights count as equal if they agree after rounding to float32 for the same streams. Data-dependent modifiers must also be
    the same.

    Args:
        initializers: those applicable to the activation, in order.
        activation: of the hidden layers.
        widths: units of every layer, inputs first.

    Returns:
        A mapping from each initializer that repeats an earlier one to that earlier one.
    """
    kept: list[str] = []
    repeats: dict[str, str] = {}
    for name in dict.fromkeys(initializers):
        twin = next((other for other in kept if _draw_the_same(name, other, activation, tuple(widths))), None)
        if twin is None:
            kept.append(name)
        else:
            repeats[name] = twin
    return repeats


def _calibrations(initializer: str) -> list[str]:
    return [m for m in parse(initializer).modifiers if MODIFIERS[m].is_data_dependent]


def _draw_the_same(one: str, other: str, activation: str, widths: tuple[int, ...]) -> bool:
    if _calibrations(one) != _calibrations(other):
        return False
    samples = (_sample(name, activation, widths).values() for name in (one, other))
    return all(
        np.allclose(a, b, rtol=1e-6, atol=0)
        for ours, theirs in zip(*samples, strict=True)
        for a, b in zip(ours, theirs, strict=True)
    )
