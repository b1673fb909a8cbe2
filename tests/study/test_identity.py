"""Identity: what is part of a run's id, and what is not."""

from __future__ import annotations

import hashlib

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


# (overrides, number of runs, digest of the sorted run ids)
PINNED: list[tuple[list[str], int, str]] = [
    (["study=smoke"], 424, "3642eee1d656"),
    (["study=default"], 14184, "e25f44f4bd2f"),
    (["study=phase_diagram"], 1136, "cbe93980b29d"),
    (["study=deep_autoencoder"], 33, "5b06f3fa93c2"),
    (["study=smoke", "training=momentum", "training.schedule=cosine", "training.warmup=9"], 424, "bf46b364b21c"),
    (["study=smoke", "task=reconstruction", "data.scaling=unit", "task.loss=cross_entropy"], 160, "fa150f597552"),
    (
        [
            "study=smoke",
            "dataset=spirals",
            "dataset.spirals.noise=0.1",
            "grid.batch_norm=[false,true]",
            "grid.dropout=[0,0.5]",
        ],
        1280,
        "a36c21ef3b24",
    ),
    (
        [
            "study=smoke",
            "grid.activation=[sigmoid]",
            "grid.pretraining=[none,none+longer,autoencoder,denoising_autoencoder,rbm,rbm+moments,supervised+shuffled]",
            "pretraining.optimizer=nesterov",
            "pretraining.layers=2",
        ],
        784,
        "7d93c78671e3",
    ),
    (
        [
            "study=smoke",
            "grid.initializer=[lsuv,xavier_uniform,'normal:1e-2','mean_field:1.5/0.1']",
            "grid.activation=[gelu]",
            "seed=7",
            "measure.trace_points=5",
            "training.optimizer=[adam,adamw]",
        ],
        128,
        "1536ade87bf7",
    ),
]


@pytest.mark.parametrize(("overrides", "count", "digest"), PINNED, ids=range(len(PINNED)))
def test_run_ids_are_those_of_stored_runs(overrides, count, digest):
    """Where one moves, runs in people's stores are no longer found: raise REVISION only if their numbers have moved, too."""
    run_ids = sorted(run.id for workload in compose(overrides).workloads for run in workload.runs)
    assert (len(run_ids), hashlib.sha256("".join(run_ids).encode()).hexdigest()[:12]) == (count, digest)
