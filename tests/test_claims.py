"""The claims ledger: declarations and their mistakes, every measure on tables one can check by hand, every verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from winit.analysis.claims.declaration import FIGURES, VERDICTS, Claim, Condition, Contrast, read
from winit.analysis.claims.judging import judge, verdict
from winit.analysis.claims.measures import MEASURES
from winit.analysis.select import RATE_FACTORS
from winit.store.schema import TABLES

SHIPPED = Path(__file__).resolve().parent.parent / "conf" / "claims"
RUN = {
    "dataset": "digits", "activation": "tanh", "depth": 3, "width": 8, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd",
    "initializer": "normal:0.01", "pretraining": "none", "learning_rate": 0.1, "role": "judged", "replicate": 0, "status": "ok",
    "steps_to_target": 100.0, "test_score": 0.9, "validation_score": 0.9, "validation_loss": 0.5,
}  # fmt: skip
LAYER = {
    "stage": "drawn",
    "step": 0,
    "h_variance": 1.0,
    "delta_variance": 1.0,
    "saturated": 0.0,
    "h_mean": 0.0,
    "distinct_units": 8,
}
TEXTS = {"statement": "It is so.", "source": "the tutorial", "measured": "how it is", "figure": "signals"}


def arm(initializer: str, replicates: int = 3, **columns: object) -> list[dict]:
    """Return the runs of an arm; a list in a column has one value for each replicate."""
    return [
        RUN
        | {"initializer": initializer, "replicate": r}
        | {k: v[r] if isinstance(v, list) else v for k, v in columns.items()}
        for r in range(replicates)
    ]


def tables(*arms: list[dict], layers: dict[str, list[dict]] | None = None) -> dict[str, pd.DataFrame]:
    """Return the tables of some arms: of each initializer's runs the layers, given from the first to the last."""
    runs = pd.DataFrame([run for some in arms for run in some])
    runs["run_id"] = [f"{i:016x}" for i in range(len(runs))]
    rows = [
        LAYER | {"run_id": run["run_id"], "layer": i} | layer
        for _, run in runs.iterrows()
        for i, layer in enumerate((layers or {}).get(run["initializer"], [{}] * (run["depth"] + 1)), start=1)
    ]
    factors = [name for name in RUN if name in RATE_FACTORS]
    summary = runs.groupby(factors, as_index=False)["validation_score"].max()
    group = summary.groupby([name for name in factors if name != "learning_rate"])["validation_score"]
    summary["is_best_rate"] = summary["validation_score"] == group.transform("max")
    return {"runs": runs, "summary": summary, "layers": pd.DataFrame(rows)}


def contrast(measure: str, supported_if: dict, refuted_if: dict, **parameters: object) -> dict:
    return {"measure": measure, "supported_if": supported_if, "refuted_if": refuted_if, **parameters}


def declared(folder: Path, *contrasts: dict, **more: object) -> list[Claim]:
    """Write a claim to a file and read it."""
    entry = {"id": "so", **TEXTS, "contrast": list(contrasts), **more}
    (folder / "claims.yaml").write_text(yaml.safe_dump([entry]))
    return read(folder)


@pytest.fixture
def judged(tmp_path):
    """Judge one claim of one contrast; return its row of the ledger, and the cells'."""

    def judge_one(found: dict[str, pd.DataFrame], *contrasts: dict, **more: bool) -> tuple[pd.Series, pd.DataFrame]:
        both = judge(declared(tmp_path, *contrasts), found, **more)
        assert list(both["claims"]) == list(TABLES["claims"])
        assert list(both["claims_evidence"]) == list(TABLES["claims_evidence"])
        return both["claims"].iloc[0], both["claims_evidence"]

    return judge_one


# Conditions, outcomes, verdicts.


