"""Every scheme against its definition: one parametrised body, tolerances from the sample size."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from math import exp, sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from tests.runs import runs_of
from winit import schemes
from winit.schemes import Layer, MatrixScheme, draw
from winit.theory.activations import ACTIVATIONS

ROOT = Path(__file__).resolve().parents[2]
IN, OUT = 300, 500  # unequal, so that a confusion of fans shows

TRUNCATED_KURTOSIS = 2.36544  # ∫_{-2}^{2} x⁴φ / (∫_{-2}^{2} x²φ)² · (2Φ(2) − 1), checked below


class Case(NamedTuple):
    """What a scheme draws on a layer of `IN` inputs and `OUT` units.

    `variance` is E w², `kurtosis` E w⁴/(E w²)²: 3 normal, 1.8 uniform, None where nothing is random. `mean` is E w.
    `bias_variance` is E b², whether biases depend on the weights or not.
    """

    variance: float
    kurtosis: float | None
    activation: str = "sigmoid"
    bias_variance: float = 0.0
    mean: float = 0.0


# RAI: E w, E w² and E w⁴ of entries of which one in IN + 1 is Beta(2, 1), with moments 2/(k + 2), and others N(0, s²).
RAI = [(2 / (k + 2) + IN * normal * (0.6007 / sqrt(IN)) ** k) / (IN + 1) for k, normal in ((1, 0), (2, 1), (4, 3))]

# One row for every scheme. To test a new one, add its row.
CASES = {
    "normal:0.01": Case(1e-4, 3.0),
    "normal:1": Case(1.0, 3.0),
    "uniform:0.05": Case(0.05**2 / 3, 1.8),
    "lecun_normal": Case(1 / IN, 3.0),
    "lecun_truncated_normal": Case(1 / IN, TRUNCATED_KURTOSIS),
    "lecun_uniform": Case(1 / IN, 1.8),
    "glorot_normal": Case(2 / (IN + OUT), 3.0),
    "glorot_truncated_normal": Case(2 / (IN + OUT), TRUNCATED_KURTOSIS),
    "glorot_uniform": Case(2 / (IN + OUT), 1.8),
    "he_normal": Case(2 / IN, 3.0),
    "he_truncated_normal": Case(2 / IN, TRUNCATED_KURTOSIS),
    "he_uniform": Case(2 / IN, 1.8),
    "he_fan_avg": Case(4 / (IN + OUT), 3.0),
    "he_fan_out": Case(2 / OUT, 3.0),
    "kumar": Case(12.8 / IN, 3.0),  # sigmoid: 1 / ((1/4)² (1 + 1/4))
    "torch_default": Case(1 / (3 * IN), 1.8, bias_variance=1 / (3 * IN)),
    "sklearn_default": Case(2 / (IN + OUT) / 3, 1.8, bias_variance=2 / (IN + OUT) / 3),  # sigmoid
    "theano_glorot": Case(32 / (IN + OUT), 1.8),
    "mup": Case(1 / IN, 3.0),
    "variance:1.5": Case(1.5 / IN, 3.0),
    "mean_field:1.5/0.05": Case(1.5 / IN, 3.0, bias_variance=0.05),
    "moment_matched": Case(3.4086 / IN, 3.0),  # sigmoid: E φ² = 0.29338
    "moment_matched_backward": Case(22.303 / OUT, 3.0),  # sigmoid: E φ′² = 0.044837
    "edge_of_chaos:0.05": Case(103.1 / IN, 3.0, bias_variance=0.05),  # sigmoid
    "random_walk": Case((2**0.5 * exp(1.2 / (IN - 2.4))) ** 2 / IN, 3.0, activation="relu"),  # relu
    "gpn": Case(22.303 / IN, 3.0, bias_variance=2.181044**2),  # sigmoid: a² = 1/E φ′², b
    "gpn_orthogonal": Case(22.303 / IN, 3.0, bias_variance=2.181044**2),
    "dks:1.5": Case(3.174674 / IN, 3.0, "tanh", bias_variance=0.879148**2 + 0.604956**2 * 3.174674),  # 3 layers
    "tat:0.3": Case(2.329591 / IN, 3.0, "softplus", bias_variance=0.612087**2 + 1.007896**2 * 2.329591),
    "scaled_ws": Case(4.801313**2 / IN, 3.0),  # sigmoid: γ = 1/√Var φ
    "orthogonal:1": Case(1 / OUT, 3.0),
    "spectral": Case(1 / IN, 3.0),
    "looks_linear": Case(2 / OUT, 3.0, activation="relu"),
    "tanh_fixed_point:0.085": Case(
        1 / IN + 0.085**2 / IN, (1 + 6 * 0.085**2 / IN + 3 * 0.085**4 / IN) * IN, "tanh", mean=1 / IN
    ),
    "rai": Case(RAI[1], RAI[2] / RAI[1] ** 2, "relu", bias_variance=RAI[1], mean=RAI[0]),
    "negative_mean:8/0.1": Case(
        0.01 + (8 / IN) ** 2,
        (3e-4 + 6 * 0.01 * (8 / IN) ** 2 + (8 / IN) ** 4) / (0.01 + (8 / IN) ** 2) ** 2,
        mean=-8 / IN,
    ),
    "martens_sparse:15": Case(15 / IN, 3.0 * IN / 15),
    "torch_sparse:0.9": Case(1e-5, 30.0),
    # Nothing is random: E w² is exact.
    "zeros": Case(0.0, None),
    "constant:0.1": Case(0.01, None),
    "identity": Case(1 / OUT, None),
    "zero_hadamard": Case(1 / 512, None),
    "sinusoidal": Case(2 / (IN + OUT), None),  # but for a mean of order 1/(IN · OUT)
    "sinusoidal_nyquist": Case(2 / (IN + OUT), None),
}
RANDOM = [name for name, case in CASES.items() if case.kurtosis]


def layer(seed: int = 0, fan_in: int = IN, fan_out: int = OUT, activation: str = "sigmoid") -> Layer:
    return Layer(fan_in, fan_out, activation, np.random.default_rng(seed))


def test_the_table_covers_the_catalogue():
    assert {schemes.parse(name).name for name in CASES} == set(schemes.SCHEMES)


@pytest.mark.parametrize("name", CASES)
def test_mean_variance_and_distribution(name):
    variance, kurtosis, activation, _, mean = CASES[name]
    here = layer(activation=activation)
    expected = schemes.statistics(name, here)
    w, _ = draw(name, here)
    n = w.size
    assert w.shape == (IN, OUT) and w.dtype == np.float64
    assert expected is None or expected.weight_variance == pytest.approx(variance, rel=1e-3)
    if kurtosis is None:
        assert np.square(w).mean() == pytest.approx(variance, rel=1e-5)
        return
    assert abs(w.mean() - mean) < 4 * sqrt(variance / n)
    # Var(s²) = σ⁴ (κ − 1) / n. Four standard errors are 1.5 % here, 8 % for sparse weights; fan_in for fan_out would be
    # 67 % off, and a truncated normal whose σ was not corrected 23 %.
    assert abs(np.square(w).mean() / variance - 1) < 4 * sqrt((kurtosis - 1) / n)
    # The kurtosis tells the distributions apart. Its standard error is below √(24/n) = 0.013 for the normal, of which 3 is
    # kept in proportion for sparse weights, as one in so many of them is normal.
    error = sqrt(24 / n) * (kurtosis / 3 if kurtosis > 3 else 1) ** 1.5
    assert abs((w**4).mean() / np.square(w).mean() ** 2 - kurtosis) < 6 * error


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n].kurtosis == 1.8])
def test_uniform_stays_within_its_bound_and_fills_it(name):
    bound = sqrt(3 * CASES[name].variance)
    w, _ = draw(name, layer())
    assert np.abs(w).max() <= bound
    assert np.abs(w).max() > bound * (1 - 1e-3)


@pytest.mark.parametrize("name", [n for n in CASES if "truncated" in n])
def test_truncated_is_cut_at_two_sigma_of_the_parent(name):
    bound = 2 * sqrt(CASES[name].variance) / schemes.TRUNCATED_STD
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


@pytest.mark.parametrize("name", CASES)
def test_same_stream_same_bits_and_other_stream_other_weights(name):
    activation = CASES[name].activation
    one, again, other = (draw(name, layer(seed, activation=activation)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[1], again[1])
    if name in RANDOM:
        assert (one[0] != other[0]).mean() > 0.99 * min(1, 2 * (one[0] != 0).mean() * (1 - (one[0] != 0).mean() / 2))
        assert len(np.unique(one[0], axis=1)[0]) == OUT  # no two units alike


@pytest.mark.parametrize("name", CASES)
def test_orientation_on_a_3_by_5_layer(name):
    w, b = draw(name, layer(fan_in=3, fan_out=5, activation=CASES[name].activation))
    assert w.shape == (3, 5) and b.shape == (5,)


@pytest.mark.parametrize("name", CASES)
def test_biases_have_the_stated_variance(name):
    case, units = CASES[name], 20_000
    fan_in = IN if case.bias_variance < 0.01 else 2  # a small layer where the fans do not matter
    if not case.bias_variance:
        assert not draw(name, layer(activation=case.activation))[1].any()
        assert schemes.SCHEMES[schemes.parse(name).name].bias == "0"
        return
    here = layer(fan_in=fan_in, fan_out=units if fan_in == 2 else OUT, activation=case.activation)
    _, b = draw(name, here)
    assert np.square(b).mean() == pytest.approx(case.bias_variance, rel=4 * sqrt(max(case.kurtosis - 1, 2) / b.size))
    if known := schemes.statistics(name, here):
        of_weights = known.shift**2 * here.fan_in * known.weight_variance
        assert known.bias_variance + known.bias_mean**2 + of_weights == pytest.approx(case.bias_variance, rel=1e-4)
    assert schemes.SCHEMES[schemes.parse(name).name].bias != "0"


def test_a_layer_knows_its_place():
    first, hidden, last = (Layer(4, 4, "relu", index=i, depth=2) for i in (1, 2, 3))
    assert [x.is_first for x in (first, hidden, last)] == [True, False, False]
    assert [x.is_last for x in (first, hidden, last)] == [False, False, True]
    assert not Layer(4, 4, "relu").is_first and not Layer(4, 4, "relu").is_last


def test_last_layer_zero_sets_only_the_output_layer_to_0():
    rng = np.random.default_rng
    output, hidden = Layer(IN, OUT, "relu", rng(0), index=4, depth=3), Layer(IN, OUT, "relu", rng(0))
    w, b = draw("torch_default+last_layer_zero", output)
    assert w.shape == (IN, OUT) and not w.any() and b.shape == (OUT,) and not b.any()
    assert schemes.statistics("torch_default+last_layer_zero", output) == (0, 0, 0, 0)
    np.testing.assert_array_equal(draw("he_normal+last_layer_zero", hidden)[0], draw("he_normal", layer(0))[0])


def test_mup_shrinks_the_output_layer():
    w, _ = draw("mup", Layer(IN, OUT, "relu", np.random.default_rng(0), index=4, depth=3))
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
    kurtosis = CASES[name].kurtosis
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


@dataclass(frozen=True, kw_only=True)
class Centred(MatrixScheme):
    """A scheme whose biases depend on the drawn weights: the pre-activations of an input of ones are 0."""

    def draw(self, layer: Layer, **parameters: float):
        weights = self.fill(layer, **parameters)
        return weights, -weights.sum(axis=0)


def test_a_new_scheme_is_one_object(monkeypatch, tiny):
    """Registered under its name, it has a label, a style, an order and a card, and it is drawn, calibrated and trained."""
    from winit.training.workload import train

    centred = Centred(
        name="mine",
        label="centred × {gain}",
        family="structured",
        distribution="normal",
        variance="g²/fan_in",
        source="a test",
        bias="−Wᵀ1",
        parameters=(schemes.Parameter("gain", "g", low=0.0),),
        needs=lambda activation: (
            None if activation.name == "tanh" else f"mine is made for tanh, not {activation.label}"
        ),
        fill=lambda layer, gain: gain * layer.stream.standard_normal(layer.shape) / sqrt(layer.fan_in),
        torch="fill(layer, {gain})",
    )
    monkeypatch.setitem(schemes.SCHEMES, "mine", centred)
    w, b = draw("mine:1.5", layer(activation="tanh"))
    np.testing.assert_allclose(np.ones(IN) @ w + b, 0, atol=1e-12)
    assert schemes.label("mine:1.50+lsuv") == "centred × 1.5 + LSUV"
    assert schemes.in_order(["mine:1", "zeros"]) == ["zeros", "mine:1"]
    assert schemes.style("mine:1")["color"] == schemes.style("identity")["color"]
    card = schemes.card("mine:1", "tanh")
    assert card.torch == "fill(layer, 1)" and card.bias == "−Wᵀ1" and card.scaled_variance == pytest.approx(1, rel=0.05)
    with pytest.raises(ValueError, match="mine is made for tanh, not ReLU"):
        draw("mine:1", layer(activation="relu"))
    study = tiny("grid.initializer=[mine:1,mine:1+lsuv,he_normal]", "grid.activation=[tanh]", "training.steps=5")
    (workload,) = study.workloads
    rows = [row for chunk in train(workload, runs_of(workload), torch.device("cpu")) for row in chunk]
    assert {row["initializer"] for row in rows} == {"mine:1", "mine:1+lsuv", "he_normal"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git apply is needed")
def test_contributing_shows_how_to_add_a_scheme(tmp_path):
    """The diff that CONTRIBUTING prints applies, and the scheme that it adds passes its row of the table."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (diff,) = re.findall(r"```diff\n(.*?)```", text, re.DOTALL)
    for name in ("winit", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "apply", "-"], input=diff, text=True, cwd=tmp_path, check=True)
    added = re.search(r'^\+ +name="(\w+)"', diff, re.MULTILINE).group(1)
    code = f"""
from tests.schemes.test_scheme import CASES, test_mean_variance_and_distribution
from winit import schemes
test_mean_variance_and_distribution({added!r})
print(schemes.card({added!r}).torch)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": ""}
    )
    assert done.returncode == 0, done.stderr
    assert "torch.nn.init" in done.stdout
