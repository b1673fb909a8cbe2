"""The fused CPU engine: it trains one network at a time through all steps, in the cache of the core.

`winit.engine.kernel.loop` goes over steps and layers and calls the machine code of the networks' shape. Activations are
feature-major, (units, examples), with the examples padded to whole vectors, so that a tile of the forward product
broadcasts a weight and multiplies a vector of examples. The activation, its derivative and the optimizer's update are in
the epilogues of the products, so that results are not written and read again. The gradient of the weights needs one
transpose of δ per layer. The biases are the last row of a layer's parameters, and the inputs of every layer end with a row
of ones.

For a layer with parameters P = [W; b] (fan_in + 1, fan_out), inputs h = [h; 1] and a mini-batch of B:

    forward   h' = φ(Pᵀh)                         rows: units,      vectors: examples, inner: fan_in + 1
    backward  δ = (W δ') φ′(h)                    rows: fan_in,     vectors: examples, inner: fan_out
    update    P ← optimizer(P, h δ'ᵀ)             rows: fan_in + 1, vectors: units,    inner: B

Networks with batch normalization or dropout have separate code: products compute Pᵀh and W δ', and passes over the rows of a
layer do the rest (`winit.engine.kernel.rows`). In evaluation, batch normalization is folded into the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from winit.engine.engine import TRACE, Advance, Engine, NetworkSpec
from winit.engine.kernel.emit import WIDEST, host_lanes, padded
from winit.engine.kernel.epilogues import FACTORS
from winit.engine.kernel.loop import Buffers, Network, evaluate, predict, train_networks
from winit.engine.kernel.memory import addresses, chosen, rows, zeros
from winit.engine.kernel.regularization import Masks, Norms
from winit.engine.kernel.rows import HiddenLayer
from winit.engine.kernel.shape import EPILOGUE, compile_shape, obstacle
from winit.engine.objectives import Evaluation
from winit.engine.optimizers import ADAM_BETAS, ADAM_EPSILON, STATES, Optimizer
from winit.engine.regularization import Dropout


def optimizer_factors(optimizer: Optimizer, rates: np.ndarray, steps_done: int) -> np.ndarray:
    """Return the numbers that the kernel reads at each step: space for WIDEST partial sums, then the epilogue's `FACTORS`.

    Args:
        optimizer: the rule and its options.
        rates: η of each step and network, (steps, K) float64.
        steps_done: steps before these.

    Returns:
        (K, steps, WIDEST + n) float32.
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
        t = steps_done + 1 + np.arange(len(rates))[:, None]
        decoupled = optimizer.name == "adamw"
        columns = [
            -rates / (1 - beta1**t), 0 if decoupled else decay, 1 - beta1, beta2, 1 - beta2,
            1 / np.sqrt(1 - beta2**t), ADAM_EPSILON, 1 - rates * decay if decoupled else 1,
        ]  # fmt: skip
    assert len(columns) == len(FACTORS[epilogue])
    factors = np.zeros((rates.shape[1], len(rates), WIDEST + len(columns)), np.float32)
    for i, column in enumerate(columns):
        factors[:, :, WIDEST + i] = np.transpose(column)
    return factors


