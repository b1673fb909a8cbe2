"""Measures of training outcomes, on tables small enough to check by hand."""

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
    trains,
    trains_more,
    tuned,
)

LOST = ["lost_target", "missed_target", "stuck", "stuck", "diverged"]
HALF = ["ok", "stuck"] * 5


def test_success_is_the_share_that_is_ok(judged):
    made = tables(arm("kumar", 10), arm("glorot_normal", 10, status=2 * LOST), arm("he_normal", 10, status=HALF))
    claim, cells = judged(made, trains("kumar", "glorot_normal", "he_normal"))
    cells = cells.set_index("initializer")
    assert cells["value"].to_dict() == {"kumar": 1.0, "glorot_normal": 0.0, "he_normal": 0.5}
    assert cells["outcome"].to_dict() == {"kumar": "supports", "glorot_normal": "refutes", "he_normal": "undecided"}
    # Two of three cells decide: each at 1 − 0.05 · 2/3, with exact intervals: low^10 = (1 − level)/2.
    assert cells["level"].to_list() == pytest.approx([1 - 0.1 / 3] * 3)
    assert cells.loc["kumar", "low"] == pytest.approx((0.05 / 3) ** 0.1)
    assert claim["verdict"] == "mixed" and claim["budget"] == "2,000 updates"


def test_an_arm_that_always_diverges_had_no_rate(judged):
    made = tables(arm("kumar", 10, status="diverged"), arm("he_normal", 10, status=["diverged"] * 9 + ["stuck"]))
    claim, cells = judged(made, trains("kumar", "he_normal"))
    assert cells.set_index("initializer")["outcome"].to_dict() == {"kumar": "no evidence", "he_normal": "refutes"}
    assert claim["verdict"] == "refuted" and claim["without_evidence"] == 1
    assert judged(made, trains("kumar"))[0]["verdict"] == "undecided"
    assert judged(made, trains_more("kumar", "he_normal"))[1]["outcome"].to_list() == ["no evidence"]


def test_four_replicates_decide_nothing(judged):
    few = tables(arm("kumar", 4), arm("glorot_normal", 4, status="stuck"), layers={"kumar": [{"saturated": 1.0}] * 4})
    for measured in (
        trains("kumar"), trains_more("kumar", "glorot_normal"), gain("kumar"),
        contrast("saturated_share", {"at_least": 0.5}, {"at_most": 0.5}, initializer=["kumar"]),
    ):  # fmt: skip
        claim, cells = judged(few, measured)
        assert (
            claim["verdict"] == "undecided" and (cells["outcome"] == "no evidence").all() and cells["low"].isna().all()
        )
        assert claim["evidence"].split(": ", 1)[1].startswith("the only cell is not evidence: at most ")
        assert claim["evidence"].endswith(" replicates count, and at least 5 are needed.")


def best_of(*initializers: str, **more: object) -> dict:
    return contrast("best_success", *TRAINS, initializer=list(initializers), **more)


def test_the_best_is_chosen_on_tuning_runs(judged):
    made = tables(
        arm("kumar", 10, status="stuck"), tuned("kumar", 0.95), arm("he_normal", 10), tuned("he_normal", 0.9),
        arm("glorot_normal", 10), tuned("glorot_normal", 0.2), tuned("kumar", 0.1, learning_rate=3.0),
    )  # fmt: skip
    claim, cells = judged(made, best_of("glorot_normal", "he_normal", "kumar"))
    assert cells["initializer"].to_list() == ["kumar"] and claim["verdict"] == "refuted"
    assert judged(made, best_of("glorot_normal", "he_normal"))[0]["verdict"] == "supported"
    assert judged(made, best_of("lecun_normal"))[0]["verdict"] == "not tested here"


