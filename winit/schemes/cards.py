"""A card for every initializer, made from the code that draws its weights: what it is, and how others write it.

The lines for torch, Keras and JAX fill one layer as the scheme does, biases included. They are made from the scheme's
own scale, fan and distribution, and run by the tests against the weights that `initializers.draw` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np

from winit.schemes.catalog import ALIASES, INITIALIZERS, MODIFIERS, Parsed, canonical, label, parse, why_not_applicable
from winit.schemes.drawing import BIASES, SCHEMES, TRUNCATED_STD, Layer, VarianceScaling, draw
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.errors import unknown_name

# Where no formula gives fan_in · E[w²] it is measured, on so many units of a square layer in so many draws.
SQUARE, DRAWS = 256, 16


@dataclass(frozen=True)
class Card:
    """One initializer for one activation.

    Attributes:
        name: as it is written in a grid.
        label: as a reader sees it.
        formula: of Var(w).
        distribution: of the weights.
        scaled_variance: fan_in · E[w²] on a square hidden layer: 1 for LeCun and Glorot, 2 for He.
        bias: rule for the biases.
        kind: random, deterministic or data-dependent.
        source: the paper, or the code that made it known.
        activation: for which `scaled_variance` and the lines hold, or "" where they hold for any.
        rules: what the modifiers do, in order.
        aliases: other names.
        torch, keras, jax: a line each that does the same, or "" where the library has no such function.
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
    torch: str
    keras: str
    jax: str


@cache
def card(initializer: str, activation: str | None = None) -> Card:
    """Return the card of an initializer.

    Args:
        initializer: a scheme with its parameters, and perhaps modifiers.
        activation: for schemes whose scale depends on it; by default the first of relu, tanh and sigmoid that the
            scheme is defined for.

    Raises:
        ValueError: an unknown initializer or activation, or a pair that has no meaning.
    """
    text = canonical(initializer)
    name, _, modifiers = parsed = parse(text)
    if activation is None:
        activation = next(a for a in ("relu", "tanh", "sigmoid") if why_not_applicable(text, a) is None)
    elif activation not in ACTIVATIONS:
        raise ValueError(unknown_name("activation", activation, ACTIVATIONS))
    elif reason := why_not_applicable(text, activation):
        raise ValueError(f"{text} with {activation}: {reason}")
    entry, scheme = INITIALIZERS[name], SCHEMES[name]
    square = Layer(SQUARE, SQUARE, activation, np.random.default_rng(0))
    weights = np.stack([draw(text, square)[0] for _ in range(DRAWS)])
    if isinstance(scheme, VarianceScaling):
        scaled_variance = SQUARE * scheme.std(square, **parsed.parameters) ** 2
    else:
        scaled_variance = SQUARE * float(np.square(weights).mean())
    changes = [MODIFIERS[m] for m in modifiers]
    kind = "deterministic" if (weights == weights[0]).all() else "random"
    plain = not modifiers
    elsewhere = {
        "torch": _torch(parsed, activation),
        "keras": KERAS.line(parsed, activation),
        "jax": JAX.line(parsed, activation),
    }
    hidden_only = "  # hidden layers" if name == "mup" else ""
    return Card(
        name=text,
        label=label(text),
        formula=entry.variance,
        distribution=entry.distribution,
        scaled_variance=scaled_variance,
        bias=entry.bias,
        kind="data-dependent" if parsed.is_data_dependent else kind,
        source="; ".join([entry.source, *(m.source for m in changes)]),
        activation=activation if _depends_on_activation(parsed) else "",
        rules=tuple(m.rule for m in changes),
        aliases=tuple(a for a in ALIASES if canonical(a) == text),
        **{library: f"{line}{hidden_only}" if plain and line else "" for library, line in elsewhere.items()},
    )


def catalogue() -> list[Card]:
    """Return a card for every scheme, with example values for its parameters, and for every modifier."""
    schemes = [
        name + (":" + "/".join(p.example for p in entry.parameters) if entry.parameters else "")
        for name, entry in INITIALIZERS.items()
    ]
    return [card(text) for text in [*schemes, *(ALIASES.get(m, f"he_normal+{m}") for m in MODIFIERS)]]


def lines(found: Card) -> list[tuple[str, str]]:
    """Return what a card says, as pairs of a heading and a text; empty ones left out."""
    facts = asdict(found)
    n_var = f"{found.scaled_variance:.4g}" + (f" with {found.activation}" if found.activation else "")
    pairs = [
        ("in the grid", found.name),
        ("Var(w)", found.formula),
        ("distribution", found.distribution),
        ("fan_in · E[w²], square layer", n_var),
        ("biases", found.bias),
        ("then", "; ".join(found.rules)),
        ("kind", found.kind),
        ("source", found.source),
        ("other names", ", ".join(found.aliases)),
        *((library, facts[library]) for library in ("torch", "keras", "jax")),
    ]
    return [(heading, text) for heading, text in pairs if text]


