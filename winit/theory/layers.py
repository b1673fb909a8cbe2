"""Statistics of wide layers whose biases may depend on the weights, and the activation that makes them plain layers."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from winit.theory.activations import Activation, resolve


class LayerStatistics(NamedTuple):
    """What the theory of wide networks needs of a layer.

    Weights are independent and have mean 0. Biases may depend on them:

        b_j = bias_mean + shift · Σ_i w_ij + ε_j,   E ε = 0,   Var(ε) = bias_variance

    A bias of c Σ_i w_ij adds c to every activation of the layer below, z_j = Σ_i w_ij (h_i + c).

    Attributes:
        weight_variance, bias_variance: of w and of ε.
        bias_mean: the mean of the biases.
        shift: c; None if the incoming weights of a unit sum to 0, so that it sees h_i − E h.
    """

    weight_variance: float
    bias_variance: float = 0.0
    bias_mean: float = 0.0
    shift: float | None = 0.0


PLAIN = LayerStatistics(1.0)  # biases of mean 0 that do not depend on the weights


def effective_activation(
    activation: str | Activation, layer: LayerStatistics, following: LayerStatistics
) -> Activation:
    """Return φ̃, with which two layers are equivalent to layers whose biases have mean 0 and do not depend on the weights.

        φ̃(u) = φ(u + m) + c

    u is the pre-activation minus the mean m of the layer's biases, and c is the shift of the following layer. If both are 0,
    φ̃ is φ. If the weights of the following layer sum to 0, φ̃ = φ(u + m) − E φ(u + m).
    """
    return _moved(resolve(activation), layer.bias_mean, following.shift)


@lru_cache(maxsize=4096)
def _moved(phi: Activation, mean: float, shift: float | None) -> Activation:
    if mean == 0 and shift == 0:
        return phi
    return replace(
        phi,
        phi=lambda u: phi.phi(u + mean) + (shift or 0.0),
        dphi=lambda u: phi.dphi(u + mean),
        kinks=tuple(kink - mean for kink in phi.kinks),
        value_at_0=float(phi.phi(np.array(mean))) + (shift or 0.0),
        slope_at_0=None if mean in phi.kinks else float(phi.dphi(np.array(mean))),
        is_centred=shift is None,
    )
