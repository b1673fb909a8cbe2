"""A run of a study, trained and measured by an idiomatic PyTorch loop: one nn.Sequential, torch.optim, hooks, autograd.

The loop takes the run's own data, mini-batches and initial weights, and measures what winit measures at the same steps:
loss and accuracy on three parts of the data, and every layer on the probe batch, in float64. Traces, histograms and
calibration are left out; the studies that are compared have none. Pretraining is here for its cost: its noise is torch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from winit.study.protocol import Role, Run
from winit.study.schema import PretrainingSettings
from winit.study.steps import log_spaced
from winit.study.workload import Workload
from winit.theory.activations import ACTIVATIONS
from winit.training.data import Examples, WorkloadData
from winit.training.start import initial_parameters
from winit.training.workload import mini_batches

MODULES = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
JACOBIAN_EXAMPLES = 8
DEAD_SLOPE, SATURATED_SLOPE = 1e-6, 0.05


def sequential(workload: Workload, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> nn.Sequential:
    """Return a network with these weights (fan_in, fan_out) and biases (fan_out,)."""
    layers: list[nn.Module] = []
    for index, (w, b) in enumerate(zip(weights, biases, strict=True), start=1):
        linear = nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = torch.tensor(w.T).contiguous(), torch.tensor(b)
        layers.append(linear)
        if index < len(weights):
            layers += [nn.BatchNorm1d(len(b))] if workload.batch_norm else []
            layers += [MODULES[workload.activation]()]
            layers += [nn.Dropout(workload.dropout)] if workload.dropout else []
    return nn.Sequential(*layers)


def optimizer_of(name: str, parameters: Sequence[nn.Parameter], rate: float, momentum: float, decay: float):
    """Return torch's optimizer of a name."""
    if name in ("adam", "adamw"):
        return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name](parameters, rate, weight_decay=decay)
    momentum = 0 if name == "sgd" else momentum
    return torch.optim.SGD(parameters, rate, momentum, weight_decay=decay, nesterov=name == "nesterov")


@dataclass
class Measured:
    """What was measured in a run.

    Attributes:
        curve: at each step, loss and accuracy on the training sample and on the test part.
        validation: at each budget, loss and accuracy on the validation part.
        layers: at each probed step, each statistic of every layer.
        jacobian: at each probed step, mean and quartiles of the singular values of ∂logits/∂inputs.
        updates: at each probed step, ‖ΔW‖/‖W‖ of every layer in the next update.
        predictions: class and probability of the true class of the test examples.
        diverged: the step, from 1, whose loss is not finite; None if there is none.
    """

    curve: dict[int, list[float]] = field(default_factory=dict)
    validation: dict[int, list[float]] = field(default_factory=dict)
    layers: dict[int, dict[str, list[float]]] = field(default_factory=dict)
    jacobian: dict[int, list[float]] = field(default_factory=dict)
    updates: dict[int, list[float]] = field(default_factory=dict)
    predictions: tuple[Tensor, Tensor] | None = None
    diverged: int | None = None


@torch.no_grad()
def evaluate(model: nn.Sequential, part: Examples) -> list[float]:
    """Return loss and accuracy on a part of the data."""
    model.eval()
    logits = model(part.x)
    loss, accuracy = F.cross_entropy(logits, part.y), (logits.argmax(dim=1) == part.y).float().mean()
    model.train()
    return [loss.item(), accuracy.item()]


def effective_rank(matrix: Tensor) -> float:
    """Return (Σσ²)²/Σσ⁴ of a matrix."""
    squares = torch.linalg.svdvals(matrix).square()
    return (squares.sum().square() / squares.square().sum()).item()


