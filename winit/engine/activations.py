"""Activations φ and their derivatives on tensors.

If the derivative has a closed form in the output h = φ(z), the training step keeps only h: tanh′ = 1 − h²,
sigmoid′ = h(1 − h), relu′ = [h > 0], identity′ = 1. All other elementwise functions use autograd and keep z.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from winit.engine.alignment import aligned
from winit.theory.activations import LARGE_LEAK, LEAK, LECUN_SCALE, LECUN_SLOPE, SELU_ALPHA, SELU_SCALE, resolve

aten = torch.ops.aten


def _buffer(like: Tensor) -> Tensor:
    """Return an uninitialized tensor of the same shape, aligned if it is a stack of matrices."""
    return aligned(like.shape, like=like) if like.dim() == 3 else torch.empty_like(like)


@dataclass(frozen=True)
class TensorActivation:
    """φ and its derivative in the forms that training needs.

    Attributes:
        apply_: replace z by φ(z), in place; any shape.
        chain_: `chain_(grad, kept)` multiplies grad by φ′(z) in place; same shapes.
        keeps_input: whether `chain_` needs z instead of h = φ(z).
        function: φ as a plain function of a tensor, for higher derivatives by autograd.
    """

    apply_: Callable[[Tensor], object]
    chain_: Callable[[Tensor, Tensor], object]
    function: Callable[[Tensor], Tensor]
    keeps_input: bool = False

    def phi(self, z: Tensor) -> Tensor:
        """Return φ(z) in a new tensor."""
        h = _buffer(z).copy_(z)
        self.apply_(h)
        return h

    def dphi(self, kept: Tensor) -> Tensor:
        """Return φ′(z) in a new tensor, given the argument that `chain_` needs."""
        slope = _buffer(kept).fill_(1)
        self.chain_(slope, kept)
        return slope


def by_autograd(function: Callable[[Tensor], Tensor]) -> TensorActivation:
    """Return the activation for any elementwise, differentiable function of a tensor, with its derivative by autograd.

    On a CPU the function is called for one network at a time. Functions such as torch.sin may round differently depending on
    the position in an array, and the bits of a network must not depend on its position in the stack.
    """

    def apply_(z: Tensor) -> None:
        for values in _one_by_one(z):
            values.copy_(function(values))

    def chain_(grad: Tensor, z: Tensor) -> None:
        for upstream, values in zip(_one_by_one(grad), _one_by_one(z), strict=True):
            values = values.detach().requires_grad_()
            with torch.enable_grad():
                (product,) = torch.autograd.grad(function(values), values, upstream)
            upstream.copy_(product)

    return TensorActivation(apply_, chain_, function, keeps_input=True)


def _one_by_one(values: Tensor) -> list[Tensor]:
    """Return the networks of a stack on a CPU one by one; return other tensors whole."""
    return list(values) if values.dim() == 3 and values.device.type == "cpu" else [values]


def _elu(function: Callable[[Tensor], Tensor], scale: float, alpha: float) -> TensorActivation:
    return TensorActivation(
        lambda z: aten.elu_(z, alpha, scale, 1.0),
        lambda grad, h: aten.elu_backward.grad_input(grad, alpha, scale, 1.0, True, h, grad_input=grad),
        function,
    )


def _leaky_relu(slope: float) -> TensorActivation:
    return TensorActivation(
        lambda z: aten.leaky_relu_(z, slope),
        lambda grad, h: aten.leaky_relu_backward.grad_input(grad, h, slope, True, grad_input=grad),
        lambda z: functional.leaky_relu(z, slope),
    )


def _each(kernel: Callable[..., object]) -> Callable[..., object]:
    """Return the kernel, called for one network at a time."""
    return lambda *stacks: [kernel(*values) for values in zip(*map(_one_by_one, stacks), strict=True)]


# Fast code for activations by name. Activations that are missing here are trained by autograd.
# aten's *_backward with grad_input= fuses the product with the derivative in one pass and allocates nothing.
TENSOR_ACTIVATIONS: dict[str, TensorActivation] = {
    "sigmoid": TensorActivation(
        torch.sigmoid_, lambda grad, h: aten.sigmoid_backward.grad_input(grad, h, grad_input=grad), torch.sigmoid
    ),
    "tanh": TensorActivation(
        torch.tanh_, lambda grad, h: aten.tanh_backward.grad_input(grad, h, grad_input=grad), torch.tanh
    ),
    "relu": TensorActivation(
        torch.relu_, lambda grad, h: aten.threshold_backward.grad_input(grad, h, 0, grad_input=grad), torch.relu
    ),
    "identity": TensorActivation(lambda z: z, lambda grad, h: grad, lambda z: z),
    "leaky_relu": _leaky_relu(LEAK),
    "leaky_relu_0.2": _leaky_relu(LARGE_LEAK),
    "elu": _elu(functional.elu, 1.0, 1.0),
    "selu": _elu(torch.selu, SELU_SCALE, SELU_ALPHA),
    # gelu and mish vectorize over the whole stack.
    "gelu": TensorActivation(
        _each(aten.gelu_),
        _each(lambda grad, z: aten.gelu_backward.grad_input(grad, z, grad_input=grad)),
        functional.gelu,
        keeps_input=True,
    ),
    "silu": TensorActivation(
        aten.silu_,
        lambda grad, z: aten.silu_backward.grad_input(grad, z, grad_input=grad),
        functional.silu,
        keeps_input=True,
    ),
    "mish": TensorActivation(
        _each(aten.mish_),
        _each(lambda grad, z: grad.copy_(aten.mish_backward(grad, z))),
        lambda z: z * torch.tanh(functional.softplus(z)),  # torch's mish has no third derivative
        keeps_input=True,
    ),
    "softplus": TensorActivation(
        lambda z: aten.softplus.out(z, out=z),
        lambda grad, z: aten.softplus_backward.grad_input(grad, z, 1, 20, grad_input=grad),
        functional.softplus,
        keeps_input=True,
    ),
    "lecun_tanh": TensorActivation(
        lambda z: z.mul_(LECUN_SLOPE).tanh_().mul_(LECUN_SCALE),
        lambda grad, h: grad.mul_(LECUN_SLOPE * LECUN_SCALE - (LECUN_SLOPE / LECUN_SCALE) * h * h),
        lambda z: LECUN_SCALE * torch.tanh(LECUN_SLOPE * z),
    ),
    "softsign": TensorActivation(
        lambda z: z.div_(1 + z.abs()),
        lambda grad, h: grad.mul_((1 - h.abs()).square_()),
        functional.softsign,
    ),
}


def activation_of(given: str | TensorActivation | Callable[[Tensor], Tensor]) -> TensorActivation:
    """Return an activation on tensors.

    Args:
        given: the name of an activation, the activation itself, or an elementwise function of a tensor. A name without
            fast code is trained by autograd with the function `Activation.torch`.

    Raises:
        ValueError: the name is unknown, or the activation has no torch code.
    """
    if isinstance(given, TensorActivation):
        return given
    if not isinstance(given, str):
        return by_autograd(given)
    if given in TENSOR_ACTIVATIONS:
        return TENSOR_ACTIVATIONS[given]
    path = resolve(given).torch
    if path is None:
        raise ValueError(
            f"activation '{given}' has no torch code; name a torch function in its `torch`, or register it in "
            "winit.engine.activations.TENSOR_ACTIVATIONS"
        )
    return by_autograd(pkgutil.resolve_name(path))
