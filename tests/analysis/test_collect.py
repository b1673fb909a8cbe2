"""Collected tables contain all trained runs, in any order of the parts."""

from __future__ import annotations

import pandas as pd

from tests.runs import CPU, tables
from winit.analysis.collect import collect
from winit.analysis.select import RUN_FACTORS
from winit.store import files
from winit.store.parts import RunStore
from winit.store.schema import COLLECTED, COPIED, TIME_COLUMNS, TIME_TABLES
from winit.study.compose import validate
from winit.training.workload import train
from winit.vocabulary.factors import STATUSES
from winit.workflow import session


def test_every_run_is_in_the_tables_once(trained, trained_tables):
    study, _ = trained
    # With the declared columns and types.
    collected = {name: files.conform(name, frame) for name, frame in trained_tables.items()}
    runs, curves, layers, summary = (collected[n] for n in ("runs", "curves", "layers", "summary"))
    assert len(runs) == study.counts.bound and runs["run_id"].is_unique
    assert set(runs["status"]) <= set(STATUSES) and "diverged" in set(runs["status"])
    workload = study.workloads[0]
    assert len(curves) == len(runs) * len(set(curves["step"]))
    assert not curves.duplicated(["run_id", "step"]).any() and not layers.duplicated(["run_id", "step", "layer"]).any()
    assert summary["runs"].sum() == len(runs)
    assert summary[list(STATUSES)].sum().sum() == len(runs)
    alive = runs[runs["status"] != "diverged"]
    steps = len(set(layers["step"]))
    per_run = layers.groupby("run_id").size()
    assert (per_run[alive["run_id"]].to_numpy() == steps * (alive["depth"] + 1).to_numpy()).all()
    assert (per_run[runs.loc[runs["status"] == "diverged", "run_id"]] < steps * 4).all()
    last = curves[curves["step"] == workload.training.steps].set_index("run_id")["train_loss"]
    pd.testing.assert_series_equal(
        runs.set_index("run_id")["train_loss"], last[runs["run_id"]].astype(float), check_names=False
    )
    assert collected["not_applicable"]["initializer"].tolist() == ["kumar"]


def test_tables_do_not_depend_on_the_order_of_the_grid(trained, trained_tables):
    study, store = trained
    settings = {**study.settings, "grid": {**study.settings["grid"]}}
    for key in ("initializer", "activation", "depth", "learning_rate"):
        settings["grid"][key] = settings["grid"][key][::-1]
    turned = tables(validate(settings), store)
    for name, frame in trained_tables.items():
        if name != "not_applicable":
            pd.testing.assert_frame_equal(frame, turned[name])


def test_the_tables_of_a_tuned_study_say_what_the_protocol_did(tuned, tuned_tables):
    """The rates at which runs are judged are those that `tuning` chose, at each budget, and the fixed one."""
    study, _ = tuned
    collected = {name: files.conform(name, frame) for name, frame in tuned_tables.items()}
    runs, tuning, summary = (collected[name] for name in ("runs", "tuning", "summary"))
    assert set(tuning["budget"]) == set(summary["budget"]) == {8, 30}
    counts = study.counts
    judged = runs[runs["role"] == "judged"]
    assert counts.least <= len(judged) <= counts.most
    assert counts.tuning <= len(runs) - len(judged) <= counts.tuning + counts.extensions
    arm = ["initializer", "pretraining"]
    chosen = tuning[tuning["is_chosen"]]
    assert (chosen.groupby(["budget", *arm]).size() == 1).all() and len(chosen) == 2 * 6
    for key, of_arm in judged.groupby(arm):
        rates = chosen.loc[(chosen[arm] == list(key)).all(axis=1), "learning_rate"]
        assert set(of_arm["learning_rate"]) == {0.1, *rates}
        factors = set(of_arm["pretraining_rate"])
        assert len(factors) == 1 and factors <= ({0.3, 3.0} if key[1] == "autoencoder" else {1.0})
    best = summary[summary["is_best_rate"]]
    keys = ["budget", *arm, "learning_rate"]
    assert best[keys].to_numpy().tolist() == chosen.sort_values(keys[:3])[keys].to_numpy().tolist()
    assert (summary["runs"] == 3).all() and (tuning["runs"] == 2).all()
    assert summary.loc[summary["budget"] == 30, "runs"].sum() == len(judged)
    stuck = tuning[(tuning["initializer"] == "zeros") & (tuning["pretraining"] == "none")]
    assert set(stuck["learning_rate"]) == {0.03, 0.1}, "where nothing works, the grid is not extended"
    assert collected["outcomes"].groupby("run_id").size().eq(2).all()


def test_the_tables_do_not_depend_on_how_often_a_study_was_killed(tuned, tuned_tables, tmp_path):
    """Other chunks, a kill after each: the same runs, and the same tables to the bit."""
    study, _ = tuned
    again = RunStore(tmp_path / "again")
    for workload in study.workloads:
        while lacking := session.lacking(workload, again):
            rows = next(iter(train(workload, lacking[::-1], CPU, networks=3)))
            again.commit(workload.name, rows)
    ours = tables(study, again)
    for name in set(tuned_tables) - set(TIME_TABLES):
        timed = [column for column in TIME_COLUMNS if column in ours[name]]
        one, other = (frames[name].drop(columns=timed) for frames in (ours, tuned_tables))
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_the_files_do_not_depend_on_how_many_processes_write_them(tuned, tmp_path):
    study, store = tuned
    for processes in (1, 2):
        collect(study, store, tmp_path / str(processes), processes)
    written = sorted([f"{name}.parquet" for name in COLLECTED] + [f"{name}.csv" for name in COPIED])
    for processes in ("1", "2"):
        assert sorted(path.name for path in (tmp_path / processes).iterdir()) == written
    for name in written:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


def test_runs_are_sorted_by_their_factors(tuned_tables):
    runs = tuned_tables["runs"]
    assert runs["steps"].nunique() == 2, "two workloads share the cell"
    assert runs["run_id"].tolist() == runs.sort_values(RUN_FACTORS)["run_id"].tolist()
    order = pd.Series(runs.index, index=runs["run_id"])
    keys = {
        "outcomes": ["budget"], "curves": ["step"], "predictions": ["example"], "layers": ["step", "layer"],
        "jacobians": ["step"], "pretraining": ["layer", "step"],
    }  # fmt: skip
    for name, inner in keys.items():
        ranked = tuned_tables[name].assign(order=tuned_tables[name]["run_id"].map(order))
        assert len(ranked) and ranked.index.equals(ranked.sort_values(["order", *inner]).index), name
