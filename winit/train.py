"""Train the runs of one workload: runs in, store rows out.

The runs of a workload have the same shape, so they are trained as stacks, a cache-sized chunk at a time, each chunk
through all its steps. A run's numbers do not depend on the chunk it lands in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import numpy as np
import torch
from torch import Tensor

from winit import data, initializers, probes
from winit.calibrate import CALIBRATION_EXAMPLES, Calibration, Cost
from winit.network import Networks, Optimizer, Stack
from winit.regularization import Dropout
from winit.store import CURVE_COLUMNS, HISTOGRAM_COLUMNS, JACOBIAN_COLUMNS, LAYER_COLUMNS, TRACE_COLUMNS
from winit.study import Run, Workload, log_spaced, seed

LOG = logging.getLogger("winit")

# Weights and activations of a chunk should stay near a core's caches; a GPU wants hundreds of networks instead.
CHUNK_BYTES = {"cpu": 6 << 20, "cuda": 4 << 30}
CHUNK_NETWORKS = {"cpu": 64, "cuda": 2048}
COPIES = {"sgd": 2, "momentum": 3, "nesterov": 3, "adam": 4, "adamw": 4}  # of the parameters: gradient, state


def choose_device(wanted: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`.

    Raises:
        ValueError: cuda is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device: got cuda, but torch sees no CUDA device here; allowed is cpu, or auto to take what is there"
        )
    device = torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
    if wanted == "auto":
        LOG.info(
            "device: auto takes %s", "the CUDA device" if device.type == "cuda" else "the CPU: there is no CUDA device"
        )
    return device


def choose_engine(wanted: str, workload: Workload, device: torch.device) -> type[Networks]:
    """Return the engine for `auto`, `kernel` or `torch`.

    `auto` takes the kernel wherever it can run. The choice depends on the workload's shape alone and never on how many
    runs are to be trained, so that a run has the same bits whenever it is trained.

    Raises:
        ValueError: the kernel is asked for and cannot run.
    """
    if wanted == "torch":
        return Stack
    reason = None
    if device.type != "cpu":
        reason = f"it runs on the CPU, not on {device.type}"
    else:
        try:
            from winit import kernel
        except ImportError as error:
            reason = f"{error.name} is not installed"
        else:
            if workload.batch_norm or workload.dropout:
                reason = "it has neither batch normalization nor dropout"
            elif kernel.supports(workload.activation, workload.training.optimizer):
                return kernel.KernelStack
            else:
                reason = f"it has no vector code for {workload.activation} with {workload.training.optimizer}"
    if wanted == "kernel":
        raise ValueError(f"engine: got kernel, but {reason}; allowed is torch, or auto to take what can run")
    return Stack


def chunk_size(workload: Workload, device: torch.device) -> int:
    """Return how many networks to train in one stack."""
    n = workload.widths
    weights = sum(a * b for a, b in pairwise(n)) * COPIES[workload.training.optimizer]
    bytes_each = 4 * (weights + workload.training.batch_size * sum(n))
    return max(1, min(CHUNK_NETWORKS[device.type], CHUNK_BYTES[device.type] // bytes_each))


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
            layer = initializers.Layer(fan_in, fan_out, workload.activation, rng, index == len(shapes))
            layers.append(initializers.draw(run.initializer, layer))
        stream = seed(workload.seed, "calibration", dataset=workload.dataset, replicate=run.replicate)
        drawn[key] = calibration(run.initializer, layers, stream) if calibration else (layers, Cost())
    each, costs = zip(*(drawn[run.initializer, run.replicate] for run in runs), strict=True)
    weights = [np.stack([layers[i][0] for layers in each]).astype(np.float32) for i in range(len(shapes))]
    biases = [np.stack([layers[i][1] for layers in each]).astype(np.float32)[:, None] for i in range(len(shapes))]
    return weights, biases, list(costs)


def mini_batches(workload: Workload, replicate: int, examples: int, steps: int) -> np.ndarray:
    """Return indices (steps, B) of the mini-batches of a replicate: shuffled epochs, one after another."""
    rng = np.random.default_rng(seed(workload.seed, "batches", dataset=workload.dataset, replicate=replicate))
    needed = steps * workload.training.batch_size
    epochs = [rng.permutation(examples) for _ in range(-(-needed // examples))]
    return np.concatenate(epochs)[:needed].reshape(steps, -1)


def learning_rates(workload: Workload, runs: Sequence[Run], steps: int) -> np.ndarray:
    """Return the learning rate (steps, K) of every run at every step: its own, times the schedule's factor."""
    factors = np.array([workload.training.rate_factor(t) for t in range(steps)])
    return factors[:, None] * np.array([run.learning_rate for run in runs])


