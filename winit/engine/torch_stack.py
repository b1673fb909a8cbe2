"""A stack of networks trained by batched products in torch, on any device, with any activation."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from winit.engine.alignment import align, aligned, product
from winit.engine.corruption import InputNoise
from winit.engine.engine import TRACE, Advance, Engine, NetworkSpec
from winit.engine.optimizers import RULES
from winit.engine.regularization import BatchNorm, Dropout, Normalized, normalize_backward
from winit.engine.torch_graph import CapturedSteps, as_graph

LOG = logging.getLogger("winit")


class TorchStack(Engine):
    """K networks trained together with batched products, on any device and with any activation.

    Logits are class-major, (K, C, B), because a softmax over a short last dimension is slow. The training step does not use
    autograd and reuses its buffers.

    Args:
        weights, biases, spec, seeds: as for `Engine`.

    Attributes:
        captured_on: kinds of devices on which a step is captured and launched as a whole if possible.
        capture: function that captures a step.
    """

    name = "torch"
    captured_on: ClassVar[tuple[str, ...]] = ("cuda",)
    capture = staticmethod(as_graph)

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], spec: NetworkSpec, seeds: Sequence[int] = ()
    ) -> None:
        super().__init__([align(w) for w in weights], [align(b) for b in biases], spec, seeds)
        self._batch_size = spec.batch_size
        self._dropout = Dropout(spec.dropout, seeds) if spec.dropout else None
        self._noise = InputNoise(spec.corruption, seeds) if spec.corruption else None
        if spec.batch_norm:
            self.norms = [BatchNorm.fresh(self.size, w.shape[2], w) for w in self.weights[:-1]]
        self._allocate()
        self._rule = RULES[spec.optimizer.name](self.parameters, spec.optimizer)

    @property
    def parameters(self) -> list[Tensor]:
        """Weights and biases, layer by layer, then γ and β: the order in which `backward` numbers them."""
        linear = [p for pair in zip(self.weights, self.biases, strict=True) for p in pair]
        return linear + [p for norm in self.norms if norm for p in (norm.gamma, norm.beta)]

    def _allocate(self) -> None:
        K, B, first = self.size, self._batch_size, self.weights[0]
        widths = [w.shape[2] for w in self.weights]
        self._h = [aligned((K, B, n), like=first) for n in widths[:-1]]
        # The derivative needs z or h; the next layer gets h, after dropout if any.
        self._z = [
            aligned(h.shape, like=h) if phi.keeps_input else h for h, phi in zip(self._h, self.activations, strict=True)
        ]
        self._passed = [aligned(h.shape, like=h) if self._dropout else h for h in self._h]
        # Values of each hidden layer from the forward pass that the backward pass needs.
        self._normalized: dict[int, Normalized] = {}
        self._masks: dict[int, Tensor] = {}  # (K, B, width)
        self._logits = aligned((K, widths[-1], B), like=first)
        # Two buffers per width, because δ of layer l is computed from δ of layer l + 1.
        pair = {n: [aligned((K, B, n), like=first) for _ in range(2)] for n in set(widths[:-1])}
        self._delta = [pair[n][i % 2] for i, n in enumerate(widths[:-1])]
        self._gradient = [aligned(p.shape, like=first) for p in self.parameters]
        self._ones = aligned((K, 1, B), like=first).fill_(1)
        self._captured: CapturedSteps | None = None
        # The data of the capture: a graph reads them by address, so they must stay in memory.
        self._captured_data: tuple[Tensor, Tensor] | None = None

    def keep(self, networks: Tensor) -> None:
        self.weights = [align(w[networks]) for w in self.weights]
        self.biases = [align(b[networks]) for b in self.biases]
        for part in (*self.norms, self._dropout, self._noise, self._rule):
            if part:
                part.keep(networks)
        self._allocate()

    @property
    def _state(self) -> list[Tensor]:
        """All tensors that a step changes and the next step reads."""
        moving = [t for norm in self.norms if norm for t in (norm.mean, norm.variance)]
        return [*self.parameters, *moving, *self._rule.tensors]

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool = False) -> Advance:
        order = order.expand(-1, self.size, -1)
        captured = None if traced or not len(order) else self._captured_steps(x, y, order[0], rates[0])
        if captured and captured.take(order, rates):
            return Advance({})
        return self._advance(x, y, order, rates, traced)

    def _captured_steps(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor) -> CapturedSteps | None:
        """Return steps on these data that are launched as a whole, or None if that is impossible.

        With dropout or corruption it is impossible, because they draw random numbers on the host.
        """
        if x.device.type not in self.captured_on or self._dropout or self._noise:
            return None

        def step(batch: Tensor, rate: Tensor) -> Tensor:
            inputs = self._inputs(x[batch])
            finite = _finite(self.forward(inputs))
            self.backward(inputs, y[batch], rate)
            return finite

        held = self._captured_data
        if held is None or (held[0].data_ptr(), held[1].data_ptr()) != (x.data_ptr(), y.data_ptr()):
            self._captured, self._captured_data = None, (x, y)
            try:
                self._captured = CapturedSteps(step, self._state, order, rates, self.capture)
            except RuntimeError as error:
                LOG.warning("torch: steps cannot be captured and are launched operation by operation: %s", error)
        return self._captured

    def _advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool) -> Advance:
        """Advance step by step, and check at each step which networks diverge."""
        diverged: dict[int, tuple[int, int]] = {}
        traces = []
        for step, batch in enumerate(order):
            inputs = self._inputs(x[batch])
            finite = _finite(self.forward(inputs))
            if not finite.all():
                for k in torch.nonzero(~finite).flatten().tolist():
                    if k not in diverged:
                        diverged[k] = step, self.first_non_finite_layer(k, inputs[k])
            trace = self._trace() if traced else None
            self.backward(inputs, y[batch], rates[step], trace)
            if trace is not None:
                trace[sorted(diverged)] = torch.nan
                traces.append(trace)
        return Advance(diverged, torch.stack(traces, dim=1) if traces else None)

    def _inputs(self, x: Tensor) -> Tensor:
        """Return the inputs of the networks for a mini-batch (K, B, D), corrupted if necessary and aligned."""
        return self._noise.corrupted(x) if self._noise else align(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (K, C, B) of a mini-batch x (K, B, D), aligned; keep what `backward` needs."""
        h = x
        for layer, (norm, phi) in enumerate(zip(self.norms, self.activations, strict=True)):
            z, out, passed = self._z[layer], self._h[layer], self._passed[layer]
            product(h, self.weights[layer], self.biases[layer], out=z)
            if norm:
                self._normalized[layer] = norm.train_(z)
            if z is not out:
                out.copy_(z)
            phi.apply_(out)
            if self._dropout:
                mask = self._masks[layer] = self._dropout.factors(out.shape[1], out.shape[2], like=out)
                torch.mul(out, mask, out=passed)
            h = passed
        return product(self.weights[-1].mT, h.mT, self.biases[-1].mT, out=self._logits)

    def backward(self, x: Tensor, y: Tensor, rates: Tensor, trace: Tensor | None = None) -> None:
        """Finish the step that `forward(x)` began: back-propagate the objective's mean loss and update.

        Args:
            x: the inputs (K, B, D) given to `forward`.
            y: the targets of the mini-batch: labels (K, B), int64, or outputs (K, B, C).
            rates: learning rates (K,).
            trace: receives the measurements of δ and of the gradient, if given; see `TRACE`.
        """
        rate, last = rates.reshape(-1, 1, 1), len(self.weights) - 1
        delta = self.objective.gradient_(self._logits, y).mT  # (K, B, C)
        self._rule.begin_step()
        for layer in range(last, -1, -1):
            below = self._passed[layer - 1] if layer else x
            of_weight = product(below.mT, delta, out=self._gradient[2 * layer])
            of_bias = product(self._ones, delta, out=self._gradient[2 * layer + 1])
            if trace is not None:
                count = of_weight[0].numel() + of_bias[0].numel()
                trace[:, layer, 2] = _square(delta) * self._batch_size / delta.shape[2]
                trace[:, layer, 3] = (_square(of_weight) + _square(of_bias)) / count
            below_delta = self._back(layer - 1, delta, rate) if layer else delta  # from the weights before the update
            self._rule.update(2 * layer, self.weights[layer], of_weight, rate)
            self._rule.update(2 * layer + 1, self.biases[layer], of_bias, rate)
            delta = below_delta

    def _back(self, layer: int, delta: Tensor, rate: Tensor) -> Tensor:
        """Return δ of a hidden layer (K, B, width), given δ of the layer above; update γ and β."""
        below = product(delta, self.weights[layer + 1].mT, out=self._delta[layer])
        if self._dropout:
            below.mul_(self._masks[layer])
        self.activations[layer].chain_(below, self._z[layer])
        norm = self.norms[layer]
        if norm:
            first = 2 * len(self.weights) + 2 * layer
            below, *gradients = normalize_backward(below, self._normalized[layer], norm.gamma)
            for index, parameter, gradient in zip((first, first + 1), (norm.gamma, norm.beta), gradients, strict=True):
                self._rule.update(index, parameter, self._gradient[index].copy_(gradient), rate)
        return below

    def _trace(self) -> Tensor:
        """Return the measurements (K, layers, 4) of this step, with those of the forward pass filled in."""
        outputs = [*self._h, self._logits]
        shape = self.size, len(outputs), len(TRACE)
        trace = torch.full(shape, torch.nan, dtype=torch.float64, device=self._logits.device)
        for layer, h in enumerate(outputs):
            count = h.shape[1] * h.shape[2]
            trace[:, layer, 0] = h.sum(dim=(1, 2)) / count
            trace[:, layer, 1] = _square(h) / count
        return trace


def _finite(logits: Tensor) -> Tensor:
    """Return which networks' logits (K, C, B) are all finite, (K,)."""
    return (logits * 0).sum(dim=(1, 2)) == 0  # the sum of the logits themselves might overflow


def _square(values: Tensor) -> Tensor:
    """Return the sum of squares (K,) of each network's values (K, m, n)."""
    return torch.linalg.vector_norm(values, dim=(1, 2)).square()
