"""Studies, workloads and runs: what a grid expands to."""

from __future__ import annotations

import pytest

from tests.runs import runs_of
from winit.study.compose import compose
from winit.study.protocol import RunCounts
from winit.study.steps import log_spaced


def test_the_default_study_is_as_large_as_promised():
    s = compose()
    grid = s.settings["grid"]
    assert len(grid["initializer"]) >= 9 and len(grid["activation"]) >= 3 and len(grid["learning_rate"]) >= 3
    deepest = max(depth for each in (grid, *s.settings["extra_grids"].values()) for depth in each.get("depth", ()))
    assert len(grid["depth"]) >= 3 and deepest == 30 and s.budgets[0] < s.budgets[-1]
    assert grid["replicates"] >= 10 and grid["tuning_replicates"] >= 3 and grid["extensions"] >= 1
    assert s.counts.tuning + s.counts.least >= 3000


def test_runs_are_the_product_of_the_factors_less_what_has_no_meaning():
    s = compose(
        [
            "study=smoke",
            "extra_grids=null",
            "training.optimizer=[sgd,adam]",
            "dataset=[digits,spirals]",
            "grid.width=[8,16]",
        ]
    )
    grid = s.settings["grid"]
    pairs = len(grid["initializer"]) * len(grid["activation"]) - 1  # Kumar with ReLU
    arms = pairs * 2 * 2 * 2 * 2
    assert sum(len(w.arms) for w in s.workloads) == arms
    rates, tuning, judged = len(grid["learning_rate"]), grid["tuning_replicates"], grid["replicates"]
    assert s.counts == RunCounts(
        tuning=arms * rates * tuning,
        least=arms * judged,
        most=arms * judged * 2,  # at the chosen rate of the one budget, and at the fixed one
        extensions=arms * 2 * grid["extensions"] * tuning,
    )
    ids = [run.id for w in s.workloads for run in w.schedule({}).runs]
    assert len(set(ids)) == len(ids) == s.counts.tuning
    assert len({w.name for w in s.workloads}) == len(s.workloads)
    assert [key for *key, _ in s.not_applicable] == [["kumar", "", "relu"]]


def test_a_run_is_judged_or_for_tuning_and_says_so():
    study = compose(["study=smoke", "extra_grids=null", "grid.replicates=3", "grid.tuning_replicates=2",
                     "grid.extensions=0"])  # fmt: skip
    for workload in study.workloads:
        tuned = workload.schedule({})
        assert not tuned.is_complete
        scores = {run.id: [0.9 if run.learning_rate == 0.03 else 0.8] for run in tuned.runs}
        roles: dict[tuple, dict[int, str]] = {}
        for run in runs_of(workload, scores):
            roles.setdefault((run.initializer, run.learning_rate), {})[run.replicate] = run.role
        tuning, judged = {-1: "tuning", -2: "tuning"}, {0: "judged", 1: "judged", 2: "judged"}
        # At 0.03, which is chosen, and at 0.3, which is the nearest to the fixed rate of 0.1.
        assert roles and all(of_arm == tuning | judged for of_arm in roles.values())


def test_runs_are_ordered_by_replicate_the_tuning_ones_first():
    """A job makes the data of one replicate after the other."""
    workload = compose(["study=smoke", "extra_grids=null", "grid.tuning_replicates=2", "grid.extensions=0"]).workloads[
        0
    ]
    tuned = workload.schedule({}).runs
    runs = runs_of(workload, {run.id: [0.5] for run in tuned})
    numbers = [run.replicate for run in runs]
    assert numbers == sorted(numbers) and set(numbers) == {-2, -1, 0, 1, 2}


def test_a_failure_scores_as_guessing_when_a_rate_is_chosen():
    """A network that diverged, one below chance and a stuck one count as one that knows nothing."""
    workload = compose(["study=smoke", "extra_grids=null", "grid.initializer=[he_normal]", "grid.activation=[relu]",
                        "grid.depth=[2]", "grid.tuning_replicates=2", "grid.extensions=0", "analysis.fixed_rate=0.03",
                        ]).workloads[0]  # fmt: skip
    assert workload.chance == 0.1

    def judged(*high: float) -> set[float]:
        """Return the judged rates where the smaller one scores 0.3 twice, and the larger one so."""
        runs = workload.schedule({}).runs
        scores = {r.id: [high[-1 - r.replicate] if r.learning_rate == 0.3 else 0.3] for r in runs}
        return {run.learning_rate for run in runs_of(workload, scores) if run.role == "judged"}

    assert judged(0.49, float("nan")) == judged(0.49, 0.0) == {0.03}
    assert judged(0.51, float("nan")) == judged(0.51, 0.0) == {0.03, 0.3}
    assert judged(0.49, 0.147) == {0.03}  # a stuck run, within three standard errors of guessing
    assert judged(0.49, 0.148) == {0.03, 0.3}
    reconstruction = compose(["study=smoke", "task=reconstruction", "task.encoder=[8]"]).workloads[0]
    assert reconstruction.chance == 0


