"""Tables: statuses and medians by hand, and everything that was trained is in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from winit import datasets
from winit.analysis.agreement import agreement
from winit.analysis.collect import tables
from winit.analysis.expectation import probe_inputs, theory
from winit.analysis.summary import initial_state, status, steps_to_target, summarise
from winit.store import files
from winit.store.parts import RunStore
from winit.study.seeds import seed
from winit.training.workload import train
from winit.vocabulary.factors import STATUSES


def test_steps_to_target():
    accuracy = np.array([[0.1, 0.9, 0.5], [0.1, 0.2, 0.3], [0.95, np.nan, np.nan], [0.1, 0.5, np.nan]])
    got = steps_to_target(accuracy, np.array([0, 10, 100]), 0.9)
    assert got.tolist() == [10, np.inf, 0, np.inf]


def test_status():
    runs = pd.DataFrame(
        {
            "diverged_step": pd.array([pd.NA, pd.NA, pd.NA, 7, 7], dtype="Int64"),
            "steps_to_target": [10.0, np.inf, np.inf, np.inf, 3.0],
            "validation_score": [0.1, 0.15, 0.16, np.nan, np.nan],
            "validation_loss": [1.0, 1.0, 1.0, np.nan, 1.0],
        }
    )
    assert status(runs, limit=0.15).tolist() == ["ok", "stuck", "missed_target", "diverged", "diverged"]
    assert set(status(runs, 0.15)) == set(STATUSES)


def runs_of(**columns) -> pd.DataFrame:
    """Return a runs table of three replicates at two rates, with the given columns."""
    n = 6
    frame = pd.DataFrame(
        {
            "run_id": [str(i) for i in range(n)], "dataset": "digits", "activation": "relu", "depth": 2, "width": 8,
            "batch_norm": False, "dropout": 0.0, "optimizer": "sgd",
            "initializer": "he_normal", "pretraining": "none", "learning_rate": [0.1] * 3 + [1.0] * 3, "role": "judged", "replicate": [0, 1, 2] * 2,
            "status": ["ok"] * 3 + ["diverged"] * 2 + ["ok"], "steps_to_target": [5.0, 7.0, 6.0, np.inf, np.inf, 2.0],
            "validation_loss": [0.3, 0.2, 0.1, np.nan, np.nan, 0.01], "validation_score": [0.9, 0.92, 0.94, np.nan, np.nan, 0.99],
            "test_score": [0.8, 0.9, 0.85, np.nan, np.nan, 0.97], "test_loss": [0.3, 0.2, 0.1, np.nan, np.nan, 0.01],
        }
    )  # fmt: skip
    return frame.assign(**columns)


def test_summary_counts_failures_as_the_worst():
    slow, fast = summarise(runs_of()).sort_values("learning_rate").to_dict("records")
    assert (slow["runs"], slow["ok"], slow["diverged"]) == (3, 3, 0)
    assert (fast["runs"], fast["ok"], fast["diverged"], fast["missed_target"], fast["stuck"]) == (3, 1, 2, 0, 0)
    assert slow["steps_to_target"] == 6 and fast["steps_to_target"] == np.inf
    assert slow["test_score"] == 0.85 and (slow["test_score_minimum"], slow["test_score_maximum"]) == (0.8, 0.9)
    assert fast["test_score"] == 0.0 and fast["validation_loss"] == np.inf
    assert fast["success_rate"] == pytest.approx(1 / 3) and fast["success_low"] < 1 / 3 < fast["success_high"]
    assert slow["is_best_rate"] and not fast["is_best_rate"]
    assert slow["is_edge_rate"] and not fast["is_edge_rate"]  # both rates of a grid of two are edges; one is chosen


def test_the_rate_is_chosen_on_validation_and_not_on_test():
    best = summarise(
        runs_of(status="ok", validation_score=[0.9] * 3 + [0.95] * 3, test_score=[0.99] * 3 + [0.5] * 3, validation_loss=[0.1] * 6)
    )
    assert best.loc[best["is_best_rate"], "learning_rate"].tolist() == [1.0]


@pytest.fixture
def trained(tiny, tmp_path):
    study = tiny("grid.initializer=[zeros,he_normal,kumar]", "grid.learning_rate=[0.1,1e30]", "grid.depth=[2,3]")
    store = RunStore(tmp_path)
    for workload in study.workloads:
        for rows in train(workload, workload.runs, torch.device("cpu"), networks=5):
            store.commit(workload.name, rows)
    return study, store


def test_every_run_is_in_the_tables_once(trained):
    study, store = trained
    found = tables(study, store)
    for name, frame in found.items():
        found[name] = files.conform(name, frame)  # the declared columns and types
    runs, curves, layers, summary = (found[n] for n in ("runs", "curves", "layers", "summary"))
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
    assert found["not_applicable"]["initializer"].tolist() == ["kumar"]


def test_the_units_of_a_layer(trained):
    study, store = trained
    layers = tables(study, store)["layers"]
    assert (layers["distinct_units"] <= layers["units"]).all()
    assert set(layers["units"]) == {12, 10}


def test_tables_do_not_depend_on_the_order_of_the_grid(trained):
    study, store = trained
    settings = {**study.settings, "grid": {**study.settings["grid"]}}
    for key in ("initializer", "activation", "depth", "learning_rate"):
        settings["grid"][key] = settings["grid"][key][::-1]
    from winit.study.compose import validate

    turned = tables(validate(settings), store)
    for name, frame in tables(study, store).items():
        if name != "not_applicable":
            pd.testing.assert_frame_equal(frame, turned[name])


def test_a_lacking_run_is_an_error_and_not_a_gap(trained, tmp_path):
    study, store = trained
    next((tmp_path / study.workloads[0].name).glob("*.parquet")).unlink()
    with pytest.raises(ValueError, match=r"^the store lacks \d+ of 12 runs of digits-\w+-d3-"):
        tables(study, store)


def test_a_table_must_match_its_declaration(tmp_path):
    frame = pd.DataFrame({"initializer": ["a"], "pretraining": [""], "activation": ["b"]})
    with pytest.raises(ValueError, match="table not_applicable has columns that differ from its declaration: reason"):
        files.write(tmp_path, "not_applicable", frame)
    with pytest.raises(ValueError, match=r"no table at .*; run the study first"):
        files.read(tmp_path, "runs")


def test_tables_come_back_as_they_were_written(tmp_path):
    frame = pd.DataFrame({"initializer": ["kumar"], "pretraining": [""], "activation": ["relu"], "reason": ['ü, "x"']})
    files.write(tmp_path, "not_applicable", frame)
    pd.testing.assert_frame_equal(files.read(tmp_path, "not_applicable"), files.conform("not_applicable", frame))
    assert pd.read_csv(tmp_path / "not_applicable.csv")["reason"].tolist() == ['ü, "x"']


def test_theory_of_relu_under_he_in_closed_form(tiny):
    workload = tiny(
        "grid.activation=[relu]", "grid.depth=[3]", "grid.initializer=[he_normal,identity,kumar]"
    ).workloads[0]
    inputs = probe_inputs(workload)
    frame = theory(workload, inputs)
    assert set(frame["initializer"]) == {"he_normal"}  # the others are not independent, or not applicable
    x = datasets.load("digits", {}, seed(0, "data", dataset="digits")).train.x[: workload.measure.probe_examples]
    q = 2 * float(np.square(x).mean())
    assert frame["z_mean_square"].tolist() == pytest.approx([q] * 4)
    # The mean of an activation goes with the length of its input: E h = √(q/2π), and is averaged over lengths.
    means = np.sqrt(2 * inputs.squares / (2 * np.pi))
    assert frame["h_variance"].tolist()[:3] == pytest.approx([q / 2 - means.mean() ** 2] * 3)
    width, classes = workload.width, 10
    assert frame["delta_ratio"].tolist() == pytest.approx([classes / width] * 3 + [1])  # 2/width · classes · 1/2
    # He's correlation map of ReLU networks: c′ = (√(1 − c²) + c (π − arccos c))/π, whatever the length (Cho & Saul 2009).
    c = frame["correlation"].to_numpy()
    np.testing.assert_allclose(
        c[1:], (np.sqrt(1 - c[:-1] ** 2) + c[:-1] * (np.pi - np.arccos(c[:-1]))) / np.pi, rtol=1e-6
    )
    normalized = tiny("grid.batch_norm=[true]").workloads[0]
    assert theory(normalized, probe_inputs(normalized)).empty


def measured(tiny, h: list[float], delta: list[float]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return layers, runs and theory of one initializer in two hidden layers, replicates with the given values."""
    workload = tiny("grid.activation=[relu]", "grid.depth=[2]", "grid.initializer=[he_normal]").workloads[0]
    expected = theory(workload, probe_inputs(workload))
    right = expected.set_index("layer")["h_variance"]
    runs = pd.DataFrame({"run_id": [str(k) for k in range(len(h))], "replicate": range(len(h))}).assign(
        role="judged",
        dataset="digits",
        activation="relu",
        depth=2,
        width=workload.width,
        batch_norm=False,
        initializer="he_normal",
        pretraining="none",
    )
    rows = [
        {"run_id": str(k), "stage": "drawn", "step": 0, "layer": layer, "h_variance": value, "delta_variance": d}
        for k in range(len(h))
        for layer, value, d in ((1, right[1], delta[k]), (2, right[2] * h[k], 1.0), (3, np.nan, 1.0))
    ]
    return pd.DataFrame(rows), runs, expected


