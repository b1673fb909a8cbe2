"""The constants of the compiled kernel."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Constants:
    """What the kernel is compiled for: the sizes of the networks, of its tiles, and of its memory, in float32 elements.

    Attributes:
        inputs, width, classes, depth: of every network; the depth counts hidden layers.
        batch: B, examples in a mini-batch.
        phi: the activation of the hidden layers.
        rule, momentum, decay: the optimizer's name, μ and λ.
        examples, units, outputs, inner: sizes of tiles: of examples, of units of a hidden layer, of all classes, and of
            what a product sums over. Powers of two, at least 16.
        precision: of the products: `ieee`, or `tf32x3` for three products on tensor cores in place of one.
        traced: whether every step is measured.
    """

    inputs: int
    width: int
    classes: int
    depth: int
    batch: int
    phi: str
    rule: str
    momentum: float
    decay: float
    examples: int
    units: int
    outputs: int
    inner: int
    precision: str
    traced: bool

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Fan-in and fan-out of every layer."""
        widths = [self.inputs, *[self.width] * self.depth, self.classes]
        return list(pairwise(widths))

    @property
    def first(self) -> int:
        """Parameters of the first layer."""
        return (self.inputs + 1) * self.width

    @property
    def following(self) -> int:
        """Parameters of each other hidden layer."""
        return (self.width + 1) * self.width

    @property
    def last(self) -> int:
        """Parameters below the output layer."""
        return self.first + (self.depth - 1) * self.following

    @property
    def size(self) -> int:
        """Parameters of a network."""
        return self.last + (self.width + 1) * self.classes

    @property
    def hidden(self) -> int:
        """Scratch before the outputs of the hidden layers: the mini-batch."""
        return self.batch * self.inputs

    @property
    def signal(self) -> int:
        """Scratch of the outputs of one hidden layer."""
        return self.batch * self.width

    @property
    def deltas(self) -> int:
        """Scratch before the two places for δ, the first of which takes the logits, too."""
        return self.hidden + self.depth * self.signal

    @property
    def delta(self) -> int:
        """Scratch of one of these places."""
        return self.batch * max(self.width, self.classes)

    @property
    def room(self) -> int:
        """Scratch of a network."""
        return self.deltas + 2 * self.delta
