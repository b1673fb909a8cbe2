"""Greedy layerwise pretraining: each layer learns from the codes of the one below, then the whole is fine-tuned.

A layer learns as an autoencoder, a denoising autoencoder, a restricted Boltzmann machine, or as the hidden layer of a
classifier. It starts from the weights that the network's initializer drew; then it is frozen, and what it makes of its
inputs is what the next layer sees. The output layer of a classifier stays as it was drawn.

Two controls tell what pretraining gave the weights: their scale alone, or their structure.

Sources: Hinton & Salakhutdinov 2006 and the authors' code; Bengio et al. 2007; Vincent et al. 2010.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from winit import catalog
from winit.activations import activation_of
from winit.autoencoder import Autoencoder, Corruption, TiedAutoencoder
from winit.data import shuffled_epochs
from winit.memory import align
from winit.network import Optimizer, Stack, product
from winit.probes import loss_and_accuracy
from winit.rbm import RBM
from winit.study import Pretraining, log_spaced

CODE_BYTES = 512 << 20  # of the codes that the networks of one stack may take: each has its own
SAMPLE = 512  # examples on which the error of a layer is measured


@dataclass(frozen=True)
class Data:
    """What pretraining learns from.

    Attributes:
        x: inputs (N, D).
        y: labels (N,).
        is_unit: whether the inputs lie between 0 and 1.
    """

    x: Tensor
    y: Tensor
    is_unit: bool


@dataclass
class Pretrained:
    """K pretrained networks.

    Attributes:
        weights, biases: of the layers that were trained, as those of `Networks`.
        visible_weights, visible_biases: of the way back through each of them, from its outputs to its inputs; none where
            there is no such way.
        steps: at which errors were measured, from 0 on.
        errors: (K, layers, steps): of a layer on a fixed sample of its training inputs, uncorrupted: squared, summed over
            its inputs, mean over examples; of supervised layers, the mean cross-entropy in nats.
        baselines: (K, layers): the error of the mean of the layer's inputs; log C of supervised layers.
        time_s: wall time of each network, seconds.
    """

    steps: list[int]
    weights: list[Tensor] = field(default_factory=list)
    biases: list[Tensor] = field(default_factory=list)
    visible_weights: list[Tensor] = field(default_factory=list)
    visible_biases: list[Tensor] = field(default_factory=list)
    errors: Tensor | None = None
    baselines: Tensor | None = None
    time_s: float = 0.0


def pretrain(
    method: str, data: Data, weights: Sequence[Tensor], biases: Sequence[Tensor], activations: Sequence[str],
    decoders: Sequence[tuple[Tensor, Tensor]], recipe: Pretraining, seeds: Sequence[int], points: int = 2,
) -> Pretrained:  # fmt: skip
    """Pretrain the first layers of K networks, one layer after the other, from the weights they have.

    Args:
        method: `autoencoder`, `denoising_autoencoder`, `rbm` or `supervised`.
        data: what to learn from.
        weights, biases: of those layers, (K, fan_in, fan_out) and (K, 1, fan_out).
        activations: of each of them, by name.
        decoders: for each of them, weights (K, fan_out, n) and biases (K, 1, n) of what lies above it while it learns:
            back to its inputs for a free decoder, to the classes for a supervised layer. Tied decoders and RBMs need none.
        recipe: how to train.
        seeds: of mini-batches and noise, one a network. Those with the same seed see the same.
        points: at how many log-spaced steps the error is measured.

    Returns:
        The pretrained layers. A network does not depend on the others.
    """
    started = time.perf_counter()
    K = len(seeds)
    found = Pretrained(log_spaced(recipe.steps, points))
    codes, errors, baselines = data.x, [], []
    for layer, (w, b, activation, decoder) in enumerate(zip(weights, biases, activations, decoders, strict=True)):
        streams = {seed: np.random.default_rng([seed, layer]) for seed in seeds}
        order = {
            seed: shuffled_epochs(stream, len(data.y), recipe.steps, recipe.batch_size) for seed, stream in streams.items()
        }
        noise = {seed: int(stream.integers(2**62)) for seed, stream in streams.items()}
        sample = codes[..., :SAMPLE, :]
        learner = _LEARNERS[method](
            w, b, activation, decoder, recipe, [noise[seed] for seed in seeds], sample,
            layer, data.is_unit if layer == 0 else activations[layer - 1] == "sigmoid",
        )  # fmt: skip
        x, y, batches = _flattened(codes, data.y, np.stack([order[seed] for seed in seeds], axis=1))
        curve = []
        for start, stop in zip(found.steps, [*found.steps[1:], None], strict=True):
            curve.append(learner.error(sample, data.y[:SAMPLE]))
            if stop is not None:
                learner.advance(x, y, batches[start:stop], start)
        errors.append(torch.stack(curve, dim=1))
        baselines.append(learner.baseline(sample, data.y[:SAMPLE]).expand(K))
        for mine, theirs in zip(
            (found.weights, found.biases, found.visible_weights, found.visible_biases), learner.learned(), strict=True
        ):
            mine.append(theirs)
        codes = encode(codes, found.weights[-1], found.biases[-1], activation)
    found.errors, found.baselines = torch.stack(errors, dim=1).double(), torch.stack(baselines, dim=1).double()
    found.time_s = (time.perf_counter() - started) / K
    return found


def encode(x: Tensor, weights: Tensor, biases: Tensor, activation: str) -> Tensor:
    """Return φ(xW + b) (K, N, n) of inputs (N, D), the same for all, or (K, N, D)."""
    h = product(x.expand(len(weights), -1, -1), weights, biases)
    activation_of(activation).apply_(h)
    return h


def networks_at_once(examples: int, widths: Sequence[int]) -> int:
    """Return how many networks to pretrain in one stack."""
    return max(1, CODE_BYTES // (4 * examples * max(widths)))


def _flattened(codes: Tensor, y: Tensor, order: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows of all networks' codes, their labels, and indices (steps, K, B) into them."""
    batches = torch.from_numpy(order).to(codes.device)
    if codes.dim() == 2:
        return codes, y, batches
    K, N, _ = codes.shape
    offsets = torch.arange(K, device=codes.device)[:, None] * N
    return codes.reshape(K * N, -1), y.repeat(K), batches + offsets


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


