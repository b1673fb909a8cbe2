"""A stack of K multilayer perceptrons of one shape, trained as one batched computation.

Shapes. Layer l has weights (K, fan_in, fan_out) and biases (K, 1, fan_out); hidden activations are (K, B, width) and
logits (K, C, B), class-major, because a softmax over a short last dimension is slow. Every operation treats the K
networks independently: a network's numbers do not depend on how many others are in the stack, nor on its place in it
(on one thread, with every matrix aligned: see `winit.memory`).

The training step allocates nothing and records no graph. The gradient of the loss is scaled once by the factor that the
optimizer asks for (−learning_rate/B for SGD), so that W += Hᵀδ *is* the SGD update: one product, no gradient array.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from winit.activations import ACTIVATIONS
from winit.memory import align, aligned

ADAM_BETAS = (0.9, 0.999)  # Kingma & Ba 2015, §2
ADAM_EPSILON = 1e-8


def product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return left (K, m, n) times right (K, n, p), plus a bias that broadcasts to it, as an aligned stack (K, m, p)."""
    (_, rows, inner), (networks, _, columns) = left.shape, right.shape
    if networks == 1 and 1 in (rows, inner, columns):  # a lone product with a vector takes another routine than a stack
        return product(left.expand(2, -1, -1), right.expand(2, -1, -1), bias)[:1]
    out = aligned(networks, rows, columns, like=right)
    return torch.bmm(left, right, out=out) if bias is None else torch.baddbmm(bias, left, right, out=out)


class SGD:
    """W ← W − η ∂L/∂W, as one product: the step arrives already scaled by −η/B."""

    def __init__(self, parameters: Sequence[Tensor], learning_rate: Tensor) -> None:
        self.learning_rate = learning_rate  # (K, 1, 1)

    def scale(self, batch_size: int) -> Tensor:
        """Return the factor (K, 1, 1) for the summed gradient that `update` expects."""
        return -self.learning_rate / batch_size

    def begin_step(self) -> None:
        """Prepare for the updates of one step."""

    def update(self, index: int, parameter: Tensor, left: Tensor, right: Tensor) -> None:
        """Update one parameter (K, m, n), whose scaled gradient is left (K, m, B) times right (K, B, n)."""
        parameter.baddbmm_(left, right)

    def keep(self, networks: Tensor) -> None:
        """Drop the state of all networks but these."""
        self.learning_rate = self.learning_rate[networks]


class Momentum(SGD):
    """V ← μV − η ∂L/∂W; W ← W + V (Polyak's heavy ball; at a constant rate the same as torch.optim.SGD)."""

    def __init__(self, parameters: Sequence[Tensor], learning_rate: Tensor, momentum: float) -> None:
        super().__init__(parameters, learning_rate)
        self.momentum = momentum
        self.velocity = [aligned(*p.shape, like=p).zero_() for p in parameters]

    def update(self, index: int, parameter: Tensor, left: Tensor, right: Tensor) -> None:
        velocity = self.velocity[index]
        velocity.baddbmm_(left, right, beta=self.momentum)
        parameter.add_(velocity)

    def keep(self, networks: Tensor) -> None:
        super().keep(networks)
        self.velocity = [align(v[networks]) for v in self.velocity]


