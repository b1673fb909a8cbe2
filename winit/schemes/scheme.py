"""The interface of an initialization scheme: its description, and what it draws for a layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from winit.schemes.papers import Paper
from winit.theory.activations import Activation, resolve
from winit.theory.layers import LayerStatistics

Parameters = tuple[np.ndarray, np.ndarray]  # weights (fan_in, fan_out) and biases (fan_out,), float64


@dataclass(frozen=True)
class Layer:
    """The layer that a scheme fills.

    Attributes:
        fan_in, fan_out: inputs and units.
        activation: of the network's hidden layers, by name.
        rng: the random stream of the layer, or None if nothing is drawn. It does not depend on the scheme: two normal
            schemes in one replicate use the same noise at two scales, so comparisons are paired.
        index: of the layer, from 1; the output layer has `depth` + 1.
        depth: number of hidden layers of the network. The default layer is a hidden layer in the middle.
    """

    fan_in: int
    fan_out: int
    activation: str
    rng: np.random.Generator | None = None
    index: int = 2
    depth: int = 3

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the weights, (fan_in, fan_out)."""
        return self.fan_in, self.fan_out

    @property
    def phi(self) -> Activation:
        """The activation itself."""
        return resolve(self.activation)

    @property
    def is_first(self) -> bool:
        """Whether the layer reads the network's inputs."""
        return self.index == 1

    @property
    def is_last(self) -> bool:
        """Whether it is the output layer."""
        return self.index == self.depth + 1

    @property
    def stream(self) -> np.random.Generator:
        """The random stream of a layer that is drawn."""
        assert self.rng is not None, "a layer without a random stream cannot be drawn"
        return self.rng


@dataclass(frozen=True)
class Parameter:
    """A parameter of a scheme, written after its name: `normal:0.01`.

    Attributes:
        name: in the scheme's label, and as keyword of its functions.
        symbol: in formulas.
        low: lower bound, excluded unless `may_be_low`; None for any number.
        high: the largest value.
        example: a value for examples.
        may_be_low: whether `low` is allowed.
        is_count: whether it is a whole number of at least 1.
    """

    name: str
    symbol: str
    low: float | None = None
    high: float = 1e30
    example: str = "1"
    may_be_low: bool = False
    is_count: bool = False


class Lines(NamedTuple):
    """One line of code per library that fills a layer like a scheme; "" if the library has no such function."""

    torch: str = ""
    keras: str = ""
    jax: str = ""


@dataclass(frozen=True, kw_only=True)
class Scheme(ABC):
    """One initialization scheme.

    Attributes:
        name: as written in a grid.
        label: for tables and figures, with placeholders for the parameters: `normal σ = {std}`.
        family: determines the colour; a key of `winit.vocabulary.looks.FAMILY_COLOURS`.
        distribution: of the weights.
        variance: the formula of Var(w).
        source: the paper, with the equation, or the code that introduced it.
        paper: the paper that proposed the rule; None if it comes from a library or a textbook.
        caveat: what could not be checked in the source; "" if it was read.
        bias: the rule for the biases.
        parameters: its parameters.
        aliases: other names of the same scheme.
        needs: a function that returns why the scheme is not applicable to an activation, as a sentence, or None if it is.
        needs_widths: the same for a network, as a function of the units of every layer, inputs first.
        why_not_calibrated: why data-dependent modifiers cannot change it, as a sentence.
        is_diagram_point: whether the parameters are σ_w² and σ_b² of a phase diagram.
        marker, dashes: of its lines in figures; derived from the name by default.
        torch, keras, jax: equivalent code in one line, with placeholders for the parameters.
        remark: a comment after that code.
    """

    name: str
    label: str
    family: str
    distribution: str
    variance: str
    source: str
    paper: Paper | None = None
    caveat: str = ""
    bias: str = "0"
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()
    needs: Callable[[Activation], str | None] | None = None
    needs_widths: Callable[[Sequence[int]], str | None] | None = None
    why_not_calibrated: str | None = None
    is_diagram_point: bool = False
    marker: str | None = None
    dashes: tuple[float, ...] = ()
    torch: str = ""
    keras: str = ""
    jax: str = ""
    remark: str = ""

    @abstractmethod
    def draw(self, layer: Layer, **parameters: float) -> Parameters:
        """Return weights (fan_in, fan_out) and biases (fan_out,) of a layer, float64. Advances the layer's stream."""

    def statistics(self, layer: Layer, **parameters: float) -> LayerStatistics | None:
        """Return the variances of a layer's weights and biases, or None if the weights are not independent with mean 0."""
        return None

    def depends_on_activation(self, **parameters: float) -> bool:
        """Return whether the weights depend on the activation."""
        return False

    def why_not(self, activation: Activation, widths: Sequence[int] | None = None, **parameters: float) -> str | None:
        """Return why the scheme is not applicable to an activation or a network, as a sentence, or None if it is applicable.

        Args:
            activation: of the hidden layers.
            widths: units of every layer, inputs first; None to check the activation alone.
            **parameters: of the scheme.
        """
        reason = self.needs(activation) if self.needs else None
        if reason is None and widths is not None and self.needs_widths:
            return self.needs_widths(widths)
        return reason

    def lines(self, layer: Layer, **parameters: float) -> Lines:
        """Return the code for torch, Keras and JAX that fills a layer like this one."""
        values = {name: number(value) for name, value in parameters.items()}
        return Lines(*(line.format(**values) for line in (self.torch, self.keras, self.jax)))

    @property
    def example(self) -> str:
        """The scheme with example values for its parameters, as in a grid."""
        return self.name + (":" + "/".join(p.example for p in self.parameters) if self.parameters else "")


@dataclass(frozen=True, kw_only=True)
class MatrixScheme(Scheme):
    """A scheme that computes the weights with one function of the layer and sets the biases to 0.

    Attributes:
        fill: `fill(layer, **parameters)` returns the weights (fan_in, fan_out).
    """

    fill: Callable[..., np.ndarray]

    def draw(self, layer: Layer, **parameters: float) -> Parameters:
        """Return the weights, and biases of 0."""
        return self.fill(layer, **parameters), np.zeros(layer.fan_out)


def number(value: float) -> str:
    """Return a number as source code."""
    return f"{value:.10g}"