@pytest.mark.parametrize(
    ("word", "ends", "held", "not_held"),
    [
        ("at_least", (1.0,), [(1, 1), (1, 5), (2, np.inf)], [(0.9, 5), (0, 0.9)]),
        ("at_most", (1.0,), [(1, 1), (-5, 1), (-np.inf, 0)], [(0.9, 1.1), (1.1, 2)]),
        ("between", (-1.0, 1.0), [(-1, 1), (0, 0)], [(-1.1, 0), (0, 1.1), (2, 3), (-3, -2)]),
        ("outside", (-1.0, 1.0), [(-2, -1), (1, 2)], [(-2, -0.9), (0.9, 2), (0, 0), (-2, 2)]),
    ],
)
def test_a_condition_holds_for_a_whole_interval_and_its_own_ends(word, ends, held, not_held):
    condition = Condition(word, ends)
    assert all(condition.holds(*span) for span in held)
    assert not any(condition.holds(*span) for span in not_held)


def test_an_interval_across_a_threshold_decides_nothing():
    rule = Contrast("accuracy_gain", {}, Condition("at_least", (0.01,)), Condition("at_most", (0.01,)))
    nan = np.nan
    assert rule.outcome(0.05, 0.01, 0.09) == "supports" and rule.outcome(0.05, 0.009, 0.09) == "undecided"
    assert rule.outcome(-0.05, -0.09, 0.01) == "refutes" and rule.outcome(-0.05, -0.2, 0.011) == "undecided"
    # Without an interval the number itself decides, but not where the two conditions meet.
    assert rule.outcome(0.011, nan, nan) == "supports" and rule.outcome(0.009, nan, nan) == "refutes"
    assert rule.outcome(0.01, nan, nan) == "undecided" and rule.outcome(nan, nan, nan) == "undecided"


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


# Measures.

SYMMETRIC = contrast("distinct_units", {"at_most": 1}, {"at_least": 2}, initializer=["zeros", "constant:0.1"])


def units(*counts: int, step: int = 50) -> list[dict]:
    """Return three hidden layers and an output with so many distinct units."""
    return [{"stage": "training", "step": step, "distinct_units": n} for n in (*counts, 10)]


@pytest.mark.parametrize(("most", "outcome"), [(1, "supports"), (2, "refutes")])
def test_one_run_with_two_distinct_units_breaks_the_symmetry(judged, most, outcome):
    found = tables(
        arm("zeros"), arm("constant:0.1"), layers={"zeros": units(1, 1, 1), "constant:0.1": units(1, 1, most)}
    )
    claim, cells = judged(found, SYMMETRIC)
    assert claim["evidence"].endswith(f"the only cell {outcome} it; {most}.")
    assert cells.loc[0, ["value", "replicates", "initializer", "outcome"]].to_list() == [
        most, 6, "zeros, constant:0.1", outcome
    ]  # fmt: skip
    assert np.isnan(cells.loc[0, "low"]) and claim["cells"] == 1  # the ten distinct output units are not looked at


