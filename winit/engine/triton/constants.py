"""The constants of the compiled kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

LINE = 32  # float32 elements of a cache line


def whole_lines(count: int) -> int:
    """Return a number of elements, rounded up to cache lines, so that the GPU can load four elements at a time."""
    return -(-count // LINE) * LINE


@dataclass(frozen=True)
class Constants:
    """Compile-time constants of the kernel: sizes of networks, tiles and memory, in float32 elements.

    Attributes:
        inputs, width, classes, depth: of every network; `depth` is the number of hidden layers.
        batch: B, examples in a mini-batch.
        phi: the activation of the hidden layers.
        rule, momentum, decay: the optimizer's name, μ and λ.
        examples, units, outputs, inner: sizes of tiles of examples, units of a hidden layer, all classes, and the inner
            dimension of products. Powers of two, at least 16.
        precision: of products: `ieee`, or `tf32x3` for three products on tensor cores instead of one.
        traced: whether every step is measured.
        first, following, last: parameters of the first layer, of each other hidden layer, and of all these together.
        size: room for the parameters of a network.
        hidden, signal: scratch before the outputs of the hidden layers, which the mini-batch takes, and of each of these.
        deltas, delta: scratch before the two places for δ, and of one of them; the first takes the logits, too.
        room: scratch of a network.

    Triton's cache of compiled code identifies code by the fields, so derived values are fields instead of properties.
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
    first: int = field(init=False)
    following: int = field(init=False)
    last: int = field(init=False)
    size: int = field(init=False)
    hidden: int = field(init=False)
    signal: int = field(init=False)
    deltas: int = field(init=False)
    delta: int = field(init=False)
    room: int = field(init=False)

    def __post_init__(self) -> None:
        hidden, signal = self.batch * self.inputs, self.batch * self.width
        first, following = (self.inputs + 1) * self.width, (self.width + 1) * self.width
        last, deltas = first + (self.depth - 1) * following, hidden + self.depth * signal
        delta = self.batch * max(self.width, self.classes)
        derived = {
            "first": first, "following": following, "last": last, "size": whole_lines(last + (self.width + 1) * self.classes),
            "hidden": hidden, "signal": signal, "deltas": deltas, "delta": delta, "room": whole_lines(deltas + 2 * delta),
        }  # fmt: skip
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Fan-in and fan-out of every layer."""
        return list(pairwise([self.inputs, *[self.width] * self.depth, self.classes]))
