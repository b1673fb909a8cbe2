"""Mirrored, spectral and wrapped matrices."""

from __future__ import annotations

import numpy as np
import pytest

from tests.schemes.networks import drawn, layer, pre_activations
from winit import schemes
from winit.schemes.degeneracy import defects


@pytest.mark.parametrize("activation", ["relu", "leaky_relu_0.2", "gelu", "softplus", "identity"])
@pytest.mark.parametrize("widths", [[7, *[16] * 30, 3], [5, 12, 20, 8, 4]])
def test_a_looks_linear_network_is_linear(activation, widths):
    """f(x) = x V₁ … V_L exactly, V the upper left block of each layer."""
    layers = drawn("looks_linear", activation, widths)
    x = np.random.default_rng(2).standard_normal((10, widths[0]))
    slope = {"leaky_relu_0.2": 1.2, "identity": 2.0}.get(activation, 1.0)
    product = x
    for index, (weights, biases) in enumerate(layers):
        rows = widths[index] // (1 if index == 0 else 2)
        columns = widths[index + 1] // (1 if index == len(layers) - 1 else 2)
        block = weights[:rows, :columns] * (slope if index else 1.0)
        sizes = np.linalg.svd(block, compute_uv=False)
        np.testing.assert_allclose(sizes, 1, rtol=1e-12)
        product = product @ block
        assert not biases.any()
    np.testing.assert_allclose(pre_activations(layers, activation, x)[-1], product, atol=1e-11)


def test_looks_linear_keeps_every_direction_of_square_layers():
    layers = drawn("looks_linear", "relu", [8, *[16] * 30, 8])
    outputs = pre_activations(layers, "relu", np.eye(8))[-1]
    np.testing.assert_allclose(np.linalg.svd(outputs, compute_uv=False), 1, rtol=1e-10)


def test_mirrored_units_are_said_and_differ():
    w, _ = schemes.draw("looks_linear", layer(64, 64))
    assert defects(w) == "64 of 64 units are the negative of another; rank 32 of 64"


def test_looks_linear_refuses_what_it_cannot_make_linear():
    assert schemes.why_not_applicable("looks_linear", "tanh").startswith("mirrored units make a network linear if")
    assert schemes.why_not_applicable("looks_linear", "relu", [3, 16, 15, 2]) == (
        "mirrored units come in pairs, but a hidden layer has 15 units; use an even width"
    )
    assert schemes.why_not_applicable("looks_linear", "relu", [3, 16, 16, 5]) is None


def test_a_study_leaves_odd_widths_out(tiny):
    study = tiny("grid.initializer=[looks_linear,he_normal]", "grid.activation=[relu]", "grid.width=[16,15]")
    arms = {workload.width: [arm.initializer for arm in workload.arms] for workload in study.workloads}
    assert arms == {15: ["he_normal"], 16: ["looks_linear", "he_normal"]}
    [(initializer, _, _, reason)] = study.not_applicable
    assert initializer == "looks_linear" and "a hidden layer has 15 units" in reason


def test_a_study_of_odd_widths_alone_is_refused(tiny):
    with pytest.raises(
        ValueError, match="nothing to train, because looks_linear with relu is not applicable: mirrored"
    ):
        tiny("grid.initializer=[looks_linear]", "grid.activation=[relu]", "grid.width=[15]")


@pytest.mark.parametrize("shape", [(20, 20), (12, 30), (30, 12)])
def test_spectral_norms(shape):
    w, _ = schemes.draw("spectral", layer(*shape))
    np.testing.assert_allclose(np.linalg.svd(w, compute_uv=False), np.sqrt(shape[1] / shape[0]), rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 4), (8, 4), (4, 8), (7, 3)])
def test_the_wrapped_diagonal_has_one_1_in_each_unit_or_input(shape):
    w, _ = schemes.draw("tanh_fixed_point:1e-9", layer(*shape, "tanh"))
    wrapped = np.round(w)
    assert set(np.unique(wrapped)) == {0, 1} and wrapped.sum() == max(shape)
    assert (wrapped.sum(axis=int(shape[0] >= shape[1])) == 1).all()


def test_tanh_fixed_point_keeps_activations():
    """Mean h² of layers 10, 30, 100 and 1000 with 64 units, against values computed separately for the same rule."""
    layers = drawn("tanh_fixed_point:0.085", "tanh", [64, *[64] * 1000, 10])
    x = np.random.default_rng(0).standard_normal((100, 64))
    zs = pre_activations(layers, "tanh", x)
    got = [float(np.square(np.tanh(zs[depth - 1])).mean()) for depth in (10, 30, 100, 1000)]
    assert got == pytest.approx([0.094, 0.039, 0.0135, 0.0056], rel=0.25)
    with pytest.raises(ValueError, match=r"D \+ Z is a rule for tanh only"):
        schemes.draw("tanh_fixed_point:0.085", layer(4, 4, "relu"))


@pytest.mark.parametrize("connections", ["0", "2.5", "-3", "nan", "inf"])
def test_a_count_is_a_whole_number(connections):
    with pytest.raises(ValueError, match=r"connections is '.*'; it must be a whole number of at least 1"):
        schemes.parse(f"martens_sparse:{connections}")
