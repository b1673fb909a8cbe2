"""Controls of pretraining share one property with pretrained weights."""

from __future__ import annotations

import numpy as np
import torch

from tests.runs import runs_of
from winit.engine.torch_stack import TorchStack
from winit.training.controls import shuffled, with_moments
from winit.training.data import WorkloadData
from winit.training.start import initial_state

CPU = torch.device("cpu")


def test_controls_share_one_thing_and_lack_the_others(tiny):
    workload = tiny(
        "grid.activation=[sigmoid]", "grid.initializer=[normal:0.5]", "grid.learning_rate=[0.1]", "grid.replicates=1",
        "grid.pretraining=[none,autoencoder,autoencoder+shuffled,autoencoder+moments]", "pretraining.steps=20",
    ).workloads[0]  # fmt: skip
    data = WorkloadData(workload, TorchStack, CPU)
    begun = initial_state(workload, runs_of(workload), data)
    at = {run.pretraining: k for k, run in enumerate(runs_of(workload))}
    for parameters in (*begun.weights[:2], *begun.biases[:2]):
        plain, whole, mixed = (parameters[at[f"autoencoder{c}"]] for c in ("", "+shuffled", "+moments"))
        assert np.array_equal(np.sort(plain, None), np.sort(whole, None)) and not np.array_equal(plain, whole)
        assert abs(mixed.mean() - plain.mean()) < 5 * plain.std() / plain.size**0.5
        assert abs(mixed.std() / plain.std() - 1) < 5 / (2 * plain.size) ** 0.5
    output = begun.weights[2]
    assert all(np.array_equal(output[0], output[k]) for k in at.values())


def test_shuffling_keeps_the_values_and_nothing_else():
    weights = [torch.randn(2, 30, 20, generator=torch.Generator().manual_seed(k)) for k in range(2)]
    controls = shuffled(weights, [5, 6])
    for before, after in zip(weights, controls, strict=True):
        for k in range(2):
            assert torch.equal(before[k].flatten().sort().values, after[k].flatten().sort().values)
            assert (before[k] == after[k]).float().mean() < 0.05
    alone = shuffled([w[1:] for w in weights], [6])
    assert all(torch.equal(a[0], f[1]) for a, f in zip(alone, controls, strict=True))


def test_moments_are_kept_by_layer_and_network():
    scales = torch.tensor([0.1, 3.0])[:, None, None]
    generator = torch.Generator().manual_seed(1)
    weights = [2 + scales * torch.rand(2, 200, 100, generator=generator), torch.randn(2, 100, 300, generator=generator)]
    controls = with_moments(weights, [5, 6])
    for before, after in zip(weights, controls, strict=True):
        for k in range(2):
            n, std = before[k].numel(), before[k].std(correction=0)
            assert abs(after[k].mean() - before[k].mean()) < 4 * std / n**0.5
            assert abs(after[k].std() / std - 1) < 4 / (2 * n) ** 0.5
            assert abs(torch.corrcoef(torch.stack([before[k].flatten(), after[k].flatten()]))[0, 1]) < 4 / n**0.5
    assert all(torch.equal(a, b) for a, b in zip(controls, with_moments(weights, [5, 6]), strict=True))