def test_distinct_units_are_those_of_the_last_step(judged):
    found = tables(arm("zeros", 1))
    steps = [0, *[10] * 3, *[50] * 3]
    found["layers"] = pd.DataFrame(
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
    assert judged(found, SYMMETRIC)[1].loc[0, "value"] == 1
    untouched = found | {"layers": found["layers"].iloc[:1]}
    assert judged(untouched, SYMMETRIC)[0]["verdict"] == "not tested here"  # a network before training proves nothing


def test_dropout_has_its_own_runs(judged):
    found = tables(arm("constant:0.1"), arm("constant:0.1", dropout=0.5), layers={"constant:0.1": units(1, 1, 1)})
    dropped = found["runs"].loc[found["runs"]["dropout"] > 0, "run_id"]
    found["layers"].loc[found["layers"]["run_id"].isin(dropped), "distinct_units"] = 8
    broken = contrast("distinct_units", {"at_least": 2}, {"at_most": 1}, initializer=["constant:0.1"], dropout=0.5)
    assert judged(found, broken)[0]["verdict"] == "supported"
    assert judged(found, SYMMETRIC)[0]["verdict"] == "supported"


KEEPS = ({"between": [-0.1, 0.1]}, {"outside": [-0.15, 0.15]})
VANISHES = ({"at_most": -0.1}, {"at_least": -0.05})


def test_slopes_run_the_way_the_signal_travels(judged):
    layers = [{"h_variance": v, "delta_variance": d} for v, d in [(1.0, 1e-4), (0.1, 1e-2), (0.01, 1.0), (99.0, 99.0)]]
    found = tables(arm("normal:0.01"), layers={"normal:0.01": layers})
    for measure, slope in (("activation_slope", -1.0), ("gradient_slope", -2.0)):
        claim, cells = judged(found, contrast(measure, *VANISHES, initializer=["normal:0.01"]))
        assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx([slope] * 3)
        assert claim["verdict"] == "supported" and f"; −{-slope:.2f} (95 %" in claim["evidence"]
    grows = tables(arm("normal:0.01"), layers={"normal:0.01": layers[:3][::-1] + layers[3:]})
    for measure in ("activation_slope", "gradient_slope"):
        assert judged(grows, contrast(measure, *VANISHES, initializer=["normal:0.01"]))[0]["verdict"] == "refuted"
        assert judged(grows, contrast(measure, *KEEPS, initializer=["normal:0.01"]))[0]["verdict"] == "refuted"


def test_the_interval_of_a_slope_is_over_replicates_not_over_learning_rates(judged):
    found = tables(arm("he_normal"), arm("he_normal", learning_rate=0.3))
    flat = {0: 1.0, 1: 10**0.2, 2: 10**-0.2}  # over three layers: slopes 0, +0.1, −0.1 decades a layer
    replicate = found["layers"]["run_id"].map(found["runs"].set_index("run_id")["replicate"])
    found["layers"]["h_variance"] = replicate.map(flat).where(found["layers"]["layer"] == 3, 1.0)
    middle = found["layers"]["layer"] == 2
    found["layers"].loc[middle, "h_variance"] = replicate[middle].map(lambda r: flat[r] ** 0.5)
    claim, cells = judged(found, contrast("activation_slope", *KEEPS, initializer=["he_normal"]))
    # Standard deviation 0.1, t₂ at 97.5 % 4.3027: half-width 4.3027 · 0.1/√3.
    assert cells.loc[0, "replicates"] == 3 and cells.loc[0, "value"] == pytest.approx(0, abs=1e-12)
    assert cells.loc[0, "high"] == pytest.approx(4.30265 * 0.1 / 3**0.5, rel=1e-4)
    assert claim["verdict"] == "undecided"


def test_a_single_layer_has_no_slope(judged):
    layers = [{"h_variance": 1.0}, {"h_variance": 0.1}, {}]
    found = tables(arm("kumar", depth=1), arm("kumar", depth=2), layers={"kumar": layers})
    cells = judged(found, contrast("activation_slope", *VANISHES, initializer=["kumar"]))[1]
    assert cells["depth"].to_list() == [2] and cells.loc[0, "value"] == pytest.approx(-1)


@pytest.mark.parametrize(("variances", "slope"), [([1.0, 0.0, 0.0], -np.inf), ([1.0, np.inf, np.nan], np.inf)])
def test_a_variance_of_zero_has_vanished_and_one_that_is_not_finite_exploded(judged, variances, slope):
    layers = [{"h_variance": v, "delta_variance": v} for v in [*variances, 1.0]]
    found = tables(arm("zeros"), layers={"zeros": layers})
    for measure in ("activation_slope", "gradient_slope"):
        claim, cells = judged(found, contrast(measure, *VANISHES, initializer=["zeros"]))
        assert cells.loc[0, ["value", "low", "high"]].to_list() == [slope] * 3
        assert claim["verdict"] == ("supported" if slope < 0 else "refuted")
        assert ("−∞" if slope < 0 else "+∞") in claim["evidence"]
    # Layers that a network could not be measured in are missing.
    found["layers"] = found["layers"][found["layers"]["layer"] != 2]
    assert judged(found, contrast("activation_slope", *VANISHES, initializer=["zeros"]))[1].loc[0, "value"] == np.inf


def test_some_infinite_slopes_have_their_range_for_an_interval(judged):
    found = tables(arm("normal:0.01"))
    first = found["layers"]["run_id"] == f"{0:016x}"
    found["layers"].loc[first & (found["layers"]["layer"] == 3), "h_variance"] = 0.0
    claim, cells = judged(found, contrast("activation_slope", *VANISHES, initializer=["normal:0.01"]))
    assert cells.loc[0, ["value", "low", "high"]].to_list() == [0, -np.inf, 0] and claim["verdict"] == "undecided"


@pytest.mark.parametrize(("measure", "column"), [("saturated_share", "saturated"), ("activation_mean", "h_mean")])
def test_means_over_hidden_layers(judged, measure, column):
    layers = [{column: v} for v in (0.3, 0.5, 0.7, 99.0)]
    found = tables(arm("normal:1"), arm("zeros"), layers={"normal:1": layers, "zeros": [{column: np.nan}] * 4})
    large = contrast(measure, {"at_least": 0.5}, {"at_most": 0.25}, initializer=["normal:1", "zeros"])
    claim, cells = judged(found, large)
    assert cells["initializer"].to_list() == ["normal:1"] and cells.loc[0, "value"] == pytest.approx(0.5)
    assert claim["verdict"] == "supported"
    assert (
        judged(found, contrast(measure, {"at_least": 0.6}, {"at_most": 0.5}, initializer=["normal:1"]))[0]["verdict"]
        == "refuted"
    )


TRAINS = ({"at_least": 0.5}, {"at_most": 0.5})


def test_success_is_the_share_that_is_ok(judged):
    ok, lost = ["ok"] * 5, ["missed_target", "stuck", "diverged", "stuck", "diverged"]
    found = tables(
        arm("kumar", 5, status=ok), arm("glorot_normal", 5, status=lost), arm("he_normal", 5, status=ok[:4] + lost[:1])
    )
    cells = judged(found, contrast("success", *TRAINS, initializer=["kumar", "glorot_normal", "he_normal"]))[1]
    cells = cells.set_index("initializer")
    # Wilson's intervals of 5, 0 and 4 of 5.
    assert cells["value"].to_dict() == {"kumar": 1.0, "glorot_normal": 0.0, "he_normal": 0.8}
    assert cells.loc["kumar", "low"] == pytest.approx(0.5655, abs=1e-4)
    assert cells["outcome"].to_dict() == {"kumar": "supports", "glorot_normal": "refutes", "he_normal": "undecided"}
    three = judged(tables(arm("kumar", 3)), contrast("success", *TRAINS, initializer=["kumar"]))[1]
    assert three.loc[0, "low"] == pytest.approx(0.4385, abs=1e-4) and three.loc[0, "outcome"] == "undecided"
    few = judged(tables(arm("kumar", 2)), contrast("success", *TRAINS, initializer=["kumar"]))[1]
    assert np.isnan(few.loc[0, "low"]) and few.loc[0, "outcome"] == "supports"


GAINS = ({"at_least": 0.01}, {"at_most": 0.01})


def gain(*ours: str, **more: object) -> dict:
    return contrast("accuracy_gain", *GAINS, initializer=list(ours), compared_with=["glorot_normal"], **more)


def test_accuracy_is_compared_in_pairs(judged):
    found = tables(
        arm("he_normal", test_score=[0.5, 0.8, 0.6]), arm("glorot_normal", test_score=[0.2, 0.5, 0.3]),
        arm("kumar", test_score=[0.2, 0.5, 0.3]),
    )  # fmt: skip
    claim, cells = judged(found, gain("he_normal"))
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx([0.3] * 3)
    assert cells.loc[0, "compared_with"] == "glorot_normal" and claim["verdict"] == "supported"
    assert "+30.0 points" in claim["evidence"]
    assert judged(found, gain("kumar"))[0]["verdict"] == "refuted"  # no better is not better


def test_a_diverged_run_has_no_accuracy_and_tuning_replicates_none_that_counts(judged):
    diverged = arm("he_normal", status=["ok", "diverged", "ok"], test_score=[0.9, 0.9, 0.9])
    tuning = [RUN | {"initializer": "he_normal", "role": "tuning", "replicate": -1, "test_score": 0.0}]
    tuning += [RUN | {"initializer": "glorot_normal", "role": "tuning", "replicate": -1, "test_score": 1.0}]
    cells = judged(tables(diverged, arm("glorot_normal"), tuning), gain("he_normal"))[1]
    assert cells.loc[0, "value"] == pytest.approx(-0.3) and cells.loc[0, "replicates"] == 3
    assert cells.loc[0, "outcome"] == "undecided"


def test_the_best_of_several_is_chosen_on_validation(judged):
    found = tables(
        arm("he_normal", validation_score=0.8, test_score=0.99), arm("glorot_normal"),
        arm("he_uniform", validation_score=0.9, validation_loss=0.5, test_score=0.92),
        arm("kumar", validation_score=0.9, validation_loss=0.6, test_score=0.97),
    )  # fmt: skip
    cells = judged(found, gain("he_normal", "kumar", "he_uniform"))[1]
    assert cells["initializer"].to_list() == ["he_uniform"] and cells.loc[0, "value"] == pytest.approx(0.02)


def test_what_diverged_is_not_the_best(judged):
    found = tables(
        arm("he_normal", validation_score=0.99, status="diverged"), arm("glorot_normal"),
        arm("he_uniform", validation_score=0.3, test_score=0.3),
    )  # fmt: skip
    assert judged(found, gain("he_normal", "he_uniform"))[1]["initializer"].to_list() == ["he_uniform"]


def test_normed_and_dropped_arms_are_no_part_of_a_comparison(judged):
    found = tables(
        arm("he_normal", test_score=0.95), arm("glorot_normal"),
        *(arm(name, **{key: value}, test_score=0.0) for name in ("he_normal", "glorot_normal")
          for key, value in [("batch_norm", True), ("dropout", 0.5)]),
    )  # fmt: skip
    assert judged(found, gain("he_normal"))[1]["value"].to_list() == pytest.approx([0.05])


def test_only_the_chosen_rate_counts(judged):
    found = tables(
        arm("he_normal", test_score=0.95), arm("glorot_normal"),
        arm("he_normal", learning_rate=3.0, validation_score=0.1, test_score=0.1),
    )  # fmt: skip
    assert judged(found, gain("he_normal"))[1]["value"].to_list() == pytest.approx([0.05])


def test_pretraining_is_compared_with_the_weights_it_started_from(judged):
    found = tables(
        arm("normal:0.01", test_score=0.1), arm("normal:0.01", pretraining="rbm", test_score=0.9),
        arm("normal:0.01", pretraining="autoencoder", test_score=0.1),
        arm("normal:0.01", pretraining="rbm+moments", test_score=0.5),
    )  # fmt: skip
    helps = contrast(
        "accuracy_gain", *GAINS, initializer=["normal:0.01"], compared_with=["normal:0.01"],
        pretraining=["autoencoder", "rbm", "supervised"],
    )  # fmt: skip
    claim, cells = judged(found, helps)
    assert cells.set_index("pretraining")["outcome"].to_dict() == {"autoencoder": "refutes", "rbm": "supports"}
    assert claim["verdict"] == "mixed" and (claim["supporting"], claim["refuting"], claim["cells"]) == (1, 1, 2)


FASTER = {"initializer": ["he_normal"], "compared_with": ["normal:0.01"]}


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
    found = tables(arm("he_normal", steps_to_target=ours), arm("normal:0.01", steps_to_target=theirs))
    cells = judged(found, contrast("speed", {"at_least": 2}, {"at_most": 1.25}, **FASTER))[1]
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx(list(number), nan_ok=True)
    assert cells.loc[0, "outcome"] == outcome


def test_a_run_that_arrived_and_diverged_never_arrived(judged):
    found = tables(arm("he_normal", status="diverged", steps_to_target=5.0), arm("normal:0.01", steps_to_target=50.0))
    assert judged(found, contrast("speed", {"at_least": 2}, {"at_most": 1.25}, **FASTER))[0]["verdict"] == "refuted"


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
    found = tables(*(arm(name, test_score=[m - 0.01, m, m + 0.01]) for name, m in groups.items()))
    cells = judged(found, contrast("optimum_difference", *GAINS))[1]
    # q(0.95; 3, 6) = 4.339 (tables of the studentized range); half-width q · 0.01/√3.
    assert cells.loc[0, "high"] - 0.1 == pytest.approx(4.339 * 0.01 / 3**0.5, rel=1e-3)
    named = contrast("optimum_difference", *GAINS, initializer=["he_normal", "kumar"])
    assert judged(found, named)[1].loc[0, "value"] == pytest.approx(0.05)


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


# Which runs a contrast is of.


def test_a_contrast_is_narrowed_and_normed_and_pretrained_runs_stay_apart(judged):
    arms = [
        arm("kumar", depth=depth, activation=activation, dataset=dataset)
        for depth in (2, 5, 10) for activation in ("tanh", "sigmoid") for dataset in ("digits", "spirals")
    ]  # fmt: skip
    aside = [
        arm("kumar", **{key: value}) for key, value in [("batch_norm", True), ("dropout", 0.5), ("pretraining", "rbm")]
    ]
    found = tables(*arms, *aside)

    def places(**parameters: object) -> list[tuple]:
        cells = judged(found, contrast("success", *TRAINS, initializer=["kumar"], **parameters))[1]
        assert (cells["replicates"] == 3).all()
        return sorted({(r.dataset, r.activation, r.depth) for r in cells.itertuples()})

    assert len(places()) == 12 and len(places(depth="all")) == 12
    assert places(activation=["sigmoid"], dataset="digits", depth="deepest") == [("digits", "sigmoid", 10)]
    assert {depth for *_, depth in places(depth=5)} == {5, 10}


def test_deepest_is_that_of_each_place(judged):
    found = tables(arm("kumar", depth=10), arm("kumar", depth=5), arm("kumar", depth=5, dataset="spirals"))
    cells = judged(found, contrast("success", *TRAINS, initializer=["kumar"], depth="deepest"))[1]
    assert dict(zip(cells["dataset"], cells["depth"], strict=True)) == {"digits": 10, "spirals": 5} and len(cells) == 2


def test_the_ledger_says_what_was_declared_and_what_came_of_it(judged):
    found = tables(arm("kumar", 5), arm("kumar", 5, depth=4), arm("kumar", 5, depth=5, status="stuck"))
    claim, _ = judged(found, contrast("success", *TRAINS, initializer=["kumar"]), gain("he_normal"))
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


def test_few_initializers_are_named_and_many_counted(tmp_path):
    names = ["he_normal", "he_uniform", "kumar"]
    for n, title in ((2, "He normal or He uniform over Glorot normal"), (3, "3 initializers over Glorot normal")):
        assert declared(tmp_path, gain(*names[:n]))[0].contrast[0].title == f"gain in test accuracy, {title}"
    pretrained = declared(tmp_path, gain("normal:0.01", pretraining="rbm"))[0].contrast[0]
    assert pretrained.title == "gain in test accuracy, normal σ = 0.01 with pretraining over Glorot normal"


def test_one_cell_is_told_with_its_interval(judged):
    found = tables(arm("he_normal", test_score=[0.9, 0.8, 0.7]), arm("glorot_normal", test_score=[0.5, 0.5, 0.5]))
    claim, _ = judged(found, gain("he_normal"))
    # Standard deviation 0.1: 0.3 ± 4.3027 · 0.1/√3.
    assert claim["evidence"].endswith("the only cell supports it; +30.0 points (95 % interval +5.2 to +54.8 points).")


def test_claims_without_their_arms_and_of_autoencoders_are_not_tested(judged):
    lacking = tables(arm("torch_default"))
    claim, cells = judged(lacking, gain("he_normal"))
    assert claim["verdict"] == "not tested here" and claim["cells"] == 0 and cells.empty
    assert claim["evidence"] == "This study has none of the runs that it needs."
    found = tables(arm("he_normal"), arm("glorot_normal"))
    assert judged(found, gain("he_normal"))[0]["cells"] == 1
    assert judged(found, gain("he_normal"), is_reconstruction=True)[0]["verdict"] == "not tested here"


# Declarations.


def test_the_shipped_claims_are_sound():
    shipped = read(SHIPPED)
    assert len(shipped) >= 14 and len({claim.id for claim in shipped}) == len(shipped)
    assert {contrast.measure for claim in shipped for contrast in claim.contrast} == set(MEASURES)
    both = judge(shipped, tables(arm("mup")))
    assert (both["claims"]["verdict"] == "not tested here").all() and both["claims_evidence"].empty
    for claim in shipped:
        assert claim.statement.endswith(".") and claim.measured.endswith(".") and claim.figure in FIGURES


def test_files_are_read_by_name_and_ids_are_taken_once(tmp_path):
    entry = {"id": "a", **TEXTS, "contrast": SYMMETRIC}
    (tmp_path / "2.yaml").write_text(yaml.safe_dump([entry | {"id": "z"}]))
    (tmp_path / "1.yaml").write_text(yaml.safe_dump([entry, entry | {"id": "b", "statement": "Folded\nover lines."}]))
    found = read(tmp_path)
    assert [claim.id for claim in found] == ["a", "b", "z"] and found[1].statement == "Folded over lines."
    assert found[0].contrast[0].parameters == {"initializer": ("zeros", "constant:0.1")}
    (tmp_path / "3.yaml").write_text(yaml.safe_dump([entry]))
    with pytest.raises(ValueError, match=r"3\.yaml, claim 1: id: got a, which another claim has; take another"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("so: true", 'c.yaml: got {"so": true}; allowed is a list of claims'),
        ("", "c.yaml: got null; allowed is a list of claims"),
        ("- just words", 'c.yaml, claim 1: got "just words"; it needs a mapping with the keys id, statement'),
    ],
)
def test_files_that_are_no_claims(tmp_path, text, sentence):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ValueError) as error:
        read(tmp_path)
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


