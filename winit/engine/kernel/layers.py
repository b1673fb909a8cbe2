"""Layers that learn individually, trained by the kernel: autoencoders and restricted Boltzmann machines.

Networks are trained one at a time, as in `winit.engine.kernel.stack`. With noise they take turns of a few steps, because
networks with the same seed see the same noise, which is drawn only once. It comes from the same streams as in the torch
engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from winit.engine.corruption import NoiseStream
from winit.engine.engine import Advance, NetworkSpec
from winit.engine.kernel.emit import WIDEST, host_lanes, padded
from winit.engine.kernel.layer_loops import (
    LayerBuffers,
    LayerData,
    MatrixAddresses,
    train_free,
    train_machine,
    train_tied,
)
from winit.engine.kernel.layer_shapes import free_autoencoder, machine, tied_autoencoder
from winit.engine.kernel.memory import zeros
from winit.engine.kernel.shape import EPILOGUE
from winit.engine.kernel.stack import KernelStack, optimizer_factors
from winit.engine.objectives import Reconstruction
from winit.engine.optimizers import STATES

TURN = 16  # steps
ACTIVATION = {
    "binary": "sigmoid",
    "gaussian": "identity",
    "linear": "identity",
}  # maps the input of units to their mean

Stream = TypeVar("Stream")


class _Matrices:
    """One parameter matrix for each of K networks, in rows of whole vectors, with the state of its optimizer.

    Args:
        networks, rows, columns: of the matrices.
        states: number of values that the optimizer keeps for each parameter.
    """

    def __init__(self, networks: int, rows: int, columns: int, states: int) -> None:
        self.arrays = [zeros(networks, rows, padded(columns)) for _ in range(1 + states)]
        self.values = torch.from_numpy(self.arrays[0])

    def of(self, network: int) -> MatrixAddresses:
        """Return the addresses of one network's parameters and state."""
        values, *states = (array[network].ctypes.data for array in self.arrays)
        first, second, *_ = *states, 0, 0
        return MatrixAddresses(values, first, second)


class _Joint(_Matrices):
    """P = [W, c; b, 0] of each of K networks, with one matrix for both directions.

    Args:
        weights: W (K, D, n).
        visible_biases: c (K, 1, D).
        hidden_biases: b (K, 1, n).
        states: number of values that the optimizer keeps for each parameter.

    Attributes:
        views: W, c and b in the matrices.
    """

    def __init__(self, weights: Tensor, visible_biases: Tensor, hidden_biases: Tensor, states: int) -> None:
        networks, inputs, units = weights.shape
        super().__init__(networks, inputs + 1, units + 1, states)
        p = self.values
        self.views = p[:, :inputs, :units], p[:, :inputs, units : units + 1].mT, p[:, inputs:, :units]
        for ours, given in zip(self.views, (weights, visible_biases, hidden_biases), strict=True):
            ours.copy_(given)


def _pair_buffers(
    inputs: int, units: int, batch: int, has_copy: bool = False, is_machine: bool = False
) -> LayerBuffers:
    """Return buffers for layers with one matrix for both directions.

    Args:
        inputs, units, batch: D, n and B.
        has_copy: whether clean inputs are stored separately from the encoded inputs.
        is_machine: whether they are Boltzmann machines, whose second half also has biases.
    """
    rows, row, examples = padded(inputs + 1), padded(units + 1), padded(batch)
    left, clean = zeros(2, rows, 2 * examples)
    hidden, below, sample = zeros(3, row, examples)
    hidden[units] = sample[units] = 1  # factor of the visible biases
    if is_machine:
        left[inputs, examples:], below[units] = 1, -1
    right, share = zeros(2 * examples, row), np.full(1, 1 / batch, np.float32)
    return LayerBuffers(clean if has_copy else left, left, right, hidden, below, sample, share)


