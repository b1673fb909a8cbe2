"""Train the runs of one workload, and return their rows of the run store.

The runs of a workload have the same shape, so they are trained as stacks, one cache-sized chunk at a time through all
steps. The runs of a chunk have the same replicate and hence the same data. The numbers of a run do not depend on its chunk.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch

from winit import datasets
from winit.engine.engine import Engine
from winit.store.schema import Row
from winit.study.protocol import Run
from winit.study.seeds import seed
from winit.study.workload import Workload
from winit.training.data import WorkloadData
from winit.training.engines import choose_engine, chunk_size
from winit.training.recorder import Recorder
from winit.training.start import initial_state, make_networks


def mini_batches(workload: Workload, replicate: int, examples: int, steps: int) -> np.ndarray:
    """Return indices (steps, B) of the mini-batches of a replicate: consecutive shuffled epochs."""
    rng = np.random.default_rng(seed(workload.seed, "batches", dataset=workload.dataset, replicate=replicate))
    return datasets.shuffled_epochs(rng, examples, steps, workload.training.batch_size)


def learning_rates(workload: Workload, runs: Sequence[Run], steps: int) -> np.ndarray:
    """Return the learning rate (steps, K) of every run at every step: its own rate times the factor of the schedule."""
    factors = np.array([workload.training.rate_factor(t) for t in range(steps)])
    return factors[:, None] * np.array([run.learning_rate for run in runs])


class ChunkTraining:
    """The training of one chunk: networks, mini-batches, learning rates and measurements.

    One more step than the budget is computed, to measure the update that would follow.
    """

    def __init__(
        self, workload: Workload, runs: Sequence[Run], networks: Engine, data: WorkloadData, device: torch.device
    ) -> None:
        self.networks, self.data, self.device, self.steps = networks, data, device, workload.training.steps
        self.recorder = Recorder(workload, runs, data)
        count, examples = self.steps + 1, len(data.train.y)
        order = mini_batches(workload, runs[0].replicate, examples, count)  # a chunk has one replicate
        self.order = torch.from_numpy(order)[:, None].to(device)  # (steps + 1, 1, B)
        self.rates = torch.from_numpy(learning_rates(workload, runs, count)).float().to(device)  # (steps + 1, K)

    def run(self) -> None:
        """Take all steps. Losses and scores are evaluated and layers probed before the update of a step."""
        recorder, networks = self.recorder, self.networks
        events = sorted({*recorder.curve_steps, *recorder.layer_steps})  # budgets are among the former
        for step, following in zip(events, [*events[1:], self.steps], strict=True):
            if not len(recorder.active):
                return
            if step in recorder.curve_steps:
                recorder.evaluate(networks, step)
            if step in recorder.budgets:
                recorder.read_outcome(networks, step)
            if step == self.steps:
                recorder.predict(networks)
            if step in recorder.layer_steps:
                recorder.probe(networks, step)
                before, runs = [w.clone() for w in networks.weights], recorder.active
                self._advance(step, step + 1)
                recorder.record_update(step, before, runs, networks)
                step += 1
            if step < following:
                self._advance(step, following)

    def _advance(self, start: int, stop: int) -> None:
        """Take the steps from `start` to `stop`. Networks that diverge leave the stack."""
        recorder = self.recorder
        for traced, group in groupby(range(start, stop), key=set(recorder.trace_steps).__contains__):
            steps = list(group)
            part = slice(steps[0], steps[-1] + 1)
            if not len(recorder.active):
                return
            x, y = self.data.train
            diverged, trace = self.networks.advance(x, y, self.order[part], self.rates[part], traced)
            if trace is not None:
                recorder.record_trace(steps, trace)
            if diverged:
                kept = torch.from_numpy(recorder.drop(diverged, steps[0])).to(self.device)
                self.rates = self.rates[:, kept]
                self.networks.keep(kept)


def train_chunk(
    workload: Workload, runs: Sequence[Run], engine: type[Engine], data: WorkloadData, device: torch.device
) -> list[Row]:
    """Train and measure runs as one stack, and return their rows of the run store."""
    begun = initial_state(workload, runs, data)
    networks = make_networks(workload, runs, engine, data.spec, begun, device)
    started = time.perf_counter()
    training = ChunkTraining(workload, runs, networks, data, device)
    drawn = begun.before_pretraining()
    training.recorder.probe_drawn(
        make_networks(workload, runs, engine, data.spec, drawn, device) if drawn else networks
    )
    training.run()
    return training.recorder.rows(begun, engine.name, device.type, (time.perf_counter() - started) / len(runs))


def train(
    workload: Workload, runs: Sequence[Run], device: torch.device, engine: str = "auto", networks: int | None = None
) -> Iterator[list[Row]]:
    """Train runs of a workload, and yield the rows of each finished chunk.

    Args:
        workload: the workload.
        runs: the runs to train, in any order. Runs of one replicate are trained together.
        device: the device.
        engine: `auto`, `kernel`, `triton` or `torch`; see `choose_engine`.
        networks: size of a chunk; chosen for the machine by default. It does not affect results.
    """
    # One thread per process: faster for many small products, and necessary for bits that do not depend on the chunk.
    torch.set_num_threads(1)
    # Subnormal numbers slow down tanh threefold, so values below 1e-38 are flushed to 0 in training.
    torch.set_flush_denormal(True)
    chosen = choose_engine(engine, workload, device)
    size = networks or chunk_size(workload, device)
    for replicate in dict.fromkeys(run.replicate for run in runs):
        own = [run for run in runs if run.replicate == replicate]
        data = WorkloadData(workload, chosen, device, replicate)
        for start in range(0, len(own), size):
            yield train_chunk(workload, own[start : start + size], chosen, data, device)
            data.pretrainer.forget(but=own[start + size :])
