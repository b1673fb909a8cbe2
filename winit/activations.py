"""Activations φ and their derivatives, on tensors.

The training step keeps only the activations h = φ(z), so each derivative is written in terms of the output:
tanh′ = 1 − h², sigmoid′ = h(1 − h), relu′ = [h > 0], identity′ = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from winit.memory import aligned

aten = torch.ops.aten


def _buffer(like: Tensor) -> Tensor:
    """Return an uninitialised tensor of the same shape; aligned, if it is a stack of matrices."""
    return aligned(*like.shape, like=like) if like.dim() == 3 else torch.empty_like(like)


@dataclass(frozen=True)
class Activation:
    """φ in the two forms that training needs.

    Attributes:
        apply_: replace z by φ(z), in place; any shape.
        chain_: `chain_(grad, h)` multiplies grad by φ′(z) in place, given h = φ(z); same shapes.
    """

    apply_: Callable[[Tensor], object]
    chain_: Callable[[Tensor, Tensor], object]

    def phi(self, z: Tensor) -> Tensor:
        """Return φ(z) in a new tensor."""
        h = _buffer(z).copy_(z)
        self.apply_(h)
        return h

    def dphi(self, h: Tensor) -> Tensor:
        """Return φ′(z) in a new tensor, given h = φ(z)."""
        slope = _buffer(h).fill_(1)
        self.chain_(slope, h)
        return slope


# aten's *_backward with grad_input= fuses the product with the derivative in one pass and allocates nothing.
ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(torch.sigmoid_, lambda grad, h: aten.sigmoid_backward.grad_input(grad, h, grad_input=grad)),
    "tanh": Activation(torch.tanh_, lambda grad, h: aten.tanh_backward.grad_input(grad, h, grad_input=grad)),
    "relu": Activation(torch.relu_, lambda grad, h: aten.threshold_backward.grad_input(grad, h, 0, grad_input=grad)),
    "identity": Activation(lambda z: z, lambda grad, h: grad),
}
