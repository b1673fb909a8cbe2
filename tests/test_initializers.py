"""Every scheme against its definition: one parametrised body, tolerances from the sample size."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
import pytest
import torch

from winit import schemes
from winit.schemes import Layer, draw
from winit.theory.activations import ACTIVATIONS

IN, OUT = 300, 500  # unequal, so that a confusion of fans shows

# Scheme → Var(w) as a formula of the fans, kurtosis of its distribution (3 normal, 1.8 uniform), and bound if any.
TRUNCATED_KURTOSIS = 2.36544  # ∫_{-2}^{2} x⁴φ / (∫_{-2}^{2} x²φ)² · (2Φ(2) − 1), checked below
VARIANCE = {
    "normal:0.01": (1e-4, 3.0),
    "normal:1": (1.0, 3.0),
    "uniform:0.05": (0.05**2 / 3, 1.8),
    "lecun_normal": (1 / IN, 3.0),
    "lecun_truncated_normal": (1 / IN, TRUNCATED_KURTOSIS),
    "lecun_uniform": (1 / IN, 1.8),
    "glorot_normal": (2 / (IN + OUT), 3.0),
    "glorot_truncated_normal": (2 / (IN + OUT), TRUNCATED_KURTOSIS),
    "glorot_uniform": (2 / (IN + OUT), 1.8),
    "he_normal": (2 / IN, 3.0),
    "he_truncated_normal": (2 / IN, TRUNCATED_KURTOSIS),
    "he_uniform": (2 / IN, 1.8),
    "he_fan_avg": (4 / (IN + OUT), 3.0),
    "he_fan_out": (2 / OUT, 3.0),
    "kumar": (12.8 / IN, 3.0),  # sigmoid: 1 / ((1/4)² (1 + 1/4))
    "torch_default": (1 / (3 * IN), 1.8),
    "sklearn_default": (2 / (IN + OUT) / 3, 1.8),  # sigmoid
    "theano_glorot": (32 / (IN + OUT), 1.8),
    "mup": (1 / IN, 3.0),
    "variance:1.5": (1.5 / IN, 3.0),
    "mean_field:1.5/0.05": (1.5 / IN, 3.0),
    "moment_matched": (3.4086 / IN, 3.0),  # sigmoid: E φ² = 0.29338
    "moment_matched_backward": (22.303 / OUT, 3.0),  # sigmoid: E φ′² = 0.044837
    "edge_of_chaos:0.05": (103.1 / IN, 3.0),  # sigmoid
    "random_walk": ((2**0.5 * exp(1.2 / (IN - 2.4))) ** 2 / IN, 3.0),  # relu
    "orthogonal:1": (1 / OUT, 3.0),
    "martens_sparse:15": (15 / IN, 3.0 * IN / 15),
    "torch_sparse:0.9": (1e-5, 30.0),
    # Nothing is random: E w² is exact.
    "zeros": (0.0, None),
    "constant:0.1": (0.01, None),
    "identity": (1 / OUT, None),
    "zero_hadamard": (1 / 512, None),
}
RANDOM = [name for name, (_, kurtosis) in VARIANCE.items() if kurtosis]
ACTIVATION = {"random_walk": "relu"}  # else sigmoid


def layer(seed: int = 0, fan_in: int = IN, fan_out: int = OUT, activation: str = "sigmoid") -> Layer:
    return Layer(fan_in, fan_out, activation, np.random.default_rng(seed))


def test_the_table_covers_the_catalogue():
    assert {name.partition(":")[0] for name in VARIANCE} == set(schemes.INITIALIZERS)


@pytest.mark.parametrize("name", VARIANCE)
def test_mean_variance_and_distribution(name):
    variance, kurtosis = VARIANCE[name]
    here = layer(activation=ACTIVATION.get(name, "sigmoid"))
    expected = schemes.variances(name, here)
    w, _ = draw(name, here)
    n = w.size
    assert w.shape == (IN, OUT) and w.dtype == np.float64
    assert expected is None or expected[0] == pytest.approx(variance, rel=1e-3)
    if kurtosis is None:
        assert np.square(w).mean() == pytest.approx(variance, rel=1e-12)
        return
    assert abs(w.mean()) < 4 * sqrt(variance / n)
    # Var(s²) = σ⁴ (κ − 1) / n. Four standard errors are 1.5 % here, 8 % for sparse weights; fan_in for fan_out would be
    # 67 % off, and a truncated normal whose σ was not corrected 23 %.
    assert abs(np.square(w).mean() / variance - 1) < 4 * sqrt((kurtosis - 1) / n)
    # The kurtosis tells the distributions apart. Its standard error is below √(24/n) = 0.013 for the normal, of which 3 is
    # kept in proportion for sparse weights, as one in so many of them is normal.
    error = sqrt(24 / n) * (kurtosis / 3 if kurtosis > 3 else 1) ** 1.5
    assert abs((w**4).mean() / np.square(w).mean() ** 2 - kurtosis) < 6 * error


@pytest.mark.parametrize("name", [n for n in VARIANCE if VARIANCE[n][1] == 1.8])
def test_uniform_stays_within_its_bound_and_fills_it(name):
    bound = sqrt(3 * VARIANCE[name][0])
    w, _ = draw(name, layer())
    assert np.abs(w).max() <= bound
    assert np.abs(w).max() > bound * (1 - 1e-3)


@pytest.mark.parametrize("name", [n for n in VARIANCE if "truncated" in n])
def test_truncated_is_cut_at_two_sigma_of_the_parent(name):
    bound = 2 * sqrt(VARIANCE[name][0]) / schemes.TRUNCATED_STD
    w, _ = draw(name, layer())
    assert bound * 0.99 < np.abs(w).max() <= bound


def test_constants_of_the_truncated_normal():
    from scipy.stats import truncnorm

    assert truncnorm.std(-2, 2) == pytest.approx(schemes.TRUNCATED_STD, abs=1e-12)
    assert truncnorm.cdf(-2, -np.inf, np.inf) == pytest.approx(schemes.CUT, abs=1e-15)
    assert truncnorm.stats(-2, 2, moments="k") + 3 == pytest.approx(TRUNCATED_KURTOSIS, abs=1e-4)


@pytest.mark.parametrize(("name", "value"), [("zeros", 0.0), ("constant:0.1", 0.1), ("constant:-2", -2.0)])
def test_constants(name, value):
    w, b = draw(name, layer())
    assert (w == value).all() and (b == 0).all()


@pytest.mark.parametrize("name", VARIANCE)
def test_same_stream_same_bits_and_other_stream_other_weights(name):
    here = ACTIVATION.get(name, "sigmoid")
    one, again, other = (draw(name, layer(seed, activation=here)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[1], again[1])
    if name in RANDOM:
        assert (one[0] != other[0]).mean() > 0.99 * min(1, 2 * (one[0] != 0).mean() * (1 - (one[0] != 0).mean() / 2))
        assert len(np.unique(one[0], axis=1)[0]) == OUT  # no two units alike


@pytest.mark.parametrize("name", VARIANCE)
def test_orientation_on_a_3_by_5_layer(name):
    w, b = draw(name, layer(fan_in=3, fan_out=5, activation=ACTIVATION.get(name, "sigmoid")))
    assert w.shape == (3, 5) and b.shape == (5,)


def test_biases_are_zero_but_for_some_schemes():
    for name in VARIANCE:
        _, b = draw(name, layer(activation=ACTIVATION.get(name, "sigmoid")))
        assert (b == 0).all() == (name.partition(":")[0] not in schemes.BIASES), name
    for name in ("edge_of_chaos:0.05", "mean_field:1.5/0.05"):
        _, b = draw(name, layer(fan_out=20_000, fan_in=2))
        assert b.var() == pytest.approx(0.05, rel=4 * sqrt(2 / b.size))


def test_last_layer_zero_empties_the_output_layer_alone():
    rng = np.random.default_rng
    output, hidden = Layer(IN, OUT, "relu", rng(0), is_output=True), Layer(IN, OUT, "relu", rng(0))
    w, b = draw("torch_default+last_layer_zero", output)
    assert w.shape == (IN, OUT) and not w.any() and b.shape == (OUT,) and not b.any()
    assert schemes.variances("torch_default+last_layer_zero", output) == (0, 0)
    np.testing.assert_array_equal(draw("he_normal+last_layer_zero", hidden)[0], draw("he_normal", layer(0))[0])


def test_mup_shrinks_the_output_layer():
    w, _ = draw("mup", Layer(IN, OUT, "relu", np.random.default_rng(0), is_output=True))
    assert w.var() == pytest.approx(1 / IN**2, rel=4 * sqrt(2 / w.size))


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9)])
def test_orthogonal_matrices(shape):
    w, _ = draw("orthogonal:1.5", layer(fan_in=shape[0], fan_out=shape[1]))
    product = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(product, 1.5**2 * np.eye(min(shape)), atol=1e-12)


def test_orthogonal_matrices_are_uniform():
    # Without the signs of R's diagonal the first entry of Q would never be positive.
    first = np.array([draw("orthogonal:1", layer(seed, 3, 3))[0][0, 0] for seed in range(2000)])
    assert abs(first.mean()) < 4 * first.std() / sqrt(len(first))
    assert first.var() == pytest.approx(1 / 3, rel=0.1)


def test_identity_and_zero_hadamard():
    np.testing.assert_array_equal(draw("identity", layer(fan_in=3, fan_out=5))[0], np.eye(3, 5))
    np.testing.assert_array_equal(draw("zero_hadamard", layer(fan_in=5, fan_out=3))[0], np.eye(5, 3))
    w, _ = draw("zero_hadamard", layer(fan_in=3, fan_out=6))  # k = 3
    signs = np.array([[1, 1, 1, 1, 1, 1], [1, -1, 1, -1, 1, -1], [1, 1, -1, -1, 1, 1]])
    np.testing.assert_allclose(w, signs / 2**1.5)


def test_sparse_schemes():
    w, _ = draw("martens_sparse:15", layer())
    assert ((w != 0).sum(axis=0) == 15).all() and len(set((w != 0).sum(axis=1))) > 1
    values = w[w != 0]
    assert values.var() == pytest.approx(1, rel=4 * sqrt(2 / values.size))
    w, _ = draw("torch_sparse:0.9", layer())
    theirs = torch.nn.init.sparse_(torch.empty(OUT, IN), 0.9, generator=torch.Generator().manual_seed(0))
    assert ((w == 0).sum(axis=1) == 450).all() and ((theirs == 0).sum(dim=0) == 450).all()
    values = w[w != 0]
    assert values.std() == pytest.approx(0.01, rel=4 * sqrt(1 / 2 / values.size))


@pytest.mark.parametrize(
    ("activation", "n", "gain"), [("relu", 50, 1.45032), ("relu", 3, 1.97370), ("identity", 50, 1.01005)]
)
def test_random_walk(activation, n, gain):
    normal = layer(5, fan_in=n).rng.standard_normal((n, OUT))
    w, _ = draw("random_walk", layer(5, fan_in=n, activation=activation))
    np.testing.assert_allclose(w, gain / sqrt(n) * normal, rtol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_moment_matching_keeps_the_variance_of_any_activation(activation):
    rng = np.random.default_rng(1)
    z = rng.standard_normal((200, 2000))
    w, _ = draw("moment_matched", Layer(2000, 300, activation, rng))
    variance = ((ACTIVATIONS[activation].phi(z) @ w) ** 2).mean()
    assert variance == pytest.approx(1, abs=0.08)


def test_torch_default_is_what_torch_does():
    w, b = draw("torch_default", layer())
    linear = torch.nn.Linear(IN, OUT)
    for ours, theirs in ((w, linear.weight), (b, linear.bias)):
        bound = 1 / sqrt(IN)
        assert np.abs(ours).max() <= bound and theirs.abs().max().item() <= bound
        n = ours.size
        assert ours.var() == pytest.approx(bound**2 / 3, rel=4 * sqrt(0.8 / n))
        assert theirs.var().item() == pytest.approx(bound**2 / 3, rel=4 * sqrt(0.8 / n))


@pytest.mark.parametrize(
    ("name", "fill"),
    [
        ("glorot_uniform", torch.nn.init.xavier_uniform_),
        ("glorot_normal", torch.nn.init.xavier_normal_),
        ("he_normal", lambda t, generator: torch.nn.init.kaiming_normal_(t, nonlinearity="relu", generator=generator)),
        (
            "he_uniform",
            lambda t, generator: torch.nn.init.kaiming_uniform_(t, nonlinearity="relu", generator=generator),
        ),
        (
            "he_fan_out",
            lambda t, generator: torch.nn.init.kaiming_normal_(
                t, mode="fan_out", nonlinearity="relu", generator=generator
            ),
        ),
        (
            "lecun_normal",
            lambda t, generator: torch.nn.init.kaiming_normal_(t, nonlinearity="linear", generator=generator),
        ),
    ],
)
def test_parity_with_torch(name, fill):
    theirs = torch.empty(OUT, IN)  # nn.Linear's layout
    fill(theirs, generator=torch.Generator().manual_seed(1))
    ours, _ = draw(name, layer())
    kurtosis = VARIANCE[name][1]
    assert ours.var() / theirs.var().item() == pytest.approx(1, abs=4 * sqrt(2 * (kurtosis - 1) / ours.size))
    theirs_kurtosis = (theirs.double() ** 4).mean().item() / theirs.double().var().item() ** 2
    assert theirs_kurtosis == pytest.approx(kurtosis, abs=6 * sqrt(24 / ours.size))


@pytest.mark.parametrize(("activation", "scale"), [("sigmoid", 12.8), ("tanh", 1.0), ("identity", 1.0)])
def test_kumars_formula(activation, scale):
    normal = layer(5).rng.standard_normal((IN, OUT))
    w, _ = draw("kumar", layer(5, activation=activation))
    np.testing.assert_allclose(w, sqrt(scale / IN) * normal, rtol=1e-12)


def test_kumar_refuses_a_kink_by_name():
    with pytest.raises(ValueError, match="ReLU has a kink there"):
        draw("kumar", layer(activation="relu"))


def test_normal_schemes_share_their_noise():
    he, glorot = draw("he_normal", layer(3))[0], draw("glorot_normal", layer(3))[0]
    np.testing.assert_allclose(he / glorot, sqrt(2 / IN) / sqrt(2 / (IN + OUT)), rtol=1e-12)


def test_a_new_initializer_is_an_entry_a_line_and_its_name_in_a_study(monkeypatch):
    from winit.study.compose import compose
    from winit.training.workload import train

    entry = schemes.Initializer("mine", "fixed", "normal", "0.25/fan_in", "a test", marker="8")
    monkeypatch.setitem(schemes.INITIALIZERS, "mine", entry)
    monkeypatch.setitem(schemes.SCHEMES, "mine", schemes.VarianceScaling(0.25, "fan_in", "normal"))
    study = compose(["study=smoke", "grid.initializer=[mine,he_normal]", "grid.depth=[2]", "training.steps=5"])
    workload = study.workloads[0]
    rows = [row for chunk in train(workload, workload.runs, torch.device("cpu")) for row in chunk]
    assert {row["initializer"] for row in rows} == {"mine", "he_normal"}
    assert schemes.label("mine") == "mine" and schemes.style("mine")["marker"] == "8"
