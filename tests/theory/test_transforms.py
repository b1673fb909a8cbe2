"""Activation transforms: their constants, and the plain network that each of them is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from winit.theory.activations import ACTIVATIONS
from winit.theory.layers import PLAIN, LayerStatistics, effective_activation
from winit.theory.maps import depth_scale, fixed_point_at
from winit.theory.quadrature import moments
from winit.theory.transforms import Transform, deep_kernel_shaping, gaussian_poincare, tailored

# a, b and Q′(1) of both roots, the one that is taken first; from Gauss–Legendre quadrature with 400 nodes.
CONSTANTS = {
    "sigmoid": (4.722646, -2.181044, 0.696, -2.541602, 0.696),
    "tanh": (1.467414, 0.388542, 0.391, -0.388542, 0.391),
    "relu": (1.414214, -1.128379, 0.363, 0.0, 1.0),
    "elu": (1.223429, -0.466991, 0.711, 0.074220, 0.884),
    "selu": (0.966026, -0.258446, 0.686, 0.258446, 0.775),
    "gelu": (1.481114, -0.909506, 0.497, 0.073877, 1.113),
    "silu": (1.623320, -0.753709, 0.670, 0.082885, 1.147),
    "softplus": (1.846229, -1.761165, 0.873, -1.215174, 1.082),
    "mish": (1.444755, -0.767387, 0.592, 0.072738, 1.056),
    "softsign": (2.095781, 0.442886, 0.383, -0.442886, 0.383),
}


@pytest.mark.parametrize("activation", CONSTANTS)
def test_constants_and_the_stable_root(activation):
    a, b, slope, other_b, other_slope = CONSTANTS[activation]
    found = gaussian_poincare(activation)
    assert (found.a, found.b, found.other_b) == pytest.approx((a, b, other_b), abs=1e-6)
    assert (found.slope, found.other_slope) == pytest.approx((slope, other_slope), abs=5e-4)
    assert found.slope <= found.other_slope + 1e-9


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_critical(activation):
    """E φ̂² = E φ̂′² = 1: q = 1 is a fixed point, χ₁ = 1, and lengths near it return to it."""
    found = gaussian_poincare(activation)
    phi = effective_activation(activation, PLAIN, LayerStatistics(1.0, shift=found.b / found.a))
    m = moments(phi, 1.0)
    assert found.a**2 * m.square == pytest.approx(1, abs=1e-12)
    assert found.a**2 * m.slope == pytest.approx(1, abs=1e-12)
    point = fixed_point_at(phi, 1.0, found.a**2)
    assert point.chi_1 == pytest.approx(1, abs=1e-12) and point.slope == pytest.approx(found.slope)
    if activation not in ("identity",):
        assert point.is_stable
        assert depth_scale(phi, found.a**2).depth_limit == np.inf


@pytest.mark.parametrize(
    "phi_hat", [gaussian_poincare("softplus").transform, Transform(0.15, 0.54, 10.5, -0.996)], ids=["gpn", "all four"]
)
def test_the_plain_network_is_the_one_of_the_transformed_activation(phi_hat):
    """The rule of the module's docstring, to rounding."""
    rng, phi, widths = np.random.default_rng(0), ACTIVATIONS["softplus"].phi, [7, 16, 12, 16, 5]
    plain = h = rng.standard_normal((20, 7))
    depth = len(widths) - 2
    for index, (n, m) in enumerate(pairwise(widths)):
        w = rng.standard_normal((n, m)) / np.sqrt(n)
        is_first, is_last = index == 0, index == depth
        known = phi_hat.statistics(n, is_first, is_last)
        w_plain = phi_hat.gain(is_first, is_last) * w
        assert known.weight_variance == pytest.approx(phi_hat.gain(is_first, is_last) ** 2 / n)
        h, plain = h @ w, plain @ w_plain + known.bias_mean + known.shift * w_plain.sum(axis=0)
        if not is_last:
            h = phi_hat.gamma * (phi(phi_hat.alpha * h + phi_hat.beta) + phi_hat.delta)
            plain = phi(plain)
    np.testing.assert_allclose(plain, h, atol=1e-12)


# α, β, γ, δ of the authors' tests, and the slope or curvature at which they hold.
PUBLISHED = {
    ("DKS", "softplus"): (0.18761008168267976, 0.40688063442262007, 8.878672543665223, -0.9213466151411376),
    ("DKS", "tanh"): (0.07461073057540868, 0.5566915199964182, 18.002635964442558, -0.5034378768692127),
    ("TAT", "softplus"): (0.15011489794748328, 0.5374599901127068, 10.54880187880574, -0.996481014465811),
    ("TAT", "tanh"): (0.0580205218578313, 0.5218639804099805, 22.36066261763117, -0.4796430704354356),
}


def transformed(activation, phi_hat):
    """Return moments of φ̂, q = 1: E φ̂, E φ̂², E[φ̂ φ̂′ z], E φ̂′², E φ̂″², by sums over a fine grid."""
    z = np.linspace(-12, 12, 200_001)
    weights = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()
    phi, u = ACTIVATIONS[activation], phi_hat.alpha * z + phi_hat.beta
    f = phi_hat.gamma * (phi.phi(u) + phi_hat.delta)
    df = phi_hat.gamma * phi_hat.alpha * phi.dphi(u)
    d2f = np.gradient(df, z)
    return weights @ f, weights @ f**2, weights @ (f * df * z), weights @ df**2, weights @ d2f**2


@pytest.mark.parametrize(("method", "activation"), PUBLISHED)
def test_published_transforms_are_found_again(method, activation):
    published = Transform(*PUBLISHED[method, activation])
    mean, square, length_slope, slope, curvature = transformed(activation, published)
    assert (square, length_slope) == pytest.approx((1, 1), abs=1e-9)
    if method == "DKS":
        assert mean == pytest.approx(0, abs=1e-9)
        found = deep_kernel_shaping(activation, slope)
    else:
        assert slope == pytest.approx(1, abs=1e-9)
        found = tailored(activation, curvature)
    # An odd activation has each solution twice, −φ̂(−z) beside φ̂(z).
    assert (found.alpha, abs(found.beta), found.gamma, -abs(found.delta)) == pytest.approx(
        (published.alpha, published.beta, published.gamma, published.delta), rel=1e-4
    )


@pytest.mark.parametrize("depth", [3, 10, 100])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "gelu", "silu", "mish", "softplus", "lecun_tanh"])
def test_transforms_have_their_moments(activation, depth):
    mean, *moments_of = transformed(activation, deep_kernel_shaping(activation, 1.5 ** (1 / depth)))
    assert [mean, *moments_of[:3]] == pytest.approx([0, 1, 1, 1.5 ** (1 / depth)], abs=1e-8)
    _, *moments_of = transformed(activation, tailored(activation, 0.3 / depth))
    assert moments_of == pytest.approx([1, 1, 1, 0.3 / depth], abs=1e-7)


def test_transforms_that_do_not_exist():
    for activation in ("relu", "leaky_relu", "selu", "identity"):
        assert deep_kernel_shaping(activation, 1.1) is None and tailored(activation, 0.1) is None
    assert deep_kernel_shaping("softplus", 1.5) is None
    assert tailored("elu", 0.1) is None
