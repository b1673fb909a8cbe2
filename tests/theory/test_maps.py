"""Length and correlation maps, fixed points and the critical line, against closed forms and tabled values."""

from __future__ import annotations

from math import acos, asin, exp, inf, log, pi, sqrt

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from tests.conftest import ERF
from winit.theory.activations import ACTIVATIONS, resolve
from winit.theory.maps import (
    HOMOGENEOUS,
    UNBOUNDED,
    any_length,
    correlation_map,
    critical,
    depth_scale,
    fixed_points,
    lengths,
)
from winit.theory.quadrature import moments


@pytest.mark.parametrize("c", [-0.9, 0.0, 0.5, 0.999, 1.0])
def test_correlation_in_closed_form(c):
    arc_cosine = (sqrt(1 - c * c) + c * (pi - acos(c))) / pi  # Cho & Saul 2009
    assert correlation_map("relu", c, 0.7, 2.0) == pytest.approx(arc_cosine, rel=1e-10, abs=1e-12)
    assert correlation_map(ERF, c, 1.0, 1.3) == pytest.approx(asin(2 * c / 3) / asin(2 / 3), rel=1e-10, abs=1e-12)


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
    phi = ERF if name == "erf" else resolve(name)
    for sigma_b2, (sigma_w2, q_star) in CRITICAL[name].items():
        (point,) = critical(phi, sigma_b2)
        assert (point.sigma_w2, point.q_star) == pytest.approx((sigma_w2, q_star), rel=5e-3)
        (same,) = [p for p in fixed_points(phi, point.sigma_w2, sigma_b2) if p.q_star == pytest.approx(point.q_star)]
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


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "leaky_relu_0.2", "identity"])
def test_a_continuum_of_fixed_points_is_no_list_of_roots(name):
    sigma_w2 = any_length(name)
    assert sigma_w2 == pytest.approx(
        {"relu": 2, "identity": 1, "leaky_relu": 2 / 1.0001, "leaky_relu_0.2": 2 / 1.04}[name]
    )
    assert fixed_points(name, sigma_w2) == [] and critical(name, 0.0) == []
    for q in (1e-6, 1.0, 1e6):
        assert depth_scale(name, sigma_w2, q=q).q == q
    (point,) = fixed_points(name, 0.8 * sigma_w2, 0.3)
    assert point.q_star == pytest.approx(0.3 / 0.2, rel=1e-12)


def test_only_homogeneous_activations_have_a_continuum():
    assert [name for name in ACTIVATIONS if any_length(name)] == ["relu", "identity", "leaky_relu", "leaky_relu_0.2"]
    assert critical("tanh", 0.0) == []  # its critical point without biases has q* = 0


def test_two_fixed_points_that_are_about_to_meet_are_both_found():
    # σ_w² at which q is a fixed point of GELU with σ_b² = 0.05; at its maximum a stable and an unstable one meet.
    def scale(q):
        return (q - 0.05) / moments("gelu", q).square

    q = minimize_scalar(lambda q: -scale(q), bounds=(0.1, 3), method="bounded", options={"xatol": 1e-10}).x
    low, high = fixed_points("gelu", scale(q) * (1 - 1e-6), 0.05)
    assert low.q_star < q < high.q_star < 1.02 * low.q_star and low.is_stable and not high.is_stable
    assert fixed_points("gelu", scale(q) * (1 + 1e-6), 0.05) == []
    assert depth_scale("gelu", scale(q) * (1 - 1e-6), 0.05, q=low.q_star / 2).q == low.q_star


# (activation, σ_w², σ_b²): q* (or where lengths go), χ₁, ξ_c, ξ_∇
SCALES = {
    ("tanh", 1.8, 0.05): (0.594, 1.00822, 755 / 6, 733 / 6),
    ("tanh", 2.5, 0.05): (1.064, 1.1335, 70.8 / 6, 47.9 / 6),
    ("tanh", 1 / 3, 0.0): (0.0, 1 / 3, 1 / log(3), 1 / log(3)),
    ("tanh", 1.0, 0.0): (0.0, 1.0, inf, inf),
    ("tanh", 0.0, 0.0): (0.0, 0.0, 0.0, 0.0),
    ("relu", 1.0, 0.1): (0.2, 0.5, 1 / log(2), 1 / log(2)),
    ("selu", 0.1, 0.0): (0.0, 0.1 * 1.05070**2 * (1 + 1.67326**2) / 2, 0.6410, 0.6410),
}


