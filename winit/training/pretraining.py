"""Greedy layerwise pretraining: each layer learns from the codes of the one below, then the whole is fine-tuned.

A layer learns as an autoencoder, a denoising autoencoder, a restricted Boltzmann machine, or as the hidden layer of a
classifier. It starts from the weights that the network's initializer drew; then it is frozen, and what it makes of its
inputs is what the next layer sees. The output layer of a classifier stays as it was drawn.

Two controls tell what pretraining gave the weights: their scale alone, or their structure.

Sources: Hinton & Salakhutdinov 2006 and the authors' code; Bengio et al. 2007; Vincent et al. 2010.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from winit import datasets, schemes
from winit.datasets import shuffled_epochs
from winit.study.model import Run, Workload, log_spaced
from winit.study.schema import PretrainingSettings
from winit.study.seeds import seed
from winit.training.learners import LEARNERS, encode
from winit.vocabulary.pretraining import parse_pretraining

CODE_BYTES = 512 << 20  # of the codes that the networks of one stack may take: each has its own
SAMPLE = 512  # examples on which the error of a layer is measured


@dataclass(frozen=True)
class PretrainingData:
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
class PretrainedStack:
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
    method: str, data: PretrainingData, weights: Sequence[Tensor], biases: Sequence[Tensor], activations: Sequence[str],
    decoders: Sequence[tuple[Tensor, Tensor]], recipe: PretrainingSettings, seeds: Sequence[int], points: int = 2,
) -> PretrainedStack:  # fmt: skip
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
    found = PretrainedStack(log_spaced(recipe.steps, points))
    codes, errors, baselines = data.x, [], []
    for layer, (w, b, activation, decoder) in enumerate(zip(weights, biases, activations, decoders, strict=True)):
        streams = {seed: np.random.default_rng([seed, layer]) for seed in seeds}
        order = {
            seed: shuffled_epochs(stream, len(data.y), recipe.steps, recipe.batch_size)
            for seed, stream in streams.items()
        }
        noise = {seed: int(stream.integers(2**62)) for seed, stream in streams.items()}
        sample = codes[..., :SAMPLE, :]
        learner = LEARNERS[method](
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


def unroll(found: PretrainedStack) -> tuple[list[Tensor], list[Tensor]]:
    """Return weights and biases of the deep autoencoder that pretrained layers make: encoder, then decoder, not tied.

    The decoder's weights are those of each layer's way back, in RBMs and tied autoencoders the transposed ones.
    """
    weights = [*found.weights, *found.visible_weights[::-1]]
    biases = [*found.biases, *found.visible_biases[::-1]]
    return [w.clone() for w in weights], [b.clone() for b in biases]


def activations(workload: Workload) -> list[str]:
    """Return the activation of every hidden layer: the workload's, but for the linear code of a deep autoencoder."""
    each = [workload.activation] * workload.depth
    if workload.task.is_reconstruction:
        each[len(workload.task.encoder) - 1] = "identity"
    return each


@dataclass(frozen=True)
class PretrainedNetwork:
    """What pretraining made of one network: its first layers, those of a deep autoencoder's end, and how it went."""

    first: list[tuple[np.ndarray, np.ndarray]]
    last: list[tuple[np.ndarray, np.ndarray]]
    errors: np.ndarray
    baselines: np.ndarray
    time_s: float


class Pretrainer:
    """Pretrains the networks of a workload: once for each initializer, method and replicate, whatever the rates and controls.

    What was learned is kept until `forget`, because a network's runs may lie in several chunks.
    """

    def __init__(self, workload: Workload, split: datasets.Split, device: torch.device) -> None:
        self.workload, self.device = workload, device
        self.data = PretrainingData(
            torch.tensor(split.train.x, device=device),
            torch.tensor(split.train.y, device=device),
            workload.scaling == "unit",
        )
        self.steps = log_spaced(workload.pretraining.steps, workload.measure.curve_points)
        self._learned: dict[tuple[str, str, int], PretrainedNetwork] = {}

    @staticmethod
    def key(run: Run) -> tuple[str, str, int] | None:
        """Return what tells a run's pretraining from another; None where it has none."""
        method, _ = parse_pretraining(run.pretraining)
        return None if method == "none" else (run.initializer, method, run.replicate)

    def forget(self, but: Sequence[Run]) -> None:
        """Drop what no run of these needs."""
        needed = {self.key(run) for run in but}
        self._learned = {key: learned for key, learned in self._learned.items() if key in needed}

    def learned(
        self, runs: Sequence[Run], weights: list[np.ndarray], biases: list[np.ndarray]
    ) -> list[PretrainedNetwork | None]:
        """Return what pretraining made of each run's network, whose initial parameters (K, …) are given by layer."""
        todo: dict[str, dict[tuple[str, str, int], int]] = {}
        for k, run in enumerate(runs):
            key = self.key(run)
            if key and key not in self._learned:
                todo.setdefault(key[1], {}).setdefault(key, k)
        for method, places in todo.items():
            size = networks_at_once(len(self.data.y), self.workload.widths)
            keys = list(places)
            for start in range(0, len(keys), size):
                some = keys[start : start + size]
                self._pretrain(method, some, [places[key] for key in some], weights, biases)
        return [self._learned.get(self.key(run)) for run in runs]

    def _pretrain(
        self,
        method: str,
        keys: list[tuple[str, str, int]],
        places: list[int],
        weights: list[np.ndarray],
        biases: list[np.ndarray],
    ) -> None:
        work, count = self.workload, self.workload.pretrained_layers
        first = [[torch.from_numpy(p[places]).to(self.device) for p in ps[:count]] for ps in (weights, biases)]
        decoders = []
        for layer in range(count):
            drawn = [self._decoder(method, initializer, replicate, layer) for initializer, _, replicate in keys]
            both = (np.stack(part).astype(np.float32) for part in zip(*drawn, strict=True))
            w, b = (torch.from_numpy(part).to(self.device) for part in both)
            decoders.append((w, b[:, None]))
        seeds = [pretraining_seed(work, replicate) for _, _, replicate in keys]
        found = pretrain(
            method, self.data, *first, activations(work)[:count], decoders, work.pretraining, seeds,
            work.measure.curve_points,
        )  # fmt: skip
        unrolled = list(zip(*unroll(found), strict=True))
        ends = unrolled[:count], unrolled[count:] if work.task.is_reconstruction else []
        for k, key in enumerate(keys):
            first, last = ([(w[k].cpu().numpy(), b[k].cpu().numpy()) for w, b in end] for end in ends)
            self._learned[key] = PretrainedNetwork(
                first, last, found.errors[k].cpu().numpy(), found.baselines[k].cpu().numpy(), found.time_s
            )

    def _decoder(self, method: str, initializer: str, replicate: int, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw what lies above a layer while it learns, by the network's own initializer."""
        fan_in, widths = self.workload.widths[layer + 1], self.workload.widths
        fan_out = widths[-1] if method == "supervised" else widths[layer]
        rng = np.random.default_rng(
            seed(self.workload.seed, "pretraining weights", method=method, replicate=replicate, layer=layer + 1)
        )
        return schemes.draw(initializer, schemes.Layer(fan_in, fan_out, self.workload.activation, rng))


def pretraining_seed(workload: Workload, replicate: int) -> int:
    """Return the seed of a replicate's mini-batches and noise in pretraining, which all methods and initializers share."""
    return seed(workload.seed, "pretraining", dataset=workload.dataset, replicate=replicate)
