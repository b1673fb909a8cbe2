"""A stack of K multilayer perceptrons of one shape, trained as one batched computation.

Shapes. Layer l has weights (K, fan_in, fan_out) and biases (K, 1, fan_out); hidden activations are (K, B, width) and
logits (K, C, B), class-major, because a softmax over a short last dimension is slow. Every operation treats the K
networks independently: a network's numbers do not depend on how many others are in the stack, nor on its place in it
(on one thread, with every matrix aligned: see `winit.memory`).

The training step records no graph, and keeps its buffers from step to step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from winit.activations import Activation, activation_of
from winit.memory import align, aligned
from winit.regularization import BatchNorm, Dropout, Normalized, normalize, normalize_backward

ADAM_BETAS = (0.9, 0.999)  # Kingma & Ba 2015, §2
ADAM_EPSILON = 1e-8

# What a traced step measures in each layer, on its mini-batch: mean and mean square of the outputs (the logits, in the
# last layer), mean square of δ = ∂ℓ/∂z over examples and units, mean square of ∂L/∂(W, b).
TRACE = ("h_mean", "h_square", "delta_square", "gradient_square")


Given = str | Callable[[Tensor], Tensor]  # an activation, by name or as a function


def product(left: Tensor, right: Tensor, bias: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Return left (K, m, n) times right (K, n, p), plus a bias that broadcasts to it, as an aligned stack (K, m, p)."""
    (_, rows, inner), (networks, _, columns) = left.shape, right.shape
    out = aligned(networks, rows, columns, like=right) if out is None else out
    if networks == 1 and 1 in (rows, inner, columns):  # a lone product with a vector takes another routine than a stack
        pair = product(left.expand(2, -1, -1), right.expand(2, -1, -1), bias)
        return out.copy_(pair[:1])
    return torch.bmm(left, right, out=out) if bias is None else torch.baddbmm(bias, left, right, out=out)


# --- optimizers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Optimizer:
    """How parameters follow their gradient g; the rate η comes with every step.

    `name` is one of: sgd, W ← W − ηg; momentum, V ← μV + g, W ← W − ηV (Polyak's heavy ball as torch.optim.SGD has
    it); nesterov, W ← W − η(g + μV); adam (Kingma & Ba 2015, algorithm 1); adamw (Loshchilov & Hutter 2019,
    algorithm 2, as torch.optim.AdamW has it). All parameters decay: g ← g + λW, with adamw W ← (1 − ηλ)W.

    Attributes:
        name: of the rule.
        momentum: μ.
        weight_decay: λ.
    """

    name: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0


class SGD:
    """W ← W − ηg, on stacked parameters (K, m, n)."""

    def __init__(self, parameters: Sequence[Tensor], optimizer: Optimizer) -> None:
        self.options, self.step = optimizer, 0
        self.state: dict[str, list[Tensor]] = {}

    def _remember(self, name: str, parameters: Sequence[Tensor]) -> None:
        self.state[name] = [aligned(*p.shape, like=p).zero_() for p in parameters]

    def begin_step(self) -> None:
        """Prepare for the updates of one step."""
        self.step += 1

    def update(self, index: int, parameter: Tensor, gradient: Tensor, rate: Tensor) -> None:
        """Update one parameter (K, m, n) by its gradient, which is overwritten, at rates (K, 1, 1)."""
        if self.options.weight_decay:
            gradient.add_(parameter, alpha=self.options.weight_decay)
        parameter.addcmul_(self.direction(index, gradient), rate, value=-1)

    def direction(self, index: int, gradient: Tensor) -> Tensor:
        """Return what is multiplied with the rate."""
        return gradient

    def keep(self, networks: Tensor) -> None:
        """Drop the state of all networks but these."""
        self.state = {name: [align(t[networks]) for t in tensors] for name, tensors in self.state.items()}


class Momentum(SGD):
    """V ← μV + g; W ← W − ηV, or W − η(g + μV) with Nesterov."""

    def __init__(self, parameters: Sequence[Tensor], optimizer: Optimizer) -> None:
        super().__init__(parameters, optimizer)
        self._remember("velocity", parameters)

    def direction(self, index: int, gradient: Tensor) -> Tensor:
        velocity, momentum = self.state["velocity"][index], self.options.momentum
        velocity.mul_(momentum).add_(gradient)
        return gradient.add_(velocity, alpha=momentum) if self.options.name == "nesterov" else velocity


class Adam(SGD):
    """Adam with bias correction, elementwise, so that bits do not depend on the stack."""

    def __init__(self, parameters: Sequence[Tensor], optimizer: Optimizer) -> None:
        super().__init__(parameters, optimizer)
        self._remember("mean", parameters)
        self._remember("square", parameters)

    def direction(self, index: int, gradient: Tensor) -> Tensor:
        beta1, beta2 = ADAM_BETAS
        mean, square = self.state["mean"][index], self.state["square"][index]
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        size = torch.sqrt(square, out=gradient).div_((1 - beta2**self.step) ** 0.5).add_(ADAM_EPSILON)
        return torch.div(mean, size, out=gradient).div_(1 - beta1**self.step)


