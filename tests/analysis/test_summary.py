"""Statuses, medians and the chosen rate, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.analysis.summary import initial_state, status, steps_to_target, summarise
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
        runs_of(
            status="ok",
            validation_score=[0.9] * 3 + [0.95] * 3,
            test_score=[0.99] * 3 + [0.5] * 3,
            validation_loss=[0.1] * 6,
        )
    )
    assert best.loc[best["is_best_rate"], "learning_rate"].tolist() == [1.0]


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
