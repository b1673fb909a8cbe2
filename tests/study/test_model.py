"""Studies, workloads and runs: what a grid expands to."""

from __future__ import annotations

import pytest

from winit.study.compose import compose
from winit.study.steps import log_spaced


def test_the_default_study_is_as_large_as_promised():
    s = compose()
    grid = s.settings["grid"]
    assert len(grid["initializer"]) >= 12 and len(grid["activation"]) >= 3 and len(grid["learning_rate"]) >= 5
    assert len(grid["depth"]) >= 4 and max(grid["depth"]) == 20 and grid["replicates"] >= 5
    assert s.run_count >= 3000


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
    assert s.run_count == pairs * 2 * 2 * 2 * 2 * len(grid["learning_rate"]) * (
        grid["replicates"] + grid["tuning_replicates"]
    )
    ids = [run.id for w in s.workloads for run in w.runs]
    assert len(set(ids)) == len(ids) == s.run_count
    assert len({w.name for w in s.workloads}) == len(s.workloads)
    assert [key for *key, _ in s.not_applicable] == [["kumar", "", "relu"]]


def test_a_run_is_judged_or_for_tuning_and_says_so():
    study = compose(["study=smoke", "extra_grids=null", "grid.replicates=3", "grid.tuning_replicates=2"])
    for workload in study.workloads:
        roles: dict[tuple, dict[int, str]] = {}
        for run in workload.runs:
            roles.setdefault((run.initializer, run.learning_rate), {})[run.replicate] = run.role
        each = {0: "judged", 1: "judged", 2: "judged", -1: "tuning", -2: "tuning"}
        assert roles and all(of_arm == each for of_arm in roles.values())


def ids(*overrides: str) -> set[str]:
    return {run.id for w in compose(["study=smoke", *overrides]).workloads for run in w.runs}


def test_extra_grids_add_their_runs_once():
    base = ids("extra_grids=null")
    dropout = ids("extra_grids=null", "+extra_grids.x={initializer:[he_normal],dropout:[0,0.5],depth:[2]}")
    added = dropout - base
    assert (
        base < dropout and len(added) == 3 * 2 * 4
    )  # activations, rates, replicates (one for tuning): dropout 0 is in the grid already
    crossed = compose(["study=smoke", "extra_grids=null", "+extra_grids.x={pretraining:[none,autoencoder],depth:[2]}"])
    assert crossed.run_count == len(base) + len(base) // 2
    for workload in crossed.workloads:
        assert workload.run_count == len(workload.runs) == len({run.id for run in workload.runs})


def test_training_longer_has_the_updates_of_pretraining():
    study = compose(["study=smoke", "extra_grids=null", "grid.depth=[6]", "grid.pretraining=[rbm,none+longer]",
                     "grid.activation=[sigmoid]", "pretraining.steps=50", "pretraining.layers=4"])  # fmt: skip
    steps = {run.pretraining: w.training.steps for w in study.workloads for run in w.runs}
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
    assert crossed.run_count == 4 * plain.run_count
    assert {w.name for w in plain.workloads} < {w.name for w in crossed.workloads}
    assert sum("-bn-" in w.name for w in crossed.workloads) == 2 * len(plain.workloads)
    assert sum("-drop0.5-" in w.name for w in crossed.workloads) == 2 * len(plain.workloads)


def test_the_count_of_runs_is_the_number_of_runs():
    for workload in compose(["study=smoke"]).workloads:
        assert workload.run_count == len(workload.runs)


@pytest.mark.parametrize(("last", "points"), [(600, 16), (1, 2), (1, 9), (3, 2), (20, 4), (1000, 50)])
def test_log_spaced_steps(last, points):
    steps = log_spaced(last, points)
    assert steps[0] == 0 and steps[-1] == last and steps == sorted(set(steps)) and 2 <= len(steps) <= points
    if points > 2:
        assert 1 in steps


def test_the_cost_of_a_run():
    workload = compose(["study=smoke", "grid.depth=[2]", "grid.width=[32]", "training.steps=10"]).workloads[0]
    forward = (
        64 * 32 + 32 * 32 + 32 * 10
    )  # multiply-adds an example; three products of each, less the first layer's ∂L/∂x
    assert workload.flops_per_run == 10 * 32 * 2 * (3 * forward - 64 * 32)
