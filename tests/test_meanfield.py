"""The theory against closed forms, tabled oracles, Monte Carlo, and the tensors' own activations."""

from __future__ import annotations

from math import acos, asin, pi, sqrt

import numpy as np
import pytest
import torch

from winit.engine.activations import TENSOR_ACTIVATIONS
from winit.theory import prediction
from winit.theory.activations import FUNCTIONS, Phi
from winit.theory.gains import CARD_LINES, activation_card, gains
from winit.theory.maps import correlation_map, critical, depth_scale, fixed_points, lengths
from winit.theory.quadrature import moments

# E φ², gains forward and backward, χ₁ at the forward gain, slope of the log-length map; all at q = 1.
AT_ONE = {
    "sigmoid": (0.2934, 1.846, 4.723, 0.153, 0.106),
    "tanh": (0.3943, 1.593, 1.467, 1.178, 0.461),
    "relu": (0.5, 1.414, 1.414, 1.0, 1.0),
    "identity": (1.0, 1.0, 1.0, 1.0, 1.0),
    "leaky_relu": (0.5001, 1.4141, 1.4141, 1.0, 1.0),
    "elu": (0.6449, 1.245, 1.223, 1.036, 0.891),
    "selu": (1.0, 1.0, 0.966, 1.072, 0.783),
    "gelu": (0.4252, 1.534, 1.481, 1.072, 1.144),
    "silu": (0.3558, 1.677, 1.623, 1.067, 1.173),
    "mish": (0.4523, 1.487, 1.445, 1.059, 1.076),
    "leaky_relu_0.2": (0.5200, 1.3868, 1.3868, 1.0, 1.0),
    "softplus": (0.9212, 1.042, 1.846, 0.318, 0.492),
    "lecun_tanh": (0.7504, 1.154, 1.115, 1.071, 0.615),
    "softsign": (0.1830, 2.337, 2.096, 1.244, 0.477),
    "erf": (0.4646, 1.467, 1.325, 1.226, 0.409),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_moments_at_one(name):
    m, g = moments(name, 1.0), gains(name)
    found = m.square, g.forward, g.backward, m.slope / m.square, m.growth / m.square
    assert found == pytest.approx(AT_ONE[name], abs=1.1e-3)
    assert g.mean == pytest.approx(sqrt(g.forward * g.backward))


@pytest.mark.parametrize("name", TENSOR_ACTIVATIONS)
def test_functions_are_those_of_training(name):
    z = torch.linspace(-6, 6, 401, dtype=torch.float64) + 1e-3
    phi = TENSOR_ACTIVATIONS[name]
    h = phi.phi(z)
    np.testing.assert_allclose(FUNCTIONS[name].phi(z.numpy()), h.numpy(), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(
        FUNCTIONS[name].dphi(z.numpy()), phi.dphi(z if phi.keeps_input else h).numpy(), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("q", [1e-8, 0.3, 1.0, 50.0, 1e6])
def test_relu_in_closed_form(q):
    m = moments("relu", q)
    assert (m.mean, m.square, m.slope, m.growth) == pytest.approx((sqrt(q / (2 * pi)), q / 2, 0.5, 0.5), rel=1e-12)


@pytest.mark.parametrize("q", [1e-8, 0.3, 1.0, 50.0])
def test_erf_in_closed_form(q):
    m = moments("erf", q)
    assert m.square == pytest.approx(2 / pi * asin(2 * q / (1 + 2 * q)), rel=1e-11)
    assert m.slope == pytest.approx(4 / pi / sqrt(1 + 4 * q), rel=1e-11)


@pytest.mark.parametrize("c", [-0.9, 0.0, 0.5, 0.999, 1.0])
def test_correlation_in_closed_form(c):
    arc_cosine = (sqrt(1 - c * c) + c * (pi - acos(c))) / pi  # Cho & Saul 2009
    assert correlation_map("relu", c, 0.7, 2.0) == pytest.approx(arc_cosine, rel=1e-10, abs=1e-12)
    assert correlation_map("erf", c, 1.0, 1.3) == pytest.approx(asin(2 * c / 3) / asin(2 / 3), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("q", [0.1, 4.0])
def test_moments_agree_with_monte_carlo(name, q):
    z = np.random.default_rng(5).standard_normal(400_000)
    u = sqrt(q) * z
    f, df = FUNCTIONS[name].phi(u), FUNCTIONS[name].dphi(u)
    m = moments(name, q)
    for sample, value in ((f, m.mean), (f * f, m.square), (df * df, m.slope), (f * df * u / q, m.growth)):
        assert abs(sample.mean() - value) <= 4.5 * sample.std() / sqrt(len(z)) + 1e-12


# (activation, σ_w²): q after 5, 10, 20, 50 layers; the gradient's factor over 10 and 50 layers, the first left out.
LENGTHS = {
    ("relu", 2): ((2, 2, 2, 2), (1, 1)),
    ("relu", 1): ((0.03125, 9.77e-4, 9.54e-7, 8.88e-16), (9.77e-4, 8.88e-16)),
    ("relu", 1 / 3): ((4.29e-5, 5.51e-9, 9.12e-17, 4.12e-40), (1.65e-8, 1.24e-39)),
    ("tanh", 1): ((0.103, 0.0522, 0.0259, 0.0102), (0.14, 0.030)),
    ("tanh", 2): ((0.644, 0.619, 0.618, 0.618), (1.86, 103)),
    ("tanh", 1 / 3): ((7.26e-4, 2.98e-6, 5.05e-11, 2.45e-25), (1.41e-5, 1.16e-24)),
    ("sigmoid", 1): ((0.265, 0.265, 0.265, 0.265), (2.9e-13, 2e-63)),
    ("sigmoid", 12.8): ((4.54, 4.53, 4.53, 4.53), (2.9e-5, 2.6e-23)),
    ("selu", 1): ((1, 1, 1, 1), (2.0, 32)),
}


@pytest.mark.parametrize(("name", "sigma_w2"), LENGTHS)
def test_lengths_and_gradients_with_depth(name, sigma_w2):
    q = lengths(name, 60, sigma_w2)
    at, factors = LENGTHS[name, sigma_w2]
    assert [q[i] for i in (5, 10, 20, 50)] == pytest.approx(at, rel=6e-3)
    chi = np.array([sigma_w2 * moments(name, x).slope for x in q])
    assert (chi[1:11].prod(), chi[1:51].prod()) == pytest.approx(factors, rel=2e-2)


# σ_b²: (σ_w², q*)
CRITICAL = {
    "tanh": {0.01: (1.424, 0.273), 0.05: (1.761, 0.570), 0.2: (2.285, 1.165)},
    "erf": {0.01: (1.114, 0.253), 0.05: (1.376, 0.517), 0.2: (1.788, 1.046)},
    "elu": {0.01: (1.383, 0.438), 0.05: (1.534, 1.30), 0.2: (1.682, 3.98)},
    "selu": {0.01: (0.760, 0.309), 0.05: (0.902, 0.827), 0.2: (1.070, 2.16)},
    "gelu": {0.01: (2.983, 0.184), 0.05: (2.303, 0.722), 0.2: (1.971, 4.47)},
    "silu": {0.01: (3.313, 0.260), 0.05: (2.729, 0.827), 0.2: (2.187, 3.34)},
}


@pytest.mark.parametrize("name", CRITICAL)
def test_critical_line(name):
    for sigma_b2, (sigma_w2, q_star) in CRITICAL[name].items():
        (point,) = critical(name, sigma_b2)
        assert (point.sigma_w2, point.q_star) == pytest.approx((sigma_w2, q_star), rel=5e-3)
        (same,) = [p for p in fixed_points(name, point.sigma_w2, sigma_b2) if p.q_star == pytest.approx(point.q_star)]
        assert same.chi_1 == pytest.approx(1, abs=1e-9) and same.slope == pytest.approx(point.slope)
    assert point.is_stable == (name != "silu")


@pytest.mark.parametrize("name", ["softplus", "relu"])
def test_what_does_not_exist_is_not_found(name):
    assert critical(name, 0.05) == []


def test_stable_and_unstable_fixed_points():
    (stable,) = fixed_points("tanh", 1.5, 0.05)
    assert stable.is_stable and 0 < stable.xi_q < 3
    points = fixed_points("gelu", 1 / moments("gelu", 1.0).square, 0.0)
    (unstable,) = [p for p in points if p.q_star == pytest.approx(1)]
    assert not unstable.is_stable and unstable.xi_q == float("inf")
    assert fixed_points("relu", 1.0) == []  # the signal dies: no fixed point but 0


def test_any_function_will_do():
    step = Phi(lambda z: np.where(z > 0.5, 1.0, 0.0), np.zeros_like, (0.5,))
    from scipy.special import ndtr

    assert moments(step, 0.4).square == pytest.approx(ndtr(-0.5 / sqrt(0.4)), rel=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "relu", "selu"])
def test_theory_meets_wide_networks(activation):
    """Width 400, depth 10: layer by layer, within 4 standard errors of the mean over networks."""
    rng, widths, networks = np.random.default_rng(7), [50, *[400] * 10, 10], 40
    phi = FUNCTIONS[activation]
    variances = [2.0 / n if activation == "relu" else 1.2 / n for n in widths[:-1]]
    theory = prediction.predict(activation, widths, variances, [0.01] * 11)
    q, delta = np.empty((networks, 11)), np.empty((networks, 11))
    for k in range(networks):
        x = rng.standard_normal((1, widths[0]))
        h, zs, ws = x / np.sqrt((x * x).mean()), [], []
        for layer in range(11):
            w = sqrt(variances[layer]) * rng.standard_normal((widths[layer], widths[layer + 1]))
            z = h @ w + 0.1 * rng.standard_normal(widths[layer + 1])
            h = phi.phi(z)
            zs.append(z)
            ws.append(w)
        d = rng.standard_normal((1, 10))
        base = (d * d).mean()
        for layer in range(10, -1, -1):
            q[k, layer], delta[k, layer] = (zs[layer] ** 2).mean(), (d * d).mean() / base
            if layer:
                d = (d @ ws[layer].T) * phi.dphi(zs[layer - 1])
    for sample, value in ((q, theory.q), (delta, theory.delta)):
        error = sample.std(axis=0, ddof=1) / sqrt(networks)
        assert (np.abs(sample.mean(axis=0) - value) <= 4 * error + 1e-12).all()


@pytest.mark.parametrize("activation", ["tanh", "relu", "selu", "sigmoid"])
def test_spread_of_finite_widths(activation):
    """400 networks of width 100 and depth 8: the spread of log q, log Var h and log δ² for one input, within 4 standard errors."""
    rng, widths, networks = np.random.default_rng(11), [50, *[100] * 8, 100], 400
    phi = FUNCTIONS[activation]
    variances = [{"relu": 2.0, "sigmoid": 8.0}.get(activation, 1.2) / n for n in widths[:-1]]
    theory = prediction.predict(activation, widths, variances, [0.02] * 9)
    x = rng.standard_normal(widths[0])
    x /= np.sqrt((x * x).mean())
    q, h_variance, delta = np.empty((networks, 9)), np.empty((networks, 9)), np.empty((networks, 9))
    for k in range(networks):
        ws = [sqrt(v) * rng.standard_normal((a, b)) for v, a, b in zip(variances, widths[:-1], widths[1:], strict=True)]
        h, zs = x, []
        for layer, w in enumerate(ws):
            zs.append(h @ w + sqrt(0.02) * rng.standard_normal(w.shape[1]))
            h = phi.phi(zs[-1])
            q[k, layer], h_variance[k, layer] = (zs[-1] ** 2).mean(), h.var()
        d = rng.standard_normal(widths[-1])
        base = (d * d).mean()
        for layer in range(8, -1, -1):
            delta[k, layer] = (d * d).mean() / base
            if layer:
                d = (d @ ws[layer].T) * phi.dphi(zs[layer - 1])
    # The standard error of a standard deviation is about 1/√(2 · 400) = 3.5 %; log's own skew and the neglected
    # covariance of φ² and φ′² add a few per cent.
    for sample, spread in ((q, theory.q_spread), (h_variance, theory.h_spread), (delta, theory.delta_spread)):
        expected = spread[:-1]
        np.testing.assert_allclose(np.log(sample[:, :-1]).std(axis=0, ddof=1), expected, rtol=0.2)


def test_spread_of_relu_networks_is_five_over_the_width_a_layer():
    theory = prediction.predict("relu", [100] * 12, [0.02] * 11, [0.0] * 11)
    np.testing.assert_allclose(theory.q_spread[10] ** 2, 10 * 5 / 100 + 2 / 100)
    np.testing.assert_allclose(theory.delta_spread[0] ** 2, 10 * 5 / 100)
    np.testing.assert_allclose(theory.amplification, 1)


def test_tolerance():
    assert prediction.tolerance(0.3, 9) == pytest.approx((np.exp(-0.3 - 0.045), np.exp(0.3)))
    assert prediction.tolerance(0.0, 5) == pytest.approx((0.9, 1.1))


def test_inputs_of_several_lengths_are_averaged():
    each = [prediction.predict("tanh", [4, 8, 8, 2], [0.3] * 3, [0.1] * 3, s) for s in (0.5, 1.5)]
    both = prediction.predict("tanh", [4, 8, 8, 2], [0.3] * 3, [0.1] * 3, np.array([0.5, 1.5]))
    np.testing.assert_allclose(both.q, (each[0].q + each[1].q) / 2)
    np.testing.assert_allclose(both.delta, (each[0].delta + each[1].delta) / 2)


@pytest.mark.parametrize(
    ("name", "sigma_w2", "sigma_b2", "q", "chi_1", "xi"),
    [
        ("relu", 2.0, 0.0, 1.0, 1.0, np.inf),
        ("relu", 1.0, 0.0, 0.0, 0.5, 1 / np.log(2)),
        ("tanh", 1 / 3, 0.0, 0.0, 1 / 3, 1 / np.log(3)),
        ("tanh", 2.0, 0.0, 0.618, None, None),
        ("sigmoid", 1.0, 0.0, 0.265, None, None),
    ],
)
def test_depth_scale(name, sigma_w2, sigma_b2, q, chi_1, xi):
    scale = depth_scale(name, sigma_w2, sigma_b2)
    assert scale.q == pytest.approx(q, abs=1e-3)
    if xi is not None:
        assert scale.chi_1 == pytest.approx(chi_1, rel=1e-6) and scale.xi == pytest.approx(xi, rel=1e-6)
    assert scale.depth_limit == 6 * scale.xi


def test_depth_scale_on_the_critical_line_is_infinite():
    point = critical("tanh", 0.05)[0]
    assert depth_scale("tanh", point.sigma_w2, 0.05).xi > 1e6


# Kumar 2017: the gain 1/√(φ′(0)²(1 + φ(0)²))
@pytest.mark.parametrize(
    ("name", "kumar"),
    [("sigmoid", 3.578), ("tanh", 1), ("relu", None), ("gelu", 2), ("softplus", 1.644), ("selu", None)],
)
def test_the_card_of_an_activation(name, kumar):
    facts = activation_card(name)
    assert facts["kumar_gain"] == (kumar and pytest.approx(kumar, abs=1e-3))
    assert set(CARD_LINES) | {"critical"} == set(facts)
    assert len(facts["critical"]) == (0 if name in ("relu", "softplus") else 3)


def test_winit_gain_prints_it(capsys):
    import json

    from winit.cli import main

    for arguments, expected in ((["gain", "gelu"], "refuses"), (["gain", "tanh"], "1.66666")):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 0 and expected in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["gain", "gelu", "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert facts["forward_gain"] == pytest.approx(1.534, abs=1e-3) and facts["torch_gain"] is None
    with pytest.raises(SystemExit) as end:
        main(["gain", "gelo"])
    assert end.value.code == 2 and "did you mean 'gelu'?" in capsys.readouterr().err
