"""Extra grids: the one rule for inheriting them, every way to write them, and counting without listing."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runs import runs_of
from winit.study.compose import compose, dump, validate
from winit.study.protocol import RunCounts
from winit.study.workload import Block


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a study's file into the working directory's conf/."""
    (tmp_path / "conf" / "study").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str, defaults: str = "smoke") -> None:
        head = f"# @package _global_\ndefaults: [{defaults}]\n"
        (tmp_path / "conf" / "study" / f"{name}.yaml").write_text(head + text)

    return write


def extra(*overrides: str) -> dict:
    return compose(list(overrides)).settings["extra_grids"]


# (in a file, on the command line, whether the inherited extra grid stays)
CHANGES = [
    ("grid: {depth: [3]}", ["grid.depth=[3]"], False),
    ("grid: {initializer: [he_normal]}", ["grid.initializer=[he_normal]"], False),
    ("grid: {learning_rate: [0.1], replicates: 4, tuning_replicates: 0}",
     ["grid.learning_rate=[0.1]", "grid.replicates=4", "grid.tuning_replicates=0"], True),
    ("training: {steps: 9}", ["training.steps=9"], True),
    ("question: Another?", ["question=Another?"], True),
    ("grid: {depth: [6, 8]}\nextra_grids: {dropout: null}", ["grid.depth=[6,8]", "extra_grids.dropout=null"], True),
    ("extra_grids: null", ["extra_grids=null"], False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "overrides", "stays"), CHANGES)
def test_one_rule_in_a_file_and_on_the_command_line(write, text, overrides, stays):
    write("mine", text)
    in_file, on_line = (
        compose(["study=mine", "name=x", "question=?"]),
        compose(["study=smoke", *overrides, "name=x", "question=?"]),
    )
    assert in_file.settings == on_line.settings
    assert ("pretraining" in in_file.settings["extra_grids"]) is stays


def test_a_file_that_takes_another_dataset_or_task_drops_them(write):
    write("data", "seed: 1", "smoke, override /dataset: [spirals]")
    write("task", "seed: 1", "smoke, override /task: reconstruction")
    assert not extra("study=data") and not extra("study=task")


def test_grids_dropped_by_a_parent_stay_dropped_and_can_be_added_again(write):
    write("parent", "grid: {depth: [3]}")
    write("child", "training: {steps: 9}", "parent")
    write("other", "extra_grids: {mine: {depth: [4]}}", "parent")
    assert extra("study=child") == {} and extra("study=other") == {"mine": {"depth": [4]}}


def test_the_old_name_is_still_read(write):
    write("old", "arms: {mine: {depth: [4]}}")
    assert set(extra("study=old")) == {"pretraining", "mine"}
    assert extra("study=smoke", "arms=null") == {} == extra("study=smoke", "arms.pretraining=null")
    assert extra("study=smoke", "arms.pretraining.depth=[2]")["pretraining"]["depth"] == [2]
    smoke = compose(["study=smoke"])
    frozen = dict(smoke.settings)
    frozen["arms"] = frozen.pop("extra_grids")
    assert validate(frozen).settings == smoke.settings
    for both in (
        lambda: validate(dict(smoke.settings, arms=None)),
        lambda: compose(["arms=null", "extra_grids.x={depth:[2]}"]),
    ):
        with pytest.raises(
            ValueError, match=r"^arms: got arms and extra_grids, but arms is the old name of extra_grids"
        ):
            both()
    write("both", "arms: null\nextra_grids: null")
    with pytest.raises(ValueError, match=r"^conf/study/both.yaml: arms: got arms and extra_grids"):
        compose(["study=both"])