def _number(value: float) -> str:
    return f"{value:.10g}"


def _scale(scheme: VarianceScaling, activation: str, parameters: dict[str, float]) -> float:
    """Return the scale of a square hidden layer."""
    if not callable(scheme.scale):
        return scheme.scale
    return scheme.scale(Layer(SQUARE, SQUARE, activation, None), **parameters)


def _depends_on_activation(parsed: Parsed) -> bool:
    scheme = SCHEMES[parsed.name]
    if not (isinstance(scheme, VarianceScaling) and callable(scheme.scale)):
        return False
    names = [a for a in ACTIVATIONS if why_not_applicable(parsed.name + _values(parsed), a) is None]
    return len(names) < len(ACTIVATIONS) or len({_scale(scheme, a, parsed.parameters) for a in names}) > 1


def _values(parsed: Parsed) -> str:
    return ":" + "/".join(map(str, parsed.parameters.values())) if parsed.parameters else ""


# The named functions of torch.nn.init, by scale, fan and distribution.
TORCH_NAMED = {
    (1, "fan_avg", "uniform"): "torch.nn.init.xavier_uniform_(layer.weight)",
    (1, "fan_avg", "normal"): "torch.nn.init.xavier_normal_(layer.weight)",
    (1, "fan_in", "normal"): "torch.nn.init.kaiming_normal_(layer.weight, nonlinearity='linear')",
    (1, "fan_in", "uniform"): "torch.nn.init.kaiming_uniform_(layer.weight, nonlinearity='linear')",
    (2, "fan_in", "normal"): "torch.nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')",
    (2, "fan_in", "uniform"): "torch.nn.init.kaiming_uniform_(layer.weight, nonlinearity='relu')",
    (2, "fan_out", "normal"): "torch.nn.init.kaiming_normal_(layer.weight, mode='fan_out', nonlinearity='relu')",
}
TORCH_FANS = {"fan_in": "layer.in_features", "fan_out": "layer.out_features"}
TORCH_BIAS = "torch.nn.init.zeros_(layer.bias)"
KERAS_NAMED = {
    (1, "fan_avg", "uniform"): "keras.initializers.GlorotUniform()",
    (1, "fan_avg", "truncated_normal"): "keras.initializers.GlorotNormal()",
    (1, "fan_in", "uniform"): "keras.initializers.LecunUniform()",
    (1, "fan_in", "truncated_normal"): "keras.initializers.LecunNormal()",
    (2, "fan_in", "uniform"): "keras.initializers.HeUniform()",
    (2, "fan_in", "truncated_normal"): "keras.initializers.HeNormal()",
}
JAX_NAMED = {
    (1, "fan_avg", "uniform"): "jax.nn.initializers.glorot_uniform()",
    (1, "fan_avg", "truncated_normal"): "jax.nn.initializers.glorot_normal()",
    (1, "fan_in", "uniform"): "jax.nn.initializers.lecun_uniform()",
    (1, "fan_in", "truncated_normal"): "jax.nn.initializers.lecun_normal()",
    (2, "fan_in", "uniform"): "jax.nn.initializers.he_uniform()",
    (2, "fan_in", "truncated_normal"): "jax.nn.initializers.he_normal()",
}


def _torch_fill(tensor: str, scheme: VarianceScaling, scale: float) -> str:
    """Return the line that fills a tensor with independent numbers of variance scale/fan."""
    if scheme.distribution == "uniform":
        scale *= 3
    if scheme.fan == "one":
        size = _number(scale**0.5)
    elif scheme.fan == "fan_avg":
        size = f"({_number(2 * scale)} / (layer.in_features + layer.out_features)) ** 0.5"
    else:
        size = f"({_number(scale)} / {TORCH_FANS[scheme.fan]}) ** 0.5"
    if scheme.distribution == "normal":
        return f"torch.nn.init.normal_({tensor}, std={size})"
    if scheme.distribution == "uniform":
        return f"a = {size}; torch.nn.init.uniform_({tensor}, -a, a)"
    return f"s = {size} / {TRUNCATED_STD:.12g}; torch.nn.init.trunc_normal_({tensor}, std=s, a=-2 * s, b=2 * s)"


