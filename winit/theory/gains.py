"""Gains of an activation: the scales of weights that preserve signals or gradients."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from winit.theory.activations import Activation, resolve
from winit.theory.quadrature import moments


@dataclass(frozen=True)
class Gains:
    """Standard deviations of weights, times √fan, that preserve signals, gradients, or both, at q = 1."""

    forward: float
    backward: float

    @property
    def mean(self) -> float:
        """The geometric mean of the two."""
        return sqrt(self.forward * self.backward)


def gains(activation: str | Activation) -> Gains:
    """Return the gains of φ: 1/√E[φ(z)²] forward, 1/√E[φ′(z)²] backward, z ~ N(0, 1).

    For ReLU both are √2 (He et al. 2015).
    """
    m = moments(activation, 1.0)
    return Gains(1 / sqrt(m.square), 1 / sqrt(m.slope))


CARD_LINES = {
    "mean": "mean E[φ]",
    "square": "mean square E[φ²]",
    "slope": "mean square slope E[φ′²]",
    "forward_gain": "gain that preserves signals, 1/√E[φ²]",
    "backward_gain": "gain that preserves gradients, 1/√E[φ′²]",
    "mean_gain": "geometric mean of the two",
    "chi_1": "gradient factor per layer at the forward gain, χ₁",
    "growth": "slope of the log-length map at the forward gain",
    "kumar_gain": "Kumar's std · √fan_in",
}


def activation_card(activation: str | Activation) -> dict[str, float | None]:
    """Return the theory of one activation at q = 1.

    Returns:
        One number for each key of `CARD_LINES`; `kumar_gain` is None if φ has a kink at 0.
    """
    phi = resolve(activation)
    m, g = moments(phi, 1.0), gains(phi)
    kumar = 1 / sqrt(phi.slope_at_0**2 * (1 + phi.value_at_0**2)) if phi.slope_at_0 else None
    return {
        "mean": m.mean,
        "square": m.square,
        "slope": m.slope,
        "forward_gain": g.forward,
        "backward_gain": g.backward,
        "mean_gain": g.mean,
        "chi_1": m.slope / m.square,
        "growth": m.growth / m.square,
        "kumar_gain": kumar,
    }
