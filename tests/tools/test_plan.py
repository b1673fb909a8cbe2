"""The plan of a study: how it is tuned and judged, what is stored, what is left, and what it costs."""

from __future__ import annotations

import pytest

from tests.runs import CPU, fill, runs_of
from winit.store.parts import RunStore
from winit.tools.plan import JOB_SECONDS, NOMINAL_FLOPS, PAGE_SECONDS, lines, plan
from winit.training.workload import train
from winit.workflow.bundles import bundles
from winit.workflow.session import lacking

# One arm in one cell: two rates, two tuning replicates, three judged ones, one extension at each end.
TUNED = ["grid.activation=[relu]", "grid.initializer=[he_normal]", "grid.learning_rate=[0.1,0.3]", "grid.replicates=3",
         "grid.tuning_replicates=2", "grid.extensions=1", "training.steps=40"]  # fmt: skip


def test_the_plan_of_an_empty_store_is_every_run(tiny, tmp_path):
    study = tiny("grid.activation=[tanh,relu]")
    planned = plan(study, RunStore(tmp_path))
    runs = sum(len(runs_of(workload)) for workload in study.workloads)
    flops = sum(len(runs_of(workload)) * workload.flops_per_run for workload in study.workloads)
    assert (planned.done, planned.to_train, planned.jobs) == (0, runs, len(bundles(study)))
    assert planned.measured_rate is None and planned.broken == {} and planned.flops == pytest.approx(flops)
    seconds = (flops / NOMINAL_FLOPS + len(bundles(study)) * JOB_SECONDS) / 2 + PAGE_SECONDS
    assert planned.seconds(cores=2) == pytest.approx(seconds)
    assert "a rough guess" in lines(planned, cores=2)[-1]


def test_the_plan_counts_what_is_stored_and_names_what_is_broken(tiny, tmp_path):
    study, store = tiny("grid.activation=[tanh,relu]", "training.steps=5"), RunStore(tmp_path)
    first, *rest = study.workloads
    for rows in train(first, runs_of(first), CPU):
        store.commit(first.name, rows)
    (tmp_path / rest[0].name).mkdir()
    foreign = tmp_path / rest[0].name / "foreign.parquet"
    foreign.write_bytes(b"no part")
    planned = plan(study, store)
    assert planned.done == len(runs_of(first)) and planned.jobs == 1
    assert planned.measured_rate is not None and planned.measured_rate > 0
    text = "\n".join(lines(planned, cores=2))
    assert f"not a part of the store: {foreign}: " in text and "at the rate of the stored runs" in text


def test_nothing_is_left_of_a_study_that_is_stored(tiny, tmp_path):
    study, store = tiny("training.steps=5"), RunStore(tmp_path)
    fill(store, study)
    planned = plan(study, store)
    assert planned.to_train == 0 and planned.seconds(cores=1) == 0
    assert lines(planned, cores=1)[-1] == "to train: nothing"


def test_the_plan_says_how_rates_are_chosen_and_what_extensions_can_add(tiny, tmp_path):
    """4 tuning runs; 3 judged ones at one rate, or at two; 2 more tuning runs at each end of the grid."""
    text = lines(plan(tiny(*TUNED), RunStore(tmp_path)), cores=2)
    assert text[0].startswith("study smoke: 7 to 10 runs in 1 workloads")
    assert text[1:3] == [
        "tuning: 4 runs, 2 replicates of every rate; extensions of the grid add at most 4",
        "judging: 3 to 6 runs on other replicates (3 in the main grid), at the rates chosen for 1 budget and at the fixed one",
    ]
    assert text[3] == "stored: 0 of up to 14 runs" and text[4].startswith("to train: up to 14 runs, ")
    more = lines(plan(tiny(*TUNED, "measure.budgets=[5,20]"), RunStore(tmp_path)), cores=2)
    assert more[2].startswith("judging: 3 to 12 runs") and "for 3 budgets and" in more[2]
    fixed = lines(plan(tiny(*TUNED, "grid.extensions=0"), RunStore(tmp_path)), cores=2)
    assert fixed[1].endswith("add at most 0") and fixed[3] == "stored: 0 of up to 10 runs"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("grid.learning_rate=[0.1]", "not tuned: there is one learning rate"),
        ("grid.tuning_replicates=0", "not tuned: grid.tuning_replicates is 0: judged runs choose their own rate"),
    ],
)
def test_the_plan_says_why_nothing_is_tuned(tiny, tmp_path, change, sentence):
    text = lines(plan(tiny(*TUNED, change), RunStore(tmp_path)), cores=2)
    assert text[1] == sentence and text[2].startswith("stored: 0 of up to ")


def test_the_most_there_can_be_becomes_what_there_is_when_rates_are_chosen(tiny, tmp_path):
    study, store = tiny(*TUNED), RunStore(tmp_path)
    (workload,) = study.workloads
    for rows in train(workload, lacking(workload, store), CPU):
        store.commit(workload.name, rows)
    half = plan(study, store)
    assert half.done == 4 and half.total in (7, 10, 14) and lines(half, 1)[3].startswith("stored: 4 of up to ")
    fill(store, study)
    done = plan(study, store)
    assert done.done == done.total == len(store.parts_of(workload.name).run_ids)
    assert lines(done, 1)[3:] == [f"stored: {done.total} of {done.total} runs", "to train: nothing"]


def test_degenerate_weights_are_a_warning(tiny, tmp_path):
    study = tiny("dataset=[spirals]", "grid.initializer=[he_normal,scaled_ws,zeros]", "grid.activation=[relu]")
    warnings = [line for line in lines(plan(study, RunStore(tmp_path)), cores=1) if line.startswith("degenerate")]
    (warning,) = warnings
    assert warning.startswith("degenerate: scaled_ws with relu, layer 1 (2 × ") and "rank 1 of 2" in warning
