"""Uncertainty from choosing the rate: probabilities by hand, and the variance of the results."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.analysis.choice import choice_noise, choice_variance, probabilities

RNG = np.random.default_rng


def test_a_clear_choice_is_always_made_again_and_ties_go_to_the_smaller_rate():
    clear = np.array([[0.1, 0.1, 0.1], [0.9, 0.8, 0.85]])
    assert probabilities(clear, 100, RNG(0)).tolist() == [0, 1]
    assert probabilities(np.full((3, 3), 0.7), 100, RNG(0)).tolist() == [1, 0, 0]


def test_a_failure_among_three_is_left_out_as_often_as_three_draws_miss_it():
    # The second rate is better unless its failure is drawn: (2/3)³ of the draws miss it.
    scores = np.array([[0.8, 0.8, 0.8], [0.9, 0.9, 0.1]])
    assert probabilities(scores, 20_000, RNG(0))[1] == pytest.approx(8 / 27, abs=0.02)


def test_one_rate_is_no_choice_and_one_replicate_does_not_know_its_noise():
    assert probabilities(np.array([[0.5]]), 100, RNG(0)).tolist() == [1]
    unknown = probabilities(np.array([[0.5], [0.6]]), 100, RNG(0))
    assert np.isnan(unknown).all()
    assert np.isnan(choice_variance(unknown, np.array([0.5, 0.6]), np.zeros(2), np.ones(2)))
    # Where every rate gives the same, no choice of one matters.
    assert choice_variance(unknown, np.array([0.5, 0.5]), np.zeros(2), np.ones(2)) == 0


def test_the_variance_of_a_choice_between_two_results():
    p, means, runs = np.array([0.25, 0.75]), np.array([0.5, 0.9]), np.array([10, 3])
    assert choice_variance(p, means, np.zeros(2), runs) == pytest.approx(0.25 * 0.75 * 0.4**2)
    # Half of p(1 − p)(s²/10 + s²/3) is the noise of the results themselves.
    noise = 0.25 * 0.75 * (0.01 / 10 + 0.01 / 3) / 2
    assert choice_variance(p, means, np.full(2, 0.01), runs) == pytest.approx(0.25 * 0.75 * 0.4**2 - noise)
    assert choice_variance(p, means, np.full(2, 10.0), runs) == 0
    assert choice_variance(np.array([0.0, 1.0]), means, np.zeros(2), runs) == 0
    assert choice_variance(p, np.array([np.nan, 0.9]), np.full(2, np.nan), np.array([0, 3])) == 0


def runs_of(tuned: dict[float, list[float]], judged: dict[float, list[float]]) -> pd.DataFrame:
    """Return the runs of one arm from test scores by rate; validation scores are equal to them."""
    facts = {"dataset": "digits", "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd", "activation": "tanh",
             "depth": 2, "initializer": "he_normal", "pretraining": "none", "pretraining_rate": 1.0, "chance": 0.1}  # fmt: skip
    return pd.DataFrame([
        facts | {"role": role, "replicate": -1 - n if role == "tuning" else n, "learning_rate": rate, "validation_score": score,
                 "test_score": score, "status": "ok" if score > 0.5 else "stuck"}
        for role, scores in (("tuning", tuned), ("judged", judged)) for rate, of in scores.items() for n, score in enumerate(of)
    ])  # fmt: skip


def test_an_arm_whose_best_rate_fails_now_and_then_carries_noise():
    safe = {0.1: [0.8] * 3, 1.0: [0.6] * 3}
    edge = {0.1: [0.8] * 3, 1.0: [0.9, 0.9, 0.55]}
    of_safe, of_edge = (choice_noise(runs_of(tuned, {0.1: [0.8] * 10}), 0, 500).iloc[0] for tuned in (safe, edge))
    assert (of_safe == 0).all()
    assert (
        of_edge["success"] == 0 and of_edge["score"] == of_edge["trained_score"] == 0
    )  # both rates give about as much
    split = {0.1: [0.8] * 3, 1.0: [0.9, 0.9, 0.1]}
    noisy = choice_noise(runs_of(split, {0.1: [0.8] * 10}), 0, 500).iloc[0]
    assert noisy["success"] > 0.005


def test_judged_runs_choose_where_nothing_was_tuned():
    judged = {0.1: [0.8, 0.7] * 3, 1.0: [0.9, 0.1] * 3}
    noise = choice_noise(runs_of({}, judged), 0, 500).iloc[0]
    assert noise["success"] > 0 and noise["score"] > 0
    assert (choice_noise(runs_of({}, {0.1: [0.8, 0.7] * 3}), 0, 500).iloc[0] == 0).all()
    assert choice_noise(runs_of({}, judged).head(0), 0, 500).empty
