"""Train the runs of one workload: runs in, store rows out.

The runs of a workload have the same shape, so they are trained as stacks, a cache-sized chunk at a time, each chunk
through all its steps. A run's numbers do not depend on the chunk it lands in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np
import torch
from torch import Tensor

from winit import catalog, data, initializers, pretrain, probes
from winit.autoencoder import Autoencoder
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
    own = Autoencoder if workload.task.is_reconstruction else Stack
    if wanted == "torch":
        return own
    reason = None
    if device.type != "cpu":
        reason = f"it runs on the CPU, not on {device.type}"
    else:
        try:
            from winit import kernel
        except ImportError as error:
            reason = f"{error.name} is not installed"
        else:
            if workload.task.is_reconstruction:
                reason = "it trains classifiers"
            elif workload.batch_norm or workload.dropout:
                reason = "it has neither batch normalization nor dropout"
            elif kernel.supports(workload.activation, workload.training.optimizer):
                return kernel.KernelStack
            else:
                reason = f"it has no vector code for {workload.activation} with {workload.training.optimizer}"
    if wanted == "kernel":
        raise ValueError(f"engine: got kernel, but {reason}; allowed is torch, or auto to take what can run")
    return own


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
    return data.shuffled_epochs(rng, examples, steps, workload.training.batch_size)


def learning_rates(workload: Workload, runs: Sequence[Run], steps: int) -> np.ndarray:
    """Return the learning rate (steps, K) of every run at every step: its own, times the schedule's factor."""
    factors = np.array([workload.training.rate_factor(t) for t in range(steps)])
    return factors[:, None] * np.array([run.learning_rate for run in runs])


@dataclass(frozen=True)
class Start:
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


def activations(workload: Workload) -> list[str]:
    """Return the activation of every hidden layer: the workload's, but for the linear code of a deep autoencoder."""
    each = [workload.activation] * workload.depth
    if workload.task.is_reconstruction:
        each[len(workload.task.encoder) - 1] = "identity"
    return each


