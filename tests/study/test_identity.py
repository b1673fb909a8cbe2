"""Identity: what is part of a run's id, and what is not."""

from __future__ import annotations

import hashlib

import pytest

from tests.runs import runs_of
from winit.study.compose import compose

UNTUNED = ["study=smoke", "grid.tuning_replicates=0"]


def test_a_run_id_stays_when_others_come_and_go():
    base = {run.id for w in compose([*UNTUNED, "extra_grids=null"]).workloads for run in runs_of(w)}
    wider = [
        "grid.learning_rate=[0.003,0.03,0.3]",
        "grid.depth=[2,4,6]",
        "grid.replicates=4",
        "name=other",
        "device=cpu",
    ]
    more = {run.id for w in compose([*UNTUNED, *wider]).workloads for run in runs_of(w)}
    assert base < more


@pytest.mark.parametrize(
    "change",
    [
        "training.steps=201",
        "training.batch_size=31",
        "seed=1",
        "measure.curve_points=15",
        "measure.probe_examples=127",
        "measure.budgets=[70]",
    ],
)
def test_a_run_id_changes_with_what_changes_the_run(change):
    base = {run.id for w in compose(UNTUNED).workloads for run in runs_of(w)}
    changed = {run.id for w in compose([*UNTUNED, change]).workloads for run in runs_of(w)}
    assert not base & changed


def test_a_target_is_a_reading_of_the_run_and_not_part_of_it():
    base, other = compose(UNTUNED), compose([*UNTUNED, "dataset.digits.target_accuracy=0.5"])
    assert [w.arms_digest for w in base.workloads] == [w.arms_digest for w in other.workloads]
    assert base.digest != other.digest


def test_spellings_of_one_value_are_one_run():
    a = compose([*UNTUNED, "grid.initializer=[normal:0.010]", "grid.learning_rate=[1]"])
    b = compose([*UNTUNED, "grid.initializer=['normal:1e-2']", "grid.learning_rate=[1.0]"])
    assert a.settings == b.settings


def ids(*overrides: str) -> set[str]:
    return {run.id for w in compose([*UNTUNED, *overrides]).workloads for run in runs_of(w)}


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
    assert not of("grid.pretraining=[rbm]", "grid.pretraining_rate=[2]") & rbm
    assert of("grid.pretraining_rate=[2]") == plain


def test_requested_runs_are_not_part_of_a_run_id_but_make_the_job_due():
    """Judged runs at another rate, more replicates or extensions: the runs that are stored are found again."""
    one = ["study=smoke", "extra_grids=null", "grid.activation=[relu]", "grid.depth=[2]"]
    (base,) = compose(one).workloads
    for change in ("analysis.fixed_rate=0.3", "grid.replicates=4", "grid.extensions=1", "grid.tuning_replicates=2"):
        (other,) = compose([*one, change]).workloads
        assert other.name == base.name and other.arms_digest != base.arms_digest
        assert {run.id for run in base.schedule({}).runs} <= {run.id for run in other.schedule({}).runs}


def test_parameters_are_not_rounded():
    s = compose([*UNTUNED, "grid.initializer=['normal:0.12345671','normal:0.12345672']"])
    assert s.initializers == ["normal:0.12345671", "normal:0.12345672"]


def test_momentum_is_no_factor_of_those_who_do_not_use_it():
    def ids(*more):
        return {run.id for w in compose([*UNTUNED, *more]).workloads for run in runs_of(w)}

    assert ids() == ids("training.momentum=0.5")
    assert not ids("training=momentum") & ids("training=momentum", "training.momentum=0.5")


# (overrides, number of the runs that need no scores, digest of their sorted ids)
PINNED: list[tuple[list[str], int, str]] = [
    (["study=smoke"], 90, "75c581384f00"),
    (["study=default"], 4180, "cf4d48ab3e73"),
    (["study=phase_diagram"], 552, "1e54daf8e954"),
    (["study=deep_autoencoder"], 56, "2d5136a37f6b"),
    (
        ["study=smoke", "training=momentum", "training.schedule=cosine", "training.warmup=9", "measure.budgets=[]"],
        90,
        "322a8fe3dd00",
    ),
    (["study=smoke", "task=reconstruction", "data.scaling=unit", "task.loss=cross_entropy"], 40, "2ee623955c78"),
    (
        [
            "study=smoke",
            "dataset=spirals",
            "dataset.spirals.noise=0.1",
            "grid.batch_norm=[false,true]",
            "grid.dropout=[0,0.5]",
        ],
        320,
        "0a535664ce99",
    ),
    (
        [
            "study=smoke",
            "grid.activation=[sigmoid]",
            "grid.pretraining=[none,none+longer,autoencoder,denoising_autoencoder,rbm,rbm+moments,supervised+shuffled]",
            "pretraining.optimizer=nesterov",
            "pretraining.layers=2",
        ],
        196,
        "b7c79e1a8c04",
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
        32,
        "38fe0f47d284",
    ),
]


@pytest.mark.parametrize(("overrides", "count", "digest"), PINNED, ids=range(len(PINNED)))
def test_run_ids_are_those_of_stored_runs(overrides, count, digest):
    """Where one moves, runs in people's stores are no longer found: raise REVISION only if their numbers have moved, too."""
    run_ids = sorted(run.id for workload in compose(overrides).workloads for run in workload.schedule({}).runs)
    assert (len(run_ids), hashlib.sha256("".join(run_ids).encode()).hexdigest()[:12]) == (count, digest)
