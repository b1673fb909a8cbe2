"""The plan of a study: what is stored, what is left, and what it costs."""

from __future__ import annotations

import pytest
import torch

from winit.store.parts import RunStore
from winit.tools.plan import JOB_SECONDS, NOMINAL_FLOPS, PAGE_SECONDS, lines, plan
from winit.training.workload import train


def test_the_plan_of_an_empty_store_is_every_run(tiny, tmp_path):
    study = tiny("grid.activation=[tanh,relu]")
    planned = plan(study, RunStore(tmp_path))
    flops = sum(workload.run_count * workload.flops_per_run for workload in study.workloads)
    assert (planned.stored, planned.to_train, planned.jobs) == (0, study.run_count, len(study.workloads))
    assert planned.measured_rate is None and planned.broken == {} and planned.flops == pytest.approx(flops)
    seconds = (flops / NOMINAL_FLOPS + len(study.workloads) * JOB_SECONDS) / 2 + PAGE_SECONDS
    assert planned.seconds(cores=2) == pytest.approx(seconds)
    assert "a rough guess" in lines(planned, cores=2)[-1]


def test_the_plan_counts_what_is_stored_and_names_what_is_broken(tiny, tmp_path):
    study, store = tiny("grid.activation=[tanh,relu]", "training.steps=5"), RunStore(tmp_path)
    first, *rest = study.workloads
    for rows in train(first, first.runs, torch.device("cpu")):
        store.commit(first.name, rows)
    (tmp_path / rest[0].name).mkdir()
    foreign = tmp_path / rest[0].name / "foreign.parquet"
    foreign.write_bytes(b"no part")
    planned = plan(study, store)
    assert planned.stored == first.run_count and planned.jobs == len(rest)
    assert planned.measured_rate is not None and planned.measured_rate > 0
    text = "\n".join(lines(planned, cores=2))
    assert f"not a part of the store: {foreign}: " in text and "at the rate of the stored runs" in text


def test_nothing_is_left_of_a_study_that_is_stored(tiny, tmp_path):
    study, store = tiny("training.steps=5"), RunStore(tmp_path)
    for workload in study.workloads:
        for rows in train(workload, workload.runs, torch.device("cpu")):
            store.commit(workload.name, rows)
    planned = plan(study, store)
    assert planned.to_train == 0 and planned.seconds(cores=1) == 0
    assert lines(planned, cores=1)[-1] == "to train: nothing"
