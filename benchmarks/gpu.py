"""Measure the engines on a CUDA device beside JAX, interleaved: networks·steps per second, medians of wall times.

    python -m benchmarks.gpu [--networks 4096] [--steps 20] [--rounds 5]

4,096 networks of 30 layers of 64 units, mini-batches of 64, SGD. Methods: the torch engine launched operation by operation
and as a CUDA graph; the Triton kernel with float32 products, and with three TF32 products in place of one (`tf32x3`);
JAX (jit, vmap, scan) at its best number of networks, with float32 products, too. Beside the rates stand the physical
limits of known cards and what an H100 should reach. First the engines are compared on the card.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import median

import torch

from benchmarks.shapes import RATES, SHAPES, Problem, Shape, problem
from winit.engine.engine import Engine, NetworkSpec
from winit.engine.optimizers import Optimizer
from winit.engine.torch_stack import TorchStack

SHAPE = replace(SHAPES["C"], networks=4096, steps=20, jax_networks=(256, 1024, 4096))
BARS = {"torch graph": 0.40e6, "triton": 0.9e6}  # networks·steps per second on an H100
FLOAT32 = 4  # bytes
AGREEMENT = 1e-3  # of engines, relative to the update

Method = tuple[Callable[[], object], int]  # what to time, and its networks·steps


@dataclass(frozen=True)
class Card:
    """What a card can do, as its maker states it: float32 operations and bytes of its memory per second."""

    operations: float
    bandwidth: float


# NVIDIA, H100 and H200 data sheets, SXM.
CARDS = {"H100": Card(66.9e12, 3.35e12), "H200": Card(66.9e12, 4.8e12)}


class OneByOne(TorchStack):
    """The torch engine whose operations are launched one by one."""

    captured_on = ()


def traffic(shape: Shape) -> dict[str, float]:
    """Return the bytes that one step of one network must move between a card's memory and its cores.

    `layers`: layer by layer, for all networks at a time, with bias, φ, φ′ and the update in the products' epilogues. The
    forward product reads W and h and writes h; the backward product reads W, δ and h and writes δ; the update reads h, δ
    and W and writes W. `persistent`: a network stays on its core. W is read twice and written once, h written and read.
    """
    inner = shape.width * (shape.width + 1) * (shape.depth - 1)
    weights = FLOAT32 * ((shape.inputs + 1) * shape.width + inner + (shape.width + 1) * shape.widths[-1])
    signal = FLOAT32 * shape.batch * shape.width * shape.depth
    return {"layers": 4 * weights + 7 * signal, "persistent": 3 * weights + 2 * signal}


def limits(shape: Shape, card: Card) -> dict[str, float]:
    """Return the networks·steps per second that arithmetic, and the traffic of each design, allow."""
    moved = {design: card.bandwidth / size for design, size in traffic(shape).items()}
    return {"arithmetic": card.operations / shape.flops, **moved}


def limit_of(method: str, shape: Shape, card: Card) -> float:
    """Return the limit of a method's design with float32 products."""
    of = limits(shape, card)
    return min(of["arithmetic"], of["persistent" if method.startswith("triton") else "layers"])


def ours(make: Callable[..., Engine], task: Problem, shape: Shape, device: str, **options: str) -> Method:
    """Return a function that advances a stack of ours by its steps, and its networks·steps."""
    stack = make(
        [w.to(device) for w in task.weights], [b.to(device) for b in task.biases],
        NetworkSpec(shape.activation, Optimizer(), shape.batch), **options,
    )  # fmt: skip
    x, y, order = stack.prepare(task.x.to(device)), task.y.to(device), task.order.to(device)
    rates = torch.full(order.shape[:2], RATES["sgd"], device=device)
    return lambda: (stack.advance(x, y, order, rates), stack)[1], order.shape[0] * order.shape[1]


def engines(shape: Shape, device: str) -> Iterator[tuple[str, Method]]:
    """Yield the engines by name; those on Triton where it is installed."""
    task = problem(shape, shape.networks, shape.steps)
    yield "torch", ours(OneByOne, task, shape, device)
    yield "torch graph", ours(TorchStack, task, shape, device)
    try:
        from winit.engine.triton.stack import TritonStack
    except ImportError as error:
        print(f"triton: {error.name} is not installed; it is left out")
        return
    yield "triton", ours(TritonStack, task, shape, device)
    yield "triton tf32x3", ours(TritonStack, task, shape, device, precision="tf32x3")


