"""Gaussian moments against tabled values, closed forms and Monte Carlo."""

from __future__ import annotations

from math import acos, asin, pi, sqrt

import numpy as np
import pytest

from tests.conftest import ERF
from winit.theory.activations import ACTIVATIONS, Activation
from winit.theory.gains import gains
from winit.theory.quadrature import moments, pair_mean

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


PHIS = [*ACTIVATIONS.values(), ERF]


@pytest.mark.parametrize("phi", PHIS, ids=lambda phi: phi.name)
def test_moments_at_one(phi):
    m, g = moments(phi, 1.0), gains(phi)
    computed = m.square, g.forward, g.backward, m.slope / m.square, m.growth / m.square
    assert computed == pytest.approx(AT_ONE[phi.name], abs=1.1e-3)
    assert g.mean == pytest.approx(sqrt(g.forward * g.backward))


@pytest.mark.parametrize("q", [1e-8, 0.3, 1.0, 50.0, 1e6])
def test_relu_in_closed_form(q):
    m = moments("relu", q)
    assert (m.mean, m.square, m.slope, m.growth) == pytest.approx((sqrt(q / (2 * pi)), q / 2, 0.5, 0.5), rel=1e-12)


@pytest.mark.parametrize("q", [1e-8, 0.3, 1.0, 50.0])
def test_erf_in_closed_form(q):
    m = moments(ERF, q)
    assert m.square == pytest.approx(2 / pi * asin(2 * q / (1 + 2 * q)), rel=1e-11)
    assert m.slope == pytest.approx(4 / pi / sqrt(1 + 4 * q), rel=1e-11)


@pytest.mark.parametrize("phi", PHIS, ids=lambda phi: phi.name)
@pytest.mark.parametrize("q", [0.1, 4.0])
def test_moments_agree_with_monte_carlo(phi, q):
    z = np.random.default_rng(5).standard_normal(400_000)
    u = sqrt(q) * z
    f, df = phi.phi(u), phi.dphi(u)
    m = moments(phi, q)
    for sample, value in ((f, m.mean), (f * f, m.square), (df * df, m.slope), (f * df * u / q, m.growth)):
        assert abs(sample.mean() - value) <= 4.5 * sample.std() / sqrt(len(z)) + 1e-12


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="unknown activation 'tahn'; did you mean 'tanh'"):
        moments("tahn", 1.0)


def test_any_function_will_do():
    step = Activation("step", "step", "z > 0.5", lambda z: np.where(z > 0.5, 1.0, 0.0), np.zeros_like, (0.5,))
    from scipy.special import ndtr

    assert moments(step, 0.4).square == pytest.approx(ndtr(-0.5 / sqrt(0.4)), rel=1e-12)


@pytest.mark.parametrize("q", [0.01, 1.0, 50.0])
@pytest.mark.parametrize("d", [0.0, 1e-12, 1e-6, 0.1, 1.0, 1.7, 2.0])
def test_means_over_pairs_in_closed_form(d, q):
    c = 1 - d
    angle, sine = acos(c), sqrt((1 - c) * (1 + c))
    relu, erf = ACTIVATIONS["relu"], ERF
    joint = pair_mean(lambda a, b: relu.phi(a) * relu.phi(b), c, q, relu.kinks)
    assert joint == pytest.approx(q * (sine + c * (pi - angle)) / (2 * pi), rel=1e-9, abs=1e-12 * q)  # Cho & Saul 2009
    slopes = pair_mean(lambda a, b: relu.dphi(a) * relu.dphi(b), c, q, relu.kinks)
    assert slopes == pytest.approx((pi - angle) / (2 * pi), abs=1e-9)
    joint = pair_mean(lambda a, b: erf.phi(a) * erf.phi(b), c, q)
    assert joint == pytest.approx(2 / pi * asin(2 * q * c / (1 + 2 * q)), rel=1e-9, abs=1e-12)  # Williams 1997


def test_a_small_distance_of_a_pair_loses_no_digits():
    d = 1e-10  # E[(φ(u₁) − φ(u₂))²] = 2 q d E[φ′²] where d is small
    distance = pair_mean(lambda a, b: (np.tanh(a) - np.tanh(b)) ** 2, 1 - d, 0.5)
    assert distance / (1 - (1 - d)) == pytest.approx(moments("tanh", 0.5).slope, rel=1e-8)