@pytest.mark.parametrize(("name", "sigma_w2", "sigma_b2"), SCALES)
def test_depth_scales(name, sigma_w2, sigma_b2):
    q, chi_1, xi_c, xi_gradient = SCALES[name, sigma_w2, sigma_b2]
    scale = depth_scale(name, sigma_w2, sigma_b2)
    assert (scale.q, scale.chi_1) == pytest.approx((q, chi_1), rel=1e-3, abs=1e-12)
    assert (scale.xi_c, scale.xi_gradient) == pytest.approx((xi_c, xi_gradient), rel=1.5e-3)
    assert scale.depth_limit == 6 * scale.xi_c and scale.why_no_limit == ""


@pytest.mark.parametrize(
    ("name", "sigma_w2", "sigma_b2", "q", "why"),
    [
        ("relu", 2.0, 0.0, 1.0, HOMOGENEOUS),
        ("relu", 1.0, 0.0, 0.0, HOMOGENEOUS),
        ("relu", 2.02, 0.0, inf, UNBOUNDED),
        ("relu", 2.0, 0.1, inf, UNBOUNDED),
        ("gelu", 2.4, 0.05, inf, UNBOUNDED),
    ],
)
def test_where_no_depth_limit_is_claimed(name, sigma_w2, sigma_b2, q, why):
    scale = depth_scale(name, sigma_w2, sigma_b2)
    assert scale.why_no_limit == why and np.isnan([scale.c_star, scale.xi_c, scale.depth_limit]).all()
    assert scale.q == q


@pytest.mark.parametrize(("sigma_w2", "sigma_b2"), [(1.5, 0.0), (1.4, 0.05), (2.0, 0.05), (6.0, 0.3)])
def test_the_correlation_s_scale_in_closed_form(sigma_w2, sigma_b2):
    # φ = erf: E[φ(u₁)φ(u₂)] = 2/π asin(2qc/(1 + 2q)), iterated until nothing changes (Williams 1997).
    q, c = 1.0, 0.5
    for _ in range(20_000):
        q = sigma_w2 * 2 / pi * asin(2 * q / (1 + 2 * q)) + sigma_b2
    x = 2 * q / (1 + 2 * q)
    for _ in range(20_000):
        c = (sigma_w2 * 2 / pi * asin(x * c) + sigma_b2) / q
    slope = sigma_w2 * 2 / pi * x / sqrt(1 - (x * c) ** 2) / q
    scale = depth_scale(ERF, sigma_w2, sigma_b2)
    assert (scale.q, scale.c_star) == pytest.approx((q, c), rel=1e-9, abs=1e-12)
    assert scale.xi_c == pytest.approx(-1 / log(slope), rel=1e-7)
    (point,) = fixed_points(ERF, sigma_w2, sigma_b2)
    assert (point.c_star, point.xi_c, point.xi_gradient) == (scale.c_star, scale.xi_c, scale.xi_gradient)


@pytest.mark.parametrize("name", ["tanh", "elu", "selu", "softsign"])
def test_the_correlation_converges_at_its_scale(name):
    sigma_w2, sigma_b2 = {"tanh": (2.5, 0.05), "elu": (1.8, 0.05), "selu": (1.0, 0.05), "softsign": (6.0, 0.05)}[name]
    scale = depth_scale(name, sigma_w2, sigma_b2)
    assert 0 < scale.c_star < 1 < scale.chi_1
    assert correlation_map(name, scale.c_star, scale.q, sigma_w2, sigma_b2) == pytest.approx(scale.c_star, rel=1e-10)
    near = scale.c_star + 1e-5
    step = correlation_map(name, near, scale.q, sigma_w2, sigma_b2) - scale.c_star
    assert step / 1e-5 == pytest.approx(exp(-1 / scale.xi_c), rel=1e-4)


def test_on_the_critical_line_both_depth_scales_are_infinite():
    point = critical("tanh", 0.05)[0]
    at, beyond = (depth_scale("tanh", point.sigma_w2 * factor, 0.05) for factor in (1, 1 + 1e-5))
    assert at.xi_c > 1e6 and at.xi_gradient > 1e6
    assert beyond.c_star < 1 and beyond.xi_c == pytest.approx(beyond.xi_gradient, rel=1e-3)


def test_leaky_relu_grows_with_he_s_gain():
    q = lengths("leaky_relu_0.2", 51, 2.0, q=1.0)
    assert q[-1] == pytest.approx(7.107, abs=1e-3)