def probe(model: nn.Sequential, activation: str, probed: Examples) -> dict[str, list[float]]:
    """Return the statistics of every layer on the probe batch: one pass in float64, without dropout, and autograd."""
    model = deepcopy(model).double()
    h, linear, active = probed.x.double(), [], []
    for module in model:
        if isinstance(module, nn.Dropout):
            continue
        given, h = h, module(h)
        if isinstance(module, nn.Linear):
            linear.append((module, h))
        elif isinstance(module, MODULES[activation]):
            active.append((given, h))
    loss = F.cross_entropy(h, probed.y, reduction="sum")
    deltas = torch.autograd.grad(loss, [z for _, z in linear], retain_graph=True)
    gradients = torch.autograd.grad(loss, [module.weight for module, _ in linear], retain_graph=True)
    slopes = [torch.autograd.grad(h.sum(), z, retain_graph=True)[0].abs() for z, h in active]
    steepest = ACTIVATIONS[activation].steepest
    with torch.no_grad():
        pairs = [(z[: len(z) // 2 * 2 : 2], z[1::2]) for _, z in linear]
        units = [torch.cat([module.weight, module.bias[:, None]], dim=1) for module, _ in linear]
        of_outputs = [h for _, h in active]
        values = {
            "z_mean": [z.mean() for _, z in linear],
            "z_variance": [z.var(correction=0) for _, z in linear],
            "correlation": [F.cosine_similarity(*pair).mean() for pair in pairs],
            "weight_rank": [effective_rank(module.weight) for module, _ in linear],
            "distinct_units": [len(torch.unique(rows, dim=0)) for rows in units],
            "delta_variance": [delta.var(correction=0) for delta in deltas],
            "gradient_variance": [(g / len(probed.y)).var(correction=0) for g in gradients],
            "h_mean": [h.mean() for h in of_outputs],
            "h_variance": [h.var(correction=0) for h in of_outputs],
            "h_example_variance": [h.var(dim=0, correction=0).mean() for h in of_outputs],
            "activation_rank": [effective_rank(h - h.mean(dim=0)) for h in of_outputs],
            "dead": [(slope.amax(dim=0) < DEAD_SLOPE).double().mean() for slope in slopes],
            "saturated": [(s < SATURATED_SLOPE * steepest).double().mean() for s in slopes] if steepest else [],
        }
    return {name: [float(value) for value in each] for name, each in values.items()}


def jacobian(model: nn.Sequential, x: Tensor) -> list[float]:
    """Return mean and quartiles of the singular values of ∂logits/∂inputs over the first examples."""
    model = deepcopy(model).double().eval()
    matrices = torch.func.vmap(torch.func.jacrev(model))(x[:JACOBIAN_EXAMPLES].double())
    values = torch.linalg.svdvals(matrices).flatten()
    return [values.mean().item(), *torch.quantile(values, values.new_tensor([0, 0.25, 0.5, 0.75, 1])).tolist()]


def train(workload: Workload, run: Run, data: WorkloadData) -> Measured:
    """Train and measure a run from its initial weights; those of a pretrained run are the drawn ones.

    Args:
        workload, run: what to train.
        data: of the run's replicate, prepared for the torch engine.
    """
    recipe, measure, steps = workload.training, workload.measure, workload.training.steps
    weights, biases, _ = initial_parameters(workload, [run], data.calibration)
    model = sequential(workload, [w[0] for w in weights], [b[0, 0] for b in biases])
    rule = optimizer_of(
        recipe.optimizer, list(model.parameters()), run.learning_rate, recipe.momentum, recipe.weight_decay
    )
    judged, (x, y), measured = run.role is Role.JUDGED, data.train, Measured()
    curve = {*(log_spaced(steps, measure.curve_points) if judged else [0]), *workload.budgets}
    probed = set(log_spaced(steps, measure.layer_points) if judged else [])
    order = torch.from_numpy(mini_batches(workload, run.replicate, len(y), steps + 1))
    for step in range(steps + 1):
        if step in curve:
            measured.curve[step] = evaluate(model, data.train_sample) + evaluate(model, data.test)
        if step in workload.budgets:
            measured.validation[step] = evaluate(model, data.validation)
        if step == steps and judged:
            measured.predictions = predictions(model, data.test)
        if step in probed:
            measured.layers[step] = probe(model, workload.activation, data.probe)
            if not workload.batch_norm:
                measured.jacobian[step] = jacobian(model, data.probe.x)
        elif step == steps:
            break
        for group in rule.param_groups:
            group["lr"] = run.learning_rate * recipe.rate_factor(step)
        before = [m.weight.detach().clone() for m in model if isinstance(m, nn.Linear)] if step in probed else []
        rule.zero_grad()
        loss = F.cross_entropy(model(x[order[step]]), y[order[step]])
        if not isfinite(loss.item()):
            measured.diverged = step + 1
            return measured
        loss.backward()
        rule.step()
        if before:
            measured.updates[step] = update_ratios(before, model)
    return measured


@torch.no_grad()
def update_ratios(before: Sequence[Tensor], model: nn.Sequential) -> list[float]:
    """Return ‖ΔW‖/‖W‖ of every layer, given its weights before the update."""
    after = [module.weight for module in model if isinstance(module, nn.Linear)]
    return [((new - old).norm() / old.norm()).item() for old, new in zip(before, after, strict=True)]


@torch.no_grad()
def predictions(model: nn.Sequential, test: Examples) -> tuple[Tensor, Tensor]:
    """Return the class that each test example is given, and the probability of its true class."""
    probabilities = model.eval()(test.x).softmax(dim=1)
    model.train()
    return probabilities.argmax(dim=1), probabilities[torch.arange(len(test.y)), test.y]


def pretrain(workload: Workload, run: Run, data: WorkloadData, method: str) -> None:
    """Pretrain the layers of a network, one after the other, by `autoencoder`, `denoising_autoencoder`, `rbm`, `supervised`."""
    recipe = workload.pretraining.at_rate(run.pretraining_rate)
    codes, y, shapes = data.train.x, data.train.y, list(pairwise(workload.widths))
    phi = MODULES[workload.activation]()
    for index, (fan_in, fan_out) in enumerate(shapes[: workload.pretrained_layers]):
        order = torch.randint(0, len(y), (recipe.steps, recipe.batch_size))
        points = set(log_spaced(recipe.steps, workload.measure.layer_points))
        layer = nn.Linear(fan_in, fan_out)
        if method == "rbm":
            contrast(layer, torch.zeros(fan_in), codes, order, points, recipe, gaussian=index == 0)
        else:
            top = nn.Linear(fan_out, shapes[-1][1] if method == "supervised" else fan_in)
            _descend(layer, top, phi, codes, y, order, points, recipe, method, index)
        with torch.no_grad():
            codes = phi(layer(codes))


def _descend(
    layer: nn.Linear, top: nn.Linear, phi: nn.Module, codes: Tensor, y: Tensor, order: Tensor, points: set[int],
    recipe: PretrainingSettings, method: str, index: int,
) -> None:  # fmt: skip
    """Train a layer and what lies above it while it learns, by gradient descent."""
    tied = recipe.decoder == "tied" and method != "supervised"
    parameters = [*layer.parameters(), top.bias, *([] if tied else [top.weight])]
    rule = optimizer_of(recipe.optimizer, parameters, recipe.learning_rate, recipe.momentum, 0)

    def loss(x: Tensor, labels: Tensor, given: Tensor) -> Tensor:
        z = F.linear(phi(layer(given)), layer.weight.mT if tied else top.weight, top.bias)
        if method == "supervised":
            return F.cross_entropy(z, labels)
        if index:  # codes lie between 0 and 1
            return F.binary_cross_entropy_with_logits(z, x, reduction="sum") / len(x)
        return F.mse_loss(z, x, reduction="sum") / (2 * len(x))

    for step, batch in enumerate(order):
        if step in points:
            with torch.no_grad():
                loss(codes[:512], y[:512], codes[:512]).item()
        x = codes[batch]
        given = F.dropout(x, recipe.corruption_amount) if method == "denoising_autoencoder" else x
        rule.zero_grad()
        loss(x, y[batch], given).backward()
        rule.step()


@torch.no_grad()
def contrast(
    layer: nn.Linear, visible: Tensor, codes: Tensor, order: Tensor, points: set[int], recipe: PretrainingSettings,
    gaussian: bool,
) -> None:  # fmt: skip
    """Train a layer as a restricted Boltzmann machine with binary hidden units, by contrastive divergence."""
    w, hidden = layer.weight, layer.bias
    rate = recipe.rbm.real_rate if gaussian else recipe.rbm.learning_rate
    velocities = [torch.zeros_like(p) for p in (w, hidden, visible)]

    def down(h: Tensor) -> Tensor:
        means = h @ w + visible
        return means if gaussian else means.sigmoid()

    for step, batch in enumerate(order):
        if step in points:
            (down(layer(codes[:512]).sigmoid()) - codes[:512]).square().sum(dim=1).mean().item()
        v = codes[batch]
        first = h = layer(v).sigmoid()
        for _ in range(recipe.rbm.gibbs_steps):
            model_v = down(torch.bernoulli(h))
            h = layer(model_v).sigmoid()
        late = step >= recipe.rbm.early_share * recipe.steps
        ascent = (first.mT @ v - h.mT @ model_v) / len(v) - recipe.rbm.weight_cost * w
        directions = ascent, (first - h).mean(dim=0), (v - model_v).mean(dim=0)
        for p, velocity, direction in zip((w, hidden, visible), velocities, directions, strict=True):
            velocity.mul_(recipe.rbm.late_momentum if late else recipe.rbm.momentum).add_(direction, alpha=rate)
            p.add_(velocity)