def test_judged_runs_choose_no_best(judged):
    made = tables(arm("kumar", 10), arm("he_normal", 10))
    assert judged(made, best_of("kumar", "he_normal"))[0]["verdict"] == "not tested here"
    assert judged(made, best_of("kumar", "zeros"))[0]["verdict"] == "supported"  # one alone is no choice


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome"),
    [
        (["ok"] * 10, ["stuck"] * 10, "supports"),
        (["stuck"] * 10, ["ok"] * 10, "refutes"),
        (["ok"] * 10, ["ok"] * 10, "undecided"),
        (["ok"] * 5 + ["stuck"] * 5, ["ok"] * 3 + ["stuck"] * 7, "undecided"),
        (["stuck"] * 10, ["missed_target"] * 10, "no evidence"),  # nothing trains: nothing to compare
    ],
)
def test_success_is_compared_in_pairs(judged, ours, theirs, outcome):
    made = tables(arm("kumar", 10, status=ours), arm("glorot_normal", 10, status=theirs))
    claim, cells = judged(made, trains_more("kumar", "glorot_normal"))
    assert cells["outcome"].to_list() == [outcome] and cells.loc[0, "compared_with"] == "glorot_normal"
    verdicts = {"supports": "supported", "refutes": "refuted"}
    assert claim["verdict"] == verdicts.get(outcome, "undecided")


def test_accuracy_is_compared_among_pairs_that_both_train(judged):
    status = ["ok"] * 6 + ["stuck", "diverged"]
    scores = [0.97, 0.96, 0.98, 0.97, 0.97, 0.97, 0.1, 0.1]
    reference = [score - 0.05 for score in scores[:6]] + [0.9, 0.9]
    made = tables(
        arm("he_normal", 8, status=status, test_score=scores), arm("glorot_normal", 8, test_score=reference),
        arm("kumar", 8, test_score=reference), arm("lecun_normal", 8, status=["ok"] * 4 + ["stuck"] * 4),
    )  # fmt: skip
    claim, cells = judged(made, gain("he_normal"))
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx([0.05] * 3)
    assert cells.loc[0, "replicates"] == 6 and claim["verdict"] == "supported" and "+5.0 points" in claim["evidence"]
    assert judged(made, gain("kumar"))[0]["verdict"] == "refuted"  # no better is not better
    assert judged(made, gain("lecun_normal"))[1]["outcome"].to_list() == ["no evidence"]  # four pairs
    failing = arm("glorot_normal", 8, test_score=reference, status=["stuck", "diverged"] + ["ok"] * 6)
    cells = judged(tables(arm("kumar", 8, test_score=0.95), failing), gain("kumar"))[1]
    assert cells.loc[0, "replicates"] == 6


def test_normed_and_dropped_arms_are_no_part_of_a_comparison(judged):
    made = tables(
        arm("he_normal", test_score=0.95), arm("glorot_normal"),
        *(arm(name, **{key: value}, test_score=0.0) for name in ("he_normal", "glorot_normal")
          for key, value in [("batch_norm", True), ("dropout", 0.5)]),
    )  # fmt: skip
    assert judged(made, gain("he_normal"))[1]["value"].to_list() == pytest.approx([0.05])


def test_only_the_chosen_rate_counts(judged):
    made = tables(
        arm("he_normal", test_score=0.95), tuned("he_normal", 0.9), arm("glorot_normal"),
        arm("he_normal", learning_rate=3.0, test_score=0.1), tuned("he_normal", 0.1, learning_rate=3.0),
    )  # fmt: skip
    assert judged(made, gain("he_normal"))[1]["value"].to_list() == pytest.approx([0.05])


def test_pretraining_is_compared_with_its_start_trained_as_much_longer(judged):
    made = tables(
        arm("normal:0.01", 10, status="stuck"), arm("normal:0.01", 10, pretraining="none+longer", status=["ok"] * 9 + ["stuck"]),
        arm("normal:0.01", 10, pretraining="rbm"), arm("normal:0.01", 10, pretraining="autoencoder", status="stuck"),
    )  # fmt: skip
    ways = ["autoencoder", "rbm", "supervised"]
    cells = judged(made, trains_more("normal:0.01", "normal:0.01", pretraining=ways))[1]
    cells = cells.set_index("pretraining")
    assert cells["value"].to_dict() == pytest.approx({"autoencoder": -0.9, "rbm": 0.1})
    assert cells["outcome"].to_dict() == {"autoencoder": "refutes", "rbm": "undecided"}
    short = made | {"runs": made["runs"][made["runs"]["pretraining"] != "none+longer"]}
    assert judged(short, trains_more("normal:0.01", "normal:0.01", pretraining=ways))[0]["verdict"] == "not tested here"


