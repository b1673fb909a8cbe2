"""Judging of claims: outcomes of cells, verdicts on contrasts and claims, and the sentences about them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.analysis.claims.made_up import TRAINS, arm, contrast, declared, gain, tables, trains, trains_more, tuned
from winit.analysis.claims.declaration import OUTCOMES, VERDICTS, Condition, Contrast
from winit.analysis.claims.estimates import UNKNOWN, counted, mean, share
from winit.analysis.claims.evidence import Evidence
from winit.analysis.claims.judging import CellOutcome, combined, decide, judge, verdict

PLACE = ("digits", "tanh", 3, 8, "sgd")


@pytest.mark.parametrize(
    ("supporting", "refuting", "undecided", "silent", "word"),
    [
        (3, 0, 0, 0, "supported"), (2, 0, 1, 0, "supported"), (1, 0, 1, 0, "undecided"), (0, 3, 0, 0, "refuted"),
        (0, 2, 1, 0, "refuted"), (0, 1, 1, 0, "undecided"), (0, 0, 2, 0, "undecided"), (0, 0, 0, 0, "not tested here"),
        (40, 1, 0, 0, "supported"), (1, 40, 0, 0, "refuted"),  # one cell among forty turns nothing around
        (9, 1, 0, 0, "mixed"), (1, 9, 0, 0, "mixed"), (1, 1, 0, 0, "mixed"), (3, 2, 16, 0, "undecided"), (11, 1, 9, 0, "supported"),
        (2, 0, 0, 9, "supported"), (0, 0, 0, 3, "undecided"), (9, 1, 0, 90, "mixed"),  # no evidence does not count
    ],
)  # fmt: skip
def test_verdicts_on_contrasts(supporting, refuting, undecided, silent, word):
    counts = dict(zip(OUTCOMES, (supporting, refuting, undecided, silent), strict=True))
    assert verdict([outcome for outcome, count in counts.items() for _ in range(count)]) == word
    assert word in VERDICTS


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "refuted", "mixed", "not tested here"], "refuted"),
        (["supported", "mixed", "not tested here"], "mixed"),
        (["supported", "not tested here", "undecided"], "not tested here"),
        (["supported", "undecided"], "undecided"),
    ],
)
def test_a_claim_asserts_all_its_contrasts(verdicts, word):
    assert combined(verdicts) == combined(verdicts[::-1]) == word and word in VERDICTS


ABOVE = Contrast("accuracy_gain", {}, Condition("at_least", (0,)), Condition("at_most", (0,)))
HALF = Contrast("success", {}, Condition("at_least", (0.5,)), Condition("at_most", (0.5,)))


def cells(*estimates, replicates: int = 10) -> list[CellOutcome]:
    return [CellOutcome(Evidence(PLACE, estimate, replicates, "kumar"), 500) for estimate in estimates]


def shifted(shift: float):
    """Return an estimate of ten values with a standard deviation of 1, whose p-value is that of t₉ = shift √10."""
    values = np.linspace(-1, 1, 10)
    return mean(values / values.std(ddof=1) + shift)


def outcomes(contrast: Contrast, made: list[CellOutcome]) -> list[str]:
    return [cell.outcome for cell in decide(contrast, made)]


def test_one_cell_is_judged_at_95_percent_and_each_of_many_at_more():
    lone = decide(ABOVE, cells(shifted(0.8)))[0]  # t = 2.53, p = .032
    assert lone.outcome == "supports" and lone.level == 0.95
    many = decide(ABOVE, cells(shifted(0.8), *[shifted(0)] * 3))
    assert [cell.outcome for cell in many] == ["undecided"] * 4 and many[0].level == 1 - 0.05 / 4
    assert many[0].low < 0 < many[0].high  # the interval beside the outcome is the one that decided


def test_cells_that_decide_make_room_for_others_as_benjamini_and_hochberg_say():
    shifts = [0.0, 0.1, 0.8, 1.2, 2.0, -2.0]  # p = 1, .76, .032, .0042, .0001, .0001
    told = decide(ABOVE, cells(*map(shifted, shifts)))
    # Sorted: .0001, .0001, .0042 ≤ .05 · 3/6 and .032 ≤ .05 · 4/6: four decide, each at 1 − .05 · 4/6.
    assert [cell.outcome for cell in told] == ["undecided", "undecided", "supports", "supports", "supports", "refutes"]
    assert [cell.level for cell in told] == pytest.approx([1 - 0.05 * 4 / 6] * 6)
    two_less = [shifted(s) for s in (0.0, 0.0, 0.0, *shifts)]
    assert outcomes(ABOVE, cells(*two_less))[5] == "undecided"  # .032 > .05 · 4/9


def test_many_cells_that_agree_can_decide():
    assert outcomes(HALF, cells(*[share(10, 10)] * 60)) == ["supports"] * 60
    assert outcomes(HALF, cells(*[share(0, 10)] * 60)) == ["refutes"] * 60


def test_chance_alone_decides_in_at_most_five_percent():
    """Thirty cells at the threshold: in how many studies does any of them decide?"""
    rng = np.random.default_rng(0)
    studies = [cells(*(mean(rng.normal(size=10)) for _ in range(30))) for _ in range(200)]
    wrong = np.mean([any(outcome != "undecided" for outcome in outcomes(ABOVE, study)) for study in studies])
    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_few_replicates_and_missing_numbers_are_no_evidence_and_take_no_room():
    few = cells(counted(1.0), replicates=4)
    unknown = cells(UNKNOWN)
    told = decide(ABOVE, [*few, *unknown, *cells(shifted(0.8))])
    assert [cell.outcome for cell in told] == ["no evidence", "no evidence", "supports"] and told[2].level == 0.95
    assert np.isnan(told[0].low) and outcomes(ABOVE, few) == ["no evidence"] and decide(ABOVE, []) == []


def test_the_table_of_claims_has_declarations_and_results(judged):
    made = tables(
        arm("kumar", 10), arm("kumar", 10, depth=4), arm("kumar", 10, depth=5, status="stuck"), arm("kumar", 4, depth=6),
    )  # fmt: skip
    claim, shown = judged(made, trains("kumar"), gain("he_normal"))
    assert claim["claim"] == "so" and claim["correction"] == "" and claim["figure"] == "signals"
    assert claim["rule"] == (
        "share of runs at the target, Kumar at the full budget: supports if at least 50 %, refutes if at most 50 %; "
        "gain in test accuracy over pairs that both train, He normal over Glorot normal at the full budget: supports if at least 1 point, "
        "refutes if at most 1 point"
    )
    assert claim["evidence"] == (
        "Share of runs at the target, Kumar, after 2,000 updates: 2 of 3 cells support it, 1 refute it, 0 undecided "
        "(1 more without evidence); median 100 %, from 0 to 100 %. Gain in test accuracy over pairs that both train, He normal over "
        "Glorot normal: no runs."
    )
    assert claim[["verdict", "budget"]].to_list() == ["mixed", "2,000 updates"]
    assert claim[["cells", "supporting", "refuting", "without_evidence"]].to_list() == [4, 2, 1, 1]
    assert shown.set_index("depth")["budget"].to_dict() == dict.fromkeys((3, 4, 5, 6), 2000)


def test_one_side_of_a_comparison_does_not_support_it(judged):
    """He's networks train, and Glorot's were not tried: nothing was repaired."""
    claim, _ = judged(
        tables(arm("he_normal", 10)),
        contrast("success", {"at_most": 0.5}, {"at_least": 0.5}, initializer=["glorot_normal"]),
        trains("he_normal"),
    )
    assert claim["verdict"] == "not tested here" and claim["supporting"] == 1


def test_one_cell_is_told_with_its_interval(judged):
    scores = [0.9, 0.8, 0.7, 0.9, 0.7]
    claim, _ = judged(
        tables(arm("he_normal", test_score=scores), arm("glorot_normal", test_score=0.5)), gain("he_normal")
    )
    # Standard deviation 0.1: 0.3 ± 2.7764 · 0.1/√5.
    assert claim["evidence"].endswith("the only cell supports it; +30.0 points (95 % interval +17.6 to +42.4 points).")


BUDGETS = {500: {"kumar": {"status": "stuck"}}, 1000: {"kumar": {"status": "missed_target"}}}


@pytest.mark.parametrize(
    ("budget", "budgets", "verdict", "said"),
    [
        ({}, [2000], "supported", "2,000 updates"),
        ({"budget": "last"}, [2000], "supported", "2,000 updates"),
        ({"budget": "first"}, [500], "refuted", "500 updates"),
        ({"budget": "all"}, [500, 1000, 2000], "mixed", "500, 1,000 and 2,000 updates"),
    ],
)
def test_a_contrast_is_judged_at_its_budget_and_states_it(judged, budget, budgets, verdict, said):
    claim, shown = judged(tables(arm("kumar", 10), earlier=BUDGETS), trains("kumar", **budget))
    assert shown["budget"].to_list() == budgets and claim["verdict"] == verdict and claim["budget"] == said
    assert f", after {said}: " in claim["evidence"]


def test_the_rate_and_the_best_of_a_budget_are_those_chosen_at_it(judged):
    """Kumar is the better at 500 updates and He at 2,000, in tuning; in judging it is the other way round."""
    earlier = {500: {"kumar": {"validation_score": 0.8, "status": "stuck"}, "he_normal": {"validation_score": 0.3}}}
    made = tables(
        arm("kumar", 10), tuned("kumar", 0.5), arm("he_normal", 10, status="missed_target"), tuned("he_normal", 0.9),
        earlier=earlier,
    )  # fmt: skip
    best = contrast("best_success", *TRAINS, initializer=["kumar", "he_normal"], budget="all")
    shown = judged(made, best)[1].set_index("budget")
    assert shown["initializer"].to_dict() == {500: "kumar", 2000: "he_normal"}
    assert shown["value"].to_dict() == {500: 0.0, 2000: 0.0}


def test_claims_without_their_arms_and_of_autoencoders_are_not_tested(judged):
    lacking = tables(arm("torch_default"))
    claim, shown = judged(lacking, gain("he_normal"))
    assert claim["verdict"] == "not tested here" and claim["cells"] == 0 and shown.empty and claim["budget"] == ""
    assert claim["evidence"] == "This study has no runs for it."
    made = tables(arm("he_normal"), arm("glorot_normal"))
    assert judged(made, gain("he_normal"))[0]["cells"] == 1
    assert judged(made, gain("he_normal"), is_reconstruction=True)[0]["verdict"] == "not tested here"


def test_where_every_run_diverged_there_is_no_evidence(judged):
    made = tables(
        *(arm(name, 10, status="diverged", steps_to_target=np.inf) for name in ("he_normal", "glorot_normal"))
    )
    speed = contrast(
        "speed", {"at_least": 2}, {"at_most": 2}, initializer=["he_normal"], compared_with=["glorot_normal"]
    )
    claim, shown = judged(
        made, trains("he_normal"), gain("he_normal"), speed, trains_more("he_normal", "glorot_normal")
    )
    assert (shown["outcome"] == "no evidence").all() and len(shown) == 4 and claim["verdict"] == "undecided"


def test_a_contrast_selects_runs_without_batch_norm_and_pretraining(judged):
    arms = [
        arm("kumar", depth=depth, activation=activation, dataset=dataset)
        for depth in (2, 5, 10) for activation in ("tanh", "sigmoid") for dataset in ("digits", "spirals")
    ]  # fmt: skip
    aside = [
        arm("kumar", **{key: value}) for key, value in [("batch_norm", True), ("dropout", 0.5), ("pretraining", "rbm")]
    ]
    made = tables(*arms, *aside)

    def places(**parameters: object) -> list[tuple]:
        shown = judged(made, trains("kumar", **parameters))[1]
        assert (shown["replicates"] == 5).all()
        return sorted({(r.dataset, r.activation, r.depth) for r in shown.itertuples()})

    assert len(places()) == 12 and len(places(depth="all")) == 12
    assert places(activation=["sigmoid"], dataset="digits", depth=10) == [("digits", "sigmoid", 10)]
    assert {depth for *_, depth in places(depth=5)} == {5, 10}
    assert {depth for *_, depth in places(depth=[5, 2])} == {2, 5}
    assert places(depth=20) == []


def test_several_claims_keep_their_order_and_their_own_cells(tmp_path):
    made = tables(arm("kumar", 10), arm("he_normal", 10, status="stuck"))
    claims = declared(tmp_path, trains("kumar")) + declared(tmp_path, trains("he_normal"), id="other")
    both = judge(claims, made)
    assert both["claims"].set_index("claim")["verdict"].to_dict() == {"so": "supported", "other": "refuted"}
    assert both["claims_evidence"]["claim"].to_list() == ["so", "other"]
