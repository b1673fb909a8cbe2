"""Activation transforms as schemes: the network that they are, its lengths and its gradients."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import numpy as np
import pytest

from tests.schemes.networks import drawn, gradients, layer, pre_activations
from winit import schemes
from winit.theory import prediction
from winit.theory.activations import ACTIVATIONS, resolve
from winit.theory.transforms import deep_kernel_shaping, gaussian_poincare, tailored


@pytest.mark.parametrize("name", ["gpn", "gpn_orthogonal"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softplus", "gelu"])
def test_gpn_is_the_network_of_the_normalized_activation(name, activation):
    """A network of φ̂ = aφ + b with weights W and no biases has the same outputs, to 1e-12."""
    widths = [9, 24, 16, 24, 5]
    plain = drawn(name, activation, widths, seed=3)
    found, phi = gaussian_poincare(activation), resolve(activation).phi
    x = np.random.default_rng(1).standard_normal((30, 9))
    h = x
    for index, (weights, _) in enumerate(plain):
        h = h @ (weights / (found.a if index else 1.0))
        if index < len(plain) - 1:
            h = found.a * phi(h) + found.b
    np.testing.assert_allclose(pre_activations(plain, activation, x)[-1], h, atol=1e-12)


@pytest.mark.parametrize("name", ["gpn", "gpn_orthogonal"])
def test_the_first_layer_and_the_biases(name):
    widths = [40, 60, 60, 10]
    (first, b_first), *others = drawn(name, "sigmoid", widths)
    assert not b_first.any()
    assert np.square(first).mean() == pytest.approx(1 / 40, rel=0.1)
    found = gaussian_poincare("sigmoid")
    for weights, biases in others:
        np.testing.assert_allclose(biases, found.b / found.a * weights.sum(axis=0), rtol=1e-12)
        assert np.square(weights).mean() == pytest.approx(found.a**2 / 60, rel=0.15)


def test_orthogonal_weights_keep_lengths_in_wider_layers_too():
    for shape in [(12, 30), (30, 12), (20, 20)]:
        w, _ = schemes.draw("gpn_orthogonal", layer(*shape, "tanh"))
        w /= gaussian_poincare("tanh").a
        sizes = np.linalg.svd(w, compute_uv=False)
        np.testing.assert_allclose(sizes, sqrt(max(1, shape[1] / shape[0])))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_theory_of_gpn_at_width_1000(activation):
    """Ten layers: mean z² is 1, and so is the gradient ratio, within 3 standard errors of the mean over networks."""
    networks, widths = 5, [100, *[1000] * 10, 100]
    q, ratio = np.empty(networks), np.empty(networks)
    for k in range(networks):
        rng = np.random.default_rng([9, k])
        layers = drawn("gpn", activation, widths, seed=k)
        x = rng.standard_normal((4, 100))
        x /= np.sqrt(np.square(x).mean(axis=1, keepdims=True))
        zs = pre_activations(layers, activation, x)
        deltas = gradients(layers, activation, zs, rng.standard_normal((4, 100)))
        q[k] = np.square(zs[9]).mean()
        ratio[k] = np.square(deltas[0]).mean() / np.square(deltas[9]).mean()
    known = [
        schemes.statistics("gpn", schemes.Layer(n, m, activation, None, i, 10))
        for i, (n, m) in enumerate(pairwise(widths), start=1)
    ]
    theory = prediction.predict(activation, widths, known)
    assert theory.q[9] == pytest.approx(1) and theory.delta[0] / theory.delta[9] == pytest.approx(1)
    for sample in (q, ratio):
        assert abs(sample.mean() - 1) <= 3 * sample.std(ddof=1) / sqrt(networks)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_card_says_critical_for_every_activation(activation):
    card = schemes.card("gpn", activation)
    homogeneous = activation == "identity"
    assert card.depth_limit == (
        "none: q has no scale (homogeneous, no biases), with identity" if homogeneous else f"∞, with {activation}"
    )
    assert "only the abstract was read" in card.caveat


@pytest.mark.parametrize(
    ("name", "phi_hat"),
    [
        ("dks:1.5", lambda phi: deep_kernel_shaping(phi, 1.5 ** (1 / 4))),
        ("tat:0.3", lambda phi: tailored(phi, 0.3 / 4)),
    ],
)
@pytest.mark.parametrize("activation", ["tanh", "softplus", "sigmoid"])
def test_dks_and_tat_are_networks_of_the_transformed_activation(name, phi_hat, activation):
    widths, x = [9, 24, 16, 16, 24, 5], np.random.default_rng(1).standard_normal((30, 9))
    phi_hat, phi = phi_hat(activation), resolve(activation).phi
    plain, h = drawn(name, activation, widths, seed=3), x
    for index, (weights, _) in enumerate(plain):
        is_last = index == len(plain) - 1
        h = h @ (weights / phi_hat.gain(index == 0, is_last))
        if not is_last:
            h = phi_hat.gamma * (phi(phi_hat.alpha * h + phi_hat.beta) + phi_hat.delta)
    np.testing.assert_allclose(pre_activations(plain, activation, x)[-1], h, atol=1e-11)


@pytest.mark.parametrize("name", ["dks:1.5", "tat:0.3"])
def test_theory_of_dks_and_tat(name):
    """Width 300, depth 6, 20 networks: z², Var h and δ² of every layer, within 4 standard errors."""
    networks, widths = 20, [300] * 8
    samples = np.empty((3, networks, 7))
    for k in range(networks):
        x = np.random.default_rng([2, k]).standard_normal((1, 300))
        x /= np.sqrt(np.square(x).mean())
        layers = drawn(name, "softplus", widths, seed=k)
        zs = pre_activations(layers, "softplus", x)
        deltas = gradients(layers, "softplus", zs, np.random.default_rng([3, k]).standard_normal((1, 300)))
        samples[0, k] = [np.square(z).mean() for z in zs]
        samples[1, k] = [resolve("softplus").phi(z).var() for z in zs]
        samples[2, k] = [np.square(d).mean() / np.square(deltas[-1]).mean() for d in deltas]
    known = [
        schemes.statistics(name, schemes.Layer(n, m, "softplus", None, i, 6))
        for i, (n, m) in enumerate(pairwise(widths), start=1)
    ]
    theory = prediction.predict("softplus", widths, known)
    phi_hat = deep_kernel_shaping("softplus", 1.5 ** (1 / 6)) if name == "dks:1.5" else tailored("softplus", 0.3 / 6)
    np.testing.assert_allclose(theory.q[:-1], phi_hat.alpha**2 + phi_hat.beta**2)
    for sample, value in zip(samples, (theory.q, theory.h_variance, theory.delta), strict=True):
        off = np.abs(sample.mean(axis=0) - value) / (sample.std(axis=0, ddof=1) / sqrt(networks) + 1e-12)
        assert (off[~np.isnan(value)] <= 4).all()


def test_dks_and_tat_refuse_by_name():
    assert schemes.why_not_applicable("dks:1.5", "relu") == (
        "deep kernel shaping needs a curved activation with a continuous slope, and ReLU is not one"
    )
    assert schemes.why_not_applicable("tat:0.3", "elu").startswith("tailored transformations need a curved activation")
    assert schemes.why_not_applicable("dks:1.5", "softplus", [4, 8, 2]) == (
        "dks: no transform of softplus was found that has the moments asked for at depth 1"
    )
    assert schemes.why_not_applicable("dks:1.5", "softplus", [4, *[8] * 10, 2]) is None
    with pytest.raises(ValueError, match="at depth 1"):
        schemes.draw("dks:1.5", layer(4, 8, "softplus", index=1, depth=1))
    with pytest.raises(ValueError, match="slope is '1'; it must be a number above 1"):
        schemes.parse("dks:1")


def test_what_depends_on_the_depth_has_no_depth_limit():
    assert schemes.card("dks:1.5", "tanh").depth_limit == ""
