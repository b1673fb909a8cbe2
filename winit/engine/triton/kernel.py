"""The persistent kernel: one program trains one network through all steps of a call.

Read `train_networks` first. Each program has its own part of the scratch memory, mostly in cache, for values passed between
layers: the mini-batch, the outputs of every hidden layer, and two buffers for δ. Only parameters and optimizer states outlive
a call.
"""

from __future__ import annotations

import triton
import triton.language as tl

from winit.engine.triton.layers import backward, forward, update


@triton.jit
def gather(x, order, out, CONST: tl.constexpr):
    """Copy a mini-batch, rows of x (N, inputs), to `out` (B, inputs)."""
    for top in range(0, CONST.batch, CONST.examples):
        row = top + tl.arange(0, CONST.examples)
        number = tl.load(order + row, mask=row < CONST.batch, other=0)
        for left in range(0, CONST.inputs, CONST.units):
            column = left + tl.arange(0, CONST.units)
            inside = (row[:, None] < CONST.batch) & (column[None, :] < CONST.inputs)
            values = tl.load(x + number[:, None] * CONST.inputs + column[None, :], mask=inside, other=0.0)
            tl.store(out + row[:, None] * CONST.inputs + column[None, :], values, mask=inside)
    tl.debug_barrier()


@triton.jit
def softmax(logits, y, order, CONST: tl.constexpr):
    """Replace logits (B, C) by δ/B = (softmax − onehot)/B; return how many of the logits are not finite."""
    lost = tl.zeros((), tl.int32)
    column = tl.arange(0, CONST.outputs)
    for top in range(0, CONST.batch, CONST.examples):
        row = top + tl.arange(0, CONST.examples)
        label = tl.load(y + tl.load(order + row, mask=row < CONST.batch, other=0))
        inside = (row[:, None] < CONST.batch) & (column[None, :] < CONST.classes)
        place = logits + row[:, None] * CONST.classes + column[None, :]
        z = tl.load(place, mask=inside, other=0.0)
        lost += tl.sum(tl.where(tl.abs(z) < float("inf"), 0, 1))
        z = tl.where(column[None, :] < CONST.classes, z, float("-inf"))
        e = tl.exp(z - tl.max(z, axis=1)[:, None])
        share = e / tl.sum(e, axis=1)[:, None]
        tl.store(place, (share - tl.where(column[None, :] == label[:, None], 1.0, 0.0)) / CONST.batch, mask=inside)
    tl.debug_barrier()
    return lost


@triton.jit
def moments(values, COUNT: tl.constexpr):
    """Return sum and sum of squares of values, in float64."""
    total, squares = tl.zeros((), tl.float64), tl.zeros((), tl.float64)
    for start in range(0, COUNT, 1024):
        i = start + tl.arange(0, 1024)
        part = tl.load(values + i, mask=i < COUNT, other=0.0).to(tl.float64)
        total += tl.sum(part)
        squares += tl.sum(part * part)
    return total, squares


@triton.jit
def trace_signal(h, WIDTH: tl.constexpr, row, CONST: tl.constexpr):
    """Store mean and mean square of a layer's outputs h (B, WIDTH), the first two of the four numbers of `TRACE`."""
    COUNT: tl.constexpr = CONST.batch * WIDTH
    total, squares = moments(h, COUNT)
    tl.store(row, total / COUNT)
    tl.store(row + 1, squares / COUNT)
    tl.debug_barrier()


@triton.jit
def trace_gradient(delta, squares, FAN_IN: tl.constexpr, FAN_OUT: tl.constexpr, row, CONST: tl.constexpr):
    """Store the mean squares of δ, of single examples, and of the gradient, the last two of the four numbers."""
    _, of_delta = moments(delta, CONST.batch * FAN_OUT)
    tl.store(row + 2, of_delta * CONST.batch / FAN_OUT)
    tl.store(row + 3, squares / ((FAN_IN + 1) * FAN_OUT))
    tl.debug_barrier()


