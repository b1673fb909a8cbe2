"""Reference formulas for the statistics of layers, to which `winit.training.probes` is compared.

All of it is in float64, sums of squares are of values scaled by their largest, and variances are means of squared differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from winit.engine.alignment import align, product
from winit.engine.engine import Engine
from winit.engine.regularization import Normalized, normalize, normalize_backward
from winit.theory.activations import ACTIVATIONS
from winit.training.probes import DEAD_SLOPE, SATURATED_SLOPE, STATISTICS, distinct_units


def _flat(values: Tensor) -> Tensor:
    return values.reshape(values.shape[0], -1)


def mean_and_variance(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and population variance (K,) of values (K, ...) over all but the first dimension."""
    flat = _flat(values)
    mean = flat.mean(dim=1)
    return mean, (flat - mean[:, None]).square_().mean(dim=1)


def pair_correlation(values: Tensor) -> Tensor:
    """Return the mean cosine (K,) of the pairs of neighbouring examples, first and second, third and fourth …

    Args:
        values: (K, N, n), one row an example. Of an odd number of examples the last has no partner.

    Source: what the correlation map predicts, Poole et al. 2016, eq. 5: c = z₁·z₂/(|z₁| |z₂|), not centred.
    """
    pairs = values[:, : values.shape[1] // 2 * 2].unflatten(1, (-1, 2))
    pairs = pairs / pairs.abs().amax(dim=3, keepdim=True)  # their squares shall neither vanish nor overflow
    one, two = pairs[:, :, 0], pairs[:, :, 1]
    sizes = one.square().sum(dim=2) * two.square().sum(dim=2)
    return ((one * two).sum(dim=2) / sizes.sqrt()).mean(dim=1)


def effective_rank(matrices: Tensor) -> Tensor:
    """Return the effective rank (K,) of matrices (K, m, n), by the participation ratio of their singular values σ.

        (Σ σ²)²/Σ σ⁴

    1 where one direction carries everything, min(m, n) where all carry the same; NaN for a matrix of zeros.
    """
    scaled = matrices / matrices.abs().amax(dim=(1, 2), keepdim=True)
    gram = product(scaled, scaled.mT) if scaled.shape[1] < scaled.shape[2] else product(scaled.mT, scaled)
    trace = gram.diagonal(dim1=1, dim2=2).sum(dim=1)
    return trace.square() / _flat(gram).square().sum(dim=1)


def layer_statistics(networks: Engine, activation: str, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Return the statistics (K, L) of every layer, as `probes.layer_statistics` does, without histograms."""
    K, L = networks.size, len(networks.weights)
    out = {name: torch.full((K, L), float("nan"), dtype=torch.float64) for name in STATISTICS}
    weights = [align(w.double()) for w in networks.weights]
    _measure_backward(networks, weights, _measure_forward(networks, weights, [activation] * (L - 1), x, out), y, out)
    return out


class _ForwardPass(NamedTuple):
    """What the backward pass of a probe needs of the forward pass."""

    inputs: list[Tensor]  # of every layer, (K, N, fan_in)
    kept: list[Tensor]  # of every hidden layer: z or h, whichever φ′ is computed from
    normalized: dict[int, Normalized]  # of the layers with batch normalization
    logits: Tensor  # (K, N, C)


def _measure_forward(
    networks: Engine, weights: Sequence[Tensor], activations: Sequence[str], x: Tensor, out: dict[str, Tensor]
) -> _ForwardPass:
    """Pass a probe batch forward, and enter what is measured on the way into `out`."""
    inputs: list[Tensor] = [x.double().expand(networks.size, -1, -1)]
    kept: list[Tensor] = []
    normalized: dict[int, Normalized] = {}
    for i, w in enumerate(weights):
        z = product(inputs[i], w, networks.biases[i].double())
        out["z_mean"][:, i], out["z_variance"][:, i] = mean_and_variance(z)
        out["correlation"][:, i] = pair_correlation(z)
        out["weight_rank"][:, i] = effective_rank(w)
        out["distinct_units"][:, i] = distinct_units(networks.weights[i], networks.biases[i]).double()
        if i == len(weights) - 1:
            break
        norm, phi = networks.norms[i], networks.activations[i]
        if norm:
            normalized[i] = normalize(z)[0]
            z = normalized[i].z * norm.gamma.double() + norm.beta.double()
        h = phi.phi(z)
        kept.append(z if phi.keeps_input else h)
        inputs.append(h)
        views = {name: values[:, i] for name, values in out.items()}
        _measure_slopes(phi.dphi(kept[i]).abs(), ACTIVATIONS[activations[i]].steepest, views)
        _measure_outputs(h, views)
    return _ForwardPass(inputs, kept, normalized, z)


def _measure_slopes(slopes: Tensor, steepest: float | None, out: dict[str, Tensor]) -> None:
    """Enter what is measured in the slopes |φ′| (K, N, n) of one hidden layer into its views of the statistics.

    A unit is saturated on an example where |φ′(z)| < 0.05 max|φ′|: one bound for every activation that saturates.
    """
    out["dead"].copy_((slopes.amax(dim=1) < DEAD_SLOPE).double().mean(dim=1))
    if steepest is not None:
        out["saturated"].copy_(_flat(slopes < SATURATED_SLOPE * steepest).double().mean(dim=1))


def _measure_outputs(h: Tensor, out: dict[str, Tensor]) -> None:
    """Enter what is measured in the outputs h (K, N, n) of one hidden layer into its views of the statistics."""
    mean, variance = mean_and_variance(h)
    out["h_mean"].copy_(mean)
    out["h_variance"].copy_(variance)
    centred = align(h - h.mean(dim=1, keepdim=True))
    out["h_example_variance"].copy_(_flat(centred).square().mean(dim=1))  # all units have as many examples
    out["activation_rank"].copy_(effective_rank(centred))


def _measure_backward(
    networks: Engine, weights: Sequence[Tensor], forward: _ForwardPass, y: Tensor, out: dict[str, Tensor]
) -> None:
    """Pass δ back through the layers, and enter what is measured on the way into `out`."""
    delta = align(networks.objective.output_delta(forward.logits, y))
    for i in range(len(weights) - 1, -1, -1):
        out["delta_variance"][:, i] = mean_and_variance(delta)[1]
        out["gradient_variance"][:, i] = mean_and_variance(product(forward.inputs[i].mT, delta) / len(y))[1]
        if i:
            delta = product(delta, weights[i].mT)
            networks.activations[i - 1].chain_(delta, forward.kept[i - 1])
            norm = networks.norms[i - 1]
            if norm:
                delta, *_ = normalize_backward(delta, forward.normalized[i - 1], norm.gamma.double())
