"""Measurements of networks: per layer, on a probe batch.

A probe runs a separate forward and backward pass in float64, so that a variance of 1e-60 does not underflow. It reads the
weights of the stack and does not change anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from winit.engine.activations import TensorActivation
from winit.engine.alignment import align, aligned, product
from winit.engine.engine import Engine
from winit.engine.objectives import Objective
from winit.engine.regularization import BatchNorm, Normalized, normalize, normalize_backward
from winit.store.schema import HISTOGRAM_REACH
from winit.theory.activations import ACTIVATIONS

DEAD_SLOPE = 1e-6  # a unit whose |φ′| stays below this on every probe example passes no gradient
CANCELLATION = 1e-6  # share of the mean square above which mean square minus squared mean is accurate to ten digits
JACOBIAN_EXAMPLES = 8
SMALL = 1e-70  # its fourth power does not underflow
SATURATED_SLOPE = 0.05  # a unit is saturated on an example if |φ′| is below this share of its maximum


def _flat(values: Tensor) -> Tensor:
    return values.reshape(values.shape[0], -1)


def mean_and_variance(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and population variance (K,) of values (K, ...) over all but the first dimension.

    The variance is the mean square minus the squared mean. If these nearly cancel or the squares underflow, it is the mean
    square of the differences from the mean.
    """
    flat = _flat(values)
    return _moments(flat, torch.linalg.vector_norm(flat, dim=1).square())