def test_scores_that_guessing_can_have_extend_no_grid():
    """On 359 examples guessing stays below 0.1 + 3 √(0.09/359) = 0.1475."""
    workload = compose(["study=smoke", "extra_grids=null", "grid.tuning_replicates=1", "grid.extensions=1"]).workloads[
        0
    ]
    runs = workload.schedule({}).runs
    assert workload.schedule({run.id: [0.147] for run in runs}).is_complete
    assert not workload.schedule({run.id: [0.148] for run in runs}).is_complete


def test_several_grids_unite_their_arms():
    study = compose(["study=smoke", "extra_grids=null", "grid.initializer=[he_normal]", "grid.depth=[2]", "grid.activation=[relu]",
                     "+extra_grids.x={learning_rate:[0.1,1],replicates:7}"])  # fmt: skip
    (workload,) = study.workloads
    (arm,) = workload.arms
    assert arm.learning_rates == (0.03, 0.1, 0.3, 1.0) and arm.replicates == 7
    assert arm.untuned_rate == 0.1, "of all rates the nearest to analysis.fixed_rate"


def test_budgets_are_readings_of_one_run():
    study = compose(["study=smoke", "measure.budgets=[50,10]"])
    assert study.budgets == study.workloads[0].budgets == (10, 50, 200)
    longer = next(w for w in study.workloads if w.longer_by)
    more = longer.longer_by
    assert longer.budgets == (10 + more, 50 + more, 200 + more), "as many additional updates at every budget"


def ids(*overrides: str) -> set[str]:
    study = compose(["study=smoke", "grid.tuning_replicates=0", *overrides])
    return {run.id for w in study.workloads for run in runs_of(w)}


def test_extra_grids_add_their_runs_once():
    base = ids("extra_grids=null")
    dropout = ids("extra_grids=null", "+extra_grids.x={initializer:[he_normal],dropout:[0,0.5],depth:[2]}")
    added = dropout - base
    assert (
        base < dropout and len(added) == 3 * 2 * 3
    )  # activations, rates, replicates: dropout 0 is in the grid already
    crossed = compose(["study=smoke", "extra_grids=null", "grid.tuning_replicates=0",
                       "+extra_grids.x={pretraining:[none,autoencoder],depth:[2]}"])  # fmt: skip
    assert crossed.counts.bound == len(base) + len(base) // 2
    for workload in crossed.workloads:
        assert workload.counts.bound == len(runs_of(workload)) == len({run.id for run in runs_of(workload)})


def test_training_longer_has_the_updates_of_pretraining():
    study = compose(["study=smoke", "extra_grids=null", "grid.tuning_replicates=0", "grid.depth=[6]", "grid.pretraining=[rbm,none+longer]",
                     "grid.activation=[sigmoid]", "pretraining.steps=50", "pretraining.layers=4"])  # fmt: skip
    steps = {run.pretraining: w.training.steps for w in study.workloads for run in runs_of(w)}
    assert steps == {"rbm": 200, "none+longer": 200 + 4 * 50}
    rbm = next(w for w in study.workloads if w.training.steps == 200)
    assert rbm.pretraining_updates("rbm+shuffled") == 200 and rbm.pretraining_updates("none+longer") == 0


def test_a_deep_autoencoder_has_the_shape_of_its_encoder():
    study = compose(["study=smoke", "task=reconstruction", "task.encoder=[20,10,5]"])
    for workload in study.workloads:
        assert workload.widths == [64, 20, 10, 5, 10, 20, 64]
        assert (workload.depth, workload.width, workload.pretrained_layers) == (5, 20, 3)
    other = compose(["study=smoke", "task=reconstruction", "task.encoder=[20,12,5]"])
    assert not {w.name for w in study.workloads} & {w.name for w in other.workloads}


def test_regularization_is_a_factor_with_workloads_of_its_own():
    plain = compose(["study=smoke", "extra_grids=null"])
    crossed = compose(["study=smoke", "extra_grids=null", "grid.batch_norm=[false,true]", "grid.dropout=[0,0.5]"])
    assert crossed.counts.bound == 4 * plain.counts.bound
    assert {w.name for w in plain.workloads} < {w.name for w in crossed.workloads}
    assert sum("-bn-" in w.name for w in crossed.workloads) == 2 * len(plain.workloads)
    assert sum("-drop0.5-" in w.name for w in crossed.workloads) == 2 * len(plain.workloads)


@pytest.mark.parametrize(("last", "points"), [(600, 16), (1, 2), (1, 9), (3, 2), (20, 4), (1000, 50)])
def test_log_spaced_steps(last, points):
    steps = log_spaced(last, points)
    assert steps[0] == 0 and steps[-1] == last and steps == sorted(set(steps)) and 2 <= len(steps) <= points
    if points > 2:
        assert 1 in steps


def test_the_cost_of_a_run():
    workload = compose(
        ["study=smoke", "grid.depth=[2]", "grid.width=[32]", "training.steps=10", "measure.budgets=[]"]
    ).workloads[0]
    forward = (
        64 * 32 + 32 * 32 + 32 * 10
    )  # multiply-adds an example; three products of each, less the first layer's ∂L/∂x
    assert workload.flops_per_run == 10 * 32 * 2 * (3 * forward - 64 * 32)
