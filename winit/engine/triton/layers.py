"""One layer of a network: its forward product, its backward product and the update of its parameters, on tiles.

Triton compiles these functions, so they use only its language. Matrices are given by address, and offsets are in elements.
The biases of a layer (1, fan_out) follow its weights (fan_in, fan_out) in memory. Functions whose results are read by all
threads of the program end with a barrier.
"""

from __future__ import annotations

import triton
import triton.language as tl

from winit.engine.optimizers import ADAM_BETAS, ADAM_EPSILON

BETA1, BETA2, EPSILON = tl.constexpr(ADAM_BETAS[0]), tl.constexpr(ADAM_BETAS[1]), tl.constexpr(ADAM_EPSILON)


@triton.jit
def tanh(z):
    """Return tanh z, accurate to a few ulp even for small z, where 1 − 2/(exp(2z) + 1) cancels.

    Source: Cephes, tanhf.
    """
    square, size = z * z, tl.abs(z)
    p = ((-5.70498872745e-3 * square + 2.06390887954e-2) * square - 5.37397155531e-2) * square
    small = z + z * square * ((p + 1.33314422036e-1) * square - 3.33332819422e-1)
    large = 1 - 2 / (tl.exp(2 * size) + 1)
    return tl.where(size < 0.625, small, tl.where(z < 0, -large, large))


@triton.jit
def activate(z, PHI: tl.constexpr):
    """Return φ(z). NaN is propagated."""
    if PHI == "tanh":
        h = tanh(z)
    elif PHI == "sigmoid":
        h = 1 / (1 + tl.exp(-z))
    elif PHI == "relu":
        h = tl.where(z <= 0, 0.0, z)
    else:
        tl.static_assert(PHI == "identity")
        h = z
    return h


@triton.jit
def chain(gradient, h, PHI: tl.constexpr):
    """Return the gradient times φ′(z), given h = φ(z)."""
    if PHI == "tanh":
        gradient = gradient * (1 - h * h)
    elif PHI == "sigmoid":
        gradient = gradient * (h * (1 - h))
    elif PHI == "relu":
        gradient = tl.where(h <= 0, 0.0, gradient)
    else:
        tl.static_assert(PHI == "identity")
    return gradient


@triton.jit
def load(matrix, row, row_step, rows, column, column_step, columns):
    """Return some elements of a matrix (rows, columns), 0 outside of it; the steps are strides in memory."""
    inside = (row[:, None] < rows) & (column[None, :] < columns)
    return tl.load(matrix + row[:, None] * row_step + column[None, :] * column_step, mask=inside, other=0.0)


@triton.jit
def product(
    a, a_row, a_column, rows, row, b, b_row, b_column, columns, column, INNER: tl.constexpr, CONST: tl.constexpr
):  # fmt: skip
    """Return some elements of the product of A (rows, INNER) and B (INNER, columns).

    Args:
        a, b: the matrices, each with the strides of rows and columns.
        row, column: indices of the elements.
    """
    total = tl.zeros((row.shape[0], column.shape[0]), tl.float32)
    for start in range(0, INNER, CONST.inner):
        k = start + tl.arange(0, CONST.inner)
        left = load(a, row, a_row, rows, k, a_column, INNER)
        right = load(b, k, b_row, INNER, column, b_column, columns)
        total = tl.dot(left, right, total, input_precision=CONST.precision)
    return total


@triton.jit
def forward(
    h, parameters, out, FAN_IN: tl.constexpr, FAN_OUT: tl.constexpr, PHI: tl.constexpr, TILE: tl.constexpr, CONST: tl.constexpr
):  # fmt: skip
    """Store φ(hW + b) in `out` (B, FAN_OUT), given h (B, FAN_IN)."""
    for top in range(0, CONST.batch, CONST.examples):
        row = top + tl.arange(0, CONST.examples)
        for left in range(0, FAN_OUT, TILE):
            column = left + tl.arange(0, TILE)
            z = product(h, FAN_IN, 1, CONST.batch, row, parameters, FAN_OUT, 1, FAN_OUT, column, FAN_IN, CONST)
            bias = tl.load(parameters + FAN_IN * FAN_OUT + column, mask=column < FAN_OUT, other=0.0)
            inside = (row[:, None] < CONST.batch) & (column[None, :] < FAN_OUT)
            place = out + row[:, None] * FAN_OUT + column[None, :]
            tl.store(place, activate(z + bias[None, :], PHI), mask=inside)
    tl.debug_barrier()


