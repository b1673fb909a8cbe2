"""Every measure, on tables one can check by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.analysis.claims.made_up import (
    FASTER,
    GAINS,
    LAYER,
    RUN,
    SYMMETRIC,
    TRAINS,
    arm,
    contrast,
    gain,
    tables,
    units,
)


@pytest.mark.parametrize(("most", "outcome"), [(1, "supports"), (2, "refutes")])
def test_one_run_with_two_distinct_units_breaks_the_symmetry(judged, most, outcome):
    made = tables(
        arm("zeros"), arm("constant:0.1"), layers={"zeros": units(1, 1, 1), "constant:0.1": units(1, 1, most)}
    )
    claim, cells = judged(made, SYMMETRIC)
    assert claim["evidence"].endswith(f"the only cell {outcome} it; {most}.")
    assert cells.loc[0, ["value", "replicates", "initializer", "outcome"]].to_list() == [
        most, 6, "zeros, constant:0.1", outcome
    ]  # fmt: skip
    assert np.isnan(cells.loc[0, "low"]) and claim["cells"] == 1  # the ten distinct output units are not looked at


def test_distinct_units_are_those_of_the_last_step(judged):
    made = tables(arm("zeros", 1))
    steps = [0, *[10] * 3, *[50] * 3]
    made["layers"] = pd.DataFrame(
        [
            LAYER
            | {
                "run_id": f"{0:016x}",
                "stage": "training" if step else "drawn",
                "step": step,
                "layer": i % 3 + 1,
                "distinct_units": {0: 9, 10: 5, 50: 1}[step],
            }
            for i, step in enumerate(steps)
        ]
    )
    assert judged(made, SYMMETRIC)[1].loc[0, "value"] == 1
    untouched = made | {"layers": made["layers"].iloc[:1]}
    assert judged(untouched, SYMMETRIC)[0]["verdict"] == "not tested here"  # a network before training proves nothing


def test_dropout_has_its_own_runs(judged):
    made = tables(arm("constant:0.1"), arm("constant:0.1", dropout=0.5), layers={"constant:0.1": units(1, 1, 1)})
    dropped = made["runs"].loc[made["runs"]["dropout"] > 0, "run_id"]
    made["layers"].loc[made["layers"]["run_id"].isin(dropped), "distinct_units"] = 8
    broken = contrast("distinct_units", {"at_least": 2}, {"at_most": 1}, initializer=["constant:0.1"], dropout=0.5)
    assert judged(made, broken)[0]["verdict"] == "supported"
    assert judged(made, SYMMETRIC)[0]["verdict"] == "supported"


KEEPS = ({"between": [-0.1, 0.1]}, {"outside": [-0.15, 0.15]})


VANISHES = ({"at_most": -0.1}, {"at_least": -0.05})


def test_slopes_run_the_way_the_signal_travels(judged):
    layers = [{"h_variance": v, "delta_variance": d} for v, d in [(1.0, 1e-4), (0.1, 1e-2), (0.01, 1.0), (99.0, 99.0)]]
    made = tables(arm("normal:0.01"), layers={"normal:0.01": layers})
    for measure, slope in (("activation_slope", -1.0), ("gradient_slope", -2.0)):
        claim, cells = judged(made, contrast(measure, *VANISHES, initializer=["normal:0.01"]))
        assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx([slope] * 3)
        assert claim["verdict"] == "supported" and f"; −{-slope:.2f} (95 %" in claim["evidence"]
    grows = tables(arm("normal:0.01"), layers={"normal:0.01": layers[:3][::-1] + layers[3:]})
    for measure in ("activation_slope", "gradient_slope"):
        assert judged(grows, contrast(measure, *VANISHES, initializer=["normal:0.01"]))[0]["verdict"] == "refuted"
        assert judged(grows, contrast(measure, *KEEPS, initializer=["normal:0.01"]))[0]["verdict"] == "refuted"


def test_the_interval_of_a_slope_is_over_replicates_not_over_learning_rates(judged):
    made = tables(arm("he_normal"), arm("he_normal", learning_rate=0.3))
    flat = {0: 1.0, 1: 10**0.2, 2: 10**-0.2}  # over three layers: slopes 0, +0.1, −0.1 decades a layer
    replicate = made["layers"]["run_id"].map(made["runs"].set_index("run_id")["replicate"])
    made["layers"]["h_variance"] = replicate.map(flat).where(made["layers"]["layer"] == 3, 1.0)
    middle = made["layers"]["layer"] == 2
    made["layers"].loc[middle, "h_variance"] = replicate[middle].map(lambda r: flat[r] ** 0.5)
    claim, cells = judged(made, contrast("activation_slope", *KEEPS, initializer=["he_normal"]))
    # Standard deviation 0.1, t₂ at 97.5 % 4.3027: half-width 4.3027 · 0.1/√3.
    assert cells.loc[0, "replicates"] == 3 and cells.loc[0, "value"] == pytest.approx(0, abs=1e-12)
    assert cells.loc[0, "high"] == pytest.approx(4.30265 * 0.1 / 3**0.5, rel=1e-4)
    assert claim["verdict"] == "undecided"


def test_a_single_layer_has_no_slope(judged):
    layers = [{"h_variance": 1.0}, {"h_variance": 0.1}, {}]
    made = tables(arm("kumar", depth=1), arm("kumar", depth=2), layers={"kumar": layers})
    cells = judged(made, contrast("activation_slope", *VANISHES, initializer=["kumar"]))[1]
    assert cells["depth"].to_list() == [2] and cells.loc[0, "value"] == pytest.approx(-1)


@pytest.mark.parametrize(("variances", "slope"), [([1.0, 0.0, 0.0], -np.inf), ([1.0, np.inf, np.nan], np.inf)])
def test_a_variance_of_zero_has_vanished_and_one_that_is_not_finite_exploded(judged, variances, slope):
    layers = [{"h_variance": v, "delta_variance": v} for v in [*variances, 1.0]]
    made = tables(arm("zeros"), layers={"zeros": layers})
    for measure in ("activation_slope", "gradient_slope"):
        claim, cells = judged(made, contrast(measure, *VANISHES, initializer=["zeros"]))
        assert cells.loc[0, ["value", "low", "high"]].to_list() == [slope] * 3
        assert claim["verdict"] == ("supported" if slope < 0 else "refuted")
        assert ("−∞" if slope < 0 else "+∞") in claim["evidence"]
    # Layers that a network could not be measured in are missing.
    made["layers"] = made["layers"][made["layers"]["layer"] != 2]
    assert judged(made, contrast("activation_slope", *VANISHES, initializer=["zeros"]))[1].loc[0, "value"] == np.inf


def test_some_infinite_slopes_have_their_range_for_an_interval(judged):
    made = tables(arm("normal:0.01"))
    first = made["layers"]["run_id"] == f"{0:016x}"
    made["layers"].loc[first & (made["layers"]["layer"] == 3), "h_variance"] = 0.0
    claim, cells = judged(made, contrast("activation_slope", *VANISHES, initializer=["normal:0.01"]))
    assert cells.loc[0, ["value", "low", "high"]].to_list() == [0, -np.inf, 0] and claim["verdict"] == "undecided"


@pytest.mark.parametrize(("measure", "column"), [("saturated_share", "saturated"), ("activation_mean", "h_mean")])
def test_means_over_hidden_layers(judged, measure, column):
    layers = [{column: v} for v in (0.3, 0.5, 0.7, 99.0)]
    made = tables(arm("normal:1"), arm("zeros"), layers={"normal:1": layers, "zeros": [{column: np.nan}] * 4})
    large = contrast(measure, {"at_least": 0.5}, {"at_most": 0.25}, initializer=["normal:1", "zeros"])
    claim, cells = judged(made, large)
    assert cells["initializer"].to_list() == ["normal:1"] and cells.loc[0, "value"] == pytest.approx(0.5)
    assert claim["verdict"] == "supported"
    assert (
        judged(made, contrast(measure, {"at_least": 0.6}, {"at_most": 0.5}, initializer=["normal:1"]))[0]["verdict"]
        == "refuted"
    )


def test_success_is_the_share_that_is_ok(judged):
    ok, lost = ["ok"] * 5, ["missed_target", "stuck", "diverged", "stuck", "diverged"]
    made = tables(
        arm("kumar", 5, status=ok), arm("glorot_normal", 5, status=lost), arm("he_normal", 5, status=ok[:4] + lost[:1])
    )
    cells = judged(made, contrast("success", *TRAINS, initializer=["kumar", "glorot_normal", "he_normal"]))[1]
    cells = cells.set_index("initializer")
    # Wilson's intervals of 5, 0 and 4 of 5.
    assert cells["value"].to_dict() == {"kumar": 1.0, "glorot_normal": 0.0, "he_normal": 0.8}
    assert cells.loc["kumar", "low"] == pytest.approx(0.5655, abs=1e-4)
    assert cells["outcome"].to_dict() == {"kumar": "supports", "glorot_normal": "refutes", "he_normal": "undecided"}
    three = judged(tables(arm("kumar", 3)), contrast("success", *TRAINS, initializer=["kumar"]))[1]
    assert three.loc[0, "low"] == pytest.approx(0.4385, abs=1e-4) and three.loc[0, "outcome"] == "undecided"
    few = judged(tables(arm("kumar", 2)), contrast("success", *TRAINS, initializer=["kumar"]))[1]
    assert np.isnan(few.loc[0, "low"]) and few.loc[0, "outcome"] == "supports"


def test_accuracy_is_compared_in_pairs(judged):
    made = tables(
        arm("he_normal", test_score=[0.5, 0.8, 0.6]), arm("glorot_normal", test_score=[0.2, 0.5, 0.3]),
        arm("kumar", test_score=[0.2, 0.5, 0.3]),
    )  # fmt: skip
    claim, cells = judged(made, gain("he_normal"))
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx([0.3] * 3)
    assert cells.loc[0, "compared_with"] == "glorot_normal" and claim["verdict"] == "supported"
    assert "+30.0 points" in claim["evidence"]
    assert judged(made, gain("kumar"))[0]["verdict"] == "refuted"  # no better is not better


def test_a_diverged_run_has_no_accuracy_and_tuning_replicates_none_that_counts(judged):
    diverged = arm("he_normal", status=["ok", "diverged", "ok"], test_score=[0.9, 0.9, 0.9])
    tuning = [RUN | {"initializer": "he_normal", "role": "tuning", "replicate": -1, "test_score": 0.0}]
    tuning += [RUN | {"initializer": "glorot_normal", "role": "tuning", "replicate": -1, "test_score": 1.0}]
    cells = judged(tables(diverged, arm("glorot_normal"), tuning), gain("he_normal"))[1]
    assert cells.loc[0, "value"] == pytest.approx(-0.3) and cells.loc[0, "replicates"] == 3
    assert cells.loc[0, "outcome"] == "undecided"


def test_the_best_of_several_is_chosen_on_validation(judged):
    made = tables(
        arm("he_normal", validation_score=0.8, test_score=0.99), arm("glorot_normal"),
        arm("he_uniform", validation_score=0.9, validation_loss=0.5, test_score=0.92),
        arm("kumar", validation_score=0.9, validation_loss=0.6, test_score=0.97),
    )  # fmt: skip
    cells = judged(made, gain("he_normal", "kumar", "he_uniform"))[1]
    assert cells["initializer"].to_list() == ["he_uniform"] and cells.loc[0, "value"] == pytest.approx(0.02)


def test_what_diverged_is_not_the_best(judged):
    made = tables(
        arm("he_normal", validation_score=0.99, status="diverged"), arm("glorot_normal"),
        arm("he_uniform", validation_score=0.3, test_score=0.3),
    )  # fmt: skip
    assert judged(made, gain("he_normal", "he_uniform"))[1]["initializer"].to_list() == ["he_uniform"]


def test_normed_and_dropped_arms_are_no_part_of_a_comparison(judged):
    made = tables(
        arm("he_normal", test_score=0.95), arm("glorot_normal"),
        *(arm(name, **{key: value}, test_score=0.0) for name in ("he_normal", "glorot_normal")
          for key, value in [("batch_norm", True), ("dropout", 0.5)]),
    )  # fmt: skip
    assert judged(made, gain("he_normal"))[1]["value"].to_list() == pytest.approx([0.05])


def test_only_the_chosen_rate_counts(judged):
    made = tables(
        arm("he_normal", test_score=0.95), arm("glorot_normal"),
        arm("he_normal", learning_rate=3.0, validation_score=0.1, test_score=0.1),
    )  # fmt: skip
    assert judged(made, gain("he_normal"))[1]["value"].to_list() == pytest.approx([0.05])


def test_pretraining_is_compared_with_the_weights_it_started_from(judged):
    made = tables(
        arm("normal:0.01", test_score=0.1), arm("normal:0.01", pretraining="rbm", test_score=0.9),
        arm("normal:0.01", pretraining="autoencoder", test_score=0.1),
        arm("normal:0.01", pretraining="rbm+moments", test_score=0.5),
    )  # fmt: skip
    helps = contrast(
        "accuracy_gain", *GAINS, initializer=["normal:0.01"], compared_with=["normal:0.01"],
        pretraining=["autoencoder", "rbm", "supervised"],
    )  # fmt: skip
    claim, cells = judged(made, helps)
    assert cells.set_index("pretraining")["outcome"].to_dict() == {"autoencoder": "refutes", "rbm": "supports"}
    assert claim["verdict"] == "mixed" and (claim["supporting"], claim["refuting"], claim["cells"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("ours", "theirs", "number", "outcome"),
    [
        ([10.0, 20.0, 40.0], [20.0, 40.0, 80.0], (2, 2, 2), "supports"),
        ([10.0, 10.0, 10.0], [12.5, 12.5, 12.5], (1.25, 1.25, 1.25), "refutes"),
        ([10.0, 10.0, 10.0], [15.0, 15.0, 15.0], (1.5, 1.5, 1.5), "undecided"),
        ([10.0, 10.0, 10.0], [np.inf] * 3, (np.inf, np.inf, np.inf), "supports"),
        ([np.inf] * 3, [10.0, 10.0, 10.0], (0, 0, 0), "refutes"),
        ([10.0, 10.0, np.inf], [np.inf, 40.0, np.inf], (4, 1, np.inf), "undecided"),  # where neither arrives: a tie
        ([np.inf] * 3, [np.inf] * 3, (np.nan, np.nan, np.nan), "undecided"),
        ([0.0, 0.0, 0.0], [2.0, 2.0, 2.0], (2, 2, 2), "supports"),  # at the target before training
    ],
)
def test_speed(judged, ours, theirs, number, outcome):
    made = tables(arm("he_normal", steps_to_target=ours), arm("normal:0.01", steps_to_target=theirs))
    cells = judged(made, contrast("speed", {"at_least": 2}, {"at_most": 1.25}, **FASTER))[1]
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx(list(number), nan_ok=True)
    assert cells.loc[0, "outcome"] == outcome


def test_a_run_that_arrived_and_diverged_never_arrived(judged):
    made = tables(arm("he_normal", status="diverged", steps_to_target=5.0), arm("normal:0.01", steps_to_target=50.0))
    assert judged(made, contrast("speed", {"at_least": 2}, {"at_most": 1.25}, **FASTER))[0]["verdict"] == "refuted"


def test_optima_differ_beyond_the_noise_of_replicates(judged):
    differ = contrast("optimum_difference", *GAINS)
    spread = [-0.01, 0.0, 0.01]

    def around(name: str, mean: float, **more: object) -> list[dict]:
        return arm(name, test_score=[mean + s for s in spread], **more)

    stuck = arm("zeros", test_score=0.1, status="stuck")
    few = arm("kumar", test_score=0.1, status=["ok", "ok", "diverged"])
    claim, cells = judged(tables(around("he_normal", 0.9), around("glorot_normal", 0.8), stuck, few), differ)
    # Two groups: Tukey is the t-test. t₄ at 97.5 % 2.7764, pooled deviation 0.01, standard error 0.01 √(2/3).
    reach = 2.77645 * 0.01 * (2 / 3) ** 0.5
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx([0.1, 0.1 - reach, 0.1 + reach], rel=1e-4)
    assert cells.loc[0, ["initializer", "compared_with"]].to_list() == ["he_normal", "glorot_normal"]
    assert claim["verdict"] == "supported"
    assert judged(tables(around("he_normal", 0.9), around("glorot_normal", 0.88)), differ)[0]["verdict"] == "undecided"
    same = tables(arm("he_normal", test_score=0.9), arm("glorot_normal", test_score=0.895))
    assert judged(same, differ)[0]["verdict"] == "refuted"
    assert judged(tables(around("he_normal", 0.9), stuck, few), differ)[0]["verdict"] == "not tested here"


def test_the_extremes_of_three_groups_have_tukeys_wider_interval(judged):
    groups = {"he_normal": 0.9, "glorot_normal": 0.8, "kumar": 0.85}
    made = tables(*(arm(name, test_score=[m - 0.01, m, m + 0.01]) for name, m in groups.items()))
    cells = judged(made, contrast("optimum_difference", *GAINS))[1]
    # q(0.95; 3, 6) = 4.339 (tables of the studentized range); half-width q · 0.01/√3.
    assert cells.loc[0, "high"] - 0.1 == pytest.approx(4.339 * 0.01 / 3**0.5, rel=1e-3)
    named = contrast("optimum_difference", *GAINS, initializer=["he_normal", "kumar"])
    assert judged(made, named)[1].loc[0, "value"] == pytest.approx(0.05)


def test_batch_norm_narrows_the_range_over_shared_initializers(judged):
    forgives = contrast("spread_reduction", {"at_least": 0.01}, {"at_most": 0})
    plain = [arm("he_normal", test_score=0.9), arm("normal:1", test_score=0.2), arm("zeros", test_score=0.0)]
    normed = [arm("he_normal", batch_norm=True, test_score=0.9), arm("normal:1", batch_norm=True, test_score=0.8)]
    claim, cells = judged(tables(*plain, *normed), forgives)
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx([0.6] * 3)
    assert cells.loc[0, "initializer"] == "normal:1, he_normal" and claim["verdict"] == "supported"
    aside = [
        arm(name, **{key: value}, test_score=0.5)
        for name in ("he_normal", "normal:1") for key, value in [("dropout", 0.5), ("pretraining", "autoencoder")]
    ]  # fmt: skip
    assert judged(tables(*plain, *normed, *aside), forgives)[1]["value"].to_list() == pytest.approx([0.6])
    wider = [arm("he_normal", batch_norm=True, test_score=0.9), arm("normal:1", batch_norm=True, test_score=0.1)]
    assert judged(tables(*plain, *wider), forgives)[0]["verdict"] == "refuted"
    assert judged(tables(*plain, normed[0]), forgives)[0]["verdict"] == "not tested here"  # one has no range
    assert judged(tables(*plain), forgives)[0]["verdict"] == "not tested here"
