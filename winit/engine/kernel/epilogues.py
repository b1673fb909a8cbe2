"""Epilogues of the products: activation, derivative, optimizer update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from winit.engine.kernel.activations import CHAIN, PHI
from winit.engine.kernel.emit import Emit


@dataclass
class Site:
    """Where an epilogue works: one vector of the result, and the addresses of the function's further arguments."""

    e: Emit
    c: object
    extra: list
    offset: object
    factors: list

    def read(self, base):
        return self.e.load(base, self.offset)

    def write(self, value, base) -> None:
        self.e.store(value, base, self.offset)


def _forward(activation: str) -> Callable:
    def epilogue(s: Site, z) -> None:
        s.write(PHI[activation](s.e, z), s.c)

    return epilogue


def _backward(activation: str) -> Callable:
    def epilogue(s: Site, gradient) -> None:  # extra: h, laid out as the result
        s.write(CHAIN[activation](s.e, gradient, s.read(s.extra[0])), s.c)

    return epilogue


def keep(s: Site, partial) -> None:
    s.write(partial, s.c)


def _sgd(s: Site, gradient) -> None:
    rate, decay = s.factors
    w = s.read(s.c)
    s.write(s.e.fma(s.e.fma(decay, w, gradient), rate, w), s.c)


def _momentum(s: Site, gradient) -> None:  # extra: velocity
    rate, decay, momentum, of_velocity, of_gradient = s.factors
    w = s.read(s.c)
    gradient = s.e.fma(decay, w, gradient)
    velocity = s.e.fma(s.read(s.extra[0]), momentum, gradient)
    s.write(velocity, s.extra[0])
    step = s.e.fma(of_gradient, gradient, s.e.b.fmul(of_velocity, velocity))
    s.write(s.e.fma(step, rate, w), s.c)


def _adam(s: Site, gradient) -> None:  # extra: mean, square
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
    s.write(e.fma(rate, e.b.fdiv(mean, size), e.b.fmul(shrink, w)), s.c)


# An optimizer's epilogue reads these numbers, anew at every step, from the function's last argument (−η: minus the rate).
FACTORS: dict[str, tuple[str, ...]] = {
    "sgd": ("−η", "λ"),
    "momentum": ("−η", "λ", "μ", "share of velocity", "share of gradient"),
    "adam": ("−η/(1−β₁ᵗ)", "λ", "1−β₁", "β₂", "1−β₂", "1/√(1−β₂ᵗ)", "ε", "1−ηλ (AdamW)"),
}
EPILOGUES: dict[str, Callable] = {
    **{f"forward {name}": _forward(name) for name in PHI},
    **{f"backward {name}": _backward(name) for name in CHAIN},
    "sgd": _sgd,
    "momentum": _momentum,
    "adam": _adam,
}
