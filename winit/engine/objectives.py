"""What networks are trained to do: the loss that training descends, and the loss and score by which they are judged.

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

EXAMPLES_AT_ONCE = 2000  # reconstructed at once; all of them together would take much memory

Predict = Callable[[Tensor], Tensor]  # inputs (N, D), or (K, N, D), to logits (K, N, C)


class Evaluation(NamedTuple):
    """How good K networks are on some examples: their loss and their score, (K,) each."""

    loss: Tensor
    score: Tensor


class Objective(Protocol):
    """What networks are trained to do."""

    def gradient_(self, logits: Tensor, y: Tensor) -> Tensor:
        """Return ∂L/∂z (K, C, B) of the mean loss of a mini-batch, in place of its logits (K, C, B).

        Args:
            logits: z, overwritten.
            y: the targets: labels (K, B), or what should come out (K, B, C).
        """
        ...

    def output_delta(self, z: Tensor, y: Tensor) -> Tensor:
        """Return δ = ∂ℓ/∂z (K, N, C) of each example, for logits z (K, N, C) and targets y (N,) or (N, C)."""
        ...

    def outputs(self, z: Tensor) -> Tensor:
        """Return what networks with logits z (K, N, C) give out; z may be overwritten."""
        ...

    def loss(self, predict: Predict, x: Tensor, y: Tensor) -> Tensor:
        """Return the loss (K,) on examples x (N, D) with targets y: mean over the examples."""
        ...

    def evaluate(self, predict: Predict, x: Tensor, y: Tensor) -> Evaluation:
        """Return loss and score on examples x (N, D) with targets y."""
        ...


@dataclass(frozen=True)
class Classification:
    """Softmax cross-entropy of labels; the score is the share of examples that are classified correctly.

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
    """Return mean softmax cross-entropy in nats and share correct, (K,) each, of logits (K, N, C) and labels (N,).

    Where the loss is not finite the accuracy is NaN, because the largest of several NaNs says nothing.
    """
    chosen = logits[:, torch.arange(len(y)), y]
    losses = torch.logsumexp(logits, dim=2) - chosen
    correct = (logits.argmax(dim=2) == y).to(logits.dtype)
    loss, accuracy = losses.mean(dim=1), correct.mean(dim=1)
    return Evaluation(loss, torch.where(torch.isfinite(loss), accuracy, torch.nan))


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Networks that give back their inputs: targets y are the inputs themselves.

        squared_error:  L = 1/(2B) Σ |z − y|²,  linear outputs
        cross_entropy:  L = −1/B Σ y log σ(z) + (1 − y) log(1 − σ(z)),  outputs σ(z), targets between 0 and 1

    Both sum over the outputs and average over the B examples, and have ∂L/∂z = (output − y)/B. Networks are judged by
    the squared error Σ |output − y|²/N, whichever loss trained them; it is the measure of Hinton & Salakhutdinov 2006
    for pixels between 0 and 1. The score is the share of a constant's error that they explain:
    1 − Σ |output − y|²/Σ |y − mean|².

    Attributes:
        training_loss: `squared_error` or `cross_entropy`.
        mean: that constant, (D,): usually the mean of the training inputs.

    Raises:
        ValueError: an unknown loss.
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
        # One network after the other: the bits of a sum over a stack depend on the stack.
        sums = [torch.stack([one.square_().sum() for one in stack]) for stack in away]  # (K,) each
        return reduce(torch.add, sums) / x.shape[-2]

    def evaluate(self, predict: Predict, x: Tensor, y: Tensor) -> Evaluation:
        error = self.loss(predict, x, y)
        return Evaluation(error, 1 - error / (y - self.mean).square().sum(dim=1).mean())
