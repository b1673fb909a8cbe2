"""Every scheme against its definition: one parametrised body, tolerances from the sample size."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
import torch

from winit import catalog, initializers
from winit.initializers import Layer, draw

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
}


def layer(seed: int = 0, fan_in: int = IN, fan_out: int = OUT, activation: str = "sigmoid") -> Layer:
    return Layer(fan_in, fan_out, activation, np.random.default_rng(seed))


def test_the_table_covers_the_catalogue():
    assert {name.partition(":")[0] for name in VARIANCE} == set(catalog.INITIALIZERS) - {"zeros", "constant"}


@pytest.mark.parametrize("name", VARIANCE)
def test_mean_variance_and_distribution(name):
    variance, kurtosis = VARIANCE[name]
    w, _ = draw(name, layer())
    n = w.size
    assert w.shape == (IN, OUT) and w.dtype == np.float64
    assert abs(w.mean()) < 4 * sqrt(variance / n)
    # Var(s²) = σ⁴ (κ − 1) / n. Four standard errors are 1.5 % here; fan_in for fan_out would be 67 % off, and a
    # truncated normal whose σ was not corrected 23 %.
    assert abs(w.var() / variance - 1) < 4 * sqrt((kurtosis - 1) / n)
    # The kurtosis tells the three distributions apart; its standard error is below √(24/n) = 0.013 for the normal.
    assert abs((w**4).mean() / w.var() ** 2 - kurtosis) < 6 * sqrt(24 / n)


@pytest.mark.parametrize("name", [n for n in VARIANCE if VARIANCE[n][1] == 1.8])
def test_uniform_stays_within_its_bound_and_fills_it(name):
    bound = sqrt(3 * VARIANCE[name][0])
    w, _ = draw(name, layer())
    assert np.abs(w).max() <= bound
    assert np.abs(w).max() > bound * (1 - 1e-3)


@pytest.mark.parametrize("name", [n for n in VARIANCE if "truncated" in n])
def test_truncated_is_cut_at_two_sigma_of_the_parent(name):
    bound = 2 * sqrt(VARIANCE[name][0]) / initializers.TRUNCATED_STD
    w, _ = draw(name, layer())
    assert bound * 0.99 < np.abs(w).max() <= bound


def test_constants_of_the_truncated_normal():
    from scipy.stats import truncnorm

    assert truncnorm.std(-2, 2) == pytest.approx(initializers.TRUNCATED_STD, abs=1e-12)
    assert truncnorm.cdf(-2, -np.inf, np.inf) == pytest.approx(initializers.CUT, abs=1e-15)
    assert truncnorm.stats(-2, 2, moments="k") + 3 == pytest.approx(TRUNCATED_KURTOSIS, abs=1e-4)


@pytest.mark.parametrize(("name", "value"), [("zeros", 0.0), ("constant:0.1", 0.1), ("constant:-2", -2.0)])
def test_constants(name, value):
    w, b = draw(name, layer())
    assert (w == value).all() and (b == 0).all()


@pytest.mark.parametrize("name", [*VARIANCE, "zeros", "constant:0.1"])
def test_same_stream_same_bits_and_other_stream_other_weights(name):
    one, again, other = (draw(name, layer(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[1], again[1])
    if name in VARIANCE:
        assert (one[0] != other[0]).mean() > 0.99
        assert len(np.unique(one[0], axis=1)[0]) == OUT  # no two units alike


@pytest.mark.parametrize("name", VARIANCE)
def test_orientation_on_a_3_by_5_layer(name):
    w, b = draw(name, layer(fan_in=3, fan_out=5))
    assert w.shape == (3, 5) and b.shape == (5,)


def test_biases_are_zero_but_for_torchs_default():
    for name in VARIANCE:
        _, b = draw(name, layer())
        assert (b == 0).all() == (name != "torch_default"), name


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
