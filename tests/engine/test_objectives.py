"""Losses and scores against torch's functions and their definitions."""

from __future__ import annotations

import pytest
import torch

from winit.engine.objectives import EXAMPLES_AT_ONCE, Classification, Reconstruction, loss_and_accuracy


def test_loss_and_accuracy():
    logits = torch.tensor([[[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]], [[0.0, 0.0]] * 3])
    y = torch.tensor([0, 1, 1])
    loss, accuracy = loss_and_accuracy(logits, y)
    torch.testing.assert_close(loss[0], torch.nn.functional.cross_entropy(logits[0], y))
    assert loss[1].item() == pytest.approx(0.6931472)
    assert accuracy.tolist() == pytest.approx([2 / 3, 1 / 3])


def test_there_is_no_accuracy_where_the_loss_is_not_finite():
    logits = torch.tensor([[[0.0, float("nan")], [1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]])
    _, accuracy = loss_and_accuracy(logits, torch.tensor([0, 0]))
    assert torch.isnan(accuracy[0]) and accuracy[1] == 1


def squared_error(z, y):
    return (z - y).square().sum(dim=1).mean() / 2


def cross_entropy(z, y):
    return torch.nn.functional.binary_cross_entropy_with_logits(z, y, reduction="none").sum(dim=1).mean()


@pytest.mark.parametrize(
    ("objective", "loss"),
    [
        (Classification(), torch.nn.functional.cross_entropy),
        (Reconstruction("squared_error"), squared_error),
        (Reconstruction("cross_entropy"), cross_entropy),
    ],
    ids=["classification", "squared_error", "cross_entropy"],
)
def test_the_error_at_the_output_is_the_gradient_of_the_loss(objective, loss):
    generator = torch.Generator().manual_seed(3)
    z = torch.randn(2, 5, 4, generator=generator, dtype=torch.float64)  # (K, N, C)
    labels, inputs = torch.arange(5) % 4, torch.rand(5, 4, generator=generator, dtype=torch.float64)
    y = labels if isinstance(objective, Classification) else inputs
    wanted = torch.stack([torch.autograd.grad(loss(one, y), one)[0] for one in z.clone().requires_grad_().unbind()])
    torch.testing.assert_close(objective.output_delta(z, y) / 5, wanted)
    logits = z.mT.contiguous()  # (K, C, B)
    torch.testing.assert_close(objective.gradient_(logits, y.expand(2, *y.shape)).mT, wanted)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_a_reconstruction_is_judged_by_its_squared_error_in_parts_as_in_one(loss):
    x = torch.rand(EXAMPLES_AT_ONCE + 3, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    mean = x.mean(dim=0)
    error, score = Reconstruction(loss, mean).evaluate(lambda part: 2 * part.expand(2, -1, -1), x, x)
    outputs = torch.sigmoid(2 * x) if loss == "cross_entropy" else 2 * x
    expected = (outputs - x).square().sum(dim=1).mean()
    torch.testing.assert_close(error, expected.expand(2))
    torch.testing.assert_close(score, (1 - expected / (x - mean).square().sum(dim=1).mean()).expand(2))


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match=r"^loss: got 'hinge'; choose from squared_error, cross_entropy"):
        Reconstruction("hinge")
