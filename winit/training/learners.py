"""Layer learners: what a layer is while it is pretrained."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from winit.engine.activations import activation_of
from winit.engine.alignment import align, product
from winit.engine.autoencoder import TiedAutoencoder
from winit.engine.corruption import Corruption
from winit.engine.engine import NetworkSpec
from winit.engine.objectives import Reconstruction
from winit.engine.optimizers import Optimizer
from winit.engine.rbm import RBM
from winit.engine.torch_stack import TorchStack
from winit.study.schema import PretrainingSettings


def encode(x: Tensor, weights: Tensor, biases: Tensor, activation: str) -> Tensor:
    """Return φ(xW + b) (K, N, n) of inputs (N, D), the same for all, or (K, N, D)."""
    h = product(x.expand(len(weights), -1, -1), weights, biases)
    activation_of(activation).apply_(h)
    return h


def column_means(x: Tensor, networks: int, as_logits: bool = False) -> Tensor:
    """Return the means (K, 1, n) over the examples of inputs (N, n), the same for all, or (K, N, n); or their logits.

    One network after the other: the bits of a mean over a stack, and of a logarithm in one, depend on the stack.
    """
    means = [part.mean(dim=0, keepdim=True) for part in (x if x.dim() == 3 else x[None])]
    if as_logits:
        means = [torch.logit(mean, eps=1e-3) for mean in means]
    return torch.stack(means).expand(networks, -1, -1)


def mean_error(x: Tensor) -> Tensor:
    """Return the squared error (K,) of the mean of examples (K, N, D), or (1,) of (N, D), as a prediction of them."""
    parts = x if x.dim() == 3 else x[None]
    return torch.stack([(part - part.mean(dim=0)).square().sum() for part in parts]) / x.shape[-2]


class AutoencoderLayer:
    """Squared error with a linear output, or cross-entropy with a sigmoid one (Bengio et al. 2007; Vincent et al. 2010)."""

    is_denoising = False

    def __init__(self, w, b, activation, decoder, recipe: PretrainingSettings, seeds, sample, layer, is_unit) -> None:
        corruption = Corruption(recipe.corruption, recipe.corruption_amount) if self.is_denoising else None
        optimizer = Optimizer(recipe.optimizer, recipe.momentum)
        spec = NetworkSpec(activation, optimizer, recipe.batch_size, Reconstruction(recipe.loss), corruption=corruption)
        v = w.mT if recipe.decoder == "tied" else decoder[0]
        # The bias of the output begins where the mean of the codes comes out as the mean of the inputs: codes of sigmoid
        # units vary little around 1/2, and all steps would go into that offset.
        wanted = column_means(sample, len(w), as_logits=recipe.loss == "cross_entropy")
        c = wanted - product(align(column_means(encode(sample, w, b, activation), len(w))), v)
        if recipe.decoder == "tied":
            self.net: TorchStack = TiedAutoencoder(w.clone(), b.clone(), c, spec, seeds)
        else:
            self.net = TorchStack([w.clone(), v.clone()], [b.clone(), c], spec, seeds)
        self.rates = _rates(recipe, len(seeds)).to(w)

    def advance(self, x: Tensor, y: Tensor, batches: Tensor, start: int) -> None:
        self.net.advance(x, x, batches, self.rates[start : start + len(batches)])

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        return self.net.loss(x, x)

    def baseline(self, x: Tensor, y: Tensor) -> Tensor:
        return mean_error(x)

    def learned(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        (w, v), (b, c) = self.net.weights, self.net.biases
        return w, b, align(v.contiguous()), c


class DenoisingLayer(AutoencoderLayer):
    is_denoising = True


class BoltzmannLayer:
    """Contrastive divergence; what is passed on are the means of the hidden units (Hinton & Salakhutdinov 2006)."""

    def __init__(self, w, b, activation, decoder, recipe: PretrainingSettings, seeds, sample, layer, is_unit) -> None:
        self.recipe, own = recipe, recipe.rbm
        visible = "binary" if is_unit else "gaussian"
        if layer == 0 and own.visible != "auto":
            visible = own.visible
        hidden = "binary" if activation == "sigmoid" else "linear"
        # Visible biases begin at the units' means, so that the weights need not learn them (Hinton 2010, §8.1).
        c = column_means(sample, len(w), as_logits=visible == "binary").clone()
        self.machine = RBM(w.clone(), c, b.clone(), seeds, visible, hidden)
        self.rate = own.learning_rate if (visible, hidden) == ("binary", "binary") else own.real_rate

    def advance(self, x: Tensor, y: Tensor, batches: Tensor, start: int) -> None:
        own = self.recipe.rbm
        for step, batch in enumerate(batches, start):
            momentum = own.momentum if step < own.early_share * self.recipe.steps else own.late_momentum
            self.machine.step(align(x[batch]), self.rate, momentum, own.weight_cost, own.gibbs_steps)

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        v = x.expand(len(self.machine.weights), -1, -1)
        back = self.machine.visible_mean(self.machine.hidden_mean(v))
        return torch.stack([one.square().sum() for one in back - v]) / v.shape[1]

    def baseline(self, x: Tensor, y: Tensor) -> Tensor:
        return mean_error(x)

    def learned(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        m = self.machine
        return m.weights, m.hidden_biases, align(m.weights.mT.contiguous()), m.visible_biases


class SupervisedLayer:
    """The hidden layer of a classifier of the codes below (Bengio et al. 2007)."""

    def __init__(self, w, b, activation, decoder, recipe: PretrainingSettings, seeds, sample, layer, is_unit) -> None:
        optimizer = Optimizer(recipe.optimizer, recipe.momentum)
        top, top_biases = decoder
        spec = NetworkSpec(activation, optimizer, recipe.batch_size)
        self.net = TorchStack([w.clone(), top.clone()], [b.clone(), top_biases.clone()], spec)
        self.rates = _rates(recipe, len(seeds)).to(w)

    def advance(self, x: Tensor, y: Tensor, batches: Tensor, start: int) -> None:
        self.net.advance(x, y, batches, self.rates[start : start + len(batches)])

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        return self.net.loss(x, y)

    def baseline(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.full((1,), float(np.log(self.net.weights[1].shape[2])))

    def learned(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.net.weights[0], self.net.biases[0], self.net.weights[1], self.net.biases[1]


def _rates(recipe: PretrainingSettings, networks: int) -> Tensor:
    return torch.full((recipe.steps, networks), recipe.learning_rate)


LEARNERS = {
    "autoencoder": AutoencoderLayer,
    "denoising_autoencoder": DenoisingLayer,
    "rbm": BoltzmannLayer,
    "supervised": SupervisedLayer,
}
