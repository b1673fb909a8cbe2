"""A card for every initializer, generated from its scheme: what it draws, and the equivalent code in other libraries.

The code for torch, Keras and JAX fills one layer like the scheme, including biases. Tests compare it with the weights that
`draw` returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from winit.schemes.degeneracy import defects
from winit.schemes.drawing import draw, hidden_depth_scale
from winit.schemes.modifiers import MODIFIERS
from winit.schemes.registry import ALIASES, SCHEMES, canonical, label, parse, why_not_applicable
from winit.schemes.scheme import Layer, Lines
from winit.theory.activations import resolve

DISTRIBUTIONS = {"truncated_normal": "normal cut at ±2σ, with σ adjusted to give the stated variance"}

# If no formula gives fan_in · E[w²], it is measured with this many units of a square layer and this many draws.
SQUARE, DRAWS = 256, 16
SMALL = 64  # units of the layer whose weights are looked at


@dataclass(frozen=True)
class Card:
    """One initializer for one activation.

    Attributes:
        name: as written in a grid.
        label: for tables and figures.
        formula: of Var(w).
        distribution: of the weights.
        scaled_variance: fan_in · E[w²] on a square hidden layer: 1 for LeCun and Glorot, 2 for He.
        bias: the rule for the biases.
        kind: random, deterministic or data-dependent.
        source: the paper, or the code that introduced it.
        activation: for which `scaled_variance` and the code are valid; "" if they are valid for all.
        rules: what the modifiers do, in order.
        aliases: other names.
        depth_limit: largest depth at which wide networks are expected to train, 6 ξ_c, or why there is no limit; for an
            activation. "" if the weights are not independent or depend on data.
        defects: of the weights of a square hidden layer of 64 units, such as a low rank; "" if there are none.
        caveat: what could not be checked in the source; "" if it was read.
        torch, keras, jax: equivalent code in one line, or "" if the library has no such function.
    """

    name: str
    label: str
    formula: str
    distribution: str
    scaled_variance: float
    bias: str
    kind: str
    source: str
    activation: str
    rules: tuple[str, ...]
    aliases: tuple[str, ...]
    depth_limit: str
    caveat: str
    defects: str
    torch: str
    keras: str
    jax: str


@cache
def card(initializer: str, activation: str | None = None) -> Card:
    """Return the card of an initializer.

    Args:
        initializer: a scheme with its parameters and optional modifiers.
        activation: for schemes whose scale depends on it; by default the first of relu, tanh and sigmoid that the
            scheme is defined for.

    Raises:
        ValueError: the initializer or activation is unknown, or the pair is not applicable.
    """
    text = canonical(initializer)
    parsed = parse(text)
    scheme, parameters = parsed.scheme, parsed.parameters
    if activation is None:
        activation = next(a for a in ("relu", "tanh", "sigmoid") if why_not_applicable(text, a) is None)
    elif reason := why_not_applicable(text, resolve(activation).name):
        raise ValueError(f"{text} with {activation}: {reason}")
    square = Layer(SQUARE, SQUARE, activation, np.random.default_rng(0))
    weights = np.stack([draw(text, square)[0] for _ in range(DRAWS)])
    stated = scheme.statistics(square, **parameters)
    changes = [MODIFIERS[m] for m in parsed.modifiers]
    added = [m.bias for m in changes if m.bias]
    kind = "deterministic" if (weights == weights[0]).all() else "random"
    remark = f"  # {scheme.remark}" if scheme.remark else ""
    lines = Lines() if changes else scheme.lines(square, **parameters)
    return Card(
        name=text,
        label=label(text),
        formula=scheme.variance,
        distribution=DISTRIBUTIONS.get(scheme.distribution, scheme.distribution),
        scaled_variance=SQUARE * (stated.weight_variance if stated else float(np.square(weights).mean())),
        bias=" ".join([scheme.bias if scheme.bias != "0" or not added else "", *added]).strip(),
        kind="data-dependent" if parsed.is_data_dependent else kind,
        source="; ".join([scheme.source, *(m.source for m in changes)]),
        activation=activation if scheme.depends_on_activation(**parameters) else "",
        rules=tuple(m.rule for m in changes),
        aliases=tuple(a for a in ALIASES if canonical(a) == text),
        depth_limit=_depth_limit(text, activation),
        caveat=scheme.caveat,
        defects=defects(draw(text, Layer(SMALL, SMALL, activation, np.random.default_rng(0)))[0]),
        **{library: line and line + remark for library, line in lines._asdict().items()},
    )


def _depth_limit(text: str, activation: str) -> str:
    """Return the depth limit of square hidden layers as text; "" if the weights are not independent or depend on data."""
    scale = hidden_depth_scale(text, SQUARE, activation)
    if scale is None:
        return ""
    limit = f"none: {scale.why_no_limit}" if scale.why_no_limit else f"{scale.depth_limit:.3g} layers"
    return f"{limit}, with {activation}".replace("inf layers", "∞")


def catalogue() -> list[Card]:
    """Return a card for every scheme, with example values for its parameters, and for every modifier."""
    modified = [m.stands_for or f"he_normal+{m.name}" for m in MODIFIERS.values()]
    return [card(text) for text in [*(scheme.example for scheme in SCHEMES.values()), *modified]]


def lines(card: Card) -> list[tuple[str, str]]:
    """Return the lines of a card as pairs of heading and text, without empty ones."""
    n_var = f"{card.scaled_variance:.4g}" + (f" with {card.activation}" if card.activation else "")
    pairs = [
        ("in the grid", card.name),
        ("Var(w)", card.formula),
        ("distribution", card.distribution),
        ("fan_in · E[w²], square layer", n_var),
        ("biases", card.bias),
        ("then", "; ".join(card.rules)),
        ("kind", card.kind),
        ("source", card.source),
        ("caveat", card.caveat),
        (f"of {SMALL} × {SMALL} weights", card.defects),
        ("depth limit, 6 ξ_c", card.depth_limit),
        ("other names", ", ".join(card.aliases)),
        ("torch", card.torch),
        ("keras", card.keras),
        ("jax", card.jax),
    ]
    return [(heading, text) for heading, text in pairs if text]
