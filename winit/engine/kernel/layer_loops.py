"""Training loops of individual layers, compiled by numba: autoencoders and Boltzmann machines.

As in `winit.engine.kernel.loop`, matrices are float32 and given by their addresses (int64), and activations are
feature-major. numba's cached code depends on the order of the fields of these tuples, so they are defined in this file.

Tied autoencoders and machines have one matrix P = [W, c; b, 0] with the biases of both sides. A step adds one product of two
concatenated halves: the visible side `left` (D + 1, 2B) and the hidden side `right` (2B, n + 1), with the examples of each
half padded to whole vectors.

    tied autoencoder   left = [x, δ_out; 1, 0]     right = [δ, 0; h, 1]ᵀ      gradient = left · right
    machine            left = [v, v′; 1, 1]        right = [h, 1; −h′, −1]ᵀ   contrast = left · right
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from winit.engine.kernel.emit import WIDEST
from winit.engine.kernel.loop import call, compile_loop

Array = np.ndarray  # shape and type are at the end of the line


class TiedCode(NamedTuple):
    """Addresses of the machine code of tied autoencoders of one shape, and their mini-batch."""

    batch: int
    gather: int
    encode: int
    decode: int
    back: int
    transpose: int
    update: int


class FreeCode(NamedTuple):
    """Addresses of the machine code of autoencoders of one shape with a separate decoder."""

    gather: int
    encode: int
    decode: int
    transpose_output: int
    back: int
    transpose_hidden: int
    update: int


class MachineCode(NamedTuple):
    """Addresses of the machine code of Boltzmann machines of one shape, and their mini-batch."""

    batch: int
    gather: int
    sample: int
    reconstruct: int
    mean: int
    transpose: int
    update: int


class MatrixAddresses(NamedTuple):
    """Addresses of one matrix of parameters and of its optimizer's state, as in `loop.Network`."""

    values: int
    first_moment: int
    second_moment: int


class LayerData(NamedTuple):
    """The data of some steps of a layer.

    Attributes:
        x: address of the inputs, from `prepare`.
        order: indices of the examples of each mini-batch; the padding repeats one.
        noise: of each step. For corruption it has rows like x; for machines k samples, feature-major.
        factors: of each step: space for partial sums, then the numbers that the optimizer's epilogue reads.
    """

    x: int
    order: Array  # (steps, B padded) int64
    noise: Array  # (steps, …) float32
    factors: Array  # (steps, WIDEST + n) float32


class LayerBuffers(NamedTuple):
    """Buffers for the results of a step, shared by all networks of a stack."""

    clean: Array  # the targets, in the layout of `left`
    left: Array  # (D + 1 padded, 2 · B padded); of free autoencoders the inputs (D + 1 padded, B padded)
    right: Array  # (2 · B padded, n + 1 padded); of free autoencoders transposed δ
    hidden: Array  # (n + 1 padded, B padded)
    below: Array  # (n + 1 padded, B padded): δ of the hidden units, or of machines −h′
    extra: Array  # of machines the sample (n + 1 padded, B padded); of free autoencoders δ of the outputs
    share: Array  # (1,): 1/B


@compile_loop
def train_tied(code: TiedCode, p: MatrixAddresses, data: LayerData, buffers: LayerBuffers) -> None:
    """Train one autoencoder whose decoder is its transposed encoder: x → φ(Wᵀx + b) → Wh + c."""
    left, right, rows = buffers.left.ctypes.data, buffers.right.ctypes.data, buffers.hidden.shape[1]
    output, lower = left + 4 * rows, right + 4 * rows * buffers.right.shape[1]  # the second halves
    hidden, below, share = buffers.hidden.ctypes.data, buffers.below.ctypes.data, buffers.share.ctypes.data
    clean = buffers.clean.ctypes.data
    for t in range(data.order.shape[0]):
        f = data.factors[t].ctypes.data + 4 * WIDEST
        noise, numbers = data.noise[t].ctypes.data, data.order[t].ctypes.data
        call(code.gather, data.x, numbers, clean, noise, left, 0, 0, 0)
        call(code.encode, p.values, left, hidden, 0, 0, 0, 0, 0)
        call(code.decode, p.values, hidden, output, clean, share, 0, 0, 0)
        call(code.back, p.values, output, below, hidden, 0, 0, 0, 0)
        call(code.transpose, below, right, 0, 0, 0, 0, 0, 0)
        call(code.transpose, hidden, lower, 0, 0, 0, 0, 0, 0)
        buffers.right[code.batch : rows] = 0
        call(code.update, left, right, p.values, p.first_moment, p.second_moment, f, 0, 0)


