"""Rows of the run store become the tables of a workload."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from winit.analysis.collect import tables
from winit.analysis.unfold import unfold
from winit.store.parts import RunStore
from winit.training.workload import train


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
        "grid.replicates=1", "grid.tuning_replicates=1", "grid.learning_rate=[0.1]", "pretraining.steps=10",
    )  # fmt: skip
    store = RunStore(tmp_path)
    for workload in study.workloads:
        for rows in train(workload, workload.runs, torch.device("cpu")):
            store.commit(workload.name, rows)
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
