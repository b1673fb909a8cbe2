"""Figures of the state of networks draw their tables, on frames small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.report.figures import state as state_figures
from winit.report.figures.style import figure_style

SETTING = {
    "dataset": "digits", "activation": "tanh", "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd",
    "initializer": "he_normal", "pretraining": "none", "pretraining_rate": 1.0,
}  # fmt: skip


def runs_and_summary(depths=(2,), rates=(0.1, 1.0)):
    runs = [
        SETTING
        | {
            "run_id": f"{d}-{rate}-{r}",
            "depth": d,
            "learning_rate": rate,
            "replicate": r,
            "test_score": 0.5,
            "status": "ok",
            "chance": 0.1,
        }
        | {"role": "tuning" if r < 0 else "judged"}
        for d in depths
        for rate in rates
        for r in (-1, 0, 1)
    ]
    summary = [
        SETTING | {"depth": d, "learning_rate": rate, "is_best_rate": rate == 1.0, "log_length_spread": d / 10}
        for d in depths
        for rate in rates
    ]
    return pd.DataFrame(runs), pd.DataFrame(summary)


def points(drawn) -> list[tuple[float, float]]:
    return [tuple(xy) for line in drawn.figure.axes[0].get_lines() for xy in line.get_xydata()]


def test_updates_are_medians_of_judged_runs_at_the_chosen_rate():
    runs, summary = runs_and_summary()
    value = {"2-1.0-0": 1e-3, "2-1.0-1": 1e-2, "2-1.0--1": 9.0, "2-0.1-0": 5.0, "2-0.1-1": 5.0, "2-0.1--1": 5.0}
    layers = pd.DataFrame(
        [{"run_id": i, "step": step, "layer": layer, "update_ratio": v if layer < 3 else 100.0}
         for i, v in value.items() for step in (0, 4) for layer in (1, 2, 3)]
    )  # fmt: skip
    with figure_style():
        drawn = state_figures.update_ratio(layers, runs, summary, 2)
    assert drawn.data["update_ratio"].tolist() == pytest.approx([0.0055, 0.0055])  # the output layer is not among them
    assert any(np.allclose(xy, (4, 0.0055)) for xy in points(drawn))


def test_jacobians_are_those_of_untrained_networks():
    runs, _ = runs_and_summary(depths=(2, 5), rates=(0.1,))
    scale = {"0": 1.0, "1": 3.0, "-1": 2.0}
    rows = [
        {
            "run_id": i,
            "stage": "training" if step else "drawn",
            "step": step,
            "lower_quartile": 0.5 * s,
            "median": s,
            "upper_quartile": 2 * s,
        }
        for i in runs["run_id"]
        for step, s in ((0, scale[i.split("-", 2)[2]] * (10 if i.startswith("5") else 1)), (9, 1e6))
    ]
    with figure_style():
        drawn = state_figures.jacobians(pd.DataFrame(rows), runs)
    assert drawn.data.set_index("depth")["median"].to_dict() == {2: 2.0, 5: 20.0}
    marks = [xy[1] for xy in points(drawn)]
    assert 2.0 in marks and 20.0 in marks


def test_the_spread_is_that_of_the_summary_whatever_the_rate():
    _, summary = runs_and_summary(depths=(2, 5))
    summary = summary.query("depth == 5 or learning_rate == 1.0")  # arms are judged at rates of their own
    with figure_style():
        drawn = state_figures.length_spread(summary)
    assert drawn.data["log_length_spread"].tolist() == pytest.approx([0.2, 0.5])
    assert any(np.allclose(xy, (5, 0.5)) for xy in points(drawn))