def _torch(parsed: Parsed, activation: str) -> str:
    name, parameters, _ = parsed
    scheme, values = SCHEMES[name], [_number(v) for v in parameters.values()]
    if name == "torch_default":
        return "layer.reset_parameters()  # as constructed"
    if not isinstance(scheme, VarianceScaling):
        fill = {
            "zeros": "torch.nn.init.zeros_(layer.weight)",
            "constant": "torch.nn.init.constant_(layer.weight, {})",
            "orthogonal": "torch.nn.init.orthogonal_(layer.weight, gain={})",
            "identity": "torch.nn.init.eye_(layer.weight)",
            "torch_sparse": "torch.nn.init.sparse_(layer.weight, {})",
        }.get(name)
        return f"{fill.format(*values)}; {TORCH_BIAS}" if fill else ""
    scale = _scale(scheme, activation, parameters)
    # A scale that follows from the activation or the layer is a number of its own, even where it is 1 or 2.
    weights = None if callable(scheme.scale) else TORCH_NAMED.get((scheme.scale, scheme.fan, scheme.distribution))
    if name == "random_walk":  # its scale depends on fan_in
        weights = (
            "n = layer.in_features; g = 2**0.5 * math.exp(1.2 / (max(n, 6) - 2.4)); "
            if activation == "relu"
            else "n = layer.in_features; g = math.exp(1 / (2 * n)); "
        ) + "torch.nn.init.normal_(layer.weight, std=g / n**0.5)"
    weights = weights or _torch_fill("layer.weight", scheme, scale)
    biases = BIASES.get(name)
    return f"{weights}; " + (
        _torch_fill("layer.bias", biases, _scale(biases, activation, parameters)) if biases else TORCH_BIAS
    )


@dataclass(frozen=True)
class Library:
    """How a library that takes initializers as objects writes them.

    Attributes:
        named: its named initializers, by scale, fan and distribution.
        structured: its lines for schemes that are no variance scaling, with places for their parameters.
        normal, uniform: of a fixed standard deviation, and a fixed bound.
        scaled: variance scaling, with places for scale, fan and distribution.
        plain_normal: its name of the normal distribution that is not truncated.
        biases: what is said of normal biases, with a place for their standard deviation.
    """

    named: Mapping[tuple[float, str, str], str]
    structured: Mapping[str, str]
    normal: str
    uniform: str
    scaled: str
    plain_normal: str
    biases: str

    def line(self, parsed: Parsed, activation: str) -> str:
        """Return the line for a scheme, or "" where the library has none."""
        name, parameters, _ = parsed
        scheme = SCHEMES[name]
        if not isinstance(scheme, VarianceScaling):
            return self.structured.get(name, "").format(*map(_number, parameters.values()))
        if name == "random_walk" or (name in BIASES and BIASES[name].fan != "one"):
            return ""  # an initializer of biases does not know the fan of the weights
        scale = _scale(scheme, activation, parameters)
        if scheme.fan == "one":
            if scheme.distribution == "normal":
                return self.normal.format(_number(scale**0.5))
            return self.uniform.format(_number((3 * scale) ** 0.5))
        named = None if callable(scheme.scale) else self.named.get((scheme.scale, scheme.fan, scheme.distribution))
        distribution = self.plain_normal if scheme.distribution == "normal" else scheme.distribution
        line = named or self.scaled.format(_number(scale), scheme.fan, distribution)
        if name in BIASES:
            line += self.biases.format(_number(_scale(BIASES[name], activation, parameters) ** 0.5))
        return line


KERAS = Library(
    KERAS_NAMED,
    {
        "zeros": "keras.initializers.Zeros()",
        "constant": "keras.initializers.Constant({})",
        "orthogonal": "keras.initializers.Orthogonal(gain={})",
        "identity": "keras.initializers.Identity()",
    },
    normal="keras.initializers.RandomNormal(stddev={})",
    uniform="keras.initializers.RandomUniform(-{0}, {0})",
    scaled="keras.initializers.VarianceScaling({}, '{}', '{}')",
    plain_normal="untruncated_normal",
    biases="  # bias_initializer=keras.initializers.RandomNormal(stddev={})",
)
JAX = Library(
    JAX_NAMED,
    {
        "zeros": "jax.nn.initializers.zeros",
        "constant": "jax.nn.initializers.constant({})",
        "orthogonal": "jax.nn.initializers.orthogonal({})",
        "identity": "lambda key, shape, dtype=float: jax.numpy.eye(*shape, dtype=dtype)",
    },
    normal="jax.nn.initializers.normal({})",
    # jax.nn.initializers.uniform begins at 0
    uniform="lambda key, shape, dtype=float: jax.random.uniform(key, shape, dtype, -{0}, {0})",
    scaled="jax.nn.initializers.variance_scaling({}, '{}', '{}')",
    plain_normal="normal",
    biases="  # biases: jax.nn.initializers.normal({})",
)