def make_networks(
    workload: Workload, runs: Sequence[Run], engine: type[Networks], task: Task, device: torch.device
) -> tuple[Networks, list[Cost]]:
    """Return the untrained networks of some runs, as one stack, and what calibrating each has cost.

    Dropout has a stream of its own for every replicate, which all initializers and rates share.
    """
    *drawn, costs = initial_parameters(workload, runs, task.calibration)
    weights, biases = ([torch.from_numpy(p).to(device) for p in ps] for ps in drawn)
    training = workload.training
    optimizer = Optimizer(training.optimizer, training.momentum, training.weight_decay)
    options: dict[str, object] = {}
    if workload.batch_norm:
        options["batch_norm"] = True
    if workload.dropout:
        seeds = [seed(workload.seed, "dropout", dataset=workload.dataset, replicate=run.replicate) for run in runs]
        options["dropout"] = Dropout(workload.dropout, seeds)
    return engine(weights, biases, workload.activation, optimizer, training.batch_size, **options), costs


class Task:
    """A workload's data on its device, in the parts that training and measuring use."""

    def __init__(self, workload: Workload, engine: type[Networks], device: torch.device) -> None:
        source = seed(workload.seed, "data", dataset=workload.dataset)
        split = data.load(workload.dataset, workload.dataset_parameters, source, workload.data_dir)

        def part(of: data.Part, examples: int | None = None) -> tuple[Tensor, Tensor]:
            # Copied, because torch aligns its memory and numpy does not.
            return torch.tensor(of.x[:examples], device=device), torch.tensor(of.y[:examples], device=device)

        def prepared(of: data.Part, examples: int | None = None) -> tuple[Tensor, Tensor]:
            x, y = part(of, examples)
            return engine.prepare(x), y

        self.x, self.y = prepared(split.train)
        self.validation = prepared(split.validation)
        self.test = prepared(split.test)
        # The split is shuffled, so the first examples are a fair sample.
        self.train_sample = prepared(split.train, len(split.validation.y))
        self.probe = part(split.train, workload.measure.probe_examples)

        rng = np.random.default_rng(seed(workload.seed, "calibration", dataset=workload.dataset))
        chosen = rng.permutation(len(split.train.y))[:CALIBRATION_EXAMPLES]
        self.calibration = Calibration(
            torch.tensor(split.train.x[chosen]).double(),
            torch.tensor(split.train.y[chosen]),
            workload.activation,
            workload.training.batch_size,
            workload.batch_norm,
            uses_sign=workload.training.optimizer in ("adam", "adamw"),
        )


