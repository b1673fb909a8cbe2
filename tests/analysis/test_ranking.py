"""The ranking of initializers, on tables small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.analysis import ranking
from winit.analysis.stats import wilson
from winit.study.schema import AnalysisSettings

ANALYSIS = AnalysisSettings(baseline="glorot_uniform", margin=0.01, fixed_rate=0.1, resamples=200)
SETTING = {
    "dataset": "digits", "activation": "tanh", "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd",
    "pretraining": "none", "pretraining_rate": 1.0, "chance": 0.1,
}  # fmt: skip
Cells = dict[tuple[int, str], list[float]]


def tables(cells: Cells, rate: float = 0.1, steps=None, best: bool = True, target: float = 0.5, **facts):
    """Return judged runs and summary from accuracies by (depth, initializer), one per replicate; NaN diverged."""
    runs, summary = [], []
    for (depth, initializer), values in cells.items():
        row = (
            SETTING | facts | {"depth": depth, "initializer": initializer, "learning_rate": rate, "is_extension": False}
        )
        summary.append(row | {"is_best_rate": best})
        for replicate, value in enumerate(values):
            status = "ok" if value >= target else "missed_target" if value > 0.3 else "stuck"
            status = "diverged" if np.isnan(value) else status
            runs.append(row | {
                "role": "judged", "replicate": replicate, "test_score": value, "validation_score": value, "status": status,
                "steps_to_target": (steps or {}).get((depth, initializer), 10.0) if status == "ok" else np.inf,
            })  # fmt: skip
    return pd.DataFrame(runs), pd.DataFrame(summary)


def overall(runs: pd.DataFrame, summary: pd.DataFrame, analysis: AnalysisSettings = ANALYSIS) -> pd.DataFrame:
    """Return the rows of the tuned view over all activations, by initializer."""
    table = ranking.ranking(runs, summary, analysis, 0)
    return table[(table["view"] == "tuned") & (table["activation"] == "all")].set_index("initializer")


def many(shift: float = 0.0, failing: int = 0, replicates: int = 10, cells: int = 12) -> Cells:
    """Return a baseline and two other arms: one with higher scores, and one with failures in each cell."""
    rng = np.random.default_rng(0)
    result: Cells = {}
    for depth in range(1, cells + 1):
        base = rng.uniform(0.6, 0.8, replicates)
        result[depth, "glorot_uniform"] = list(base)
        result[depth, "he_normal"] = list(base + shift + rng.normal(0, 0.002, replicates))
        result[depth, "lecun_normal"] = [0.1] * failing + list(base[failing:])
    return result


def test_scores_range_from_chance_to_1_and_failures_score_0():
    row = overall(*tables({(2, "glorot_uniform"): [0.82] * 5, (2, "he_normal"): [1.0, 1.0, 0.55, 0.1, np.nan]}))
    assert row.at["glorot_uniform", "mean_score"] == pytest.approx(0.8)
    assert row.at["he_normal", "mean_score"] == pytest.approx((1 + 1 + 0.5 + 0 + 0) / 5)
    assert row.at["he_normal", "worst_score"] == 0 and row.at["he_normal", "diverged"] == 1
    assert row.loc["he_normal", ["success_low", "success_high"]].tolist() == pytest.approx(wilson(3, 5))


@pytest.mark.parametrize(("shift", "word"), [(0.1, "better"), (-0.1, "worse"), (0.0, "equivalent")])
def test_scores_decide_where_all_train(shift, word):
    table = overall(*tables(many(shift)))
    row = table.loc["he_normal"]
    assert (row["verdict"], row["reason"]) == (word, "score")
    assert row["success_difference"] == 0 and row["trained_cells"] == row["cells"] == 12
    assert row["score_difference"] == pytest.approx(shift / 0.9, abs=0.002)
    assert row["score_difference_low"] <= row["score_difference"] <= row["score_difference_high"]
    assert row["level"] == pytest.approx(1 - 0.05 / 4)  # two intervals for each of two initializers
    assert table.at["glorot_uniform", "verdict"] == "baseline" and np.isnan(table.at["glorot_uniform", "level"])


def test_success_comes_first_and_failures_are_no_part_of_the_score():
    row = overall(*tables(many(failing=4))).loc["lecun_normal"]
    assert (row["verdict"], row["reason"]) == ("worse", "success")
    assert row["success_difference"] == pytest.approx(-0.4) and row["success_difference_high"] < 0
    assert row["score_difference"] == pytest.approx(0, abs=1e-12)


def test_too_few_replicates_decide_nothing():
    for replicates in (1, 2, 4):
        table = overall(*tables(many(0.1, replicates=replicates)))
        assert table.at["he_normal", "verdict"] == "undecided"
        assert table.at["he_normal", "reason"] == "fewer than 5 replicates"
    assert overall(*tables(many(0.1, replicates=5))).at["he_normal", "verdict"] == "better"


def test_runs_that_all_diverge_decide_nothing():
    cells = {(depth, name): [np.nan] * 10 for depth in range(24) for name in ("glorot_uniform", "he_normal")}
    row = overall(*tables(cells)).loc["he_normal"]
    assert (row["verdict"], row["reason"]) == ("undecided", "too few pairs train")
    assert (
        row["mean_score"] == 0 == row["success_rate"]
        and row["trained_cells"] == 0
        and np.isnan(row["score_difference"])
    )


def test_initializers_are_ranked_on_common_cells():
    with_tanh = {(2, name): [0.9] * 5 for name in ("glorot_uniform", "he_normal", "kumar")}
    with_relu = {(2, name): [0.6] * 5 for name in ("glorot_uniform", "he_normal")}
    frames = [pd.concat(both) for both in zip(tables(with_tanh), tables(with_relu, activation="relu"), strict=True)]
    table = ranking.ranking(*frames, ANALYSIS, 0)
    ranked = table[table["view"] == "tuned"].groupby("activation")["initializer"].apply(set)
    assert ranked["all"] == ranked["relu"] == {"glorot_uniform", "he_normal"}
    assert ranked["tanh"] == {"glorot_uniform", "he_normal", "kumar"}
    assert table.groupby("activation")["cells"].unique().map(list).to_dict() == {"all": [2], "relu": [1], "tanh": [1]}
    for made in (ranking.profiles(*frames, ANALYSIS), ranking.arrivals(*frames, ANALYSIS, [0, 20])):
        assert set(made.loc[made["activation"] == "all", "initializer"]) == {"glorot_uniform", "he_normal"}
        assert "kumar" in set(made.loc[made["activation"] == "tanh", "initializer"])


def test_without_the_baseline_nothing_is_decided():
    table = overall(*tables({key: of for key, of in many(0.1).items() if key[1] != "glorot_uniform"}))
    assert set(table["verdict"]) == {"undecided"}
    assert set(table["reason"]) == {"the baseline was not tried in every cell"}


def with_tuning(edge: list[float]):
    """Return judged runs at 0.1 and tuning runs at 0.1 and 1; at 1 he_normal has these validation scores."""
    runs, summary = tables(many())
    names, depths = ("glorot_uniform", "he_normal", "lecun_normal"), range(1, 13)
    at = {rate: {(d, n): [0.7] * 3 for d in depths for n in names} for rate in (0.1, 1.0)}
    at[1.0] |= {(d, n): edge if n == "he_normal" else [0.2] * 3 for d, n in at[1.0]}
    tuning = [tables(cells, rate)[0].assign(role="tuning") for rate, cells in at.items()]
    tuned = pd.concat(tuning)
    return pd.concat([runs, tuned.assign(replicate=-1 - tuned["replicate"])]), summary


def test_intervals_contain_the_noise_of_the_choice_of_rate():
    sure, unsure = (overall(*with_tuning(edge)).loc["he_normal"] for edge in ([0.2, 0.2, 0.2], [0.9, 0.9, 0.2]))
    for low, high in (("success_low", "success_high"), ("success_difference_low", "success_difference_high")):
        assert unsure[high] - unsure[low] > 1.2 * (sure[high] - sure[low])
    assert sure["success_difference"] == unsure["success_difference"] == 0
    assert sure["verdict"] == "equivalent" and (sure["runs"] == 120 == unsure["runs"])


def test_one_tuning_replicate_does_not_know_the_noise_of_the_choice():
    runs, summary = with_tuning([0.9, 0.9, 0.2])
    row = overall(runs[(runs["replicate"] >= 0) | (runs["replicate"] == -3)], summary).loc["he_normal"]
    assert (row["verdict"], row["reason"]) == ("undecided", "the uncertainty from choosing the rate is unknown")
    assert np.isnan(row["success_low"]) and row["success_rate"] == 1


def test_speed_is_relative_to_the_fastest_of_each_cell_and_infinite_if_the_target_is_not_reached():
    steps = {(2, "he_normal"): 10.0, (2, "glorot_uniform"): 20.0, (3, "he_normal"): 40.0, (3, "glorot_uniform"): np.inf}
    runs, summary = tables({key: [0.9] * 3 for key in steps}, steps=steps)
    table = overall(runs, summary)
    assert table.at["he_normal", "profile_score"] == 1
    assert table.at["glorot_uniform", "profile_score"] == pytest.approx((2 / 3 + 0) / 2)
    profile = ranking.profiles(runs, summary, ANALYSIS).query("activation == 'all'")
    share = profile.set_index(["initializer", "tau"])["share"]
    assert share["glorot_uniform", 1.95] == 0 and share["glorot_uniform", 2.0] == 0.5 == share["glorot_uniform", 4.0]
    arrived = ranking.arrivals(runs, summary, ANALYSIS, [0, 20, 40, 100]).query("activation == 'all'")
    share = arrived.set_index(["initializer", "step"])["share"]
    assert share["glorot_uniform"].tolist() == [0, 0.5, 0.5, 0.5] and share["he_normal"].tolist() == [0, 0.5, 1, 1]


def test_a_target_that_is_lost_again_was_not_reached():
    runs, summary = tables({(2, "he_normal"): [0.9] * 3, (2, "glorot_uniform"): [0.9] * 3})
    runs.loc[runs["initializer"] == "he_normal", "status"] = "lost_target"
    table = overall(runs, summary)
    assert table.at["he_normal", "profile_score"] == 0 and table.at["glorot_uniform", "profile_score"] == 1


def test_the_fixed_view_takes_one_rate_an_optimizer_and_tuning_replicates_are_never_judged():
    cells = {(2, "he_normal"): [0.9] * 3, (2, "zeros"): [0.1] * 3}
    tuned, chosen = tables(cells, rate=0.3)
    fixed, other = tables({(2, "he_normal"): [0.6] * 3, (2, "zeros"): [0.1] * 3}, rate=0.03, best=False)
    tuning = tuned.assign(role="tuning", replicate=-1 - tuned["replicate"], test_score=np.nan, status="diverged")
    analysis = ANALYSIS.model_copy(update={"fixed_rate": 0.04})
    frames = pd.concat([tuned, fixed, tuning]), pd.concat([chosen, other])
    of = ranking.ranking(*frames, analysis, 0).query("activation == 'all'").set_index(["view", "initializer"])
    assert of.at[("fixed", "he_normal"), "rate"] == 0.03 and np.isnan(of.at[("tuned", "he_normal"), "rate"])
    assert (of["runs"] == 3).all() and (of["diverged"] == 0).all()
    adam = [frame.assign(optimizer="adam", learning_rate=frame["learning_rate"] / 10) for frame in frames]
    both = ranking.ranking(*(pd.concat(pair) for pair in zip(frames, adam, strict=True)), analysis, 0)
    both = both.query("activation == 'all' and view == 'fixed'").set_index("initializer")
    # Adam's nearest rate to 0.04 is 0.03, at which he_normal scores as SGD does at 0.3.
    assert (
        both.at["he_normal", "mean_score"] == pytest.approx((0.5 / 0.9 + 0.8 / 0.9) / 2)
        and both.at["zeros", "cells"] == 2
    )


def test_one_rate_has_no_fixed_view():
    assert set(ranking.ranking(*tables(many()), ANALYSIS, 0)["view"]) == {"tuned"}


def test_the_resampling_is_a_named_stream():
    frames = with_tuning([0.9, 0.9, 0.2])
    first, second, other = (ranking.ranking(*frames, ANALYSIS, seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, second)
    assert not first["success_difference_low"].equals(other["success_difference_low"])


def test_without_judged_runs_there_is_no_ranking():
    runs, summary = tables({(2, "he_normal"): [0.9]})
    assert ranking.ranking(runs.head(0), summary.head(0), ANALYSIS, 0).empty
