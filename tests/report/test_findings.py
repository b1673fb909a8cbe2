"""Findings: the numbers and the scope of each sentence, and the definition of training used everywhere."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from winit.analysis.depth import depth_limits
from winit.report import findings
from winit.study.compose import compose


def test_findings_hold_numbers_of_the_tables(made):
    _, tables, _ = made
    texts = [f.text for f in findings.headlines(tables, False)]
    runs = tables["all_runs"]
    ok = int((runs["status"] == "ok").sum())
    assert texts[0].startswith(f"How {len(runs):,} networks ended") and f"{ok:,} ok (" in texts[0]
    for status in ("lost_target", "missed_target", "stuck", "diverged"):
        assert f"{int((runs['status'] == status).sum()):,} {status.replace('_', ' ')}" in texts[0]
    zeros = int((tables["runs"]["initializer"] == "zeros").sum())
    assert any(f"{zeros} of {zeros} networks started from zeros" in t for t in texts)
    signal = " ".join(f.text for f in findings.of_section("gradients", tables, False))
    assert "digits, width 12, tanh, 3 layers" in signal and "spirals, width 12, ReLU, 3 layers" in signal
    for finding in findings.headlines(tables, False):
        assert "nan" not in finding.text and "inf" not in finding.text.replace("infinite", "")


def test_every_finding_on_training_names_its_scope(made):
    _, tables, _ = made
    found = [*findings.speed(tables["summaries"]), *findings.of_section("trainability", tables, False)]
    found += [*findings.deepest(sets()), *findings.rates(tables["tuning"])]
    assert len(found) == 5
    for finding in found:
        assert "SGD, width " in finding.text and " update" in finding.text, finding.text
        assert finding.text.startswith(("digits, ", "spirals, ")) and "best" not in finding.text


def test_findings_about_absent_arms_are_left_out(made):
    _, tables, _ = made
    runs = tables["runs"][tables["runs"]["initializer"] == "he_normal"]
    assert findings.symmetry(tables["layers"], runs) == []
    assert findings.reach(tables["summary"][tables["summary"]["initializer"] == "he_normal"]) == []


def test_constant_weights_of_extra_grids_are_found_those_with_dropout_are_not():
    runs = pd.DataFrame({
        "run_id": ["a", "b", "c", "d"], "initializer": ["zeros", "zeros", "zeros", "he_normal"], "dataset": "digits", "optimizer": "sgd",
        "depth": 1, "steps": 40, "dropout": [0.0, 0.0, 0.5, 0.0], "pretraining": "none",
    })  # fmt: skip
    layers = pd.DataFrame(
        [(run, layer, 40, 1 if run in "ab" else 9) for run in runs["run_id"] for layer in (1, 2)],
        columns=["run_id", "layer", "step", "distinct_units"],
    )
    (finding,) = findings.symmetry(layers, runs)
    assert (
        finding.text.startswith("In 2 of 2 networks started from zeros (digits; SGD), ")
        and "after 40 updates" in finding.text
    )


def sets(memberships: dict[str, str] | None = None, **columns: object) -> pd.DataFrame:
    """Return the sets of one cell, from the membership of each initializer."""
    memberships = memberships or {"he_normal": "works", "zeros": "fails"}
    frame = pd.DataFrame({"initializer": list(memberships), "membership": list(memberships.values())})
    given = {"ok": 8, "runs": 10, "diverged": 0, "optimizer": "sgd"} | columns
    return frame.assign(
        budget=1500, dataset="digits", activation="tanh", depth=3, width=32, batch_norm=False, dropout=0.0, **given
    )


def test_all_members_of_a_set_are_named():
    names = {
        "kumar": "works", "he_normal": "works", "glorot_normal": "works", "glorot_uniform": "works", "normal:1": "worse",
        "zeros": "fails", "torch_default": "undecided",
    }  # fmt: skip
    (finding,) = findings.deepest(sets(names))
    assert finding.text == (
        "digits, SGD, width 32, tanh, 3 layers, after 1,500 updates: Glorot normal, Glorot uniform, He normal and Kumar work, with no "
        "difference found between them; normal σ = 1 works but does worse; zeros fails; torch nn.Linear default is undecided."
    )


def test_findings_name_the_setting_where_there_are_several():
    texts = [f.text for f in findings.deepest(pd.concat([sets(), sets(optimizer="adam")]))]
    assert len(set(texts)) == 2 and any(t.startswith("digits, Adam, width 32, tanh") for t in texts)


def test_nothing_is_decided_with_too_few_replicates():
    (finding,) = findings.deepest(sets({"he_normal": "undecided", "zeros": "undecided"}, runs=3, ok=[3, 0]))
    assert "1 of 2 initializers bring at least half of their 3 runs to the target" in finding.text
    assert finding.text.endswith("with fewer than 5 replicates, no differences are judged.")
    assert "work" not in finding.text


def test_if_every_run_diverged_that_is_the_only_finding():
    (finding,) = findings.deepest(sets(diverged=10, ok=0))
    assert finding.text.endswith("every run diverged (2 initializers).")
    (finding,) = findings.outcome(pd.DataFrame({"status": ["diverged"] * 4, "steps": 9}))
    assert finding.text == "Every run diverged (4 networks), so there is nothing to compare."


def test_slower_arms_are_distinguished_from_arms_that_do_not_train():
    arms = {"he_normal": (1.0, 1.0), "kumar": (0.2, 0.9), "zeros": (0.0, 0.0), "normal:1": (0.0, 0.4)}
    both = [
        summary(initializer=list(arms), success_rate=[rates[i] for rates in arms.values()]).assign(budget=budget, ok=1)
        for i, budget in enumerate((500, 1500))
    ]
    (finding,) = findings.speed(pd.concat(both))
    assert finding.text == (
        "digits, SGD, width 32: arms with at least half of their runs at the target: 1 of 4 after 500 updates, 1 more after 1,500 "
        "(slower); 2 did not get there within 1,500."
    )
    assert findings.speed(both[1]) == [], "one budget cannot tell"


def test_chosen_rates_at_the_edge_are_counted_for_arms_with_trained_runs():
    tuned = summary(
        learning_rate=[0.1, 1.0] * 3, initializer=["a", "a", "b", "b", "c", "c"], ok=[0, 1, 1, 0, 0, 0]
    ).assign(
        is_chosen=[False, True, True, False, True, False],
        is_edge=[False, True, False, False, True, False],
        is_extension=False,
    )
    (finding,) = findings.rates(tuned)
    assert "of 2 arms with at least one trained run, 1 chose a rate at the edge of the grid" in finding.text
    assert findings.rates(tuned.query("learning_rate == 1")) == []


RATES = {0.0: False, 0.01: False, 0.2: False, 0.499999: False, 0.5: True, 0.51: True, 0.8: True, 1.0: True}


def summary(**columns: object) -> pd.DataFrame:
    """Return a summary of one setting, one row for each value of the given columns."""
    frame = pd.DataFrame(columns).assign(
        dataset="digits", activation="tanh", width=32, batch_norm=False, dropout=0.0, optimizer="sgd", pretraining="none",
        is_best_rate=True, test_score=0.9, diverged=0, runs=100, budget=500,
    )  # fmt: skip
    return frame.assign(**{name: value for name, value in {"depth": 3}.items() if name not in frame})


@pytest.mark.parametrize(("rate", "trains"), RATES.items())
def test_random_weights_reach_the_depth_at_which_half_of_the_runs_train(rate, trains):
    (finding,) = findings.reach(summary(initializer="normal:1", depth=[2, 5], success_rate=[1.0, rate]))
    assert finding.text.endswith(f"at the target: {5 if trains else 2} layers with tanh.")


@pytest.mark.parametrize(("rate", "trains"), RATES.items())
def test_a_point_of_the_phase_diagram_trains_if_half_of_its_runs_do(rate, trains):
    points = summary(initializer=["mean_field:1.5/0.05"], success_rate=[rate])
    limits = points[["activation", "width", "initializer"]].assign(depth_limit=10)
    (finding,) = findings.phase(points, limits)
    assert f"{int(trains)} of 1 points (σ_w², σ_b²) train" in finding.text
    assert f"is right for {int(trains)} points" in finding.text


def test_points_of_which_the_theory_claims_no_limit_are_not_counted():
    points = summary(initializer=["mean_field:1.5/0.05", "mean_field:2/0"], success_rate=[1.0, 0.0])
    limits = points[["activation", "width", "initializer"]].assign(depth_limit=[10, np.nan])
    (finding,) = findings.phase(points, limits)
    assert "1 of 1 points (σ_w², σ_b²) train" in finding.text
    assert findings.phase(points, limits.assign(depth_limit=np.nan)) == []


@pytest.mark.parametrize(("rate", "trains"), RATES.items())
def test_the_deepest_trained_depth_is_one_at_which_half_of_the_runs_train(rate, trains):
    rows = summary(initializer="glorot_normal", depth=[2, 5, 9], success_rate=[1.0, rate, 0.0])
    (limit,) = depth_limits(compose(["study=smoke"]), rows).to_dict("records")
    assert (limit["deepest_trained"], limit["deepest_tried"]) == (5 if trains else 2, 9)


def test_findings_are_written_for_programs(made):
    study, tables, _ = made
    found = findings.headlines(tables, False)
    contents = json.loads(findings.as_json(study, found))
    assert (contents["study"], contents["question"]) == (study.name, study.question)
    assert [(each["text"], each["figure"]) for each in contents["findings"]] == [(f.text, f.figure) for f in found]
