"""Epilogues of products: operations on a vector of the result while it is still in a register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from winit.engine.kernel.activations import CHAIN, PHI
from winit.engine.kernel.emit import Emit, Index, Value


@dataclass(frozen=True)
class Site:
    """The location of an epilogue: one vector of the result.

    Attributes:
        e: emits the instructions.
        c: address of the result.
        extra: addresses of additional arguments of the function.
        offset: of the vector, in floats after each of these addresses.
        factors: numbers of the optimizer at this step, one vector each; see `FACTORS`.
    """

    e: Emit
    c: Value
    extra: list[Value]
    offset: Index
    factors: list[Value]

    def read(self, base: Value) -> Value:
        """Return the vector at this site of an array."""
        return self.e.load(base, self.offset)

    def write(self, value: Value, base: Value) -> None:
        """Store the vector at this site of an array."""
        self.e.store(value, base, self.offset)


Epilogue = Callable[[Site, Value], None]

LARGEST = 2.0**125  # largest argument of `Emit.reciprocal`

# Epilogues with many instructions: unrolled for every vector of a tile, they would not fit into the instruction cache.
LONG = {"forward tanh", "forward sigmoid"}


def _forward(activation: str) -> Epilogue:
    def epilogue(s: Site, z: Value) -> None:
        s.write(PHI[activation](s.e, z), s.c)

    return epilogue


def _backward(activation: str) -> Epilogue:
    def epilogue(s: Site, gradient: Value) -> None:  # extra: h, in the layout of the result
        s.write(CHAIN[activation](s.e, gradient, s.read(s.extra[0])), s.c)

    return epilogue


def _reconstruct(output: str) -> Epilogue:
    def epilogue(s: Site, z: Value) -> None:  # extra: the targets, in the layout of the result; the number 1/B
        away = s.e.b.fsub(PHI[output](s.e, z), s.read(s.extra[0]))
        s.write(s.e.b.fmul(away, s.e.broadcast(s.extra[1], 0)), s.c)

    return epilogue


def _minus(activation: str) -> Epilogue:
    def epilogue(s: Site, z: Value) -> None:
        s.write(s.e.negative(PHI[activation](s.e, z)), s.c)

    return epilogue


# Extra arguments of both: the noise, and the address of the sample, both in the layout of the result, the mean.
def _sample_binary(s: Site, z: Value) -> None:
    mean = s.e.sigmoid(z)
    s.write(mean, s.c)
    s.write(s.e.where("<", s.read(s.extra[0]), mean, s.e.constant(1.0), s.e.constant(0.0)), s.extra[1])


def _sample_linear(s: Site, z: Value) -> None:
    s.write(z, s.c)
    s.write(s.e.b.fadd(s.read(s.extra[0]), z), s.extra[1])


def keep(s: Site, partial: Value) -> None:
    """Store a partial sum, to which later blocks of the inner dimension are added."""
    s.write(partial, s.c)


def _sgd(s: Site, gradient: Value) -> None:
    rate, decay = s.factors
    w = s.read(s.c)
    s.write(s.e.fma(s.e.fma(decay, w, gradient), rate, w), s.c)


def _momentum(s: Site, gradient: Value) -> None:  # extra: velocity
    rate, decay, momentum, of_velocity, of_gradient = s.factors
    w = s.read(s.c)
    gradient = s.e.fma(decay, w, gradient)
    velocity = s.e.fma(s.read(s.extra[0]), momentum, gradient)
    s.write(velocity, s.extra[0])
    step = s.e.fma(of_gradient, gradient, s.e.b.fmul(of_velocity, velocity))
    s.write(s.e.fma(step, rate, w), s.c)


def _adam(s: Site, gradient: Value) -> None:  # extra: mean, square
    e = s.e
    rate, decay, rest1, beta2, rest2, correction, epsilon, shrink = s.factors
    w = s.read(s.c)
    gradient = e.fma(decay, w, gradient)
    mean = s.read(s.extra[0])
    mean = e.fma(rest1, e.b.fsub(gradient, mean), mean)
    square = e.fma(beta2, s.read(s.extra[1]), e.b.fmul(rest2, e.b.fmul(gradient, gradient)))
    s.write(mean, s.extra[0])
    s.write(square, s.extra[1])
    size = e.fma(e.call("sqrt", square), correction, epsilon)
    size = e.where(">", size, e.constant(LARGEST), e.constant(LARGEST), size)  # if the square overflowed
    direction = e.b.fmul(mean, e.reciprocal(size))
    s.write(e.fma(rate, direction, e.b.fmul(shrink, w)), s.c)


def _contrast(s: Site, contrast: Value) -> None:  # extra: velocity, weight cost of every parameter
    rate, momentum, share = s.factors
    w, cost = s.read(s.c), s.read(s.extra[1])
    direction = s.e.fma(s.e.negative(cost), w, s.e.b.fmul(share, contrast))
    velocity = s.e.fma(rate, direction, s.e.b.fmul(momentum, s.read(s.extra[0])))
    s.write(velocity, s.extra[0])
    s.write(s.e.b.fadd(w, velocity), s.c)


# Numbers that an optimizer's epilogue reads at every step from the address `factors` (−η: minus the learning rate).
FACTORS: dict[str, tuple[str, ...]] = {
    "sgd": ("−η", "λ"),
    "momentum": ("−η", "λ", "μ", "share of velocity", "share of gradient"),
    "adam": ("−η/(1−β₁ᵗ)", "λ", "1−β₁", "β₂", "1−β₂", "1/√(1−β₂ᵗ)", "ε", "1−ηλ (AdamW)"),
    "contrast": ("η", "μ", "1/B"),
}
EPILOGUES: dict[str, Epilogue] = {
    **{f"forward {name}": _forward(name) for name in PHI},
    **{f"backward {name}": _backward(name) for name in CHAIN},
    "reconstruct squared_error": _reconstruct("identity"),
    "reconstruct cross_entropy": _reconstruct("sigmoid"),
    "minus sigmoid": _minus("sigmoid"),
    "minus identity": _minus("identity"),
    "sample sigmoid": _sample_binary,
    "sample identity": _sample_linear,
    "sgd": _sgd,
    "momentum": _momentum,
    "adam": _adam,
    "contrast": _contrast,
}
