"""Length and correlation maps, fixed points and the critical line, against closed forms and tabled values."""

from __future__ import annotations

from math import acos, asin, pi, sqrt

import numpy as np
import pytest

from tests.conftest import ERF
from winit.theory.activations import resolve
from winit.theory.maps import correlation_map, critical, depth_scale, fixed_points, lengths
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