@dataclass(frozen=True)
class Learned:
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

    def __init__(self, workload: Workload, split: data.Split, device: torch.device) -> None:
        self.workload, self.device = workload, device
        self.data = pretrain.Data(
            torch.tensor(split.train.x, device=device), torch.tensor(split.train.y, device=device), workload.scaling == "unit"
        )
        self.steps = log_spaced(workload.pretraining.steps, workload.measure.curve_points)
        self._learned: dict[tuple[str, str, int], Learned] = {}

    @staticmethod
    def key(run: Run) -> tuple[str, str, int] | None:
        """Return what tells a run's pretraining from another; None where it has none."""
        method, _ = catalog.parse_pretraining(run.pretraining)
        return None if method == "none" else (run.initializer, method, run.replicate)

    def forget(self, but: Sequence[Run]) -> None:
        """Drop what no run of these needs."""
        needed = {self.key(run) for run in but}
        self._learned = {key: learned for key, learned in self._learned.items() if key in needed}

    def learned(
        self, runs: Sequence[Run], weights: list[np.ndarray], biases: list[np.ndarray]
    ) -> list[Learned | None]:
        """Return what pretraining made of each run's network, whose initial parameters (K, …) are given by layer."""
        todo: dict[str, dict[tuple[str, str, int], int]] = {}
        for k, run in enumerate(runs):
            key = self.key(run)
            if key and key not in self._learned:
                todo.setdefault(key[1], {}).setdefault(key, k)
        for method, places in todo.items():
            size = pretrain.networks_at_once(len(self.data.y), self.workload.widths)
            keys = list(places)
            for start in range(0, len(keys), size):
                some = keys[start : start + size]
                self._pretrain(method, some, [places[key] for key in some], weights, biases)
        return [self._learned.get(self.key(run)) for run in runs]

    def _pretrain(
        self, method: str, keys: list[tuple[str, str, int]], places: list[int], weights: list[np.ndarray], biases: list[np.ndarray]
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
        found = pretrain.pretrain(
            method, self.data, *first, activations(work)[:count], decoders, work.pretraining, seeds,
            work.measure.curve_points,
        )  # fmt: skip
        unrolled = list(zip(*pretrain.unroll(found), strict=True))
        ends = unrolled[:count], unrolled[count:] if work.task.is_reconstruction else []
        for k, key in enumerate(keys):
            first, last = ([(w[k].cpu().numpy(), b[k].cpu().numpy()) for w, b in end] for end in ends)
            self._learned[key] = Learned(first, last, found.errors[k].cpu().numpy(), found.baselines[k].cpu().numpy(), found.time_s)

    def _decoder(self, method: str, initializer: str, replicate: int, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw what lies above a layer while it learns, by the network's own initializer."""
        fan_in, widths = self.workload.widths[layer + 1], self.workload.widths
        fan_out = widths[-1] if method == "supervised" else widths[layer]
        rng = np.random.default_rng(
            seed(self.workload.seed, "pretraining weights", method=method, replicate=replicate, layer=layer + 1)
        )
        return initializers.draw(initializer, initializers.Layer(fan_in, fan_out, self.workload.activation, rng))


def pretraining_seed(workload: Workload, replicate: int) -> int:
    """Return the seed of a replicate's mini-batches and noise in pretraining, which all methods and initializers share."""
    return seed(workload.seed, "pretraining", dataset=workload.dataset, replicate=replicate)


def begin(workload: Workload, runs: Sequence[Run], task: Task) -> Start:
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
        _, control = catalog.parse_pretraining(run.pretraining)
        if control:
            stream = seed(workload.seed, "pretraining control", replicate=run.replicate)
            stacks = pretrain.CONTROLS[control]([torch.from_numpy(p)[None] for p in new], [stream])
            new = [stack[0].numpy() for stack in stacks]
        for i, (layer, _) in enumerate(layers):
            weights[layer][k], biases[layer][k] = new[i], new[len(layers) + i]
    return Start(
        weights, biases, costs, drawn,
        [one.errors if one else None for one in learned], [one.baselines if one else None for one in learned],
        task.pretrainer.steps, [one.time_s if one else 0.0 for one in learned],
    )  # fmt: skip


def make_networks(
    workload: Workload, runs: Sequence[Run], engine: type[Networks], begun: Start, device: torch.device
) -> Networks:
    """Return the networks of some runs at their start, as one stack.

    Dropout has a stream of its own for every replicate, which all initializers and rates share.
    """
    weights, biases = on_device(begun.weights, device), on_device(begun.biases, device)
    training = workload.training
    optimizer = Optimizer(training.optimizer, training.momentum, training.weight_decay)
    options: dict[str, object] = {}
    if workload.task.is_reconstruction:
        options["loss"] = workload.task.loss
    if workload.batch_norm:
        options["batch_norm"] = True
    if workload.dropout:
        seeds = [seed(workload.seed, "dropout", dataset=workload.dataset, replicate=run.replicate) for run in runs]
        options["dropout"] = Dropout(workload.dropout, seeds)
    phis = activations(workload) if workload.task.is_reconstruction else workload.activation
    return engine(weights, biases, phis, optimizer, training.batch_size, **options)


def on_device(parameters: Sequence[np.ndarray], device: torch.device) -> list[Tensor]:
    """Return parameters as tensors on a device."""
    return [torch.from_numpy(p).to(device) for p in parameters]


class Task:
    """A workload's data on its device, in the parts that training and measuring use."""

    def __init__(self, workload: Workload, engine: type[Networks], device: torch.device) -> None:
        source = seed(workload.seed, "data", dataset=workload.dataset)
        split = data.load(workload.dataset, workload.dataset_parameters, source, workload.data_dir, workload.scaling)
        reconstructs = workload.task.is_reconstruction

        def part(of: data.Part, examples: int | None = None) -> tuple[Tensor, Tensor]:
            # Copied, because torch aligns its memory and numpy does not.
            x = torch.tensor(of.x[:examples], device=device)
            return x, x if reconstructs else torch.tensor(of.y[:examples], device=device)

        def prepared(of: data.Part, examples: int | None = None) -> tuple[Tensor, Tensor]:
            x, y = part(of, examples)
            return engine.prepare(x), y

        self.x, self.y = prepared(split.train)
        self.validation = prepared(split.validation)
        self.test = prepared(split.test)
        # The split is shuffled, so the first examples are a fair sample.
        self.train_sample = prepared(split.train, len(split.validation.y))
        self.probe = part(split.train, workload.measure.probe_examples)
        self.pretrainer = Pretrainer(workload, split, device)
        # The mean of the training inputs is what a deep autoencoder without any code gives back.
        self.mean = torch.tensor(split.train.x.mean(axis=0, dtype=float)).float().to(device) if reconstructs else None

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

    def score(self, networks: Networks, part: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return loss and score (K,) of a part of the data: cross-entropy and accuracy, or, of a reconstruction, the squared
        error and the share of the mean predictor's error that it explains.
        """
        x, y = part
        if self.mean is None:
            return probes.loss_and_accuracy(networks.predict(x), y)
        error = networks.reconstruction_error(x)
        return error, 1 - error / (x - self.mean).square().sum(dim=1).mean()


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

    begun = begin(workload, runs, task)
    networks = make_networks(workload, runs, engine, begun, device)
    started = time.perf_counter()
    rates = torch.from_numpy(learning_rates(workload, runs, steps + 1)).float().to(device)
    batches = {r: mini_batches(workload, r, len(task.y), steps + 1) for r in {run.replicate for run in runs}}
    order = torch.from_numpy(np.stack([batches[run.replicate] for run in runs], axis=1)).to(device)  # (steps + 1, K, B)

    curves = {name: np.full((K, len(curve_steps)), np.nan, np.float32) for name in CURVE_COLUMNS}
    # The first of the probed steps is that before pretraining, where there is any: so many updates before step 0.
    probed = [None, *layer_steps]
    layers = {name: np.full((K, len(probed), L), np.nan) for name in LAYER_COLUMNS}
    bins = workload.measure.histogram_bins
    counts = {name: np.zeros((K, len(probed), L, bins), np.int64) for name in HISTOGRAM_COLUMNS}
    jacobians = np.full((K, len(probed), len(JACOBIAN_COLUMNS)), np.nan)
    traces = np.full((K, len(trace_steps), L, len(TRACE_COLUMNS)), np.nan, np.float32)
    test = np.full((K, 2), np.nan)
    diverged: dict[int, tuple[int, int]] = {}
    alive = np.arange(K)  # the runs still in the stack

    def probe(of: Networks, at: int) -> None:
        """Measure every layer, at the probed step of that index."""
        measured = probes.layer_statistics(of, activations(workload), *task.probe, bins)
        for name, values in measured.items():
            (counts if name in counts else layers)[name][alive, at] = values.cpu()
        jacobians[alive, at] = probes.jacobian_statistics(of, task.probe[0]).cpu()

    def evaluate(at: int) -> None:
        for part, examples in (("train", task.train_sample), ("validation", task.validation)):
            loss, accuracy = task.score(networks, examples)
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

    if begun.drawn is not None:
        drawn = replace(begun, weights=begun.drawn[0], biases=begun.drawn[1])
        probe(make_networks(workload, runs, type(networks), drawn, device), 0)
    events = sorted({*curve_steps, *layer_steps})
    for step, following in zip(events, [*events[1:], steps], strict=True):
        if not len(alive):
            break
        if step in curve_steps:
            evaluate(curve_steps.index(step))
        if step == steps:
            test[alive] = torch.stack(task.score(networks, task.test), dim=1).cpu()
        if step in layer_steps:
            at = probed.index(step)
            probe(networks, at)
            old, were = [w.clone() for w in networks.weights], alive
            advance(step, step + 1)
            same = torch.from_numpy(np.flatnonzero(np.isin(were, alive))).to(device)
            if len(alive):
                ratio = probes.update_ratio([w[same] for w in old], networks.weights)
                layers["update_ratio"][alive, at] = ratio.cpu()
            step += 1
        if step < following and len(alive):
            advance(step, following)
    share = (time.perf_counter() - started) / K

    def of_run(values: np.ndarray, k: int) -> np.ndarray:
        """Return a run's values at its probed steps, flat."""
        return values[k, 0 if begun.errors[k] is not None else 1 :].ravel()

    def probed_steps(run: Run) -> list[int]:
        updates = workload.pretraining_updates(run.pretraining)
        return [-updates, *layer_steps] if updates else layer_steps

    return [
        {
            "run_id": run.id,
            "initializer": run.initializer,
            "pretraining": run.pretraining,
            "learning_rate": run.learning_rate,
            "replicate": run.replicate,
            "diverged_step": diverged.get(k, (None, None))[0],
            "diverged_layer": diverged.get(k, (None, None))[1],
            "test_loss": test[k, 0],
            "test_accuracy": test[k, 1],
            "device": device.type,
            "engine": engine.engine,
            "wall_time_s": share,
            "calibration_time_s": begun.costs[k].time_s,
            "calibration_forward": begun.costs[k].forward,
            "calibration_backward": begun.costs[k].backward,
            "pretraining_time_s": begun.times_s[k],
            "pretraining_step": [] if begun.errors[k] is None else begun.error_steps,
            "pretraining_error": [] if begun.errors[k] is None else begun.errors[k].ravel(),
            "pretraining_baseline": [] if begun.errors[k] is None else begun.baselines[k],
            "curve_step": curve_steps,
            "layer_step": probed_steps(run),
            **{name: values[k] for name, values in curves.items()},
            **{name: of_run(values, k) for name, values in (layers | counts).items()},
            **{f"jacobian_{name}": of_run(jacobians[:, :, i], k) for i, name in enumerate(JACOBIAN_COLUMNS)},
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
        task.pretrainer.forget(but=runs[start + size :])