@pytest.mark.parametrize(
    ("ours", "theirs", "number", "outcome"),
    [
        ([10.0, 20.0, 40.0, 50.0, 60.0], [30.0, 60.0, 120.0, 150.0, 180.0], (3, 3, 3), "supports"),
        ([10.0] * 5, [12.5] * 5, (1.25, 1.25, 1.25), "refutes"),
        (
            [10.0] * 5,
            [15.0, 25.0, 20.0, 30.0, 13.0],
            (1.9644, 1.2772, 3.0214),
            "undecided",
        ),  # exp(0.6752 ± 2.7764 · 0.15505)
        ([10.0] * 6, [np.inf] + [40.0] * 5, (4, 4, 4), "supports"),  # of the pairs in which both arrive
        ([10.0] * 5, [np.inf] * 5, (np.nan,) * 3, "no evidence"),  # that is trainability, not speed
        ([np.inf] * 5, [10.0] * 5, (np.nan,) * 3, "no evidence"),
        ([0.0] * 5, [3.0] * 5, (3, 3, 3), "supports"),  # at the target before training
    ],
)
def test_speed(judged, ours, theirs, number, outcome):
    n = len(ours)
    made = tables(arm("he_normal", n, steps_to_target=ours), arm("normal:0.01", n, steps_to_target=theirs))
    cells = judged(made, contrast("speed", {"at_least": 2}, {"at_most": 2}, **FASTER))[1]
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx(list(number), nan_ok=True, rel=1e-3)
    assert cells.loc[0, "outcome"] == outcome


def test_a_run_that_reached_the_target_and_diverged_counts_as_never_reaching_it(judged):
    arrived = arm("he_normal", 6, status=["ok"] * 5 + ["diverged"], steps_to_target=[10.0] * 5 + [1.0])
    made = tables(arrived, arm("normal:0.01", 6, steps_to_target=50.0))
    cells = judged(made, contrast("speed", {"at_least": 2}, {"at_most": 2}, **FASTER))[1]
    assert cells.loc[0, ["value", "replicates"]].to_list() == pytest.approx([5, 5])


FORGIVES = contrast("success_spread", {"at_least": 0}, {"at_most": 0})


def normed(initializer: str, **more: object) -> list[dict]:
    return arm(initializer, 10, batch_norm=True, **more)


@pytest.mark.parametrize(
    ("without", "with_norm", "outcome"),
    [
        ("stuck", "ok", "supports"),
        ("ok", "stuck", "refutes"),
        ("stuck", "stuck", "undecided"),
        ("ok", "ok", "undecided"),
    ],
)
def test_batch_norm_makes_success_depend_less_on_the_initializer(judged, without, with_norm, outcome):
    made = tables(
        arm("he_normal", 10), arm("normal:1", 10, status=without), normed("he_normal"), normed("normal:1", status=with_norm),
        arm("zeros", 10, status="stuck"), arm("normal:1", 10, dropout=0.5), arm("normal:1", 10, pretraining="autoencoder"),
    )  # fmt: skip
    cells = judged(made, FORGIVES)[1]
    assert cells.loc[0, "outcome"] == outcome and cells.loc[0, "initializer"] == "normal:1, he_normal"


def test_where_nothing_trains_batch_norm_is_not_judged(judged):
    stuck = [
        make(name, status="stuck") for make in (normed, lambda n, **k: arm(n, 10, **k)) for name in ("kumar", "zeros")
    ]
    assert judged(tables(*stuck), FORGIVES)[1]["outcome"].to_list() == ["no evidence"]
    assert judged(tables(*stuck[:3]), FORGIVES)[0]["verdict"] == "not tested here"  # one has no range


