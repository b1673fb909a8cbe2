"""An initializer counts as one that trains if half of its runs or more reach the target, everywhere alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.analysis.depth import depth_limits
from winit.report import findings
from winit.study.compose import compose


def test_findings_hold_numbers_of_the_tables(made):
    study, tables, _ = made
    texts = [f.text for f in findings.headlines(tables, False)]
    ok = int((tables["runs"]["status"] == "ok").sum())
    assert texts[0].startswith(f"Of {study.run_count:,} networks trained, {ok:,} (")
    assert any(
        "72 of 72 networks started from zeros" in t for t in texts
    )  # 3 activations · 2 depths · 2 rates · 3 · 2 datasets
    signal = " ".join(f.text for f in findings.of_section("gradients", tables, False))
    assert "digits, tanh, 3 layers" in signal and "spirals, ReLU, 3 layers" in signal
    for finding in findings.headlines(tables, False):
        assert "nan" not in finding.text and "inf" not in finding.text.replace("infinite", "")


def test_findings_about_absent_arms_are_left_out(made):
    _, tables, _ = made
    runs = tables["runs"][tables["runs"]["initializer"] == "he_normal"]
    assert findings.symmetry(tables["layers"], runs) == []
    assert findings.reach(tables["summary"][tables["summary"]["initializer"] == "he_normal"]) == []


def test_findings_name_the_setting_where_there_are_several(made):
    _, tables, _ = made
    twice = tables["summary"].assign(optimizer="adam")
    texts = [f.text for f in findings.deepest(pd.concat([tables["summary"], twice]))]
    assert len(set(texts)) == len(texts) and any(t.startswith("digits, Adam, tanh") for t in texts)


RATES = {0.0: False, 0.01: False, 0.2: False, 0.499999: False, 0.5: True, 0.51: True, 0.8: True, 1.0: True}


def summary(**columns: object) -> pd.DataFrame:
    """Return a summary of one setting, one row for each value of the given columns."""
    frame = pd.DataFrame(columns).assign(
        dataset="digits", activation="tanh", width=32, batch_norm=False, dropout=0.0, optimizer="sgd", pretraining="none",
        is_best_rate=True, test_score=0.9, diverged=0, runs=100,
    )  # fmt: skip
    return frame.assign(**{name: value for name, value in {"depth": 3}.items() if name not in frame})


@pytest.mark.parametrize(("rate", "trains"), RATES.items())
def test_the_deepest_networks_train_if_half_of_their_runs_do(rate, trains):
    (finding,) = findings.deepest(summary(initializer=["he_normal", "glorot_uniform"], success_rate=[rate, 0.0]))
    head = "1 of 2 initializations brings at least" if trains else "no initialization brings"
    assert finding.text.startswith(f"digits, tanh, 3 layers: {head} half of ")


@pytest.mark.parametrize(("rate", "trains"), RATES.items())
def test_random_weights_reach_the_depth_at_which_half_of_the_runs_train(rate, trains):
    (finding,) = findings.reach(summary(initializer="normal:1", depth=[2, 5], success_rate=[1.0, rate]))
    assert finding.text.endswith(f"up to {5 if trains else 2} layers with tanh.")


@pytest.mark.parametrize(("rate", "trains"), RATES.items())
def test_a_point_of_the_phase_diagram_trains_if_half_of_its_runs_do(rate, trains):
    points = summary(initializer=["mean_field:1.5/0.05"], success_rate=[rate])
    limits = points[["activation", "width", "initializer"]].assign(depth_limit=10)
    (finding,) = findings.phase(points, limits)
    assert f"of 1 points (σ_w², σ_b²), {int(trains)} train" in finding.text
    assert f"is right about {int(trains)} " in finding.text


def test_points_of_which_the_theory_claims_no_limit_are_not_counted():
    points = summary(initializer=["mean_field:1.5/0.05", "mean_field:2/0"], success_rate=[1.0, 0.0])
    limits = points[["activation", "width", "initializer"]].assign(depth_limit=[10, np.nan])
    (finding,) = findings.phase(points, limits)
    assert "of 1 points (σ_w², σ_b²), 1 train" in finding.text
    assert findings.phase(points, limits.assign(depth_limit=np.nan)) == []


@pytest.mark.parametrize(("rate", "trains"), RATES.items())
def test_the_deepest_trained_depth_is_one_at_which_half_of_the_runs_train(rate, trains):
    rows = summary(initializer="glorot_normal", depth=[2, 5, 9], success_rate=[1.0, rate, 0.0])
    (limit,) = depth_limits(compose(["study=smoke"]), rows).to_dict("records")
    assert (limit["deepest_trained"], limit["deepest_tried"]) == (5 if trains else 2, 9)
