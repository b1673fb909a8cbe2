"""Layer statistics against autograd on one network, and counts against hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.engine.networks import WIDTHS, K, build, make, single
from tests.training import reference_probes
from winit.engine.engine import NetworkSpec
from winit.engine.optimizers import Optimizer
from winit.engine.torch_stack import TorchStack
from winit.theory.activations import ACTIVATIONS
from winit.training import probes


def stack(weights, biases, activation) -> TorchStack:
    return TorchStack(weights, biases, NetworkSpec(activation, Optimizer(), batch_size=1))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_statistics_are_those_of_autograd(activation, batch_norm):
    weights, biases = make(torch.float32)
    generator = torch.Generator().manual_seed(4)
    x = 3 * torch.randn(20, WIDTHS[0], generator=generator)
    y = torch.randint(0, WIDTHS[-1], (20,), generator=generator)
    networks = build(weights, biases, activation, Optimizer(), len(y), batch_norm)
    measured = probes.layer_statistics(networks, activation, x, y)
    for k in range(K):
        model = single([w.double() for w in weights], [b.double() for b in biases], k, activation, batch_norm)
        pre = []
        h = x.double()
        for module in model:
            h = module(h)
            if isinstance(module, torch.nn.Linear):
                h.retain_grad()
                pre.append(h)
        loss = torch.nn.functional.cross_entropy(h, y)
        loss.backward()
        linears = [m for m in model if isinstance(m, torch.nn.Linear)]
        for i, (z, linear) in enumerate(zip(pre, linears, strict=True)):
            expected = {
                "z_mean": z.mean(),
                "z_variance": z.var(correction=0),
                "delta_variance": (z.grad * len(y)).var(correction=0),  # of one example's loss
                "gradient_variance": linear.weight.grad.var(correction=0),
            }
            if i < len(pre) - 1:
                each = len(model) // (len(linears) - 1)  # modules of a hidden layer
                act = model[each * i + 1 : each * (i + 1)](z)
                expected |= {"h_mean": act.mean(), "h_variance": act.var(correction=0)}
                expected["h_example_variance"] = act.var(dim=0, correction=0).mean()
            for name, value in expected.items():
                assert measured[name][k, i].item() == pytest.approx(value.item(), rel=1e-9, abs=1e-15), (name, i)
    assert torch.isnan(measured["h_mean"][:, -1]).all() and torch.isnan(measured["dead"][:, -1]).all()


# Networks of 30 layers, whose signals vanish, explode or saturate, and some in which every unit does the same.
EXTREMES = {
    "vanishing tanh": ("tanh", 1e-3, 0.0),
    "vanishing sigmoid": ("sigmoid", 0.05, 0.0),
    "exploding relu": ("relu", 300.0, 0.0),
    "exploding identity": ("identity", 1e6, 1.0),
    "vanishing identity": ("identity", 1e-7, 0.0),
    "saturated tanh": ("tanh", 10.0, 0.5),
    "ordered relu": ("relu", 1.4, 0.1),
    "zeros": ("tanh", 0.0, 0.0),
    "biases alone": ("sigmoid", 0.0, 1.0),
}


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("case", EXTREMES)
def test_extreme_networks_are_measured_as_by_the_formulas(case, batch_norm):
    activation, scale, bias = EXTREMES[case]
    weights, biases = make(torch.float32, widths=[20] * 31 + [5])
    weights, biases = [scale * w for w in weights], [bias * b for b in biases]
    x = torch.randn(21, 20, generator=torch.Generator().manual_seed(4))
    y = torch.arange(21) % 5
    networks = build(weights, biases, activation, Optimizer(), len(y), batch_norm)
    measured = probes.layer_statistics(networks, activation, x, y)
    reference = reference_probes.layer_statistics(networks, activation, x, y)
    for kind in "zh":  # a mean may be 0 but for rounding
        size = torch.maximum(reference[f"{kind}_mean"].abs(), reference[f"{kind}_variance"].sqrt())
        away = (measured[f"{kind}_mean"] - reference[f"{kind}_mean"]).abs()
        assert ((away <= 1e-12 * size) | torch.isnan(size)).all()
    for name in set(reference) - {"z_mean", "h_mean"}:
        expected = reference[name]
        torch.testing.assert_close(measured[name], expected, rtol=1e-8, atol=1e-300, equal_nan=True, msg=name)


def test_extreme_networks_are_extreme():
    """Their variances leave float32's range, and are numbers."""
    for case, bounds in {"vanishing tanh": (1e-300, 1e-60), "exploding relu": (1e60, 1e300)}.items():
        activation, scale, _ = EXTREMES[case]
        weights, biases = make(torch.float32, widths=[20] * 31 + [5])
        networks = stack([scale * w for w in weights], [0 * b for b in biases], activation)
        x = torch.randn(21, 20, generator=torch.Generator().manual_seed(4))
        variance = probes.layer_statistics(networks, activation, x, torch.arange(21) % 5)["z_variance"][:, -1]
        assert ((variance > bounds[0]) & (variance < bounds[1])).all()


