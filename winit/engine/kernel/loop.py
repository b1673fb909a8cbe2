"""The loop over steps and layers, compiled by numba; it calls a shape's machine code."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from winit.engine.kernel.emit import ARGUMENTS, WIDEST


def _compile(function):
    """Let numba compile a function on its first call, and keep its code on disk where there is a place for it.

    numba tells kept code apart by the function's name and the time stamp of this file: so only functions of this
    module, under names of their own, and never closures.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(**options, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(**options)(function)


@intrinsic
def call(typing, address, a0, a1, a2, a3, a4, a5, a6, a7):
    """Call machine code at an address."""

    def codegen(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * ARGUMENTS)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(*(types.int64,) * (1 + ARGUMENTS)), codegen


@_compile
def forward_pass(code, p, h, z):
    """Compute every hidden layer's activations from the inputs h[0], and the logits z. All are addresses."""
    depth = len(h) - 1
    call(code.forward_first, p[0], h[0], h[1], 0, 0, 0, 0, 0)
    for i in range(1, depth):
        call(code.forward_hidden, p[i], h[i], h[i + 1], 0, 0, 0, 0, 0)
    call(code.forward_output, p[depth], h[depth], z, 0, 0, 0, 0, 0)


@_compile
def predict(code, p, h, z, x, numbers, logits):
    """Fill the logits (N, C) of one network for the examples with these numbers (⌈N/B⌉, B padded)."""
    row = 0
    for group in range(len(numbers)):
        call(code.gather, x, numbers[group].ctypes.data, h[0], 0, 0, 0, 0, 0)
        forward_pass(code, p, h, z.ctypes.data)
        for i in range(min(code.batch, len(logits) - row)):
            for c in range(code.classes):
                logits[row, c] = z[c, i]
            row += 1


@_compile
def _sum(partial, start):
    """Return the sum of WIDEST partial sums, in order."""
    total = 0.0
    for i in range(start, start + WIDEST):
        total += partial[i]
    return total


@_compile
def _trace_signal(code, h, z, partial, row):
    """Measure every layer's outputs, the logits among them: their mean and mean square."""
    for i in range(len(row)):
        if i < len(h) - 1:
            call(code.moments_hidden, h[i + 1], partial.ctypes.data, 0, 0, 0, 0, 0, 0)
            count = code.width * code.batch
        else:
            call(code.moments_output, z.ctypes.data, partial.ctypes.data, 0, 0, 0, 0, 0, 0)
            count = code.classes * code.batch
        row[i, 0] = _sum(partial, 0) / count
        row[i, 1] = _sum(partial, WIDEST) / count


@_compile
def _trace_gradient(code, moments, delta, fan_in, fan_out, partial, factors, row):
    """Measure one layer's δ, of single examples, and the gradient of its parameters; clear the gradient's sums."""
    call(moments, delta, partial.ctypes.data, 0, 0, 0, 0, 0, 0)
    row[2] = _sum(partial, WIDEST) * code.batch / fan_out  # what was added up is δ/B
    row[3] = _sum(factors, 0) / ((fan_in + 1) * fan_out)
    factors[:WIDEST] = 0


@_compile
def train_network(code, p, m, v, h, z, d, dt, x, y, order, factors, partial, trace):
    """Train one network.

    Args:
        code: the machine code for its shape.
        p, m, v: addresses of the parameters by layer, and of the optimizer's state.
        h, d, dt: addresses of the inputs of every layer (depth + 1), of two buffers for δ/B, of their transpose.
        z: logits (C padded, B padded).
        x, y: address of the inputs, as `prepare` made them; labels (N,).
        order: (steps, B padded) numbers of the examples; the padding repeats one.
        factors: (steps, WIDEST + n) room for partial sums, then what the optimizer's epilogue reads.
        partial: room for 2 · WIDEST floats.
        trace: (steps, layers, 4) where to measure every step; with 0 layers, nothing is measured.

    Returns:
        The first step whose logits are not finite, before its update; or the number of steps.
    """
    depth, nothing, share = len(h) - 1, np.float32(0), np.float32(1) / np.float32(code.batch)
    z_at, traced = z.ctypes.data, trace.shape[1] > 0
    for t in range(order.shape[0]):
        f = factors[t].ctypes.data + 4 * WIDEST
        call(code.gather, x, order[t].ctypes.data, h[0], 0, 0, 0, 0, 0)
        forward_pass(code, p, h, z_at)
        if traced:
            _trace_signal(code, h, z, partial, trace[t])
        check = nothing
        for c in range(code.classes):
            for i in range(code.batch):
                check += z[c, i] * nothing
        if check != check:
            trace[t:] = np.nan
            return t

        call(code.softmax, z_at, 0, 0, 0, 0, 0, 0, 0)
        for i in range(code.batch):
            z[y[order[t, i]], i] -= share
        call(code.transpose_output, z_at, dt, 0, 0, 0, 0, 0, 0)
        call(code.back_output, p[depth], z_at, d[0], h[depth], dt, m[depth], v[depth], f)
        if traced:
            _trace_gradient(
                code, code.moments_output, z_at, code.width, code.classes, partial, factors[t], trace[t, depth]
            )
        now, below = d[0], d[1]
        for i in range(depth - 1, -1, -1):
            call(code.transpose_hidden, now, dt, 0, 0, 0, 0, 0, 0)
            if i:
                call(code.back_hidden, p[i], now, below, h[i], dt, m[i], v[i], f)
            else:
                call(code.update_first, h[0], dt, p[0], m[0], v[0], f, 0, 0)
            if traced:
                fan_in = code.width if i else code.inputs
                _trace_gradient(code, code.moments_hidden, now, fan_in, code.width, partial, factors[t], trace[t, i])
            now, below = below, now
    return order.shape[0]
