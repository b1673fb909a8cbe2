"""Rows of the run store become the tables of a workload."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.runs import fill, tables
from winit import datasets
from winit.analysis.runs import FIELDS, run_tables
from winit.analysis.select import judged
from winit.analysis.stored import StoredRuns, stored_runs
from winit.analysis.unfold import fields, unfold
from winit.store.parts import RunStore
from winit.store.schema import stored_columns


def test_the_units_of_a_layer(trained_tables):
    layers = trained_tables["layers"]
    assert (layers["distinct_units"] <= layers["units"]).all()
    assert set(layers["units"]) == {12, 10}


def test_a_lacking_run_is_an_error_and_not_a_gap(trained):
    study, store = trained
    next(iter(store.parts_of(study.workloads[0].name).parts)).unlink()
    with pytest.raises(ValueError, match=r"^the store lacks \d+ of 12 runs of digits-\w+-d3-"):
        tables(study, store)


def test_lists_of_different_lengths_unfold_in_the_order_of_the_runs(tiny):
    (workload,) = tiny("grid.activation=[tanh]", "grid.depth=[2]", "pretraining.layers=2").workloads
    stored = pa.table(
        {
            "run_id": ["b", "a", "c"],
            "pretraining": ["none", "none", "autoencoder"],
            "curve_step": [[0, 1], [0], [0, 1]],
            **{name: [[1.0, 2.0], [3.0], [4.0, np.nan]] for name in stored_columns("curves")},
            "layer_step": [[0, 2], [], [-1, 0]],
            **{
                name: [[1.0, 2.0, 3.0, 4.0, np.nan, np.nan], [], [5.0, 6.0, 7.0, 8.0, 9.0, 10.0]]
                for name in stored_columns("layers")
            },
            "pretraining_step": [[], [], [0, 5, 9]],
            "pretraining_error": [[], [], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]],
            "pretraining_baseline": [[], [], [7.0, 8.0]],
        }
    )

    def rows(name, *columns):
        return list(zip(*(unfold(name, workload, stored)[column].to_pylist() for column in columns), strict=True))

    assert rows("curves", "run_id", "step", "test_score") == [
        ("b", 0, 1.0), ("b", 1, 2.0), ("a", 0, 3.0), ("c", 0, 4.0), ("c", 1, None),
    ]  # fmt: skip
    drawn = [("b", "drawn", 0, layer, layer) for layer in (1, 2, 3)]
    assert rows("layers", "run_id", "stage", "step", "layer", "distinct_units") == [
        *drawn, ("b", "training", 2, 1, 4), *(("c", "drawn", -1, layer, 4 + layer) for layer in (1, 2, 3)),
        *(("c", "pretrained", 0, layer, 7 + layer) for layer in (1, 2, 3)),
    ]  # fmt: skip
    assert rows("pretraining", "run_id", "layer", "step", "error", "baseline") == [
        ("c", 1, 0, 1.0, 7.0), ("c", 1, 5, 2.0, 7.0), ("c", 1, 9, 3.0, 7.0),
        ("c", 2, 0, 4.0, 8.0), ("c", 2, 5, 5.0, 8.0), ("c", 2, 9, 6.0, 8.0),
    ]  # fmt: skip


def test_slices_of_runs_unfold_as_the_whole(tuned, monkeypatch):
    study, store = tuned
    (cell,) = stored_runs(study, store)
    for name in ("layers", "pretraining", "predictions"):
        whole = unfold(name, cell.network, cell.read(fields(name)))
        monkeypatch.setattr("winit.analysis.stored.SLICE", 5)
        slices = [unfold(name, cell.network, rows) for rows in cell.slices(fields(name))]
        assert len(slices) > 2 and pa.concat_tables(slices).equals(whole)


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


def test_outcomes_are_read_from_the_curves_and_the_parts_at_the_budgets(tuned, tuned_tables):
    study, _ = tuned
    runs, outcomes, curves = (tuned_tables[name] for name in ("runs", "outcomes", "curves"))
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


def test_predictions_are_those_of_the_test_score(tuned_tables):
    predictions, runs = tuned_tables["predictions"], judged(tuned_tables["runs"])  # tuning runs have none
    tests = datasets.part_sizes("digits")[2]
    assert len(predictions) == len(runs) * tests and predictions["example"].max() == tests - 1
    assert not predictions.duplicated(["run_id", "example"]).any()
    loss = -np.log(predictions["probability"].astype(float)).groupby(predictions["run_id"]).mean()
    assert loss[runs["run_id"]].to_numpy() == pytest.approx(runs["test_loss"].to_numpy(), rel=1e-5)


def test_an_extension_is_named(tuned_tables):
    runs = tuned_tables["runs"]
    assert set(runs.loc[runs["is_extension"], "learning_rate"]) == {0.333}
    assert not runs.loc[runs["learning_rate"].isin([0.03, 0.1]), "is_extension"].any()


def test_a_study_that_is_tuned_but_not_judged_has_no_tables(tuned):
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

    def runs_with(target: float) -> pd.DataFrame:
        own = StoredRuns.of(store, [replace(one, target_accuracy=target) for one in study.workloads])
        return run_tables(own, own.read(FIELDS))[0].set_index("run_id")

    scores = runs_with(workload.target_accuracy)["test_score"]
    assert scores.nunique() > 5
    for score in scores.unique()[:8]:
        target = round(score * tests) / tests
        runs = runs_with(target)
        equal = runs[scores == score]
        assert (equal["status"] == "ok").all() and np.isfinite(equal["steps_to_target"]).all()
        assert (runs_with(target + 0.5 / tests).loc[equal.index, "status"] != "ok").all()
