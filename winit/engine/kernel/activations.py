"""Vector code of the activations and of their derivatives."""

from __future__ import annotations

from collections.abc import Callable

from winit.engine.kernel.emit import Emit, Value

# φ(z), and g·φ′(z) given h = φ(z). The order of the comparisons propagates NaN.
PHI: dict[str, Callable[[Emit, Value], Value]] = {
    "identity": lambda e, z: z,
    "relu": lambda e, z: e.where("<=", z, e.constant(0.0), e.constant(0.0), z),
    "tanh": lambda e, z: e.tanh(z),
    "sigmoid": lambda e, z: e.sigmoid(z),
}
CHAIN: dict[str, Callable[[Emit, Value, Value], Value]] = {
    "identity": lambda e, g, h: g,
    "relu": lambda e, g, h: e.where("<=", h, e.constant(0.0), e.constant(0.0), g),
    "tanh": lambda e, g, h: e.b.fmul(g, e.fma(e.negative(h), h, e.constant(1.0))),
    "sigmoid": lambda e, g, h: e.b.fmul(g, e.b.fmul(h, e.b.fsub(e.constant(1.0), h))),
}
