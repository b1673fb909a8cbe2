"""The rows on the page agree with the tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.analysis.select import of_budget
from winit.report import rows as rows_module
from winit.report.rows import departures, failures, initial, rankings, ratio_range, recommendation


def sets(**members: str) -> pd.DataFrame:
    """Return the sets of one cell at two budgets, from the membership of each initializer; at the shorter one all fail."""
    cell = {
        "dataset": "digits", "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd", "activation": "relu", "depth": 2,
    }  # fmt: skip
    rows = [
        cell | {"budget": budget, "initializer": name, "membership": membership if budget == 90 else "fails", "reason": "success"}
        | {"ok": 5, "runs": 5, "test_score": 0.9, "difference": -0.1, "is_two_faced": False, "is_reference": name == "kumar"}
        for budget in (30, 90)
        for name, membership in members.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_sets_of_a_cell_have_all_their_members_and_no_order():
    table = sets(zeros="fails", he_normal="works", kumar="works", glorot_normal="worse", torch_default="undecided")
    (longest, (cell,), reasons), (shortest, (short,), _) = recommendation(table)
    assert (longest, shortest, reasons) == (90, 30, [])
    members = {name: [row["initializer"] for row in cell[name]] for name in ("works", "worse", "fails", "undecided")}
    assert members == {
        "works": ["he_normal", "kumar"], "worse": ["glorot_normal"], "fails": ["zeros"], "undecided": ["torch_default"],
    }  # fmt: skip
    assert len(short["fails"]) == 5 and not short["works"] and cell["reference"] == "kumar"
    reversed_scores = table.assign(test_score=[0.1 * i for i in range(len(table))])
    assert [r["initializer"] for r in recommendation(reversed_scores)[0][1][0]["works"]] == members["works"]


def test_the_sets_say_why_initializers_are_undecided():
    table = sets(kumar="undecided").assign(reason="fewer than 5 replicates")
    assert recommendation(table)[0][2] == ["fewer than 5 replicates"]


def test_the_sets_of_a_study_lie_on_its_page(made):
    _, tables, page = made
    text = page.read_text().split('<section id="recommendation">')[1].split("</section>")[0]
    rows = text.split("<table")[1].split("</table>")[0].count("<tr>") - 1
    full = of_budget(tables["cell_sets"])
    assert rows == len(full.drop_duplicates(["dataset", "activation", "depth"]))
    assert (full["membership"] == "undecided").all() and "fewer than 5 replicates" in text  # it has three
    assert text.count("The order within a set has no meaning") == 1


def test_the_ranking_has_its_tables_at_every_budget(made):
    _, tables, _ = made
    shown = [(budget, view) for budget, view, _, _ in rankings(tables["ranking"])]
    assert shown == [(30, "tuned"), (30, "fixed"), (10, "tuned"), (10, "fixed")]


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