def test_some_networks_of_a_stack_are_those_of_their_own():
    weights, biases = make(torch.float32, k=4)
    x, y = torch.randn(9, WIDTHS[0], generator=torch.Generator().manual_seed(0)), torch.arange(9) % 3
    for batch_norm in (False, True):
        networks = build(weights, biases, "tanh", Optimizer(), len(y), batch_norm)
        whole = probes.layer_statistics(networks, "tanh", x, y)
        some = probes.layer_statistics(probes.Probed.of(networks, [3, 1]), "tanh", x, y)
        for name, values in some.items():
            torch.testing.assert_close(values, whole[name][[3, 1]], rtol=0, atol=0, equal_nan=True, msg=name)
        assert networks.size == 4


@pytest.mark.parametrize("widths", [[64, 50, 50, 10], [64, 12, 12, 10], [64, 33, 1, 29, 10], [64, 115, 1, 56, 10]])
def test_bits_do_not_depend_on_the_stack(widths):
    weights, biases = make(torch.float32, k=9, widths=widths)
    x = torch.randn(56, 64, generator=torch.Generator().manual_seed(0))
    y = torch.arange(56) % 10
    together = probes.layer_statistics(stack(weights, biases, "tanh"), "tanh", x, y)
    for chosen in ([0], [8], [2, 5, 1]):
        few = stack([w[chosen] for w in weights], [b[chosen] for b in biases], "tanh")
        apart = probes.layer_statistics(few, "tanh", x, y)
        for name, values in apart.items():
            torch.testing.assert_close(values, together[name][chosen], rtol=0, atol=0, equal_nan=True, msg=name)


# Where |φ′(z)| falls below a twentieth of its largest value, solved by hand.
TANH_BOUND = np.arccosh(20**0.5)
FLAT_BEYOND = {
    "tanh": TANH_BOUND,
    "lecun_tanh": 1.5 * TANH_BOUND,
    "sigmoid": 2 * TANH_BOUND,  # σ′(z) = sech²(z/2)/4
    "softsign": 20**0.5 - 1,
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_saturated_is_one_bound_on_the_slope(activation):
    x = torch.linspace(-9, 9, 181, dtype=torch.float64)[:, None].float()
    weights, biases = [torch.ones(1, 1, 1), torch.ones(1, 1, 2)], [torch.zeros(1, 1, 1), torch.zeros(1, 1, 2)]
    labels = torch.zeros(len(x), dtype=torch.long)
    measured = probes.layer_statistics(stack(weights, biases, activation), activation, x, labels)["saturated"]
    if activation in FLAT_BEYOND:
        expected = np.mean(np.abs(x.numpy()) > FLAT_BEYOND[activation])
        assert measured[0, 0].item() == pytest.approx(expected, abs=1e-12) and 0.2 < expected < 0.8
    else:  # not flat on both sides
        assert torch.isnan(measured).all()


def test_variance_over_examples_is_not_that_between_units():
    # Units that differ from one another, and not at all between examples: their biases alone speak.
    weights, biases = (
        [torch.zeros(1, 2, 3), torch.ones(1, 3, 2)],
        [torch.tensor([[[-1.0, 0.0, 2.0]]]), torch.zeros(1, 1, 2)],
    )
    x = torch.rand(6, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(6, dtype=torch.long)
    measured = probes.layer_statistics(stack(weights, biases, "sigmoid"), "sigmoid", x, labels)
    assert measured["h_example_variance"][0, 0].item() == pytest.approx(0, abs=1e-30)
    assert measured["h_variance"][0, 0].item() > 0.05 and torch.isnan(measured["h_example_variance"][0, -1])
    weights[0][0, :, 1] = torch.tensor([3.0, -2.0])
    measured = probes.layer_statistics(stack(weights, biases, "sigmoid"), "sigmoid", x, labels)
    unit = 1 / (1 + np.exp(-(3.0 * x[:, 0].double() - 2.0 * x[:, 1].double()).numpy()))
    assert measured["h_example_variance"][0, 0].item() == pytest.approx(unit.var() / 3)


def test_tiny_gradients_do_not_underflow():
    weights, biases = make(torch.float32, widths=[4] * 12)
    weights = [1e-4 * w for w in weights]
    x, y = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 4
    variance = probes.layer_statistics(stack(weights, biases, "tanh"), "tanh", x, y)["delta_variance"]
    assert ((variance[:, 0] > 0) & (variance[:, 0] < 1e-60)).all()


def test_distinct_units():
    w = torch.tensor([[[1.0, 1.0, 2.0, 1.0], [0.0, -0.0, 0.0, 0.0]]])  # units 0, 1 and 3 have equal weights
    assert probes.distinct_units(w, torch.zeros(1, 1, 4)).tolist() == [2]
    assert probes.distinct_units(w, torch.tensor([[[0.0, 0.0, 0.0, 1e-30]]])).tolist() == [3]
    many = torch.randn(5, 30, 64, generator=torch.Generator().manual_seed(0))
    assert probes.distinct_units(many, torch.zeros(5, 1, 64)).tolist() == [64] * 5
    many[2, :, 7] = many[2, :, 50]
    assert probes.distinct_units(many, torch.zeros(5, 1, 64)).tolist() == [64, 64, 63, 64, 64]
    assert probes.distinct_units(torch.zeros(2, 3, 9), torch.zeros(2, 1, 9)).tolist() == [1, 1]


def test_a_relu_unit_below_zero_everywhere_is_dead():
    weights = [torch.ones(1, 2, 4), torch.ones(1, 4, 3)]
    biases = [torch.tensor([[[0.0, -100.0, -100.0, 5.0]]]), torch.zeros(1, 1, 3)]
    x = torch.rand(6, 2, generator=torch.Generator().manual_seed(0))
    measured = probes.layer_statistics(stack(weights, biases, "relu"), "relu", x, torch.zeros(6, dtype=torch.long))
    assert measured["dead"][0, 0].item() == 0.5
    assert torch.isnan(measured["saturated"]).all()  # ReLU does not saturate


def test_update_ratio():
    before = [torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]], [[0.0, 0.0]]])]
    after = [torch.tensor([[[3.0, 4.5]], [[0.0, 1.0]], [[0.0, 0.0]]])]
    assert probes.update_ratio(before, after)[:, 0].tolist() == [0.1, float("inf"), 0.0]


