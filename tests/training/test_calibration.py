"""Data-dependent schemes reach their goals on small networks, and use only the calibration batch."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import log

import numpy as np
import pytest
import torch

from tests.runs import runs_of
from winit import schemes
from winit.study.compose import compose
from winit.theory.activations import ACTIVATIONS
from winit.training.calibration import (
    LSUV_TOLERANCE,
    METHODS,
    CalibratedNetwork,
    Calibration,
    Cost,
    GradInitSettings,
    gradient_quotient,
    gradinit,
    gradinit_settings,
    lsuv,
    metainit,
    unit_jacobian,
    unit_norm,
)
from winit.training.data import WorkloadData
from winit.training.engines import choose_engine
from winit.training.workload import train

WIDTHS = [8, 12, 12, 12, 3]


def layers(scheme: str, activation: str = "tanh", seed: int = 0, widths=WIDTHS):
    rng = np.random.default_rng(seed)
    shapes = list(pairwise(widths))
    return [
        schemes.draw(scheme, schemes.Layer(a, b, activation, rng, i + 1, len(shapes) - 1))
        for i, (a, b) in enumerate(shapes)
    ]


def calibration(activation: str = "tanh", n: int = 200, **options) -> Calibration:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(n, WIDTHS[0], generator=generator, dtype=torch.float64)
    return Calibration(x, (x[:, :3] @ torch.ones(3, 3).double().tril()).argmax(dim=1), activation, 20, **options)


def network(scheme: str, activation: str = "tanh", **options) -> CalibratedNetwork:
    weights, biases = zip(*layers(scheme, activation), strict=True)
    c = calibration(activation)
    return CalibratedNetwork(
        [torch.tensor(w) for w in weights], [torch.tensor(b) for b in biases], activation, c.x, c.y, 20,
        np.random.default_rng(1), **options,
    )  # fmt: skip


def variances(net: CalibratedNetwork) -> list[tuple[float, float]]:
    """Return each layer's variance of z: over units and examples, and over examples, mean over units."""
    h, found = net.x, []
    for w, b in zip(net.weights, net.biases, strict=True):
        z = h @ w + b
        found.append((z.var(correction=0).item(), z.var(dim=0, correction=0).mean().item()))
        h = net.hidden(z)
    return found


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scheme", ["orthogonal:1", "normal:0.01"])
def test_lsuv_gives_every_layer_variance_1(activation, scheme):
    net = network(scheme, activation)
    start = [w.clone() for w in net.weights]
    lsuv(net)
    for i, (pooled, _) in enumerate(variances(net)):
        assert pooled == pytest.approx(1, abs=LSUV_TOLERANCE)
        w = net.weights[i]
        torch.testing.assert_close(w / w.norm(), start[i] / start[i].norm())  # one factor a layer, no more
    # One correction a layer suffices: each layer is passed twice, or once where nothing was to do.
    assert len(net.y) / 20 <= net.cost.forward <= 2 * len(net.y) / 20
    assert net.cost.backward == 0


