"""Measure the engines against idiomatic PyTorch, one thread, interleaved: networks·steps per second, medians of rounds.

    python benchmarks/engine.py [--rounds 5] [--shapes A C]

Every step includes the gather of the mini-batch, forward, softmax cross-entropy, backward and update. The peak is that
of fused multiply-adds in registers, measured in the same run. Writes results/benchmarks/engine.json.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numba import njit
from torch import nn

from winit.kernel import KernelStack, product
from winit.network import Stack
from winit.tables import write_bytes
from winit.vector import host_lanes

# name: inputs, width, hidden layers, batch, activation; networks in the torch engine's stack; steps of one measurement
SHAPES = {
    "A": (64, 50, 5, 32, "tanh", 32, 400),
    "B": (784, 100, 10, 64, "relu", 8, 60),
    "C": (64, 64, 30, 64, "relu", 8, 60),
}
CLASSES, EXAMPLES = 10, 1000
RATES = {"sgd": 0.01, "momentum": 0.01, "adam": 0.001}
MODULES = {"tanh": nn.Tanh, "relu": nn.ReLU}


def problem(shape: str, networks: int, steps: int):
    """Return weights, biases, data and mini-batches of one shape."""
    inputs, width, depth, batch, *_ = SHAPES[shape]
    generator = torch.Generator().manual_seed(0)
    widths = [inputs, *[width] * depth, CLASSES]
    weights = [torch.randn(networks, a, b, generator=generator) / a**0.5 for a, b in pairwise(widths)]
    biases = [torch.zeros(networks, 1, b) for b in widths[1:]]
    x = torch.randn(EXAMPLES, inputs, generator=generator)
    y = torch.randint(0, CLASSES, (EXAMPLES,), generator=generator)
    return weights, biases, x, y, torch.randint(0, EXAMPLES, (steps, networks, batch), generator=generator)


def stacked(engine, shape: str, optimizer: str):
    """Return a function that advances a stack by its steps, and networks·steps of one call."""
    *_, batch, activation, networks, steps = SHAPES[shape]
    weights, biases, x, y, order = problem(shape, networks, steps)
    rates = torch.full((networks,), RATES[optimizer])
    stack = engine(weights, biases, activation, optimizer, rates, batch)
    x = stack.prepare(x)
    stack.advance(x, y, order[:2])  # compiles
    return lambda: stack.advance(x, y, order), networks * steps


def idiomatic(shape: str, optimizer: str):
    """Return a function that trains one nn.Sequential with torch.optim, and the steps of one call."""
    *_, activation, _, steps = SHAPES[shape]
    weights, _, x, y, order = problem(shape, 1, steps)
    layers = []
    for w in weights:
        layers += [nn.Linear(w.shape[1], w.shape[2]), MODULES[activation]()]
    model, rate = nn.Sequential(*layers[:-1]), RATES[optimizer]
    make = {
        "sgd": lambda p: torch.optim.SGD(p, rate),
        "momentum": lambda p: torch.optim.SGD(p, rate, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, rate),
    }
    update, loss = make[optimizer](model.parameters()), nn.CrossEntropyLoss()

    def train() -> None:
        for batch in order[:, 0]:
            update.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            update.step()

    return train, steps


def peak():
    """Return a function that multiplies two matrices in the first cache, and its operations: the peak of one core."""
    rows, columns, inner, repeats = 60, 64, 64, 20_000
    gemm = product(rows, columns, host_lanes(), "forward identity")
    arrays = [torch.zeros(n).numpy() for n in (inner * rows, inner * columns, rows * columns, rows)]
    a, b, c, bias = (array.ctypes.data for array in arrays)

    @njit
    def run(count):
        zero = np.float32(0)
        for _ in range(count):
            gemm(a, 1, rows, b, columns, inner, c, columns, bias, bias, 1, 0, zero, zero, zero, zero)

    run(1)
    return lambda: (run(repeats), arrays), 2 * rows * columns * inner * repeats


def flops(shape: str) -> float:
    """Return the operations of one step of one network."""
    inputs, width, depth, batch, *_ = SHAPES[shape]
    products = [a * b for a, b in pairwise([inputs, *[width] * depth, CLASSES])]
    return batch * (6 * sum(products) - 2 * products[0])


def seconds(function) -> float:
    """Return the processor time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    """Measure, print a table, write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for shape in given.shapes:
        for optimizer in RATES:
            methods = {
                "idiomatic": idiomatic(shape, optimizer),
                "torch": stacked(Stack, shape, optimizer),
                "kernel": stacked(KernelStack, shape, optimizer),
                "peak": peak(),
            }
            times = {name: [] for name in methods}
            for _ in range(given.rounds):
                for name, (function, _) in methods.items():
                    times[name].append(seconds(function))
            rate = {name: methods[name][1] / median(times[name]) for name in methods}
            for name in ("idiomatic", "torch", "kernel"):
                rows.append(
                    {
                        "shape": shape,
                        "optimizer": optimizer,
                        "method": name,
                        "networks_steps_per_second": rate[name],
                        "ratio_to_idiomatic": rate[name] / rate["idiomatic"],
                        "roofline_fraction": rate[name] * flops(shape) / rate["peak"],
                    }
                )
                r = rows[-1]
                print(
                    f"{shape} {optimizer:9s} {name:10s} {r['networks_steps_per_second']:10,.0f} networks·steps/s  "
                    f"× {r['ratio_to_idiomatic']:5.1f}  {r['roofline_fraction']:4.0%} of {rate['peak'] / 1e9:.0f} GFLOP/s",
                    flush=True,
                )
    write_bytes(Path("results/benchmarks/engine.json"), (json.dumps(rows, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
