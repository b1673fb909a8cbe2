"""The loop over steps and layers, compiled by numba, which calls the machine code for a shape.

Read `train_network` first. Matrices are float32 and given by their addresses (int64).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from winit.engine.kernel.emit import ARGUMENTS, WIDEST

LARGEST_PRODUCT = 1e200  # times 1 + Σ for 10⁸ classes, it is still within the range of float64
Array = np.ndarray  # shape and type are at the end of the line
Function = TypeVar("Function", bound=Callable[..., object])


class Code(NamedTuple):
    """Addresses of the machine code for one shape, and the sizes that the loop needs.

    It is defined here because numba's cached code depends on the order of its fields and is updated only when this file changes.
    """

    inputs: int
    width: int
    classes: int
    batch: int
    gather: int
    forward_first: int
    forward_hidden: int
    forward_output: int
    softmax: int
    transpose_output: int
    transpose_hidden: int
    back_output: int
    back_hidden: int
    update_first: int
    moments_hidden: int
    moments_output: int
    likeliest: int
    # For networks with batch normalization or dropout, otherwise 0; see `kernel.rows`.
    linear_first: int
    linear_hidden: int
    regularize: int
    regularize_back: int
    update_norm: int


class Network(NamedTuple):
    """Addresses of a network's parameters and of its optimizer's state, by layer; with K rows for K networks.

    The state is the velocity of momentum (in `first_moment`), or Adam's two moments. Unused states are not read.
    """

    parameters: Array  # (depth + 1,) int64
    first_moment: Array  # (depth + 1,) int64
    second_moment: Array  # (depth + 1,) int64
    # Of batch normalization, by hidden layer; not read without it.
    norms: Array  # (depth,) int64
    norm_first_moment: Array  # (depth,) int64
    norm_second_moment: Array  # (depth,) int64


class Buffers(NamedTuple):
    """Buffers for the results of a step, shared by all networks of a stack."""

    inputs: Array  # (depth + 1,) int64: addresses of every layer's inputs
    outputs: Array  # (depth,) int64: of every hidden layer's outputs φ; the next layer's inputs without dropout
    normalized: Array  # (depth,) int64: of every hidden layer's ẑ; its outputs without batch normalization
    statistics: Array  # (depth,) int64: of the values that the gradient of batch normalization needs
    partial: int  # address of a buffer for partial sums over the examples
    logits: Array  # (C padded, B padded) float32
    deltas: Array  # (2,) int64: addresses of two buffers for δ/B
    transposed: int  # address of a buffer for the transpose of δ/B
    sums: Array  # (2 · WIDEST,) float32


def compile_loop(function: Function) -> Function:
    """Let numba compile a function on its first call, and cache its code on disk if possible.

    numba identifies cached code by the name of the function and the time stamp of its file. Use this only for functions of a
    module with unique names, never for closures.
    """
    try:
        compiled = njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache is writable
        compiled = njit(nogil=True, error_model="numpy")(function)
    return cast(Function, compiled)


@intrinsic
def _call(typing: Any, address: Any, a0: Any, a1: Any, a2: Any, a3: Any, a4: Any, a5: Any, a6: Any, a7: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * ARGUMENTS)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(*(types.int64,) * (1 + ARGUMENTS)), codegen


# Call machine code: its address, then its arguments.
call = cast("Callable[[int, int, int, int, int, int, int, int, int], None]", _call)


@compile_loop
def forward_pass(
    code: Code,
    parameters: Array,  # (depth + 1,) int64
    inputs: Array,  # (depth + 1,) int64
    logits: int,
) -> None:
    """Compute every hidden layer's activations from the inputs of the first layer, and the logits."""
    depth = len(inputs) - 1
    call(code.forward_first, parameters[0], inputs[0], inputs[1], 0, 0, 0, 0, 0)
    for i in range(1, depth):
        call(code.forward_hidden, parameters[i], inputs[i], inputs[i + 1], 0, 0, 0, 0, 0)
    call(code.forward_output, parameters[depth], inputs[depth], logits, 0, 0, 0, 0, 0)


