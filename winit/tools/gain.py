"""Mean-field quantities of an activation: gains, fixed points, criticality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from winit.theory.activations import ACTIVATIONS
from winit.theory.gains import CARD_LINES, activation_card
from winit.theory.maps import Critical, critical
from winit.vocabulary.errors import unknown_name

# Variances of the biases at which the critical points are given.
SIGMA_B2 = (0.01, 0.05, 0.2)


@dataclass(frozen=True)
class ActivationTheory:
    """What theory says of one activation.

    Attributes:
        activation: its name.
        numbers: one for each key of `theory.gains.CARD_LINES`; None where it does not exist.
        critical: points of the critical line, for the variances of biases in `SIGMA_B2`.
        torch_gain: `torch.nn.init.calculate_gain`, or None where torch has none.
    """

    activation: str
    numbers: Mapping[str, float | None]
    critical: tuple[Critical, ...]
    torch_gain: float | None

    def as_dict(self) -> dict[str, object]:
        """Return what `winit gain --json` prints."""
        points = [asdict(point) | {"is_stable": point.is_stable} for point in self.critical]
        return {"activation": self.activation, **self.numbers, "critical": points, "torch_gain": self.torch_gain}


def gain(activation: str) -> ActivationTheory:
    """Return the mean-field quantities of an activation, z ~ N(0, 1).

    Raises:
        ValueError: the activation is unknown.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(unknown_name("activation", activation, ACTIVATIONS))
    points = tuple(point for sigma_b2 in SIGMA_B2 for point in critical(activation, sigma_b2))
    return ActivationTheory(activation, activation_card(activation), points, _torch_gain(activation))


def _torch_gain(activation: str) -> float | None:
    """Return torch's own gain, or None where it has none."""
    from torch.nn.init import calculate_gain

    try:
        return float(calculate_gain("linear" if activation == "identity" else activation))  # type: ignore[arg-type]  # refused below
    except ValueError:
        return None


def lines(theory: ActivationTheory) -> list[str]:
    """Return the quantities as a person reads them."""
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
        text.append("  critical with biases: nowhere")
    return [*text, f"  torch.nn.init.calculate_gain: {theory.torch_gain or 'refuses'}"]
