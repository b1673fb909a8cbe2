"""A stack of networks trained by batched products in torch, on any device, with any activation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from winit.engine.alignment import align, aligned, product
from winit.engine.engine import TRACE, Advance, Given, Networks
from winit.engine.optimizers import RULES, Optimizer
from winit.engine.regularization import BatchNorm, Dropout, Normalized, normalize_backward


class Stack(Networks):
    """K networks, trained together by batched products: on any device, with any activation.

    Args:
        weights, biases, activation: as for `Networks`.
        optimizer: the rule and its options.
        batch_size: B, examples in a mini-batch.
        batch_norm: whether the hidden layers are batch-normalized.
        dropout: that of the hidden layers, if any.
    """

    engine = "torch"

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], activation: Given | Sequence[Given],
        optimizer: Optimizer, batch_size: int, batch_norm: bool = False, dropout: Dropout | None = None,
    ) -> None:  # fmt: skip
        super().__init__([align(w) for w in weights], [align(b) for b in biases], activation)
        self.batch_size, self.dropout = batch_size, dropout
        if batch_norm:
            self.norms = [BatchNorm(self.size, w.shape[2], w) for w in self.weights[:-1]]
        self._allocate()
        self.optimizer = RULES[optimizer.name](self.parameters, optimizer)

    @property
    def parameters(self) -> list[Tensor]:
        """Weights and biases, layer by layer, then γ and β: the order in which `backward` numbers them."""
        linear = [p for pair in zip(self.weights, self.biases, strict=True) for p in pair]
        return linear + [p for norm in self.norms for p in (norm.gamma, norm.beta)]

    def _allocate(self) -> None:
        K, B, first = self.size, self.batch_size, self.weights[0]
        widths = [w.shape[2] for w in self.weights]
        self._h = [aligned(K, B, n, like=first) for n in widths[:-1]]
        # What the derivative wants is z or h; what is passed on is h, or what dropout left of it.
        self._z = [
            aligned(*h.shape, like=h) if phi.keeps_input else h
            for h, phi in zip(self._h, self.activations, strict=True)
        ]
        self._passed = [aligned(*h.shape, like=h) if self.dropout else h for h in self._h]
        self._normalized: list[Normalized | None] = [None] * len(self._h)
        self._masks: list[Tensor | None] = [None] * len(self._h)
        self._logits = aligned(K, widths[-1], B, like=first)
        # Two buffers a width, because δ of layer l is computed from δ of layer l + 1.
        pair = {n: [aligned(K, B, n, like=first) for _ in range(2)] for n in set(widths[:-1])}
        self._delta = [pair[n][i % 2] for i, n in enumerate(widths[:-1])]
        self._gradient = [aligned(*p.shape, like=first) for p in self.parameters]
        self._ones = aligned(K, 1, B, like=first).fill_(1)

    def keep(self, networks: Tensor) -> None:
        self.weights = [align(w[networks]) for w in self.weights]
        self.biases = [align(b[networks]) for b in self.biases]
        for part in [*self.norms, *([self.dropout] if self.dropout else []), self.optimizer]:
            part.keep(networks)
        self._allocate()

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool = False) -> Advance:
        diverged: dict[int, tuple[int, int]] = {}
        traces = []
        for step, batch in enumerate(order):
            inputs = self._inputs(x[batch])
            finite = (self.forward(inputs) * 0).sum(dim=(1, 2)) == 0  # the sum itself might overflow
            if not finite.all():
                for k in torch.nonzero(~finite).flatten().tolist():
                    if k not in diverged:
                        diverged[k] = step, self.first_non_finite_layer(k, inputs[k])
            trace = self._trace() if traced else None
            self.backward(inputs, y[batch], rates[step], trace)
            if traced:
                trace[sorted(diverged)] = torch.nan
                traces.append(trace)
        return Advance(diverged, torch.stack(traces, dim=1) if traces else None)

    def _inputs(self, x: Tensor) -> Tensor:
        """Return what the network is given of a mini-batch (K, B, D), aligned."""
        return align(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (K, C, B) of a mini-batch x (K, B, D), aligned; keep what `backward` needs."""
        h = x
        for layer, (weight, bias) in enumerate(zip(self.weights[:-1], self.biases[:-1], strict=True)):
            z, out, passed = self._z[layer], self._h[layer], self._passed[layer]
            product(h, weight, bias, out=z)
            if self.norms:
                self._normalized[layer] = self.norms[layer].train_(z)
            if z is not out:
                out.copy_(z)
            self.activations[layer].apply_(out)
            if self.dropout:
                self._masks[layer] = self.dropout.factors(*out.shape[1:], like=out)
                torch.mul(out, self._masks[layer], out=passed)
            h = passed
        return product(self.weights[-1].mT, h.mT, self.biases[-1].mT, out=self._logits)

    def backward(self, x: Tensor, y: Tensor, rates: Tensor, trace: Tensor | None = None) -> None:
        """Finish the step that `forward(x)` began: back-propagate the mean softmax cross-entropy and update.

            L = −(1/B) Σ_b log softmax(z_b)[y_b],   ∂L/∂z = (softmax(z) − onehot(y)) / B

        Args:
            x: the inputs (K, B, D) given to `forward`.
            y: labels (K, B), int64.
            rates: learning rates (K,).
            trace: where the measurements of δ and of the gradient go, if anywhere; see `Progress`.
        """
        rate, last = rates.reshape(-1, 1, 1), len(self.weights) - 1
        delta = self._error(y).mT  # (K, B, C)
        self.optimizer.begin_step()
        for layer in range(last, -1, -1):
            below = self._passed[layer - 1] if layer else x
            of_weight = product(below.mT, delta, out=self._gradient[2 * layer])
            of_bias = product(self._ones, delta, out=self._gradient[2 * layer + 1])
            if trace is not None:
                count = of_weight[0].numel() + of_bias[0].numel()
                trace[:, layer, 2] = _square(delta) * self.batch_size / delta.shape[2]
                trace[:, layer, 3] = (_square(of_weight) + _square(of_bias)) / count
            following = self._back(layer - 1, delta, rate) if layer else None  # it must see the weights of before
            self.optimizer.update(2 * layer, self.weights[layer], of_weight, rate)
            self.optimizer.update(2 * layer + 1, self.biases[layer], of_bias, rate)
            delta = following

    def _error(self, y: Tensor) -> Tensor:
        """Return ∂L/∂z of the output layer (K, C, B), in place of the logits."""
        share = 1 / self.batch_size
        error = torch.softmax(self._logits, dim=1, out=self._logits).mul_(share)
        return error.scatter_add_(1, y.unsqueeze(1), torch.full_like(error[:, :1], -share))

    def _back(self, layer: int, delta: Tensor, rate: Tensor) -> Tensor:
        """Return δ of a hidden layer, given that of the layer above; update γ and β on the way."""
        below = product(delta, self.weights[layer + 1].mT, out=self._delta[layer])
        if self.dropout:
            below.mul_(self._masks[layer])
        self.activations[layer].chain_(below, self._z[layer])
        if self.norms:
            norm, first = self.norms[layer], 2 * len(self.weights) + 2 * layer
            below, *gradients = normalize_backward(below, self._normalized[layer], norm.gamma)
            for index, parameter, gradient in zip((first, first + 1), (norm.gamma, norm.beta), gradients, strict=True):
                self.optimizer.update(index, parameter, self._gradient[index].copy_(gradient), rate)
        return below

    def _trace(self) -> Tensor:
        """Return the measurements (K, layers, 4) of this step, those of the forward pass filled in."""
        outputs = [*self._h, self._logits]
        shape = self.size, len(outputs), len(TRACE)
        trace = torch.full(shape, torch.nan, dtype=torch.float64, device=self._logits.device)
        for layer, h in enumerate(outputs):
            count = h.shape[1] * h.shape[2]
            trace[:, layer, 0] = h.sum(dim=(1, 2)) / count
            trace[:, layer, 1] = _square(h) / count
        return trace


def _square(values: Tensor) -> Tensor:
    """Return the sum of squares (K,) of each network's values (K, m, n)."""
    return torch.linalg.vector_norm(values, dim=(1, 2)).square()
