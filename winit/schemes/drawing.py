"""Draw the weights and biases of a layer, by the name of an initializer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from winit.schemes.modifiers import MODIFIERS
from winit.schemes.registry import Parsed, parse
from winit.schemes.scheme import Layer, Parameters


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
    return parsed.scheme.draw(layer, **parsed.parameters)


def variances(initializer: str, layer: Layer) -> tuple[float, float] | None:
    """Return Var(w) and Var(b) of a layer, or None if the weights are not independent or depend on data.

    Raises:
        ValueError: as for `draw`.
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


@lru_cache(maxsize=4096)
def _sample(initializer: str, activation: str, widths: tuple[int, ...]) -> tuple[Parameters, ...]:
    """Return the weights that an initializer draws in the first, second and last two layers, from fixed streams."""
    shapes = list(enumerate(pairwise(widths), start=1))
    shown = {index: shape for index, shape in [*shapes[:2], *shapes[-2:]]}
    return tuple(
        draw(initializer, Layer(*shape, activation, np.random.default_rng(index), index, len(shapes) - 1))
        for index, shape in shown.items()
    )


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


def _draw_the_same(one: str, other: str, activation: str, widths: tuple[int, ...]) -> bool:
    if parse(one).modifiers != parse(other).modifiers:
        return False
    pairs = zip(_sample(one, activation, widths), _sample(other, activation, widths), strict=True)
    return all(
        np.allclose(a, b, rtol=1e-6, atol=0) for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True)
    )
