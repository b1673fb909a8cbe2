"""The common interface of engines: prediction, loss, score, layer of divergence, specification."""

from __future__ import annotations

import pytest
import torch

from tests.engine.networks import BATCH, WIDTHS, K, build, make, single
from winit.engine.engine import Engine, NetworkSpec
from winit.engine.kernel.stack import KernelStack
from winit.engine.optimizers import Optimizer
from winit.engine.torch_stack import TorchStack

SPEC = NetworkSpec("tanh", Optimizer(), BATCH)
SAME_WIDTHS = [7, 6, 6, 3]


@pytest.mark.parametrize("engine", [TorchStack, KernelStack])
def test_engines_keep_one_contract(engine):
    """One specification builds every engine, and what training uses of it works alike."""
    weights, biases = make(torch.float32, widths=SAME_WIDTHS)
    networks: Engine = engine(weights, biases, SPEC)
    assert networks.size == K and networks.norms == [None, None] and len(networks.activations) == 2
    generator = torch.Generator().manual_seed(5)
    x, y = torch.randn(20, 7, generator=generator), torch.arange(20) % 3
    prepared = networks.prepare(x)
    loss, score = networks.evaluate(prepared, y)
    assert torch.equal(networks.loss(prepared, y), loss)
    for k in range(K):
        z = single(weights, biases, k, "tanh")(x)
        torch.testing.assert_close(loss[k], torch.nn.functional.cross_entropy(z, y).detach())
        assert score[k].item() == pytest.approx((z.argmax(dim=1) == y).float().mean().item())
    before = [w.clone() for w in networks.weights]
    order = torch.randint(0, 20, (2, K, BATCH), generator=generator)
    assert networks.advance(prepared, y, order, torch.full((2, K), 0.1)).diverged == {}
    assert not any(torch.equal(old, new) for old, new in zip(before, networks.weights, strict=True))
    networks.keep(torch.tensor([2]))
    assert networks.size == 1 and networks.predict(prepared).shape == (1, 20, 3)


def test_each_hidden_layer_may_have_its_own_activation():
    weights, biases = make()
    phis = "tanh", "identity", "relu"
    networks = TorchStack(weights, biases, NetworkSpec(phis, Optimizer(), BATCH))
    x = torch.randn(11, WIDTHS[0], dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    functions = torch.tanh, lambda z: z, torch.relu, lambda z: z
    for k in range(K):
        h = x
        for w, b, phi in zip(weights, biases, functions, strict=True):
            h = phi(h @ w[k] + b[k])
        torch.testing.assert_close(networks.predict(x)[k], h)


def test_predict_is_the_forward_pass():
    weights, biases = make()
    stack = build(weights, biases, "tanh", Optimizer(), BATCH)
    x = torch.randn(11, WIDTHS[0], dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for k in range(K):
        torch.testing.assert_close(stack.predict(x)[k], single(weights, biases, k, "tanh")(x).detach())


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_first_non_finite_layer_is_found(batch_norm):
    weights, biases = make()
    weights[2][1] = float("inf")
    stack = build(weights, biases, "tanh", Optimizer(), BATCH, batch_norm)
    x = torch.randn(BATCH, WIDTHS[0], dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert stack.first_non_finite_layer(1, x) == 3
    assert stack.first_non_finite_layer(0, x) == 4  # nothing to be found: the output
