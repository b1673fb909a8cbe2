"""Networks for the tests of engines: ours, and the same ones built from torch's modules."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from tests.engine.test_activations import REFERENCE
from winit.engine.engine import NetworkSpec
from winit.engine.regularization import Dropout
from winit.engine.torch_stack import TorchStack


def wavy(z):
    """A user's own activation: any elementwise function will do."""
    return z * torch.sigmoid(1.7 * z) + 0.1 * torch.sin(3 * z)


CUSTOM = {"wavy": wavy}
WIDTHS, BATCH, K = [7, 5, 9, 5, 3], 6, 3  # unequal widths and an odd batch, so that a transposition shows
SEEDS = [11, 22, 11, *range(20)]


def make(dtype=torch.float64, k: int = K, widths=WIDTHS, seed: int = 0):
    """Return weights and biases of k networks."""
    generator = torch.Generator().manual_seed(seed)
    shapes = list(pairwise(widths))
    weights = [torch.randn(k, a, b, generator=generator, dtype=dtype) / a**0.5 for a, b in shapes]
    biases = [0.1 * torch.randn(k, 1, b, generator=generator, dtype=dtype) for _, b in shapes]
    return weights, biases


def batches(steps: int, k: int = K, dtype=torch.float64, widths=WIDTHS, size: int = BATCH):
    """Return inputs, labels and rates, which differ between networks and steps."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(steps, k, size, widths[0], generator=generator, dtype=dtype)
    y = torch.randint(0, widths[-1], (steps, k, size), generator=generator)
    rates = torch.linspace(0.01, 0.3, k, dtype=dtype) * torch.linspace(1, 0.3, steps, dtype=dtype)[:, None]
    return x, y, rates


def build(weights, biases, activation, optimizer, size, batch_norm=False, rate=0.0, seeds=None) -> TorchStack:
    spec = NetworkSpec(CUSTOM.get(activation, activation), optimizer, size, batch_norm=batch_norm, dropout=rate)
    return TorchStack(
        [w.clone() for w in weights], [b.clone() for b in biases], spec, (seeds or SEEDS)[: len(weights[0])]
    )


class Masked(nn.Module):
    """nn.Dropout, with the masks of our stream."""

    def __init__(self, rate, seed):
        super().__init__()
        self.rate, self.stream = rate, Dropout(rate, [seed])

    def forward(self, h):
        if not self.training:
            return nn.functional.dropout(h, self.rate, training=False)
        return h * self.stream.factors(*h.shape, like=h)[0]


class Elementwise(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.phi = (REFERENCE | CUSTOM)[activation]

    def forward(self, z):
        return self.phi(z)


def single(weights, biases, k: int, activation: str, batch_norm=False, rate=0.0) -> nn.Sequential:
    layers = []
    masked = Masked(rate, SEEDS[k])  # one stream for all layers
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        linear = nn.Linear(w.shape[1], w.shape[2], dtype=w.dtype)
        with torch.no_grad():
            linear.weight.copy_(w[k].T)
            linear.bias.copy_(b[k, 0])
        layers.append(linear)
        if i < len(weights) - 1:
            layers += [nn.BatchNorm1d(w.shape[2], dtype=w.dtype)] if batch_norm else []
            layers.append(Elementwise(activation))
            layers += [masked] if rate else []
    return nn.Sequential(*layers)
