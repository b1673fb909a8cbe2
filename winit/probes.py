"""What is measured in a network: per layer on a probe batch, and as a whole on a part of the data.

A probe runs its own forward and backward pass in float64, so that a variance of 1e-60 is a number and not an underflow.
It reads the weights of the stack and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from winit import catalog
from winit.memory import align
from winit.network import Networks, product
from winit.regularization import normalize, normalize_backward

DEAD_SLOPE = 1e-6  # a unit whose |φ′| stays below this on every probe example passes no gradient


def _flat(values: Tensor) -> Tensor:
    return values.reshape(values.shape[0], -1)


def mean_and_variance(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and population variance (K,) of values (K, ...) over all but the first dimension."""
    flat = _flat(values)
    mean = flat.mean(dim=1)
    return mean, (flat - mean[:, None]).square_().mean(dim=1)


def distinct_units(weights: Tensor, biases: Tensor) -> Tensor:
    """Count the units of a layer that differ, bit for bit, in their incoming weights or bias.

    Each unit's bits are hashed with exact integer arithmetic modulo 2⁶⁴, so equal units always collide and different
    ones practically never do.

    Args:
        weights: (K, fan_in, fan_out) float32.
        biases: (K, 1, fan_out) float32.

    Returns:
        (K,) from 1, all units alike, to fan_out.
    """
    columns = torch.cat([weights, biases], dim=1) + 0.0  # −0 becomes 0
    bits = columns.view(torch.int32).long()
    generator = torch.Generator(device="cpu").manual_seed(20100513)  # any fixed odd multipliers will do
    odd = torch.randint(-(2**62), 2**62, (columns.shape[1], 1), generator=generator) * 2 + 1
    hashes = (bits * odd.to(bits.device)).sum(dim=1)  # (K, fan_out), wraps around
    ordered = hashes.sort(dim=1).values
    return 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(dim=1)


def layer_statistics(networks: Networks, activation: str, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Measure every layer of K networks on one probe batch, as they are in training, dropout aside.

    With z = hᵀW + b the pre-activations, h = φ(z) and ℓ the loss of one example, δ = ∂ℓ/∂z; the gradient of the weights
    is that of the mean loss, ∂L/∂W = (1/N) hᵀδ. Where there is batch normalization, it lies between z and φ, with the
    statistics of the probe batch.

    Args:
        networks: those to measure.
        activation: of the hidden layers, by name.
        x: probe inputs (N, D).
        y: their labels (N,).

    Returns:
        The statistics of the `layers` table, `update_ratio` aside, each (K, L); NaN where one is not defined.
    """
    phi, bounds = networks.activation, catalog.ACTIVATIONS[activation].saturated
    weights, biases = networks.weights, networks.biases
    K, L, N = weights[0].shape[0], len(weights), len(y)
    w = [align(t.double()) for t in weights]
    names = (
        "z_mean", "z_variance", "h_mean", "h_variance", "delta_variance", "gradient_variance", "saturated", "dead",
        "distinct_units",
    )  # fmt: skip
    out = {name: torch.full((K, L), float("nan"), dtype=torch.float64, device=x.device) for name in names}

    inputs, kept, normalized = [x.double().expand(K, -1, -1)], [], []
    for i in range(L):
        z = product(inputs[i], w[i], biases[i].double())
        out["z_mean"][:, i], out["z_variance"][:, i] = mean_and_variance(z)
        out["distinct_units"][:, i] = distinct_units(weights[i], biases[i]).double()
        if i == L - 1:
            break
        if networks.norms:
            norm = networks.norms[i]
            normalized.append(normalize(z)[0])
            z = normalized[i].z * norm.gamma.double() + norm.beta.double()
        h = phi.phi(z)
        kept.append(z if phi.keeps_input else h)
        out["h_mean"][:, i], out["h_variance"][:, i] = mean_and_variance(h)
        out["dead"][:, i] = (phi.dphi(kept[i]).abs().amax(dim=1) < DEAD_SLOPE).double().mean(dim=1)
        if bounds:
            out["saturated"][:, i] = _flat((h < bounds[0]) | (h > bounds[1])).double().mean(dim=1)
        inputs.append(h)

    delta = align(torch.softmax(z, dim=2))
    delta[:, torch.arange(N), y] -= 1
    for i in range(L - 1, -1, -1):
        out["delta_variance"][:, i] = mean_and_variance(delta)[1]
        out["gradient_variance"][:, i] = mean_and_variance(product(inputs[i].mT, delta) / N)[1]
        if i:
            delta = product(delta, w[i].mT)
            phi.chain_(delta, kept[i - 1])
            if networks.norms:
                delta, *_ = normalize_backward(delta, normalized[i - 1], networks.norms[i - 1].gamma.double())
    return out


def update_ratio(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """Return ‖ΔW‖/‖W‖ (K, L) of one update: infinite where W is zero and ΔW is not, 0 where neither moves."""
    ratios = []
    for old, new in zip(before, after, strict=True):
        size = _flat(old.double()).square().sum(dim=1).sqrt()
        change = _flat(new.double() - old.double()).square().sum(dim=1).sqrt()
        ratios.append(torch.where(change == 0, torch.zeros_like(size), change / size))
    return torch.stack(ratios, dim=1)


def loss_and_accuracy(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean softmax cross-entropy in nats and share correct, (K,) each, of logits (K, N, C) and labels (N,).

    Where the loss is not finite there is no accuracy: the largest of some NaNs is no answer.
    """
    chosen = logits[:, torch.arange(len(y)), y]
    losses = torch.logsumexp(logits, dim=2) - chosen
    correct = (logits.argmax(dim=2) == y).to(logits.dtype)
    loss, accuracy = losses.mean(dim=1), correct.mean(dim=1)
    return loss, torch.where(torch.isfinite(loss), accuracy, torch.nan)
