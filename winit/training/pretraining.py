"""Greedy layerwise pretraining: each layer learns from the codes of the layer below, then the whole network is trained.

A layer learns as an autoencoder, a denoising autoencoder, a restricted Boltzmann machine, or the hidden layer of a
classifier. It starts from the weights drawn by the initializer of the network. Then it is frozen, and the next layer gets
its outputs. The output layer of a classifier is not pretrained.

Sources: Hinton & Salakhutdinov 2006 and the authors' code; Bengio et al. 2007; Vincent et al. 2010.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from winit import datasets, schemes
from winit.datasets import shuffled_epochs
from winit.study.protocol import Run
from winit.study.schema import PretrainingSettings
from winit.study.seeds import seed
from winit.study.steps import log_spaced
from winit.study.workload import Workload
from winit.training.learners import LEARNERS, DrawnLayer, LayerTask, LearnedLayer, encode
from winit.vocabulary.pretraining import parse_pretraining

CODE_BYTES = 512 << 20  # largest memory for the codes of a stack; every network has its own codes
SAMPLE = 512  # examples on which the error of a layer is measured


@dataclass(frozen=True)
class PretrainingData:
    """The data of pretraining.

    Attributes:
        x: inputs (N, D).
        y: labels (N,).
        is_unit: whether the inputs are between 0 and 1.
    """

    x: Tensor
    y: Tensor
    is_unit: bool


@dataclass(frozen=True)
class PretrainedStack:
    """K pretrained networks.

    Attributes:
        layers: the pretrained layers.
        steps: steps at which errors were measured, from 0 on.
        errors: (K, layers, steps): error of each layer on a fixed sample of its uncorrupted training inputs: squared error,
            summed over inputs, mean over examples; for supervised layers mean cross-entropy in nats.
        baselines: (K, layers): error of predicting the mean of the layer's inputs; log C for supervised layers.
        time_s: wall time of each network, seconds.
    """

    layers: list[LearnedLayer]
    steps: list[int]
    errors: Tensor
    baselines: Tensor
    time_s: float


def pretrain(
    method: str,
    data: PretrainingData,
    layers: Sequence[DrawnLayer],
    recipe: PretrainingSettings,
    seeds: Sequence[int],
    points: int = 2,
    engine: str = "torch",
) -> PretrainedStack:
    """Pretrain the first layers of K networks, one layer after another, from their current weights.

    Args:
        method: `autoencoder`, `denoising_autoencoder`, `rbm` or `supervised`.
        data: the data.
        layers: the layers to pretrain, in order.
        recipe: how to train.
        seeds: of mini-batches and noise, one per network. Networks with the same seed see the same ones.
        points: number of log-spaced steps at which the error is measured.
        engine: as for `LayerTask`.

    Returns:
        The pretrained networks, which do not depend on each other.
    """
    started = time.perf_counter()
    K, steps = len(seeds), log_spaced(recipe.steps, points)
    codes, learned, errors, baselines = data.x, [], [], []
    for index, drawn in enumerate(layers):
        order, noise = _streams(seeds, index, len(data.y), recipe)
        sample, labels = codes[..., :SAMPLE, :], data.y[:SAMPLE]
        is_unit = data.is_unit if index == 0 else layers[index - 1].activation == "sigmoid"
        learner = LEARNERS[method](LayerTask(drawn, recipe, noise, sample, index == 0, is_unit, engine))
        inputs, y, batches = _flattened(codes, data.y, order)
        x = learner.prepare(inputs)
        curve = [learner.error(sample, labels)]
        for start, stop in pairwise(steps):
            learner.advance(x, y, batches[start:stop], start)
            curve.append(learner.error(sample, labels))
        errors.append(torch.stack(curve, dim=1))
        baselines.append(learner.baseline(sample, labels).expand(K))
        learned.append(learner.learned())
        codes = encode(codes, learned[-1].weights, learned[-1].biases, drawn.activation)
    return PretrainedStack(
        learned,
        steps,
        torch.stack(errors, dim=1).double(),
        torch.stack(baselines, dim=1).double(),
        (time.perf_counter() - started) / K,
    )


def _streams(
    seeds: Sequence[int], layer: int, examples: int, recipe: PretrainingSettings
) -> tuple[np.ndarray, list[int]]:
    """Return the mini-batches (steps, K, B) of a layer, and the seeds of its noise, one per network."""
    streams = {seed: np.random.default_rng([seed, layer]) for seed in seeds}
    order = {s: shuffled_epochs(stream, examples, recipe.steps, recipe.batch_size) for s, stream in streams.items()}
    noise = {s: int(stream.integers(2**62)) for s, stream in streams.items()}
    return np.stack([order[s] for s in seeds], axis=1), [noise[s] for s in seeds]


def networks_at_once(examples: int, widths: Sequence[int]) -> int:
    """Return the number of networks to pretrain in one stack."""
    return max(1, CODE_BYTES // (4 * examples * max(widths)))


def _flattened(codes: Tensor, y: Tensor, order: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows of all networks' codes, their labels, and indices (steps, K, B) into them."""
    batches = torch.from_numpy(order).to(codes.device)
    if codes.dim() == 2:
        return codes, y, batches
    K, N, _ = codes.shape
    offsets = torch.arange(K, device=codes.device)[:, None] * N
    return codes.reshape(K * N, -1), y.repeat(K), batches + offsets