@triton.jit
def backward(delta, parameters, h, out, FAN_IN: tl.constexpr, FAN_OUT: tl.constexpr, CONST: tl.constexpr):
    """Store δWᵀ · φ′ in `out` (B, FAN_IN), given δ (B, FAN_OUT) of a layer and its inputs h (B, FAN_IN)."""
    for top in range(0, CONST.batch, CONST.examples):
        row = top + tl.arange(0, CONST.examples)
        for left in range(0, FAN_IN, CONST.units):
            column = left + tl.arange(0, CONST.units)
            below = product(delta, FAN_OUT, 1, CONST.batch, row, parameters, 1, FAN_OUT, FAN_IN, column, FAN_OUT, CONST)
            slope = load(h, row, FAN_IN, CONST.batch, column, 1, FAN_IN)
            inside = (row[:, None] < CONST.batch) & (column[None, :] < FAN_IN)
            place = out + row[:, None] * FAN_IN + column[None, :]
            tl.store(place, chain(below, slope, CONST.phi), mask=inside)
    tl.debug_barrier()


@triton.jit
def square_sum(values):
    """Return the sum of squares in float64, so that squares of vanishing gradients do not underflow."""
    values = values.to(tl.float64)
    return tl.sum(values * values)


@triton.jit
def step(place, inside, gradient, factors, CONST: tl.constexpr):
    """Update the parameters at some offsets, if `inside`, with their gradient.

    Args:
        factors: address of three numbers: η, for Adam divided by 1 − β₁ᵗ; 1/√(1 − β₂ᵗ); 1 − ηλ.
    """
    state = tl.num_programs(0).to(tl.int64) * CONST.size  # from parameters to their first state, and on to the second
    value = tl.load(place, mask=inside, other=0.0)
    if CONST.rule == "adamw":
        value *= tl.load(factors + 2)
    elif CONST.decay != 0:
        gradient += CONST.decay * value
    if CONST.rule == "sgd":
        direction = gradient
    elif CONST.rule == "momentum" or CONST.rule == "nesterov":
        direction = CONST.momentum * tl.load(place + state, mask=inside, other=0.0) + gradient
        tl.store(place + state, direction, mask=inside)
        if CONST.rule == "nesterov":
            direction = gradient + CONST.momentum * direction
    else:
        mean = tl.load(place + state, mask=inside, other=0.0)
        mean += (1 - BETA1) * (gradient - mean)
        square = BETA2 * tl.load(place + 2 * state, mask=inside, other=0.0) + (1 - BETA2) * (gradient * gradient)
        tl.store(place + state, mean, mask=inside)
        tl.store(place + 2 * state, square, mask=inside)
        direction = mean / (tl.sqrt(square) * tl.load(factors + 1) + EPSILON)
    tl.store(place, value - tl.load(factors) * direction, mask=inside)


@triton.jit
def update(
    h, delta, parameters, factors, FAN_IN: tl.constexpr, FAN_OUT: tl.constexpr, TILE: tl.constexpr, CONST: tl.constexpr
):  # fmt: skip
    """Update a layer, given its inputs h (B, FAN_IN) and its δ/B (B, FAN_OUT); return Σ g² if steps are traced."""
    squares = tl.zeros((), tl.float64)
    for left in range(0, FAN_OUT, TILE):
        column = left + tl.arange(0, TILE)
        for top in range(0, FAN_IN, CONST.units):
            row = top + tl.arange(0, CONST.units)
            gradient = product(h, 1, FAN_IN, FAN_IN, row, delta, FAN_OUT, 1, FAN_OUT, column, CONST.batch, CONST)
            if CONST.traced:
                squares += square_sum(gradient)
            inside = (row[:, None] < FAN_IN) & (column[None, :] < FAN_OUT)
            step(parameters + row[:, None] * FAN_OUT + column[None, :], inside, gradient, factors, CONST)
        gradient = tl.zeros((TILE,), tl.float32)
        for top in range(0, CONST.batch, CONST.examples):
            row = top + tl.arange(0, CONST.examples)
            gradient += tl.sum(load(delta, row, FAN_OUT, CONST.batch, column, 1, FAN_OUT), axis=0)
        if CONST.traced:
            squares += square_sum(gradient)
        step(parameters + FAN_IN * FAN_OUT + column, column < FAN_OUT, gradient, factors, CONST)
    tl.debug_barrier()
    return squares