class _Layers(ABC, Generic[Stream]):
    """K layers of n units on D inputs, trained one network at a time.

    Args:
        inputs, units, batch: D, n and the size of a mini-batch.
        seeds: of each network's noise.
        streams: of noise, by seed; empty without noise.
    """

    prepare = staticmethod(KernelStack.prepare)

    def __init__(self, inputs: int, units: int, batch: int, seeds: Sequence[int], streams: dict[int, Stream]) -> None:
        self._inputs, self._units, self._batch = inputs, units, batch
        self._seeds, self._streams = list(seeds), streams

    @abstractmethod
    def _train(self, network: int, data: LayerData) -> None:
        """Take one network's next steps."""

    @abstractmethod
    def _noise(self, stream: Stream, steps: int) -> np.ndarray:
        """Draw the noise of the next steps in the form that the loop needs."""

    def _take_steps(self, x: Tensor, order: Tensor, factors: Sequence[np.ndarray]) -> None:
        """Take one step for each row of `order` (steps, K, B), with factors (steps, …) for every network."""
        steps, padding = len(order), padded(self._batch) - self._batch
        numbers = torch.cat([order, order[:, :, :1].expand(-1, -1, padding)], dim=2)
        batches = numbers.transpose(0, 1).contiguous().numpy()  # (K, steps, B padded)
        turn = TURN if self._streams else steps
        for start in range(0, steps, turn):
            part = slice(start, min(start + turn, steps))
            noise = {seed: self._noise(stream, part.stop - start) for seed, stream in self._streams.items()}
            for k, own in enumerate(factors):
                seen = noise[self._seeds[k]] if noise else zeros(steps, 1, 1)
                self._train(k, LayerData(x.data_ptr(), batches[k, part], seen, own[part]))


class _Autoencoders(_Layers[NoiseStream]):
    """K autoencoders: the common part of those with and without a separate decoder.

    Args:
        inputs, units: D and n.
        spec: their common properties; the objective is a `Reconstruction`.
        seeds: of each network's stream, for corruption.
        lanes: float32 elements of a vector; by default those of this machine's widest.

    Attributes:
        weights, biases: W and V, b and c, as views of the parameters.
    """

    weights: list[Tensor]
    biases: list[Tensor]

    def __init__(self, inputs: int, units: int, spec: NetworkSpec, seeds: Sequence[int], lanes: int | None) -> None:
        assert isinstance(spec.objective, Reconstruction)
        corruption = spec.corruption
        assert seeds or not corruption, "the machine code of corruption needs seeds for its noise"
        streams = {seed: NoiseStream(corruption, seed) for seed in seeds} if corruption else {}
        super().__init__(inputs, units, spec.batch_size, seeds, streams)
        self._optimizer, self._corruption, self._steps_done = spec.optimizer, corruption, 0
        self._shape = (
            inputs, units, spec.batch_size, str(spec.activation), spec.objective.training_loss,
            corruption.kind if corruption else None, EPILOGUE[spec.optimizer.name], lanes or host_lanes(),
        )  # fmt: skip

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor) -> Advance:
        """Take one step for each row of `order`; the arguments are those of `Engine.advance`, but y is ignored.

        Networks that diverge continue until their parameters are NaN.
        """
        factors = optimizer_factors(self._optimizer, rates.double().numpy(), self._steps_done)
        self._take_steps(x, order, list(factors))
        self._steps_done += len(order)
        return Advance({})

    def _noise(self, stream: NoiseStream, steps: int) -> np.ndarray:
        """Return noise (steps, B padded, row) in rows as from `prepare`; the column of ones is not corrupted."""
        assert self._corruption
        D, B = self._inputs, self._batch
        noise = zeros(steps, padded(B), padded(D + 1))
        if self._corruption.kind == "masking":
            noise[:, :, D] = 1
        noise[:, :B, :D] = stream.take(steps, (B, D)).numpy()
        noise[:, B:] = noise[:, :1]  # like the inputs: the padding repeats the first example
        return noise


class KernelTiedAutoencoder(_Autoencoders):
    """K autoencoders with one hidden layer and tied weights: x → φ(xW + b) → hWᵀ + c.

    Args:
        weights: W (K, D, n).
        biases: b (K, 1, n).
        visible_biases: c (K, 1, D).
        spec, seeds, lanes: as for `KernelFreeAutoencoder`.
    """

    def __init__(
        self, weights: Tensor, biases: Tensor, visible_biases: Tensor, spec: NetworkSpec, seeds: Sequence[int] = (),
        lanes: int | None = None,
    ) -> None:  # fmt: skip
        _, inputs, units = weights.shape
        super().__init__(inputs, units, spec, seeds, lanes)
        self._joint = _Joint(weights, visible_biases, biases, STATES[spec.optimizer.name])
        w, c, b = self._joint.views
        self.weights, self.biases = [w, w.mT], [b, c]
        self._code = tied_autoencoder(*self._shape)
        self._buffers = _pair_buffers(inputs, units, spec.batch_size, bool(self._corruption))

    def _train(self, network: int, data: LayerData) -> None:
        train_tied(self._code, self._joint.of(network), data, self._buffers)


