"""Autoencoders against torch's own networks, losses and optimizers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.engine.networks import make
from winit.engine.corruption import Corruption
from winit.engine.engine import NetworkSpec
from winit.engine.objectives import Reconstruction
from winit.engine.optimizers import Optimizer
from winit.engine.torch_stack import TorchStack

WIDTHS, K, BATCH = [6, 5, 2, 5, 6], 3, 4
ACTIVATIONS = ("sigmoid", "identity", "sigmoid")
MODULES = {"sigmoid": nn.Sigmoid, "identity": nn.Identity}
LOSSES = {
    "squared_error": lambda z, x: (z - x).square().sum(dim=1).mean() / 2,
    "cross_entropy": lambda z, x: nn.functional.binary_cross_entropy_with_logits(z, x, reduction="none").sum(dim=1).mean(),
}  # fmt: skip


def data(n: int = 20) -> torch.Tensor:
    return torch.rand(n, WIDTHS[0], generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def order(steps: int = 4) -> torch.Tensor:
    return torch.randint(20, (steps, K, BATCH), generator=torch.Generator().manual_seed(6))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
def test_training_is_that_of_torch(loss, optimizer):
    weights, biases = make(torch.float64, K, WIDTHS)
    models = []
    for k in range(K):
        parts = []
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            linear = nn.Linear(*w.shape[1:]).double()
            linear.weight.data, linear.bias.data = w[k].T.clone(), b[k, 0].clone()
            parts += [linear, *([MODULES[ACTIVATIONS[i]]()] if i < len(ACTIVATIONS) else [])]
        models.append(nn.Sequential(*parts))
    ours = TorchStack(weights, biases, NetworkSpec(ACTIVATIONS, Optimizer(optimizer), BATCH, Reconstruction(loss)))
    x, batches = data(), order()
    ours.advance(x, x, batches, torch.full((len(batches), K), 0.1, dtype=torch.float64))
    for k, model in enumerate(models):
        torch_optimizer = {
            "sgd": lambda p: torch.optim.SGD(p, 0.1),
            "nesterov": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
            "adam": lambda p: torch.optim.Adam(p, 0.1),
        }[optimizer](model.parameters())
        for batch in batches:
            torch_optimizer.zero_grad()
            LOSSES[loss](model(x[batch[k]]), x[batch[k]]).backward()
            torch_optimizer.step()
        z = model(x).detach()
        out = z.sigmoid() if loss == "cross_entropy" else z
        torch.testing.assert_close(ours.objective.outputs(ours.predict(x))[k], out)
        error = (out - x).square().sum(dim=1).mean()
        torch.testing.assert_close(ours.loss(x, x)[k], error)
        of_constant = (x - 0.5).square().sum(dim=1).mean()
        evaluation = Reconstruction(loss, mean=torch.full((WIDTHS[0],), 0.5)).evaluate(ours.predict, x, x)
        torch.testing.assert_close(evaluation.score[k], 1 - error / of_constant)


@pytest.mark.parametrize("kind", ["masking", "gaussian"])
def test_a_network_does_not_depend_on_its_neighbours(kind):
    weights, biases = make(torch.float32, K, WIDTHS)
    x, batches, rates = data().float(), order(), torch.full((4, K), 0.1)
    objective, corruption = Reconstruction("cross_entropy"), Corruption(kind, 0.3)
    spec = NetworkSpec(ACTIVATIONS, Optimizer("adam"), BATCH, objective, corruption=corruption)

    def trained(which: list[int]) -> TorchStack:
        net = TorchStack([w[which] for w in weights], [b[which] for b in biases], spec, which)
        net.advance(x, x, batches[:, which], rates[:, which])
        return net

    together, alone = trained([0, 1, 2]), trained([1])
    for ours, theirs in zip(alone.parameters, together.parameters, strict=True):
        assert torch.equal(ours[0], theirs[1])
    together.keep(torch.tensor([1]))
    together.advance(x, x, batches[:, [1]], rates[:, [1]])
    alone.advance(x, x, batches[:, [1]], rates[:, [1]])
    for ours, theirs in zip(alone.parameters, together.parameters, strict=True):
        assert torch.equal(ours, theirs)
