"""Modifiers that change drawn weights and biases without looking at data: centred activations and sums of 0."""

from __future__ import annotations

from itertools import pairwise
from math import pi, sqrt

import numpy as np
import pytest

from tests.schemes.networks import drawn, gradients, layer, pre_activations
from winit import schemes
from winit.theory import prediction
from winit.theory.activations import resolve
from winit.theory.maps import HOMOGENEOUS


@pytest.mark.parametrize("index", [1, 2, 4])
def test_zero_sum_makes_the_weights_of_every_unit_sum_to_0(index):
    plain, b = schemes.draw("torch_default", layer(40, 30, index=index))
    w, biases = schemes.draw("torch_default+zero_sum", layer(40, 30, index=index))
    np.testing.assert_allclose(w.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(w, plain - plain.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(biases, b)
    known = schemes.statistics("torch_default+zero_sum", layer(40, 30))
    assert known.shift is None and known[:3] == pytest.approx((1 / 120 * (1 - 1 / 40), 1 / 120, 0))


def test_zero_sum_leaves_narrow_layers():
    np.testing.assert_array_equal(
        schemes.draw("he_normal+zero_sum", layer(7, 30))[0], schemes.draw("he_normal", layer(7, 30))[0]
    )
    assert schemes.statistics("he_normal+zero_sum", layer(7, 30)) == pytest.approx((2 / 7, 0, 0, 0))


def test_centered_takes_the_mean_of_the_layer_below_off():
    """Under He's weights q = 2 in every ReLU layer but for what centring changes: E φ(√2 z) = 1/√π in layer 1."""
    first, second = (
        schemes.draw("he_normal+centered", layer(64, 64, index=i))[1]
        / schemes.draw("he_normal", layer(64, 64))[0].sum(axis=0)
        for i in (1, 2)
    )
    assert not first.any()
    np.testing.assert_allclose(second, -1 / sqrt(pi), rtol=1e-10)
    assert schemes.statistics("he_normal+centered", layer(64, 64)).shift == pytest.approx(-1 / sqrt(pi))
    # Var φ is (1 − 1/π)/2 of q in place of 1/2: the next layer's q is 2 (1 − 1/π).
    third = schemes.statistics("he_normal+centered", layer(64, 64, index=3)).shift
    assert third == pytest.approx(-sqrt(2 * (1 - 1 / pi) / (2 * pi)))


@pytest.mark.parametrize("scheme", ["glorot_normal", "orthogonal:1", "normal:0.5", "theano_glorot"])
def test_the_mean_of_sigmoid_is_one_half_at_any_length(scheme):
    w, b = schemes.draw(f"{scheme}+centered", layer(30, 20, "sigmoid", index=7, depth=9))
    np.testing.assert_allclose(b, -0.5 * w.sum(axis=0), rtol=1e-12)


def test_an_odd_activation_has_nothing_to_centre():
    assert schemes.same_draws(["he_normal", "he_normal+centered"], "tanh", [9, 16, 16, 4]) == {
        "he_normal+centered": "he_normal"
    }
    assert schemes.same_draws(["he_normal", "he_normal+centered"], "relu", [9, 16, 16, 4]) == {}
    assert schemes.same_draws(["he_normal+lsuv", "he_normal+centered+lsuv"], "relu", [9, 16, 16, 4]) == {}


def test_modifiers_are_applied_in_order():
    assert schemes.canonical("he_normal+lsuv+centered+zero_sum") == "he_normal+zero_sum+centered+lsuv"
    w, b = schemes.draw("he_normal+zero_sum+centered", layer(40, 30))
    np.testing.assert_allclose(b, 0, atol=1e-12)  # nothing is left to centre
    np.testing.assert_allclose(w.sum(axis=0), 0, atol=1e-12)
    w, b = schemes.draw("he_normal+centered+last_layer_zero", layer(40, 30, index=4))
    assert not w.any() and not b.any()


def test_centring_replaces_what_a_scheme_adds():
    """The biases of gpn shift activations by b/a; centred, they have mean 0 all the same."""
    known = schemes.statistics("gpn+centered", layer(64, 64, "sigmoid"))
    assert known.shift == pytest.approx(-0.5)
    w, b = schemes.draw("gpn+centered", layer(64, 64, "sigmoid"))
    np.testing.assert_allclose(b, -0.5 * w.sum(axis=0), rtol=1e-9)


def test_sums_of_0_make_biases_of_sums_noise():
    known = schemes.statistics("gpn+zero_sum", layer(64, 64, "sigmoid"))
    plain = schemes.statistics("gpn", layer(64, 64, "sigmoid"))
    assert known.shift is None
    assert known.bias_variance == pytest.approx(plain.shift**2 * 64 * plain.weight_variance)


@pytest.mark.parametrize(
    "initializer", ["glorot_normal+centered", "glorot_normal+zero_sum", "scaled_ws", "gpn+zero_sum"]
)
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_theory_meets_wide_networks(initializer, activation):
    """Width 400, depth 5, 30 networks: z², Var h and δ² of every layer, within 4 standard errors; z has mean 0."""
    networks, widths = 30, [400] * 7
    samples, means = np.empty((3, networks, 6)), np.empty((networks, 6))
    for k in range(networks):
        rng = np.random.default_rng([4, k])
        x = rng.standard_normal((1, 400))
        x -= x.mean()
        x /= np.sqrt(np.square(x).mean())
        layers = drawn(initializer, activation, widths, seed=k)
        zs = pre_activations(layers, activation, x)
        deltas = gradients(layers, activation, zs, rng.standard_normal((1, 400)))
        base = np.square(deltas[-1]).mean()
        samples[0, k] = [np.square(z).mean() for z in zs]
        samples[1, k] = [resolve(activation).phi(z).var() for z in zs]
        samples[2, k] = [np.square(d).mean() / base for d in deltas]
        means[k] = [z.mean() for z in zs]
    known = [
        schemes.statistics(initializer, schemes.Layer(n, m, activation, None, i, 5))
        for i, (n, m) in enumerate(pairwise(widths), start=1)
    ]
    theory = prediction.predict(activation, widths, known)
    root = sqrt(networks)
    for sample, value in zip(samples, (theory.q, theory.h_variance, theory.delta), strict=True):
        off = np.abs(sample.mean(axis=0) - value) / (sample.std(axis=0, ddof=1) / root + 1e-12)
        assert (off[~np.isnan(value)] <= 4).all()
    assert (np.abs(means.mean(axis=0)) <= 4 * means.std(axis=0, ddof=1) / root).all()


def test_hidden_layers_of_centred_networks():
    """Centred ReLU networks have no scale, as those of weights that sum to 0: F(q) = σ_w² (1 − 1/π) q/2."""
    one, other = (schemes.hidden_depth_scale(f"he_normal+{m}", 10_000, "relu") for m in ("centered", "zero_sum"))
    assert one.why_no_limit == other.why_no_limit == HOMOGENEOUS
    assert one.q == 0 and one.chi_1 == pytest.approx(1)
    sigmoid = schemes.hidden_depth_scale("glorot_normal+centered", 64, "sigmoid")
    assert sigmoid.q == 0 and sigmoid.chi_1 == pytest.approx(1 / 16)
