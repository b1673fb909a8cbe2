"""Statuses, medians and the chosen rate, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winit.analysis.summary import initial_state, status, steps_to_target, summarise, tuning_table
from winit.study.protocol import Arm
from winit.vocabulary.factors import STATUSES


def test_steps_to_target():
    """Between 0 and 10 the target of 0.9 is met at log(s + 1) = (0.8/0.9) log 11, where the score went from 0.1 to 1."""
    scores = np.array([[0.1, 1.0, 0.5], [0.1, 0.2, 0.3], [0.95, np.nan, np.nan], [0.1, 0.5, np.nan]])
    got = steps_to_target(scores, np.array([0, 10, 100]), 0.9)
    assert got.tolist() == pytest.approx([11 ** (0.8 / 0.9) - 1, np.inf, 0, np.inf])


def test_steps_to_target_are_those_of_a_score_that_is_linear_in_the_log_of_the_step():
    """Whatever steps are evaluated: the crossing of a line does not depend on them."""

    def line(steps: np.ndarray) -> np.ndarray:
        return (0.1 * np.log1p(steps))[None, :]

    for steps in (np.arange(100), np.array([0, 3, 50, 2000]), np.array([0, 1, 2000])):
        assert steps_to_target(line(steps), steps, 0.25)[0] == pytest.approx(np.exp(2.5) - 1)


def test_a_target_is_met_where_a_step_has_exactly_its_score():
    """The first crossing counts, also where the score falls again."""
    scores = np.array([[0.2, 0.5, 0.7], [0.2, 0.9, 0.1], [0.5, 0.5, 0.5]], dtype=np.float32)
    assert steps_to_target(scores, np.array([0, 4, 9]), 0.5).tolist() == pytest.approx([4, 5 ** (3 / 7) - 1, 0])


def statuses(budget: int = 30, **columns) -> list[str]:
    frame = pd.DataFrame({"steps_to_target": np.inf, "test_score": 0.5, "test_loss": 1.0} | columns)
    given = columns.get("diverged_step", [pd.NA] * len(frame))
    return status(frame.assign(diverged_step=pd.array(given, dtype="Int64")), budget, target=0.9, limit=0.15).tolist()


def test_status():
    got = statuses(
        diverged_step=[pd.NA, pd.NA, pd.NA, pd.NA, pd.NA, 7, 7],
        steps_to_target=[10.0, 10.0, 10.0, np.inf, np.inf, np.inf, 3.0],
        test_score=[0.9, 0.89, 0.1, 0.15, 0.16, np.nan, np.nan],
        test_loss=[1.0, 1.0, 1.0, 1.0, 1.0, np.nan, np.nan],
    )
    assert got == ["ok", "lost_target", "lost_target", "stuck", "missed_target", "diverged", "diverged"]
    assert set(got) == set(STATUSES)


def test_a_run_that_diverges_after_a_budget_has_not_diverged_at_it():
    """The forward pass after the last update of a budget of 30 is that of step 31."""
    at = {budget: statuses(budget, diverged_step=[7, 30, 31, 32, pd.NA]) for budget in (6, 30)}
    assert at[30] == ["diverged"] * 3 + ["missed_target"] * 2
    assert at[6] == ["diverged"] + ["missed_target"] * 4
    assert statuses(5, diverged_step=[7]) == ["missed_target"]


def test_a_loss_that_is_not_finite_is_a_divergence():
    assert statuses(test_score=[0.95, 0.95], test_loss=[np.inf, np.nan]) == ["diverged"] * 2


def runs_of(**columns) -> pd.DataFrame:
    """Return a runs table of three replicates at two rates, with the given columns."""
    n = 6
    frame = pd.DataFrame(
        {
            "run_id": [str(i) for i in range(n)], "dataset": "digits", "activation": "relu", "depth": 2, "width": 8,
            "batch_norm": False, "dropout": 0.0, "optimizer": "sgd",
            "initializer": "he_normal", "pretraining": "none", "pretraining_rate": 1.0,
            "learning_rate": [0.1] * 3 + [1.0] * 3, "role": "judged", "replicate": [0, 1, 2] * 2,
            "status": ["ok"] * 3 + ["diverged"] * 2 + ["ok"], "steps_to_target": [5.0, 7.0, 6.0, np.inf, np.inf, 2.0],
            "validation_loss": [0.3, 0.2, 0.1, np.nan, np.nan, 0.01], "validation_score": [0.9, 0.92, 0.94, np.nan, np.nan, 0.99],
            "test_score": [0.8, 0.9, 0.85, np.nan, np.nan, 0.97], "test_loss": [0.3, 0.2, 0.1, np.nan, np.nan, 0.01],
            "train_score": 0.9, "train_loss": [0.3, 0.2, 0.1, np.nan, np.nan, 0.01], "chance": 0.1, "is_extension": False,
        }
    )  # fmt: skip
    return frame.assign(**columns)


def summary_of(runs: pd.DataFrame) -> pd.DataFrame:
    return summarise(runs, tuning_table(runs))


def test_summary_counts_failures_as_guessing():
    slow, fast = summary_of(runs_of()).sort_values("learning_rate").to_dict("records")
    assert (slow["runs"], slow["ok"], slow["diverged"]) == (3, 3, 0)
    assert [fast[name] for name in ("runs", *STATUSES)] == [3, 1, 0, 0, 0, 2]
    assert slow["steps_to_target"] == 6 and fast["steps_to_target"] == np.inf
    assert slow["test_score"] == pytest.approx(0.85)
    assert (slow["test_score_minimum"], slow["test_score_maximum"]) == (0.8, 0.9)
    assert fast["test_score"] == pytest.approx((0.1 + 0.1 + 0.97) / 3) and fast["test_score_minimum"] == 0.1
    assert fast["test_loss"] == fast["train_loss"] == np.inf and slow["test_loss"] == 0.2
    assert fast["success_rate"] == pytest.approx(1 / 3) and fast["success_low"] < 1 / 3 < fast["success_high"]
    assert slow["is_best_rate"] and not fast["is_best_rate"]
    assert slow["is_edge_rate"] and not fast["is_edge_rate"]  # both rates of a grid of two are edges; one is chosen
    assert fast["tuning_score"] == pytest.approx((0.1 + 0.1 + 0.99) / 3) and slow["tuning_score"] == pytest.approx(0.92)


def test_the_rate_is_chosen_on_validation_and_not_on_test():
    best = summary_of(
        runs_of(
            status="ok",
            validation_score=[0.9] * 3 + [0.95] * 3,
            test_score=[0.99] * 3 + [0.5] * 3,
            validation_loss=[0.1] * 6,
        )
    )
    assert best.loc[best["is_best_rate"], "learning_rate"].tolist() == [1.0]


def test_the_rate_is_chosen_by_the_mean_and_of_equals_it_is_the_smaller():
    """Two of three replicates are better at 1: a median would choose it. Losses decide nothing."""
    worse = tuning_table(runs_of(status="ok", validation_score=[0.8, 0.8, 0.8, 0.9, 0.9, 0.1]))
    assert worse.loc[worse["is_chosen"], "learning_rate"].tolist() == [0.1]
    assert worse["mean_score"].tolist() == pytest.approx([0.8, 1.9 / 3])
    same = tuning_table(runs_of(status="ok", validation_score=0.9, validation_loss=[0.9] * 3 + [0.1] * 3))
    assert same.loc[same["is_chosen"], "learning_rate"].tolist() == [0.1]


def tuned_runs() -> pd.DataFrame:
    """Return an arm that was tuned at three rates, the last an extension, and judged at the chosen and the fixed one."""
    columns = {"status": "ok", "validation_score": 0.9, "test_score": 0.9, "steps_to_target": 5.0}
    tuning = runs_of(**columns, role="tuning", replicate=[-1, -2, -3] * 2)
    beyond = tuning.iloc[:3].assign(learning_rate=10.0, is_extension=True)
    frame = pd.concat([tuning, beyond, runs_of(**columns)], ignore_index=True)
    frame["validation_score"] = [0.5] * 3 + [0.8, 0.7, 0.9] + [0.6] * 3 + [0.99] * 3 + [0.1] * 3
    return frame.assign(run_id=[str(i) for i in range(len(frame))])


def test_tuning_runs_choose_and_judged_ones_tell():
    runs = tuned_runs()
    table = tuning_table(runs)
    assert table["learning_rate"].tolist() == [0.1, 1.0, 10.0] and table["runs"].tolist() == [3, 3, 3]
    assert table["mean_score"].tolist() == pytest.approx([0.5, 0.8, 0.6])
    assert table["is_chosen"].tolist() == [False, True, False] and not table["is_edge"].any()
    assert table["is_extension"].tolist() == [False, False, True]
    summary = summarise(runs, table)
    assert summary["learning_rate"].tolist() == [0.1, 1.0] and summary["runs"].tolist() == [3, 3]
    assert summary["is_best_rate"].tolist() == [False, True] and not summary["is_edge_rate"].any()
    assert summary["tuning_score"].tolist() == pytest.approx([0.5, 0.8])
    runs.loc[runs["learning_rate"] == 10.0, "validation_score"] = 0.95
    edge = tuning_table(runs)
    assert edge["is_chosen"].tolist() == edge["is_edge"].tolist() == [False, False, True]


def test_rates_of_pretraining_that_were_not_chosen_have_rows_and_choose_nothing():
    runs = tuned_runs().assign(pretraining="rbm")
    other = runs[(runs["role"] == "tuning") & (runs["learning_rate"] == 0.1)].assign(
        pretraining_rate=3.0, validation_score=0.95
    )
    table = tuning_table(pd.concat([runs, other], ignore_index=True))
    assert len(table) == 4 and table.loc[table["pretraining_rate"] == 3.0, "mean_score"].tolist() == pytest.approx(
        [0.95]
    )
    assert table.loc[table["is_chosen"], ["pretraining_rate", "learning_rate"]].to_numpy().tolist() == [[1.0, 1.0]]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([0.05, 0.1, 0.3, 0.6, 0.9, float("nan")]), min_size=9, max_size=9))
def test_the_choice_is_that_of_the_protocol(values):
    """From the same scores, the table and the schedule choose the same rate; NaN is a run that diverged."""
    rates = (0.1, 1.0, 10.0)
    arm = Arm("he_normal", "none", (1.0,), rates, replicates=3, tuning_replicates=3, extensions=0, fixed_rate=0.1)
    runs = tuned_runs()
    runs.loc[:8, "validation_score"] = values
    runs.loc[:8, "status"] = ["diverged" if np.isnan(v) else "ok" for v in values]
    trials = [(rate, replicate) for rate in rates for replicate in (-1, -2, -3)]
    scores = {f"{rate}|{i}": (max(0.1, np.nan_to_num(v)),) for (rate, i), v in zip(trials, values, strict=True)}
    schedule = arm.schedule(scores, 0.15, lambda factor, rate, i: f"{rate}|{i}")
    judged = {run.learning_rate for run in schedule.runs if run.role == "judged"}
    table = tuning_table(runs)
    assert {0.1, *table.loc[table["is_chosen"], "learning_rate"]} == judged


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
