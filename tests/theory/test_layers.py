"""The theory of layers whose biases have a mean or depend on the weights, against samples."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from winit.theory import prediction
from winit.theory.activations import ACTIVATIONS, resolve
from winit.theory.layers import PLAIN, LayerStatistics, effective_activation
from winit.theory.maps import correlation_map, length_map
from winit.theory.quadrature import moments, pair_mean


def test_plain_layers_meet_the_activation_itself():
    assert effective_activation("tanh", PLAIN, PLAIN) is ACTIVATIONS["tanh"]


def test_a_mean_and_a_shift_move_the_activation():
    phi = effective_activation("relu", LayerStatistics(1.0, bias_mean=0.5), LayerStatistics(1.0, shift=-2.0))
    np.testing.assert_allclose(phi.phi(np.array([-1.0, 0.0, 1.0])), [-2, -1.5, -0.5])
    assert phi.kinks == (-0.5,) and phi.value_at_0 == -1.5 and phi.slope_at_0 == 1


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "gelu"])
@pytest.mark.parametrize("q", [0.3, 2.0])
def test_weights_that_sum_to_0_see_the_variance(activation, q):
    phi = effective_activation(activation, PLAIN, LayerStatistics(1.0, shift=None))
    plain = moments(activation, q)
    assert moments(phi, q).square == pytest.approx(plain.variance)
    assert moments(phi, q).growth == pytest.approx(plain.variance_growth)
    assert moments(phi, q).slope == plain.slope
    assert length_map(phi, q, 1.5) == pytest.approx(1.5 * plain.variance)
    f = resolve(activation).phi
    joint = pair_mean(lambda a, b: f(a) * f(b), 0.4, q, resolve(activation).kinks)
    assert correlation_map(phi, 0.4, q, 1.5) == pytest.approx((joint - plain.mean**2) / plain.variance)


CASES = {
    "a shift": LayerStatistics(1.3, 0.02, shift=-0.4),
    "a mean": LayerStatistics(1.3, 0.02, bias_mean=0.5),
    "both": LayerStatistics(1.3, 0.02, bias_mean=0.5, shift=-0.4),
    "no sum": LayerStatistics(1.3, 0.02, shift=None),
}


@pytest.mark.parametrize("case", CASES)
def test_theory_meets_wide_networks(case):
    """Width 400, depth 6, 40 networks: z², Var h and δ² of every layer, within 4 standard errors."""
    rng, networks, width, depth = np.random.default_rng(3), 40, 400, 6
    widths = [width] * (depth + 2)
    stated = CASES[case]
    known = [stated._replace(weight_variance=stated.weight_variance / width)] * (depth + 1)
    known[0] = LayerStatistics(1 / width, 0.1, bias_mean=stated.bias_mean)
    theory = prediction.predict("gelu", widths, known)
    phi = resolve("gelu")
    samples = np.empty((3, networks, depth + 1))
    for k in range(networks):
        h = rng.standard_normal(width)
        h /= np.sqrt((h * h).mean())
        zs, ws = [], []
        for i, layer in enumerate(known):
            w = sqrt(layer.weight_variance) * rng.standard_normal((width, width))
            if layer.shift is None:
                w = (w - w.mean(axis=0)) / sqrt(1 - 1 / width)
            b = layer.bias_mean + (layer.shift or 0) * w.sum(axis=0)
            zs.append(h @ w + b + sqrt(layer.bias_variance) * rng.standard_normal(width))
            ws.append(w)
            h = phi.phi(zs[-1])
            samples[0, k, i], samples[1, k, i] = (zs[-1] ** 2).mean(), h.var()
        d = rng.standard_normal(width)
        base = (d * d).mean()
        for i in range(depth, -1, -1):
            samples[2, k, i] = (d * d).mean() / base
            if i:
                d = (d @ ws[i].T) * phi.dphi(zs[i - 1])
    for sample, value in zip(samples, (theory.q, theory.h_variance, theory.delta), strict=True):
        error = sample.std(axis=0, ddof=1) / sqrt(networks)
        off = np.abs(sample.mean(axis=0) - value) / (error + 1e-12)
        assert (off[~np.isnan(value)] <= 4).all()
    spread = np.log(samples[0]).std(axis=0, ddof=1)
    np.testing.assert_allclose(spread, theory.q_spread, rtol=0.5)
