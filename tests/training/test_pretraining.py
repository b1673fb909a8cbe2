"""Greedy pretraining: each layer learns from the codes below, and fine-tuning starts from the learned weights."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.runs import runs_of
from winit.datasets import shuffled_epochs
from winit.engine.engine import NetworkSpec
from winit.engine.objectives import Reconstruction
from winit.engine.optimizers import Optimizer
from winit.engine.torch_stack import TorchStack
from winit.study.schema import PretrainingSettings
from winit.training.data import WorkloadData
from winit.training.engines import choose_engine
from winit.training.learners import AutoencoderLayer, DrawnLayer, LayerTask, encode
from winit.training.pretraining import PretrainingData, pretrain, unroll
from winit.training.start import initial_parameters, initial_state, make_networks
from winit.training.workload import train
from winit.vocabulary.pretraining import PRETRAINING

CPU = torch.device("cpu")
WIDTHS, SEEDS = [9, 6, 4, 2], [3, 4, 3]
METHODS = [m for m in PRETRAINING if m != "none"]
ENGINES = ["torch", "kernel"]


def recipe(**changes) -> PretrainingSettings:
    rbm = {
        "visible": "auto", "gibbs_steps": 1, "learning_rate": 0.1, "real_rate": 0.01, "momentum": 0.5, "late_momentum": 0.9,
        "early_share": 0.1, "weight_cost": 0.0002,
    }  # fmt: skip
    facts = {
        "layers": "all", "steps": 30, "batch_size": 10, "optimizer": "adam", "learning_rate": 0.01, "momentum": 0.9,
        "decoder": "tied", "loss": "squared_error", "corruption": "masking", "corruption_amount": 0.25, "rbm": rbm,
    }  # fmt: skip
    return PretrainingSettings(**(facts | changes))


def bars(n: int = 45) -> PretrainingData:
    """3×3 images with one row or one column lit: something to learn."""
    generator = torch.Generator().manual_seed(0)
    images, lines = torch.zeros(n, 3, 3), torch.randint(6, (n,), generator=generator)
    for i, line in enumerate(lines.tolist()):
        images[(i, line) if line < 3 else (i, slice(None), line - 3)] = 1
    return PretrainingData(images.flatten(1), lines, is_unit=True)


def drawn(seeds: list[int], top: int | None = None):
    """Weights, biases and decoders of a stack with one network a seed: equal seeds, equal networks."""
    rngs = [np.random.default_rng(s) for s in seeds]

    def stack(rows: int, columns: int) -> torch.Tensor:
        return torch.tensor(np.stack([r.normal(0, 0.3, (rows, columns)) for r in rngs])).float()

    pairs = list(itertools.pairwise(WIDTHS))
    weights, biases = [stack(a, b) for a, b in pairs], [stack(1, b) for _, b in pairs]
    return weights, biases, [(stack(b, top or a), stack(1, top or a)) for a, b in pairs]


def drawn_layers(method: str, seeds=SEEDS, activations=("sigmoid",) * 3) -> list[DrawnLayer]:
    parts = drawn(seeds, 6 if method == "supervised" else None)
    return [DrawnLayer(w, b, phi, *top) for w, b, top, phi in zip(*parts, activations, strict=True)]


def pretrained(method: str, seeds=SEEDS, activations=("sigmoid",) * 3, points=4, data=None, engine="torch", **changes):
    layers = drawn_layers(method, seeds, activations)
    return pretrain(method, data or bars(), layers, recipe(**changes), seeds, points, engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize("method", METHODS)
def test_a_network_depends_neither_on_its_neighbours_nor_on_layers_above(method, loss, engine):
    together = pretrained(method, loss=loss, engine=engine)
    assert [tuple(layer.weights.shape) for layer in together.layers] == [(3, 9, 6), (3, 6, 4), (3, 4, 2)]
    alone = pretrained(method, SEEDS[1:2], loss=loss, engine=engine)
    for one, all_three in zip(alone.layers, together.layers, strict=True):
        for a, t in zip(one[:2], all_three[:2], strict=True):
            assert torch.equal(a[0], t[1]) and torch.equal(t[0], t[2])  # equal seeds are equal networks
    assert torch.equal(alone.errors[0], together.errors[1])
    first = pretrain(method, bars(), drawn_layers(method)[:1], recipe(loss=loss), SEEDS, 4, engine)
    assert torch.equal(first.layers[0].weights, together.layers[0].weights)
    assert torch.equal(first.errors[:, 0], together.errors[:, 0])


@pytest.mark.parametrize("decoder", ["tied", "free"])
@pytest.mark.parametrize("method", METHODS)
def test_the_kernel_learns_what_torch_learns(method, decoder):
    """Layer by layer, so that each starts from the same codes; the last activation is none that the kernel has."""
    phis = ("sigmoid",) * 3 if method == "rbm" else ("sigmoid", "tanh", "gelu")
    ours, theirs = (
        pretrained(method, activations=phis, decoder=decoder, loss="auto", engine=engine)
        for engine in ("kernel", "torch")
    )
    for one, other in zip(ours.layers, theirs.layers, strict=True):
        for got, want in zip(one, other, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.errors, theirs.errors, rtol=1e-4, atol=1e-5)
    assert torch.equal(ours.errors[..., 0][:, 0], theirs.errors[..., 0][:, 0])
    assert not torch.equal(ours.layers[0].weights, theirs.layers[0].weights)  # not the same code


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("engine", ENGINES)
def test_layers_that_diverge_are_lost_with_all_above(method, engine):
    rate = 9e29
    rbm = recipe().rbm.model_copy(update={"learning_rate": rate, "real_rate": rate})
    stack = pretrained(
        method, activations=("identity",) * 3, learning_rate=rate, optimizer="sgd", rbm=rbm, engine=engine
    )
    assert stack.errors[:, 1:].isnan().all() and stack.layers[0].weights.isnan().all()
    assert torch.isfinite(stack.errors[:, 0, 0]).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", METHODS)
def test_every_layer_learns(method, engine):
    stack = pretrained(method, steps=400, data=bars(200), engine=engine)
    assert stack.steps[0] == 0 and stack.steps[-1] == 400
    assert (stack.errors[:, 0, -1] < 0.6 * stack.errors[:, 0, 0]).all()
    assert (stack.errors[:, 0, -1] < stack.baselines[:, 0]).all()


def test_the_automatic_loss_follows_the_values_that_a_layer_sees():
    """Cross-entropy for inputs in [0, 1] and codes of sigmoid units, squared error for all other values."""
    data = {True: bars(), False: PretrainingData(bars().x * 4 - 2, bars().y, is_unit=False)}
    cases = [
        (True, ("sigmoid", "sigmoid", "tanh"), ("cross_entropy",) * 3),
        (False, ("sigmoid", "tanh", "sigmoid"), ("squared_error", "cross_entropy", "squared_error")),
        (True, ("tanh", "relu", "sigmoid"), ("cross_entropy", "squared_error", "squared_error")),
    ]
    for is_unit, activations, losses in cases:
        chosen = pretrained("autoencoder", [5], activations, data=data[is_unit], loss="auto")
        codes = data[is_unit].x
        for index, (layer, activation, loss) in enumerate(zip(chosen.layers, activations, losses, strict=True)):
            start = drawn_layers("autoencoder", [5], activations)[index]
            alone = AutoencoderLayer(LayerTask(start, recipe(loss=loss), [0], codes, index == 0, True))
            order = torch.from_numpy(shuffled_epochs(np.random.default_rng([5, index]), 45, 30, 10))[:, None]
            alone.advance(codes.reshape(45, -1), data[is_unit].y, order, 0)
            assert torch.equal(alone.learned().weights, layer.weights), (activations, index)
            codes = encode(codes, layer.weights, layer.biases, activation)


def test_every_layer_of_a_deep_sigmoid_stack_learns_with_the_loss_that_fits():
    """With squared error the codes of some layers are rebuilt worse than by their mean, in the same steps."""
    data = bars(200)

    def layers() -> list[DrawnLayer]:
        rng = np.random.default_rng(0)
        made = []
        for fan_in in [9] + [12] * 7:
            w, v = (torch.tensor(rng.normal(0, 0.01, (1, *shape))).float() for shape in ((fan_in, 12), (12, fan_in)))
            made.append(DrawnLayer(w, torch.zeros(1, 1, 12), "sigmoid", v, torch.zeros(1, 1, fan_in)))
        return made

    worst = {}
    for loss in ("auto", "squared_error"):
        stack = pretrain("autoencoder", data, layers(), recipe(steps=300, loss=loss), [3], 2)
        worst[loss] = float((stack.errors[0, :, -1] / stack.baselines[0]).max())
    assert worst["auto"] < 0.7 < 1 < worst["squared_error"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("decoder", ["tied", "free"])
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_an_autoencoder_layer_is_a_plain_loop_on_the_codes_below(decoder, loss, engine):
    """The second layer, against torch's autograd and its SGD."""
    changes = {"decoder": decoder, "loss": loss, "optimizer": "sgd", "learning_rate": 0.1, "steps": 7, "engine": engine}
    stack = pretrained("autoencoder", [5], **changes)
    data = bars()
    weights, biases, decoders = drawn([5])
    codes = encode(data.x, *stack.layers[0][:2], "sigmoid")[0].double()
    w, b = (p[1][0].double().requires_grad_() for p in (weights, biases))
    v = w.mT if decoder == "tied" else decoders[1][0][0].double().requires_grad_()
    mean = codes.mean(dim=0, keepdim=True)
    start = torch.logit(mean, eps=1e-3) if loss == "cross_entropy" else mean
    c = (start - torch.sigmoid(codes @ w + b).mean(dim=0, keepdim=True) @ v).detach().requires_grad_()
    free = [w, b, c] + ([v] if decoder == "free" else [])
    stream = np.random.default_rng([5, 1])
    order = np.concatenate([stream.permutation(45) for _ in range(2)])[:70].reshape(7, 10)
    for batch in order:
        x = codes[torch.from_numpy(batch)]
        z = torch.sigmoid(x @ w + b) @ (w.mT if decoder == "tied" else v) + c
        value = (
            functional.binary_cross_entropy_with_logits(z, x, reduction="sum") / 10
            if loss == "cross_entropy"
            else (z - x).square().sum() / 20
        )
        for p, g in zip(free, torch.autograd.grad(value, free), strict=True):
            p.data -= 0.1 * g
    torch.testing.assert_close(stack.layers[1].weights[0].double(), w.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(stack.layers[1].biases[0].double(), b.detach(), rtol=1e-5, atol=1e-6)
    expected = w.mT if decoder == "tied" else v
    torch.testing.assert_close(stack.layers[1].top_weights[0].double(), expected.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_supervised_layer_is_the_hidden_layer_of_a_classifier(engine):
    stack = pretrained("supervised", [5], optimizer="sgd", learning_rate=0.5, steps=6, engine=engine)
    data = bars()
    weights, biases, decoders = drawn([5], 6)
    free = [p[0].double().requires_grad_() for p in (weights[0], biases[0], *decoders[0])]
    w, b, v, c = free
    stream = np.random.default_rng([5, 0])
    order = np.concatenate([stream.permutation(45) for _ in range(2)])[:60].reshape(6, 10)
    for batch in torch.from_numpy(order):
        value = functional.cross_entropy(torch.sigmoid(data.x[batch].double() @ w + b) @ v + c, data.y[batch])
        for p, g in zip(free, torch.autograd.grad(value, free), strict=True):
            p.data -= 0.5 * g
    torch.testing.assert_close(stack.layers[0].weights[0].double(), w.detach(), rtol=1e-5, atol=1e-6)


def test_units_of_machines_follow_the_values_they_see():
    """A Gaussian layer on top of linear codes, and on inputs that are no shares; binary ones elsewhere."""
    stack = pretrained("rbm", [5], activations=("sigmoid", "identity", "identity"))
    assert torch.isfinite(stack.errors).all()
    standard = PretrainingData(bars().x * 4 - 2, bars().y, is_unit=False)
    means = {}
    for visible in ("auto", "gaussian", "binary"):
        rbm = recipe().rbm.model_copy(update={"visible": visible, "weight_cost": 0.0})
        machine = pretrain("rbm", standard, drawn_layers("rbm", [5])[:1], recipe(rbm=rbm), [5], 2)
        means[visible] = machine.layers[0].weights
    assert torch.equal(means["auto"], means["gaussian"]) and not torch.equal(means["auto"], means["binary"])


def test_the_unrolled_autoencoder_gives_back_what_the_machines_do():
    data, phis = bars(), ("sigmoid", "sigmoid", "identity")
    stack = pretrained("rbm", activations=phis)
    weights, biases = zip(*unroll(stack.layers), strict=True)
    hidden = ("sigmoid", "sigmoid", "identity", "sigmoid", "sigmoid")
    net = TorchStack(weights, biases, NetworkSpec(hidden, Optimizer(), 5, Reconstruction("cross_entropy")))
    code = data.x
    for layer, phi in zip(stack.layers, phis, strict=True):
        code = encode(code, layer.weights, layer.biases, phi)
    for layer in reversed(stack.layers):
        code = encode(code, layer.weights.mT, layer.top_biases, "sigmoid")
    torch.testing.assert_close(net.objective.outputs(net.predict(data.x)), code)


@pytest.mark.parametrize("method", METHODS)
def test_fine_tuning_starts_from_exactly_the_pretrained_tensors(tiny, method):
    """Of the layers that are pretrained the learned parameters, of the others the drawn ones, bit for bit."""
    study = tiny(
        "grid.activation=[sigmoid]", "grid.depth=[3]", "pretraining.layers=2", "pretraining.steps=15",
        f"grid.pretraining=[none,{method}]", "grid.initializer=[normal:0.5]", "grid.learning_rate=[0.1,0.3]",
    )  # fmt: skip
    workload = study.workloads[0]
    for engine in ("kernel", "torch"):
        chosen = choose_engine(engine, workload, CPU)
        data = WorkloadData(workload, chosen, CPU)
        begun = initial_state(workload, runs_of(workload), data)
        networks = make_networks(workload, runs_of(workload), chosen, data.spec, begun, CPU)
        weights, biases, _ = initial_parameters(workload, runs_of(workload))
        for k, run in enumerate(runs_of(workload)):
            network = data.pretrainer.pretrained([run], weights, biases)[0]
            started = [(w[k].numpy(), b[k].numpy()) for w, b in zip(networks.weights, networks.biases, strict=True)]
            expected = [(w[k], b[k]) for w, b in zip(weights, biases, strict=True)]
            if run.pretraining == method:
                assert list(network.layers) == [0, 1]
                for layer, (w, b) in network.layers.items():
                    assert not np.array_equal(w, expected[layer][0])
                    expected[layer] = w, b
            for (w, b), (v, c) in zip(started, expected, strict=True):
                assert np.array_equal(w, v) and np.array_equal(b, c)


def test_rows_of_pretrained_runs_do_not_depend_on_the_chunk(tiny):
    workload = tiny(
        "grid.activation=[sigmoid]", "grid.initializer=[normal:0.5,glorot_uniform]", "grid.learning_rate=[0.1,1e20]",
        "pretraining.steps=8", "grid.pretraining=[none,denoising_autoencoder,rbm,rbm+shuffled,rbm+moments]",
    ).workloads[0]  # fmt: skip

    runs = runs_of(workload)

    def rows(networks, runs=runs):
        chunks = train(workload, runs, CPU, networks=networks)
        return {
            row["run_id"]: {k: np.asarray(v).tobytes() for k, v in row.items() if not k.endswith("time_s")}
            for chunk in chunks
            for row in chunk
        }

    whole = rows(100)
    assert len(whole) == len(runs) == 40
    assert rows(1) == whole and rows(7, runs[::-1]) == whole


def test_layers_are_measured_before_and_after_pretraining(tiny):
    workload = tiny(
        "grid.activation=[tanh]", "grid.initializer=[normal:0.01]", "grid.learning_rate=[0.1]", "grid.replicates=1",
        "grid.pretraining=[none,autoencoder]", "pretraining.steps=50",
    ).workloads[0]  # fmt: skip
    none, learned = (row for part in train(workload, runs_of(workload), CPU) for row in part)
    assert learned["layer_step"] == [-100, *none["layer_step"]]
    L = workload.depth + 1
    before, after = learned["h_variance"][:L], learned["h_variance"][L : 2 * L]
    assert np.array_equal(before, none["h_variance"][:L], equal_nan=True)
    assert after[1] > 1000 * before[1]
    assert len(learned["pretraining_error"]) == 2 * len(learned["pretraining_step"]) and not len(
        none["pretraining_error"]
    )
