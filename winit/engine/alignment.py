"""Memory alignment of stacks of matrices, which affects the rounding of results.

BLAS libraries choose how to load a matrix by its alignment, and torch uses different instructions for the last few
elements of an array. If every network's matrix starts on a boundary of two vectors, and the gap after it belongs to no
network, the bits of a network depend neither on its position in the stack nor on the number of networks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

ALIGNMENT = 128  # bytes: two vectors of AVX-512, the step in which torch's elementwise loops advance


def aligned(shape: Sequence[int], like: Tensor) -> Tensor:
    """Return an uninitialized stack of shape (K, rows, columns) in which every network's matrix starts on the boundary."""
    networks, rows, columns = shape
    unit = ALIGNMENT // like.element_size()
    room = -(-rows * columns // unit) * unit
    return like.new_empty(networks, room)[:, : rows * columns].unflatten(1, (rows, columns))


def align(stack: Tensor) -> Tensor:
    """Return the stack (K, rows, columns) itself if its matrices are aligned and contiguous, otherwise an aligned copy."""
    _, rows, columns = stack.shape
    if stack.is_contiguous() and rows * columns * stack.element_size() % ALIGNMENT == 0:
        return stack
    return aligned(stack.shape, like=stack).copy_(stack)


def product(left: Tensor, right: Tensor, bias: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Return left (K, m, n) times right (K, n, p), plus a bias that broadcasts to it, as an aligned stack (K, m, p)."""
    (_, rows, inner), (networks, _, columns) = left.shape, right.shape
    out = aligned((networks, rows, columns), like=right) if out is None else out
    if networks == 1 and 1 in (
        rows,
        inner,
        columns,
    ):  # a single product with a vector uses a different routine than a stack
        pair = product(left.expand(2, -1, -1), right.expand(2, -1, -1), bias)
        return out.copy_(pair[:1])
    return torch.bmm(left, right, out=out) if bias is None else torch.baddbmm(bias, left, right, out=out)