def test_correlation_of_pairs():
    z = torch.tensor([[1.0, 0], [1, 1], [2, 0], [-3, 0], [5, 5]]).double()[None]
    assert probes.pair_correlation(z).item() == pytest.approx((0.5**0.5 - 1) / 2)
    assert probes.pair_correlation(1e-200 * z).item() == pytest.approx((0.5**0.5 - 1) / 2)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
def test_effective_rank_is_that_of_the_singular_values(shape):
    a = torch.randn(1, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    squares = torch.linalg.svdvals(a[0]).square()
    assert probes.effective_rank(1e-180 * a).item() == pytest.approx(
        (squares.sum() ** 2 / squares.square().sum()).item()
    )
    assert probes.effective_rank(torch.ones(1, *shape)).item() == pytest.approx(1)
    assert probes.effective_rank(torch.eye(*shape)[None]).item() == pytest.approx(min(shape))
    assert torch.isnan(probes.effective_rank(torch.zeros(1, *shape))).all()


def test_histogram_counts_in_root_mean_squares():
    values = torch.tensor([[1.0, -1, 1, -1], [0, 0, 0, 0], [10, 0, 0, 0], [1, float("nan"), 0, 0]])
    counts = probes.histogram(values, 8)
    assert counts.tolist() == [[0, 0, 0, 2, 0, 2, 0, 0], [0] * 8, [0, 0, 0, 0, 3, 0, 1, 0], [0] * 8]
    assert probes.histogram(1e-170 * values.double(), 8).tolist() == counts.tolist()
    assert probes.histogram(torch.tensor([[100.0, *[0.0] * 99]]), 2).tolist() == [[0, 100]]


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_jacobian_is_that_of_autograd(activation):
    weights, biases = make(torch.float32)
    networks = stack(weights, biases, activation)
    x = torch.randn(11, WIDTHS[0], generator=torch.Generator().manual_seed(2))
    y = torch.zeros(len(x), dtype=torch.long)
    statistics = probes.layer_statistics(networks, activation, x, y)["jacobian"]
    for k in range(K):
        model = single([w.double() for w in weights], [b.double() for b in biases], k, activation, False)
        values = torch.cat(
            [torch.linalg.svdvals(torch.autograd.functional.jacobian(model, row.double())) for row in x[:8]]
        )
        quartiles = values.quantile(torch.tensor([0, 0.25, 0.5, 0.75, 1]).double())
        torch.testing.assert_close(statistics[k], torch.cat([values.mean()[None], quartiles]))
    alone = stack([w[1:2] for w in weights], [b[1:2] for b in biases], activation)
    assert torch.equal(statistics[1:2], probes.layer_statistics(alone, activation, x, y)["jacobian"])


def test_orthogonal_linear_networks_have_a_flat_jacobian():
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(3)))[0]
    networks = stack([turn[None]] * 5, [torch.zeros(1, 1, 6)] * 5, "identity")
    x, y = torch.randn(9, 6, generator=torch.Generator().manual_seed(4)), torch.zeros(9, dtype=torch.long)
    statistics = probes.layer_statistics(networks, "identity", x, y)["jacobian"]
    torch.testing.assert_close(statistics, torch.ones(1, 6, dtype=torch.float64), atol=1e-5, rtol=0)
