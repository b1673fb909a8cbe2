"""The fused CPU engine: one network at a time through all its steps, in the core's own cache.

numba drives the loop; `winit.vector` supplies the register tiles. Activations are feature-major, (units, examples), with
the examples padded to whole vectors, so that a tile of the forward product broadcasts a weight and multiplies a vector
of examples. Bias, activation, its derivative and the optimizer's update sit in the epilogues of the products: nothing
is written to be read again. One transpose of δ a layer feeds the weights' gradient. Padding is zero and stays zero.

For a layer with weights W (fan_in, fan_out), inputs h and a mini-batch of B:

    forward   z = Wᵀh + b, h' = φ(z)              rows: units,  vectors: examples, inner: fan_in
    backward  δ = (W δ') φ′(h)                    rows: fan_in, vectors: examples, inner: fan_out
    update    W ← optimizer(W, h δ'ᵀ)             rows: fan_in, vectors: units,    inner: B
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numba import njit
from torch import Tensor

from winit import vector
from winit.network import ADAM_BETAS, Networks
from winit.vector import PHI, TILE_ROWS, host_lanes, padded, softmax, tile, transpose

STATE = {"sgd": 0, "momentum": 1, "adam": 2}  # arrays that an optimizer keeps for each parameter


def supports(activation: str, optimizer: str) -> bool:
    """Return whether the kernel has vector code for both."""
    return activation in PHI and optimizer in STATE


def _even_split(total: int, most: int) -> tuple[int, int, int]:
    """Split a total into as few and as even parts of at most `most` as can be: size, how many of it, how many one larger."""
    parts = -(-total // most)
    size, larger = divmod(total, parts)
    return size, parts - larger, larger


@cache
def product(rows: int, columns: int, lanes: int, epilogue: str):
    """Return a compiled product of any inner length with `rows` rows and `columns` columns, made of register tiles.

    Its arguments are those of `vector.tile`, with `e_row` and `e_col` after the extra addresses: the strides by which
    these advance with the result's rows and columns.
    """
    limits = TILE_ROWS[lanes]
    width, narrow, wide = _even_split(padded(columns) // lanes, max(limits))

    def strip(vectors: int):
        """Return the product for one strip of columns, `vectors` wide."""
        height, low, high = _even_split(rows, limits[vectors])
        short = tile(height, vectors, lanes, epilogue)
        tall = tile(height + 1, vectors, lanes, epilogue) if high else short

        @njit(nogil=True)
        def run(a, a_row, a_k, b, b_k, k, c, c_row, e0, e1, e_row, e_col, j, f0, f1, f2, f3):
            row = 0
            for _ in range(low):
                at, extra = 4 * (row * c_row + j), 4 * (row * e_row + j * e_col)
                short(
                    a + 4 * row * a_row,
                    a_row,
                    a_k,
                    b + 4 * j,
                    b_k,
                    k,
                    c + at,
                    c_row,
                    e0 + extra,
                    e1 + extra,
                    f0,
                    f1,
                    f2,
                    f3,
                )
                row += height
            for _ in range(high):
                at, extra = 4 * (row * c_row + j), 4 * (row * e_row + j * e_col)
                tall(
                    a + 4 * row * a_row,
                    a_row,
                    a_k,
                    b + 4 * j,
                    b_k,
                    k,
                    c + at,
                    c_row,
                    e0 + extra,
                    e1 + extra,
                    f0,
                    f1,
                    f2,
                    f3,
                )
                row += height + 1

        return run

    first = strip(width)
    second = strip(width + 1) if wide else first

    @njit(nogil=True)
    def run(a, a_row, a_k, b, b_k, k, c, c_row, e0, e1, e_row, e_col, f0, f1, f2, f3):
        j = 0
        for _ in range(narrow):
            first(a, a_row, a_k, b, b_k, k, c, c_row, e0, e1, e_row, e_col, j, f0, f1, f2, f3)
            j += width * lanes
        for _ in range(wide):
            second(a, a_row, a_k, b, b_k, k, c, c_row, e0, e1, e_row, e_col, j, f0, f1, f2, f3)
            j += (width + 1) * lanes

    return run


@cache
def compile_shape(inputs: int, width: int, classes: int, batch: int, activation: str, optimizer: str, lanes: int):
    """Return the compiled loop over steps, and the prediction, for one shape; depth, rates and steps are arguments."""
    examples, units, outputs = padded(batch), padded(width), padded(classes)
    forward = product(width, batch, lanes, f"forward {activation}")
    forward_output = product(classes, batch, lanes, "forward identity")
    backward = product(width, batch, lanes, f"backward {activation}")
    update_first = product(inputs, width, lanes, optimizer)
    update_hidden = product(width, width, lanes, optimizer)
    update_output = product(width, classes, lanes, optimizer)
    update_bias = product(1, width, lanes, optimizer)
    update_output_bias = product(1, classes, lanes, optimizer)
    block, normalise = transpose(lanes), softmax(lanes)

    @njit(nogil=True)
    def transposed(source, rows, columns, target, stride, addresses):
        for r in range(0, rows, lanes):
            for i in range(lanes):
                addresses[i] = source + 4 * (r + i) * columns
            for c in range(0, columns, lanes):
                block(addresses.ctypes.data, c, target + 4 * (c * stride + r), stride)

    @njit(nogil=True)
    def gather(x, x_row, chosen, count, xt, addresses):
        """Fetch `count` examples, transposing on the way; the padding repeats the first."""
        for g in range(0, examples, lanes):
            for i in range(lanes):
                addresses[i] = x + 4 * chosen[g + i if g + i < count else 0] * x_row
            for c in range(0, x_row, lanes):
                block(addresses.ctypes.data, c, xt + 4 * (c * examples + g), examples)

    @njit(nogil=True)
    def forward_pass(w, b, xt, h, z):
        """Compute the activations h of every hidden layer, and the logits z."""
        depth, none = len(h), np.float32(0)
        forward(w[0], 1, units, xt, examples, inputs, h[0], examples, b[0], 0, 1, 0, none, none, none, none)
        for i in range(1, depth):
            forward(w[i], 1, units, h[i - 1], examples, width, h[i], examples, b[i], 0, 1, 0, none, none, none, none)
        top, out = h[depth - 1], w[depth]
        forward_output(out, 1, outputs, top, examples, width, z, examples, b[depth], 0, 1, 0, none, none, none, none)

    @njit(nogil=True)
    def predict(w, b, x, x_row, numbers, logits, h, xt, z, addresses):
        """Fill the logits (N, C) of one network for the examples with these numbers (N,)."""
        for start in range(0, len(numbers), batch):
            count = min(batch, len(numbers) - start)
            gather(x, x_row, numbers[start:], count, xt.ctypes.data, addresses)
            forward_pass(w, b, xt.ctypes.data, h, z.ctypes.data)
            for i in range(count):
                for c in range(classes):
                    logits[start + i, c] = z[c, i]

    @njit(nogil=True, error_model="numpy")
    def steps(w, b, m, mb, v, vb, x, x_row, y, order, factors, h, xt, z, d, dt, ones, addresses):
        """Train one network. w, b: addresses of its parameters by layer; m, mb and v, vb: of the optimizer's state.

        Returns the first step whose logits are not finite, before its update; or the number of steps.
        """
        depth, none, share = len(h), np.float32(0), np.float32(1) / np.float32(batch)
        top, z_at, xt_at, dt_at = h[depth - 1], z.ctypes.data, xt.ctypes.data, dt.ctypes.data
        one = ones.ctypes.data
        for t in range(order.shape[0]):
            f0, f1, f2, f3 = factors[t, 0], factors[t, 1], factors[t, 2], factors[t, 3]
            gather(x, x_row, order[t], batch, xt_at, addresses)
            forward_pass(w, b, xt_at, h, z_at)
            check = none
            for c in range(classes):
                for i in range(batch):
                    check += z[c, i] * none
            if check != check:
                return t

            for i in range(0, examples, lanes):
                normalise(z_at + 4 * i, examples, classes, share)
            for i in range(batch):
                z[y[order[t, i]], i] -= share
            transposed(z_at, outputs, examples, dt_at, outputs, addresses)
            # δ below must see the weights before their update.
            out, bias = w[depth], b[depth]
            backward(
                out, outputs, 1, z_at, examples, classes, d[0], examples, top, 0, examples, 1, none, none, none, none
            )
            update_output(
                top, examples, 1, dt_at, outputs, batch, out, outputs, m[depth], v[depth], outputs, 1, f0, f1, f2, f3
            )
            update_output_bias(
                one, 0, 1, dt_at, outputs, batch, bias, outputs, mb[depth], vb[depth], outputs, 1, f0, f1, f2, f3
            )
            now, below = d[0], d[1]
            for i in range(depth - 1, -1, -1):
                transposed(now, units, examples, dt_at, units, addresses)
                if i:
                    under = h[i - 1]
                    backward(
                        w[i],
                        units,
                        1,
                        now,
                        examples,
                        width,
                        below,
                        examples,
                        under,
                        0,
                        examples,
                        1,
                        none,
                        none,
                        none,
                        none,
                    )
                    update_hidden(
                        under, examples, 1, dt_at, units, batch, w[i], units, m[i], v[i], units, 1, f0, f1, f2, f3
                    )
                else:
                    update_first(
                        xt_at, examples, 1, dt_at, units, batch, w[0], units, m[0], v[0], units, 1, f0, f1, f2, f3
                    )
                update_bias(one, 0, 1, dt_at, units, batch, b[i], units, mb[i], vb[i], units, 1, f0, f1, f2, f3)
                now, below = below, now
        return order.shape[0]

    return steps, predict


def _zeros(*shape: int) -> np.ndarray:
    """Return float32 zeros on a 64-byte boundary, which torch guarantees and numpy does not."""
    return torch.zeros(shape).numpy()


def _aligned(array: np.ndarray) -> np.ndarray:
    """Return a copy on a 64-byte boundary."""
    copy = _zeros(*array.shape)
    copy[:] = array
    return copy


class KernelStack(Networks):
    """K networks trained by the kernel, one after the other. See `network.Networks` for the interface.

    Parameters lie in rows padded to whole vectors; `weights` and `biases` are views of them without the padding.
    """

    engine = "kernel"

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], activation: str, optimizer: str, learning_rate: Tensor,
        batch_size: int, momentum: float = 0.9, lanes: int | None = None,
    ) -> None:  # fmt: skip
        self.optimizer, self.batch_size, self.momentum, self.steps_done = optimizer, batch_size, momentum, 0
        self.learning_rate = learning_rate.flatten().double().numpy()
        tensors = [p for pair in zip(weights, biases, strict=True) for p in pair]
        self._outs = [p.shape[2] for p in tensors]
        self._arrays = []
        for p in tensors:
            array = _zeros(p.shape[0], p.shape[1], padded(p.shape[2]))
            array[:, :, : p.shape[2]] = p
            self._arrays.append(array)
        self._state = [[_zeros(*a.shape) for a in self._arrays] for _ in range(STATE[optimizer])]
        super().__init__(*self._views(), activation)

        inputs, width = weights[0].shape[1:]
        classes, examples = weights[-1].shape[2], padded(batch_size)
        shape = inputs, width, classes, batch_size, activation, optimizer, lanes or host_lanes()
        self._steps, self._predict = compile_shape(*shape)
        self._h = _zeros(len(weights) - 1, padded(width), examples)
        self._x, self._z = _zeros(padded(inputs), examples), _zeros(padded(classes), examples)
        self._d, self._dt = _zeros(2, padded(width), examples), _zeros(examples, padded(max(width, classes)))
        self._ones = _zeros(examples) + 1
        self._addresses = np.zeros(vector.PAD, np.int64)

    def _views(self) -> tuple[list[Tensor], list[Tensor]]:
        views = [torch.from_numpy(a)[:, :, :n] for a, n in zip(self._arrays, self._outs, strict=True)]
        return views[0::2], views[1::2]

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Return inputs (N, D) as `advance` wants them: rows padded with zeros to whole vectors."""
        rows = torch.zeros(len(x), padded(x.shape[1]))
        rows[:, : x.shape[1]] = x
        return rows

    def keep(self, networks: Tensor) -> None:
        chosen = networks.numpy()
        self._arrays = [_aligned(a[chosen]) for a in self._arrays]
        self._state = [[_aligned(a[chosen]) for a in kind] for kind in self._state]
        self.learning_rate = self.learning_rate[chosen]
        self.weights, self.biases = self._views()

    def _factors(self, network: int, steps: int) -> np.ndarray:
        """Return the four numbers (steps, 4) that the optimizer's epilogue reads at each step."""
        rate = self.learning_rate[network]
        factors = np.zeros((steps, 4))
        factors[:, 0] = -rate
        if self.optimizer == "momentum":
            factors[:, 1] = self.momentum
        elif self.optimizer == "adam":
            beta1, beta2 = ADAM_BETAS
            t = self.steps_done + 1 + np.arange(steps)
            factors[:, 0] = -rate / (1 - beta1**t)
            factors[:, 1] = 1 / np.sqrt(1 - beta2**t)
            factors[:, 2:] = ADAM_BETAS
        return factors.astype(np.float32)

    def _at(self, arrays: list[np.ndarray], network: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the addresses of one network's weights, and of its biases, by layer."""
        addresses = np.array([a.ctypes.data + network * a.strides[0] for a in arrays], np.int64)
        return addresses[0::2].copy(), addresses[1::2].copy()

    @property
    def _hidden(self) -> np.ndarray:
        return self._h.ctypes.data + np.arange(len(self._h)) * self._h.strides[0]

    def advance(self, x: Tensor, y: Tensor, order: Tensor) -> dict[int, tuple[int, int]]:
        deltas = self._d.ctypes.data + np.arange(2) * self._d.strides[0]
        diverged = {}
        for k in range(self.size):
            w, b = self._at(self._arrays, k)
            state = [self._at(arrays, k) for arrays in self._state] or [(np.zeros_like(w), np.zeros_like(b))]
            batches = order[:, k].contiguous().numpy()
            done = self._steps(
                w, b, *state[0], *state[-1], x.data_ptr(), x.shape[1], y.numpy(), batches, self._factors(k, len(batches)),
                self._hidden, self._x, self._z, deltas, self._dt, self._ones, self._addresses,
            )  # fmt: skip
            if done < len(batches):
                inputs = x[batches[done], : self.weights[0].shape[1]]
                diverged[k] = done, self.first_non_finite_layer(k, inputs)
        self.steps_done += len(order)
        return diverged

    def predict(self, x: Tensor) -> Tensor:
        logits = np.empty((self.size, len(x), self.weights[-1].shape[2]), np.float32)
        numbers = np.arange(len(x))
        for k in range(self.size):
            w, b = self._at(self._arrays, k)
            self._predict(
                w, b, x.data_ptr(), x.shape[1], numbers, logits[k], self._hidden, self._x, self._z, self._addresses
            )
        return torch.from_numpy(logits)
