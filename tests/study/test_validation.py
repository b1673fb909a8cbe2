"""Validation: every error gets one clear sentence."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from winit.study.compose import compose, validate
from winit.study.keys import KEYS, SECTIONS
from winit.study.reference import json_schema


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ("grid.dept=[2]", "unknown key 'grid.dept'; did you mean grid.depth, "),
        ("+grid.foo=1", "unknown key 'grid.foo'"),
        ("+study.extra=1", "unknown key 'study.extra'"),
        ("grid=3", "grid: got 3; set its keys one by one: grid.dataset="),
        (
            "study=smok",
            "study: unknown study 'smok'; did you mean 'smoke'? choose from deep_autoencoder, default, full, phase_diagram, quick, smoke",
        ),
        (
            "study=[smoke,default]",
            "study: got study=[smoke,default]; it takes one of deep_autoencoder, default, full, phase_diagram, quick, smoke",
        ),
        (
            "dataset=mnits",
            "dataset: unknown dataset 'mnits'; did you mean 'mnist'? choose from digits, mnist, mnist5k, shapeset, spirals",
        ),
        (
            "dataset=[]",
            "dataset: nothing given; it needs a mapping from digits, spirals, shapeset, mnist5k, mnist to their settings",
        ),
        ("grid.depth=[0]", "grid.depth: got 0; allowed is a whole number from 1 to 1000"),
        ("grid.depth=[2,x]", 'grid.depth: got "x"; allowed is a whole number from 1 to 1000'),
        ("grid.depth=[2.5]", "grid.depth: got 2.5; allowed is a whole number from 1 to 1000"),
        ("grid.depth=[2,2]", "grid.depth: got [2, 2], which lists 2 twice; list it once"),
        ("grid.width=[true]", "grid.width: got true; allowed is a whole number from 1 to 100000"),
        ("grid.learning_rate=[-0.1]", "grid.learning_rate: got -0.1; allowed is a number from 1e-30 to 1e+30"),
        ("grid.learning_rate=[0]", "grid.learning_rate: got 0; allowed is a number from 1e-30 to 1e+30"),
        ("grid.learning_rate=[inf]", "grid.learning_rate: got Infinity; allowed is a number from 1e-30 to 1e+30"),
        ("grid.replicates=0", "grid.replicates: got 0; allowed is a whole number from 1 to 10000"),
        ("grid.initializer=[]", "grid.initializer: got an empty list []; it needs at least one value"),
        ("grid.initializer=null", "grid.initializer: nothing given; it needs an initializer"),
        (
            "grid.initializer=[he_normall]",
            "grid.initializer: unknown initializer 'he_normall'; did you mean he_normal, normal or lecun_normal?",
        ),
        ("grid.initializer=[normal]", "grid.initializer: initializer 'normal' has 0 values; write it normal:<std>"),
        ("grid.activation=[rely]", "grid.activation: unknown activation 'rely'; did you mean 'relu'?"),
        ("training.optimizer=sdg", "training.optimizer: unknown optimizer 'sdg'; did you mean 'sgd'?"),
        (
            "training.batch_size=5000",
            "training.batch_size: got 5000, but digits has 1078 training examples; allowed is at most 1078",
        ),
        ("measure.probe_examples=1079", "measure.probe_examples: got 1079, but digits has 1078 training examples"),
        ("training.steps=1.5", "training.steps: got 1.5; allowed is a whole number from 1 to 100000000"),
        ("device=gpu", "device: unknown device 'gpu'; did you mean 'cpu'? choose from auto, cpu, cuda"),
        ("name=a/b", 'name: got "a/b"; allowed is letters, digits'),
        ("name=store", "name: got store, but results/store/ is the folder of the run store; use another name"),
        ("grid.learning_rate=[1e-60]", "grid.learning_rate: got 1e-60; allowed is a number from 1e-30 to 1e+30"),
        ("grid.learning_rate=[1e300]", "grid.learning_rate: got 1e+300; allowed is a number from 1e-30 to 1e+30"),
        ("training.momentum=1", "training.momentum: got 1; allowed is a number from 0 to 0.9999"),
        ("training.weight_decay=-1", "training.weight_decay: got -1; allowed is a number from 0 to 1e+06"),
        ("training.schedule=cosin", "training.schedule: unknown schedule 'cosin'; did you mean 'cosine'?"),
        ("training.warmup=200", "training.warmup: got 200 of 200 steps; allowed is less than training.steps"),
        ("grid.batch_norm=[1]", "grid.batch_norm: got 1; allowed is true or false"),
        ("grid.dropout=[1]", "grid.dropout: got 1; allowed is a number from 0 to below 1"),
        ("measure.trace_points=-1", "measure.trace_points: got -1; allowed is a whole number from 0 to"),
        ("name=..", 'name: got ".."; allowed is letters, digits'),
        ("seed=-1", "seed: got -1; allowed is a whole number from 0 to"),
        ("dataset.spirals.turns=2", "dataset.spirals: the study has no dataset spirals; add dataset=spirals"),
        ("dataset.digits.turns=2", "unknown key 'dataset.digits.turns'"),
        ("grid.depth", "cannot read 'grid.depth'; write key=value, and quote lists"),
        ("grid.depth=2,3", "cannot sweep with 'grid.depth=2,3'; give a list instead: grid.depth=[…]"),
        ("~device", "cannot delete with '~device'"),
        ("device=${nope}", "cannot compose the study from"),
    ],
)
def test_bad_input_gets_one_clear_line(overrides, sentence):
    with pytest.raises(ValueError) as caught:
        compose(["study=smoke", overrides])
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["grid.pretraining=[rbn]"], "grid.pretraining: unknown pretraining 'rbn'; did you mean 'rbm'?"),
        (
            ["grid.pretraining=[rbm+shufled]"],
            "grid.pretraining: pretraining 'rbm+shufled': unknown control of rbm 'shufled'",
        ),
        (["grid.pretraining=[none+moments]"], "grid.pretraining: pretraining 'none+moments': unknown control of none"),
        (
            ["grid.pretraining=[none,rbm]", "grid.activation=[relu]"],
            "grid.pretraining: rbm fits none of the activations: the hidden units of an RBM must be binary (sigmoid) or linear "
            "(identity), not ReLU",
        ),
        (
            ["grid.pretraining=[autoencoder]", "pretraining.loss=cross_entropy"],
            "pretraining.loss: got cross_entropy, but inputs are standardized; allowed is squared_error, or data.scaling=unit",
        ),
        (
            [
                "grid.pretraining=[autoencoder]",
                "pretraining.loss=cross_entropy",
                "data.scaling=unit",
                "grid.activation=[tanh]",
            ],
            "pretraining.loss: got cross_entropy, but codes of tanh can leave [0, 1]; allowed is squared_error",
        ),
        (
            ["grid.pretraining=[rbm]", "pretraining.rbm.visible=binary"],
            "pretraining.rbm.visible: got binary, but inputs are standardized; allowed is gaussian, or data.scaling=unit",
        ),
        (
            ["grid.pretraining=[autoencoder]", "pretraining.layers=3"],
            "pretraining.layers: got 3, but grid.depth has networks of 2 hidden layers; allowed is at most 2, or all",
        ),
        (
            ["measure.budgets=[50]", "training.schedule=cosine"],
            "measure.budgets: got [50] with schedule cosine, but shorter budgets need a constant learning "
            "rate; allowed is [], or training.schedule=constant without warm-up",
        ),
        (
            ["measure.budgets=[50]", "training.warmup=5"],
            "measure.budgets: got [50] with warmup 5, but shorter budgets",
        ),
        (
            ["measure.budgets=[50,200]"],
            "measure.budgets: got [50, 200] with training.steps=200; allowed are different numbers below training.steps",
        ),
        (["measure.budgets=[50,50]"], "measure.budgets: got [50, 50]"),
        (["measure.budgets=[0]"], "measure.budgets: got 0; allowed is a whole number from 1 to 100000000"),
        (
            ["grid.learning_rate=[1,1e20]", "grid.extensions=1"],
            "grid.extensions: got 1, which could bring the learning rate to 1e+40; allowed are rates from 1e-30 to 1e+30",
        ),
        (
            ["grid.learning_rate=[1e-29,1]", "grid.extensions=2"],
            "grid.extensions: got 2, which could bring the learning rate to 1e-87; allowed are rates from 1e-30 to 1e+30",
        ),
        (["grid.extensions=-1"], "grid.extensions: got -1; allowed is a whole number from 0 to 20"),
        (["grid.pretraining_rate=[0]"], "grid.pretraining_rate: got 0; allowed is a number from 1e-06 to 1e+06"),
        (["pretraining.layers=0"], "pretraining.layers: got 0; allowed is a whole number of at least 1, or all"),
        (
            ["grid.pretraining=[denoising_autoencoder]", "pretraining.corruption_amount=1"],
            "pretraining.corruption_amount: got 1 for masking; allowed is a number from 0 to below 1",
        ),
        (
            ["grid.pretraining=[rbm]", "pretraining.batch_size=5000"],
            "pretraining.batch_size: got 5000, but digits has 1078 training examples",
        ),
        (
            ["task=reconstruction", "task.encoder=[]"],
            "task.encoder: got []; reconstruction needs the widths of its encoder",
        ),
        (["task.encoder=[8]"], "task.encoder: got [8], but classifiers have no encoder"),
        (
            ["task=reconstruction", "task.loss=cross_entropy"],
            "task.loss: got cross_entropy, but inputs are standardized; allowed is squared_error, or data.scaling=unit",
        ),
        (
            ["task=reconstruction", "grid.pretraining=[supervised]"],
            "grid.pretraining: supervised fits none of the activations: supervised layers need labels",
        ),
        (
            ["task=reconstruction", "grid.initializer=[lsuv]"],
            "grid.initializer: got orthogonal:1+lsuv, which calibrates classifiers",
        ),
        (["+extra_grids.x={dept:[2]}"], "extra_grids.x: unknown key 'dept'; did you mean 'depth'?"),
        (["+extra_grids.x={depth:[0]}"], "extra_grids.x.depth: got 0; allowed is a whole number from 1 to 1000"),
        (["+extra_grids.x={dataset:[spirals]}"], "extra_grids.x.dataset: unknown dataset of this study 'spirals'"),
        (["+extra_grids.x=3"], "extra_grids.x: got 3; it needs some of"),
        (
            ["+extra_grids.x={initializer:[kumar],activation:[relu]}"],
            "extra_grids.x: nothing to train, because kumar with relu",
        ),
    ],
)
def test_bad_pretraining_tasks_and_extra_grids_get_one_clear_line(overrides, sentence):
    with pytest.raises(ValueError) as caught:
        compose(["study=smoke", *overrides])
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_batch_normalization_needs_a_batch():
    with pytest.raises(
        ValueError, match=r"training\.batch_size: got 1, but grid\.batch_norm needs at least 2 examples"
    ):
        compose(["study=smoke", "grid.batch_norm=[false,true]", "training.batch_size=1"])


def test_a_grid_without_any_meaning_is_refused_with_the_reason():
    with pytest.raises(
        ValueError, match=r"^grid: nothing to train, because kumar with relu is not applicable: Kumar's rule"
    ):
        compose(["study=smoke", "grid.initializer=[kumar]", "grid.activation=[relu]"])


BASE = compose(["study=smoke", "extra_grids=null"]).settings
VALIDATOR = Draft202012Validator(json_schema())
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs", "Nd"]), max_size=8)  # no numbers in text
    | st.sampled_from(["auto", "all", "he_normal", "normal:0.01", "sigmoid", "rbm", "adam", "digits", "unit"])
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["depth", "digits", "rbm", "x"]) | st.integers(0, 3), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([*KEYS, *SECTIONS, "dataset", "extra_grids", "extra_grids.x", "extra_grids.x.depth", "x", "x.y"]),
    VALUES,
)
def test_any_value_is_taken_or_refused_in_one_sentence(key, value):
    """What is taken, editors take, too: but for numbers in text, which Snakemake makes of 1e-3."""
    tree = copy.deepcopy(BASE)
    *path, last = key.split(".")
    node = tree
    for part in path:
        node = node.setdefault(part, {})
    node[last] = value
    try:
        study = validate(tree)
    except ValueError as sentence:
        assert str(sentence) and "\n" not in str(sentence).replace(str(value), "")
    else:
        assert validate(study.settings).settings == study.settings
        assert isinstance(value, str) or VALIDATOR.is_valid(tree)