@compile_loop
def _regularized_forward_pass(
    code: Code,
    network: Network,
    buffers: Buffers,
    masks: Array,  # (depth, bytes) uint8
) -> None:
    """Like `forward_pass`, with the statistics of the mini-batch and with dropout."""
    parameters, inputs, z = network.parameters, buffers.inputs, buffers.normalized
    depth, partial = len(inputs) - 1, buffers.partial
    for i in range(depth):
        linear, mask = code.linear_hidden if i else code.linear_first, masks[i].ctypes.data
        call(linear, parameters[i], inputs[i], z[i], 0, 0, 0, 0, 0)
        norm, statistics, passed = network.norms[i], buffers.statistics[i], inputs[i + 1]
        call(code.regularize, z[i], buffers.outputs[i], passed, mask, norm, statistics, partial, 0)
    call(code.forward_output, parameters[depth], inputs[depth], buffers.logits.ctypes.data, 0, 0, 0, 0, 0)


@compile_loop
def _regularize_back(
    code: Code,
    network: Network,
    buffers: Buffers,
    i: int,
    delta: int,
    mask: int,
    factors: int,
) -> None:
    """Turn ∂L/∂h of a hidden layer, after dropout, into its δ/B, in place; update γ and β."""
    norm, statistics, partial = network.norms[i], buffers.statistics[i], buffers.partial
    call(code.regularize_back, delta, buffers.normalized[i], buffers.outputs[i], mask, norm, statistics, partial, 0)
    if code.update_norm:
        first, second = network.norm_first_moment[i], network.norm_second_moment[i]
        call(code.update_norm, norm, statistics, first, second, factors, 0, 0, 0)


@compile_loop
def predict(
    code: Code,
    parameters: Array,  # (K, depth + 1) int64
    buffers: Buffers,
    blocks: Array,  # (groups, rows, B padded) float32
    out: Array,  # (K, N, C) float32
) -> None:
    """Fill `out` with the logits of K networks for N examples, stored in blocks like the inputs of a step."""
    logits, inputs, size = buffers.logits, buffers.inputs.copy(), blocks.shape[2]
    for k in range(out.shape[0]):
        for group in range(blocks.shape[0]):
            inputs[0] = blocks[group].ctypes.data
            forward_pass(code, parameters[k], inputs, logits.ctypes.data)
            start = group * size
            for i in range(min(size, out.shape[1] - start)):
                for c in range(code.classes):
                    out[k, start + i, c] = logits[c, i]


@compile_loop
def evaluate(
    code: Code,
    parameters: Array,  # (K, depth + 1) int64
    buffers: Buffers,
    blocks: Array,  # (groups, rows, B padded) float32
    labels: Array,  # (N,) int64
    ends: Array,  # (parts,) int64: index after the last example of each part; the last one is N
    out: Array,  # (K, parts, 2) float64
) -> None:
    """Fill `out` with loss and accuracy of K networks on parts of N examples, stored in blocks like the inputs of a step.

    The loss of one example is log(1 + Σ_{c ≠ c*} exp(z_c − z*)) + z* − z_y, where z* is the largest logit and c* its class.
    """
    logits, inputs, size = buffers.logits, buffers.inputs.copy(), blocks.shape[2]
    found = np.empty((3, size), np.float32)  # z*, c* and the sum, of each example
    for k in range(out.shape[0]):
        part, first, loss, right = 0, 0, 0.0, 0
        for group in range(blocks.shape[0]):
            inputs[0] = blocks[group].ctypes.data
            forward_pass(code, parameters[k], inputs, logits.ctypes.data)
            call(code.likeliest, logits.ctypes.data, found.ctypes.data, 0, 0, 0, 0, 0, 0)
            start = group * size
            product = 0.0  # product of 1 + Σ over many examples, minus 1, so that one logarithm suffices
            for i in range(min(size, len(labels) - start)):
                y, others = labels[start + i], np.float64(found[2, i])
                product += others + product * others
                if product > LARGEST_PRODUCT:
                    loss, product = loss + np.log1p(product), 0.0
                loss += np.float64(found[0, i]) - np.float64(logits[y, i])
                right += int(found[1, i]) == y
                if start + i + 1 == ends[part]:
                    loss, count = loss + np.log1p(product), ends[part] - first
                    out[k, part, 0] = loss / count
                    out[k, part, 1] = right / count if np.isfinite(loss) else np.nan
                    part, first, loss, right, product = part + 1, ends[part], 0.0, 0, 0.0
            loss += np.log1p(product)


