"""Activation transforms as weights and biases of a plain network. The biases are a function of the drawn weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from winit.schemes import papers
from winit.schemes.scheme import Layer, Lines, Parameter, Parameters, Scheme, number
from winit.schemes.structured import kept_lengths, orthogonal
from winit.theory.activations import Activation
from winit.theory.layers import LayerStatistics
from winit.theory.transforms import Transform, deep_kernel_shaping, gaussian_poincare, tailored


@dataclass(frozen=True, kw_only=True)
class TransformScheme(Scheme):
    """A plain network that equals a network of φ̂(z) = γ (φ(αz + β) + δ) with weights W of variance 1/fan_in and no biases.

        first layer:   W′ = αW,    b′ = β
        hidden layers: W′ = αγ W,  b′ = β + δ Σ_i W′_ij
        output layer:  W′ = γ W,   b′ = δ Σ_i W′_ij

    Attributes:
        transform: `transform(layer, **parameters)` returns φ̂, or None if there is none.
        is_orthogonal: whether W is orthogonal (scaled so that layers that expand keep lengths) instead of normal.
    """

    transform: Callable[..., Transform | None]
    is_orthogonal: bool = False

    def draw(self, layer: Layer, **parameters: float) -> Parameters:
        """Draw W, and return W′ and b′."""
        phi_hat = self._transform(layer, **parameters)
        weights = phi_hat.gain(layer.is_first, layer.is_last) * self._plain_weights(layer)
        biases = np.full(layer.fan_out, 0.0 if layer.is_last else phi_hat.beta)
        return weights, biases if layer.is_first else biases + phi_hat.delta * weights.sum(axis=0)

    def _transform(self, layer: Layer, **parameters: float) -> Transform:
        phi_hat = self.transform(layer, **parameters)
        if phi_hat is None:
            raise ValueError(self._has_none(layer.phi, layer.depth))
        return phi_hat

    def _has_none(self, activation: Activation, depth: int) -> str:
        return (
            f"{self.name}: no transform of {activation.label} was found that has the moments asked for at depth {depth}"
        )

    def why_not(self, activation: Activation, widths: Sequence[int] | None = None, **parameters: float) -> str | None:
        """Return why the scheme is not applicable to an activation or a network, as a sentence, or None if it is applicable."""
        reason = super().why_not(activation, widths)
        if reason or widths is None:
            return reason
        layer = Layer(widths[0], widths[1], activation.name, None, 1, len(widths) - 2)
        return None if self.transform(layer, **parameters) else self._has_none(activation, layer.depth)

    def _plain_weights(self, layer: Layer) -> np.ndarray:
        if self.is_orthogonal:
            return orthogonal(layer, kept_lengths(layer))
        return layer.stream.standard_normal(layer.shape) / sqrt(layer.fan_in)

    def statistics(self, layer: Layer, **parameters: float) -> LayerStatistics | None:
        """Return Var(w) and how biases depend on the weights; None for orthogonal weights."""
        if self.is_orthogonal:
            return None
        return self._transform(layer, **parameters).statistics(layer.fan_in, layer.is_first, layer.is_last)

    def depends_on_activation(self, **parameters: float) -> bool:
        """Return True, because φ̂ depends on φ."""
        return True

    def lines(self, layer: Layer, **parameters: float) -> Lines:
        """Return the code for torch. Initializers of Keras and JAX draw biases without knowing the weights."""
        phi_hat = self._transform(layer, **parameters)
        gain, biases = number(phi_hat.gain(layer.is_first, layer.is_last)), "torch.nn.init.zeros_(layer.bias)"
        fill = f"torch.nn.init.normal_(layer.weight, std={gain} / layer.in_features ** 0.5)"
        if self.is_orthogonal:
            size = "max(1, layer.out_features / layer.in_features) ** 0.5"
            fill = f"torch.nn.init.orthogonal_(layer.weight, gain={gain} * {size})"
        if phi_hat.delta:
            biases = f"layer.bias.data = {number(phi_hat.delta)} * layer.weight.data.sum(dim=1)"
            biases += f" {'-' if phi_hat.beta < 0 else '+'} {number(abs(phi_hat.beta))}" if phi_hat.beta else ""
        return Lines(f"{fill}; {biases}")


def _gpn(layer: Layer) -> Transform:
    return gaussian_poincare(layer.activation).transform


def _dks(layer: Layer, slope: float) -> Transform | None:
    return deep_kernel_shaping(layer.activation, slope ** (1 / max(layer.depth, 1)))


def _tat(layer: Layer, curvature: float) -> Transform | None:
    return tailored(layer.activation, curvature / max(layer.depth, 1))


def _needs_smooth_slope(activation: Activation) -> str | None:
    if activation.slope_at_0 is not None and activation.name != "identity":
        return None
    return f"deep kernel shaping needs a curved activation with a continuous slope, and {activation.label} is not one"


def _needs_no_kinks(activation: Activation) -> str | None:
    if not activation.kinks and activation.name != "identity":
        return None
    return f"tailored transformations need a curved activation without kinks, and {activation.label} is not one"


_GPN_BIAS = "(b/a) Σᵢ wᵢⱼ, b = −a E φ ± √(1 − a² Var φ), the root with the more stable lengths; 0 in the first layer"
_GPN_CAVEAT = (
    "only the abstract was read: a and b follow from its conditions E φ̂² = E φ̂′² = 1, φ̂ = aφ + b; "
    "the choice of the root and the form as weights and biases are winit's"
)

SCHEMES: tuple[Scheme, ...] = (
    TransformScheme(
        name="gpn",
        label="GPN, normal",
        family="theory",
        distribution="normal",
        variance="a²/fan_in, a² = 1/E[φ′(z)²]; first layer 1/fan_in",
        source="Lu, Gould & Ajanthan 2020, arXiv:2006.12169 (Gaussian–Poincaré normalization), as weights and biases",
        paper=papers.LU_GPN,
        caveat=_GPN_CAVEAT,
        bias=_GPN_BIAS,
        transform=_gpn,
        marker="D",
        remark="hidden layers",
    ),
    TransformScheme(
        name="gpn_orthogonal",
        label="GPN, orthogonal",
        family="theory",
        distribution="Haar",
        variance="a²/fan_in, a² = 1/E[φ′(z)²]; first layer 1/fan_in",
        source="Lu, Gould & Ajanthan 2020, arXiv:2006.12169 (Gaussian–Poincaré normalization), as weights and biases",
        paper=papers.LU_GPN,
        caveat=_GPN_CAVEAT,
        bias=_GPN_BIAS,
        transform=_gpn,
        is_orthogonal=True,
        marker="D",
        dashes=(4, 2),
        remark="hidden layers",
    ),
    TransformScheme(
        name="dks",
        label="DKS ζ = {slope}",
        family="theory",
        distribution="normal",
        variance="α²γ²/fan_in; first layer α²/fan_in, output layer γ²/fan_in",
        source="Martens et al. 2021, arXiv:2110.01765 (deep kernel shaping), as weights and biases",
        paper=papers.MARTENS_DKS,
        caveat="conditions and constants were read in the authors' code (github.com/deepmind/dks), whose ζ is 1.5; the form as weights "
        "and biases is winit's",
        parameters=(Parameter("slope", "ζ", low=1.0, example="1.5"),),
        bias="β + δ Σᵢ wᵢⱼ; first layer β, output layer δ Σᵢ wᵢⱼ",
        needs=_needs_smooth_slope,
        transform=_dks,
        marker="d",
        remark="hidden layers, of 3",
    ),
    TransformScheme(
        name="tat",
        label="TAT τ = {curvature}",
        family="theory",
        distribution="normal",
        variance="α²γ²/fan_in; first layer α²/fan_in, output layer γ²/fan_in",
        source="Zhang, Botev & Martens 2022 (tailored activation transformations, for smooth φ), as weights and biases",
        paper=papers.ZHANG,
        caveat="conditions and constants were read in the authors' code (github.com/deepmind/dks), whose τ is 0.3; the form as weights "
        "and biases is winit's",
        parameters=(Parameter("curvature", "τ", low=0.0, example="0.3"),),
        bias="β + δ Σᵢ wᵢⱼ; first layer β, output layer δ Σᵢ wᵢⱼ",
        needs=_needs_no_kinks,
        transform=_tat,
        marker="d",
        dashes=(4, 2),
        remark="hidden layers, of 3",
    ),
)