@pytest.mark.parametrize("name", ["extra_grids", "arms"])
@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_every_way_to_write_a_new_one_works(sign, name):
    for text in (f"{sign}{name}.mine={{depth:[3]}}", f"{sign}{name}={{mine:{{depth:[3]}}}}"):
        assert extra("study=smoke", text)["mine"] == {"depth": [3]}
    assert "pretraining" in extra("study=smoke", f"{sign}{name}.mine={{depth:[3]}}")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "~extra_grids.pretraining",
            "cannot delete with '~extra_grids.pretraining'; write extra_grids.pretraining=null",
        ),
        ("~arms.pretraining", "cannot delete with '~arms.pretraining'; write extra_grids.pretraining=null"),
        ("~extra_grids", "cannot delete with '~extra_grids'; write extra_grids=null"),
        (
            "extra_grids.pretrainin.depth=[2]",
            "extra_grids: unknown extra grid 'pretrainin'; did you mean 'pretraining'?",
        ),
        ("extra_grids.x@y={depth:[2]}", "cannot read 'extra_grids.x@y={depth:[2]}'; write key=value"),
        ("extra_grids=3", "extra_grids: got 3; allowed is a mapping from names to grids, or null"),
    ],
)
def test_the_wrong_ways_say_what_to_write(override, sentence):
    with pytest.raises(ValueError) as error:
        compose(["study=smoke", override])
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


def test_a_plan_names_the_extra_grids():
    assert compose(["study=smoke"]).product.endswith("plus the extra grid pretraining")


BLOCKS = st.builds(
    Block,
    st.lists(st.sampled_from(["zeros", "he_normal", "kumar"]), min_size=1, unique=True).map(tuple),
    st.lists(st.sampled_from(["none", "rbm", "autoencoder"]), min_size=1, unique=True).map(tuple),
    st.lists(st.sampled_from([0.1, 0.3, 1.0]), min_size=1, unique=True).map(tuple),
    st.integers(1, 4),
)
PLAIN = compose(["study=smoke", "extra_grids=null"]).workloads


@settings(deadline=None)
@given(st.sampled_from(PLAIN), st.lists(BLOCKS, min_size=1, max_size=4))
def test_counting_is_listing(workload, blocks):
    workload = replace(workload, blocks=tuple(blocks))
    assert workload.counts.bound == len(runs_of(workload))


def test_millions_of_runs_are_counted_without_being_listed():
    rates = ",".join(str(rate) for rate in range(1, 61))
    started = time.process_time()
    large = compose(
        [
            "study=smoke",
            "grid.replicates=10000",
            "extra_grids.pretraining.replicates=10000",
            f"grid.learning_rate=[{rates}]",
            "extra_grids.mine={initializer:[zeros],depth:[6]}",
        ]
    )
    assert large.counts == RunCounts(45 * 60 + 4, 45 * 10_000, 45 * 30_000, 0)  # 4 pretrained arms try another factor
    assert large.not_applicable and time.process_time() - started < 5


def test_the_frozen_form_has_the_present_name():
    assert "extra_grids" in yaml.safe_load(dump(compose(["study=smoke"])))


@pytest.mark.parametrize(
    ("overrides", "budgets"),
    [
        ([], [50]),
        (["training.steps=30"], []),  # the study's default of 50 is not reached
        (["training.steps=60"], [50]),
        (["training.schedule=cosine"], []),
        (["training.warmup=5"], []),
        (["training.steps=60", "measure.budgets=[20,40]"], [20, 40]),
    ],
)
def test_inherited_budgets_follow_the_training(overrides, budgets):
    assert compose(["study=smoke", *overrides]).measure.budgets == budgets


def test_a_study_that_chooses_datasets_trains_its_main_grid_on_all_of_them(write):
    assert compose([]).resolved.grids[""].dataset == ["digits", "spirals"]
    assert compose(["dataset=mnist5k"]).resolved.grids[""].dataset == ["mnist5k"]
    both = compose(["dataset=[digits,mnist5k]", "grid.dataset=[digits]"])
    assert both.resolved.grids[""].dataset == ["digits"]
    write("one", "", "default, override /dataset: [shapeset]")
    assert compose(["study=one"]).resolved.grids[""].dataset == ["shapeset"]


def test_an_extra_grid_has_optimizers_of_its_own():
    study = compose(["study=smoke", "extra_grids={mine:{optimizer:[adam],depth:[3]}}"])
    assert {(w.depth, w.training.optimizer) for w in study.workloads} == {(2, "sgd"), (6, "sgd"), (3, "adam")}
