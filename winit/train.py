"""Train the runs of one workload: runs in, store rows out.

The runs of a workload have the same shape, so they are trained as stacks, a cache-sized chunk at a time, each chunk
through all its steps. A run's numbers do not depend on the chunk it lands in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from winit import data, initializers, probes
from winit.activations import ACTIVATIONS
from winit.network import Stack, align, optimizer
from winit.store import CURVE_COLUMNS, LAYER_COLUMNS
from winit.study import Run, Workload, log_spaced, seed

# Weights and activations of a chunk should stay near a core's caches; a GPU wants hundreds of networks instead.
CHUNK_BYTES = {"cpu": 6 << 20, "cuda": 4 << 30}
CHUNK_NETWORKS = {"cpu": 64, "cuda": 2048}


def choose_device(wanted: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`.

    Raises:
        ValueError: cuda is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device: got cuda, but torch sees no CUDA device here; allowed is cpu, or auto to take what is there"
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def chunk_size(workload: Workload, device: torch.device) -> int:
    """Return how many networks to train in one stack."""
    n = workload.widths
    copies = {"sgd": 1, "momentum": 2, "adam": 4}[workload.training.optimizer]
    weights = sum(a * b for a, b in pairwise(n)) * copies
    bytes_each = 4 * (weights + workload.training.batch_size * sum(n))
    return max(1, min(CHUNK_NETWORKS[device.type], CHUNK_BYTES[device.type] // bytes_each))


def initial_parameters(workload: Workload, runs: Sequence[Run]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw weights (K, fan_in, fan_out) and biases (K, 1, fan_out) of every layer, in float32, on the CPU.

    The stream of a layer is named by replicate and layer alone: schemes, learning rates and devices share it.
    """
    drawn: dict[tuple[str, int], list[tuple[np.ndarray, np.ndarray]]] = {}
    shapes = list(pairwise(workload.widths))
    for run in runs:
        key = run.initializer, run.replicate
        if key not in drawn:
            drawn[key] = []
            for index, (fan_in, fan_out) in enumerate(shapes, start=1):
                rng = np.random.default_rng(seed(workload.seed, "weights", replicate=run.replicate, layer=index))
                layer = initializers.Layer(fan_in, fan_out, workload.activation, rng)
                drawn[key].append(initializers.draw(run.initializer, layer))
    each = [drawn[run.initializer, run.replicate] for run in runs]
    weights = [np.stack([layers[i][0] for layers in each]).astype(np.float32) for i in range(len(shapes))]
    biases = [np.stack([layers[i][1] for layers in each]).astype(np.float32)[:, None] for i in range(len(shapes))]
    return weights, biases


