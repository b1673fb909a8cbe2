"""Identity: what is part of a run's id, and what is not."""

from __future__ import annotations

import pytest

from winit.study.compose import compose


def test_a_run_id_stays_when_others_come_and_go():
    base = {run.id for w in compose(["study=smoke", "extra_grids=null"]).workloads for run in w.runs}
    wider = [
        "grid.learning_rate=[0.003,0.03,0.3]",
        "grid.depth=[2,4,6]",
        "grid.replicates=4",
        "name=other",
        "device=cpu",
    ]
    more = {run.id for w in compose(["study=smoke", *wider]).workloads for run in w.runs}
    assert base < more


@pytest.mark.parametrize(
    "change",
    ["training.steps=201", "training.batch_size=31", "seed=1", "measure.curve_points=15", "measure.probe_examples=127"],
)
def test_a_run_id_changes_with_what_changes_the_run(change):
    base = {run.id for w in compose(["study=smoke"]).workloads for run in w.runs}
    changed = {run.id for w in compose(["study=smoke", change]).workloads for run in w.runs}
    assert not base & changed


def test_a_target_is_a_reading_of_the_run_and_not_part_of_it():
    base, other = compose(["study=smoke"]), compose(["study=smoke", "dataset.digits.target_accuracy=0.5"])
    assert [w.runs_digest for w in base.workloads] == [w.runs_digest for w in other.workloads]
    assert base.digest != other.digest


def test_spellings_of_one_value_are_one_run():
    a = compose(["study=smoke", "grid.initializer=[normal:0.010]", "grid.learning_rate=[1]"])
    b = compose(["study=smoke", "grid.initializer=['normal:1e-2']", "grid.learning_rate=[1.0]"])
    assert a.settings == b.settings


def ids(*overrides: str) -> set[str]:
    return {run.id for w in compose(["study=smoke", *overrides]).workloads for run in w.runs}


def test_pretraining_is_part_of_a_run_by_what_it_uses():
    def of(*overrides):
        return ids("extra_grids=null", "grid.activation=[sigmoid]", *overrides)

    plain, rbm = of(), of("grid.pretraining=[rbm]")
    assert not plain & rbm and of("pretraining.steps=9") == plain
    assert of("grid.pretraining=[none,rbm,rbm+shuffled]") > plain | rbm
    assert of("grid.pretraining=[rbm]", "pretraining.decoder=free") == rbm
    assert not of("grid.pretraining=[rbm]", "pretraining.rbm.gibbs_steps=2") & rbm
    assert not of("grid.pretraining=[rbm]", "pretraining.steps=9") & rbm
    autoencoder = of("grid.pretraining=[autoencoder]")
    assert of("grid.pretraining=[autoencoder]", "pretraining.corruption_amount=0.5") == autoencoder
    assert not of("grid.pretraining=[autoencoder]", "pretraining.decoder=free") & autoencoder


def test_parameters_are_not_rounded():
    s = compose(["study=smoke", "grid.initializer=['normal:0.12345671','normal:0.12345672']"])
    assert s.initializers == ["normal:0.12345671", "normal:0.12345672"]


def test_momentum_is_no_factor_of_those_who_do_not_use_it():
    def ids(*more):
        return {run.id for w in compose(["study=smoke", *more]).workloads for run in w.runs}

    assert ids() == ids("training.momentum=0.5")
    assert not ids("training=momentum") & ids("training=momentum", "training.momentum=0.5")