class Adam(SGD):
    """Adam with bias correction (Kingma & Ba 2015, algorithm 1), elementwise so that bits do not depend on the stack."""

    def __init__(self, parameters: Sequence[Tensor], learning_rate: Tensor) -> None:
        super().__init__(parameters, learning_rate)
        self.gradient = [aligned(*p.shape, like=p) for p in parameters]
        self.mean = [aligned(*p.shape, like=p).zero_() for p in parameters]
        self.square = [aligned(*p.shape, like=p).zero_() for p in parameters]
        self.step = 0

    def scale(self, batch_size: int) -> Tensor:
        return torch.full_like(self.learning_rate, 1 / batch_size)

    def begin_step(self) -> None:
        self.step += 1

    def update(self, index: int, parameter: Tensor, left: Tensor, right: Tensor) -> None:
        beta1, beta2 = ADAM_BETAS
        gradient, mean, square = self.gradient[index], self.mean[index], self.square[index]
        torch.bmm(left, right, out=gradient)
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        # The gradient's buffer is free now: it takes the denominator, then the step.
        torch.sqrt(square, out=gradient)
        gradient.div_((1 - beta2**self.step) ** 0.5).add_(ADAM_EPSILON)
        torch.div(mean, gradient, out=gradient)
        parameter.addcmul_(gradient, self.learning_rate, value=-1 / (1 - beta1**self.step))

    def keep(self, networks: Tensor) -> None:
        super().keep(networks)
        self.gradient = [align(g[networks]) for g in self.gradient]
        self.mean = [align(m[networks]) for m in self.mean]
        self.square = [align(s[networks]) for s in self.square]


def make_optimizer(name: str, parameters: Sequence[Tensor], learning_rate: Tensor, momentum: float) -> SGD:
    """Return the optimizer of that name for stacked parameters (K, m, n) and rates (K, 1, 1)."""
    if name == "sgd":
        return SGD(parameters, learning_rate)
    if name == "momentum":
        return Momentum(parameters, learning_rate, momentum)
    if name == "adam":
        return Adam(parameters, learning_rate)
    raise ValueError(f"unknown optimizer '{name}'; choose from sgd, momentum, adam")


