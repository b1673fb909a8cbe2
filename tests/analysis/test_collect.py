"""Everything that was trained is in the tables, whatever the order."""

from __future__ import annotations

import pandas as pd

from winit.analysis.collect import tables
from winit.store import files
from winit.study.compose import validate
from winit.vocabulary.factors import STATUSES


def test_every_run_is_in_the_tables_once(trained):
    study, store = trained
    collected = tables(study, store)
    for name, frame in collected.items():
        collected[name] = files.conform(name, frame)  # the declared columns and types
    runs, curves, layers, summary = (collected[n] for n in ("runs", "curves", "layers", "summary"))
    assert len(runs) == study.run_count and runs["run_id"].is_unique
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


def test_tables_do_not_depend_on_the_order_of_the_grid(trained):
    study, store = trained
    settings = {**study.settings, "grid": {**study.settings["grid"]}}
    for key in ("initializer", "activation", "depth", "learning_rate"):
        settings["grid"][key] = settings["grid"][key][::-1]
    turned = tables(validate(settings), store)
    for name, frame in tables(study, store).items():
        if name != "not_applicable":
            pd.testing.assert_frame_equal(frame, turned[name])
