"""Slower arms are distinguished from arms that do not train."""

from __future__ import annotations

import pandas as pd
import pytest

from winit.report.speeds import FAILS, FAST, LOST, SLOWER, Speed, kind_of, speed_tables, speeds

SETTING = {"dataset": "digits", "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd"}


def summaries(arms: dict[str, list[int]], **given: object) -> pd.DataFrame:
    """Return summaries at 50 and 200 updates: of ten runs of each initializer, how many end ok at each budget."""
    rows = [
        SETTING | {"activation": "tanh", "depth": 3, "pretraining": "none", "is_best_rate": True}
        | {"initializer": name, "budget": budget, "ok": ok, "runs": 10, "success_rate": ok / 10} | given
        for name, both in arms.items()
        for budget, ok in zip((50, 200), both, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("trains", "kind", "text"),
    [
        ({500: True, 2000: True}, FAST, "by 500"),
        ({500: False, 2000: True}, SLOWER, "by 2,000 (slower)"),
        ({500: False, 2000: False}, FAILS, "not within 2,000"),
        ({500: True, 2000: False}, LOST, "by 500, lost by 2,000"),
        ({500: False, 1000: True, 2000: True}, SLOWER, "by 1,000 (slower)"),
        ({500: True, 1000: False, 2000: True}, FAST, "by 500"),
        ({2000: True}, FAST, "by 2,000"),
    ],
)
def test_the_kind_of_an_arm_follows_from_its_budgets(trains, kind, text):
    assert kind_of(trains) == (kind, text)


def test_half_of_the_runs_make_an_arm_train():
    table = summaries({"he_normal": [5, 10], "kumar": [4, 5], "zeros": [0, 4]})
    kinds = {key[-2]: speed.kind for key, speed in speeds(table).items()}
    assert kinds == {"he_normal": FAST, "kumar": SLOWER, "zeros": FAILS}


def test_rates_that_were_not_chosen_have_no_effect():
    table = pd.concat([summaries({"zeros": [0, 0]}), summaries({"zeros": [10, 10]}, is_best_rate=False)])
    assert [speed.kind for speed in speeds(table).values()] == [FAILS]


def test_every_setting_has_its_table_and_depths():
    table = pd.concat(
        [
            summaries({"kumar": [0, 10], "he_normal": [10, 10]}),
            summaries({"he_normal": [0, 3]}, depth=20),
            summaries({"he_normal": [10, 10]}, optimizer="adam"),
            summaries({"he_normal": [10, 10]}, pretraining="rbm"),
            summaries({"mean_field:1/0": [10, 10]}),
        ]
    )
    sgd, adam = speed_tables(table)
    assert (sgd.setting, adam.setting) == ("digits, SGD, width 8", "digits, Adam, width 8")
    assert sgd.depths == [3, 20] and adam.depths == [3]
    deep = Speed(FAILS, "not within 200", 3, 10)
    assert sgd.rows == [
        ("tanh", "he_normal", [Speed(FAST, "by 50", 10, 10), deep]),
        ("tanh", "kumar", [Speed(SLOWER, "by 200 (slower)", 10, 10), None]),
    ]
