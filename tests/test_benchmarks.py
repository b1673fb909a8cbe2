"""The peers of the benchmark do the same work as our engines, and synthetic studies are like trained ones."""

from __future__ import annotations

import pytest
import torch

from benchmarks import peers, scaling
from benchmarks.shapes import RATES, Shape, problem
from tests.runs import tables
from winit.engine.engine import NetworkSpec
from winit.engine.optimizers import Optimizer
from winit.engine.torch_stack import TorchStack
from winit.study.compose import compose
from winit.workflow import session
from winit.workflow.paths import StudyPaths

SMALL = Shape(6, 5, 3, 4, "tanh", 3, 5, (3,))


def ours(optimizer: str) -> list[torch.Tensor]:
    """Return weights, then biases, of our torch engine after the problem's steps."""
    task = problem(SMALL, SMALL.networks, SMALL.steps)
    stack = TorchStack(task.weights, task.biases, NetworkSpec(SMALL.activation, Optimizer(optimizer), SMALL.batch))
    stack.advance(task.x, task.y, task.order, torch.full((SMALL.steps, SMALL.networks), RATES[optimizer]))
    return [*stack.weights, *(b.squeeze(1) for b in stack.biases)]


@pytest.mark.parametrize("optimizer", RATES)
def test_vmap_trains_the_same_networks(optimizer):
    train, parameters = peers.vmap_trainer(problem(SMALL, SMALL.networks, SMALL.steps), SMALL.activation, optimizer)
    train()
    for theirs, own in zip(parameters, ours(optimizer), strict=True):
        torch.testing.assert_close(theirs, own, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", RATES)
def test_jax_trains_the_same_networks(optimizer):
    pytest.importorskip("jax", reason="jax is not installed: pip install -e '.[benchmark]'")
    task = problem(SMALL, SMALL.networks, SMALL.steps)
    _, result = peers.jax_trainer(task, SMALL.activation, optimizer)
    for theirs, own in zip(result(), ours(optimizer), strict=True):
        torch.testing.assert_close(torch.from_numpy(theirs.copy()), own, rtol=1e-5, atol=1e-6)


def test_synthetic_runs_tune_and_are_judged_as_trained_ones(tmp_path):
    study = compose(["study=smoke", "grid.depth=[2]", "grid.activation=[tanh]", "extra_grids=null"])
    places = StudyPaths(study.name, tmp_path / "results")
    count = scaling.fill(study, places)
    (workload,) = study.workloads
    assert not session.lacking(workload, places.store)
    assert places.manifest(workload.name).is_file()
    collected = tables(study, places.store)
    runs = collected["runs"]
    assert len(runs) == count and study.counts.tuning + study.counts.least <= count <= study.counts.bound
    assert set(runs["role"]) == {"tuning", "judged"} and runs["status"].nunique() > 1
    judged = set(runs.loc[runs["role"] == "judged", "run_id"])
    assert set(collected["layers"]["run_id"]) == set(collected["predictions"]["run_id"]) == judged


@pytest.mark.parametrize("runs", scaling.GRIDS)
def test_synthetic_studies_have_about_as_many_runs_as_they_say(runs):
    counts = scaling.study_of(runs).counts
    assert counts.tuning + counts.least < runs < counts.bound
