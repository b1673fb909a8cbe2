"""The schemes by name, and the parser of initializers in a grid: a scheme, its parameters and its modifiers."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from winit.schemes import (
    activation_transforms,
    asymmetric,
    constant,
    fan_scaled,
    fixed,
    framework_defaults,
    mean_field,
    standardized,
    structured,
    waves,
)
from winit.schemes.modifiers import MODIFIERS
from winit.schemes.scheme import Parameter, Scheme
from winit.theory.activations import resolve
from winit.vocabulary.errors import unknown_name
from winit.vocabulary.looks import FAMILY_COLOURS, KNOWN_LOOKS, OTHER_LOOKS, Look
from winit.vocabulary.words import count

# In the order in which tables and figures show them.
FAMILIES = (
    constant,
    fixed,
    fan_scaled,
    framework_defaults,
    mean_field,
    activation_transforms,
    standardized,
    structured,
    waves,
    asymmetric,
)
SCHEMES: dict[str, Scheme] = {scheme.name: scheme for family in FAMILIES for scheme in family.SCHEMES}
# Other names of schemes, and of modified schemes that are known by their modifier.
ALIASES: dict[str, str] = {
    **{alias: scheme.name for scheme in SCHEMES.values() for alias in scheme.aliases},
    **{name: modifier.stands_for for name, modifier in MODIFIERS.items() if modifier.stands_for},
}


class Parsed(NamedTuple):
    """A parsed initializer: the scheme's name, its parameters by name, its modifiers in the order of `MODIFIERS`."""

    name: str
    parameters: dict[str, float]
    modifiers: tuple[str, ...]

    @property
    def scheme(self) -> Scheme:
        """The scheme itself."""
        return SCHEMES[self.name]

    @property
    def is_data_dependent(self) -> bool:
        """Whether a modifier uses training data."""
        return any(MODIFIERS[m].is_data_dependent for m in self.modifiers)


_MODIFIED = re.compile(r"\+(?=[A-Za-z])")  # a plus sign before a digit is part of a number such as 1e+3


def parse(text: str) -> Parsed:
    """Parse an initializer such as `normal:0.01+lsuv` into scheme, parameters and modifiers.

    Args:
        text: the name or an alias of a scheme, followed by one value for each of its parameters (the first after ':', others
            after '/') and by modifiers, each after '+'.

    Returns:
        The parts, e.g. `Parsed("normal", {"std": 0.01}, ("lsuv",))`.

    Raises:
        ValueError: the scheme or a modifier is unknown, a value is missing, superfluous or out of range.
    """
    head, *after = _MODIFIED.split(text)
    name, colon, values = head.partition(":")
    if name in MODIFIERS and name not in ALIASES:
        raise ValueError(
            f"initializer '{text}': {name} is a modifier and needs a scheme; write for example he_normal+{name}"
        )
    if name in ALIASES:
        head, *own = _MODIFIED.split(ALIASES[name] + colon + values)
        name, _, values = head.partition(":")
        after = [*own, *after]
    if name not in SCHEMES:
        raise ValueError(unknown_name("initializer", name, [*SCHEMES, *ALIASES], "`winit list initializers`"))
    for modifier in after:
        if modifier not in MODIFIERS:
            raise ValueError(f"initializer '{text}': {unknown_name('modifier', modifier, MODIFIERS)}")
        if after.count(modifier) > 1:
            raise ValueError(f"initializer '{text}' has {modifier} twice; write it once")
    wanted = SCHEMES[name].parameters
    given = values.split("/") if values else []
    if len(given) != len(wanted):
        form = name + "".join(f"{':' if i == 0 else '/'}<{p.name}>" for i, p in enumerate(wanted))
        example = f", for example {name}:{'/'.join(p.example for p in wanted)}" if wanted else ""
        raise ValueError(f"initializer '{text}' has {count(len(given), 'value')}; write it {form}{example}")
    parameters = {p.name: _checked(text, p, value) for p, value in zip(wanted, given, strict=True)}
    return Parsed(name, parameters, tuple(m for m in MODIFIERS if m in after))