class AdamW(Adam):
    """Adam whose weights decay apart from the gradient: W ← (1 − ηλ)W first."""

    def update(self, index: int, parameter: Tensor, gradient: Tensor, rate: Tensor) -> None:
        if self.options.weight_decay:
            parameter.mul_(1 - rate * self.options.weight_decay)
        parameter.addcmul_(self.direction(index, gradient), rate, value=-1)


RULES: dict[str, type[SGD]] = {"sgd": SGD, "momentum": Momentum, "nesterov": Momentum, "adam": Adam, "adamw": AdamW}


# --- networks -----------------------------------------------------------------------------------------------------


class Progress(NamedTuple):
    """What came of some steps.

    Attributes:
        diverged: for each network whose logits became non-finite, the step, from 0, in whose forward pass they did, and
            the first layer, from 1, with a non-finite pre-activation. The parameters of such a network are of no use.
        trace: where the steps were traced, the measurements `TRACE` of every layer, (K, steps, layers, 4) in float64,
            NaN from a network's divergence on.
    """

    diverged: dict[int, tuple[int, int]]
    trace: Tensor | None = None


class Networks:
    """K networks of one shape: what every engine that trains them has in common.

    Args:
        weights: one tensor (K, fan_in, fan_out) a layer, the output layer last.
        biases: one tensor (K, 1, fan_out) a layer.
        activation: φ of the hidden layers: a name, or any elementwise function of a tensor; or one of these for each.

    An engine adds `prepare`, `advance` and `keep`.
    """

    engine: str  # its name, as the tables have it

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], activation: Given | Sequence[Given]
    ) -> None:
        self.weights, self.biases = list(weights), list(biases)
        hidden = len(self.weights) - 1
        each = list(activation) if isinstance(activation, list | tuple) else [activation] * hidden
        self.activations: list[Activation] = [activation_of(a) for a in each]
        self.norms: list[BatchNorm] = []  # one a hidden layer, where there is batch normalization

    @property
    def size(self) -> int:
        """K, the number of networks."""
        return self.weights[0].shape[0]

    @staticmethod
    def prepare(x: Tensor) -> Tensor:
        """Return inputs (N, D) in the form that `advance` and `predict` want."""
        return x

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool = False) -> Progress:
        """Take one step for each row of `order`.

        Args:
            x: all training inputs, as `prepare` made them.
            y: their labels (N,).
            order: indices (steps, K, B) of the mini-batches.
            rates: learning rates (steps, K).
            traced: whether to measure every layer at every one of these steps.
        """
        raise NotImplementedError

    def keep(self, networks: Tensor) -> None:
        """Drop all networks but these (a tensor of indices); the others go on with the same bits."""
        raise NotImplementedError

    def predict(self, x: Tensor) -> Tensor:
        """Return the logits (K, N, C) of the same examples, inputs (N, D) as `prepare` made them, for every network.

        Inputs (K, N, D) are each network's own.
        """
        h = x.expand(self.size, -1, -1)
        for layer, (weight, bias) in enumerate(zip(self.weights[:-1], self.biases[:-1], strict=True)):
            h = product(h, weight, bias)
            if self.norms:
                self.norms[layer].evaluate_(h)
            self.activations[layer].apply_(h)
        return product(h, self.weights[-1], self.biases[-1])

    def output_delta(self, z: Tensor, y: Tensor) -> Tensor:
        """Return δ = ∂ℓ/∂z (K, N, C) of each example, for logits z (K, N, C) and labels y (N,): softmax(z) − onehot(y)."""
        delta = align(torch.softmax(z, dim=2))
        delta[:, torch.arange(len(y)), y] -= 1
        return delta

    def first_non_finite_layer(self, network: int, x: Tensor) -> int:
        """Return the first layer (from 1) at which one network's pre-activation of x (B, D) is not finite.

        Returns the output layer where all are finite: another engine's rounding met the overflow there.
        """
        h = x
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            z = torch.addmm(bias[network], h, weight[network])
            if not torch.isfinite(z).all() or layer == len(self.weights):
                return layer
            if layer <= len(self.norms):
                norm = self.norms[layer - 1]
                z = (normalize(z[None])[0].z * norm.gamma[network] + norm.beta[network])[0]
            h = self.activations[layer - 1].phi(z)
        raise AssertionError("the loop returns at the output layer")


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

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor, traced: bool = False) -> Progress:
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
        return Progress(diverged, torch.stack(traces, dim=1) if traces else None)

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
