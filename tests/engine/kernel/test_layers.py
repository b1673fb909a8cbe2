"""Layers that learn individually: the kernel against the torch engine, and equal bits for any vector width, stack and split."""

from __future__ import annotations

from itertools import cycle, pairwise, product

import pytest
import torch

from winit.engine.autoencoder import TiedAutoencoder
from winit.engine.corruption import Corruption
from winit.engine.engine import NetworkSpec
from winit.engine.kernel.activations import PHI
from winit.engine.kernel.layers import KernelFreeAutoencoder, KernelRBM, KernelTiedAutoencoder
from winit.engine.objectives import Reconstruction
from winit.engine.optimizers import Optimizer
from winit.engine.rbm import RBM
from winit.engine.torch_stack import TorchStack

STEPS, EXAMPLES = 37, 60  # steps of two turns and a rest
SEEDS = [5, 6, 5]

# Inputs, units, mini-batch: odd ones, single ones, whole vectors, inner lengths in blocks.
SHAPES = [(7, 33, 5), (64, 64, 32), (1, 1, 1), (100, 20, 17), (600, 40, 33)]
OPTIMIZERS = [Optimizer("sgd", 0.9, 0.1), Optimizer("nesterov", 0.5), Optimizer("adam")]  # one an epilogue
CORRUPTIONS = [None, Corruption("masking", 0.3), Corruption("gaussian", 0.2)]
AUTOENCODERS = [
    (decoder, loss, corruption, optimizer, shape, activation)
    for (decoder, loss, corruption, optimizer), shape, activation in zip(
        product(("tied", "free"), ("squared_error", "cross_entropy"), CORRUPTIONS, OPTIMIZERS),
        cycle(SHAPES),
        cycle(PHI),
    )
]
MACHINES = [
    (visible, hidden, k, shape)
    for (visible, hidden, k), shape in zip(
        product(("binary", "gaussian"), ("binary", "linear"), (1, 2, 3)), cycle(SHAPES)
    )
]


def normal(*shape, scale, seed):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def drawn(inputs, units):
    """Return W, V, b and c of three networks."""
    return (
        normal(3, inputs, units, scale=0.3 / inputs**0.5, seed=1), normal(3, units, inputs, scale=0.3 / units**0.5, seed=2),
        normal(3, 1, units, scale=0.1, seed=3), normal(3, 1, inputs, scale=0.1, seed=4),
    )  # fmt: skip


def batches(batch):
    return torch.randint(EXAMPLES, (STEPS, 3, batch), generator=torch.Generator().manual_seed(6))


def inputs_of(width):
    return torch.rand(EXAMPLES, width, generator=torch.Generator().manual_seed(7))


def autoencoders(case, kernel=True, networks=(0, 1, 2), splits=(), lanes=None, x=None):
    """Return parameters [W, V, b, c] of trained autoencoders, by the kernel or by torch."""
    decoder, loss, corruption, optimizer, (inputs, units, batch), activation = case
    networks = list(networks)
    w, v, b, c = (p[networks].clone() for p in drawn(inputs, units))
    spec = NetworkSpec(activation, optimizer, batch, Reconstruction(loss), corruption=corruption)
    parameters = ([w, v], [b, c]) if decoder == "free" else (w, b, c)
    kinds = {"free": (TorchStack, KernelFreeAutoencoder), "tied": (TiedAutoencoder, KernelTiedAutoencoder)}
    options = {"lanes": lanes} if kernel else {}
    net = kinds[decoder][kernel](*parameters, spec, [SEEDS[k] for k in networks], **options)
    x = inputs_of(inputs) if x is None else x
    rates = torch.tensor([1.0, 2.0, 3.0]) * torch.linspace(1, 0.5, STEPS)[:, None]
    rates, order = rates * (0.001 if optimizer.name.startswith("adam") else 0.3 / (inputs + units)), batches(batch)
    for start, stop in pairwise([0, *splits, STEPS]):
        net.advance(net.prepare(x), x, order[start:stop, networks], rates[start:stop, networks])
    return [p.clone() for p in (*net.weights, *net.biases)]


