"""Data-dependent schemes against what they promise, in small; and what they may look at."""

from __future__ import annotations

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
    GRADINIT_STEPS,
    LSUV_TOLERANCE,
    METHODS,
    CalibratedNetwork,
    Calibration,
    Cost,
    gradient_quotient,
    gradinit,
    lsuv,
    metainit,
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


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scheme", ["orthogonal:1", "normal:0.01", "torch_default"])
def test_lsuv_gives_every_layer_variance_1(activation, scheme):
    net = network(scheme, activation)
    start = [w.clone() for w in net.weights]
    lsuv(net)
    h = net.x
    for i, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        z = h @ w + b
        assert z.var(correction=0).item() == pytest.approx(1, abs=LSUV_TOLERANCE)
        torch.testing.assert_close(w / w.norm(), start[i] / start[i].norm())  # one factor a layer, no more
        h = net.hidden(z)
    # Without biases one correction a layer suffices: each layer is passed twice, or once where nothing was to do.
    if scheme != "torch_default":
        assert len(net.y) / 20 <= net.cost.forward <= 2 * len(net.y) / 20
    assert net.cost.backward == 0


def test_lsuv_leaves_a_layer_without_signal_as_it_is():
    (done, _) = calibration()("he_normal+last_layer_zero+lsuv", layers("he_normal+last_layer_zero"), 1)
    assert not done[-1][0].any() and np.isfinite(done[0][0]).all()


@pytest.mark.parametrize("uses_sign", [False, True])
def test_gradinit_bounds_the_gradient_and_lowers_the_loss_after_the_first_step(uses_sign):
    net = network("normal:0.2", "tanh", uses_sign=uses_sign)
    everything = torch.arange(len(net.y))

    def after_a_step() -> tuple[float, float]:
        parameters = [p.clone().requires_grad_() for p in net.parameters]
        gradients = net.gradient(net.loss(parameters, everything), parameters, everything)
        steps = [g.sign() if uses_sign else g for g in gradients]
        loss = net.loss([p - 0.1 * s for p, s in zip(parameters, steps, strict=True)], everything).item()
        return loss, sum(g.abs().sum() for g in gradients).item()

    before, start = after_a_step(), [w.clone() for w in net.weights]
    net.cost = Cost()
    gradinit(net)
    cost, net.cost = net.cost, Cost()
    after = after_a_step()
    if uses_sign:  # this start violates ‖g‖₁ ≤ 1, and mending that comes first
        assert before[1] > 2 and after[1] < before[1] / 2
    else:
        assert after[0] < before[0]
    factors = [(w / s).flatten() for w, s in zip(net.weights, start, strict=True)]
    assert all(f.std() < 1e-12 and 0.5 < f[0] < 1.5 and f[0] != 1 for f in factors)
    # A step costs one pass forward and back for the gradient, a pass back for m, and a pass forward unless it only
    # lowers the gradient's norm.
    steps = GRADINIT_STEPS
    assert cost.backward == 2 * steps and steps <= cost.forward <= 2 * steps


def test_gradient_quotient_of_a_quadratic_loss():
    # ℓ = ½ Σ aᵢ θᵢ²: g = aθ and Hg = a²θ, so the quotient is the mean of |(1 − a) − 1| = |a|, but for ε.
    a, theta = torch.tensor([0.5, -2.0, 3.0]).double(), torch.tensor([1.0, 2.0, -1.0]).double().requires_grad_()
    net = network("he_normal")
    net.loss = lambda parameters, examples: (a * parameters[0].square()).sum() / 2
    assert gradient_quotient(net, [theta], torch.arange(20)).item() == pytest.approx(5.5 / 3, rel=1e-4)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "relu"])
def test_metainit_lowers_the_gradient_quotient(activation):
    net = network("normal:1", activation)
    everything, quotients = torch.arange(len(net.y)), []
    for _ in range(2):
        parameters = [p.clone().requires_grad_() for p in net.parameters]
        quotients.append(gradient_quotient(net, parameters, everything).item())
        net.cost = Cost()
        metainit(net)
        cost = net.cost
        net.cost = Cost()
    assert quotients[1] < quotients[0] / 2
    assert cost.forward == 500 and cost.backward == 1500


@pytest.mark.parametrize("method", METHODS)
def test_a_hopeless_start_is_left_finite_and_raises_nothing(method):
    done, _ = calibration("relu")(f"he_normal+{method}", [(1e200 * w, b) for w, b in layers("he_normal", "relu")], 1)
    assert all(np.isfinite(w).all() for w, _ in done)


def test_without_a_modifier_nothing_changes_and_nothing_is_paid():
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


def test_in_a_study_it_sees_training_data_alone_and_pays_for_it():
    grid = "[he_normal,he_normal+lsuv,he_normal+last_layer_zero,he_normal+gradinit]"
    study = compose(["study=smoke", f"grid.initializer={grid}", "grid.activation=[tanh]", "grid.depth=[2]", "training.steps=3",
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


def test_a_calibrated_run_does_not_depend_on_the_runs_beside_it():
    study = compose(["study=smoke", "grid.initializer=[he_normal+metainit,lsuv]", "grid.activation=[relu]", "grid.depth=[2]",
                     "training.steps=3", "grid.replicates=2", "grid.tuning_replicates=0", "grid.learning_rate=[0.1]"])  # fmt: skip
    workload = study.workloads[0]

    def losses(runs, size=None):
        return {r["run_id"]: np.asarray(r["train_loss"]).tobytes()
                for chunk in train(workload, runs, torch.device("cpu"), networks=size) for r in chunk}  # fmt: skip

    together = losses(runs_of(workload))
    assert together == losses(runs_of(workload)[::-1], 1)
    assert losses(runs_of(workload)[1:2]).items() <= together.items()
