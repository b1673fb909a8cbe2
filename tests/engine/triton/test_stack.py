"""The Triton kernel against torch in float64, and its bits in any chunk and split, in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import pytest
import torch

from winit.engine.engine import NetworkSpec
from winit.engine.objectives import Reconstruction
from winit.engine.optimizers import Optimizer
from winit.engine.torch_stack import TorchStack

pytest.importorskip("triton", reason="triton is not installed: pip install -e '.[gpu]'")

from winit.engine.triton.stack import TritonStack, obstacle, tile

DEVICE = "cpu" if os.environ["TRITON_INTERPRET"] == "1" else "cuda"
K, STEPS = 3, 3
RATES = {"sgd": 0.03, "momentum": 0.03, "nesterov": 0.03, "adam": 0.001, "adamw": 0.001}
SMALL = [3, 5, 5, 2], 4, "tanh"

# Less than a tile, a tile, and several tiles: of inputs, units, classes and examples.
CASES = [
    ([5, 33, 33, 3], 17, "tanh", Optimizer("sgd", 0.9, 0.1)),
    ([70, 66, 10], 65, "sigmoid", Optimizer("sgd")),
    ([2, 1, 1, 1, 2], 1, "sigmoid", Optimizer("momentum", 0.5)),
    ([16, 16, 16], 16, "identity", Optimizer("nesterov", 0.9, 0.1)),
    ([7, 20, 20, 20, 33], 9, "tanh", Optimizer("adam", 0.9, 0.1)),
    ([7, 20, 40], 9, "relu", Optimizer("adamw", 0.9, 0.1)),
]


def make(widths, batch, k=K):
    """Return weights, biases, data, mini-batches and rates, which differ between networks and steps."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(k, a, b, generator=generator) / a**0.5 for a, b in pairwise(widths)]
    biases = [0.1 * torch.randn(k, 1, b, generator=generator) for b in widths[1:]]
    x = torch.randn(50, widths[0], generator=generator)
    y = torch.randint(0, widths[-1], (50,), generator=generator)
    order = torch.randint(0, 50, (STEPS, k, batch), generator=generator)
    rates = torch.linspace(1, 3, k) * torch.linspace(1, 0.5, STEPS)[:, None]
    return (
        [w.to(DEVICE) for w in weights],
        [b.to(DEVICE) for b in biases],
        *(t.to(DEVICE) for t in (x, y, order, rates)),
    )


def trained(widths, batch, activation, optimizer, splits=(), chosen=range(K), traced=False, kept=None):
    """Return the trained stack and the traces of its parts; after the first part, only the networks `kept` go on."""
    weights, biases, x, y, order, rates = make(widths, batch)
    chosen = list(chosen)
    spec = NetworkSpec(activation, optimizer, batch)
    stack = TritonStack([w[chosen] for w in weights], [b[chosen] for b in biases], spec)
    rates, traces = rates * RATES[optimizer.name], []
    for start, stop in pairwise([0, *splits, STEPS]):
        diverged, trace = stack.advance(x, y, order[start:stop, chosen], rates[start:stop, chosen], traced)
        assert diverged == {}
        traces.append(trace)
        if kept and start == 0:
            stack.keep(torch.tensor(kept, device=DEVICE))
            chosen = [chosen[k] for k in kept]
    return stack, traces


def same_bits(ours, theirs):
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def parameters(stack, chosen=slice(None)):
    return [p[chosen] for p in (*stack.weights, *stack.biases)]


