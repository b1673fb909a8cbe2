"""Selections of runs, and of measurements before training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.analysis import select

ARM = {
    "dataset": "digits", "activation": "tanh", "depth": 2, "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd",
    "initializer": "he_normal", "pretraining": "none", "pretraining_rate": 1.0,
}  # fmt: skip


@pytest.fixture
def runs() -> pd.DataFrame:
    """Two rates of an arm, each with a tuning and two judged replicates; the last run has diverged."""
    frame = pd.DataFrame(
        [
            ARM | {"learning_rate": rate, "replicate": replicate, "role": "tuning" if replicate < 0 else "judged"}
            for rate in (0.1, 1.0)
            for replicate in (-1, 0, 1)
        ]
    )
    frame["run_id"] = list("abcdef")
    frame["status"] = ["ok"] * 5 + ["diverged"]
    return frame.assign(test_score=[0.5] * 5 + [np.nan], test_loss=0.7, steps_to_target=10.0, chance=0.1)


def test_groups_of_factors():
    assert select.SETTING == ["dataset", "width", "batch_norm", "dropout", "optimizer"]
    assert select.CELL == ["dataset", "activation", "depth", "width", "batch_norm", "dropout", "optimizer"]
    assert [*select.CELL, "initializer", "pretraining", "pretraining_rate", "learning_rate"] == select.RATE_FACTORS


def test_the_role_selects_and_not_the_number_of_the_replicate(runs):
    turned = runs.assign(replicate=-runs["replicate"])
    assert list(select.judged(turned)["run_id"]) == ["b", "c", "e", "f"]
    assert list(select.tuning(turned)["run_id"]) == ["a", "d"]


def test_runs_at_the_chosen_rate_count_the_diverged_as_guessing(runs):
    summary = pd.DataFrame([ARM | {"learning_rate": rate, "is_best_rate": rate == 1.0} for rate in (0.1, 1.0)])
    chosen = select.at_chosen_rate(runs, summary).set_index("run_id")
    assert list(chosen.index) == ["e", "f"]
    assert chosen.loc["f", ["test_score", "test_loss", "steps_to_target"]].to_list() == [0.1, np.inf, np.inf]
    assert chosen.loc["e", ["test_score", "test_loss", "steps_to_target"]].to_list() == [0.5, 0.7, 10.0]


def test_no_score_is_below_random_guessing_and_failures_have_that_score():
    """Each run has its own chance. A loss is not bounded, and a run that never arrives stays infinite."""
    runs = pd.DataFrame(
        {
            "status": ["ok", "stuck", "diverged", "stuck"], "chance": [0.1, 0.1, 0.5, 0.0],
            "test_score": [0.9, 0.12, 0.99, -3.0], "validation_score": [0.8, 0.1, np.nan, 0.2], "train_score": 0.05,
            "test_loss": [0.1, 9.0, 0.2, 1.0], "steps_to_target": [5.0, np.inf, 3.0, np.inf],
        }
    )  # fmt: skip
    scored = select.scored(runs)
    assert scored["test_score"].to_list() == [0.9, 0.1, 0.5, 0.0]
    assert scored["validation_score"].to_list() == [0.8, 0.1, 0.5, 0.2]
    assert scored["train_score"].to_list() == [0.1, 0.1, 0.5, 0.05]
    assert scored["test_loss"].to_list() == [0.1, 9.0, np.inf, 1.0]
    assert scored["steps_to_target"].to_list() == [5.0, np.inf, np.inf, np.inf]
    assert runs["test_score"].to_list() == [0.9, 0.12, 0.99, -3.0], "the table stays as it is"


def test_runs_at_a_budget_have_its_outcomes_and_their_own_factors():
    full = {name: [1.0, 2.0] for name in select.OUTCOME} | {"status": ["ok", "ok"]}
    runs = pd.DataFrame({"run_id": ["a", "b"], "replicate": [0, 1], **full, "engine": "torch"})
    early = {name: [3.0, 4.0] for name in select.OUTCOME} | {"status": ["stuck", "diverged"]}
    outcomes = pd.concat(
        [
            pd.DataFrame({"run_id": ["b", "a"], "budget": 7, **early}),
            pd.DataFrame({"run_id": ["a", "b"], "budget": 9, **full}),
        ]
    )
    at = select.at_budget(runs, outcomes, 7)
    assert list(at) == list(runs) and at["run_id"].to_list() == ["a", "b"]
    assert at["test_score"].to_list() == [4.0, 3.0] and at["status"].to_list() == ["diverged", "stuck"]
    pd.testing.assert_frame_equal(select.at_budget(runs, outcomes, 9), runs)
    assert select.of_budget(outcomes)["budget"].unique().tolist() == [9]
    assert select.of_budget(outcomes, 7)["budget"].unique().tolist() == [7]


def test_curves_are_the_worst_from_where_a_run_diverged():
    curves = pd.DataFrame({"step": [0, 9], "train_loss": [2.0, np.nan], "test_score": [0.2, np.nan], "chance": 0.1})
    worst = select.curves_as_worst(curves)
    assert worst["train_loss"].to_list() == [2.0, np.inf] and worst["test_score"].to_list() == [0.2, 0.1]


def test_one_rate_stands_for_all(runs):
    assert list(select.one_rate(runs)["run_id"]) == ["a", "b", "c"]


@pytest.fixture
def pretrained() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Layers and runs of a plain network, one trained longer, one pretrained, one with shuffled weights."""
    ways = {"a": "none", "b": "none+longer", "c": "rbm", "d": "rbm+shuffled"}
    stages = {True: [("drawn", -60), ("pretrained", 0), ("training", 9)], False: [("drawn", 0), ("training", 9)]}
    layers = [
        {"run_id": run_id, "stage": stage, "step": step, "layer": 1}
        for run_id, way in ways.items()
        for stage, step in stages[way.startswith("rbm")]
    ]
    return pd.DataFrame(layers), pd.DataFrame({"run_id": list(ways), "pretraining": list(ways.values()), "depth": 2})


def test_before_training_a_network_is_as_drawn_or_as_pretrained(pretrained):
    layers, runs = pretrained
    before = select.before_training(layers, runs.iloc[:3], ["depth"])
    assert before[["run_id", "stage"]].to_numpy().tolist() == [["a", "drawn"], ["b", "drawn"], ["c", "pretrained"]]
    assert (before["depth"] == 2).all()


def test_since_pretraining_leaves_out_what_was_drawn_before_it(pretrained):
    layers, runs = pretrained
    since = select.since_pretraining(layers, runs)
    assert (since["step"] >= 0).all() and len(since) == 8


def test_what_takes_its_scale_from_the_layer():
    assert select.is_scaled("he_normal") and select.is_scaled("orthogonal:1")
    assert not any(map(select.is_scaled, ["zeros", "constant:0.1", "normal:0.01", "uniform:0.05", "he_normal+lsuv"]))
    assert select.small_weights(["he_normal", "normal:1", "normal:0.01"]) == "normal:0.01"
    assert select.small_weights(["zeros"]) is None