def unroll(layers: Sequence[LearnedLayer]) -> list[tuple[Tensor, Tensor]]:
    """Return weights and biases of the deep autoencoder made of pretrained layers: encoder, then decoder, not tied.

    The decoder has the weights of the layers' decoders, which are the transposed weights for RBMs and tied autoencoders.
    """
    encoder = [(layer.weights.clone(), layer.biases.clone()) for layer in layers]
    return encoder + [(layer.top_weights.clone(), layer.top_biases.clone()) for layer in reversed(layers)]


def activations(workload: Workload) -> list[str]:
    """Return the activation of every hidden layer: that of the workload, except for the linear code of a deep autoencoder."""
    each = [workload.activation] * workload.depth
    if workload.task.is_reconstruction:
        each[len(workload.task.encoder) - 1] = "identity"
    return each


LayersByIndex = dict[int, tuple[np.ndarray, np.ndarray]]  # from 0: weights (fan_in, fan_out) and biases (1, fan_out)


@dataclass(frozen=True)
class PretrainedNetwork:
    """One pretrained network.

    Attributes:
        layers: the layers that pretraining changed: the first ones, and for a deep autoencoder also the last ones.
        steps, errors, baselines, time_s: as in `PretrainedStack`, of this network.
    """

    layers: LayersByIndex
    steps: list[int]
    errors: np.ndarray
    baselines: np.ndarray
    time_s: float


class PretrainingKey(NamedTuple):
    """The properties that determine the pretraining of a network."""

    initializer: str
    method: str
    rate: float
    replicate: int

    @classmethod
    def of(cls, run: Run) -> PretrainingKey | None:
        """Return the key of a run, or None if it is not pretrained."""
        method = parse_pretraining(run.pretraining).method
        return None if method == "none" else cls(run.initializer, method, run.pretraining_rate, run.replicate)