class Networks:
    """K networks of one shape: what every engine that trains them has in common.

    Args:
        weights: one tensor (K, fan_in, fan_out) a layer, the output layer last.
        biases: one tensor (K, 1, fan_out) a layer.
        activation: φ of the hidden layers, by name.

    An engine adds `prepare`, `advance` and `keep`.
    """

    engine: str  # its name, as the tables have it

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor], activation: str) -> None:
        self.weights, self.biases = list(weights), list(biases)
        self.activation = ACTIVATIONS[activation]

    @property
    def size(self) -> int:
        """K, the number of networks."""
        return self.weights[0].shape[0]

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Return inputs (N, D) in the form that `advance` and `predict` want."""
        return x

    def advance(self, x: Tensor, y: Tensor, order: Tensor) -> dict[int, tuple[int, int]]:
        """Take one step for each row of `order`.

        Args:
            x: all training inputs, as `prepare` made them.
            y: their labels (N,).
            order: indices (steps, K, B) of the mini-batches.

        Returns:
            For each network whose logits became non-finite: the step, from 0, in whose forward pass they did, and the
            first layer, from 1, with a non-finite pre-activation. The parameters of such a network are of no use.
        """
        raise NotImplementedError

    def keep(self, networks: Tensor) -> None:
        """Drop all networks but these (a tensor of indices); the others go on with the same bits."""
        raise NotImplementedError

    def predict(self, x: Tensor) -> Tensor:
        """Return the logits (K, N, C) of the same examples, inputs (N, D) as `prepare` made them, for every network."""
        h = x.expand(self.size, -1, -1)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = product(h, weight, bias)
            self.activation.apply_(h)
        return product(h, self.weights[-1], self.biases[-1])

    def first_non_finite_layer(self, network: int, x: Tensor) -> int:
        """Return the first layer (from 1) at which one network's pre-activation of x (B, D) is not finite.

        Returns the output layer where all are finite: another engine's rounding met the overflow there.
        """
        h = x
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            z = torch.addmm(bias[network], h, weight[network])
            if not torch.isfinite(z).all():
                return layer
            h = self.activation.phi(z)
        return len(self.weights)


class Stack(Networks):
    """K networks, trained together by batched products: on any device, with any activation.

    Args:
        weights, biases, activation: as for `Networks`.
        optimizer: sgd, momentum or adam.
        learning_rate: (K,).
        batch_size: B, examples in a mini-batch.
        momentum: of the optimizer of that name.
    """

    engine = "torch"

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], activation: str, optimizer: str, learning_rate: Tensor,
        batch_size: int, momentum: float = 0.9,
    ) -> None:  # fmt: skip
        super().__init__([align(w) for w in weights], [align(b) for b in biases], activation)
        self.batch_size = batch_size
        self._allocate()
        self.optimizer = make_optimizer(optimizer, self.parameters, learning_rate.reshape(-1, 1, 1), momentum)

    @property
    def parameters(self) -> list[Tensor]:
        """Weights and biases, layer by layer: the order in which `backward` numbers them for the optimizer."""
        return [p for pair in zip(self.weights, self.biases, strict=True) for p in pair]

    def _allocate(self) -> None:
        K, B, first = self.size, self.batch_size, self.weights[0]
        widths = [w.shape[2] for w in self.weights]
        self._h = [aligned(K, B, n, like=first) for n in widths[:-1]]
        self._logits = aligned(K, widths[-1], B, like=first)
        # Two buffers a width, because δ of layer l is computed from δ of layer l + 1.
        pair = {n: [aligned(K, B, n, like=first) for _ in range(2)] for n in set(widths[:-1])}
        self._delta = [pair[n][i % 2] for i, n in enumerate(widths[:-1])]
        self._ones = aligned(K, 1, B, like=first).fill_(1)

    def keep(self, networks: Tensor) -> None:
        self.weights = [align(w[networks]) for w in self.weights]
        self.biases = [align(b[networks]) for b in self.biases]
        self._allocate()
        self.optimizer.keep(networks)

    def advance(self, x: Tensor, y: Tensor, order: Tensor) -> dict[int, tuple[int, int]]:
        diverged: dict[int, tuple[int, int]] = {}
        for step, batch in enumerate(order):
            inputs = align(x[batch])
            finite = (self.forward(inputs) * 0).sum(dim=(1, 2)) == 0  # the sum itself might overflow
            if not finite.all():
                for k in torch.nonzero(~finite).flatten().tolist():
                    if k not in diverged:
                        diverged[k] = step, self.first_non_finite_layer(k, inputs[k])
            self.backward(inputs, y[batch])
        return diverged

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (K, C, B) of a mini-batch x (K, B, D), aligned; keep the activations for `backward`."""
        h = x
        for weight, bias, out in zip(self.weights[:-1], self.biases[:-1], self._h, strict=True):
            torch.baddbmm(bias, h, weight, out=out)
            self.activation.apply_(out)
            h = out
        torch.baddbmm(self.biases[-1].mT, self.weights[-1].mT, h.mT, out=self._logits)
        return self._logits

    def backward(self, x: Tensor, y: Tensor) -> None:
        """Finish the step that `forward(x)` began: back-propagate the mean softmax cross-entropy and update.

            L = −(1/B) Σ_b log softmax(z_b)[y_b],   ∂L/∂z = (softmax(z) − onehot(y)) / B

        Args:
            x: the inputs (K, B, D) given to `forward`.
            y: labels (K, B), int64.
        """
        scale = self.optimizer.scale(self.batch_size)
        error = torch.softmax(self._logits, dim=1, out=self._logits).mul_(scale)
        error.scatter_add_(1, y.unsqueeze(1), (-scale).expand(-1, 1, self.batch_size))
        delta = error.mT  # (K, B, C)
        self.optimizer.begin_step()
        for layer in range(len(self.weights) - 1, -1, -1):
            below = self._h[layer - 1] if layer else x
            if layer:  # δ below must see the weights before their update
                torch.bmm(delta, self.weights[layer].mT, out=self._delta[layer - 1])
                self.activation.chain_(self._delta[layer - 1], below)
            self.optimizer.update(2 * layer, self.weights[layer], below.mT, delta)
            self.optimizer.update(2 * layer + 1, self.biases[layer], self._ones, delta)
            if layer:
                delta = self._delta[layer - 1]