@triton.jit
def forward_pass(network, scratch, trace, CONST: tl.constexpr):
    """Compute every layer's outputs from the mini-batch."""
    h, logits = scratch + CONST.hidden, scratch + CONST.deltas
    forward(scratch, network, h, CONST.inputs, CONST.width, CONST.phi, CONST.units, CONST)
    for i in range(1, CONST.depth):
        layer = network + CONST.first + (i - 1) * CONST.following
        forward(h, layer, h + CONST.signal, CONST.width, CONST.width, CONST.phi, CONST.units, CONST)
        h += CONST.signal
    forward(h, network + CONST.last, logits, CONST.width, CONST.classes, "identity", CONST.outputs, CONST)
    if CONST.traced:
        for i in range(CONST.depth):
            trace_signal(scratch + CONST.hidden + i * CONST.signal, CONST.width, trace + 4 * i, CONST)
        trace_signal(logits, CONST.classes, trace + 4 * CONST.depth, CONST)


@triton.jit
def backward_pass(network, scratch, factors, trace, CONST: tl.constexpr):
    """Back-propagate from δ/B of the output layer, which is stored in place of the logits, and update every layer.

    δ of a layer is computed from the weights before their update, in one of two alternating buffers.
    """
    h, delta = scratch + CONST.hidden + (CONST.depth - 1) * CONST.signal, scratch + CONST.deltas
    layer = network + CONST.last
    backward(delta, layer, h, delta + CONST.delta, CONST.width, CONST.classes, CONST)
    squares = update(h, delta, layer, factors, CONST.width, CONST.classes, CONST.outputs, CONST)
    if CONST.traced:
        trace_gradient(delta, squares, CONST.width, CONST.classes, trace + 4 * CONST.depth, CONST)
    for above in range(1, CONST.depth):
        layer -= CONST.following
        h -= CONST.signal
        own, below = delta + above % 2 * CONST.delta, delta + (above + 1) % 2 * CONST.delta
        backward(own, layer, h, below, CONST.width, CONST.width, CONST)
        squares = update(h, own, layer, factors, CONST.width, CONST.width, CONST.units, CONST)
        if CONST.traced:
            trace_gradient(own, squares, CONST.width, CONST.width, trace + 4 * (CONST.depth - above), CONST)
    own = delta + CONST.depth % 2 * CONST.delta
    squares = update(scratch, own, network, factors, CONST.inputs, CONST.width, CONST.units, CONST)
    if CONST.traced:
        trace_gradient(own, squares, CONST.inputs, CONST.width, trace, CONST)


@triton.jit(do_not_specialize=["steps"], do_not_specialize_on_alignment=["x", "y", "order"])
def train_networks(parameters, scratch, x, y, order, factors, trace, done, steps, CONST: tl.constexpr):
    """Train the network with the index of the program.

    Args:
        parameters: (1 + states, K, size), of all networks, then the states that the optimizer keeps for each.
        scratch: (K, room), working memory of a step.
        x: inputs (N, D).
        y: labels (N,), int64.
        order: indices of the examples of each mini-batch, (steps, K, B) int64.
        factors: (steps, K, 3); see `step`.
        trace: (K, steps, layers, 4) float64, if steps are traced.
        done: (K,) int32; receives the first step whose logits are not finite. The network is not updated from there on.
        steps: number of steps.
    """
    k, networks = tl.program_id(0).to(tl.int64), tl.num_programs(0)
    network, own = parameters + k * CONST.size, scratch + k * CONST.room
    t, stop = 0, steps
    while t < stop:
        at = t * networks + k
        batch, row = order + at * CONST.batch, trace + (k * steps + t) * 4 * (CONST.depth + 1)
        gather(x, batch, own, CONST)
        forward_pass(network, own, row, CONST)
        if softmax(own + CONST.deltas, y, batch, CONST) > 0:
            tl.store(done + k, t)
            stop = t
        else:
            backward_pass(network, own, factors + at * 3, row, CONST)
            t += 1
