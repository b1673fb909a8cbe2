"""Layer learners: how a layer learns during pretraining."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import log
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

from winit.engine.activations import activation_of
from winit.engine.alignment import align, product
from winit.engine.autoencoder import TiedAutoencoder
from winit.engine.corruption import Corruption
from winit.engine.engine import Advance, Engine, NetworkSpec
from winit.engine.objectives import Reconstruction, loss_and_accuracy
from winit.engine.optimizers import Optimizer
from winit.engine.rbm import RBM
from winit.engine.torch_stack import TorchStack
from winit.study.schema import PretrainingSettings

if TYPE_CHECKING:
    from winit.engine.kernel.layers import KernelFreeAutoencoder, KernelRBM, KernelTiedAutoencoder


class DrawnLayer(NamedTuple):
    """A layer of K networks before it learns.

    Attributes:
        weights, biases: as drawn, (K, fan_in, fan_out) and (K, 1, fan_out).
        activation: by name.
        top_weights, top_biases: of the layer above it during pretraining, (K, fan_out, n) and (K, 1, n): a free decoder, or
            the output layer of a supervised layer. Tied decoders and RBMs do not use them.
    """

    weights: Tensor
    biases: Tensor
    activation: str
    top_weights: Tensor
    top_biases: Tensor


class LearnedLayer(NamedTuple):
    """The result of training a layer.

    Attributes:
        weights, biases: of the layer, (K, fan_in, fan_out) and (K, 1, fan_out).
        top_weights, top_biases: of the layer above it: the decoder, or the output layer of a supervised layer.
    """

    weights: Tensor
    biases: Tensor
    top_weights: Tensor
    top_biases: Tensor


@dataclass(frozen=True)
class LayerTask:
    """The arguments of a layer learner.

    Attributes:
        drawn: the layer as drawn.
        recipe: how to train.
        seeds: of noise, one per network. Networks with the same seed see the same noise.
        sample: some of the layer's inputs, (N, fan_in) for all networks or (K, N, fan_in).
        is_first: whether the inputs are the data.
        is_unit: whether the inputs are between 0 and 1.
        engine: by name. `kernel` trains the layer if it supports the activation; otherwise torch trains it.
    """

    drawn: DrawnLayer
    recipe: PretrainingSettings
    seeds: Sequence[int]
    sample: Tensor
    is_first: bool
    is_unit: bool
    engine: str = "torch"

    @property
    def uses_kernel(self) -> bool:
        """Whether the kernel trains the layer."""
        if self.engine != "kernel":
            return False
        from winit.engine.kernel.activations import PHI

        return self.drawn.activation in PHI

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer of layers trained with gradients."""
        return Optimizer(self.recipe.optimizer, self.recipe.momentum)

    @property
    def loss(self) -> str:
        """The loss of autoencoders: that of the recipe, or the one suitable for the inputs."""
        if self.recipe.loss != "auto":
            return self.recipe.loss
        return "cross_entropy" if self.is_unit else "squared_error"

    @property
    def rates(self) -> Tensor:
        """Learning rates (steps, K)."""
        return torch.full((self.recipe.steps, len(self.seeds)), self.recipe.learning_rate).to(self.drawn.weights)


class LayerNetwork(Protocol):
    """The interface of the K two-layer networks that a learner trains."""

    weights: list[Tensor]
    biases: list[Tensor]

    def prepare(self, x: Tensor) -> Tensor:
        """Return inputs in the form that `advance` needs."""
        ...

    def advance(self, x: Tensor, y: Tensor, order: Tensor, rates: Tensor) -> Advance:
        """Take one step for each row of `order`; see `Engine.advance`."""
        ...


class LayerLearner(Protocol):
    """A layer of K networks that learns from the codes of the layer below."""

    def prepare(self, x: Tensor) -> Tensor:
        """Return inputs (N, fan_in) in the form that `advance` needs."""
        ...

    def advance(self, x: Tensor, y: Tensor, batches: Tensor, start: int) -> None:
        """Take one step for each row of `batches`.

        Args:
            x: prepared inputs of the layer (N, fan_in), or those of all networks concatenated.
            y: their labels.
            batches: indices (steps, K, B) of the mini-batches.
            start: number of steps taken before.
        """
        ...

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the error (K,) on inputs (N, fan_in) or (K, N, fan_in), uncorrupted, with labels (N,)."""
        ...

    def baseline(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the error (K,) or (1,) of a constant prediction."""
        ...

    def learned(self) -> LearnedLayer:
        """Return what the layer has learned."""
        ...


