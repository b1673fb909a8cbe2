"""Rows of the run store become the tables of a workload."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.runs import fill
from winit import datasets
from winit.analysis.collect import tables
from winit.analysis.select import judged
from winit.analysis.unfold import unfold, workload_tables
from winit.store.parts import RunStore


def test_the_units_of_a_layer(trained):
    study, store = trained
    layers = tables(study, store)["layers"]
    assert (layers["distinct_units"] <= layers["units"]).all()
    assert set(layers["units"]) == {12, 10}


def test_a_lacking_run_is_an_error_and_not_a_gap(trained, tmp_path):
    study, store = trained
    next((tmp_path / study.workloads[0].name).glob("*.parquet")).unlink()
    with pytest.raises(ValueError, match=r"^the store lacks \d+ of 12 runs of digits-\w+-d3-"):
        tables(study, store)


def test_lists_of_different_steps_unfold_in_the_order_of_the_runs():
    stored = pd.DataFrame(
        {"run_id": ["b", "a", "c"], "at": [[0, 1], [0], [0, 1]], "value": [[1.0, 2.0], [3.0], [4.0, 5.0]]}
    )
    table = unfold(stored, "at", lambda steps: {"step": steps}, {"value": "named"})
    assert table.to_numpy().tolist() == [["b", 0, 1.0], ["b", 1, 2.0], ["a", 0, 3.0], ["c", 0, 4.0], ["c", 1, 5.0]]
    assert list(table) == ["run_id", "step", "named"]


def test_stages_and_roles_are_columns(tiny, tmp_path):
    study = tiny(
        "grid.activation=[tanh]", "grid.initializer=[he_normal]", "grid.pretraining=[none,autoencoder,none+longer]",
        "grid.replicates=1", "grid.tuning_replicates=1", "grid.learning_rate=[0.1,0.2]", "pretraining.steps=10",
    )  # fmt: skip
    store = RunStore(tmp_path)
    fill(store, study)
    collected = tables(study, store)
    runs = collected["runs"]
    assert (runs["role"] == np.where(runs["replicate"] < 0, "tuning", "judged")).all() and set(runs["role"]) == {
        "tuning",
        "judged",
    }
    for name in ("layers", "jacobians"):
        frame = collected[name].merge(runs[["run_id", "pretraining"]], on="run_id")
        stages = {key: set(rows["stage"]) for key, rows in frame.groupby(["pretraining", np.sign(frame["step"])])}
        assert stages == {
            ("none", 0): {"drawn"}, ("none", 1): {"training"}, ("none+longer", 0): {"drawn"}, ("none+longer", 1): {"training"},
            ("autoencoder", -1): {"drawn"}, ("autoencoder", 0): {"pretrained"}, ("autoencoder", 1): {"training"},
        }  # fmt: skip


def test_outcomes_are_read_from_the_curves_and_the_parts_at_the_budgets(tuned):
    study, store = tuned
    collected = tables(study, store)
    runs, outcomes, curves = (collected[name] for name in ("runs", "outcomes", "curves"))
    assert outcomes.groupby("run_id")["budget"].agg(list).map(tuple).unique().tolist() == [(8, 30)]
    more = runs.set_index("run_id")["steps"] - study.training.steps  # of runs that are trained longer
    assert set(more) == {0, 20}
    at = outcomes.assign(step=outcomes["budget"] + outcomes["run_id"].map(more)).merge(curves, on=["run_id", "step"])
    assert len(at) == len(outcomes)
    for name in ("train_loss", "train_score", "test_loss", "test_score"):
        assert np.array_equal(at[f"{name}_x"], at[f"{name}_y"].astype(float)), name
    last = outcomes[outcomes["budget"] == 30].set_index("run_id").loc[runs["run_id"]].reset_index()
    pd.testing.assert_frame_equal(
        runs[last.drop(columns="budget").columns], last.drop(columns="budget"), check_like=True
    )


def test_predictions_are_those_of_the_test_score(tuned):
    study, store = tuned
    collected = tables(study, store)
    predictions, runs = collected["predictions"], judged(collected["runs"])  # tuning runs have none
    tests = datasets.part_sizes("digits")[2]
    assert len(predictions) == len(runs) * tests and predictions["example"].max() == tests - 1
    assert not predictions.duplicated(["run_id", "example"]).any()
    loss = -np.log(predictions["probability"].astype(float)).groupby(predictions["run_id"]).mean()
    assert loss[runs["run_id"]].to_numpy() == pytest.approx(runs["test_loss"].to_numpy(), rel=1e-5)


def test_an_extension_is_named(tuned):
    study, store = tuned
    runs = tables(study, store)["runs"]
    assert set(runs.loc[runs["is_extension"], "learning_rate"]) == {0.333}
    assert not runs.loc[runs["learning_rate"].isin([0.03, 0.1]), "is_extension"].any()


def test_a_study_that_is_tuned_but_not_judged_has_no_tables(tuned, tmp_path):
    study, store = tuned
    workload = study.workloads[0]
    judged = {
        run.id
        for run in workload.schedule(store.parts_of(workload.name).validation_scores).runs
        if run.role == "judged"
    }
    for path in store.parts_of(workload.name).parts:
        if judged & set(pq.read_table(path, columns=["run_id"])["run_id"].to_pylist()):
            path.unlink()
    with pytest.raises(ValueError, match=rf"^the store lacks {len(judged)} of \d+ runs of digits-tanh"):
        tables(study, store)


def test_a_score_that_equals_the_target_meets_it(tuned):
    """Scores are stored in single precision, and targets are not: k of N examples are k/N in both."""
    study, store = tuned
    workload, tests = study.workloads[0], datasets.part_sizes("digits")[2]
    scores = workload_tables(workload, store)["runs"].set_index("run_id")["test_score"]
    assert scores.nunique() > 5
    for score in scores.unique():
        target = round(score * tests) / tests
        runs = workload_tables(replace(workload, target_accuracy=target), store)["runs"].set_index("run_id")
        equal = runs[scores == score]
        assert (equal["status"] == "ok").all() and np.isfinite(equal["steps_to_target"]).all()
        runs = workload_tables(replace(workload, target_accuracy=target + 0.5 / tests), store)["runs"].set_index(
            "run_id"
        )
        assert (runs.loc[equal.index, "status"] != "ok").all()