def test_agreement_is_within_the_width_s_tolerance(tiny):
    width = tiny().workloads[0].width
    right = 10 / width  # He's gradient in the first layer, relative to the output's
    layers, runs, expected = measured(tiny, [1.0, 1.1, 0.9], [right] * 3)
    found = agreement(layers, runs, expected).set_index("quantity")
    assert found["agrees"].all() and (found["reason"] == "").all()
    assert found.at["h_variance", "measured"] / found.at["h_variance", "predicted"] == pytest.approx(0.99 ** (1 / 3))
    assert (found["low"] < found["measured"]).all() and (found["measured"] < found["high"]).all()


def test_a_disagreement_has_a_reason(tiny):
    layers, runs, expected = measured(tiny, [1e6] * 4, [0.0] * 4)
    found = agreement(layers, runs, expected).set_index("quantity")
    assert not found["agrees"].any()
    assert found.at["h_variance", "reason"] == "finite width, beyond what linear propagation of its noise explains"
    assert found.at["delta_ratio", "reason"] == "the measured value is not a positive number"
    layers.loc[layers["layer"] == 1, "h_variance"] *= 100
    assert agreement(layers, runs, expected)["reason"].str.startswith("off in the first layer").any()
    unstable = expected.assign(amplification=7.5)
    layers.loc[layers["layer"] == 1, "h_variance"] /= 100
    assert "7.5 times" in agreement(layers, runs, unstable).set_index("quantity").at["h_variance", "reason"]


def test_initial_state_is_loss_and_spread_of_length(tiny):
    runs = runs_of().iloc[:2].assign(run_id=["a", "b"], learning_rate=0.1, depth=1)
    layers = pd.DataFrame(
        {"run_id": ["a", "a", "b", "b"], "stage": "drawn", "step": 0, "layer": [1, 2, 1, 2],
         "z_mean": [3.0, 0, 0, 0], "z_variance": [0, 1, 9 * np.e, 5.0]}
    )  # fmt: skip
    curves = pd.DataFrame({"run_id": ["a", "b", "a"], "step": [0, 0, 9], "train_loss": [2.0, 4.0, 0.0]})
    (row,) = initial_state(runs, curves, layers).to_dict("records")
    assert row["initial_loss"] == 3.0
    assert row["log_length_spread"] == pytest.approx(1 / np.sqrt(2))  # logs of 9 and 9e
