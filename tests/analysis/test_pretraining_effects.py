"""Comparisons between arms, on tables small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from winit.analysis.pretraining_effects import pretraining_effects, pretraining_time_effects

SETTING = {
    "dataset": "digits",
    "activation": "tanh",
    "depth": 3,
    "width": 8,
    "batch_norm": False,
    "dropout": 0.0,
    "optimizer": "sgd",
    "pretraining_rate": 1.0,
    "learning_rate": 0.1,
}
BUDGET, MORE, TARGET, MARGIN = 100, 300, 0.9, 0.01
SECONDS = {"none": 1.0, "none+longer": 4.0}  # of training; a pretrained run has 2 of pretraining besides


def runs_and_summary(scores: dict[tuple[str, str], list[float]], tuning: dict[tuple[str, str], float] | None = None):
    """Return runs and summary of arms (initializer, pretraining), one test score per replicate; NaN for diverged runs."""
    runs, summary = [], []
    for (initializer, pretraining), values in scores.items():
        arm = SETTING | {"initializer": initializer, "pretraining": pretraining}
        is_plain = pretraining.startswith("none")
        for replicate, score in enumerate(values):
            status = "diverged" if np.isnan(score) else "ok" if score >= TARGET else "missed_target"
            runs.append(
                arm | {
                    "run_id": f"{initializer} {pretraining} {replicate}", "role": "judged", "replicate": replicate,
                    "chance": 0.1, "test_score": score, "status": status,
                    "steps": BUDGET + MORE if pretraining == "none+longer" else BUDGET,
                    "pretraining_updates": 0 if is_plain else MORE, "calibration_time_s": 0.0,
                    "wall_time_s": SECONDS.get(pretraining, 1.0), "pretraining_time_s": 0.0 if is_plain else 2.0,
                }
            )  # fmt: skip
        score = (tuning or {}).get((initializer, pretraining), np.nan_to_num(values, nan=0.1).mean())
        summary.append(arm | {"budget": BUDGET, "is_best_rate": True, "tuning_score": score})
    return {BUDGET: pd.DataFrame(runs)}, pd.DataFrame(summary)


def effects(scores, tuning=None) -> pd.DataFrame:
    keys = ["pretraining", "compared_at", "compared_with"]
    return pretraining_effects(*runs_and_summary(scores, tuning), MARGIN).set_index(keys).sort_index()


FIELD = {
    ("normal:0.01", "none"): [0.1] * 5,
    ("normal:0.01", "none+longer"): [0.2] * 5,
    ("normal:0.01", "rbm"): [0.96, 0.95, 0.96, 0.95, 0.96],
    ("normal:0.01", "rbm+moments"): [0.91, 0.91, 0.91, 0.5, 0.5],
    ("normal:1", "none"): [0.3] * 5,
    ("normal:1", "none+longer"): [0.97, 0.97, 0.97, 0.97, 0.97],
    ("he_normal", "none"): [0.99] * 5,
}


def test_each_comparison_is_at_equal_training_or_at_equal_updates():
    result = effects(FIELD)
    assert list(result.loc["rbm"].index) == [
        ("equal training", "same start"),
        ("equal updates", "best random start"),
        ("equal updates", "moments"),
        ("equal updates", "same start"),
    ]
    assert result.at[("rbm", "equal training", "same start"), "reference_updates"] == BUDGET
    at_updates = result.loc[("rbm", "equal updates")]
    assert set(at_updates["reference_updates"]) == {BUDGET + MORE}
    # He's plain arm scores the most, but it has had fewer updates; of the others no rule on names leaves out normal:1.
    best = at_updates.loc["best random start"]
    assert (best["reference_initializer"], best["reference_pretraining"]) == ("normal:1", "none+longer")
    assert result.loc[("rbm+moments", "equal updates", "same start"), "reference_pretraining"] == "none+longer"


def test_the_best_random_start_is_chosen_on_tuning_runs():
    chosen = effects(FIELD, {("normal:0.01", "none+longer"): 0.8, ("normal:1", "none+longer"): 0.7})
    at_updates = chosen.loc[("rbm", "equal updates")]
    assert at_updates.at["best random start", "reference_initializer"] == "normal:0.01"
    assert at_updates.at["random start", "reference_initializer"] == "normal:1"
    equal = effects(FIELD, {("normal:0.01", "none+longer"): 0.7, ("normal:1", "none+longer"): 0.7})
    assert equal.at[("rbm", "equal updates", "best random start"), "reference_initializer"] == "normal:0.01"


def test_success_comes_first_and_scores_are_compared_among_pairs_that_train():
    result = effects(FIELD)
    start = result.loc[("rbm", "equal updates", "same start")]
    assert start["success_difference"] == 1 and start["verdict"] == "better"
    # Two pretrained arms, with two intervals each: at the level 1 − .05/4.
    assert start["level"] == pytest.approx(1 - 0.05 / 4)
    # Bonett & Price: 5 of 5 pairs differ, so 6/7 − 1/7 ± z √((1 − (5/7)²)/7).
    z = norm.ppf(1 - 0.05 / 8)
    assert start["success_difference_low"] == pytest.approx(5 / 7 - z * ((1 - 25 / 49) / 7) ** 0.5, abs=1e-6)
    assert start["trained_pairs"] == 0 and np.isnan(start["difference"])
    best = result.loc[("rbm", "equal updates", "best random start")]
    # Differences −.01, −.02, −.01, −.02, −.01: standard deviation .0054772, half-width t · .0054772/√5.
    assert best["difference"] == pytest.approx(-0.014) and best["trained_pairs"] == 5
    assert best["difference_high"] + 0.014 == pytest.approx(t.ppf(1 - 0.05 / 8, 4) * 0.0054772 / 5**0.5, rel=1e-4)
    assert best["success_difference"] == 0 and best["success_difference_low"] < 0 and best["verdict"] == "worse"
    moments = result.loc[("rbm", "equal updates", "moments")]
    assert moments["success_difference"] == pytest.approx(0.4) and moments["trained_pairs"] == 3
    assert moments["difference"] > 0 and moments["verdict"] == "undecided"  # success differs, and does not decide


def test_few_pairs_and_failures_of_both_decide_nothing():
    four = effects({("he_normal", "none"): [0.1] * 4, ("he_normal", "autoencoder"): [0.95] * 4})
    assert four["success_difference"].iloc[0] == 1 and four["verdict"].iloc[0] == "undecided"
    lost = effects({("he_normal", "none"): [np.nan] * 6, ("he_normal", "autoencoder"): [0.5] * 6})
    assert lost["verdict"].iloc[0] == "undecided" and lost["trained_pairs"].iloc[0] == 0


def test_at_equal_time_the_reference_is_read_after_as_many_seconds():
    at, summary = runs_and_summary(FIELD)
    steps = [0, 100, 200, 299, 301, 400]  # 3 seconds are 300 updates of 10 ms
    scores = {"none+longer": [0.1, 0.3, 0.5, 0.91, 0.97, 0.97], "none": [0.1, 0.92]}
    curves = pd.concat(
        pd.DataFrame({"run_id": run.run_id, "step": steps[: len(values)], "test_score": values})
        for run in at[BUDGET].itertuples()
        if (values := scores.get(run.pretraining))
    )
    result = pretraining_time_effects(at, summary, curves, {"digits": TARGET}, MARGIN)
    assert set(result["compared_at"]) == {"equal time"} and set(result["pretraining"]) == {"rbm", "rbm+moments"}
    rbm = result[result["pretraining"] == "rbm"].set_index("reference_initializer")
    assert set(rbm["compared_with"]) == {"same start", "random start", "best random start"}
    longer = rbm.loc["normal:1"]
    assert longer["reference_updates"] == 299 and longer["success_difference"] == 0
    assert longer["difference"] == pytest.approx(np.mean(FIELD["normal:0.01", "rbm"]) - 0.91)
    # There is no longer arm of He's, so it is read where its training ends.
    assert rbm.at["he_normal", "reference_updates"] == 100 and rbm.at["he_normal", "reference_pretraining"] == "none"
    assert rbm.at["he_normal", "is_cut_short"] and not longer["is_cut_short"]
    assert rbm.at["he_normal", "difference"] == pytest.approx(longer["difference"] - 0.01)
    assert rbm.at["he_normal", "difference_low"] > MARGIN  # better than a network that has had a third of the time
    assert (rbm.at["he_normal", "verdict"], longer["verdict"]) == ("undecided", "better")


def test_a_study_without_pretraining_has_none():
    made = {("he_normal", "none"): [0.5], ("he_normal", "none+longer"): [0.6]}
    assert effects(made).empty
    at, summary = runs_and_summary(made)
    curves = pd.DataFrame({"run_id": ["he_normal none 0"], "step": [0], "test_score": [0.5]})
    assert pretraining_time_effects(at, summary, curves, {"digits": TARGET}, MARGIN).empty
