"""The rows of the page are those of the tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.report import rows as rows_module
from winit.report.rows import departures, failures, initial, ratio_range, recommendation


def test_recommendation_ranks_success_first():
    base = {
        "dataset": "digits", "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd", "activation": "relu", "depth": 2,
        "is_best_rate": True, "pretraining": "none",
    }  # fmt: skip
    columns = (
        "initializer",
        "success_rate",
        "success_low",
        "success_high",
        "test_score",
        "test_score_minimum",
        "test_score_maximum",
    )
    values = [
        ("he_normal", 1.0, 0.57, 1.0, 0.9, 0.88, 0.92),
        ("zeros", 0.0, 0.0, 0.43, 0.99, 0.98, 0.99),  # accurate, but its success lies clearly below
        ("kumar", 0.8, 0.38, 0.96, 0.89, 0.85, 0.89),  # one failure of five tells nothing
        ("normal:1", 1.0, 0.57, 1.0, 0.5, 0.4, 0.6),  # as successful, but clearly less accurate
    ]
    rows = [{**base, **dict(zip(columns, row, strict=True))} for row in values]
    (row,) = recommendation(pd.DataFrame(rows))
    assert row["first"]["initializer"] == "he_normal" and row["equals"] == ["Kumar"]
    (row,) = recommendation(pd.DataFrame([{**r, "success_rate": 0.0} for r in rows]))
    assert row["first"] is None


def test_departures_are_ranked_and_disagreements_never_left_out():
    rows = pd.DataFrame(
        {"predicted": 1.0, "low": 0.5, "high": 2.0, "measured": [1.0, 4.0, 0.4] + [1.9] * 20, "spread": 0.7}
    )
    rows = rows.assign(agrees=rows["measured"].between(0.5, 2.0), reason="")
    shown = departures(rows)
    assert [r["measured"] for r in shown] == [4.0, 0.4] + [1.9] * 8
    assert shown[0]["share"] == pytest.approx(2) and "factor of 2" in shown[-1]["reason"]
    assert len(departures(rows.assign(agrees=False))) == 23
    assert ratio_range(rows.head(3)) == pytest.approx((0.46, 1.0, 3.7))
    assert departures(rows.head(0)) == [] and ratio_range(rows.head(0)) is None


def test_untrained_networks_in_numbers(made):
    _, tables, _ = made
    rows = initial(tables)
    (row,) = [r for r in rows if (r["setting"], r["activation"], r["initializer"]) == ("digits", "relu", "zeros")]
    assert row["loss"] == pytest.approx(1) and row["jacobian_median"] == 0
    assert np.isnan(row["spread"]) and np.isnan(row["correlation"])
    assert len(rows) == 2 * (5 + 5 + 4)  # kumar has no meaning with relu


def test_the_table_of_runs_has_every_arm_and_every_failure(made):
    _, tables, page = made
    best = tables["all_summary"].query("is_best_rate")
    rows = rows_module.arms(tables["all_summary"])
    assert len(rows) == len(best)
    text = page.read_text().split('<table id="arms"')[1].split("</table>")[0]
    assert text.count("<tr>") == len(best) + 1
    lost, total = failures(tables["all_runs"])
    counts = tables["all_runs"]["status"].value_counts()
    assert total == len(lost)  # few enough to be shown in full
    for status in ("diverged", "stuck"):
        assert sum(r["lost"] for r in lost if r["status"] == status) == counts.get(status, 0)
    numbers = [r["lost"] for r in lost if r["status"] == "stuck"]
    assert numbers == sorted(numbers, reverse=True) and all(r["lost"] <= r["runs"] for r in lost)
    assert failures(tables["all_runs"].query("status == 'ok'")) == ([], 0)
