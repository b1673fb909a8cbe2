"""What a step of pretraining costs, beside a step of the torch engine on a network of the same layer sizes.

    python -m benchmarks.pretraining

A layer of n units on D inputs learns as an autoencoder D-n-D; the engine trains D-n-D as a classifier. All arms take turns in
one run, on one thread; every network has noise of its own, which is the dearest case (in a study the initializers of a
replicate share it). Prints each arm's median time a step and network, and its ratio to the engine's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from benchmarks.facts import write_json
from benchmarks.figures import FIGURES
from winit.engine.autoencoder import TiedAutoencoder
from winit.engine.corruption import Corruption
from winit.engine.engine import NetworkSpec
from winit.engine.kernel.stack import KernelStack
from winit.engine.objectives import Reconstruction
from winit.engine.optimizers import Optimizer
from winit.engine.rbm import RBM
from winit.engine.torch_stack import TorchStack

SIZES = [(784, 256, 100), (256, 128, 100), (64, 64, 32)]  # inputs, units, mini-batch
NETWORKS, STEPS, ROUNDS, EXAMPLES = 8, 100, 7, 2000


def arms(D: int, n: int, batch: int, optimizer: str) -> dict[str, Callable[[], object]]:
    """Return, for every arm, a function that takes the steps."""
    rng = np.random.default_rng(0)
    w, v = (torch.tensor(rng.normal(0, 0.05, s)).float() for s in ((NETWORKS, D, n), (NETWORKS, n, D)))
    b, c = torch.zeros(NETWORKS, 1, n), torch.zeros(NETWORKS, 1, D)
    x = torch.tensor(rng.random((EXAMPLES, D))).float()
    y = torch.tensor(rng.integers(0, D, EXAMPLES))
    order = torch.tensor(rng.integers(0, EXAMPLES, (STEPS, NETWORKS, batch)))
    rates = torch.full((STEPS, NETWORKS), 1e-3)
    rule, seeds = Optimizer(optimizer), list(range(NETWORKS))
    methods: dict[str, Callable[[], object]] = {}
    spec = NetworkSpec("sigmoid", rule, batch)
    stack = TorchStack([w, v], [b, c], spec)
    methods["torch engine"] = lambda: stack.advance(x, y, order, rates)
    kernel = KernelStack([w.clone(), v.clone()], [b.clone(), c.clone()], spec)
    prepared = KernelStack.prepare(x)
    methods["kernel"] = lambda: kernel.advance(prepared, y, order, rates)
    for name, corruption in (
        ("autoencoder", None), ("masking", Corruption("masking", 0.25)), ("Gaussian", Corruption("gaussian", 0.25)),
    ):  # fmt: skip
        own = NetworkSpec("sigmoid", rule, batch, Reconstruction(), corruption=corruption)
        free, tied = TorchStack([w, v], [b, c], own, seeds), TiedAutoencoder(w, b, c, own, seeds)
        methods[f"{name}, free"] = partial(free.advance, x, x, order, rates)
        methods[f"{name}, tied"] = partial(tied.advance, x, x, order, rates)
    machine = RBM(w.clone(), c.clone(), b.clone(), seeds)
    methods["RBM, CD-1"] = lambda: [machine.step(x[rows], 1e-3) for rows in order]
    return methods


def ranges(ratios: dict[str, list[float]]) -> dict[str, list[float]]:
    """Return the smallest and largest cost of denoising autoencoders and of machines relative to the torch engine.

    Args:
        ratios: by method, for every layer and optimizer.
    """
    kinds = {"masking": "denoising_autoencoder", "Gaussian": "denoising_autoencoder", "RBM": "rbm"}
    by_kind: dict[str, list[float]] = {}
    for name, values in ratios.items():
        if kind := kinds.get(name.split(",")[0]):
            by_kind.setdefault(kind, []).extend(values)
    return {kind: [round(min(values), 2), round(max(values), 2)] for kind, values in by_kind.items()}


def main() -> None:
    """Measure, print and write docs/figures/pretraining.json."""
    ratios: dict[str, list[float]] = {}
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print("| layer | optimizer | arm | µs a step and network | ÷ torch engine |\n|---|---|---|--:|--:|")
    for D, n, batch in SIZES:
        for optimizer in ("sgd", "adam"):
            steps = arms(D, n, batch, optimizer)
            times: dict[str, list[float]] = {name: [] for name in steps}
            for round_ in range(ROUNDS + 1):
                for name, take in steps.items():
                    started = time.perf_counter()
                    take()
                    if round_:  # the first compiles and warms up
                        times[name].append((time.perf_counter() - started) / STEPS / NETWORKS)
            engine = statistics.median(times["torch engine"])
            for name, seconds in times.items():
                median = statistics.median(seconds)
                ratios.setdefault(name, []).append(median / engine)
                print(
                    f"| {D}-{n}, batch {batch} | {optimizer} | {name} | {1e6 * median:.1f} | {median / engine:.2f} |",
                    flush=True,
                )
    write_json(FIGURES / "pretraining.json", ranges(ratios))


if __name__ == "__main__":
    main()
