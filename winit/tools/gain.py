"""Mean-field quantities of an activation: gains, fixed points, criticality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from winit.theory.activations import ACTIVATIONS, resolve
from winit.theory.gains import CARD_LINES, activation_card
from winit.theory.maps import HOMOGENEOUS, Critical, any_length, critical
from winit.theory.transforms import GaussianPoincare, gaussian_poincare
from winit.vocabulary.errors import unknown_name

# Bias variances for which critical points are listed.
SIGMA_B2 = (0.01, 0.05, 0.2)


@dataclass(frozen=True)
class ActivationTheory:
    """Mean-field quantities of one activation.

    Attributes:
        activation: its name.
        numbers: one for each key of `theory.gains.CARD_LINES`; None if it does not exist.
        critical: points of the critical line for the bias variances in `SIGMA_B2`.
        any_length: critical σ_w² at which every q is a fixed point without biases; None if φ is not homogeneous.
        gaussian_poincare: biases that depend on the weights and make any activation critical (the scheme `gpn`).
        torch_gain: `torch.nn.init.calculate_gain`, or None if torch has none.
    """

    activation: str
    numbers: Mapping[str, float | None]
    critical: tuple[Critical, ...]
    any_length: float | None
    gaussian_poincare: GaussianPoincare
    torch_gain: float | None

    def as_dict(self) -> dict[str, object]:
        """Return what `winit gain --json` prints."""
        points = [asdict(point) | {"is_stable": point.is_stable} for point in self.critical]
        return {
            "activation": self.activation,
            **self.numbers,
            "critical": points,
            "any_length": self.any_length,
            "gaussian_poincare": asdict(self.gaussian_poincare),
            "torch_gain": self.torch_gain,
        }


def gain(activation: str) -> ActivationTheory:
    """Return the mean-field quantities of an activation, z ~ N(0, 1).

    Raises:
        ValueError: the activation is unknown.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(unknown_name("activation", activation, ACTIVATIONS))
    points = tuple(point for sigma_b2 in SIGMA_B2 for point in critical(activation, sigma_b2))
    return ActivationTheory(
        activation,
        activation_card(activation),
        points,
        any_length(activation),
        gaussian_poincare(activation),
        _torch_gain(activation),
    )


def _torch_gain(activation: str) -> float | None:
    """Return torch's gain, or None if it has none.

    Homogeneous activations are leaky ReLUs in torch, with slope 0 for ReLU and 1 for the identity.
    """
    from torch.nn.init import calculate_gain

    phi = resolve(activation)
    if phi.is_homogeneous:
        return float(calculate_gain("leaky_relu", -float(phi.phi(np.array(-1.0)))))
    try:
        return float(calculate_gain(activation))  # type: ignore[arg-type]  # refused below
    except ValueError:
        return None


def lines(theory: ActivationTheory) -> list[str]:
    """Return the quantities as lines of text."""
    phi = ACTIVATIONS[theory.activation]
    text = [f"{phi.label}: φ(z) = {phi.formula}; z ~ N(0, 1)"]
    for key, meaning in CARD_LINES.items():
        value = theory.numbers[key]
        text.append(f"  {meaning:58s} {'none' if value is None else f'{value:.6g}'}")
    for point in theory.critical:
        text.append(
            f"  critical at σ_b² = {point.sigma_b2:g}: σ_w² = {point.sigma_w2:.5g} "
            f"(σ_w = {point.sigma_w2**0.5:.4g}), q* = {point.q_star:.4g}, {'stable' if point.is_stable else 'unstable'}"
        )
    if not theory.critical:
        text.append("  critical with independent biases: none")
    if theory.any_length is not None:
        text.append(
            f"  critical without biases: σ_w² = {theory.any_length:.5g}, every q is a fixed point; "
            f"no depth limit: {HOMOGENEOUS}"
        )
    gpn = theory.gaussian_poincare
    text.append(
        f"  critical with the biases of gpn, as every activation: n·Var(w) = {gpn.a**2:.5g}, b = {gpn.b / gpn.a:.5g} Σ w, q* = 1, "
        f"slope of the length map {gpn.slope:.3g}"
    )
    return [*text, f"  torch.nn.init.calculate_gain: {theory.torch_gain or 'refuses'}"]
