"""Measure the engines against their peers, one thread on one core, interleaved: networks·steps per second, medians.

    python -m benchmarks.engine [--rounds 5] [--shapes A C] [--optimizers sgd]

Peers are idiomatic PyTorch (nn.Sequential, torch.optim, one network at a time), torch.func's vmap, JAX (jit, vmap, scan, at
its best number of networks) and scikit-learn's MLPClassifier. `traced` is our kernel with every layer measured at every
step. The peak is that of fused multiply-adds in registers, measured in the same run. Times are processor time. Prints the
table of docs/performance.md, and writes its numbers to docs/figures/engine.csv if all shapes and optimizers were measured.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before any library counts cores: JAX would use them all
    if hasattr(os, "sched_setaffinity"):  # macOS binds no process to a core
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ |= {"OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}

import argparse
import ctypes
import time
from collections.abc import Callable
from statistics import median

import pandas as pd
import torch

from benchmarks import figures
from benchmarks.peers import PEERS, Method
from benchmarks.shapes import RATES, SHAPES, Shape, problem
from winit.engine.engine import Engine, NetworkSpec
from winit.engine.kernel.compilation import compiled
from winit.engine.kernel.emit import ARGUMENTS, Emit, Value, host_lanes
from winit.engine.kernel.stack import KernelStack
from winit.engine.optimizers import Optimizer
from winit.engine.torch_stack import TorchStack
from winit.store.files import write_bytes
from winit.store.provenance import processor

COLUMNS = ["shape", "optimizer", *figures.METHODS, "to_idiomatic", "to_jax", "of_the_peak"]


def ours(engine: type[Engine], shape: Shape, optimizer: str, traced: bool = False) -> Method:
    """Return a function that advances a stack of ours by its steps, and its networks·steps."""
    task = problem(shape, shape.networks, shape.steps)
    stack = engine(task.weights, task.biases, NetworkSpec(shape.activation, Optimizer(optimizer), shape.batch))
    rates = torch.full((shape.steps, shape.networks), RATES[optimizer])
    x = stack.prepare(task.x)
    stack.advance(x, task.y, task.order[:2], rates[:2], traced)  # compiles
    return lambda: stack.advance(x, task.y, task.order, rates, traced), shape.networks * shape.steps


def peak() -> Method:
    """Return a function of nothing but fused multiply-adds in registers, and its operations: the peak of one core."""
    lanes, chains, repeats = host_lanes(), 12, 20_000_000  # more chains than latency × throughput, fewer than registers
    target = torch.zeros(lanes * chains)

    def emit(e: Emit, arguments: list[Value]) -> None:
        with e.carrying(repeats, [e.broadcast(arguments[0], i) for i in range(chains)]) as (_, values, carry):
            carry([e.fma(value, value, value) for value in values])
        for i, value in enumerate(values):
            e.store(value, arguments[0], i * lanes)

    code = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * ARGUMENTS)(compiled(lanes, emit))
    arguments = [target.data_ptr()] + [0] * (ARGUMENTS - 1)
    return lambda: (code(*arguments), target), 2 * lanes * chains * repeats


def seconds(function: Callable[[], object]) -> float:
    """Return the processor time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def measure(shape: Shape, optimizer: str, rounds: int) -> tuple[dict[str, float], float]:
    """Return networks·steps per second of every method, and the peak in operations per second."""
    methods = {"peak": peak()}
    for name, make in PEERS.items():
        try:
            methods[name] = make(shape, optimizer)
        except ImportError as error:
            print(f"{name}: {error.name} is not installed; it is left out")
    methods["torch"] = ours(TorchStack, shape, optimizer)
    methods["kernel"] = ours(KernelStack, shape, optimizer)
    methods["traced"] = ours(KernelStack, shape, optimizer, traced=True)
    times: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, (function, _) in methods.items():
            times[name].append(seconds(function))
    rates = {name: methods[name][1] / median(times[name]) for name in methods}
    return rates, rates.pop("peak")


def row(shape: str, optimizer: str, rates: dict[str, float], peak: float) -> dict[str, object]:
    """Return a line of the table.

    Args:
        shape: its name.
        optimizer: its name.
        rates: networks·steps per second of every method that is installed.
        peak: of the core, in operations per second.
    """
    kernel = rates["kernel"]
    return {
        "shape": shape, "optimizer": optimizer, **{name: round(rate, 1) for name, rate in rates.items()},
        "to_idiomatic": round(kernel / rates["idiomatic"], 3),
        "to_jax": round(kernel / rates["jax"], 3) if "jax" in rates else float("nan"),
        "of_the_peak": round(kernel * SHAPES[shape].flops / peak, 4),
    }  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--optimizers", nargs="*", default=list(RATES), choices=list(RATES))
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as in training; it serves the peers, too
    rows = []
    for name in given.shapes:
        for optimizer in given.optimizers:
            rates, top = measure(SHAPES[name], optimizer, given.rounds)
            rows.append(row(name, optimizer, rates, top))
            each = "  ".join(f"{method} {rate:,.0f}" for method, rate in rates.items())
            print(f"{name} {optimizer}: {each}  peak {top / 1e9:.0f} GFLOP/s", flush=True)
    frame = pd.DataFrame(rows)
    frame = frame[[name for name in COLUMNS if name in frame]]
    print(f"\n{processor()}\n{figures.engine(frame)['table']}")
    if len(rows) == len(SHAPES) * len(RATES):
        write_bytes(figures.FIGURES / "engine.csv", frame.to_csv(index=False).encode())


if __name__ == "__main__":
    main()
