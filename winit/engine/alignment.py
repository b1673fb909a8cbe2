"""Where in memory a stack of matrices lies: it decides the rounding of what is computed from them.

A BLAS library chooses how to load a matrix by its alignment, and torch treats the last few elements of an array with
other instructions than the rest. Where every network's matrix starts on a boundary of two vectors, and the gap behind
it belongs to no network, a network's bits depend neither on its place in the stack nor on the number of networks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

ALIGNMENT = 128  # bytes: two vectors of AVX-512, the step in which torch's elementwise loops advance


def aligned(shape: Sequence[int], like: Tensor) -> Tensor:
    """Return an uninitialised stack of shape (K, rows, columns), in which every network's matrix starts on the boundary."""
    networks, rows, columns = shape
    unit = ALIGNMENT // like.element_size()
    room = -(-rows * columns // unit) * unit
    return like.new_empty(networks, room)[:, : rows * columns].unflatten(1, (rows, columns))


def align(stack: Tensor) -> Tensor:
    """Return the stack (K, rows, columns) itself if its matrices are aligned and contiguous, else an aligned copy."""
    _, rows, columns = stack.shape
    if stack.is_contiguous() and rows * columns * stack.element_size() % ALIGNMENT == 0:
        return stack
    return aligned(stack.shape, like=stack).copy_(stack)


def product(left: Tensor, right: Tensor, bias: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Return left (K, m, n) times right (K, n, p), plus a bias that broadcasts to it, as an aligned stack (K, m, p)."""
    (_, rows, inner), (networks, _, columns) = left.shape, right.shape
    out = aligned((networks, rows, columns), like=right) if out is None else out
    if networks == 1 and 1 in (rows, inner, columns):  # a lone product with a vector takes another routine than a stack
        pair = product(left.expand(2, -1, -1), right.expand(2, -1, -1), bias)
        return out.copy_(pair[:1])
    return torch.bmm(left, right, out=out) if bias is None else torch.baddbmm(bias, left, right, out=out)
