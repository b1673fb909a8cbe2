"""Cards are correct: their code in torch, Keras and JAX draws the same weights as our schemes."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest
import torch

from winit import schemes
from winit.schemes import Layer, draw

CARDS = {card.name: card for card in schemes.catalogue()}
FAN_IN, FAN_OUT = 300, 500  # unequal, so that a confusion of fans shows


def ours(card: schemes.Card) -> tuple[np.ndarray, np.ndarray]:
    activation = card.activation or next(
        a for a in ("relu", "tanh", "sigmoid") if schemes.why_not_applicable(card.name, a) is None
    )
    return draw(card.name, Layer(FAN_IN, FAN_OUT, activation, np.random.default_rng(5)))


def kurtosis(values: np.ndarray) -> float:
    return float((values**4).mean() / np.square(values).mean() ** 2)


def assert_same_distribution(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Compare two samples: equal where nothing is random, else in mean, variance, fourth moment and share of zeros.

    Tolerances are five standard errors of the difference of two samples; fan_in for fan_out would be 67 % off in
    variance, an uncorrected truncation 23 %, and a uniform for a normal 1.2 in kurtosis.
    """
    theirs = np.asarray(theirs, dtype=float)
    assert ours.shape == theirs.shape
    if len(np.unique(ours)) <= 2:
        np.testing.assert_allclose(theirs, ours, atol=1e-7)
        return
    n, fourth = ours.size, kurtosis(ours)
    size = math.sqrt(np.square(ours).mean())
    assert abs(theirs.mean() - ours.mean()) < 5 * size * math.sqrt(2 / n)
    assert np.square(theirs).mean() / size**2 == pytest.approx(1, abs=5 * math.sqrt(2 * max(fourth - 1, 0.01) / n))
    if n > 10_000:
        assert kurtosis(theirs) == pytest.approx(fourth, rel=0.05)
        assert (theirs == 0).mean() == pytest.approx((ours == 0).mean(), abs=5e-3)


@pytest.mark.parametrize("card", [c for c in CARDS.values() if c.torch], ids=lambda c: c.name)
def test_parity_with_torch(card):
    layer = torch.nn.Linear(FAN_IN, FAN_OUT)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(7)
        with torch.no_grad():
            exec(card.torch, {"torch": torch, "math": math, "layer": layer})
    weights, biases = ours(card)
    assert_same_distribution(weights, layer.weight.detach().numpy().T)
    assert_same_distribution(biases, layer.bias.detach().numpy())


@pytest.mark.parametrize("card", [c for c in CARDS.values() if c.keras], ids=lambda c: c.name)
def test_parity_with_keras(card, monkeypatch):
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    initializer = eval(card.keras, {"keras": keras})
    if "seed" in initializer.get_config():
        initializer = type(initializer).from_config({**initializer.get_config(), "seed": 3})
    assert_same_distribution(ours(card)[0], initializer((FAN_IN, FAN_OUT)))


@pytest.mark.parametrize("card", [c for c in CARDS.values() if c.jax], ids=lambda c: c.name)
def test_parity_with_jax(card):
    jax = pytest.importorskip("jax")
    initializer = eval(card.jax, {"jax": jax})
    assert_same_distribution(ours(card)[0], initializer(jax.random.key(3), (FAN_IN, FAN_OUT)))


def test_there_is_a_card_for_every_scheme_and_modifier():
    parsed = [schemes.parse(name) for name in CARDS]
    assert {p.name for p in parsed} == set(schemes.SCHEMES)
    assert {m for p in parsed for m in p.modifiers} == set(schemes.MODIFIERS)


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda c: c.name)
def test_scaled_variance_is_that_of_the_weights(card):
    # A sparse matrix has few weights: 6,000 and 16,000 of them, standard errors 1.8 % and 1.1 %.
    n, tolerance = 400, 0.08 if "sparse" in card.name else 0.02
    activation = card.activation or "tanh"
    if card.name.partition(":")[0] in ("random_walk", "rai", "negative_mean"):
        return  # by design it is not proportional to 1/fan_in
    w, _ = draw(card.name, Layer(n, n, activation, np.random.default_rng(2)))
    fixed = card.name.partition(":")[0] in ("normal", "uniform", "constant", "torch_sparse")
    scaled = (schemes.SQUARE if fixed else n) * np.square(w).mean()
    assert scaled == pytest.approx(card.scaled_variance, rel=tolerance)


def test_kinds():
    kinds = {name: card.kind for name, card in CARDS.items()}
    assert kinds["he_normal"] == "random" and kinds["zero_hadamard"] == "deterministic"
    assert kinds["orthogonal:1+lsuv"] == "data-dependent" and CARDS["orthogonal:1+lsuv"].aliases == ("lsuv",)
    assert {name for name, kind in kinds.items() if kind == "deterministic"} == {
        "zeros", "constant:0.1", "identity", "zero_hadamard", "sinusoidal", "sinusoidal_nyquist",
    }  # fmt: skip


def test_cards_mention_biases_if_they_are_drawn():
    for name, card in CARDS.items():
        _, biases = ours(card)
        if card.kind != "data-dependent":
            assert (card.bias != "0") == biases.any(), name


def test_a_card_for_a_pair_without_meaning_is_refused():
    with pytest.raises(ValueError, match=r"^kumar with relu: Kumar's rule divides"):
        schemes.card("kumar", "relu")
    with pytest.raises(ValueError, match="unknown activation 'rellu'; did you mean 'relu'"):
        schemes.card("kumar", "rellu")


def test_the_verb_prints_it(capsys):
    from winit.cli import main

    with pytest.raises(SystemExit, match="0"):
        main(["card", "kaiming_normal"])
    text = capsys.readouterr().out
    assert "He, Zhang, Ren & Sun 2015" in text and "kaiming_normal_(layer.weight, nonlinearity='relu')" in text
    with pytest.raises(SystemExit, match="0"):
        main(["card", "kumar", "--activation", "sigmoid", "--json"])
    assert json.loads(capsys.readouterr().out)["scaled_variance"] == pytest.approx(12.8)


@pytest.mark.parametrize(
    ("name", "activation", "limit"),
    [
        ("mean_field:1.8/0.05", "tanh", "755 layers, with tanh"),
        ("mean_field:1/0", "tanh", "∞, with tanh"),
        ("he_normal", "relu", "none: q has no scale (homogeneous, no biases), with relu"),
        ("random_walk", "relu", "none: q grows without bound, with relu"),
        ("orthogonal:1", "tanh", ""),
        ("he_normal+lsuv", "tanh", ""),
    ],
)
def test_the_depth_limit_on_a_card(name, activation, limit):
    card = schemes.card(name, activation)
    assert card.depth_limit == limit
    assert (("depth limit, 6 ξ_c", limit) in schemes.lines(card)) == bool(limit)