def test_batch_norm_narrows_the_range_of_accuracy_over_what_trains(judged):
    narrows = contrast("accuracy_spread", {"at_least": 0.01}, {"at_most": 0.01})
    plain = [
        arm("he_normal", 10),
        arm("normal:1", 10, test_score=0.8),
        arm("kumar", 10, test_score=0.0, status="stuck"),
    ]
    both = [normed("he_normal", test_score=0.9), normed("normal:1", test_score=0.88), normed("kumar", test_score=0.1)]
    claim, cells = judged(tables(*plain, *both), narrows)
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx(
        [0.08] * 3
    )  # Kumar's does not train both ways
    assert claim["verdict"] == "supported"
    wider = [normed("he_normal", test_score=0.9), normed("normal:1", test_score=0.7), normed("kumar")]
    assert judged(tables(*plain, *wider), narrows)[0]["verdict"] == "refuted"
    failing = [normed("he_normal", status="stuck"), normed("normal:1"), normed("kumar")]
    assert judged(tables(*plain, *failing), narrows)[1]["outcome"].to_list() == ["no evidence"]


def helps(*ways: str, at: str = "equal updates") -> dict:
    return contrast("pretraining_gain", {"at_least": 0.01}, {"at_most": 0.01}, pretraining=list(ways), compared_at=at)


def succeeds(difference: float, low: float, high: float) -> dict:
    return {"success_difference": difference, "success_difference_low": low, "success_difference_high": high}


def scores(difference: float, low: float, high: float) -> dict:
    return {"difference": difference, "difference_low": low, "difference_high": high}


@pytest.mark.parametrize(
    ("effect", "value", "outcome"),
    [
        (
            succeeds(0.9, 0.5, 1.0) | scores(-0.1, -0.1, -0.1),
            0.9,
            "supports",
        ),  # more train, whatever the few others score
        (succeeds(0.1, -0.2, 0.4), 0.1, "undecided"),
        (succeeds(-0.9, -1.0, -0.5), -0.9, "refutes"),
        ({}, 0.05, "supports"),
        (scores(0.0, -0.002, 0.002), 0.0, "refutes"),
        (scores(0.02, 0.0, 0.04), 0.02, "undecided"),
        (
            scores(0.02, 0.0105, 0.0295),
            0.02,
            "undecided",
        ),  # at 97.5 % it reaches below a point: two numbers are looked at
        (scores(0.0, 0.0, 0.0), 0.0, "refutes"),  # both train, to the same score
        (scores(np.nan, np.nan, np.nan) | {"trained_pairs": 0}, np.nan, "no evidence"),  # stuck against stuck
        ({"trained_pairs": 4}, 0.05, "no evidence"),
        ({"is_cut_short": True}, np.nan, "no evidence"),  # the reference could have gone on
        (
            {"is_cut_short": True} | scores(-0.05, -0.06, -0.04),
            np.nan,
            "no evidence",
        ),  # nor does it count the other way
        (succeeds(0.9, 0.5, 1.0) | {"pairs": 4}, 0.9, "no evidence"),
    ],
)
def test_pretraining_is_compared_in_success_first(judged, effect, value, outcome):
    made = tables(arm("zeros"), effects=[effect])
    cells = judged(made, helps("rbm"))[1]
    assert cells["value"].to_list() == pytest.approx([value], nan_ok=True) and cells["outcome"].to_list() == [outcome]
    what = "success" if "success_difference" in effect else "test score"
    assert cells.loc[0, "quantity"] == f"gain in {what} over the best random start"
    assert cells.loc[0, "compared_with"] == "kumar"


def test_pretraining_is_compared_with_the_best_random_start_at_the_requested_equality(judged):
    made = tables(
        arm("zeros"),
        effects=[
            {}, {"compared_at": "equal time"} | scores(-0.1, -0.11, -0.09), {"compared_with": "same start"},
            {"pretraining": "autoencoder"}, {"batch_norm": True}, {"depth": 2}, {"budget": 500},
        ],
    )  # fmt: skip
    assert judged(made, helps("rbm") | {"depth": 5})[1]["value"].to_list() == [0.05]
    assert judged(made, helps("rbm", at="equal time"))[0]["verdict"] == "refuted"
    assert judged(made, helps("supervised"))[0]["verdict"] == "not tested here"
    assert judged(made, helps("rbm") | {"activation": ["tanh"]})[0]["verdict"] == "not tested here"
