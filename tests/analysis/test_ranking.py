"""The field as a whole, on tables small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.analysis import ranking
from winit.analysis.select import diverged_as_worst
from winit.study.schema import AnalysisSettings

ANALYSIS = AnalysisSettings(baseline="glorot_uniform", margin=0.01, fixed_rate=0.1, resamples=200)
SETTING = {
    "dataset": "digits", "activation": "tanh", "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd",
    "pretraining": "none", "steps": 100,
}  # fmt: skip


def tables(cells: dict[tuple[int, str], list[float]], rate: float = 0.1, steps=None, best: bool = True):
    """Return runs and summary from accuracies by (depth, initializer), one a replicate; NaN diverged."""
    runs, summary = [], []
    for (depth, initializer), values in cells.items():
        facts = SETTING | {"depth": depth, "initializer": initializer, "learning_rate": rate}
        summary.append(facts | {"is_best_rate": best})
        for replicate, value in enumerate(values):
            lost = np.isnan(value)
            to_target = np.inf if lost else (steps or {}).get((depth, initializer), 10.0)
            runs.append(facts | {"role": "judged", "replicate": replicate, "test_score": value, "status": "diverged" if lost else "ok",
                                 "steps_to_target": to_target})  # fmt: skip
    return pd.DataFrame(runs), pd.DataFrame(summary)


def test_scores_run_from_chance_to_the_best_median_and_failures_score_nothing():
    runs, _ = tables({(2, "he_normal"): [0.9, 0.9, 0.95], (2, "zeros"): [0.1, np.nan, 0.5]})
    result = ranking.scores(diverged_as_worst(runs)).groupby("initializer")["score"].apply(list)
    assert result["he_normal"] == [1, 1, 1]  # above the reference is cut
    assert result["zeros"] == pytest.approx([0, 0, 0.5])


def test_cells_in_which_nobody_learns_are_counted_and_say_nothing():
    runs, summary = tables({
        (2, "he_normal"): [0.9] * 3, (2, "glorot_uniform"): [0.5] * 3, (9, "he_normal"): [0.1] * 3, (9, "glorot_uniform"): [0.11] * 3,
    })  # fmt: skip
    row = ranking.ranking(runs, summary, ANALYSIS, 0).set_index("initializer").loc["he_normal"]
    assert (row["cells"], row["learnable_cells"], row["common_cells"]) == (2, 1, 1)
    assert row["iqm"] == 1 and np.isnan(row["p"])


def many(shift: float, cells: int = 12) -> dict[tuple[int, str], list[float]]:
    rng = np.random.default_rng(0)
    result = {}
    for depth in range(1, cells + 1):
        base = rng.uniform(0.5, 0.6, 5)
        result[depth, "glorot_uniform"] = list(base)
        result[depth, "he_normal"] = list(base + shift + rng.normal(0, 0.002, 5))
        result[depth, "lecun_normal"] = [0.9] * 5
    return result


@pytest.mark.parametrize(("shift", "word"), [(0.1, "better"), (-0.1, "worse"), (0.0, "equivalent")])
def test_a_constant_advantage_is_found(shift, word):
    table = ranking.ranking(*tables(many(shift)), ANALYSIS, 0).set_index("initializer")
    row = table.loc["he_normal"]
    assert row["verdict"] == word
    assert row["difference"] == pytest.approx(shift / 0.8, abs=0.005)  # the reference is 0.9, chance 0.1
    assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    if shift:
        # All twelve signs alike: two-sided p of 2/2¹²; the other initializer's is as small, and Holm doubles it.
        assert row["p"] == pytest.approx(2 / 2**12) and row["p_holm"] == pytest.approx(4 / 2**12)
        assert (row["improvement"] > 0.5) == (shift > 0)
    assert table.at["glorot_uniform", "verdict"] == "baseline" and np.isnan(table.at["glorot_uniform", "difference"])


def test_speed_is_relative_to_the_fastest_of_each_cell_and_never_arriving_is_infinite():
    steps = {(2, "he_normal"): 10.0, (2, "glorot_uniform"): 20.0, (3, "he_normal"): 40.0, (3, "glorot_uniform"): np.inf}
    runs, summary = tables({key: [0.9] * 3 for key in steps}, steps=steps)
    table = ranking.ranking(runs, summary, ANALYSIS, 0).set_index("initializer")
    assert table.at["he_normal", "profile_score"] == 1
    assert table.at["glorot_uniform", "profile_score"] == pytest.approx((2 / 3 + 0) / 2)
    profile = ranking.profiles(runs, summary, ANALYSIS).set_index(["initializer", "tau"])["share"]
    assert (
        profile["glorot_uniform", 1.95] == 0 and profile["glorot_uniform", 2.0] == 0.5 == profile["glorot_uniform", 4.0]
    )
    arrived = ranking.arrivals(runs, summary, ANALYSIS, [0, 20, 40, 100]).set_index(["initializer", "step"])["share"]
    assert arrived["glorot_uniform"].tolist() == [0, 0.5, 0.5, 0.5] and arrived["he_normal"].tolist() == [0, 0.5, 1, 1]


def test_the_fixed_view_takes_one_rate_and_tuning_replicates_are_never_judged():
    tuned, chosen = tables({(2, "he_normal"): [0.9] * 3, (2, "zeros"): [0.1] * 3}, rate=0.3)
    fixed, other = tables({(2, "he_normal"): [0.6] * 3, (2, "zeros"): [0.1] * 3}, rate=0.03, best=False)
    tuning = tuned.assign(role="tuning", replicate=-1 - tuned["replicate"], test_score=0.0, status="diverged")
    table = ranking.ranking(
        pd.concat([tuned, fixed, tuning]),
        pd.concat([chosen, other]),
        ANALYSIS.model_copy(update={"fixed_rate": 0.04}),
        0,
    )
    of = table.set_index(["view", "initializer"])
    assert of.at[("fixed", "he_normal"), "rate"] == 0.03 and np.isnan(of.at[("tuned", "he_normal"), "rate"])
    assert (of["runs"] == 3).all() and (of["diverged"] == 0).all()


def test_the_bootstrap_is_a_named_stream():
    frames = tables(many(0.02))
    first, second, other = (ranking.ranking(*frames, ANALYSIS, seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, second)
    assert not first["difference_low"].equals(other["difference_low"])


def test_nothing_judged_ranks_nothing():
    runs, summary = tables({(2, "he_normal"): [0.9]})
    assert ranking.ranking(runs.head(0), summary.head(0), ANALYSIS, 0).empty
