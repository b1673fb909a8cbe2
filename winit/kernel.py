"""The fused CPU engine: one network at a time through all its steps, in the core's own cache.

numba drives the loop over steps and layers; `winit.tiles` supplies the machine code for one shape. Activations are
feature-major, (units, examples), with the examples padded to whole vectors, so that a tile of the forward product
broadcasts a weight and multiplies a vector of examples. The activation, its derivative and the optimizer's update sit in
the epilogues of the products: nothing is written to be read again. One transpose of δ a layer feeds the weights'
gradient. The biases are the last row of a layer's parameters, and the inputs of every layer end in a row of ones.

For a layer with parameters P = [W; b] (fan_in + 1, fan_out), inputs h = [h; 1] and a mini-batch of B:

    forward   h' = φ(Pᵀh)                         rows: units,      vectors: examples, inner: fan_in + 1
    backward  δ = (W δ') φ′(h)                    rows: fan_in,     vectors: examples, inner: fan_out
    update    P ← optimizer(P, h δ'ᵀ)             rows: fan_in + 1, vectors: units,    inner: B
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic
from torch import Tensor

from winit.network import ADAM_BETAS, ADAM_EPSILON, TRACE, Networks, Optimizer, Progress
from winit.tiles import FACTORS, Product, backward_and_update, gather, moments, product, softmax, transpose
from winit.vector import ARGUMENTS, PHI, WIDEST, host_lanes, padded

EPILOGUE = {"sgd": "sgd", "momentum": "momentum", "nesterov": "momentum", "adam": "adam", "adamw": "adam"}
STATE = {"sgd": 0, "momentum": 1, "adam": 2}  # arrays that an epilogue keeps for each parameter


def supports(activation: str, optimizer: str) -> bool:
    """Return whether the kernel has vector code for both."""
    return activation in PHI and optimizer in EPILOGUE


class Code(NamedTuple):
    """Addresses of the machine code for one shape, which the loop over steps calls, and the sizes that it needs."""

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


def compile_shape(
    inputs: int, width: int, classes: int, batch: int, activation: str, epilogue: str, lanes: int, traced: bool
) -> Code:
    """Return the code for networks of one shape; depth, rates and the number of steps are not part of it.

    Args:
        inputs, width, classes: of every network.
        batch: B, examples in a mini-batch.
        activation: of the hidden layers.
        epilogue: of the updates; see `tiles.FACTORS`.
        lanes: float32 elements of a vector.
        traced: whether the updates add up the squares of the gradient.
    """
    examples, units, outputs = padded(batch), padded(width), padded(classes)

    def forward(fan_in: int, fan_out: int, phi: str) -> int:
        row = padded(fan_out)
        return product(Product(fan_out, batch, fan_in + 1, 1, row, examples, examples, f"forward {phi}"), lanes)

    def update(fan_in: int, fan_out: int) -> Product:
        row = padded(fan_out)
        return Product(fan_in + 1, fan_out, batch, examples, 1, row, row, epilogue)

    def back(fan_out: int) -> int:
        row = padded(fan_out)
        backward = Product(width, batch, fan_out, row, 1, examples, examples, f"backward {activation}")
        return backward_and_update(backward, update(width, fan_out), lanes, traced)

    return Code(
        inputs,
        width,
        classes,
        batch,
        gather(padded(inputs + 1), examples, lanes),
        forward(inputs, width, activation),
        forward(width, width, activation),
        forward(width, classes, "identity"),
        softmax(classes, examples, 1 / batch, lanes),
        transpose(outputs, examples, outputs, lanes),
        transpose(units, examples, units, lanes),
        back(classes),
        back(width),
        product(update(inputs, width), lanes, traced),
        moments(width, batch, examples, lanes),
        moments(classes, batch, examples, lanes),
    )


# --- the loop over steps ------------------------------------------------------------------------------------------


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
def steps(code, p, m, v, h, z, d, dt, x, y, order, factors, partial, trace):
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


# --- the engine ---------------------------------------------------------------------------------------------------


def _zeros(*shape: int) -> np.ndarray:
    """Return float32 zeros on a 64-byte boundary, which torch guarantees and numpy does not."""
    return torch.zeros(shape).numpy()


class KernelStack(Networks):
    """K networks trained by the kernel, one after the other. See `network.Networks` for the interface.

    Parameters lie in rows padded to whole vectors, the biases in the last one; `weights` and `biases` are views of them.
    """

    engine = "kernel"

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], activation: str, optimizer: Optimizer, batch_size: int,
        lanes: int | None = None,
    ) -> None:  # fmt: skip
        self.optimizer, self.batch_size, self.steps_done = optimizer, batch_size, 0
        self._arrays = []
        for w, b in zip(weights, biases, strict=True):
            networks, fan_in, fan_out = w.shape
            array = _zeros(networks, fan_in + 1, padded(fan_out))
            array[:, :fan_in, :fan_out], array[:, fan_in:, :fan_out] = w, b
            self._arrays.append(array)
        self._outs = [w.shape[2] for w in weights]
        epilogue = EPILOGUE[optimizer.name]
        self._state = [[_zeros(*a.shape) for a in self._arrays] for _ in range(STATE[epilogue])]
        super().__init__(*self._views(), activation)

        (_, inputs, width), classes, examples = weights[0].shape, weights[-1].shape[2], padded(batch_size)
        self._shape = inputs, width, classes, batch_size, activation, epilogue, lanes or host_lanes()
        self._x, self._h = _zeros(padded(inputs + 1), examples), _zeros(len(weights) - 1, width + 1, examples)
        self._h[:, width] = 1  # what the bias is multiplied with
        self._z = _zeros(padded(classes), examples)
        self._d, self._dt = _zeros(2, padded(width), examples), _zeros(examples, padded(max(width, classes)))
        self._partial = _zeros(2 * WIDEST)

    def _views(self) -> tuple[list[Tensor], list[Tensor]]:
        views = [torch.from_numpy(a)[:, :, :n] for a, n in zip(self._arrays, self._outs, strict=True)]
        return [v[:, :-1] for v in views], [v[:, -1:] for v in views]

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Return inputs (N, D) as `advance` wants them: a column of ones behind them, then zeros to whole vectors."""
        rows = torch.zeros(len(x), padded(x.shape[1] + 1))
        rows[:, : x.shape[1]], rows[:, x.shape[1]] = x, 1
        return rows

    def keep(self, networks: Tensor) -> None:
        def chosen(array: np.ndarray) -> np.ndarray:
            return torch.from_numpy(array)[networks].numpy()

        self._arrays = [chosen(a) for a in self._arrays]
        self._state = [[chosen(a) for a in kind] for kind in self._state]
        self.weights, self.biases = self._views()

    def _factors(self, rates: np.ndarray) -> np.ndarray:
        """Return room for partial sums and what the optimizer's epilogue reads (steps, WIDEST + n), for rates (steps,)."""
        optimizer, epilogue = self.optimizer, EPILOGUE[self.optimizer.name]
        (beta1, beta2), decay = ADAM_BETAS, optimizer.weight_decay
        if epilogue == "sgd":
            columns = [-rates, decay]
        elif epilogue == "momentum":
            nesterov = optimizer.name == "nesterov"
            columns = [-rates, decay, optimizer.momentum, optimizer.momentum if nesterov else 1, float(nesterov)]
        else:
            t = self.steps_done + 1 + np.arange(len(rates))
            decoupled = optimizer.name == "adamw"
            columns = [
                -rates / (1 - beta1**t), 0 if decoupled else decay, 1 - beta1, beta2, 1 - beta2,
                1 / np.sqrt(1 - beta2**t), ADAM_EPSILON, 1 - rates * decay if decoupled else 1,
            ]  # fmt: skip
        assert len(columns) == len(FACTORS[epilogue])
        factors = np.zeros((len(rates), WIDEST + len(columns)), np.float32)
        for i, column in enumerate(columns):
            factors[:, WIDEST + i] = column
        return factors

    def _numbers(self, order: np.ndarray) -> np.ndarray:
        """Return rows of example numbers (…, B), padded to whole vectors by repeating the first."""
        padding = padded(self.batch_size) - order.shape[1]
        return np.concatenate([order, np.repeat(order[:, :1], padding, axis=1)], axis=1)

    @staticmethod
    def _at(arrays: Sequence[np.ndarray], network: int) -> np.ndarray:
        """Return the addresses of one network's matrices, by layer."""
        return np.array([a.ctypes.data + network * a.strides[0] for a in arrays], np.int64)

    @property
    def _inputs(self) -> np.ndarray:
        """The addresses of every layer's inputs."""
        return np.array([self._x.ctypes.data, *(h.ctypes.data for h in self._h)], np.int64)

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool = False) -> Progress:
        count, layers = len(order), len(self.weights)
        code = compile_shape(*self._shape, traced)
        deltas = self._at([self._d[0][None], self._d[1][None]], 0)
        trace = np.full((self.size, count, layers if traced else 0, len(TRACE)), np.nan)
        diverged = {}
        for k in range(self.size):
            p = self._at(self._arrays, k)
            state = [self._at(arrays, k) for arrays in self._state] or [np.zeros_like(p)]
            batches = order[:, k].numpy()
            done = steps(
                code, p, state[0], state[-1], self._inputs, self._z, deltas, self._dt.ctypes.data, x.data_ptr(), y.numpy(),
                self._numbers(batches), self._factors(rates[:, k].double().numpy()), self._partial, trace[k],
            )  # fmt: skip
            if done < count:
                inputs = x[batches[done], : self.weights[0].shape[1]]
                diverged[k] = done, self.first_non_finite_layer(k, inputs)
        self.steps_done += count
        return Progress(diverged, torch.from_numpy(trace) if traced else None)

    def predict(self, x: Tensor) -> Tensor:
        code = compile_shape(*self._shape, False)
        logits = np.empty((self.size, len(x), code.classes), np.float32)
        numbers = np.arange(-(-len(x) // code.batch) * code.batch).reshape(-1, code.batch)
        numbers[numbers >= len(x)] = 0
        for k in range(self.size):
            p = self._at(self._arrays, k)
            predict(code, p, self._inputs, self._z, x.data_ptr(), self._numbers(numbers), logits[k])
        return torch.from_numpy(logits)