class Pretrainer:
    """Pretrains the networks of a replicate: once for each initializer, method and pretraining rate.

    Runs with other learning rates and controls share them.

    Pretrained networks are kept until `forget`, because the runs of a network may be in several chunks.

    Args:
        workload: the workload of the runs.
        split: the data of the replicate.
        device: the device.
        engine: name of the engine that trains the workload.
    """

    def __init__(self, workload: Workload, split: datasets.Split, device: torch.device, engine: str) -> None:
        self.workload, self.device, self.engine = workload, device, engine
        self.data = PretrainingData(
            torch.tensor(split.train.x, device=device),
            torch.tensor(split.train.y, device=device),
            workload.scaling == "unit",
        )
        self._networks: dict[PretrainingKey, PretrainedNetwork] = {}

    def forget(self, but: Sequence[Run]) -> None:
        """Drop all networks except those that these runs need."""
        needed = {PretrainingKey.of(run) for run in but}
        self._networks = {key: network for key, network in self._networks.items() if key in needed}

    def pretrained(
        self, runs: Sequence[Run], weights: list[np.ndarray], biases: list[np.ndarray]
    ) -> list[PretrainedNetwork | None]:
        """Return the pretrained network of each run, or None for runs without pretraining.

        Args:
            runs: K of them.
            weights, biases: of every layer, as drawn for these runs, (K, fan_in, fan_out) and (K, 1, fan_out).
        """
        keys = [PretrainingKey.of(run) for run in runs]
        todo: dict[tuple[str, float], dict[PretrainingKey, int]] = {}  # the first run that needs a network
        for k, key in enumerate(keys):
            if key and key not in self._networks:
                todo.setdefault((key.method, key.rate), {}).setdefault(key, k)
        size = networks_at_once(len(self.data.y), self.workload.widths)
        for (method, rate), first_runs in todo.items():
            ordered = list(first_runs)
            for start in range(0, len(ordered), size):
                some = ordered[start : start + size]
                indices = [first_runs[key] for key in some]
                self._pretrain(method, rate, some, [w[indices] for w in weights], [b[indices] for b in biases])
        return [self._networks[key] if key else None for key in keys]

    def _pretrain(
        self,
        method: str,
        rate: float,
        keys: list[PretrainingKey],
        weights: list[np.ndarray],
        biases: list[np.ndarray],
    ) -> None:
        """Pretrain one network for each key, from its weights and biases, and keep them."""
        workload, count, total = self.workload, self.workload.pretrained_layers, len(weights)
        layers = [
            DrawnLayer(self._on_device(weights[i]), self._on_device(biases[i]), activation, *self._top(method, keys, i))
            for i, activation in enumerate(activations(workload)[:count])
        ]
        seeds = [pretraining_seed(workload, key.replicate) for key in keys]
        recipe = workload.pretraining.at_rate(rate)
        points = workload.measure.layer_points
        stack = pretrain(method, self.data, layers, recipe, seeds, points, self.engine)
        unrolled = [(w.cpu().numpy(), b.cpu().numpy()) for w, b in unroll(stack.layers)]
        changed = dict(enumerate(unrolled[:count]))
        if workload.task.is_reconstruction:
            changed |= dict(enumerate(unrolled[count:], start=total - count))
        for k, key in enumerate(keys):
            self._networks[key] = PretrainedNetwork(
                {i: (w[k], b[k]) for i, (w, b) in changed.items()},
                stack.steps,
                stack.errors[k].cpu().numpy(),
                stack.baselines[k].cpu().numpy(),
                stack.time_s,
            )

    def _on_device(self, parameters: np.ndarray) -> Tensor:
        return torch.from_numpy(parameters).to(self.device)

    def _top(self, method: str, keys: list[PretrainingKey], layer: int) -> tuple[Tensor, Tensor]:
        """Draw weights and biases of the layer above a layer during pretraining, with the initializer of each network."""
        fan_in, widths = self.workload.widths[layer + 1], self.workload.widths
        fan_out = widths[-1] if method == "supervised" else widths[layer]
        drawn = []
        for key in keys:
            rng = np.random.default_rng(
                seed(self.workload.seed, "pretraining weights", method=method, replicate=key.replicate, layer=layer + 1)
            )
            drawn.append(schemes.draw(key.initializer, schemes.Layer(fan_in, fan_out, self.workload.activation, rng)))
        weights, biases = (np.stack(each).astype(np.float32) for each in zip(*drawn, strict=True))
        return self._on_device(weights), self._on_device(biases[:, None])


def pretraining_seed(workload: Workload, replicate: int) -> int:
    """Return the seed of a replicate's mini-batches and noise in pretraining, shared by all methods and initializers."""
    return seed(workload.seed, "pretraining", dataset=workload.dataset, replicate=replicate)