class KernelFreeAutoencoder(_Autoencoders):
    """K autoencoders with one hidden layer and a separate decoder: x → φ(xW + b) → hV + c.

    Args:
        weights: W (K, D, n) and V (K, n, D).
        biases: b (K, 1, n) and c (K, 1, D).
        spec: their common properties; the objective is a `Reconstruction`.
        seeds: of each network's stream, for corruption.
        lanes: float32 elements of a vector; by default those of this machine's widest.
    """

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], spec: NetworkSpec, seeds: Sequence[int] = (),
        lanes: int | None = None,
    ) -> None:  # fmt: skip
        networks, inputs, units = weights[0].shape
        super().__init__(inputs, units, spec, seeds, lanes)
        states = STATES[spec.optimizer.name]
        self._encoder = _Matrices(networks, inputs + 1, units, states)
        self._decoder = _Matrices(networks, units + 1, inputs, states)
        both = self._encoder.values[:, :, :units], self._decoder.values[:, :, :inputs]
        self.weights, self.biases = [p[:, :-1] for p in both], [p[:, -1:] for p in both]
        for ours, given in zip([*self.weights, *self.biases], [*weights, *biases], strict=True):
            ours.copy_(given)
        self._code = free_autoencoder(*self._shape)
        rows, examples = padded(inputs + 1), padded(spec.batch_size)
        x, clean = zeros(2, rows, examples)
        hidden = zeros(padded(units + 1), examples)
        hidden[units] = 1  # factor of the bias
        self._buffers = LayerBuffers(
            clean if self._corruption else x, x, zeros(examples, max(rows, len(hidden))), hidden, zeros(*hidden.shape),
            zeros(padded(inputs), examples), np.full(1, 1 / spec.batch_size, np.float32),
        )  # fmt: skip

    def _train(self, network: int, data: LayerData) -> None:
        train_free(self._code, self._encoder.of(network), self._decoder.of(network), data, self._buffers)


class KernelRBM(_Layers[np.random.Generator]):
    """K restricted Boltzmann machines of one shape; see `winit.engine.rbm`.

    Args:
        weights: W (K, V, H).
        visible_biases: b (K, 1, V).
        hidden_biases: c (K, 1, H).
        seeds: of the random stream of each machine. Machines with the same seed see the same noise.
        visible: `binary` or `gaussian`.
        hidden: `binary` or `linear`.
        batch: B, examples in a mini-batch.
        lanes: float32 elements of a vector; by default those of this machine's widest.

    Attributes:
        weights, visible_biases, hidden_biases: views of the parameters.
    """

    def __init__(
        self, weights: Tensor, visible_biases: Tensor, hidden_biases: Tensor, seeds: Sequence[int], visible: str,
        hidden: str, batch: int, lanes: int | None = None,
    ) -> None:  # fmt: skip
        _, inputs, units = weights.shape
        super().__init__(inputs, units, batch, seeds, {seed: np.random.default_rng(seed) for seed in seeds})
        self._joint = _Joint(weights, visible_biases, hidden_biases, states=1)
        self.weights, self.visible_biases, self.hidden_biases = self._joint.views
        self._hidden, self._gibbs_steps = hidden, 1
        self._weight_cost = zeros(inputs + 1, padded(units + 1))
        self._code = machine(inputs, units, batch, ACTIVATION[visible], ACTIVATION[hidden], lanes or host_lanes())
        self._buffers = _pair_buffers(inputs, units, batch, is_machine=True)

    def advance(
        self, x: Tensor, order: Tensor, rate: float, momenta: Tensor, weight_cost: float = 0.0002, gibbs_steps: int = 1
    ) -> None:
        """Take one step of contrastive divergence for each row of `order`; the arguments are those of `RBM.advance`."""
        factors = np.zeros((len(order), WIDEST + 3), np.float32)
        factors[:, WIDEST:] = rate, 0, 1 / self._batch
        factors[:, WIDEST + 1] = momenta
        self._weight_cost[: self._inputs, : self._units] = weight_cost  # biases have no weight cost
        self._gibbs_steps = gibbs_steps
        self._take_steps(x, order, [factors] * len(self.weights))

    def _train(self, network: int, data: LayerData) -> None:
        train_machine(self._code, self._joint.of(network), self._weight_cost.ctypes.data, data, self._buffers)

    def _noise(self, stream: np.random.Generator, steps: int) -> np.ndarray:
        """Return the random numbers for sampling hidden units, (steps, k, n, B padded)."""
        draw = stream.random if self._hidden == "binary" else stream.standard_normal
        noise = zeros(steps, self._gibbs_steps, self._units, padded(self._batch))
        drawn = draw((steps, self._gibbs_steps, self._batch, self._units), dtype=np.float32)
        noise[..., : self._batch] = drawn.swapaxes(2, 3)
        return noise
