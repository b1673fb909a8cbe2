"""Schemes that follow from the theory of wide networks, for any activation."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, sqrt

from winit.schemes import papers
from winit.schemes.scheme import Layer, Lines, Parameter, Scheme
from winit.schemes.variance_scaling import Scaling, VarianceScaling
from winit.theory.activations import Activation
from winit.theory.gains import gains
from winit.theory.maps import critical


def moment_matched_scale(layer: Layer) -> float:
    """Return 1/E[φ(z)²], z ~ N(0, 1): keeps the variance of pre-activations at 1. For ReLU this is He's 2."""
    return gains(layer.activation).forward ** 2


def moment_matched_backward_scale(layer: Layer) -> float:
    """Return 1/E[φ′(z)²], z ~ N(0, 1): with 1/fan_out, this keeps the variance of gradients."""
    return gains(layer.activation).backward ** 2


def edge_of_chaos_scale(layer: Layer, bias_variance: float) -> float:
    """Return σ_w² of the critical point with biases N(0, σ_b²). If there are several, return the one with the smallest q*.

    Source: Poole et al. 2016; Schoenholz et al. 2017.

    Raises:
        ValueError: there is no critical point.
    """
    points = critical(layer.activation, bias_variance)
    if not points:
        raise ValueError(f"edge_of_chaos: {layer.activation} has no critical point at σ_b² = {bias_variance:g}")
    return points[0].sigma_w2


def random_walk_scale(layer: Layer) -> float:
    """Return g². g corrects the gains of He and LeCun for the drift of log-lengths at finite width.

        ReLU: g = √2 e^{1.2/(max(n, 6) − 2.4)},   identity: g = e^{1/(2n)},   n = fan_in

    Source: Sussillo & Abbott 2014, arXiv:1412.6558.
    """
    n = layer.fan_in
    return (sqrt(2) * exp(1.2 / (max(n, 6) - 2.4)) if layer.activation == "relu" else exp(1 / (2 * n))) ** 2


def _needs_critical_line(activation: Activation) -> str | None:
    if activation.has_critical_line:
        return None
    return (
        f"edge of chaos needs a critical point, and wide {activation.label} networks with independent biases have none; "
        "gpn is critical for every activation"
    )


def _needs_relu_or_identity(activation: Activation) -> str | None:
    if activation.name in ("relu", "identity"):
        return None
    return f"random walk has rules for ReLU and identity only, not for {activation.label}"


@dataclass(frozen=True, kw_only=True)
class RandomWalk(VarianceScaling):
    """Sussillo & Abbott's scheme. Its scale is a function of fan_in, so only torch can express it in one line."""

    def lines(self, layer: Layer, **parameters: float) -> Lines:
        """Return the code for torch."""
        relu = "2**0.5 * math.exp(1.2 / (max(n, 6) - 2.4))"
        gain = relu if layer.activation == "relu" else "math.exp(1 / (2 * n))"
        return Lines(
            f"n = layer.in_features; g = {gain}; torch.nn.init.normal_(layer.weight, std=g / n**0.5); "
            "torch.nn.init.zeros_(layer.bias)"
        )


SCHEMES: tuple[Scheme, ...] = (
    VarianceScaling(
        name="variance",
        label="normal, n·Var(w) = {scale}",
        family="theory",
        variance="c/fan_in",
        source="generalizes LeCun (1) and He (2)",
        parameters=(Parameter("scale", "c", low=0.0, example="1.5"),),
        scale=lambda layer, scale: scale,
        fan="fan_in",
        distribution="normal",
        marker=">",
        dashes=(1, 3),
    ),
    VarianceScaling(
        name="mean_field",
        label="σ_w² = {weight_variance}, σ_b² = {bias_variance}",
        family="theory",
        variance="σ_w²/fan_in",
        source="any point of the phase diagram: Poole et al. 2016; Schoenholz et al. 2017",
        paper=papers.POOLE,
        bias="N(0, σ_b²)",
        parameters=(
            Parameter("weight_variance", "σ_w²", low=0.0, example="1.5"),
            Parameter("bias_variance", "σ_b²", low=0.0, example="0.05", may_be_low=True),
        ),
        is_diagram_point=True,
        scale=lambda layer, weight_variance, bias_variance: weight_variance,
        fan="fan_in",
        distribution="normal",
        biases=Scaling(lambda layer, weight_variance, bias_variance: bias_variance, "one", "normal"),
        marker=".",
    ),
    VarianceScaling(
        name="moment_matched",
        label="moment-matched",
        family="theory",
        variance="1/(fan_in E[φ(z)²])",
        source="generalizes He et al. 2015; Bingham & Miikkulainen 2021 (AutoInit)",
        paper=papers.BINGHAM,
        scale=moment_matched_scale,
        fan="fan_in",
        distribution="normal",
        marker="o",
    ),
    VarianceScaling(
        name="moment_matched_backward",
        label="moment-matched backward",
        family="theory",
        variance="1/(fan_out E[φ′(z)²])",
        source="the same for gradients; He et al. 2015, §2.2 (backward case)",
        paper=papers.HE,
        scale=moment_matched_backward_scale,
        fan="fan_out",
        distribution="normal",
        marker="v",
        dashes=(2, 2),
    ),
    VarianceScaling(
        name="edge_of_chaos",
        label="edge of chaos σ_b² = {bias_variance}",
        family="theory",
        variance="σ_w²/fan_in, σ_w² E[φ′(√q* z)²] = 1",
        source="Poole et al. 2016; Schoenholz et al. 2017",
        paper=papers.SCHOENHOLZ,
        bias="N(0, σ_b²)",
        parameters=(Parameter("bias_variance", "σ_b²", low=0.0, high=1.0, example="0.05"),),
        needs=_needs_critical_line,
        scale=edge_of_chaos_scale,
        fan="fan_in",
        distribution="normal",
        biases=Scaling(lambda layer, bias_variance: bias_variance, "one", "normal"),
        marker="P",
        dashes=(6, 2),
    ),
    RandomWalk(
        name="random_walk",
        label="random walk",
        family="theory",
        variance="g²/fan_in, g = √2 e^{1.2/(n − 2.4)} (ReLU), e^{1/(2n)} (identity), n = max(fan_in, 6)",
        source="Sussillo & Abbott 2014, arXiv:1412.6558",
        paper=papers.SUSSILLO,
        needs=_needs_relu_or_identity,
        scale=random_walk_scale,
        fan="fan_in",
        distribution="normal",
        marker="X",
        dashes=(4, 2),
    ),
)
