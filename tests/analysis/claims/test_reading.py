"""Claims are read from files, and every error gets one sentence."""

from __future__ import annotations

import pytest
import yaml

from tests.analysis.claims.made_up import (
    SYMMETRIC,
    TEXTS,
    arm,
    contrast,
    declared,
    tables,
)
from winit.analysis.claims.declaration import FIGURES
from winit.analysis.claims.judging import judge
from winit.analysis.claims.measures import MEASURES
from winit.analysis.claims.reading import read
from winit.study import conf


def test_the_shipped_claims_are_sound():
    shipped = read(conf.files("claims").values())
    assert len(shipped) == 19 and len({claim.id for claim in shipped}) == len(shipped)
    assert {contrast.measure for claim in shipped for contrast in claim.contrast} == set(MEASURES) - {"accuracy_gain"}
    both = judge(shipped, tables(arm("mup")))
    assert (both["claims"]["verdict"] == "not tested here").all() and both["claims_evidence"].empty
    for claim in shipped:
        assert claim.statement.endswith(".") and claim.measured.endswith(".") and claim.figure in FIGURES


def test_files_are_read_by_name_and_ids_are_taken_once(tmp_path):
    entry = {"id": "a", **TEXTS, "contrast": SYMMETRIC}
    (tmp_path / "2.yaml").write_text(yaml.safe_dump([entry | {"id": "z"}]))
    (tmp_path / "1.yaml").write_text(yaml.safe_dump([entry, entry | {"id": "b", "statement": "Folded\nover lines."}]))
    claims = read(sorted(tmp_path.glob("*.yaml")))
    assert [claim.id for claim in claims] == ["a", "b", "z"] and claims[1].statement == "Folded over lines."
    assert claims[0].contrast[0].parameters == {"initializer": ("zeros", "constant:0.1")}
    (tmp_path / "3.yaml").write_text(yaml.safe_dump([entry]))
    with pytest.raises(
        ValueError, match=r"3\.yaml, claim 1: id: got a, which another claim already has; use another id"
    ):
        read(sorted(tmp_path.glob("*.yaml")))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("so: true", 'c.yaml: got {"so": true}; allowed is a list of claims'),
        ("", "c.yaml: got null; allowed is a list of claims"),
        ("- just words", 'c.yaml, claim 1: got "just words"; it needs a mapping with the keys id, statement'),
    ],
)
def test_files_that_are_no_claims(tmp_path, text, sentence):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ValueError) as error:
        read(sorted(tmp_path.glob("*.yaml")))
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("claim", "within", "sentence"),
    [
        ({"id": None}, {}, "claim 1: id: nothing given; it needs lower-case letters, digits and '-'"),
        ({"id": "So it is"}, {}, "claim 1: id: got \"So it is\"; allowed is lower-case letters, digits and '-'"),
        ({"statment": "x"}, {}, "claim 1: unknown key 'statment'; did you mean 'statement'? choose from id, "),
        ({"statement": None}, {}, "claim so: statement: nothing given; it needs a sentence"),
        ({"source": 3}, {}, "claim so: source: got 3; allowed is the source of the claim"),
        ({"correction": " "}, {}, 'claim so: correction: got " "; allowed is a sentence'),
        ({"figure": "signal"}, {}, "claim so: figure: unknown figure 'signal'; did you mean 'signals'? choose from "),
        ({"contrast": None}, {}, "claim so: contrast: nothing given; it needs a mapping with a measure, supported_if and refuted_if"),
        ({"contrast": [SYMMETRIC, 5]}, {}, "claim so: contrast 2: got 5; it needs a mapping with a measure"),
        ({}, {"measure": None}, "claim so: contrast.measure: nothing given; it needs one of distinct_units, "),
        ({}, {"measure": "distinct_unit"}, "claim so: contrast.measure: unknown measure 'distinct_unit'; did you mean 'distinct_units'?"),
        ({}, {"layers": 3}, "claim so: contrast: unknown key 'layers'; choose from measure, supported_if, "),
        ({}, {"compared_with": ["zeros"]}, "claim so: contrast: the measure distinct_units has no parameter compared_with; it has "),
        ({}, {"initializer": None}, "claim so: contrast.initializer: nothing given; it needs a list of initializers"),
        ({}, {"initializer": []}, "claim so: contrast.initializer: nothing given; it needs a list of initializers"),
        ({}, {"initializer": ["zero"]}, "claim so: contrast.initializer: unknown initializer 'zero'; did you mean zeros"),
        ({}, {"initializer": ["zeros", "zeros"]}, 'claim so: contrast.initializer: got ["zeros", "zeros"], which lists zeros twice'),
        ({}, {"activation": ["tan"]}, "claim so: contrast.activation: unknown activation 'tan'; did you mean 'tanh'?"),
        ({}, {"dataset": "digit"}, "claim so: contrast.dataset: unknown dataset 'digit'; did you mean 'digits'?"),
        ({}, {"depth": 0}, "claim so: contrast.depth: got 0; allowed is all, a whole number (at least that many layers), or"),
        ({}, {"depth": "deep"}, 'claim so: contrast.depth: got "deep"; allowed is all, a whole number (at least that many layers), or'),
        ({}, {"depth": [5, 0]}, "claim so: contrast.depth: got [5, 0]; allowed is all, a whole number"),
        ({}, {"depth": [5, 5]}, "claim so: contrast.depth: got [5, 5]; allowed is all, a whole number"),
        ({}, {"budget": "first"}, "claim so: contrast: the measure distinct_units has no parameter budget; it has dataset, "),
        ({}, {"measure": "success", "budget": 500}, "claim so: contrast.budget: unknown budget '500'; choose from first, last, all"),
        ({}, {"measure": "pretraining_gain", "initializer": ["zeros"], "pretraining": ["rbm"], "compared_at": "equal update"},
         "claim so: contrast.compared_at: unknown comparison 'equal update'; did you mean 'equal updates'?"),
        ({}, {"measure": "pretraining_gain", "pretraining": ["rbm"]}, "claim so: contrast.compared_at: nothing given; it needs one of "),
        ({}, {"dropout": 1}, "claim so: contrast.dropout: got 1; allowed is a number from 0 to below 1"),
        ({}, {"supported_if": None}, "claim so: contrast.supported_if: nothing given; it needs a mapping with one of at_least, "),
        ({}, {"supported_if": 1}, "claim so: contrast.supported_if: got 1; it needs a mapping with one of at_least, "),
        ({}, {"refuted_if": {"above": 1}}, "claim so: contrast.refuted_if: unknown key 'above'; choose from at_least, "),
        ({}, {"refuted_if": {"at_least": 1, "at_most": 3}}, "claim so: contrast.refuted_if: got at_least and at_most; allowed is one of "),
        ({}, {"refuted_if": {"at_least": "many"}}, 'claim so: contrast.refuted_if.at_least: got "many"; allowed is a number'),
        ({}, {"refuted_if": {"at_least": True}}, "claim so: contrast.refuted_if.at_least: got true; allowed is a number"),
        ({}, {"refuted_if": {"at_least": float("nan")}}, "claim so: contrast.refuted_if.at_least: got NaN; allowed is a number"),
        ({}, {"refuted_if": {"at_least": [1, 2]}}, "claim so: contrast.refuted_if.at_least: got [1, 2]; allowed is a number"),
        ({}, {"refuted_if": {"outside": 3}}, "claim so: contrast.refuted_if.outside: got 3; allowed is two numbers [a, b]"),
        ({}, {"refuted_if": {"outside": [3, 1]}}, "claim so: contrast.refuted_if.outside: got [3, 1]; allowed is two numbers [a, b]"),
        ({}, {"refuted_if": {"at_least": 0}}, "claim so: contrast: supported_if at most 1 and refuted_if at least 0 overlap; "),
        ({}, {"refuted_if": {"outside": [0, 3]}}, "claim so: contrast: supported_if at most 1 and refuted_if at most 0 or at least 3 overlap"),
    ],
)  # fmt: skip
def test_mistakes_get_one_sentence(tmp_path, claim, within, sentence):
    entry = {"id": "so", **TEXTS, "contrast": SYMMETRIC | within} | claim
    (tmp_path / "c.yaml").write_text(yaml.safe_dump([entry]))
    with pytest.raises(ValueError) as error:
        read(sorted(tmp_path.glob("*.yaml")))
    assert str(error.value).startswith(f"c.yaml, {sentence}") and "\n" not in str(error.value)


def test_the_least_that_is_allowed(tmp_path):
    least = declared(tmp_path, SYMMETRIC | {"depth": 1, "dropout": 0})[0].contrast[0].parameters
    assert least["depth"] == 1 and least["dropout"] == 0


def test_conditions_may_share_an_end_but_no_more(tmp_path):
    rule = declared(tmp_path, contrast("success", {"between": [0, 1]}, {"outside": [0, 1]}, initializer="kumar"))[
        0
    ].contrast[0]
    assert rule.outcome(0.0, 1.0) == "supports" and rule.outcome(0.0, 0.0) == "undecided"


@pytest.mark.parametrize("content", [b"[", b"\xff\xfe", b"- id: a\n  id: b\n"])
def test_a_claims_file_that_is_no_yaml_is_named(tmp_path, content):
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"^cannot read .*c\.yaml as YAML: .+") as error:
        read(sorted(tmp_path.glob("*.yaml")))
    assert "\n" not in str(error.value)
