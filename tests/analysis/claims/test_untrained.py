"""Measures of layers, on tables small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.analysis.claims.made_up import LAYER, RUN, SYMMETRIC, arm, contrast, tables, units


@pytest.mark.parametrize(("most", "outcome"), [(1, "supports"), (2, "refutes")])
def test_one_run_with_two_distinct_units_breaks_the_symmetry(judged, most, outcome):
    made = tables(
        arm("zeros"), arm("constant:0.1"), layers={"zeros": units(1, 1, 1), "constant:0.1": units(1, 1, most)}
    )
    claim, cells = judged(made, SYMMETRIC)
    assert f": the only cell {outcome} it; {most} (95 %" in claim["evidence"] and claim["budget"] == ""
    assert cells.loc[0, ["value", "low", "high", "replicates", "initializer", "outcome"]].to_list() == [
        most, most, most, 5, "zeros, constant:0.1", outcome
    ]  # fmt: skip
    assert claim["cells"] == 1 and cells["budget"].isna().all()  # the ten distinct output units are not looked at


def test_distinct_units_are_those_of_the_last_step(judged):
    made = tables(arm("zeros", 5))
    steps = [0, *[10] * 3, *[50] * 3]
    made["layers"] = pd.DataFrame(
        LAYER
        | {"run_id": run, "stage": "training" if step else "drawn", "step": step, "layer": i % 3 + 1}
        | {"distinct_units": {0: 9, 10: 5, 50: 1}[step]}
        for run in made["runs"]["run_id"]
        for i, step in enumerate(steps)
    )
    assert judged(made, SYMMETRIC)[1].loc[0, "value"] == 1
    untouched = made | {"layers": made["layers"][made["layers"]["step"] == 0]}
    assert judged(untouched, SYMMETRIC)[0]["verdict"] == "not tested here"  # a network before training proves nothing


def test_dropout_has_its_own_runs(judged):
    made = tables(arm("constant:0.1"), arm("constant:0.1", dropout=0.5), layers={"constant:0.1": units(1, 1, 1)})
    dropped = made["runs"].loc[made["runs"]["dropout"] > 0, "run_id"]
    made["layers"].loc[made["layers"]["run_id"].isin(dropped), "distinct_units"] = 8
    broken = contrast("distinct_units", {"at_least": 2}, {"at_most": 1}, initializer=["constant:0.1"], dropout=0.5)
    assert judged(made, broken)[0]["verdict"] == "supported"
    assert judged(made, SYMMETRIC)[0]["verdict"] == "supported"


KEEPS = ({"between": [-1, 1]}, {"outside": [-1, 1]})
VANISHES = ({"at_most": -1}, {"at_least": -1})
COLUMNS = {"activation_factor": "h_example_variance", "gradient_factor": "delta_variance"}


def test_factors_run_the_way_the_signal_travels(judged):
    layers = [
        {"h_example_variance": v, "delta_variance": d} for v, d in [(1.0, 1e-4), (0.3, 1e-2), (0.01, 1.0), (99.0, 99.0)]
    ]
    made = tables(arm("normal:0.01"), layers={"normal:0.01": layers})
    for measure, factor in (("activation_factor", -2.0), ("gradient_factor", -4.0)):
        claim, cells = judged(made, contrast(measure, *VANISHES, initializer=["normal:0.01"]))
        assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx([factor] * 3)
        assert claim["verdict"] == "supported" and f"; −{-factor:.2f} decades (95 %" in claim["evidence"]
    grows = tables(arm("normal:0.01"), layers={"normal:0.01": layers[:3][::-1] + layers[3:]})
    for measure in COLUMNS:
        assert judged(grows, contrast(measure, *VANISHES, initializer=["normal:0.01"]))[0]["verdict"] == "refuted"
        assert judged(grows, contrast(measure, *KEEPS, initializer=["normal:0.01"]))[0]["verdict"] == "refuted"


def test_the_same_loss_over_more_layers_is_the_same_loss(judged):
    """Half a decade a layer: kept over two layers, lost over four. The slope is the same."""
    made = [
        tables(arm("he_normal", depth=d), layers={"he_normal": [{"h_example_variance": 10 ** (-0.5 * i)} for i in range(d + 1)]})
        for d in (2, 4)
    ]  # fmt: skip
    keeps = contrast("activation_factor", *KEEPS, initializer=["he_normal"])
    assert [judged(each, keeps)[0]["verdict"] for each in made] == ["supported", "refuted"]


def test_the_interval_of_a_factor_is_over_replicates_not_over_rates_or_tuning_runs(judged):
    tuning = [RUN | {"initializer": "he_normal", "role": "tuning", "replicate": -1}]
    made = tables(arm("he_normal"), arm("he_normal", learning_rate=0.3), tuning)
    decades = {0: 0.0, 1: 0.9, 2: -0.9, 3: 0.5, 4: -0.5, -1: 50.0}
    replicate = made["layers"]["run_id"].map(made["runs"].set_index("run_id")["replicate"])
    made["layers"]["h_example_variance"] = 10.0 ** (replicate.map(decades) * (made["layers"]["layer"] == 3))
    claim, cells = judged(made, contrast("activation_factor", *KEEPS, initializer=["he_normal"]))
    # Of five values with standard deviation √(2.12/4): t₄ = 2.7764.
    reach = 2.7764451 * np.sqrt(2.12 / 4 / 5)
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx([0, -reach, reach], abs=1e-6)
    assert claim["verdict"] == "supported" and cells.loc[0, "replicates"] == 5


def test_a_single_layer_has_no_factor(judged):
    layers = [{"h_example_variance": 1.0}, {"h_example_variance": 0.1}, {}]
    made = tables(arm("kumar", depth=1), arm("kumar", depth=2), layers={"kumar": layers})
    cells = judged(made, contrast("activation_factor", *VANISHES, initializer=["kumar"]))[1]
    assert cells["depth"].to_list() == [2] and cells.loc[0, "value"] == pytest.approx(-1)


@pytest.mark.parametrize(("variances", "factor"), [([1.0, 0.0, 0.0], -np.inf), ([1.0, np.inf, np.nan], np.inf)])
def test_a_variance_of_zero_has_vanished_and_one_that_is_not_finite_exploded(judged, variances, factor):
    order = {"activation_factor": variances, "gradient_factor": variances[::-1]}
    for measure, values in order.items():
        layers = [{COLUMNS[measure]: v} for v in [*values, 1.0]]
        made = tables(arm("zeros"), layers={"zeros": layers})
        claim, cells = judged(made, contrast(measure, *VANISHES, initializer=["zeros"]))
        assert cells.loc[0, ["value", "low", "high"]].to_list() == [factor] * 3
        assert claim["verdict"] == ("supported" if factor < 0 else "refuted")
        assert ("−∞" if factor < 0 else "+∞") in claim["evidence"]
    # Layers that a network could not be measured in are missing.
    made["layers"] = made["layers"][made["layers"]["layer"] != 2]
    assert judged(made, contrast("activation_factor", *VANISHES, initializer=["zeros"]))[1].loc[0, "value"] == np.inf


def test_a_vanished_network_among_others_leaves_five_undecided(judged):
    made = tables(arm("normal:0.01"))
    first = made["layers"]["run_id"] == f"{0:016x}"
    made["layers"].loc[first & (made["layers"]["layer"] == 3), "h_example_variance"] = 0.0
    claim, cells = judged(made, contrast("activation_factor", *KEEPS, initializer=["normal:0.01"]))
    assert cells.loc[0, ["value", "low", "high"]].to_list() == [0, -np.inf, np.inf] and claim["verdict"] == "undecided"


def test_the_saturated_share_is_a_mean_over_hidden_layers(judged):
    layers = [{"saturated": v} for v in (0.3, 0.5, 0.7, 99.0)]
    made = tables(arm("normal:1"), arm("zeros"), layers={"normal:1": layers, "zeros": [{"saturated": np.nan}] * 4})
    names = ["normal:1", "zeros"]
    claim, cells = judged(made, contrast("saturated_share", {"at_least": 0.25}, {"at_most": 0.25}, initializer=names))
    assert cells["initializer"].to_list() == ["normal:1"] and cells.loc[0, "value"] == pytest.approx(0.5)
    assert claim["verdict"] == "supported"
    more = contrast("saturated_share", {"at_least": 0.6}, {"at_most": 0.6}, initializer=names)
    assert judged(made, more)[0]["verdict"] == "refuted"