def mini_batches(workload: Workload, replicate: int, examples: int, steps: int) -> np.ndarray:
    """Return indices (steps, B) of the mini-batches of a replicate: shuffled epochs, one after another."""
    rng = np.random.default_rng(seed(workload.seed, "batches", dataset=workload.dataset, replicate=replicate))
    needed = steps * workload.training.batch_size
    epochs = [rng.permutation(examples) for _ in range(-(-needed // examples))]
    return np.concatenate(epochs)[:needed].reshape(steps, -1)


class Task:
    """A workload's data on its device, in the parts that training and measuring use."""

    def __init__(self, workload: Workload, device: torch.device) -> None:
        source = seed(workload.seed, "data", dataset=workload.dataset)
        split = data.load(workload.dataset, workload.dataset_parameters, source)

        def part(of: data.Part, examples: int | None = None) -> tuple[Tensor, Tensor]:
            # Copied, because torch aligns its memory and numpy does not.
            return torch.tensor(of.x[:examples], device=device), torch.tensor(of.y[:examples], device=device)

        self.x, self.y = part(split.train)
        self.validation = part(split.validation)
        self.test = part(split.test)
        # The split is shuffled, so the first examples are a fair sample.
        self.train_sample = part(split.train, len(split.validation.y))
        self.probe = part(split.train, workload.measure.probe_examples)


def train_chunk(workload: Workload, runs: Sequence[Run], task: Task, device: torch.device) -> list[dict[str, object]]:
    """Train and measure runs as one stack, and return their rows of the run store.

    At each evaluated step the curves are taken, at each probed step the layers, both before the step's update. One
    step more than the budget is computed, only to measure the update that would follow.
    """
    started = time.perf_counter()
    training, steps = workload.training, workload.training.steps
    curve_steps = log_spaced(steps, workload.measure.curve_points)
    layer_steps = log_spaced(steps, workload.measure.layer_points)
    K, L = len(runs), workload.depth + 1

    weights, biases = initial_parameters(workload, runs)
    stack = Stack(
        [torch.from_numpy(w).to(device) for w in weights],
        [torch.from_numpy(b).to(device) for b in biases],
        ACTIVATIONS[workload.activation],
        training.batch_size,
    )
    rates = torch.tensor([run.learning_rate for run in runs], device=device).reshape(-1, 1, 1)
    update = optimizer(training.optimizer, stack.parameters, rates, training.momentum)

    replicates = sorted({run.replicate for run in runs})
    batches = {r: mini_batches(workload, r, len(task.y), steps + 1) for r in replicates}
    order = torch.from_numpy(np.stack([batches[run.replicate] for run in runs], axis=1)).to(device)  # (steps + 1, K, B)

    curves = {name: np.full((K, len(curve_steps)), np.nan, np.float32) for name in CURVE_COLUMNS}
    layers = {name: np.full((K, len(layer_steps), L), np.nan) for name in LAYER_COLUMNS}
    test = np.full((K, 2), np.nan)
    diverged: dict[int, tuple[int, int]] = {}
    alive = np.arange(K)  # the runs still in the stack

    for step in range(steps + 1):
        if step in curve_steps:
            at = curve_steps.index(step)
            for part, (x, y) in (("train", task.train_sample), ("validation", task.validation)):
                loss, accuracy = probes.loss_and_accuracy(stack.predict(x), y)
                curves[f"{part}_loss"][alive, at] = loss.cpu()
                curves[f"{part}_accuracy"][alive, at] = accuracy.cpu()
        if step == steps:
            x, y = task.test
            test[alive] = torch.stack(probes.loss_and_accuracy(stack.predict(x), y), dim=1).cpu()

        x, y = align(task.x[order[step]]), task.y[order[step]]
        finite = torch.isfinite(stack.forward(x).sum(dim=(1, 2)))
        if not finite.all():
            if step < steps:
                for k in torch.nonzero(~finite).flatten().tolist():
                    diverged[int(alive[k])] = step + 1, stack.first_non_finite_layer(k, x[k])
            # A diverged network leaves the stack; the others go on with the same bits.
            kept = torch.nonzero(finite).flatten()
            alive, order = alive[kept.cpu().numpy()], order[:, kept]
            stack.keep(kept)
            update.keep(kept)
            if not len(alive):
                break
            x, y = align(x[kept]), y[kept]
            stack.forward(x)
        if step in layer_steps:
            at = layer_steps.index(step)
            measured = probes.layer_statistics(stack.weights, stack.biases, workload.activation, *task.probe)
            for name, values in measured.items():
                layers[name][alive, at] = values.cpu()
            before = [w.clone() for w in stack.weights]
        stack.backward(x, y, update)
        if step in layer_steps:
            layers["update_ratio"][alive, at] = probes.update_ratio(before, stack.weights).cpu()

    share = (time.perf_counter() - started) / K
    return [
        {
            "run_id": run.id,
            "initializer": run.initializer,
            "learning_rate": run.learning_rate,
            "replicate": run.replicate,
            "diverged_step": diverged.get(k, (None, None))[0],
            "diverged_layer": diverged.get(k, (None, None))[1],
            "test_loss": test[k, 0],
            "test_accuracy": test[k, 1],
            "device": device.type,
            "wall_time_s": share,
            "curve_step": curve_steps,
            "layer_step": layer_steps,
            **{name: values[k] for name, values in curves.items()},
            **{name: values[k].ravel() for name, values in layers.items()},
        }
        for k, run in enumerate(runs)
    ]


def train(
    workload: Workload, runs: Sequence[Run], device: torch.device, networks: int | None = None
) -> Iterator[list[dict[str, object]]]:
    """Train runs of a workload, and yield the store's rows of each finished chunk.

    Args:
        workload: what the runs have in common.
        runs: those to train, in any order and number.
        device: where to train.
        networks: the size of a chunk; by default what suits the machine. It does not change any number.
    """
    # One thread a process: faster for many small products, and the condition for bits that do not depend on the chunk.
    torch.set_num_threads(1)
    # Subnormal numbers slow tanh down threefold; a value below 1e-38 counts as 0 in training.
    torch.set_flush_denormal(True)
    task = Task(workload, device)
    size = networks or chunk_size(workload, device)
    for start in range(0, len(runs), size):
        yield train_chunk(workload, runs[start : start + size], task, device)
