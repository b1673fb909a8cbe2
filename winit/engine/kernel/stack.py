"""The fused CPU engine: one network at a time through all its steps, in the core's own cache.

`winit.engine.kernel.loop` goes over steps and layers and calls the machine code of the networks' shape. Activations are
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

import numpy as np
import torch
from torch import Tensor

from winit.engine.engine import TRACE, Advance, Engine, NetworkSpec
from winit.engine.kernel.emit import WIDEST, host_lanes, padded
from winit.engine.kernel.epilogues import FACTORS
from winit.engine.kernel.loop import Buffers, Network, predict, train_network
from winit.engine.kernel.shape import EPILOGUE, STATE, compile_shape, obstacle
from winit.engine.optimizers import ADAM_BETAS, ADAM_EPSILON, Optimizer


def _zeros(*shape: int) -> np.ndarray:
    """Return float32 zeros on a 64-byte boundary, which torch guarantees and numpy does not."""
    return torch.zeros(shape).numpy()


def optimizer_factors(optimizer: Optimizer, rates: np.ndarray, steps_done: int) -> np.ndarray:
    """Return what the kernel reads at each step: room for WIDEST partial sums, then the epilogue's `FACTORS`.

    Args:
        optimizer: the rule and its options.
        rates: η of each step, (steps,) float64.
        steps_done: steps before these.

    Returns:
        (steps, WIDEST + n) float32.
    """
    epilogue, decay = EPILOGUE[optimizer.name], optimizer.weight_decay
    columns: list[np.ndarray | float]
    if epilogue == "sgd":
        columns = [-rates, decay]
    elif epilogue == "momentum":
        nesterov = optimizer.name == "nesterov"
        columns = [-rates, decay, optimizer.momentum, optimizer.momentum if nesterov else 1, float(nesterov)]
    else:
        beta1, beta2 = ADAM_BETAS
        t = steps_done + 1 + np.arange(len(rates))
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


class KernelStack(Engine):
    """K networks trained by the kernel, one after the other.

    Parameters lie in rows padded to whole vectors, the biases in the last one; `weights` and `biases` are views of them.

    Args:
        weights, biases, spec, seeds: as for `Engine`.
        lanes: float32 elements of a vector; by default those of this machine's widest.

    Raises:
        ValueError: the kernel cannot train such networks.
    """

    name = "kernel"

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], spec: NetworkSpec, seeds: Sequence[int] = (),
        lanes: int | None = None,
    ) -> None:  # fmt: skip
        if reason := obstacle(spec):
            raise ValueError(f"the kernel cannot train these networks: {reason}; the torch engine can")
        self._optimizer, self._batch_size, self._steps_done = spec.optimizer, spec.batch_size, 0
        self._arrays = []  # (K, fan_in + 1, fan_out padded), by layer
        for w, b in zip(weights, biases, strict=True):
            networks, fan_in, fan_out = w.shape
            array = _zeros(networks, fan_in + 1, padded(fan_out))
            array[:, :fan_in, :fan_out], array[:, fan_in:, :fan_out] = w, b
            self._arrays.append(array)
        self._fan_outs = [w.shape[2] for w in weights]
        epilogue = EPILOGUE[spec.optimizer.name]
        self._state = [[_zeros(*a.shape) for a in self._arrays] for _ in range(STATE[epilogue])]
        super().__init__(*self._views(), spec, seeds)

        (_, inputs, width), classes = weights[0].shape, weights[-1].shape[2]
        self._shape = inputs, width, classes, spec.batch_size, str(spec.activation), epilogue, lanes or host_lanes()
        examples = padded(spec.batch_size)
        self._x = _zeros(padded(inputs + 1), examples)
        self._h = _zeros(len(weights) - 1, width + 1, examples)
        self._h[:, width] = 1  # what the bias is multiplied with
        self._deltas = _zeros(2, padded(width), examples)
        self._transposed = _zeros(examples, padded(max(width, classes)))
        self._buffers = Buffers(
            inputs=_addresses([self._x, *self._h]),
            logits=_zeros(padded(classes), examples),
            deltas=_addresses(list(self._deltas)),
            transposed=self._transposed.ctypes.data,
            sums=_zeros(2 * WIDEST),
        )

    def _views(self) -> tuple[list[Tensor], list[Tensor]]:
        """Return weights and biases, as views of the arrays."""
        views = [torch.from_numpy(a)[:, :, :n] for a, n in zip(self._arrays, self._fan_outs, strict=True)]
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

    def _padded(self, order: np.ndarray) -> np.ndarray:
        """Return rows of example numbers (…, B), padded to whole vectors by repeating the first."""
        padding = padded(self._batch_size) - order.shape[1]
        return np.concatenate([order, np.repeat(order[:, :1], padding, axis=1)], axis=1)

    def _network(self, k: int) -> Network:
        """Return the addresses of one network's parameters and state."""
        parameters = _addresses([array[k] for array in self._arrays])
        state = [_addresses([array[k] for array in arrays]) for arrays in self._state] or [np.zeros_like(parameters)]
        return Network(parameters, state[0], state[-1])

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool = False) -> Advance:
        count, layers = len(order), len(self.weights)
        code = compile_shape(*self._shape, traced)
        trace = np.full((self.size, count, layers if traced else 0, len(TRACE)), np.nan)
        diverged = {}
        for k in range(self.size):
            batches = order[:, k].numpy()  # (steps, B)
            factors = optimizer_factors(self._optimizer, rates[:, k].double().numpy(), self._steps_done)
            done = train_network(
                code, self._network(k), self._buffers, x.data_ptr(), y.numpy(), self._padded(batches), factors, trace[k]
            )
            if done < count:
                inputs = x[batches[done], : self.weights[0].shape[1]]
                diverged[k] = done, self.first_non_finite_layer(k, inputs)
        self._steps_done += count
        return Advance(diverged, torch.from_numpy(trace) if traced else None)

    def predict(self, x: Tensor) -> Tensor:
        code = compile_shape(*self._shape, False)
        logits = np.empty((self.size, len(x), code.classes), np.float32)
        numbers = np.arange(-(-len(x) // code.batch) * code.batch).reshape(-1, code.batch)
        numbers[numbers >= len(x)] = 0
        for k in range(self.size):
            predict(code, self._network(k).parameters, self._buffers, x.data_ptr(), self._padded(numbers), logits[k])
        return torch.from_numpy(logits)


def _addresses(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Return where matrices lie in memory, (len,) int64."""
    return np.array([matrix.ctypes.data for matrix in matrices], np.int64)
