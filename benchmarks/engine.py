"""Measure the engines against their peers, one thread on one core, interleaved: networks·steps per second, medians.

    python -m benchmarks.engine [--rounds 5] [--shapes A C] [--optimizers sgd]

Peers are idiomatic PyTorch (nn.Sequential, torch.optim, one network at a time), torch.func's vmap, JAX (jit, vmap, scan, at
its best number of networks) and scikit-learn's MLPClassifier. `traced` is our kernel with every layer measured at every
step. The peak is that of fused multiply-adds in registers, measured in the same run. Times are processor time. Writes
results/benchmarks/engine.json, and the table of the README to results/benchmarks/engine.md.
"""

from __future__ import annotations

import os

os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before any library counts cores: JAX would use them all
os.environ |= {"OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}

import argparse  # noqa: E402
import ctypes  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from typing import Any  # noqa: E402

import torch  # noqa: E402

from benchmarks.peers import PEERS, Method  # noqa: E402
from benchmarks.shapes import RATES, SHAPES, Shape, problem  # noqa: E402
from winit.engine.engine import Engine, NetworkSpec  # noqa: E402
from winit.engine.kernel.compilation import compiled  # noqa: E402
from winit.engine.kernel.emit import ARGUMENTS, Emit, Value, host_lanes  # noqa: E402
from winit.engine.kernel.stack import KernelStack  # noqa: E402
from winit.engine.optimizers import Optimizer  # noqa: E402
from winit.engine.torch_stack import TorchStack  # noqa: E402
from winit.store.files import write_bytes  # noqa: E402
from winit.store.provenance import processor  # noqa: E402

HEADINGS = {
    "idiomatic": "idiomatic PyTorch", "sklearn": "scikit-learn", "vmap": "torch.func", "jax": "JAX", "torch": "our torch",
    "kernel": "our kernel", "traced": "traced",
}  # fmt: skip


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


def table(rows: list[dict[str, Any]]) -> str:
    """Return the README's table: a line for every shape and optimizer."""
    measured = {(r["shape"], r["optimizer"], r["method"]): r for r in rows}
    names = [name for name in HEADINGS if any(r["method"] == name for r in rows)]
    heads = ["shape", "optimizer", *(HEADINGS[n] for n in names), "kernel ÷ idiomatic", "kernel ÷ JAX", "of the peak"]
    lines = ["| " + " | ".join(heads) + " |", "|---|---|" + "--:|" * (len(heads) - 2)]
    for shape, optimizer in dict.fromkeys((r["shape"], r["optimizer"]) for r in rows):
        rate = {
            n: measured[shape, optimizer, n]["networks_steps_per_second"]
            for n in names
            if (shape, optimizer, n) in measured
        }
        kernel = measured[shape, optimizer, "kernel"]
        cells = [f"{rate[n]:,.0f}" if n in rate else "–" for n in names]
        jax = f"{rate['kernel'] / rate['jax']:.2f}" if "jax" in rate else "–"
        cells += [f"{kernel['ratio_to_idiomatic']:.1f}", jax, f"{kernel['roofline_fraction']:.0%}"]
        lines.append(f"| {shape} | {optimizer} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


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
            shape = SHAPES[name]
            rates, top = measure(shape, optimizer, given.rounds)
            for method, rate in rates.items():
                rows.append(
                    {
                        "shape": name,
                        "optimizer": optimizer,
                        "method": method,
                        "networks_steps_per_second": rate,
                        "ratio_to_idiomatic": rate / rates["idiomatic"],
                        "roofline_fraction": rate * shape.flops / top,
                    }
                )
            each = "  ".join(f"{method} {rate:,.0f}" for method, rate in rates.items())
            print(f"{name} {optimizer}: {each}  peak {top / 1e9:.0f} GFLOP/s", flush=True)
    folder = Path("results/benchmarks")
    write_bytes(folder / "engine.json", (json.dumps({"machine": processor(), "rows": rows}, indent=1) + "\n").encode())
    write_bytes(folder / "engine.md", table(rows).encode())
    print(f"\n{processor()}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
