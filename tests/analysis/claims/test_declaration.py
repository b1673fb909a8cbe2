"""Conditions, outcomes, titles and rules of declared claims."""

from __future__ import annotations

import numpy as np
import pytest

from tests.analysis.claims.made_up import SYMMETRIC, contrast, declared, gain, trains
from winit.analysis.claims.declaration import Condition, Contrast


@pytest.mark.parametrize(
    ("word", "ends", "held", "not_held"),
    [
        ("at_least", (1.0,), [(1, 1), (1, 5), (2, np.inf)], [(0.9, 5), (0, 0.9)]),
        ("at_most", (1.0,), [(1, 1), (-5, 1), (-np.inf, 0)], [(0.9, 1.1), (1.1, 2)]),
        ("between", (-1.0, 1.0), [(-1, 1), (0, 0)], [(-1.1, 0), (0, 1.1), (2, 3), (-3, -2)]),
        ("outside", (-1.0, 1.0), [(-2, -1), (1, 2)], [(-2, -0.9), (0.9, 2), (0, 0), (-2, 2)]),
    ],
)
def test_a_condition_holds_for_a_whole_interval_and_its_own_ends(word, ends, held, not_held):
    condition = Condition(word, ends)
    assert all(condition.holds(*span) for span in held)
    assert not any(condition.holds(*span) for span in not_held)


def test_an_interval_across_a_threshold_decides_nothing():
    rule = Contrast("accuracy_gain", {}, Condition("at_least", (0.01,)), Condition("at_most", (0.01,)))
    assert rule.outcome(0.01, 0.09) == "supports" and rule.outcome(0.009, 0.09) == "undecided"
    assert rule.outcome(-0.09, 0.01) == "refutes" and rule.outcome(-0.2, 0.011) == "undecided"
    assert rule.outcome(0.01, 0.01) == "undecided" and rule.outcome(np.nan, np.nan) == "undecided"


def test_few_initializers_are_named_and_many_counted(tmp_path):
    names = ["he_normal", "he_uniform", "kumar"]
    what = "gain in test accuracy over pairs that both train"
    for n, title in ((2, "He normal or He uniform over Glorot normal"), (3, "3 initializers over Glorot normal")):
        assert declared(tmp_path, gain(*names[:n]))[0].contrast[0].title == f"{what}, {title}"
    pretrained = declared(tmp_path, gain("normal:0.01", pretraining="rbm"))[0].contrast[0]
    assert (
        pretrained.title
        == f"{what}, normal σ = 0.01 with pretraining over Glorot normal, trained for as many additional updates"
    )


def test_the_equality_of_pretraining_comparisons_is_stated(tmp_path):
    entry = contrast("pretraining_gain", {"at_least": 0}, {"at_most": 0}, pretraining="rbm", compared_at="equal time")
    title = declared(tmp_path, entry)[0].contrast[0].title
    assert title == "gain over the best random start, with pretraining, at equal time"


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, " at the full budget:"), ({"budget": "first"}, " at the shortest budget:"), ({"budget": "all"}, " at every budget:")],
)  # fmt: skip
def test_a_rule_states_its_budget(tmp_path, given, words):
    assert words in declared(tmp_path, trains("kumar", **given))[0].rule


def test_measures_of_layers_have_no_budget(tmp_path):
    claim = declared(tmp_path, SYMMETRIC)[0]
    assert claim.contrast[0].budget == "" and "budget" not in claim.rule
