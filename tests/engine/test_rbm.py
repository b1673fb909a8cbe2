"""Machines of a few units against brute force: every state enumerated, every expectation summed."""

from __future__ import annotations

from itertools import product as cartesian
from math import log, pi

import pytest
import torch

from winit.engine.rbm import RBM

V, H, K = 5, 4, 3
KINDS = [("binary", "binary"), ("gaussian", "binary"), ("binary", "linear")]


def machine(visible: str = "binary", hidden: str = "binary", seeds=(1, 2, 1), k: int = K, scale: float = 0.5) -> RBM:
    generator = torch.Generator().manual_seed(0)
    shapes = (k, V, H), (k, 1, V), (k, 1, H)
    return RBM(
        *(scale * torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes), seeds[:k], visible, hidden
    )


def states(units: int) -> torch.Tensor:
    return torch.tensor(list(cartesian([0.0, 1.0], repeat=units)), dtype=torch.float64)


def energy(rbm: RBM, k: int, v: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """The definition of the module's docstring for one machine, every pair of v (m, V) and h (n, H): (m, n)."""
    w, b, c = (p[k] for p in rbm.parameters)
    of_v = ((v - b) ** 2).sum(dim=1) / 2 if rbm.visible == "gaussian" else -(v @ b.squeeze(0))
    of_h = ((h - c) ** 2).sum(dim=1) / 2 if rbm.hidden == "linear" else -(h @ c.squeeze(0))
    return of_v[:, None] + of_h[None] - v @ w @ h.T


@pytest.mark.parametrize("visible", ["binary", "gaussian"])
def test_free_energy_sums_the_hidden_states_out(visible):
    rbm = machine(visible)
    v = torch.randn(K, 7, V, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    statistics = rbm.free_energy(v)
    for k in range(K):
        torch.testing.assert_close(statistics[k], -torch.logsumexp(-energy(rbm, k, v[k], states(H)), dim=1))


def test_free_energy_integrates_linear_hidden_units_out():
    """exp(−F) = ∫ exp(−E) dh / (2π)^{H/2}, by Gauss–Hermite quadrature about the mean in each of two hidden dimensions."""
    generator = torch.Generator().manual_seed(3)
    shapes = (1, V, 2), (1, 1, V), (1, 1, 2)
    rbm = RBM(*(0.5 * torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes), [0], hidden="linear")
    v = states(V)[::5]
    axis = torch.linspace(-12, 12, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    log_sum = torch.logsumexp(-energy(rbm, 0, v, grid), dim=1) + 2 * log(24 / 800)
    # ½|h − c|² leaves the constant −½|c|² + ½|c|²: E at h has c·h in it, and the integral is (2π)^{H/2} exp(−F).
    torch.testing.assert_close(rbm.free_energy(v[None])[0], -(log_sum - log(2 * pi)))


@pytest.mark.parametrize(("visible", "hidden"), KINDS)
def test_conditional_means_are_those_of_the_energy(visible, hidden):
    rbm = machine(visible, hidden)
    v = states(V)[None].expand(K, -1, -1)
    if hidden == "binary":
        for k in range(K):
            weights = torch.softmax(-energy(rbm, k, v[k], states(H)), dim=1)
            torch.testing.assert_close(rbm.hidden_mean(v)[k], weights @ states(H))
    if visible == "binary":
        h = torch.randn(K, 6, H, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
        for k in range(K):
            weights = torch.softmax(-energy(rbm, k, states(V), h[k]), dim=0)
            torch.testing.assert_close(rbm.visible_mean(h)[k], weights.T @ states(V))


def log_likelihood_gradient(rbm: RBM, v: torch.Tensor) -> list[torch.Tensor]:
    """Gradients of the mean log p(v), v (B, V), of machine 0 by W, b and c: every joint state enumerated."""
    w, b, c = (p[0].clone().requires_grad_() for p in rbm.parameters)

    def minus_energy(v: torch.Tensor) -> torch.Tensor:
        h = states(H)
        return v @ b.T + (h @ c.T).T + v @ w @ h.T

    partition = torch.logsumexp(minus_energy(states(V)).flatten(), dim=0)
    return list(torch.autograd.grad(torch.logsumexp(minus_energy(v), dim=1).mean() - partition, (w, b, c)))


def test_long_chains_reach_the_gradient_of_the_likelihood():
    """Gibbs sampling of 60 steps from 40,000 copies: the mean contrast is the exact gradient within 5 standard errors."""
    rbm = machine(k=1, seeds=(5,))
    data = states(V)[[3, 7, 18, 25]].repeat(10_000, 1)[None]
    exact = log_likelihood_gradient(rbm, data[0])
    statistics = rbm.contrast(data, steps=60, samples_visible=True)
    for ours, theirs in zip(statistics[:3], exact, strict=True):
        # Statistics lie between 0 and 1, so that one standard error is at most 0.5/√40000 = 0.0025.
        torch.testing.assert_close(ours[0], theirs, atol=0.0125, rtol=0)


@pytest.mark.parametrize("samples_visible", [False, True])
def test_cd_1_is_its_expectation_over_all_states(samples_visible):
    """The mean of CD-1 over 40,000 draws is the sum over all hidden (and visible) states, within 5 standard errors."""
    rbm = machine(k=1, seeds=(6,))
    v = states(V)[[3, 18]]
    statistics = rbm.contrast(v.repeat(20_000, 1)[None], samples_visible=samples_visible)
    expected = torch.zeros(V, H, dtype=torch.float64)
    for one in v:
        p_h = torch.softmax(-energy(rbm, 0, one[None], states(H)), dim=1)[0]
        expected += torch.outer(one, rbm.hidden_mean(one[None, None])[0, 0]) / len(v)
        for h, probability in zip(states(H), p_h, strict=True):
            mean = rbm.visible_mean(h[None, None])[0, 0]
            ends = [(mean, 1.0)]
            if samples_visible:
                p_v = (mean * states(V) + (1 - mean) * (1 - states(V))).prod(dim=1)
                ends = list(zip(states(V), p_v.tolist(), strict=True))
            for end, chance in ends:
                down = torch.outer(end, rbm.hidden_mean(end[None, None])[0, 0])
                expected -= probability * chance * down / len(v)
    torch.testing.assert_close(statistics.weights[0], expected, atol=0.0125, rtol=0)


@pytest.mark.parametrize(("visible", "hidden"), KINDS)
def test_a_machine_does_not_depend_on_its_neighbours(visible, hidden):
    v = torch.rand(K, 6, V, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    together = machine(visible, hidden)
    alone = RBM(*(p[1:2].clone() for p in together.parameters), [2], visible, hidden)
    for _ in range(5):
        errors = together.step(v, 0.05)
        torch.testing.assert_close(alone.step(v[1:2], 0.05), errors[1:2], rtol=0, atol=0)
    for ours, theirs in zip(alone.parameters, together.parameters, strict=True):
        assert torch.equal(ours, theirs[1:2])


def test_loss_is_the_squared_error_of_going_up_and_down():
    rbm = machine("gaussian")
    x = torch.randn(6, V, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    h = torch.sigmoid(x @ rbm.weights + rbm.hidden_biases)
    back = h @ rbm.weights.mT + rbm.visible_biases
    torch.testing.assert_close(rbm.loss(x), (back - x).square().sum(dim=2).mean(dim=1))


def test_the_same_seed_is_the_same_noise():
    first = machine()
    same = RBM(*(p[[0, 0]].clone() for p in first.parameters), [9, 9])
    v = states(V)[None].expand(2, -1, -1).contiguous()
    for _ in range(3):
        same.step(v, 0.1)
    assert torch.equal(same.weights[0], same.weights[1])


def test_a_step_is_momentum_and_weight_cost():
    rbm = machine(k=1, seeds=(4,))
    twin = machine(k=1, seeds=(4,))
    v = states(V)[None]
    first, before = twin.contrast(v), rbm.weights.clone()
    rbm.step(v, rate=0.1, momentum=0.5, weight_cost=0.2)
    one = 0.1 * (first.weights - 0.2 * before)
    torch.testing.assert_close(rbm.weights, before + one)
    for parameter, other in zip(twin.parameters, rbm.parameters, strict=True):
        parameter.copy_(other)
    second, between = twin.contrast(v), rbm.weights.clone()
    rbm.step(v, rate=0.1, momentum=0.9, weight_cost=0.2)
    torch.testing.assert_close(rbm.weights, between + 0.9 * one + 0.1 * (second.weights - 0.2 * between))


def test_training_raises_the_likelihood():
    rbm = machine(k=1, seeds=(8,), scale=0.01)
    data = states(V)[[3, 3, 3, 24, 24, 24, 31, 0]][None]

    def log_likelihood() -> float:
        partition = torch.logsumexp(-rbm.free_energy(states(V)[None]), dim=1)
        return (-rbm.free_energy(data).mean(dim=1) - partition).item()

    before = log_likelihood()
    errors = [rbm.step(data, 0.1, momentum=0.9).item() for _ in range(400)]
    assert log_likelihood() > before + 0.5
    assert errors[-1] < errors[0]


def test_unknown_units_are_refused():
    with pytest.raises(ValueError, match="hidden units: got 'relu'; choose from binary, linear"):
        machine("binary", "relu")