# --- learners: what a layer is while it is pretrained -------------------------------------------------------------


class _AutoencoderLayer:
    """Squared error with a linear output, or cross-entropy with a sigmoid one (Bengio et al. 2007; Vincent et al. 2010)."""

    is_denoising = False

    def __init__(self, w, b, activation, decoder, recipe: Pretraining, seeds, sample, layer, is_unit) -> None:
        corruption = Corruption(recipe.corruption, recipe.corruption_amount) if self.is_denoising else None
        optimizer = Optimizer(recipe.optimizer, recipe.momentum)
        others = activation, optimizer, recipe.batch_size, recipe.loss, corruption, seeds
        v = w.mT if recipe.decoder == "tied" else decoder[0]
        # The bias of the output begins where the mean of the codes comes out as the mean of the inputs: codes of sigmoid
        # units vary little around 1/2, and all steps would go into that offset.
        wanted = column_means(sample, len(w), as_logits=recipe.loss == "cross_entropy")
        c = wanted - product(align(column_means(encode(sample, w, b, activation), len(w))), v)
        if recipe.decoder == "tied":
            self.net = TiedAutoencoder(w.clone(), b.clone(), c, *others)
        else:
            self.net = Autoencoder([w.clone(), v.clone()], [b.clone(), c], *others)
        self.rates = _rates(recipe, len(seeds)).to(w)

    def advance(self, x: Tensor, y: Tensor, batches: Tensor, start: int) -> None:
        self.net.advance(x, x, batches, self.rates[start : start + len(batches)])

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        return self.net.reconstruction_error(x)

    def baseline(self, x: Tensor, y: Tensor) -> Tensor:
        return mean_error(x)

    def learned(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        (w, v), (b, c) = self.net.weights, self.net.biases
        return w, b, align(v.contiguous()), c


class _DenoisingLayer(_AutoencoderLayer):
    is_denoising = True


class _BoltzmannLayer:
    """Contrastive divergence; what is passed on are the means of the hidden units (Hinton & Salakhutdinov 2006)."""

    def __init__(self, w, b, activation, decoder, recipe: Pretraining, seeds, sample, layer, is_unit) -> None:
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


class _SupervisedLayer:
    """The hidden layer of a classifier of the codes below (Bengio et al. 2007)."""

    def __init__(self, w, b, activation, decoder, recipe: Pretraining, seeds, sample, layer, is_unit) -> None:
        optimizer = Optimizer(recipe.optimizer, recipe.momentum)
        top, top_biases = decoder
        self.net = Stack([w.clone(), top.clone()], [b.clone(), top_biases.clone()], activation, optimizer, recipe.batch_size)
        self.rates = _rates(recipe, len(seeds)).to(w)

    def advance(self, x: Tensor, y: Tensor, batches: Tensor, start: int) -> None:
        self.net.advance(x, y, batches, self.rates[start : start + len(batches)])

    def error(self, x: Tensor, y: Tensor) -> Tensor:
        return loss_and_accuracy(self.net.predict(x), y)[0]

    def baseline(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.full((1,), float(np.log(self.net.weights[1].shape[2])))

    def learned(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.net.weights[0], self.net.biases[0], self.net.weights[1], self.net.biases[1]


def _rates(recipe: Pretraining, networks: int) -> Tensor:
    return torch.full((recipe.steps, networks), recipe.learning_rate)


_LEARNERS = {
    "autoencoder": _AutoencoderLayer,
    "denoising_autoencoder": _DenoisingLayer,
    "rbm": _BoltzmannLayer,
    "supervised": _SupervisedLayer,
}


def unroll(found: Pretrained) -> tuple[list[Tensor], list[Tensor]]:
    """Return weights and biases of the deep autoencoder that pretrained layers make: encoder, then decoder, not tied.

    The decoder's weights are those of each layer's way back, in RBMs and tied autoencoders the transposed ones.
    """
    weights = [*found.weights, *found.visible_weights[::-1]]
    biases = [*found.biases, *found.visible_biases[::-1]]
    return [w.clone() for w in weights], [b.clone() for b in biases]


# --- controls -----------------------------------------------------------------------------------------------------


def shuffled(weights: Sequence[Tensor], seeds: Sequence[int]) -> list[Tensor]:
    """Return weights (K, fan_in, fan_out) whose entries are permuted within each layer: the values, not the structure.

    Source: the control that Erhan et al. 2010, §6.2, draw from the pretrained weights' marginal distribution.
    """
    return _each(weights, seeds, lambda w, stream: stream.permutation(w.ravel()).reshape(w.shape))


def with_moments(weights: Sequence[Tensor], seeds: Sequence[int]) -> list[Tensor]:
    """Return normal weights with the mean and the standard deviation of each given layer: the scale, nothing else."""
    return _each(weights, seeds, lambda w, stream: w.mean() + w.std() * stream.standard_normal(w.shape))


CONTROLS: dict[str, Callable[[Sequence[Tensor], Sequence[int]], list[Tensor]]] = {
    "shuffled": shuffled,
    "moments": with_moments,
}
assert set(CONTROLS) < set(catalog.CONTROLS)


def _each(
    weights: Sequence[Tensor], seeds: Sequence[int], make: Callable[[np.ndarray, np.random.Generator], np.ndarray]
) -> list[Tensor]:
    """Apply `make` to every network's weights of every layer, with a stream for each network and layer."""
    return [
        align(torch.stack([
            torch.tensor(make(w.cpu().numpy(), np.random.default_rng([seed, layer, 1])), dtype=stack.dtype)
            for w, seed in zip(stack, seeds, strict=True)
        ]).to(stack.device))
        for layer, stack in enumerate(weights)
    ]  # fmt: skip
