"""Train the runs of one workload: runs in, store rows out.

The runs of a workload have the same shape, so they are trained as stacks, a cache-sized chunk at a time, each chunk
through all its steps. A run's numbers do not depend on the chunk it lands in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import torch

from winit import datasets
from winit.engine.engine import Engine
from winit.store.schema import stored_columns
from winit.study.model import Run, Workload, log_spaced
from winit.study.seeds import seed
from winit.training import probes
from winit.training.engines import choose_engine, chunk_size
from winit.training.pretraining import activations
from winit.training.start import initial_state, make_networks
from winit.training.task import WorkloadData

CURVE_COLUMNS, LAYER_COLUMNS, HISTOGRAM_COLUMNS, JACOBIAN_COLUMNS, TRACE_COLUMNS = (
    tuple(stored_columns(table)) for table in ("curves", "layers", "histograms", "jacobians", "traces")
)


def mini_batches(workload: Workload, replicate: int, examples: int, steps: int) -> np.ndarray:
    """Return indices (steps, B) of the mini-batches of a replicate: shuffled epochs, one after another."""
    rng = np.random.default_rng(seed(workload.seed, "batches", dataset=workload.dataset, replicate=replicate))
    return datasets.shuffled_epochs(rng, examples, steps, workload.training.batch_size)


def learning_rates(workload: Workload, runs: Sequence[Run], steps: int) -> np.ndarray:
    """Return the learning rate (steps, K) of every run at every step: its own, times the schedule's factor."""
    factors = np.array([workload.training.rate_factor(t) for t in range(steps)])
    return factors[:, None] * np.array([run.learning_rate for run in runs])


def train_chunk(
    workload: Workload, runs: Sequence[Run], engine: type[Engine], task: WorkloadData, device: torch.device
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

    begun = initial_state(workload, runs, task)
    networks = make_networks(workload, runs, engine, task.spec, begun, device)
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

    def probe(of: Engine, at: int) -> None:
        """Measure every layer, at the probed step of that index."""
        measured = probes.layer_statistics(of, activations(workload), *task.probe, bins)
        for name, values in measured.items():
            (counts if name in counts else layers)[name][alive, at] = values.cpu()
        jacobians[alive, at] = probes.jacobian_statistics(of, task.probe[0]).cpu()

    def evaluate(at: int) -> None:
        for part, examples in (("train", task.train_sample), ("validation", task.validation)):
            loss, accuracy = networks.evaluate(*examples)
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
        probe(make_networks(workload, runs, engine, task.spec, drawn, device), 0)
    events = sorted({*curve_steps, *layer_steps})
    for step, following in zip(events, [*events[1:], steps], strict=True):
        if not len(alive):
            break
        if step in curve_steps:
            evaluate(curve_steps.index(step))
        if step == steps:
            test[alive] = torch.stack(networks.evaluate(*task.test), dim=1).cpu()
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
            "engine": engine.name,
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
            **{name: of_run(jacobians[:, :, i], k) for i, name in enumerate(JACOBIAN_COLUMNS)},
            "trace_step": trace_steps,
            **{name: traces[k, :, :, i].ravel() for i, name in enumerate(TRACE_COLUMNS)},
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
    task = WorkloadData(workload, chosen, device)
    size = networks or chunk_size(workload, device)
    for start in range(0, len(runs), size):
        yield train_chunk(workload, runs[start : start + size], chosen, task, device)
        task.pretrainer.forget(but=runs[start + size :])