@compile_loop
def _sum(sums: Array, start: int) -> float:
    """Return the sum of WIDEST partial sums, in order."""
    total = 0.0
    for i in range(start, start + WIDEST):
        total += sums[i]
    return total


@compile_loop
def _trace_signal(
    code: Code,
    buffers: Buffers,
    row: Array,  # (layers, 4)
) -> None:
    """Measure mean and mean square of every layer's outputs, including the logits."""
    sums = buffers.sums
    for i in range(len(row)):
        if i < len(buffers.outputs):
            call(code.moments_hidden, buffers.outputs[i], sums.ctypes.data, 0, 0, 0, 0, 0, 0)
            count = code.width * code.batch
        else:
            call(code.moments_output, buffers.logits.ctypes.data, sums.ctypes.data, 0, 0, 0, 0, 0, 0)
            count = code.classes * code.batch
        row[i, 0] = _sum(sums, 0) / count
        row[i, 1] = _sum(sums, WIDEST) / count


@compile_loop
def _trace_gradient(
    code: Code,
    moments: int,
    delta: int,
    fan_in: int,
    fan_out: int,
    sums: Array,  # (2 · WIDEST,)
    factors: Array,  # (WIDEST + n,): begins with the sums of squares of the gradient
    row: Array,  # (4,)
) -> None:
    """Measure δ of single examples and the gradient of the parameters of one layer, and clear the sums of the gradient."""
    call(moments, delta, sums.ctypes.data, 0, 0, 0, 0, 0, 0)
    row[2] = _sum(sums, WIDEST) * code.batch / fan_out  # the sum is over δ/B
    row[3] = _sum(factors, 0) / ((fan_in + 1) * fan_out)
    factors[:WIDEST] = 0


@compile_loop
def _are_finite(
    code: Code,
    logits: Array,  # (C padded, B padded)
) -> bool:
    """Return whether all logits are finite, from their exponents: integer comparisons are vectorized."""
    bits, largest = logits.view(np.int32), np.int32(0)
    for c in range(code.classes):
        for i in range(code.batch):
            largest = max(largest, bits[c, i] & np.int32(0x7FFFFFFF))
    return bool(largest < np.int32(0x7F800000))


@compile_loop
def _back(
    code: Code,
    network: Network,
    buffers: Buffers,
    masks: Array,  # (depth, bytes) uint8
    factors: Array,  # (WIDEST + n,)
    trace: Array,  # (layers, 4)
) -> None:
    """Back-propagate from δ/B of the output layer, which is stored in place of the logits, and update every layer."""
    parameters, first, second = network.parameters, network.first_moment, network.second_moment
    inputs, transposed, sums = buffers.inputs, buffers.transposed, buffers.sums
    depth, f, traced = len(inputs) - 1, factors.ctypes.data + 4 * WIDEST, len(trace) > 0
    output, above, below = buffers.logits.ctypes.data, buffers.deltas[0], buffers.deltas[1]
    call(code.transpose_output, output, transposed, 0, 0, 0, 0, 0, 0)
    call(code.back_output, parameters[depth], output, above, inputs[depth], transposed, first[depth], second[depth], f)
    if traced:
        _trace_gradient(code, code.moments_output, output, code.width, code.classes, sums, factors, trace[depth])
    for i in range(depth - 1, -1, -1):
        if code.regularize_back:
            _regularize_back(code, network, buffers, i, above, masks[i].ctypes.data, f)
        call(code.transpose_hidden, above, transposed, 0, 0, 0, 0, 0, 0)
        if i:
            call(code.back_hidden, parameters[i], above, below, inputs[i], transposed, first[i], second[i], f)
        else:
            call(code.update_first, inputs[0], transposed, parameters[0], first[0], second[0], f, 0, 0)
        if traced:
            fan_in = code.width if i else code.inputs
            _trace_gradient(code, code.moments_hidden, above, fan_in, code.width, sums, factors, trace[i])
        above, below = below, above


