"""Verdicts on claims, and the sentences that tell them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.analysis.claims.made_up import (
    FASTER,
    TRAINS,
    arm,
    contrast,
    gain,
    tables,
)
from winit.analysis.claims.declaration import VERDICTS
from winit.analysis.claims.judging import verdict


@pytest.mark.parametrize(
    ("supporting", "refuting", "undecided", "word"),
    [
        (3, 0, 0, "supported"), (2, 0, 1, "supported"), (1, 0, 1, "undecided"), (0, 3, 0, "refuted"), (0, 2, 1, "refuted"),
        (0, 1, 1, "undecided"), (9, 1, 0, "mixed"), (1, 9, 0, "mixed"), (0, 0, 2, "undecided"), (0, 0, 0, "not tested here"),
    ],
)  # fmt: skip
def test_verdicts(supporting, refuting, undecided, word):
    assert verdict(["supports"] * supporting + ["refutes"] * refuting + ["undecided"] * undecided) == word
    assert word in VERDICTS


def test_deepest_is_that_of_each_place(judged):
    made = tables(arm("kumar", depth=10), arm("kumar", depth=5), arm("kumar", depth=5, dataset="spirals"))
    cells = judged(made, contrast("success", *TRAINS, initializer=["kumar"], depth="deepest"))[1]
    assert dict(zip(cells["dataset"], cells["depth"], strict=True)) == {"digits": 10, "spirals": 5} and len(cells) == 2


def test_the_ledger_says_what_was_declared_and_what_came_of_it(judged):
    made = tables(arm("kumar", 5), arm("kumar", 5, depth=4), arm("kumar", 5, depth=5, status="stuck"))
    claim, _ = judged(made, contrast("success", *TRAINS, initializer=["kumar"]), gain("he_normal"))
    assert claim["claim"] == "so" and claim["correction"] == "" and claim["figure"] == "signals"
    assert claim["rule"] == (
        "share of runs that reach the target, Kumar: supports if at least 50 %, refutes if at most 50 %; "
        "gain in test accuracy, He normal over Glorot normal: supports if at least 1 point, refutes if at most 1 point"
    )
    assert claim["evidence"] == (
        "Share of runs that reach the target, Kumar: 2 of 3 cells support it, 1 refute it, 0 undecided; "
        "median 100 %, from 0 to 100 %. Gain in test accuracy, He normal over Glorot normal: no runs to tell."
    )
    assert claim["verdict"] == "mixed"


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ((20.0, 60.0), "median 4, from 2 to 6."),
        ((20.0, np.inf), "median 2, from 2 to ∞."),
        ((20.0, 60.0, np.inf), "median 6, from 2 to ∞."),
    ],
)
def test_cells_are_told_with_their_median(judged, steps, told):
    arms = [
        side
        for depth, theirs in enumerate(steps, start=1)
        for side in (
            arm("he_normal", 1, depth=depth, steps_to_target=10.0),
            arm("normal:0.01", 1, depth=depth, steps_to_target=theirs),
        )
    ]
    claim, _ = judged(tables(*arms), contrast("speed", {"at_least": 2}, {"at_most": 1.25}, **FASTER))
    assert claim["evidence"].endswith(told)


def test_one_cell_is_told_with_its_interval(judged):
    made = tables(arm("he_normal", test_score=[0.9, 0.8, 0.7]), arm("glorot_normal", test_score=[0.5, 0.5, 0.5]))
    claim, _ = judged(made, gain("he_normal"))
    # Standard deviation 0.1: 0.3 ± 4.3027 · 0.1/√3.
    assert claim["evidence"].endswith("the only cell supports it; +30.0 points (95 % interval +5.2 to +54.8 points).")


def test_claims_without_their_arms_and_of_autoencoders_are_not_tested(judged):
    lacking = tables(arm("torch_default"))
    claim, cells = judged(lacking, gain("he_normal"))
    assert claim["verdict"] == "not tested here" and claim["cells"] == 0 and cells.empty
    assert claim["evidence"] == "This study has none of the runs that it needs."
    made = tables(arm("he_normal"), arm("glorot_normal"))
    assert judged(made, gain("he_normal"))[0]["cells"] == 1
    assert judged(made, gain("he_normal"), is_reconstruction=True)[0]["verdict"] == "not tested here"


def test_a_contrast_is_narrowed_and_normed_and_pretrained_runs_stay_apart(judged):
    arms = [
        arm("kumar", depth=depth, activation=activation, dataset=dataset)
        for depth in (2, 5, 10) for activation in ("tanh", "sigmoid") for dataset in ("digits", "spirals")
    ]  # fmt: skip
    aside = [
        arm("kumar", **{key: value}) for key, value in [("batch_norm", True), ("dropout", 0.5), ("pretraining", "rbm")]
    ]
    made = tables(*arms, *aside)

    def places(**parameters: object) -> list[tuple]:
        cells = judged(made, contrast("success", *TRAINS, initializer=["kumar"], **parameters))[1]
        assert (cells["replicates"] == 3).all()
        return sorted({(r.dataset, r.activation, r.depth) for r in cells.itertuples()})

    assert len(places()) == 12 and len(places(depth="all")) == 12
    assert places(activation=["sigmoid"], dataset="digits", depth="deepest") == [("digits", "sigmoid", 10)]
    assert {depth for *_, depth in places(depth=5)} == {5, 10}