@compile_loop
def train_free(
    code: FreeCode, encoder: MatrixAddresses, decoder: MatrixAddresses, data: LayerData, buffers: LayerBuffers
) -> None:
    """Train one autoencoder with a separate decoder: x → φ(Wᵀx + b) → Vᵀh + c."""
    inputs, transposed, output = buffers.left.ctypes.data, buffers.right.ctypes.data, buffers.extra.ctypes.data
    hidden, below, share = buffers.hidden.ctypes.data, buffers.below.ctypes.data, buffers.share.ctypes.data
    clean = buffers.clean.ctypes.data
    v, v1, v2 = decoder.values, decoder.first_moment, decoder.second_moment
    for t in range(data.order.shape[0]):
        f = data.factors[t].ctypes.data + 4 * WIDEST
        noise, numbers = data.noise[t].ctypes.data, data.order[t].ctypes.data
        call(code.gather, data.x, numbers, clean, noise, inputs, 0, 0, 0)
        call(code.encode, encoder.values, inputs, hidden, 0, 0, 0, 0, 0)
        call(code.decode, v, hidden, output, clean, share, 0, 0, 0)
        call(code.transpose_output, output, transposed, 0, 0, 0, 0, 0, 0)
        call(code.back, v, output, below, hidden, transposed, v1, v2, f)
        call(code.transpose_hidden, below, transposed, 0, 0, 0, 0, 0, 0)
        call(code.update, inputs, transposed, encoder.values, encoder.first_moment, encoder.second_moment, f, 0, 0)


@compile_loop
def train_machine(
    code: MachineCode, p: MatrixAddresses, weight_cost: int, data: LayerData, buffers: LayerBuffers
) -> None:
    """Train one restricted Boltzmann machine by contrastive divergence, CD-k.

    Args:
        code: the machine code for its shape.
        p: its parameters, and their velocity.
        weight_cost: address of λ of every parameter, in the layout of the parameters.
        data: the data, with noise (steps, k, n, B padded).
        buffers: for the results of a step.
    """
    left, right, rows = buffers.left.ctypes.data, buffers.right.ctypes.data, buffers.hidden.shape[1]
    model, lower = left + 4 * rows, right + 4 * rows * buffers.right.shape[1]  # the second halves
    hidden, below, sample = buffers.hidden.ctypes.data, buffers.below.ctypes.data, buffers.extra.ctypes.data
    for t in range(data.order.shape[0]):
        f = data.factors[t].ctypes.data + 4 * WIDEST
        call(code.gather, data.x, data.order[t].ctypes.data, left, 0, 0, 0, 0, 0)
        call(code.sample, p.values, left, hidden, data.noise[t, 0].ctypes.data, sample, 0, 0, 0)
        call(code.reconstruct, p.values, sample, model, 0, 0, 0, 0, 0)
        for i in range(1, data.noise.shape[1]):
            call(code.sample, p.values, model, below, data.noise[t, i].ctypes.data, sample, 0, 0, 0)
            call(code.reconstruct, p.values, sample, model, 0, 0, 0, 0, 0)
        call(code.mean, p.values, model, below, 0, 0, 0, 0, 0)
        call(code.transpose, hidden, right, 0, 0, 0, 0, 0, 0)
        call(code.transpose, below, lower, 0, 0, 0, 0, 0, 0)
        buffers.right[code.batch : rows] = 0
        call(code.update, left, right, p.values, p.first_moment, weight_cost, f, 0, 0)
