"""How much faster the kernel pretrains than the torch engine.

    python -m benchmarks.pretraining

A layer of n units on D inputs learns as an autoencoder D-n-D, as a machine of D and n units, or below a classifier. Both
engines take turns in one run, on one thread, with the same eight networks. Every network has noise of its own, which is the
dearest case: in a study the initializers of a replicate share it. Times are processor time. Prints each arm's median time a
step and network, and the median of the ratios of each turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import torch

from benchmarks.facts import write_json
from benchmarks.figures import FIGURES
from winit.engine.autoencoder import TiedAutoencoder
from winit.engine.corruption import Corruption
from winit.engine.engine import NetworkSpec
from winit.engine.kernel.layers import KernelFreeAutoencoder, KernelRBM, KernelTiedAutoencoder
from winit.engine.kernel.stack import KernelStack
from winit.engine.objectives import Reconstruction
from winit.engine.optimizers import Optimizer
from winit.engine.rbm import RBM
from winit.engine.torch_stack import TorchStack

SIZES = [(64, 64, 32), (784, 128, 32)]  # inputs, units, mini-batch; the first is the default study's
NETWORKS, STEPS, ROUNDS, EXAMPLES, CLASSES = 8, 48, 5, 1000, 10
CORRUPTIONS = {
    "autoencoder": None, "masking": Corruption("masking", 0.25), "Gaussian noise": Corruption("gaussian", 0.25),
}  # fmt: skip

Pair = tuple[Callable[[], object], Callable[[], object]]  # take the steps: by the kernel, by the torch engine


def arms(D: int, n: int, batch: int, optimizer: str) -> dict[str, Pair]:
    """Return, for every arm, what takes its steps in the kernel and in the torch engine."""
    rng = np.random.default_rng(0)
    w, v, u = (
        torch.tensor(rng.normal(0, 0.05, (NETWORKS, *shape))).float() for shape in ((D, n), (n, D), (n, CLASSES))
    )
    b, c, top = (torch.zeros(NETWORKS, 1, units) for units in (n, D, CLASSES))
    x, y = torch.tensor(rng.random((EXAMPLES, D))).float(), torch.tensor(rng.integers(0, CLASSES, EXAMPLES))
    order = torch.tensor(rng.integers(0, EXAMPLES, (STEPS, NETWORKS, batch)))
    rates, prepared, seeds = torch.full((STEPS, NETWORKS), 1e-3), KernelStack.prepare(x), list(range(NETWORKS))
    rule = Optimizer(optimizer)
    pairs: dict[str, Pair] = {}
    for name, corruption in CORRUPTIONS.items():
        spec = NetworkSpec("sigmoid", rule, batch, Reconstruction("cross_entropy"), corruption=corruption)
        kinds = {
            "tied": (KernelTiedAutoencoder(w, b, c, spec, seeds), TiedAutoencoder(w.clone(), b.clone(), c.clone(), spec, seeds)),
            "free": (
                KernelFreeAutoencoder([w, v], [b, c], spec, seeds),
                TorchStack([w.clone(), v.clone()], [b.clone(), c.clone()], spec, seeds),
            ),
        }  # fmt: skip
        for kind, (ours, theirs) in kinds.items():
            pairs[f"{name}, {kind}"] = (
                partial(ours.advance, prepared, x, order, rates), partial(theirs.advance, x, x, order, rates),
            )  # fmt: skip
    momenta = torch.full((STEPS,), 0.5)
    for hidden in ("binary", "linear") if optimizer == "sgd" else ():
        ours, theirs = (
            KernelRBM(w, c, b, seeds, "binary", hidden, batch),
            RBM(*_cloned(w, c, b), seeds, "binary", hidden),
        )
        pairs[f"RBM, CD-1, {hidden} hidden units"] = (
            partial(ours.advance, prepared, order, 1e-3, momenta), partial(theirs.advance, x, order, 1e-3, momenta),
        )  # fmt: skip
    spec = NetworkSpec("sigmoid", rule, batch)
    stacks = [engine(_cloned(w, u), _cloned(b, top), spec) for engine in (KernelStack, TorchStack)]
    pairs["supervised"] = (
        partial(stacks[0].advance, prepared, y, order, rates), partial(stacks[1].advance, x, y, order, rates),
    )  # fmt: skip
    return pairs


def _cloned(*parameters: torch.Tensor) -> list[torch.Tensor]:
    return [p.clone() for p in parameters]


def seconds(take: Callable[[], object]) -> float:
    """Return the processor time of a step of one network."""
    started = time.process_time()
    take()
    return (time.process_time() - started) / STEPS / NETWORKS


def ranges(ratios: dict[str, list[float]]) -> dict[str, list[float]]:
    """Return how many times as fast as the torch engine the kernel is: the smallest and the largest ratio of every method.

    Args:
        ratios: by arm, for every layer and optimizer.
    """
    kinds = {
        "autoencoder": "autoencoder", "masking": "denoising_autoencoder", "Gaussian noise": "denoising_autoencoder",
        "RBM": "rbm", "supervised": "supervised",
    }  # fmt: skip
    by_kind: dict[str, list[float]] = {}
    for name, values in ratios.items():
        by_kind.setdefault(kinds[name.split(",")[0]], []).extend(values)
    return {kind: [round(min(values), 1), round(max(values), 1)] for kind, values in by_kind.items()}


def main() -> None:
    """Measure, print and write docs/figures/pretraining.json."""
    ratios: dict[str, list[float]] = {}
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print("| layer | optimizer | arm | kernel, µs a step and network | torch | ratio |\n|---|---|---|--:|--:|--:|")
    for (D, n, batch), optimizer in product(SIZES, ("sgd", "adam")):
        pairs = arms(D, n, batch, optimizer)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in pairs}
        for round_ in range(ROUNDS + 1):
            for name, (ours, theirs) in pairs.items():
                turn = seconds(ours), seconds(theirs)
                if round_:  # the first compiles and warms up
                    times[name].append(turn)
        for name, turns in times.items():
            kernel, torch_ = (1e6 * statistics.median(side) for side in zip(*turns, strict=True))
            ratio = statistics.median(theirs / ours for ours, theirs in turns)
            ratios.setdefault(name, []).append(ratio)
            print(
                f"| {D}-{n}, batch {batch} | {optimizer} | {name} | {kernel:.1f} | {torch_:.1f} | {ratio:.2f} |",
                flush=True,
            )
    write_json(FIGURES / "pretraining.json", ranges(ratios))


if __name__ == "__main__":
    main()