def machines(case, kernel=True, networks=(0, 1, 2), splits=(), lanes=None, x=None):
    """Return parameters [W, b, c] of trained machines, by the kernel or by torch."""
    visible, hidden, k, (inputs, units, batch) = case
    networks = list(networks)
    w, _, c, b = (p[networks].clone() for p in drawn(inputs, units))
    seeds = [SEEDS[k] for k in networks]
    options = {"batch": batch, "lanes": lanes} if kernel else {}
    machine = (KernelRBM if kernel else RBM)(w, b, c, seeds, visible, hidden, **options)
    x = inputs_of(inputs) if x is None else x
    momenta, order = torch.linspace(0.5, 0.9, STEPS), batches(batch)
    for start, stop in pairwise([0, *splits, STEPS]):
        machine.advance(machine.prepare(x), order[start:stop, networks], 0.002, momenta[start:stop], 0.05, k)
    return [p.clone() for p in (machine.weights, machine.visible_biases, machine.hidden_biases)]


CASES = [(autoencoders, case) for case in AUTOENCODERS] + [(machines, case) for case in MACHINES]
NAMES = [f"{trained.__name__}-{number}" for number, (trained, _) in enumerate(CASES)]


@pytest.mark.parametrize(("trained", "case"), CASES, ids=NAMES)
def test_the_kernel_trains_layers_as_torch_does(trained, case):
    """Relative to the update: parameters hardly move in these steps."""
    ours, theirs = trained(case), trained(case, kernel=False)
    w, v, of_units, of_inputs = drawn(*(case[-2] if trained is autoencoders else case[-1])[:2])
    tied = trained is autoencoders and case[0] == "tied"
    started = [w, w.mT if tied else v, of_units, of_inputs] if trained is autoencoders else [w, of_inputs, of_units]
    for got, want, start in zip(ours, theirs, started, strict=True):
        moved = (want - start).norm()
        assert torch.isfinite(want).all() and moved > 0
        assert (got - want).norm() / moved < 2e-4


@pytest.mark.parametrize(("trained", "case"), CASES[::3], ids=NAMES[::3])
def test_bits_do_not_depend_on_vectors_stack_or_split(trained, case):
    whole = trained(case)
    narrow, split, alone = trained(case, lanes=8), trained(case, splits=(1, 20)), trained(case, networks=[1])
    for ours, *others, lone in zip(whole, narrow, split, alone, strict=True):
        assert all(torch.equal(ours, other) for other in others)
        assert torch.equal(ours[[1]], lone)


@pytest.mark.parametrize(("trained", "case"), [CASES[1], CASES[19], CASES[-12]], ids=["tied", "free", "machines"])
def test_networks_that_diverge_end_as_nan_as_in_torch(trained, case):
    x = inputs_of(case[-1][0] if trained is machines else case[-2][0]) * 1e38
    for kernel in (True, False):
        assert all(p.isnan().all() for p in trained(case, kernel, x=x)), kernel


@pytest.mark.parametrize("decoder", ["tied", "free"])
def test_corruption_without_seeds_is_refused(decoder):
    """The machine code would read noise that nobody drew."""
    w, v, b, c = drawn(7, 33)
    spec = NetworkSpec("tanh", Optimizer(), 5, Reconstruction(), corruption=CORRUPTIONS[1])
    with pytest.raises(AssertionError, match="the machine code of corruption needs seeds"):
        KernelTiedAutoencoder(w, b, c, spec) if decoder == "tied" else KernelFreeAutoencoder([w, v], [b, c], spec)


def test_padding_of_parameters_stays_zero():
    """The padding of rows, and the corner of the matrix that layers with one matrix for both directions have."""
    w, _, c, b = drawn(7, 33)
    machine = KernelRBM(w, b, c, SEEDS, "gaussian", "linear", batch=5)
    machine.advance(machine.prepare(inputs_of(7)), batches(5), 0.01, torch.full((STEPS,), 0.5), 0.1)
    spec = NetworkSpec("tanh", Optimizer("adam", weight_decay=0.1), 5, Reconstruction(), corruption=CORRUPTIONS[2])
    tied = KernelTiedAutoencoder(w, c, b, spec, SEEDS)
    tied.advance(tied.prepare(inputs_of(7)), inputs_of(7), batches(5), torch.full((STEPS, 3), 0.01))
    for layer in (machine, tied):
        p = layer._joint.values
        assert (p[:, :7, :33] != 0).all() and (p[:, :, 34:] == 0).all() and (p[:, 7, 33] == 0).all()
