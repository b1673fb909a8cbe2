"""The theory of one network, layer by layer, against samples of random networks."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from winit.theory import prediction
from winit.theory.activations import resolve
from winit.theory.layers import LayerStatistics


@pytest.mark.parametrize("activation", ["tanh", "relu", "selu"])
def test_theory_meets_wide_networks(activation):
    """Width 400, depth 10: layer by layer, within 4 standard errors of the mean over networks."""
    rng, widths, networks = np.random.default_rng(7), [50, *[400] * 10, 10], 40
    phi = resolve(activation)
    variances = [2.0 / n if activation == "relu" else 1.2 / n for n in widths[:-1]]
    theory = prediction.predict(activation, widths, [LayerStatistics(v, 0.01) for v in variances])
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
    phi = resolve(activation)
    variances = [{"relu": 2.0, "sigmoid": 8.0}.get(activation, 1.2) / n for n in widths[:-1]]
    theory = prediction.predict(activation, widths, [LayerStatistics(v, 0.02) for v in variances])
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
    theory = prediction.predict("relu", [100] * 12, [LayerStatistics(0.02)] * 11)
    np.testing.assert_allclose(theory.q_spread[10] ** 2, 10 * 5 / 100 + 2 / 100)
    np.testing.assert_allclose(theory.delta_spread[0] ** 2, 10 * 5 / 100)
    np.testing.assert_allclose(theory.amplification, 1)


def test_tolerance():
    assert prediction.tolerance(0.3, 9) == pytest.approx((np.exp(-0.3 - 0.045), np.exp(0.3)))
    assert prediction.tolerance(0.0, 5) == pytest.approx((0.9, 1.1))


def test_inputs_of_several_lengths_are_averaged():
    layers = [LayerStatistics(0.3, 0.1)] * 3
    each = [prediction.predict("tanh", [4, 8, 8, 2], layers, s) for s in (0.5, 1.5)]
    both = prediction.predict("tanh", [4, 8, 8, 2], layers, np.array([0.5, 1.5]))
    np.testing.assert_allclose(both.q, (each[0].q + each[1].q) / 2)
    np.testing.assert_allclose(both.delta, (each[0].delta + each[1].delta) / 2)