@pytest.mark.parametrize("scheme", ["torch_default", "mean_field:1/0.5", "mean_field:1/2", "edge_of_chaos:1"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu"])
def test_lsuv_with_biases_gives_every_layer_variance_1_over_examples(activation, scheme):
    if activation == "gelu" and scheme == "edge_of_chaos:1":
        pytest.skip("GELU is not critical there")
    net = network(scheme, activation)
    biases = [b.clone() for b in net.biases]
    lsuv(net)
    assert [over_examples for _, over_examples in variances(net)] == pytest.approx([1] * 4, abs=LSUV_TOLERANCE)
    assert all(torch.equal(now, before) for now, before in zip(net.biases, biases, strict=True))
    assert net.cost.forward <= 2 * len(net.y) / 20


def test_lsuv_leaves_a_layer_without_signal_as_it_is():
    (done, _) = calibration()("he_normal+last_layer_zero+lsuv", layers("he_normal+last_layer_zero"), 1)
    assert not done[-1][0].any() and np.isfinite(done[0][0]).all()


@pytest.mark.parametrize("scheme", ["normal:0.05", "he_uniform", "torch_default"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_unit_norm_standardizes_every_unit(activation, scheme):
    net = network(scheme, activation)
    start = [w.clone() for w in net.weights]
    unit_norm(net)
    h = net.x
    for w, b, before in zip(net.weights, net.biases, start, strict=True):
        z = h @ w + b
        assert z.mean(dim=0).abs().max() < 1e-6 and (z.var(dim=0, correction=0) - 1).abs().max() < 1e-6
        torch.testing.assert_close(w / w.norm(dim=0), before / before.norm(dim=0))  # one factor a unit
        h = net.hidden(z)
    assert net.cost.forward == 2 * len(net.y) / 20 and net.cost.backward == 0


def test_unit_norm_leaves_units_without_signal_as_they_are():
    (done, _) = calibration()("he_normal+last_layer_zero+unit_norm", layers("he_normal+last_layer_zero"), 1)
    assert not done[-1][0].any() and not done[-1][1].any() and np.isfinite(done[0][0]).all()


def jacobians(net: CalibratedNetwork) -> list[float]:
    """Return the mean square of ∂z_l/∂z_{l−1}, 1/n_l Σ (∂z_l,j/∂z_l−1,i)², of every layer but the first, by autograd."""
    h, below, found = net.x, net.x, []
    for i, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        z = h @ w + b
        if i:
            columns = [torch.autograd.grad(z[:, j].sum(), below, retain_graph=True)[0] for j in range(z.shape[1])]
            found.append(sum(c.square().sum(dim=1).mean().item() for c in columns) / z.shape[1])
        below = z.detach().requires_grad_()
        h = net.hidden(below)
    return found


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_unit_jacobian(activation):
    net = network("torch_default", activation)
    first, biases = net.weights[0].clone(), [b.clone() for b in net.biases]
    unit_jacobian(net)
    assert jacobians(net) == pytest.approx([1] * 3, abs=1e-6)
    assert torch.equal(net.weights[0], first)
    assert all(torch.equal(now, before) for now, before in zip(net.biases, biases, strict=True))
    assert net.cost.forward == len(net.y) / 20


def test_unit_jacobian_hardly_changes_hes_weights():
    """J is 1 for He's weights and ReLU in the mean: over 40 networks the mean factor is 1 within 4 standard errors."""
    factors = []
    for seed in range(40):
        weights, biases = zip(*layers("he_normal", "relu", seed), strict=True)
        c = calibration("relu")
        net = CalibratedNetwork(
            [torch.tensor(w) for w in weights], [torch.tensor(b) for b in biases], "relu", c.x, c.y, 20,
            np.random.default_rng(1),
        )  # fmt: skip
        unit_jacobian(net)
        factors.append(
            [(np.square(w) / w_now.square().numpy()).mean() for w, w_now in zip(weights, net.weights, strict=True)]
        )
    squares = np.array(factors)[:, 1:]
    assert (np.abs(squares.mean(axis=0) - 1) <= 4 * squares.std(axis=0, ddof=1) / np.sqrt(40)).all()


def test_unit_jacobian_with_batch_norm_is_finite():
    net = network("he_normal", "relu", batch_norm=True)
    unit_jacobian(net)
    assert all(torch.isfinite(w).all() for w in net.weights)


@pytest.mark.parametrize("uses_sign", [False, True])
def test_gradinit_lowers_the_loss_after_the_first_step(uses_sign):
    net = network("normal:0.2", "tanh", uses_sign=uses_sign)
    settings = gradinit_settings(batch_norm=False, uses_sign=uses_sign)
    everything = torch.arange(len(net.y))

    def after_a_step() -> float:
        parameters = [p.clone().requires_grad_() for p in net.parameters]
        gradients = net.gradient(net.loss(parameters, everything), parameters, everything)
        size = torch.cat([g.flatten() for g in gradients]).norm()
        steps = [g.sign() if uses_sign else g / size for g in gradients]
        return net.loss([p - settings.eta * s for p, s in zip(parameters, steps, strict=True)], everything).item()

    before, start = after_a_step(), [w.clone() for w in net.weights]
    net.cost = Cost()
    gradinit(net)
    cost, net.cost = net.cost, Cost()
    assert after_a_step() < before
    factors = [(w / s).flatten() for w, s in zip(net.weights, start, strict=True)]
    assert all(f.std() < 1e-12 and f[0] >= 0.01 and abs(f[0] - 1) > 0.05 for f in factors)
    # A step costs one pass forward and back for the gradient, a pass back for m, and a pass forward unless it only
    # lowers the gradient's norm.
    assert cost.backward == 2 * settings.iters and settings.iters <= cost.forward <= 2 * settings.iters


class Scaled(torch.nn.Module):
    """A linear layer whose tensors are multiplied by a factor each, and batch normalization behind it."""

    def __init__(self, weights: torch.Tensor, biases: torch.Tensor, batch_norm: bool) -> None:
        super().__init__()
        self.weights, self.biases = weights, biases
        self.weight_scale, self.bias_scale = (torch.nn.Parameter(torch.ones((), dtype=torch.float64)) for _ in range(2))
        self.norm = torch.nn.BatchNorm1d(weights.shape[1]).double() if batch_norm else torch.nn.Identity()

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.weight_scale * self.weights, self.bias_scale * self.biases


def independent_gradinit(net: CalibratedNetwork, settings: GradInitSettings) -> tuple[list[float], int]:
    """Return the factors of weights and then of biases, and the number of constraint steps: GradInit on torch's modules.

    Written from the paper's algorithm 1, with torch's Adam, one for each kind of step, and torch's batch normalization.
    """
    last = len(net.weights) - 1
    layers = [Scaled(w, b, net.batch_norm and i < last) for i, (w, b) in enumerate(zip(net.weights, net.biases, strict=True))]  # fmt: skip
    weight_scales, bias_scales = [x.weight_scale for x in layers], [x.bias_scale for x in layers]
    everyone = weight_scales + bias_scales
    for_loss, for_bound = (torch.optim.Adam(everyone, settings.lr, (0.9, settings.beta2)) for _ in range(2))
    activation = torch.nn.Tanh()

    def loss(tensors, rows):
        h = net.x[rows]
        for i, (layer, (w, b)) in enumerate(zip(layers, tensors, strict=True)):
            z = torch.nn.functional.linear(h, w.T, b)
            h = z if i == last else activation(layer.norm(z))
        return torch.nn.CrossEntropyLoss()(h, net.y[rows])

    rng, half, constrained = np.random.default_rng(1), net.batch_size // 2, 0
    for _ in range(settings.iters):
        a, b, c = (rng.integers(len(net.y), size=half) for _ in range(3))
        tensors = [layer.tensors() for layer in layers]
        flat = [t for pair in tensors for t in pair]
        gradients = torch.autograd.grad(loss(tensors, np.concatenate([a, b])), flat, create_graph=True)
        norm = sum(g.abs().sum() for g in gradients) if net.uses_sign else sum(g.pow(2).sum() for g in gradients).sqrt()
        adam = for_bound if norm > settings.gamma else for_loss
        if adam is for_bound:
            constrained += 1
            goal = norm
        else:
            steps = [settings.eta * (g.sign() if net.uses_sign else g / norm).detach() for g in gradients]
            moved = [t - s for t, s in zip(flat, steps, strict=True)]
            goal = loss(list(zip(moved[::2], moved[1::2], strict=True)), np.concatenate([a, c])) / settings.eta
        adam.zero_grad()
        goal.backward()
        torch.nn.utils.clip_grad_value_(everyone, settings.grad_clip)
        for scale in bias_scales:
            if scale == 0:  # a tensor that has vanished stays so
                scale.grad = None
        adam.step()
        with torch.no_grad():
            for scale in weight_scales:
                scale.clamp_(min=0.01)
            for scale in bias_scales:
                scale.clamp_(min=0)
    return [scale.item() for scale in everyone], constrained


@pytest.mark.parametrize(
    ("scheme", "options", "iters"),
    [
        ("mean_field:0.3/0.2", {}, 390),
        ("mean_field:9/0.2", {}, 390),
        ("mean_field:9/0.2", {"batch_norm": True}, 200),  # at its high rate, later steps amplify rounding
        ("mean_field:1.5/0.2", {"uses_sign": True}, 780),
    ],
)
def test_gradinit_is_that_of_an_independent_implementation(scheme, options, iters):
    net = network(scheme, "tanh", **options)
    settings = replace(gradinit_settings(net.batch_norm, net.uses_sign), iters=iters)
    expected, constrained = independent_gradinit(net, settings)
    start = [p.clone() for p in net.parameters]
    gradinit(net, settings)
    factors = [(now.flatten() @ before.flatten() / before.square().sum()).item()
               for now, before in zip(net.parameters, start, strict=True)]  # fmt: skip
    assert factors == pytest.approx(expected, rel=1e-5)
    assert max(abs(f - 1) for f in factors) > 0.2
    assert constrained == 0 if net.uses_sign else 0 < constrained < iters


def test_gradinit_has_the_settings_of_the_authors_scripts():
    assert gradinit_settings(False, False) == GradInitSettings(390, 0.01, 0.999, 0.1, 1.0, 1.0)
    assert gradinit_settings(True, False).lr == 0.1
    assert gradinit_settings(False, True) == GradInitSettings(780, 0.0025, 0.98, 0.001, 1000.0, float("inf"))


def test_gradient_quotient_of_a_quadratic_loss():
    # ℓ = ½ Σ aᵢ θᵢ²: g = aθ and Hg = a²θ, so the quotient is the mean of |(1 − a) − 1| = |a|, but for ε.
    a, theta = torch.tensor([0.5, -2.0, 3.0]).double(), torch.tensor([1.0, 2.0, -1.0]).double().requires_grad_()
    net = network("he_normal")
    net.loss = lambda parameters, examples: (a * parameters[0].square()).sum() / 2
    assert gradient_quotient(net, [theta], torch.arange(20)).item() == pytest.approx(5.5 / 3, rel=1e-4)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "relu"])
def test_metainit_lowers_the_gradient_quotient(activation):
    net = network("normal:1", activation)

    def quotient() -> float:
        parameters = [p.clone().requires_grad_() for p in net.parameters]
        return gradient_quotient(net, parameters, torch.arange(len(net.y))).item()

    before = quotient()
    net.cost = Cost()
    metainit(net)
    cost, net.cost = net.cost, Cost()
    assert quotient() < before / 2
    assert cost.forward == 500 and cost.backward == 1500


@pytest.mark.parametrize("method", METHODS)
def test_a_hopeless_start_stays_finite_and_raises_no_error(method):
    done, _ = calibration("relu")(f"he_normal+{method}", [(1e200 * w, b) for w, b in layers("he_normal", "relu")], 1)
    assert all(np.isfinite(w).all() for w, _ in done)


def test_without_a_modifier_nothing_changes_at_no_cost():
    start = layers("he_normal")
    assert calibration()("he_normal", start, 1) == (start, Cost())


@pytest.mark.parametrize("batch_norm", [False, True])
def test_its_own_loss_is_that_of_torch(batch_norm):
    net = network("torch_default", "gelu", batch_norm=batch_norm)
    parts = []
    for i, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        linear = torch.nn.Linear(*w.shape).double()
        linear.weight.data, linear.bias.data = w.T.clone(), b.clone()
        parts.append(linear)
        if i < len(net.weights) - 1:
            parts += [torch.nn.BatchNorm1d(w.shape[1]).double()] * batch_norm + [torch.nn.GELU()]
    expected = torch.nn.functional.cross_entropy(torch.nn.Sequential(*parts)(net.x), net.y)
    torch.testing.assert_close(net.loss(net.parameters, torch.arange(len(net.y))), expected.detach())


def test_in_a_study_calibration_uses_only_training_data_and_records_its_cost():
    grid = "[he_normal,he_normal+lsuv,he_normal+last_layer_zero,he_normal+gradinit]"
    study = compose(["study=smoke", f"grid.initializer={grid}", "grid.activation=[tanh]", "grid.depth=[2]", "training.steps=3", "measure.budgets=[]",
                     "grid.replicates=2", "grid.tuning_replicates=0", "grid.learning_rate=[0.01,0.1]"])  # fmt: skip
    workload = study.workloads[0]
    device = torch.device("cpu")
    data = WorkloadData(workload, choose_engine("torch", workload, device), device)
    seen = {tuple(row) for row in data.calibration.x.float().tolist()}
    assert len(data.calibration.y) == 512 and seen <= {tuple(row) for row in data.train.x.float().tolist()}

    rows = {(r["initializer"], r["learning_rate"], r["replicate"]): r
            for chunk in train(workload, runs_of(workload), device) for r in chunk}  # fmt: skip
    for (name, _, replicate), row in rows.items():
        paid = [row[f"calibration_{c}"] for c in ("time_s", "forward", "backward")]
        assert (paid[0] > 0, paid[1] > 0, paid[2] > 0) == {
            "he_normal+lsuv": (True, True, False), "he_normal+gradinit": (True, True, True),
        }.get(name, (False, False, False)), name  # fmt: skip
        if name == "he_normal+last_layer_zero":
            assert row["train_loss"][0] == pytest.approx(log(10), rel=1e-6)
        if name == "he_normal+lsuv":  # the layers table sees what LSUV made
            np.testing.assert_allclose(row["z_variance"][:3], 1, atol=0.35)  # on other examples
        assert row["train_loss"][0] == rows[name, 0.01, replicate]["train_loss"][0]  # the same start at every rate


def test_a_calibrated_run_does_not_depend_on_other_runs():
    study = compose(["study=smoke", "grid.initializer=[he_normal+metainit,lsuv]", "grid.activation=[relu]", "grid.depth=[2]",
                     "training.steps=3", "measure.budgets=[]", "grid.replicates=2", "grid.tuning_replicates=0",
                     "grid.learning_rate=[0.1]"])  # fmt: skip
    workload = study.workloads[0]

    def losses(runs, size=None):
        return {r["run_id"]: np.asarray(r["train_loss"]).tobytes()
                for chunk in train(workload, runs, torch.device("cpu"), networks=size) for r in chunk}  # fmt: skip

    together = losses(runs_of(workload))
    assert together == losses(runs_of(workload)[::-1], 1)
    assert losses(runs_of(workload)[1:2]).items() <= together.items()