def test_a_folder_without_claims(tmp_path):
    with pytest.raises(ValueError, match=r"no claims at .*; it needs a file"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("claim", "within", "sentence"),
    [
        ({"id": None}, {}, "claim 1: id: nothing given; it needs lower-case letters, digits and '-'"),
        ({"id": "So it is"}, {}, "claim 1: id: got \"So it is\"; allowed is lower-case letters, digits and '-'"),
        ({"statment": "x"}, {}, "claim 1: unknown key 'statment'; did you mean 'statement'? choose from id, "),
        ({"statement": None}, {}, "claim so: statement: nothing given; it needs a sentence"),
        ({"source": 3}, {}, "claim so: source: got 3; allowed is who claims it"),
        ({"correction": " "}, {}, 'claim so: correction: got " "; allowed is a sentence'),
        ({"figure": "signal"}, {}, "claim so: figure: unknown figure 'signal'; did you mean 'signals'? choose from "),
        ({"contrast": None}, {}, "claim so: contrast: nothing given; it needs a mapping with a measure, supported_if and refuted_if"),
        ({"contrast": [SYMMETRIC, 5]}, {}, "claim so: contrast 2: got 5; it needs a mapping with a measure"),
        ({}, {"measure": None}, "claim so: contrast.measure: nothing given; it needs one of distinct_units, "),
        ({}, {"measure": "distinct_unit"}, "claim so: contrast.measure: unknown measure 'distinct_unit'; did you mean 'distinct_units'?"),
        ({}, {"layers": 3}, "claim so: contrast: unknown key 'layers'; choose from measure, supported_if, "),
        ({}, {"compared_with": ["zeros"]}, "claim so: contrast: the measure distinct_units has no parameter compared_with; it has "),
        ({}, {"initializer": None}, "claim so: contrast.initializer: nothing given; it needs a list of initializers"),
        ({}, {"initializer": []}, "claim so: contrast.initializer: nothing given; it needs a list of initializers"),
        ({}, {"initializer": ["zero"]}, "claim so: contrast.initializer: unknown initializer 'zero'; did you mean zeros"),
        ({}, {"initializer": ["zeros", "zeros"]}, 'claim so: contrast.initializer: got ["zeros", "zeros"], which lists zeros twice'),
        ({}, {"activation": ["tan"]}, "claim so: contrast.activation: unknown activation 'tan'; did you mean 'tanh'?"),
        ({}, {"dataset": "digit"}, "claim so: contrast.dataset: unknown dataset 'digit'; did you mean 'digits'?"),
        ({}, {"depth": 0}, "claim so: contrast.depth: got 0; allowed is all, deepest, or a whole number"),
        ({}, {"depth": "deep"}, 'claim so: contrast.depth: got "deep"; allowed is all, deepest, or a whole number'),
        ({}, {"dropout": 1}, "claim so: contrast.dropout: got 1; allowed is a number from 0 to below 1"),
        ({}, {"supported_if": None}, "claim so: contrast.supported_if: nothing given; it needs a mapping with one of at_least, "),
        ({}, {"supported_if": 1}, "claim so: contrast.supported_if: got 1; it needs a mapping with one of at_least, "),
        ({}, {"refuted_if": {"above": 1}}, "claim so: contrast.refuted_if: unknown key 'above'; choose from at_least, "),
        ({}, {"refuted_if": {"at_least": 1, "at_most": 3}}, "claim so: contrast.refuted_if: got at_least and at_most; allowed is one of "),
        ({}, {"refuted_if": {"at_least": "many"}}, 'claim so: contrast.refuted_if.at_least: got "many"; allowed is a number'),
        ({}, {"refuted_if": {"at_least": True}}, "claim so: contrast.refuted_if.at_least: got true; allowed is a number"),
        ({}, {"refuted_if": {"at_least": float("nan")}}, "claim so: contrast.refuted_if.at_least: got NaN; allowed is a number"),
        ({}, {"refuted_if": {"at_least": [1, 2]}}, "claim so: contrast.refuted_if.at_least: got [1, 2]; allowed is a number"),
        ({}, {"refuted_if": {"outside": 3}}, "claim so: contrast.refuted_if.outside: got 3; allowed is two numbers [a, b]"),
        ({}, {"refuted_if": {"outside": [3, 1]}}, "claim so: contrast.refuted_if.outside: got [3, 1]; allowed is two numbers [a, b]"),
        ({}, {"refuted_if": {"at_least": 0}}, "claim so: contrast: supported_if at most 1 and refuted_if at least 0 overlap; "),
        ({}, {"refuted_if": {"outside": [0, 3]}}, "claim so: contrast: supported_if at most 1 and refuted_if at most 0 or at least 3 overlap"),
    ],
)  # fmt: skip
def test_mistakes_get_one_sentence(tmp_path, claim, within, sentence):
    entry = {"id": "so", **TEXTS, "contrast": SYMMETRIC | within} | claim
    (tmp_path / "c.yaml").write_text(yaml.safe_dump([entry]))
    with pytest.raises(ValueError) as error:
        read(tmp_path)
    assert str(error.value).startswith(f"c.yaml, {sentence}") and "\n" not in str(error.value)


def test_the_least_that_is_allowed(tmp_path):
    least = declared(tmp_path, SYMMETRIC | {"depth": 1, "dropout": 0})[0].contrast[0].parameters
    assert least["depth"] == 1 and least["dropout"] == 0


def test_conditions_may_share_an_end_but_no_more(tmp_path):
    rule = declared(tmp_path, contrast("success", {"between": [0, 1]}, {"outside": [0, 1]}, initializer="kumar"))[
        0
    ].contrast[0]
    assert rule.outcome(0.5, 0.0, 1.0) == "supports" and rule.outcome(0.0, np.nan, np.nan) == "undecided"


@pytest.mark.parametrize("content", [b"[", b"\xff\xfe", b"- id: a\n  id: b\n"])
def test_a_claims_file_that_is_no_yaml_is_named(tmp_path, content):
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"^cannot read .*c\.yaml as YAML: .+") as error:
        read(tmp_path)
    assert "\n" not in str(error.value)
