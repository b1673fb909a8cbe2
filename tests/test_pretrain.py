"""Greedy pretraining: each layer learns from the codes below, and fine-tuning starts from exactly what was learned."""

from __future__ import annotations

import torch

from winit.autoencoder import Autoencoder
from winit.network import Optimizer
from winit.pretrain import Recipe, shuffled, train_rbms, unroll, with_moments

WIDTHS, SEEDS = [9, 6, 4, 2], [3, 4, 3]
RECIPE = Recipe(epochs=3, batch_size=10, early_epochs=1)


def bars(n: int = 45) -> torch.Tensor:
    """3×3 images with one row or one column lit: something to learn."""
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(n, 3, 3)
    for i, line in enumerate(torch.randint(6, (n,), generator=generator).tolist()):
        images[(i, line) if line < 3 else (i, slice(None), line - 3)] = 1
    return images.flatten(1)


def test_each_machine_learns_from_the_means_below():
    x = bars()
    machines, errors = train_rbms(x, WIDTHS, SEEDS, RECIPE)
    assert [tuple(m.weights.shape) for m in machines] == [(3, 9, 6), (3, 6, 4), (3, 4, 2)]
    assert [m.hidden for m in machines] == ["binary", "binary", "linear"]
    assert errors.shape == (3, 3, 3)
    # The first machine does not know of those above.
    first, first_errors = train_rbms(x, WIDTHS[:2], SEEDS, RECIPE, has_linear_code=False)
    assert torch.equal(first[0].weights, machines[0].weights) and torch.equal(first_errors[0], errors[0])
    # Equal seeds are equal networks, and a stack is as good as one alone.
    assert torch.equal(machines[1].weights[0], machines[1].weights[2])
    alone, _ = train_rbms(x, WIDTHS, SEEDS[1:2], RECIPE)
    assert all(torch.equal(a.weights[0], m.weights[1]) for a, m in zip(alone, machines, strict=True))


def test_reconstruction_improves():
    _, errors = train_rbms(bars(200), WIDTHS[:2], [1], Recipe(epochs=40, batch_size=10), has_linear_code=False)
    assert errors[0, -1].item() < errors[0, 0].item() / 2


def test_the_unrolled_autoencoder_starts_from_the_pretrained_tensors():
    x = bars()
    machines, _ = train_rbms(x, WIDTHS, SEEDS, RECIPE)
    weights, biases = unroll(machines)
    net = Autoencoder(
        weights, biases, ["sigmoid", "sigmoid", "identity", "sigmoid", "sigmoid"], Optimizer(), 5, "cross_entropy"
    )
    for machine, w, b in zip(machines, net.weights, net.biases, strict=False):
        assert torch.equal(machine.weights, w) and torch.equal(machine.hidden_biases, b)
    code = x.expand(3, -1, -1)
    for machine in machines:
        code = machine.hidden_mean(code)
    for machine in machines[::-1]:
        code = machine.visible_mean(code)
    torch.testing.assert_close(net.reconstruct(x), code)
    # The decoder is no longer tied, and the machines stay as they were.
    before = machines[0].weights.clone()
    net.advance(x, x, torch.randint(45, (2, 3, 5), generator=torch.Generator().manual_seed(1)), torch.full((2, 3), 0.1))
    assert torch.equal(machines[0].weights, before) and not torch.equal(net.weights[0], net.weights[-1].mT)


def test_shuffling_keeps_the_values_and_nothing_else():
    weights = [torch.randn(2, 30, 20, generator=torch.Generator().manual_seed(k)) for k in range(2)]
    found = shuffled(weights, [5, 6])
    for before, after in zip(weights, found, strict=True):
        for k in range(2):
            assert torch.equal(before[k].flatten().sort().values, after[k].flatten().sort().values)
            assert (before[k] == after[k]).float().mean() < 0.05
    alone = shuffled([w[1:] for w in weights], [6])
    assert all(torch.equal(a[0], f[1]) for a, f in zip(alone, found, strict=True))


def test_moments_are_kept_by_layer_and_network():
    scales = torch.tensor([0.1, 3.0])[:, None, None]
    generator = torch.Generator().manual_seed(1)
    weights = [2 + scales * torch.rand(2, 200, 100, generator=generator), torch.randn(2, 100, 300, generator=generator)]
    found = with_moments(weights, [5, 6])
    for before, after in zip(weights, found, strict=True):
        for k in range(2):
            n, std = before[k].numel(), before[k].std(correction=0)
            assert abs(after[k].mean() - before[k].mean()) < 4 * std / n**0.5
            assert abs(after[k].std() / std - 1) < 4 / (2 * n) ** 0.5
            assert abs(torch.corrcoef(torch.stack([before[k].flatten(), after[k].flatten()]))[0, 1]) < 4 / n**0.5
    assert all(torch.equal(a, b) for a, b in zip(found, with_moments(weights, [5, 6]), strict=True))