def train_chunk(
    workload: Workload, runs: Sequence[Run], engine: type[Networks], task: Task, device: torch.device
) -> list[dict[str, object]]:
    """Train and measure runs as one stack, and return their rows of the run store.

    At each evaluated step the curves are taken, at each probed step the layers, both before the step's update. One
    step more than the budget is computed, only to measure the update that would follow.
    """
    steps = workload.training.steps
    curve_steps = log_spaced(steps, workload.measure.curve_points)
    layer_steps = log_spaced(steps, workload.measure.layer_points)
    trace_steps = log_spaced(steps - 1, workload.measure.trace_points)
    K, L = len(runs), workload.depth + 1

    networks, costs = make_networks(workload, runs, engine, task, device)
    started = time.perf_counter()
    rates = torch.from_numpy(learning_rates(workload, runs, steps + 1)).float().to(device)
    batches = {r: mini_batches(workload, r, len(task.y), steps + 1) for r in {run.replicate for run in runs}}
    order = torch.from_numpy(np.stack([batches[run.replicate] for run in runs], axis=1)).to(device)  # (steps + 1, K, B)

    curves = {name: np.full((K, len(curve_steps)), np.nan, np.float32) for name in CURVE_COLUMNS}
    layers = {name: np.full((K, len(layer_steps), L), np.nan) for name in LAYER_COLUMNS}
    bins = workload.measure.histogram_bins
    counts = {name: np.zeros((K, len(layer_steps), L, bins), np.int64) for name in HISTOGRAM_COLUMNS}
    jacobians = np.full((K, len(layer_steps), len(JACOBIAN_COLUMNS)), np.nan)
    traces = np.full((K, len(trace_steps), L, len(TRACE_COLUMNS)), np.nan, np.float32)
    test = np.full((K, 2), np.nan)
    diverged: dict[int, tuple[int, int]] = {}
    alive = np.arange(K)  # the runs still in the stack

    def evaluate(at: int) -> None:
        for part, (x, y) in (("train", task.train_sample), ("validation", task.validation)):
            loss, accuracy = probes.loss_and_accuracy(networks.predict(x), y)
            curves[f"{part}_loss"][alive, at] = loss.cpu()
            curves[f"{part}_accuracy"][alive, at] = accuracy.cpu()

    def advance(start: int, stop: int) -> None:
        """Take the steps from `start` to `stop`; networks that diverge on the way leave the stack."""
        nonlocal alive, order, rates
        for traced, group in groupby(range(start, stop), key=set(trace_steps).__contains__):
            part = list(group)
            if not len(alive):
                return
            lost, trace = networks.advance(task.x, task.y, order[part], rates[part], traced)
            if traced:
                traces[np.ix_(alive, [trace_steps.index(step) for step in part])] = trace.float().cpu()
            if lost:
                diverged.update({int(alive[k]): (part[0] + step + 1, layer) for k, (step, layer) in lost.items()})
                kept = torch.tensor([k for k in range(networks.size) if k not in lost], dtype=torch.long)
                alive, kept = alive[kept.numpy()], kept.to(device)
                order, rates = order[:, kept], rates[:, kept]
                networks.keep(kept)

    events = sorted({*curve_steps, *layer_steps})
    for step, following in zip(events, [*events[1:], steps], strict=True):
        if not len(alive):
            break
        if step in curve_steps:
            evaluate(curve_steps.index(step))
        if step == steps:
            test[alive] = torch.stack(
                probes.loss_and_accuracy(networks.predict(task.test[0]), task.test[1]), dim=1
            ).cpu()
        if step in layer_steps:
            at = layer_steps.index(step)
            measured = probes.layer_statistics(networks, workload.activation, *task.probe, bins)
            for name, values in measured.items():
                (counts if name in counts else layers)[name][alive, at] = values.cpu()
            jacobians[alive, at] = probes.jacobian_statistics(networks, task.probe[0]).cpu()
            before, were = [w.clone() for w in networks.weights], alive
            advance(step, step + 1)
            same = torch.from_numpy(np.flatnonzero(np.isin(were, alive))).to(device)
            if len(alive):
                ratio = probes.update_ratio([w[same] for w in before], networks.weights)
                layers["update_ratio"][alive, at] = ratio.cpu()
            step += 1
        if step < following and len(alive):
            advance(step, following)
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
            "engine": engine.engine,
            "wall_time_s": share,
            "calibration_time_s": costs[k].time_s,
            "calibration_forward": costs[k].forward,
            "calibration_backward": costs[k].backward,
            "curve_step": curve_steps,
            "layer_step": layer_steps,
            **{name: values[k] for name, values in curves.items()},
            **{name: values[k].ravel() for name, values in (layers | counts).items()},
            **{f"jacobian_{name}": jacobians[k, :, i] for i, name in enumerate(JACOBIAN_COLUMNS)},
            "trace_step": trace_steps,
            **{f"trace_{name}": traces[k, :, :, i].ravel() for i, name in enumerate(TRACE_COLUMNS)},
        }
        for k, run in enumerate(runs)
    ]


def train(
    workload: Workload, runs: Sequence[Run], device: torch.device, engine: str = "auto", networks: int | None = None
) -> Iterator[list[dict[str, object]]]:
    """Train runs of a workload, and yield the store's rows of each finished chunk.

    Args:
        workload: what the runs have in common.
        runs: those to train, in any order and number.
        device: where to train.
        engine: `auto`, `kernel` or `torch`; see `choose_engine`.
        networks: the size of a chunk; by default what suits the machine. It does not change any number.
    """
    # One thread a process: faster for many small products, and the condition for bits that do not depend on the chunk.
    torch.set_num_threads(1)
    # Subnormal numbers slow tanh down threefold; a value below 1e-38 counts as 0 in training.
    torch.set_flush_denormal(True)
    chosen = choose_engine(engine, workload, device)
    task = Task(workload, chosen, device)
    size = networks or chunk_size(workload, device)
    for start in range(0, len(runs), size):
        yield train_chunk(workload, runs[start : start + size], chosen, task, device)
