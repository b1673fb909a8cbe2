"""The benchmark of whole studies counts what was computed, gives every second to one part, and compares equal work."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import idiomatic, scaling, stopwatch, study
from winit.engine.torch_stack import TorchStack
from winit.study.compose import compose
from winit.study.protocol import Role, Run
from winit.study.workload import Workload
from winit.training.data import WorkloadData
from winit.training.workload import train
from winit.workflow.paths import StudyPaths

CPU = torch.device("cpu")
SMALL = ["study=smoke", "grid.activation=[sigmoid]", "grid.depth=[2]", "extra_grids=null"]


def workload(*overrides: str) -> Workload:
    (only,) = compose([*SMALL, *overrides]).workloads
    return only


def run_of(initializer: str = "glorot_uniform", replicate: int = 0, role: Role = Role.JUDGED) -> Run:
    return Run(f"{initializer}{replicate}", initializer, "none", 1.0, 0.3, replicate, role)


class Clock:
    """A clock that shows what it is set to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def inner(self) -> None:
        self.now += 1

    def outer(self) -> None:
        self.now += 10
        self.inner()

    def compile(self) -> None:
        self.now += 100

    def outermost(self) -> None:
        self.outer()
        self.compile()
        self.now += 1000


HERE = f"{__name__}:Clock"


def test_every_second_is_one_part_s():
    clock = Clock()
    watch = stopwatch.Stopwatch(clock)
    watched = {
        stopwatch.INNERMOST: [f"{HERE}.compile"],
        "a": [f"{HERE}.outer"],
        "b": [f"{HERE}.outermost", f"{HERE}.inner"],
    }
    before = vars(Clock).copy()
    with watch.watching(watched):
        clock.outermost()
        clock.outer()
        clock.now += 10000
    assert watch.seconds == {"b": 1011, stopwatch.INNERMOST: 100, "a": 11, stopwatch.REST: 10000}
    assert sum(watch.seconds.values()) == clock.now
    assert vars(Clock) == before


@pytest.mark.parametrize("path", [path for paths in stopwatch.WATCHED.values() for path in paths])
def test_what_is_watched_is_there(path):
    holder, name = stopwatch.owner(path)
    assert callable(vars(holder)[name])


@pytest.mark.parametrize("method", ["autoencoder", "denoising_autoencoder", "rbm", "supervised"])
def test_operations_of_pretraining_are_those_that_torch_counts(method):
    counted, known = [], []
    for steps in (2, 3):
        small = workload(f"pretraining.steps={steps}", "measure.layer_points=2")
        data = WorkloadData(small, TorchStack, CPU)
        with FlopCounterMode(display=False) as counter:
            idiomatic.pretrain(small, run_of(), data, method)
        counted.append(counter.get_total_flops())
        known.append(study.pretraining_flops(small, method))
    assert counted[1] - counted[0] == known[1] - known[0] > 0


@pytest.mark.parametrize("overrides", [[], ["grid.batch_norm=[true]"], ["training.optimizer=adam"]], ids=str)
def test_the_loop_trains_and_measures_as_we_do(overrides):
    small, run = workload(*overrides, "training.steps=60"), run_of()
    theirs = idiomatic.train(small, run, WorkloadData(small, TorchStack, CPU))
    ((ours,),) = train(small, [run], CPU)
    close = {"rtol": 1e-3, "atol": 1e-5}
    curve = np.array(list(theirs.curve.values())).T
    for name, values in zip(("train_loss", "train_accuracy", "test_loss", "test_accuracy"), curve, strict=True):
        np.testing.assert_allclose(values, ours[name], **close, err_msg=name)
    np.testing.assert_allclose([loss for loss, _ in theirs.validation.values()], ours["validation_loss"], **close)
    layers = small.depth + 1
    for at, (step, measured) in enumerate(theirs.layers.items()):
        assert ours["layer_step"][at] == step
        for name, values in measured.items():
            own = np.reshape(ours[name], (-1, layers))[at, : len(values)]
            np.testing.assert_allclose(values, own, **close, err_msg=f"{name} at step {step}")
    updates = np.reshape(ours["update_ratio"], (-1, layers))[:, :layers]
    np.testing.assert_allclose(list(theirs.updates.values()), updates, **close)
    for at, values in enumerate(theirs.jacobian.values()):
        assert values[0] == pytest.approx(ours["jacobian_mean"][at], rel=1e-3)
    assert len(theirs.jacobian) == (0 if small.batch_norm else len(theirs.layers))
    np.testing.assert_array_equal(theirs.predictions[0], ours["test_prediction"])


def test_a_loop_that_diverges_says_when():
    small = workload("training.steps=60", "grid.activation=[relu]")
    run = Run("x", "normal:1", "none", 1.0, 1e6, 0, Role.JUDGED)
    theirs = idiomatic.train(small, run, WorkloadData(small, TorchStack, CPU))
    ((ours,),) = train(small, [run], CPU)
    assert theirs.diverged == ours["diverged_step"] is not None


def test_only_the_steps_that_were_taken_count(tmp_path):
    made = compose([*SMALL, "grid.tuning_replicates=2", "grid.replicates=3"])
    paths = StudyPaths(made.name, tmp_path / "results")
    runs = scaling.fill(made, paths)
    trained = study.Trained.of(made.workloads[0], paths.store)
    of_store = paths.store.parts_of(made.workloads[0].name).read(["diverged_step"])["diverged_step"].to_pylist()
    diverged = [step for step in of_store if step is not None]
    steps = made.training.steps
    assert len(trained.steps) == runs and diverged
    assert sum(trained.steps.values()) == (runs - len(diverged)) * steps + sum(diverged)
    assert trained.training_flops < runs * made.workloads[0].flops_per_run
    for some, times in trained.of_first_replicates():
        assert len({(run.role, run.replicate) for run in some}) == 1
        whole = sum(count for run, count in trained.steps.items() if run.role is some[0].role)
        assert times * sum(trained.steps[run] for run in some) == pytest.approx(whole)


def test_networks_that_several_runs_share_are_pretrained_once():
    small = workload()
    steps = {
        Run(f"{method}{rate}{i}", "glorot_uniform", method, 1.0, rate, i, Role.JUDGED): 200
        for method in ("none", "rbm", "rbm+shuffled")
        for rate in (0.1, 0.3)
        for i in (0, 1)
    }
    trained = study.Trained(small, steps, study.pretrained_networks(steps))
    assert trained.pretrained == {"rbm": 2}
    assert trained.pretraining_flops == 2 * study.pretraining_flops(small, "rbm")


def test_shares_of_the_peak_and_of_time():
    small = workload()
    trained = study.Trained(small, {run_of(replicate=i): small.training.steps for i in range(3)}, {})
    flops = 3 * small.flops_per_run
    peak = flops / 10  # one core at its peak would take 10 s
    parts = {"training steps": 12.0, study.TABLES: 5.0, study.PAGE: 3.0}
    known = study.facts([trained], study.WholeRun(25, 40, 100), parts, peak, 2, 60.0)
    assert known["of_the_peak"] == 0.2 and known["of_the_peak_of_processor_time"] == 0.25
    assert known["parts"] == parts | {study.OTHER: 20.0}
    assert known["to_idiomatic"] == round(60 / 32, 2)
    assert "| training steps | 12.0 | 30% |" in study.table("smoke", known)
    assert study.extrapolation([trained, trained], [trained]) == 2