def _checked(text: str, parameter: Parameter, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if parameter.is_count and not (1 <= number <= parameter.high and number.is_integer()):
        raise ValueError(
            f"initializer '{text}': {parameter.name} is '{value}'; it must be a whole number of at least 1"
        )
    low, high = parameter.low, parameter.high
    above = low is None or number > low or (parameter.may_be_low and number == low)
    if not (above and -1e30 <= number <= high):
        bound = "" if low is None else f" of at least {low:g}" if parameter.may_be_low else f" above {low:g}"
        bound += f", at most {high:g}" if high != 1e30 else " and at most 1e30" if bound else " of size at most 1e30"
        raise ValueError(f"initializer '{text}': {parameter.name} is '{value}'; it must be a number{bound}")
    return number


def canonical(text: str) -> str:
    """Return the canonical spelling of an initializer: `normal:0.010` and `normal:1e-2` are both `normal:0.01`."""
    name, parameters, modifiers = parse(text)
    values = "/".join(shortest(v) for v in parameters.values())
    return "+".join([f"{name}:{values}" if values else name, *modifiers])


def shortest(value: float) -> str:
    """Return the shortest spelling of a number that represents it exactly."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def label(text: str) -> str:
    """Return the label of an initializer: `normal:0.01` is 'normal σ = 0.01'."""
    name, parameters, modifiers = parse(text)
    scheme = SCHEMES[name].label.format(**{k: shortest(v) for k, v in parameters.items()})
    return " + ".join([scheme, *(MODIFIERS[m].label for m in modifiers)])


def why_not_applicable(initializer: str, activation: str, widths: Sequence[int] | None = None) -> str | None:
    """Return why an initializer is not applicable to an activation or a network, as a sentence, or None if it is applicable.

    Args:
        initializer: with its parameters and modifiers.
        activation: of the hidden layers, by name.
        widths: units of every layer, inputs first; None to check the activation alone.
    """
    parsed = parse(initializer)
    reason = parsed.scheme.why_not(resolve(activation), widths, **parsed.parameters)
    if reason is None and parsed.is_data_dependent:
        return parsed.scheme.why_not_calibrated
    return reason


def style(text: str) -> Look:
    """Return colour, marker and dash pattern of an initializer, the same in all figures of all studies."""
    text = canonical(text)
    parsed = parse(text)
    scheme = parsed.scheme
    family = "data-dependent" if parsed.is_data_dependent else scheme.family
    if text in KNOWN_LOOKS:
        marker, dashes = KNOWN_LOOKS[text]
    elif parsed.parameters or parsed.modifiers or scheme.marker is None:
        marker, dashes = OTHER_LOOKS[zlib.crc32(text.encode()) % len(OTHER_LOOKS)]
    else:
        marker, dashes = scheme.marker, scheme.dashes
    return {"color": FAMILY_COLOURS[family], "marker": marker, "dashes": dashes}


def in_order(initializers: Iterable[str]) -> list[str]:
    """Sort initializers in the order of `SCHEMES`, then by parameters, with modified schemes last."""
    rank = {name: i for i, name in enumerate(SCHEMES)}

    def key(text: str) -> tuple[tuple[str, ...], int, tuple[float, ...]]:
        name, parameters, modifiers = parse(text)
        return modifiers, rank[name], tuple(parameters.values())

    return sorted(set(initializers), key=key)


def diagram_points(initializers: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return σ_w² and σ_b² of the initializers that are points of a phase diagram: unmodified `mean_field` schemes."""
    points = {}
    for initializer in initializers:
        parsed = parse(initializer)
        if parsed.scheme.is_diagram_point and not parsed.modifiers:
            sigma_w2, sigma_b2 = parsed.parameters.values()
            points[initializer] = sigma_w2, sigma_b2
    return points
