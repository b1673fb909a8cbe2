"""Networks before their first training step: drawn, calibrated and pretrained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from winit import schemes
from winit.engine.engine import Engine, NetworkSpec
from winit.study.protocol import Run
from winit.study.seeds import seed
from winit.study.workload import Workload
from winit.training.calibration import Calibration, Cost
from winit.training.controls import CONTROLS
from winit.training.data import WorkloadData
from winit.training.pretraining import LayersByIndex, PretrainedNetwork
from winit.vocabulary.pretraining import parse_pretraining


def initial_parameters(
    workload: Workload, runs: Sequence[Run], calibration: Calibration | None = None
) -> tuple[list[np.ndarray], list[np.ndarray], list[Cost]]:
    """Draw weights (K, fan_in, fan_out) and biases (K, 1, fan_out) of every layer, in float32, on the CPU.

    The random stream depends only on replicate and layer, so schemes, learning rates and devices share it.

    Args:
        workload: the workload of the runs.
        runs: K runs.
        calibration: for data-dependent initializers.

    Returns:
        Weights and biases by layer, and the cost of calibrating each network.
    """
    drawn: dict[tuple[str, int], tuple[list[tuple[np.ndarray, np.ndarray]], Cost]] = {}
    shapes = list(pairwise(workload.widths))
    for run in runs:
        key = run.initializer, run.replicate
        if key in drawn:
            continue
        layers = []
        for index, (fan_in, fan_out) in enumerate(shapes, start=1):
            rng = np.random.default_rng(seed(workload.seed, "weights", replicate=run.replicate, layer=index))
            layer = schemes.Layer(fan_in, fan_out, workload.activation, rng, index, len(shapes) - 1)
            layers.append(schemes.draw(run.initializer, layer))
        stream = seed(workload.seed, "calibration", dataset=workload.dataset, replicate=run.replicate)
        drawn[key] = calibration(run.initializer, layers, stream) if calibration else (layers, Cost())
    each, costs = zip(*(drawn[run.initializer, run.replicate] for run in runs), strict=True)
    weights = [np.stack([layers[i][0] for layers in each]).astype(np.float32) for i in range(len(shapes))]
    biases = [np.stack([layers[i][1] for layers in each]).astype(np.float32)[:, None] for i in range(len(shapes))]
    return weights, biases, list(costs)


@dataclass(frozen=True)
class InitialState:
    """Networks before their first training step.

    Attributes:
        weights, biases: of every layer, (K, fan_in, fan_out) and (K, 1, fan_out), float32, on the CPU.
        costs: cost of calibrating each network.
        drawn: weights and biases before pretraining; None if no network is pretrained.
        pretrained: the pretraining of each network; None for networks without pretraining.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    costs: list[Cost]
    drawn: tuple[list[np.ndarray], list[np.ndarray]] | None
    pretrained: list[PretrainedNetwork | None]

    def before_pretraining(self) -> InitialState | None:
        """Return the networks as drawn; None if no network is pretrained."""
        return replace(self, weights=self.drawn[0], biases=self.drawn[1], drawn=None) if self.drawn else None


def initial_state(workload: Workload, runs: Sequence[Run], data: WorkloadData) -> InitialState:
    """Draw, calibrate and pretrain the networks of some runs.

    Pretraining starts from the drawn parameters. A control then changes the pretrained layers. Other layers stay as drawn.
    """
    weights, biases, costs = initial_parameters(workload, runs, data.calibration)
    pretrained = data.pretrainer.pretrained(runs, weights, biases)
    if not any(pretrained):
        return InitialState(weights, biases, costs, None, pretrained)
    drawn = weights, biases
    weights, biases = [w.copy() for w in weights], [b.copy() for b in biases]
    for k, (run, network) in enumerate(zip(runs, pretrained, strict=True)):
        if network:
            for layer, (w, b) in _after_control(workload, run, network.layers).items():
                weights[layer][k], biases[layer][k] = w, b
    return InitialState(weights, biases, costs, drawn, pretrained)


def _after_control(workload: Workload, run: Run, layers: LayersByIndex) -> LayersByIndex:
    """Return pretrained layers, changed by the control of a run if it has one."""
    control = parse_pretraining(run.pretraining).control
    if not control:
        return layers
    stream = seed(workload.seed, "pretraining control", replicate=run.replicate)
    parameters = [w for w, _ in layers.values()] + [b for _, b in layers.values()]
    stacks = CONTROLS[control]([torch.from_numpy(p)[None] for p in parameters], [stream])
    changed = [stack[0].numpy() for stack in stacks]
    return dict(zip(layers, zip(changed[: len(layers)], changed[len(layers) :], strict=True), strict=True))


def make_networks(
    workload: Workload,
    runs: Sequence[Run],
    engine: type[Engine],
    spec: NetworkSpec,
    begun: InitialState,
    device: torch.device,
) -> Engine:
    """Return the networks of some runs at the start of training, as one stack.

    Dropout has a random stream per replicate, shared by all initializers and rates.
    """
    seeds = [seed(workload.seed, "dropout", dataset=workload.dataset, replicate=run.replicate) for run in runs]
    return engine(_on_device(begun.weights, device), _on_device(begun.biases, device), spec, seeds)


def _on_device(parameters: Sequence[np.ndarray], device: torch.device) -> list[Tensor]:
    return [torch.from_numpy(p).to(device) for p in parameters]