@compile_loop
def train_network(
    code: Code,
    network: Network,
    buffers: Buffers,
    x: int,
    labels: Array,  # (N,) int64
    order: Array,  # (steps, B padded) int64
    masks: Array,  # (steps, depth, bytes) uint8
    factors: Array,  # (steps, WIDEST + n) float32
    trace: Array,  # (steps, layers, 4) float64
) -> int:
    """Train one network.

    Args:
        code: the machine code for its shape.
        network: its parameters and its optimizer's state.
        buffers: for the results of a step.
        x: address of the inputs, from `prepare`.
        labels: of the examples.
        order: indices of the examples of each mini-batch; the padding repeats one.
        masks: which outputs dropout keeps, one bit each; 0 bytes without dropout.
        factors: space for partial sums, then the numbers that the optimizer's epilogue reads.
        trace: receives the measurements of every step; with 0 layers, nothing is measured.

    Returns:
        The first step whose logits are not finite, before its update; or the number of steps.
    """
    logits, share = buffers.logits, np.float32(1) / np.float32(code.batch)
    for t in range(order.shape[0]):
        call(code.gather, x, order[t].ctypes.data, buffers.inputs[0], 0, 0, 0, 0, 0)
        if code.regularize:
            _regularized_forward_pass(code, network, buffers, masks[t])
        else:
            forward_pass(code, network.parameters, buffers.inputs, logits.ctypes.data)
        if trace.shape[1] > 0:
            _trace_signal(code, buffers, trace[t])
        if not _are_finite(code, logits):
            trace[t:] = np.nan
            return t
        call(code.softmax, logits.ctypes.data, 0, 0, 0, 0, 0, 0, 0)
        for i in range(code.batch):
            logits[labels[order[t, i]], i] -= share
        _back(code, network, buffers, masks[t], factors[t], trace[t])
    return order.shape[0]


@compile_loop
def train_networks(
    code: Code,
    networks: Network,
    buffers: Buffers,
    x: int,
    labels: Array,  # (N,) int64
    orders: Array,  # (K or 1, steps, B padded) int64
    masks: Array,  # (streams, steps, depth, bytes) uint8
    streams: Array,  # (K,) int64
    factors: Array,  # (K, steps, WIDEST + n) float32
    trace: Array,  # (K, steps, layers, 4) float64
    start: int,
    done: Array,  # (K,) int64
) -> None:
    """Train K networks, one at a time; the arguments are those of `train_network` for each of them.

    Args:
        code, networks, buffers, x, labels, masks, factors, trace: see `train_network`.
        orders: of every network, or one for all.
        streams: index of the masks of each network.
        start: steps taken before. Networks that took fewer have diverged and are skipped.
        done: steps that every network has taken; updated.
    """
    for k in range(len(done)):
        if done[k] == start:
            network = Network(
                networks.parameters[k], networks.first_moment[k], networks.second_moment[k],
                networks.norms[k], networks.norm_first_moment[k], networks.norm_second_moment[k],
            )  # fmt: skip
            own = orders[k if len(orders) > 1 else 0]
            done[k] += train_network(code, network, buffers, x, labels, own, masks[streams[k]], factors[k], trace[k])
