"""Sets of initializers in a cell: works, worse, fails and undecided."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.analysis.test_ranking import ANALYSIS, tables
from winit.analysis.cell_sets import cell_sets

BEST = [0.97, 0.98, 0.96, 0.97, 0.975, 0.965, 0.97, 0.98, 0.96, 0.97]


def sets(arms: dict[str, list[float]], tuning: dict[str, float] | None = None, **options) -> pd.DataFrame:
    """Return the rows of one cell, by initializer; an arm's tuning score is the mean of its runs unless given."""
    runs, summary = tables({(2, name): values for name, values in arms.items()}, target=0.9, **options)
    score = tuning or {name: float(np.mean(values)) for name, values in arms.items()}
    score = dict.fromkeys(arms, 0.0) | score
    return cell_sets(runs, summary.assign(tuning_score=summary["initializer"].map(score)), ANALYSIS, 0).set_index(
        "initializer"
    )


@pytest.mark.parametrize(
    ("values", "membership", "two_faced"),
    [
        (BEST[::-1], "works", False),
        ([value - 0.03 for value in BEST], "works", False),
        ([value - 0.055 for value in BEST], "worse", False),
        ([0.1] * 10, "fails", False),
        ([0.1] * 8 + [0.95] * 2, "fails", True),
        ([0.1] * 7 + [0.95] * 3, "undecided", True),
        ([0.1] * 3 + [0.95] * 7, "undecided", True),
        ([0.1] * 2 + [0.96] * 8, "works", True),
        ([0.1] + [0.96] * 9, "works", True),
        ([0.85] + [0.96] * 9, "works", False),
    ],
)
def test_membership(values, membership, two_faced):
    row = sets({"he_normal": BEST, "glorot_uniform": values}, {"he_normal": 1.0}).loc["glorot_uniform"]
    assert row["membership"] == membership and row["is_two_faced"] == two_faced
    assert row["test_score"] == pytest.approx(np.mean(values)) and row["runs"] == 10
    assert row["pairs"] == row["ok"] == sum(value >= 0.9 for value in values)


def test_the_reference_is_chosen_on_tuning_replicates():
    better = [value - 0.06 for value in BEST]
    table = sets({"he_normal": BEST, "glorot_uniform": better}, {"he_normal": 0.5, "glorot_uniform": 0.9})
    assert table.at["glorot_uniform", "is_reference"] and not table.at["he_normal", "is_reference"]
    assert table.at["he_normal", "difference"] == pytest.approx(0.06)
    assert set(table["membership"]) == {"works"}  # nothing is worse than the reference that was declared


def test_the_difference_is_adjusted_for_the_initializers_of_the_cell():
    rng = np.random.default_rng(0)
    arms = {"he_normal": BEST, "glorot_uniform": list(np.array(BEST) + rng.normal(0, 0.01, 10))}
    two = sets(arms, {"he_normal": 2.0})
    many = sets(arms | {f"normal:{k / 10}": BEST for k in range(1, 9)}, {"he_normal": 2.0})
    width = [t.at["glorot_uniform", "difference_high"] - t.at["glorot_uniform", "difference_low"] for t in (two, many)]
    assert width[1] > 1.3 * width[0]


def test_too_few_replicates_decide_nothing():
    for count in (1, 2, 4):
        table = sets({"he_normal": BEST[:count], "zeros": [0.1] * count})
        assert set(table["membership"]) == {"undecided"} and set(table["reason"]) == {"fewer than 5 replicates"}
    table = sets({"he_normal": BEST[:5], "zeros": [0.1] * 5})
    assert table["membership"].to_dict() == {"zeros": "fails", "he_normal": "works"}


def test_where_every_run_diverges_every_arm_fails():
    table = sets({"he_normal": [np.nan] * 10, "zeros": [np.nan] * 10}, {"he_normal": 0.1, "zeros": 0.1})
    assert set(table["membership"]) == {"fails"} and (table["test_score"] == 0.1).all()
    assert (table["pairs"] == 0).all() and table["difference"].isna().all()


def test_an_arm_whose_rate_may_as_well_be_another_is_not_sure_to_work():
    runs, summary = tables({(2, "he_normal"): BEST, (2, "glorot_uniform"): BEST}, target=0.9)
    summary = summary.assign(tuning_score=0.9)
    tuned = {"he_normal": [0.92, 0.92, 0.92], "glorot_uniform": [0.99, 0.1, 0.99]}
    tuning = [
        tables({(2, n): of if rate == 1 else [0.7] * 3 for n, of in tuned.items()}, rate, target=0.9)[0]
        for rate in (0.1, 1.0)
    ]
    tuning = pd.concat(tuning).assign(role="tuning")
    tuning["replicate"] = -1 - tuning["replicate"]
    table = cell_sets(pd.concat([runs, tuning]), summary, ANALYSIS, 0).set_index("initializer")
    one = pd.concat([runs, tuning[tuning["replicate"] == -2]])
    unknown = cell_sets(one, summary, ANALYSIS, 0).set_index("initializer").loc["glorot_uniform"]
    assert (unknown["membership"], unknown["reason"]) == (
        "undecided",
        "the uncertainty from choosing the rate is unknown",
    )
    widths = table["success_high"] - table["success_low"]
    assert widths["glorot_uniform"] > widths["he_normal"]


def test_pretrained_arms_are_left_out_and_no_runs_give_an_empty_table():
    assert sets({"he_normal": BEST}, pretraining="rbm").empty
    alone = sets({"he_normal": BEST})
    assert alone.at["he_normal", "membership"] == "works" and alone.at["he_normal", "difference"] == 0
