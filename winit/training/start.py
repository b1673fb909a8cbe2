"""Networks before their first training step: drawn, calibrated, pretrained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from winit import schemes
from winit.engine.engine import Engine, NetworkSpec
from winit.study.model import Run, Workload
from winit.study.seeds import seed
from winit.training.calibration import Calibration, Cost
from winit.training.controls import CONTROLS
from winit.training.task import WorkloadData
from winit.vocabulary.pretraining import parse_pretraining


def initial_parameters(
    workload: Workload, runs: Sequence[Run], calibration: Calibration | None = None
) -> tuple[list[np.ndarray], list[np.ndarray], list[Cost]]:
    """Draw weights (K, fan_in, fan_out) and biases (K, 1, fan_out) of every layer, in float32, on the CPU.

    The stream of a layer is named by replicate and layer alone: schemes, learning rates and devices share it.

    Args:
        workload: what the runs have in common.
        runs: K of them.
        calibration: for initializers that look at data.

    Returns:
        Weights and biases by layer, and what the calibration of each network has cost.
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
    """Networks before their first step of training.

    Attributes:
        weights, biases: of every layer, (K, fan_in, fan_out) and (K, 1, fan_out), float32, on the CPU.
        costs: what calibrating each has cost.
        drawn: weights and biases as they were before pretraining; None where no network is pretrained.
        errors, baselines: of each network's pretraining, (layers, steps) and (layers,); None where there was none.
        error_steps: at which those errors were measured.
        times_s: wall time of each network's pretraining, seconds.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    costs: list[Cost]
    drawn: tuple[list[np.ndarray], list[np.ndarray]] | None
    errors: list[np.ndarray | None]
    baselines: list[np.ndarray | None]
    error_steps: list[int]
    times_s: list[float]


def initial_state(workload: Workload, runs: Sequence[Run], task: WorkloadData) -> InitialState:
    """Draw, calibrate and pretrain the networks of some runs.

    What is pretrained starts from what was drawn; a control then changes what was learned. All else stays as it was drawn.
    """
    weights, biases, costs = initial_parameters(workload, runs, task.calibration)
    learned = task.pretrainer.learned(runs, weights, biases)
    drawn = None
    if any(learned):
        drawn = weights, biases
        weights, biases = [w.copy() for w in weights], [b.copy() for b in biases]
    for k, (run, one) in enumerate(zip(runs, learned, strict=True)):
        if one is None:
            continue
        L, layers = len(weights), [*enumerate(one.first)]
        layers += [(L - len(one.last) + i, pair) for i, pair in enumerate(one.last)]
        new = [w for _, (w, _) in layers] + [b for _, (_, b) in layers]
        _, control = parse_pretraining(run.pretraining)
        if control:
            stream = seed(workload.seed, "pretraining control", replicate=run.replicate)
            stacks = CONTROLS[control]([torch.from_numpy(p)[None] for p in new], [stream])
            new = [stack[0].numpy() for stack in stacks]
        for i, (layer, _) in enumerate(layers):
            weights[layer][k], biases[layer][k] = new[i], new[len(layers) + i]
    return InitialState(
        weights, biases, costs, drawn,
        [one.errors if one else None for one in learned], [one.baselines if one else None for one in learned],
        task.pretrainer.steps, [one.time_s if one else 0.0 for one in learned],
    )  # fmt: skip


def make_networks(
    workload: Workload,
    runs: Sequence[Run],
    engine: type[Engine],
    spec: NetworkSpec,
    begun: InitialState,
    device: torch.device,
) -> Engine:
    """Return the networks of some runs at their start, as one stack.

    Dropout has a stream of its own for every replicate, which all initializers and rates share.
    """
    seeds = [seed(workload.seed, "dropout", dataset=workload.dataset, replicate=run.replicate) for run in runs]
    return engine(on_device(begun.weights, device), on_device(begun.biases, device), spec, seeds)


def on_device(parameters: Sequence[np.ndarray], device: torch.device) -> list[Tensor]:
    """Return parameters as tensors on a device."""
    return [torch.from_numpy(p).to(device) for p in parameters]