def jax_scans(shape: Shape) -> Iterator[tuple[str, Method]]:
    """Yield JAX at several numbers of networks, where it is installed and sees the card."""
    try:
        import jax
    except ImportError:
        print("jax: jax is not installed; it is left out")
        return
    if jax.default_backend() != "gpu":
        print(f"jax: it sees the {jax.default_backend()} alone, for want of jax[cuda12] or jax[cuda13]; it is left out")
        return
    from benchmarks.peers import jax_trainer

    jax.config.update("jax_default_matmul_precision", "highest")  # by default it would multiply in TF32
    for networks in shape.jax_networks:
        steps = max(2, shape.steps * shape.networks // networks)
        train, _ = jax_trainer(problem(shape, networks, steps), shape.activation, "sgd")
        yield f"jax {networks}", (train, networks * steps)


def agreement(device: str) -> dict[str, float]:
    """Return how far each engine is from the torch engine in float64, relative to the update, on shallow networks.

    Fifty layers of ReLU are chaotic in float32; three of tanh are not.
    """
    shape = replace(SHAPE, depth=3, activation="tanh", networks=4, steps=5)
    task = problem(shape, shape.networks, shape.steps)
    exact = replace(
        task, weights=[w.double() for w in task.weights], biases=[b.double() for b in task.biases], x=task.x.double()
    )
    reference = ours(OneByOne, exact, shape, device)[0]()
    apart = {}
    for name, (train, _) in engines(shape, device):
        pairs = zip(train().weights, reference.weights, task.weights, strict=True)
        apart[name] = max(((a - b).norm() / (b - start.to(device)).norm()).item() for a, b, start in pairs)
    return apart


def measure(methods: dict[str, Method], rounds: int, wait: Callable[[], object]) -> dict[str, float]:
    """Return networks·steps per second of every method; `wait` returns when the device has finished."""
    times: dict[str, list[float]] = {name: [] for name in methods}
    for function, _ in methods.values():
        function()  # compiles, captures
    for _ in range(rounds):
        for name, (function, _) in methods.items():
            wait()
            start = time.perf_counter()
            function()
            wait()
            times[name].append(time.perf_counter() - start)
    return {name: methods[name][1] / median(times[name]) for name in methods}


def best_of_jax(rates: dict[str, float]) -> dict[str, float]:
    """Return the rates with JAX at its best number of networks in place of all of them."""
    jax = [rate for name, rate in rates.items() if name.startswith("jax ")]
    others = {name: rate for name, rate in rates.items() if not name.startswith("jax ")}
    return others | ({"jax": max(jax)} if jax else {})


def table(rates: dict[str, float], shape: Shape, card: Card | None) -> str:
    """Return the rates in a Markdown table, beside the limits of the card, if it is known, and the bars of an H100."""
    lines = ["| method | networks·steps/s | × JAX | its limit | share of it | bar |", "|---|---|---|---|---|---|"]
    for name, rate in rates.items():
        to_jax = f"{rate / rates['jax']:.2f}" if "jax" in rates else "–"
        limit = limit_of(name, shape, card) if card and name != "triton tf32x3" else None
        of_limit = (f"{limit:,.0f}", f"{rate / limit:.0%}") if limit else ("–", "–")
        bar = f"{BARS[name]:,.0f}: {'reached' if rate >= BARS[name] else 'missed'}" if name in BARS else "–"
        lines.append(f"| {name} | {rate:,.0f} | {to_jax} | {of_limit[0]} | {of_limit[1]} | {bar} |")
    return "\n".join(lines)


def main() -> None:
    """Compare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=SHAPE.networks)
    parser.add_argument("--steps", type=int, default=SHAPE.steps)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("benchmark-gpu: torch sees no CUDA device here, and nothing was measured; it needs a card")
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # else JAX takes the memory that the others need
    apart = agreement("cuda")
    print("  ".join(f"{name} {distance:.1e}" for name, distance in apart.items()), "of the update from float64")
    if wrong := [name for name, distance in apart.items() if not distance < AGREEMENT]:
        sys.exit(f"benchmark-gpu: {', '.join(wrong)} trains other networks than the torch engine in float64")
    shape = replace(SHAPE, networks=given.networks, steps=given.steps)
    rates = measure(dict([*engines(shape, "cuda"), *jax_scans(shape)]), given.rounds, torch.cuda.synchronize)
    name = torch.cuda.get_device_name()
    card = next((card for known, card in CARDS.items() if known in name), None)
    print(f"\n{name}, torch {torch.__version__}\n{table(best_of_jax(rates), shape, card)}")


if __name__ == "__main__":
    main()