class KernelStack(Engine):
    """K networks trained by the kernel, one at a time.

    Parameters are stored in rows padded to whole vectors, with the biases in the last row. `weights` and `biases` are views.

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
            array = zeros(networks, fan_in + 1, padded(fan_out))
            array[:, :fan_in, :fan_out], array[:, fan_in:, :fan_out] = w, b
            self._arrays.append(array)
        self._fan_outs = [w.shape[2] for w in weights]
        epilogue, states = EPILOGUE[spec.optimizer.name], STATES[spec.optimizer.name]
        self._state = [[zeros(*a.shape) for a in self._arrays] for _ in range(states)]
        super().__init__(weights, biases, spec, seeds)
        (networks, inputs, width), classes, hidden = weights[0].shape, weights[-1].shape[2], len(weights) - 1
        self._norms = Norms(networks, hidden, width if spec.batch_norm else 0, states)
        dropout = Dropout(spec.dropout, seeds) if spec.dropout else None
        self._masks = Masks(dropout, hidden, width, spec.batch_size)
        self._set_views()

        layer = HiddenLayer(width, spec.batch_size, str(spec.activation), spec.batch_norm, spec.dropout)
        self._shape = inputs, layer, classes, epilogue, lanes or host_lanes()
        self._allocate(inputs, hidden, layer, classes)
        self._blocks: dict[tuple[Tensor, ...], np.ndarray] = {}  # of the evaluated examples

    def _allocate(self, inputs: int, hidden: int, layer: HiddenLayer, classes: int) -> None:
        """Allocate the buffers of a step."""
        width, examples = layer.width, layer.examples
        self._x = zeros(padded(inputs + 1), examples)
        self._h = zeros(hidden, width + 1, examples)
        self._h[:, width] = 1  # factor of the bias
        self._outputs = zeros(hidden, width, examples) if layer.dropout else self._h
        self._normalized = zeros(hidden, width, examples) if layer.batch_norm else self._outputs
        self._statistics = zeros(hidden, 4, padded(width))
        self._partial = zeros(2, padded(width), WIDEST)
        self._deltas = zeros(2, padded(width), examples)
        self._transposed = zeros(examples, padded(max(width, classes)))
        self._buffers = Buffers(
            inputs=addresses([self._x, *self._h]),
            outputs=addresses(self._outputs),
            normalized=addresses(self._normalized),
            statistics=addresses(self._statistics),
            partial=self._partial.ctypes.data,
            logits=zeros(padded(classes), examples),
            deltas=addresses(self._deltas),
            transposed=self._transposed.ctypes.data,
            sums=zeros(2 * WIDEST),
        )

    def _set_views(self) -> None:
        """Make weights, biases and norms views of the arrays."""
        views = [torch.from_numpy(a)[:, :, :n] for a, n in zip(self._arrays, self._fan_outs, strict=True)]
        self.weights, self.biases = [v[:, :-1] for v in views], [v[:, -1:] for v in views]
        self.norms = self._norms.views()
        self._locate()

    def _locate(self) -> None:
        """Store the addresses of every network's parameters and state."""

        def with_state(arrays: Sequence[np.ndarray], kinds: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
            own = [rows(kind) for kind in (arrays, *kinds)]
            return [own[0], own[min(1, len(kinds))], own[-1]]  # unused states are not read

        located = *with_state(self._arrays, self._state), *with_state(self._norms.arrays, self._norms.state)
        self._parameters = located[0]
        self._networks = Network(*located)

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Return inputs (N, D) in the form that `advance` needs: followed by a column of ones, then zeros up to whole vectors."""
        rows = torch.zeros(len(x), padded(x.shape[1] + 1))
        rows[:, : x.shape[1]], rows[:, x.shape[1]] = x, 1
        return rows

    def keep(self, networks: Tensor) -> None:
        self._arrays = chosen(self._arrays, networks)
        self._state = [chosen(arrays, networks) for arrays in self._state]
        self._masks.keep(networks)
        self._norms.keep(networks)
        self._set_views()

    def _padded(self, order: Tensor) -> np.ndarray:
        """Return example numbers (steps, K or 1, B) by network, (K or 1, steps, B padded): the padding repeats the first."""
        padding = padded(self._batch_size) - self._batch_size
        return torch.cat([order, order[:, :, :1].expand(-1, -1, padding)], dim=2).transpose(0, 1).contiguous().numpy()

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool = False) -> Advance:
        count, layers = len(order), len(self.weights) if traced else 0
        code, labels, done = compile_shape(*self._shape, traced), y.numpy(), np.zeros(self.size, np.int64)
        traces = []
        for steps, masks, streams in self._masks.parts(count, self.size):
            length = steps.stop - steps.start
            factors = optimizer_factors(self._optimizer, rates[steps].double().numpy(), self._steps_done)
            trace = np.full((self.size, length, layers, len(TRACE)), np.nan)
            train_networks(
                code, self._networks, self._buffers, x.data_ptr(), labels, self._padded(order[steps]), masks, streams,
                factors, trace, steps.start, done,
            )  # fmt: skip
            traces.append(trace)
            self._steps_done += length
        diverged = dict[int, tuple[int, int]]()
        for k in np.flatnonzero(done < count).tolist():
            batch = order[done[k], k if order.shape[1] > 1 else 0]
            inputs = x[batch, : self.weights[0].shape[1]]
            diverged[k] = int(done[k]), self.first_non_finite_layer(k, inputs)
        return Advance(diverged, torch.from_numpy(np.concatenate(traces, axis=1)) if traced else None)

    def predict(self, x: Tensor) -> Tensor:
        code = compile_shape(*self._shape, False)
        logits = np.empty((self.size, len(x), code.classes), np.float32)
        arrays = self._norms.folded(self._arrays)
        predict(code, self._places(arrays), self._buffers, self._in_blocks(x), logits)
        return torch.from_numpy(logits)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return self.evaluate(x, y).loss

    def evaluate(self, x: Tensor, y: Tensor) -> Evaluation:
        return self.evaluate_parts([(x, y)])[0]

    def evaluate_parts(self, parts: Sequence[tuple[Tensor, Tensor]]) -> list[Evaluation]:
        # As one sequence of examples, so that only the last block is padded.
        code = compile_shape(*self._shape, False)
        measured = np.empty((self.size, len(parts), 2))
        blocks, labels = self._in_blocks(*(x for x, _ in parts)), np.concatenate([y.numpy() for _, y in parts])
        ends = np.cumsum([len(y) for _, y in parts])
        arrays = self._norms.folded(self._arrays)
        evaluate(code, self._places(arrays), self._buffers, blocks, labels, ends, measured)
        return [Evaluation(*part) for part in torch.from_numpy(measured).float().permute(1, 2, 0).contiguous()]

    def _places(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Return the addresses of every network's parameters, or of copies with batch normalization folded in."""
        return self._parameters if arrays is self._arrays else rows(arrays)

    def _in_blocks(self, *parts: Tensor) -> np.ndarray:
        """Return inputs in the form that the first layer needs, (groups, units, B padded), cached, so they must not change."""
        if parts not in self._blocks:
            x, size = torch.cat(parts), padded(self._batch_size)
            full = torch.nn.functional.pad(x, (0, 0, 0, -len(x) % size))
            self._blocks[parts] = full.unflatten(0, (-1, size)).mT.contiguous().numpy()
        return self._blocks[parts]