def encode(x: Tensor, weights: Tensor, biases: Tensor, activation: str) -> Tensor:
    """Return φ(xW + b) (K, N, n) of inputs (N, D), the same for all networks, or (K, N, D)."""
    h = product(x.expand(len(weights), -1, -1), weights, biases)
    activation_of(activation).apply_(h)
    return h


def column_means(x: Tensor, networks: int, as_logits: bool = False) -> Tensor:
    """Return the means (K, 1, n) over the examples of inputs (N, n), the same for all networks, or (K, N, n); or their logits.

    One network at a time, because the bits of a mean or a logarithm over a stack depend on the stack.
    """
    means = [part.mean(dim=0, keepdim=True) for part in (x if x.dim() == 3 else x[None])]
    if as_logits:
        means = [torch.logit(mean, eps=1e-3) for mean in means]
    return torch.stack(means).expand(networks, -1, -1)


def mean_error(x: Tensor) -> Tensor:
    """Return the squared error (K,) of the mean of examples (K, N, D), or (1,) of (N, D), as prediction."""
    parts = x if x.dim() == 3 else x[None]
    return torch.stack([(part - part.mean(dim=0)).square().sum() for part in parts]) / x.shape[-2]


class _DescendingLayer:
    """A layer below another one, trained together with gradients.

    Args:
        task: the layer's task.
        net: the two layers.
    """

    def __init__(self, task: LayerTask, net: LayerNetwork) -> None:
        self.net, self.rates, self.activation = net, task.rates, task.drawn.activation
        self.prepare = net.prepare

    def advance(self, x: Tensor, y: Tensor, batches: Tensor, start: int) -> None:
        lost = self.net.advance(x, self._targets(x, y), batches, self.rates[start : start + len(batches)]).diverged
        for parameters in (*self.net.weights, *self.net.biases):  # engines may stop updating diverged networks, or not
            parameters[list(lost)] = torch.nan

    def learned(self) -> LearnedLayer:
        (w, v), (b, c) = self.net.weights, self.net.biases
        return LearnedLayer(*map(align, (w, b, v, c)))

    def _targets(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the objective of the upper layer."""
        return y

    def _predict(self, x: Tensor) -> Tensor:
        """Return the outputs (K, N, C) of the upper layer."""
        w, b, v, c = self.learned()
        return product(encode(x, w, b, self.activation), v, c)


class AutoencoderLayer(_DescendingLayer):
    """A layer that learns to reconstruct its inputs.

    Squared error with linear outputs, or cross-entropy with sigmoid outputs. The codes of sigmoid units vary little.
    Cross-entropy learns them in a number of steps in which squared error is still worse than predicting the mean.

    Source: Bengio et al. 2007; with corrupted inputs Vincent et al. 2010.
    """

    def __init__(self, task: LayerTask, corruption: Corruption | None = None) -> None:
        recipe, (w, b, activation, top_weights, _) = task.recipe, task.drawn
        self.objective = Reconstruction(task.loss)
        spec = NetworkSpec(activation, task.optimizer, recipe.batch_size, self.objective, corruption=corruption)
        is_tied = recipe.decoder == "tied"
        v = w.mT if is_tied else top_weights
        # Output biases start so that the mean code is decoded to the mean input. Codes of sigmoid units vary little around
        # 1/2, and otherwise all steps would be spent on this offset.
        means = column_means(task.sample, len(w), as_logits=task.loss == "cross_entropy")
        c = means - product(align(column_means(encode(task.sample, w, b, activation), len(w))), v)
        tied: type[TiedAutoencoder | KernelTiedAutoencoder]
        free: type[TorchStack | KernelFreeAutoencoder]
        tied, free = TiedAutoencoder, TorchStack
        if task.uses_kernel:
            from winit.engine.kernel.layers import KernelFreeAutoencoder, KernelTiedAutoencoder

            tied, free = KernelTiedAutoencoder, KernelFreeAutoencoder
        net: LayerNetwork = (
            tied(w.clone(), b.clone(), c, spec, task.seeds)
            if is_tied
            else free([w.clone(), v.clone()], [b.clone(), c], spec, task.seeds)
        )
        super().__init__(task, net)

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        return self.objective.loss(self._predict, x, x)

    def baseline(self, x: Tensor, y: Tensor) -> Tensor:
        return mean_error(x)

    def _targets(self, x: Tensor, y: Tensor) -> Tensor:
        return x


def denoising_layer(task: LayerTask) -> AutoencoderLayer:
    """Return a layer that learns to reconstruct its inputs from corrupted inputs."""
    return AutoencoderLayer(task, Corruption(task.recipe.corruption, task.recipe.corruption_amount))


class BoltzmannLayer:
    """A restricted Boltzmann machine, trained by contrastive divergence.

    The next layer gets the means of the hidden units.

    Source: Hinton & Salakhutdinov 2006.
    """

    def __init__(self, task: LayerTask) -> None:
        self.recipe = task.recipe
        w, b, rbm = task.drawn.weights, task.drawn.biases, task.recipe.rbm
        visible = "binary" if task.is_unit else "gaussian"
        if task.is_first and rbm.visible != "auto":
            visible = rbm.visible
        hidden = "binary" if task.drawn.activation == "sigmoid" else "linear"
        # Visible biases start at the units' means, so that the weights need not learn them (Hinton 2010, §8.1).
        c = column_means(task.sample, len(w), as_logits=visible == "binary").clone()
        self.units = visible, hidden
        machines: Callable[..., RBM | KernelRBM] = RBM
        if task.uses_kernel:
            from winit.engine.kernel.layers import KernelRBM

            machines = partial(KernelRBM, batch=task.recipe.batch_size)
        self.machines = machines(w.clone(), c, b.clone(), task.seeds, visible, hidden)
        self.prepare = self.machines.prepare
        self.rate = rbm.learning_rate if (visible, hidden) == ("binary", "binary") else rbm.real_rate

    def advance(self, x: Tensor, y: Tensor, batches: Tensor, start: int) -> None:
        rbm = self.recipe.rbm
        is_early = torch.arange(start, start + len(batches)) < rbm.early_share * self.recipe.steps
        momenta = torch.where(is_early, rbm.momentum, rbm.late_momentum)
        self.machines.advance(x, batches, self.rate, momenta, rbm.weight_cost, rbm.gibbs_steps)

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        w, b, _, c = self.learned()
        return RBM(w, c, b, [], *self.units).loss(x)

    def baseline(self, x: Tensor, y: Tensor) -> Tensor:
        return mean_error(x)

    def learned(self) -> LearnedLayer:
        m = self.machines
        return LearnedLayer(*map(align, (m.weights, m.hidden_biases, m.weights.mT, m.visible_biases)))


class SupervisedLayer(_DescendingLayer):
    """The hidden layer of a classifier of the codes below.

    Source: Bengio et al. 2007.
    """

    def __init__(self, task: LayerTask) -> None:
        w, b, activation, top_weights, top_biases = task.drawn
        spec = NetworkSpec(activation, task.optimizer, task.recipe.batch_size)
        engine: type[Engine] = TorchStack
        if task.uses_kernel:
            from winit.engine.kernel.stack import KernelStack

            engine = KernelStack
        super().__init__(task, engine([w.clone(), top_weights.clone()], [b.clone(), top_biases.clone()], spec))

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        return loss_and_accuracy(self._predict(x), y).loss

    def baseline(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.full((1,), log(self.net.weights[1].shape[2]))


LEARNERS: dict[str, Callable[[LayerTask], LayerLearner]] = {
    "autoencoder": AutoencoderLayer,
    "denoising_autoencoder": denoising_layer,
    "rbm": BoltzmannLayer,
    "supervised": SupervisedLayer,
}