@pytest.mark.parametrize(("widths", "batch", "activation", "optimizer"), CASES)
def test_the_triton_kernel_is_the_torch_engine(widths, batch, activation, optimizer):
    weights, biases, x, y, order, rates = make(widths, batch)
    stack, (trace,) = trained(widths, batch, activation, optimizer, traced=True)
    spec = NetworkSpec(activation, optimizer, batch)
    reference = TorchStack([w.double() for w in weights], [b.double() for b in biases], spec)
    rates = rates.double() * RATES[optimizer.name]
    expected = reference.advance(x.double(), y, order, rates, traced=True).trace
    for ours, theirs, start in zip(
        [*stack.weights, *stack.biases], [*reference.weights, *reference.biases], [*weights, *biases], strict=True
    ):
        moved = (theirs - start).norm()
        assert moved > 0
        # A float32 weight of size 1 rounds by 6e-8 a step, and moves by some 1e-3.
        assert (ours - theirs).norm() / moved < 5e-4, tuple(start.shape)
    torch.testing.assert_close(trace[..., 1:], expected[..., 1:], rtol=1e-4, atol=1e-12)
    assert ((trace[..., 0] - expected[..., 0]).abs() / expected[..., 1].sqrt()).max() < 1e-5
    logits = reference.predict(x.double())
    torch.testing.assert_close(stack.predict(stack.prepare(x)).double(), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_bits_do_not_depend_on_chunk_split_or_tracing(name):
    run = *SMALL, Optimizer(name, 0.9, 0.01)
    whole, _ = trained(*run)
    assert same_bits(parameters(trained(*run, chosen=[2])[0]), parameters(whole, [2]))
    assert same_bits(parameters(trained(*run, splits=[1], traced=True)[0]), parameters(whole))
    assert same_bits(parameters(trained(*run, splits=[2], kept=[2, 0])[0]), parameters(whole, [2, 0]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of what is not finite
def test_a_diverged_network_records_where_and_does_not_affect_others():
    run = [3, 5, 5, 2], 4, "relu", Optimizer()
    weights, biases, x, y, order, rates = make(*run[:2])
    calm, (expected,) = trained(*run, traced=True)
    weights[1][1, 0, 0] = float("nan")  # at once; network 0 only after its first update
    rates[0, 0] = 1e30
    rates *= RATES["sgd"]
    spec = NetworkSpec("relu", Optimizer(), 4)
    stack, reference = TritonStack(weights, biases, spec), TorchStack(weights, biases, spec)
    diverged, trace = stack.advance(x, y, order, rates, traced=True)
    assert diverged == reference.advance(x, y, order, rates).diverged
    assert diverged[1] == (0, 2) and diverged[0][0] == 1 and len(diverged) == 2 and trace is not None
    assert torch.equal(trace[2], expected[2]) and trace[1].isnan().all()
    assert trace[0, 0].isfinite().all() and trace[0, 1:].isnan().all()
    assert same_bits([w[2] for w in stack.weights], [w[2] for w in calm.weights])
    assert torch.equal(stack.weights[0][1], weights[0][1])  # no update where the logits are not finite
    kept = torch.tensor([2], device=DEVICE)
    stack.keep(kept)
    assert stack.advance(x, y, order[:, kept], rates[:, kept]).diverged == {}


def test_the_kernel_states_why_it_cannot_train_a_network():
    tanh = NetworkSpec("tanh", Optimizer(), 4)
    assert obstacle(tanh, 10) is None
    others = {
        "it has no code for gelu": NetworkSpec("gelu", Optimizer(), 4),
        "it trains only classifiers": NetworkSpec("tanh", Optimizer(), 4, Reconstruction()),
        "neither batch normalization nor dropout": NetworkSpec("tanh", Optimizer(), 4, dropout=0.5),
        "not functions or several": NetworkSpec(("tanh", "relu"), Optimizer(), 4),
    }
    for reason, spec in others.items():
        assert reason in (obstacle(spec, 10) or "")
    assert "at most 256 classes" in (obstacle(tanh, 257) or "")
    weights, biases, *_ = make([3, 5, 2], 4)
    with pytest.raises(
        ValueError, match=r"cannot train these networks: it has no code for gelu with sgd; the torch engine can"
    ):
        TritonStack(weights, biases, others["it has no code for gelu"])


def test_tiles_are_what_products_take():
    assert [tile(size) for size in (1, 16, 17, 64, 65, 1000)] == [16, 16, 32, 64, 64, 64]


COMPILE = """
import sys
import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from winit.engine.engine import NetworkSpec
from winit.engine.optimizers import Optimizer
from winit.engine.triton import stack
from winit.engine.triton.kernel import train_networks

class Driver:
    get_current_target = staticmethod(lambda: GPUTarget("cuda", 90, 32))
    get_current_device = staticmethod(lambda: 0)
    get_current_stream = staticmethod(lambda device: 0)

class Compile:
    codes = []
    def __getitem__(self, grid):
        return lambda *given, **options: self.codes.append(train_networks.warmup(*given, grid=grid, **options))

driver.set_active(Driver())
stack.train_networks = Compile()
weights, biases = [torch.ones(2, a, b) for a, b in ((7, 20), (20, 20), (20, 3))], [torch.ones(2, 1, b) for b in (20, 20, 3)]
networks = stack.TritonStack(weights, biases, NetworkSpec("tanh", Optimizer(sys.argv[1], 0.9, 0.1), 9))
for steps in (1, 16, 5):
    order, rates = torch.zeros(steps + 1, 2, 9, dtype=torch.int64)[1:], torch.ones(steps, 2)
    networks.advance(torch.ones(50, 7), torch.zeros(50, dtype=torch.int64), order, rates, traced=sys.argv[2] == "traced")
(code,) = {id(code): code for code in Compile.codes}.values()
print(code.asm["ptx"].count("fma.rn.f32"), "tf32" in code.asm["ptx"], len(code.asm["cubin"]))
"""


@pytest.mark.parametrize("arguments", [("nesterov", "plain"), ("adamw", "traced")])
def test_the_kernel_compiles_for_a_card(arguments, tmp_path):
    """The interpreter allows more than the compiler. This is an H100's code, of float32 products, one for any steps."""
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COMPILE, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    products, tensor_cores, size = done.stdout.split()
    assert int(products) > 100 and tensor_cores == "False" and int(size) > 0


def test_what_sizes_follow_from_others_is_part_of_the_name_of_compiled_code():
    """Triton keeps compiled code on disk under its source and the constants as they print: sizes must print, too."""
    constants = TritonStack(*make([3, 5, 5, 2], 4)[:2], NetworkSpec("tanh", Optimizer(), 4))._constants
    weights = 4 * 5 + 6 * 5 + 6 * 2
    for name, value in {
        "first": 20,
        "following": 30,
        "last": 50,
        "size": 64,
        "hidden": 12,
        "signal": 20,
        "room": 96,
    }.items():
        assert getattr(constants, name) == value and f" {name}={value}" in repr(constants)
    assert weights <= constants.size and constants.hidden + 2 * 20 + 2 * 20 <= constants.room
