"""Objectives: the training loss and its gradient, and the loss and score for evaluation.

Logits of a mini-batch are (K, C, B), those of a prediction (K, N, C).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from winit.engine.alignment import align
from winit.vocabulary.factors import LOSSES

EXAMPLES_AT_ONCE = 2000  # examples reconstructed at a time, to limit memory

Predict = Callable[[Tensor], Tensor]  # inputs (N, D), or (K, N, D), to logits (K, N, C)


class Evaluation(NamedTuple):
    """Loss and score of K networks on some examples, (K,) each."""

    loss: Tensor
    score: Tensor


class Objective(Protocol):
    """What networks are trained for."""

    def gradient_(self, logits: Tensor, y: Tensor) -> Tensor:
        """Return ∂L/∂z (K, C, B) of the mean loss of a mini-batch, overwriting its logits (K, C, B).

        Args:
            logits: z, overwritten.
            y: the targets: labels (K, B), or outputs (K, B, C).
        """
        ...

    def output_delta(self, z: Tensor, y: Tensor) -> Tensor:
        """Return δ = ∂ℓ/∂z (K, N, C) of each example, for logits z (K, N, C) and targets y (N,) or (N, C)."""
        ...

    def outputs(self, z: Tensor) -> Tensor:
        """Return the outputs of networks with logits z (K, N, C); z may be overwritten."""
        ...

    def loss(self, predict: Predict, x: Tensor, y: Tensor) -> Tensor:
        """Return the loss (K,) on examples x (N, D) with targets y: mean over the examples."""
        ...

    def evaluate(self, predict: Predict, x: Tensor, y: Tensor) -> Evaluation:
        """Return loss and score on examples x (N, D) with targets y."""
        ...


@dataclass(frozen=True)
class Classification:
    """Softmax cross-entropy of labels; the score is accuracy.

    L = −(1/B) Σ_b log softmax(z_b)[y_b],   ∂L/∂z = (softmax(z) − onehot(y))/B
    """

    def gradient_(self, logits: Tensor, y: Tensor) -> Tensor:
        share = 1 / logits.shape[2]
        error = torch.softmax(logits, dim=1, out=logits).mul_(share)
        return error.scatter_add_(1, y.unsqueeze(1), torch.full_like(error[:, :1], -share))

    def output_delta(self, z: Tensor, y: Tensor) -> Tensor:
        delta = align(torch.softmax(z, dim=2))
        delta[:, torch.arange(len(y)), y] -= 1
        return delta

    def outputs(self, z: Tensor) -> Tensor:
        return torch.softmax(z, dim=2)

    def loss(self, predict: Predict, x: Tensor, y: Tensor) -> Tensor:
        return self.evaluate(predict, x, y).loss

    def evaluate(self, predict: Predict, x: Tensor, y: Tensor) -> Evaluation:
        return loss_and_accuracy(predict(x), y)


def loss_and_accuracy(logits: Tensor, y: Tensor) -> Evaluation:
    """Return mean softmax cross-entropy in nats and accuracy, (K,) each, of logits (K, N, C) and labels (N,).

    If the loss is not finite, the accuracy is NaN, because the largest of NaNs is arbitrary.
    """
    chosen = logits[:, torch.arange(len(y)), y]
    losses = torch.logsumexp(logits, dim=2) - chosen
    correct = (logits.argmax(dim=2) == y).to(logits.dtype)
    loss, accuracy = losses.mean(dim=1), correct.mean(dim=1)
    return Evaluation(loss, torch.where(torch.isfinite(loss), accuracy, torch.nan))


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Reconstruction of the inputs: the targets y are the inputs.

        squared_error:  L = 1/(2B) Σ |z − y|²,  linear outputs
        cross_entropy:  L = −1/B Σ y log σ(z) + (1 − y) log(1 − σ(z)),  outputs σ(z), targets between 0 and 1

    Both sum over the outputs and average over the B examples, and have ∂L/∂z = (output − y)/B. Networks are evaluated
    by the squared error Σ |output − y|²/N for either training loss, as in Hinton & Salakhutdinov 2006 for pixels between 0
    and 1. The score is the explained share of the error of a constant prediction:
    1 − Σ |output − y|²/Σ |y − mean|².

    Attributes:
        training_loss: `squared_error` or `cross_entropy`.
        mean: the constant prediction (D,), usually the mean of the training inputs.

    Raises:
        ValueError: the loss is unknown.
    """

    training_loss: str = "squared_error"
    mean: Tensor | float = 0.0

    def __post_init__(self) -> None:
        if self.training_loss not in LOSSES:
            raise ValueError(f"loss: got '{self.training_loss}'; choose from {', '.join(LOSSES)}")

    def gradient_(self, logits: Tensor, y: Tensor) -> Tensor:
        return self.outputs(logits).sub_(y.mT).div_(logits.shape[2])

    def output_delta(self, z: Tensor, y: Tensor) -> Tensor:
        return (torch.sigmoid(z) if self.training_loss == "cross_entropy" else z) - y

    def outputs(self, z: Tensor) -> Tensor:
        return z.sigmoid_() if self.training_loss == "cross_entropy" else z

    def loss(self, predict: Predict, x: Tensor, y: Tensor) -> Tensor:
        """Return the squared error (K,) of outputs for x (N, D), or (K, N, D), summed over outputs, mean over examples."""
        parts = zip(*(t.split(EXAMPLES_AT_ONCE, dim=-2) for t in (x, y)), strict=True)
        away = (self.outputs(predict(inputs)) - targets for inputs, targets in parts)
        # One network at a time, because the bits of a sum over a stack depend on the stack.
        sums = [torch.stack([one.square_().sum() for one in stack]) for stack in away]  # (K,) each
        return reduce(torch.add, sums) / x.shape[-2]

    def evaluate(self, predict: Predict, x: Tensor, y: Tensor) -> Evaluation:
        error = self.loss(predict, x, y)
        return Evaluation(error, 1 - error / (y - self.mean).square().sum(dim=1).mean())