def _moments(flat: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and population variance (K,) of values (K, M), given their sum of squares (K,)."""
    mean, square = flat.mean(dim=1), squares / flat.shape[1]
    variance = square - mean.square()
    inexact = ~(variance > CANCELLATION * square)
    if inexact.any():
        variance[inexact] = (flat[inexact] - mean[inexact, None]).square_().mean(dim=1)
    return mean, variance


def _in_range(values: Tensor, size: Tensor | None = None) -> Tensor:
    """Return values (K, ...), divided by the largest one of a network if fourth powers would leave the range of float64.

    Args:
        values: of K networks.
        size: their 2-norms (K,), if they are known.
    """
    flat = _flat(values)
    if size is None:
        size = torch.linalg.vector_norm(flat, dim=1)
    outside = ~((size > SMALL) & (size < 1 / SMALL))
    if not outside.any():
        return values
    scale = torch.where(outside, flat.abs().amax(dim=1), 1.0)
    return values / scale.reshape(-1, *[1] * (values.dim() - 1))


@lru_cache(maxsize=16)
def _multipliers(count: int) -> Tensor:
    """Return fixed odd integers (count, 1)."""
    generator = torch.Generator(device="cpu").manual_seed(20100513)
    return torch.randint(-(2**62), 2**62, (count, 1), generator=generator) * 2 + 1


def distinct_units(weights: Tensor, biases: Tensor) -> Tensor:
    """Count the units of a layer with distinct incoming weights and bias, compared bit by bit.

    Units with different first weights are distinct. If some first weights are equal, the bits of each unit are hashed with
    exact integer arithmetic modulo 2⁶⁴: equal units always collide, and different units practically never do.

    Args:
        weights: (K, fan_in, fan_out) float32.
        biases: (K, 1, fan_out) float32.

    Returns:
        (K,) from 1 (all units equal) to fan_out.
    """
    count = _distinct((weights[:, 0] + 0.0).view(torch.int32))  # −0 becomes 0
    unsure = torch.nonzero(count < weights.shape[2])[:, 0]
    if len(unsure):
        bits = torch.cat([weights[unsure], biases[unsure]], dim=1).add_(0.0).view(torch.int32)
        count[unsure] = _distinct((bits * _multipliers(bits.shape[1]).to(bits.device)).sum(dim=1))  # wraps around
    return count


def _distinct(values: Tensor) -> Tensor:
    """Count the distinct values (K,) in each row of (K, n)."""
    ordered = values.sort(dim=1).values
    return 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(dim=1)


def pair_correlation(values: Tensor, sizes: Tensor | None = None) -> Tensor:
    """Return the mean cosine (K,) of pairs of neighbouring examples: first and second, third and fourth, ….

    Args:
        values: (K, N, n), one row per example. With an odd number of examples, the last one is not used.
        sizes: their 2-norms (K, N), if they are known.

    Source: Poole et al. 2016, eq. 5 (the quantity of the correlation map): c = z₁·z₂/(|z₁| |z₂|), not centred.
    """
    count = values.shape[1] // 2 * 2
    if sizes is None:
        sizes = torch.linalg.vector_norm(values, dim=2)
    if not ((sizes > SMALL) & (sizes < 1 / SMALL)).all():
        values = align(_in_range(values.flatten(0, 1)).unflatten(0, values.shape[:2]))
        sizes = torch.linalg.vector_norm(values, dim=2)
    products = (values[:, 0:count:2] * values[:, 1:count:2]).sum(dim=2)
    return (products / (sizes[:, 0:count:2] * sizes[:, 1:count:2])).mean(dim=1)


def effective_rank(matrices: Tensor, size: Tensor | None = None) -> Tensor:
    """Return the effective rank (K,) of matrices (K, m, n), by the participation ratio of their singular values σ.

        (Σ σ²)²/Σ σ⁴

    It is 1 if only one σ is nonzero and min(m, n) if all are equal; NaN for a matrix of zeros.

    Args:
        matrices: (K, m, n).
        size: their Frobenius norms (K,), if they are known.
    """
    scaled = align(_in_range(matrices, size))
    gram = product(scaled, scaled.mT) if scaled.shape[1] < scaled.shape[2] else product(scaled.mT, scaled)
    trace = gram.diagonal(dim1=1, dim2=2).sum(dim=1)
    return (trace / torch.linalg.vector_norm(_flat(gram), dim=1)).square()


def histogram(values: Tensor, bins: int) -> Tensor:
    """Count values (K, ...) in bins of equal width between ±4 root mean squares.

    Returns:
        (K, bins) counts. Values outside are counted in the first and the last bin. All counts are 0 if all values are 0 or one
        is not finite.
    """
    flat = _flat(values)
    size = flat.abs().amax(dim=1, keepdim=True)
    flat = flat / size
    scaled = flat / flat.square().mean(dim=1, keepdim=True).sqrt()
    sound = torch.isfinite(scaled).all(dim=1)
    scaled = torch.nan_to_num(scaled)
    index = ((scaled + HISTOGRAM_REACH) * (bins / (2 * HISTOGRAM_REACH))).floor().clamp_(0, bins - 1).long()
    counts = torch.zeros(len(flat), bins, dtype=torch.int64, device=flat.device)
    counts.scatter_add_(1, index, torch.ones_like(index))
    return counts * sound[:, None]


@dataclass(frozen=True)
class Probed:
    """The attributes of an `Engine` that a probe reads."""

    weights: list[Tensor]
    biases: list[Tensor]
    activations: list[TensorActivation]
    norms: list[BatchNorm | None]
    objective: Objective

    @classmethod
    def of(cls, networks: Engine, chosen: Sequence[int]) -> Probed:
        """Return some networks of a stack."""
        indices = torch.tensor(chosen, device=networks.weights[0].device)
        norms = [copy(norm) if norm else None for norm in networks.norms]
        for norm in norms:
            if norm:
                norm.keep(indices)
        weights, biases = ([p[indices] for p in parameters] for parameters in (networks.weights, networks.biases))
        return cls(weights, biases, networks.activations, norms, networks.objective)


STATISTICS = (  # by layer; NaN if undefined
    "z_mean", "z_variance", "h_mean", "h_variance", "h_example_variance", "delta_variance", "gradient_variance",
    "saturated", "dead", "distinct_units", "correlation", "weight_rank", "activation_rank",
)  # fmt: skip


def layer_statistics(
    networks: Engine | Probed, activation: str | Sequence[str], x: Tensor, y: Tensor, bins: int = 0
) -> dict[str, Tensor]:
    """Measure every layer of K networks on one probe batch, in training mode without dropout.

    With z = hᵀW + b the pre-activations, h = φ(z) and ℓ the loss of one example, δ = ∂ℓ/∂z; the gradient of the weights
    is that of the mean loss, ∂L/∂W = (1/N) hᵀδ. Batch normalization is applied between z and φ, with the statistics of the
    probe batch.

    Args:
        networks: the networks to measure.
        activation: of the hidden layers, by name: one for all layers, or one for each.
        x: probe inputs (N, D).
        y: their labels (N,), or the inputs for autoencoders.
        bins: number of bins of the histograms of h and δ; 0 for no histograms.

    Returns:
        The statistics of the `layers` table except `update_ratio`, each (K, L), NaN if undefined; the
        histograms `h_count` and `delta_count`, each (K, L, bins); and `jacobian`, (K, 6): mean, minimum,
        quartiles and maximum of the singular values of ∂logits/∂x.
    """
    K, L = len(networks.weights[0]), len(networks.weights)
    names = [activation] * (L - 1) if isinstance(activation, str) else activation
    out = {name: torch.full((K, L), float("nan"), dtype=torch.float64, device=x.device) for name in STATISTICS}
    for name in ("h_count", "delta_count"):
        out[name] = torch.zeros(K, L, bins, dtype=torch.int64, device=x.device)
    weights = [align(w.double()) for w in networks.weights]
    forward = _measure_forward(networks, weights, names, x, out)
    _measure_backward(networks, weights, forward, y, out)
    out["jacobian"] = _jacobian_statistics(networks, weights, forward)
    return out


class _ForwardPass(NamedTuple):
    """Values of the forward pass of a probe that its backward pass needs."""

    inputs: list[Tensor]  # of every layer, (K, N, fan_in)
    kept: list[Tensor]  # of every hidden layer: z or h, from which φ′ is computed
    normalized: dict[int, Normalized]  # of the layers with batch normalization
    logits: Tensor  # (K, N, C)


def _measure_forward(
    networks: Engine | Probed, weights: Sequence[Tensor], activations: Sequence[str], x: Tensor, out: dict[str, Tensor]
) -> _ForwardPass:
    """Run the forward pass of a probe, and write measurements into `out`."""
    inputs: list[Tensor] = [x.double().expand(len(weights[0]), -1, -1)]
    kept: list[Tensor] = []
    normalized: dict[int, Normalized] = {}
    for i, w in enumerate(weights):
        z = product(inputs[i], w, networks.biases[i].double())
        sizes = torch.linalg.vector_norm(z, dim=2)  # (K, N)
        out["z_mean"][:, i], out["z_variance"][:, i] = _moments(_flat(z), sizes.square().sum(dim=1))
        out["correlation"][:, i] = pair_correlation(z, sizes)
        out["weight_rank"][:, i] = effective_rank(w)
        out["distinct_units"][:, i] = distinct_units(networks.weights[i], networks.biases[i])
        if i == len(weights) - 1:
            break
        norm, phi = networks.norms[i], networks.activations[i]
        if norm:
            normalized[i] = normalize(z)[0]
            z = normalized[i].z * norm.gamma.double() + norm.beta.double()
        if phi.keeps_input:
            h = phi.phi(z)
        else:
            h = align(z)
            phi.apply_(h)
        kept.append(z if phi.keeps_input else h)
        inputs.append(h)
        views = {name: values[:, i] for name, values in out.items()}
        _measure_slopes(phi.dphi(kept[i]).abs_(), ACTIVATIONS[activations[i]].steepest, views)
        _measure_outputs(h, views)
    return _ForwardPass(inputs, kept, normalized, z)


def _measure_slopes(slopes: Tensor, steepest: float | None, out: dict[str, Tensor]) -> None:
    """Write statistics of the slopes |φ′| (K, N, n) of one hidden layer into its views.

    A unit is saturated on an example if |φ′(z)| < 0.05 max|φ′|, for all activations that saturate.

    Args:
        slopes: overwritten.
        steepest: max|φ′|; None if the activation does not saturate.
        out: the views.
    """
    out["dead"].copy_((slopes.amax(dim=1) < DEAD_SLOPE).double().mean(dim=1))
    if steepest is not None:
        out["saturated"].copy_(_flat(slopes.lt_(SATURATED_SLOPE * steepest)).mean(dim=1))  # 1 or 0


def _measure_outputs(h: Tensor, out: dict[str, Tensor]) -> None:
    """Write statistics of the outputs h (K, N, n) of one hidden layer into its views."""
    means = h.mean(dim=1, keepdim=True)  # of each unit, (K, 1, n)
    centred = torch.sub(h, means, out=aligned(h.shape, like=h))
    flat = _flat(centred)
    size = torch.linalg.vector_norm(flat, dim=1)
    of_examples = size.square() / flat.shape[1]  # all units have the same number of examples
    mean, of_units = mean_and_variance(means)
    out["h_mean"].copy_(mean)
    out["h_variance"].copy_(of_examples + of_units)
    out["h_example_variance"].copy_(of_examples)
    out["activation_rank"].copy_(effective_rank(centred, size))
    bins = out["h_count"].shape[-1]
    if bins:
        out["h_count"].copy_(histogram(h, bins))


def _measure_backward(
    networks: Engine | Probed, weights: Sequence[Tensor], forward: _ForwardPass, y: Tensor, out: dict[str, Tensor]
) -> None:
    """Run the backward pass of a probe, and write measurements into `out`."""
    delta = align(networks.objective.output_delta(forward.logits, y))
    bins = out["delta_count"].shape[-1]
    for i in range(len(weights) - 1, -1, -1):
        if bins:
            out["delta_count"][:, i] = histogram(delta, bins)
        out["delta_variance"][:, i] = mean_and_variance(delta)[1]
        gradient = product(forward.inputs[i].mT, delta)  # of the summed loss
        out["gradient_variance"][:, i] = mean_and_variance(gradient)[1] / len(y) ** 2
        if i:
            delta = product(delta, weights[i].mT)
            networks.activations[i - 1].chain_(delta, forward.kept[i - 1])
            norm = networks.norms[i - 1]
            if norm:
                delta, *_ = normalize_backward(delta, forward.normalized[i - 1], norm.gamma.double())


def _jacobian_statistics(networks: Engine | Probed, weights: Sequence[Tensor], forward: _ForwardPass) -> Tensor:
    """Return mean, minimum, quartiles and maximum (K, 6) of the singular values of ∂logits/∂x, in this order.

        J = W_Lᵀ D_{L−1} W_{L−1}ᵀ … D_1 W_1ᵀ,   D_l = diag φ′(z_l)

    They are taken over the first eight examples, with min(C, D) values each. NaN if one is not finite, and for networks with
    batch normalization, where the outputs of an example depend on its batch.

    Source: Saxe et al. 2014; Pennington, Schoenholz & Ganguli 2017, eq. 2.
    """
    K, N, C = forward.logits.shape
    out = torch.full((K, 6), float("nan"), dtype=torch.float64, device=forward.logits.device)
    if forward.normalized:
        return out
    examples = min(N, JACOBIAN_EXAMPLES)
    jacobian = weights[-1].mT[:, None].expand(-1, examples, -1, -1)  # (K, examples, C, n)
    for i in range(len(weights) - 2, -1, -1):
        slopes = networks.activations[i].dphi(align(forward.kept[i][:, :examples]))
        rows = align((jacobian * slopes[:, :, None]).flatten(1, 2))
        jacobian = product(rows, weights[i].mT).unflatten(1, (examples, C))
    for k in range(K):  # one at a time, so that bits do not depend on the position in the stack
        if torch.isfinite(jacobian[k]).all():
            values = torch.linalg.svdvals(jacobian[k].clone()).flatten()
            quartiles = torch.quantile(values, values.new_tensor([0, 0.25, 0.5, 0.75, 1]))
            out[k] = torch.cat([values.mean()[None], quartiles])
    return out


def update_ratio(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """Return ‖ΔW‖/‖W‖ (K, L) of one update: infinite if W is zero and ΔW is not, 0 if ΔW is zero."""
    ratios = []
    for old, new in zip(before, after, strict=True):
        size = _flat(old.double()).square().sum(dim=1).sqrt()
        change = _flat(new.double() - old.double()).square().sum(dim=1).sqrt()
        ratios.append(torch.where(change == 0, torch.zeros_like(size), change / size))
    return torch.stack(ratios, dim=1)
