"""Names of initializers: canonical spelling, the same look everywhere, and hints for misspelt names."""

from __future__ import annotations

import pytest

from winit import schemes
from winit.study import conf
from winit.study.compose import compose


def test_a_scheme_stands_under_its_own_name():
    assert all(name == scheme.name for name, scheme in schemes.SCHEMES.items())
    assert all(name == modifier.name for name, modifier in schemes.MODIFIERS.items())


@pytest.mark.parametrize("scheme", schemes.SCHEMES.values(), ids=lambda s: s.name)
def test_every_scheme_has_a_label_and_a_style_of_its_own(scheme):
    assert "{" not in schemes.label(scheme.example)
    others = [schemes.style(other.example) for other in schemes.SCHEMES.values() if other is not scheme]
    assert schemes.style(scheme.example) not in others


def test_small_and_large_normal_look_different():
    looks = [schemes.style(f"normal:{std}") for std in (0.01, 0.02, 0.05, 0.1, 0.5, 1)]
    assert all(looks.count(look) == 1 for look in looks)
    assert schemes.style("normal:0.010") == schemes.style("normal:0.01")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("normal:1e-2", "normal:0.01"),
        ("normal:0.010", "normal:0.01"),
        ("he_normal", "he_normal"),
        ("xavier_uniform", "glorot_uniform"),
        ("lsuv", "orthogonal:1+lsuv"),
        ("gradinit", "he_normal+gradinit"),
        ("kaiming_normal+last_layer_zero", "he_normal+last_layer_zero"),
        ("normal:1e+0+lsuv+last_layer_zero", "normal:1+last_layer_zero+lsuv"),
        ("mean_field:2/0", "mean_field:2/0"),
    ],
)
def test_canonical_spelling(text, canonical):
    assert schemes.canonical(text) == canonical


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "he_normall",
            "unknown initializer 'he_normall'; did you mean he_normal, normal or lecun_normal? `winit list initializers` lists all initializers",
        ),
        ("normal", "initializer 'normal' has 0 values; write it normal:<std>, for example normal:0.01"),
        ("he_normal+lsuw", "initializer 'he_normal+lsuw': unknown modifier 'lsuw'; did you mean 'lsuv'? choose from"),
        ("he_normal+lsuv+lsuv", "initializer 'he_normal+lsuv+lsuv' has lsuv twice; write it once"),
        (
            "last_layer_zero",
            "initializer 'last_layer_zero': last_layer_zero is a modifier and needs a scheme; write for example he_normal",
        ),
        ("mean_field:2/-1", "initializer 'mean_field:2/-1': bias_variance is '-1'; it must be a number of at least 0"),
        ("torch_sparse:2", "initializer 'torch_sparse:2': sparsity is '2'; it must be a number above 0, at most 1"),
        ("zeros:1", "initializer 'zeros:1' has 1 value; write it zeros"),
        ("normal:-1", "initializer 'normal:-1': std is '-1'; it must be a number above 0 and at most 1e30"),
        ("constant:nan", "initializer 'constant:nan': value is 'nan'; it must be a number of size at most 1e30"),
        ("constant:x", "initializer 'constant:x': value is 'x'; it must be a number of size at most 1e30"),
    ],
)
def test_a_bad_initializer_is_refused_with_a_sentence(text, sentence):
    with pytest.raises(
        ValueError, match="^" + sentence.replace("?", r"\?").replace("(", r"\(").replace(")", r"\)").replace("+", r"\+")
    ):
        schemes.parse(text)


def test_kumar_needs_a_slope_at_zero():
    assert schemes.why_not_applicable("kumar", "relu").startswith("Kumar's rule divides by φ′(0)²")
    assert schemes.why_not_applicable("kumar", "tanh") is None
    assert schemes.why_not_applicable("he_normal", "relu") is None


@pytest.mark.parametrize(
    ("initializer", "activation", "sentence"),
    [
        ("edge_of_chaos:0.05", "relu", "edge of chaos needs a critical point, and wide ReLU"),
        ("theano_glorot", "tanh", "4 × Glorot uniform is a rule for sigmoid only, and the activation is tanh"),
        ("zeros+lsuv", "tanh", "all weights are 0"),
        ("random_walk", "gelu", "random walk has rules for ReLU and identity only, not for GELU"),
    ],
)
def test_pairs_without_meaning_are_refused_with_a_sentence(initializer, activation, sentence):
    assert schemes.why_not_applicable(initializer, activation).startswith(sentence)


def test_aliases_name_schemes_and_nothing_else():
    assert {schemes.parse(alias).name for alias in schemes.ALIASES} <= set(schemes.SCHEMES)
    assert not set(schemes.ALIASES) & set(schemes.SCHEMES)
    assert schemes.label("kaiming_normal") == "He normal"


def test_order_is_that_of_the_schemes_and_then_the_parameters():
    assert schemes.in_order(["he_normal", "normal:1", "zeros", "normal:0.01"]) == [
        "zeros",
        "normal:0.01",
        "normal:1",
        "he_normal",
    ]
    assert schemes.in_order(["zeros+last_layer_zero", "he_normal"]) == ["he_normal", "zeros+last_layer_zero"]


def test_every_study_names_only_catalogued_things():
    for path in conf.files("study").values():
        compose([f"study={path.stem}"])
