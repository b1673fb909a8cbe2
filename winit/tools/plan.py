"""What a study will train, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from winit.store.parts import RunStore
from winit.study.model import Study
from winit.workflow.progress import duration

# Operations per second and core that the engine reaches on small networks; used until the store has measured better.
NOMINAL_FLOPS = 4e10
# What a job costs before it trains, and the tables and the page after the last one, in seconds.
JOB_SECONDS, PAGE_SECONDS = 3, 15


@dataclass(frozen=True)
class Plan:
    """What is left to train of a study.

    Attributes:
        study: the study.
        stored: how many of its runs the store holds.
        jobs: workloads that lack runs.
        flops: floating-point operations of the runs that are lacking.
        measured_rate: operations per second of the stored runs of these workloads; None if there are none.
        broken: files in the store that are no parts, each with the reason.
    """

    study: Study
    stored: int
    jobs: int
    flops: float
    measured_rate: float | None
    broken: Mapping[Path, str]

    @property
    def to_train(self) -> int:
        """The number of runs that the store lacks."""
        return self.study.run_count - self.stored

    def seconds(self, cores: int) -> float:
        """Return the estimated time until the page is written, on this number of cores; 0 if there is nothing to train."""
        if not self.jobs:
            return 0.0
        work = self.flops / (self.measured_rate or NOMINAL_FLOPS) + self.jobs * JOB_SECONDS
        return work / min(cores, self.jobs) + PAGE_SECONDS


def plan(study: Study, store: RunStore) -> Plan:
    """Return what is left to train of a study. Reads the store and changes nothing."""
    stored, jobs, flops, seconds, computed = 0, 0, 0.0, 0.0, 0.0
    broken: dict[Path, str] = {}
    for workload in study.workloads:
        parts = store.parts_of(workload.name)
        broken |= parts.broken
        held = parts.run_ids
        lacking = sum(run.id not in held for run in workload.runs) if held else workload.run_count
        stored += workload.run_count - lacking
        jobs += lacking > 0
        flops += lacking * workload.flops_per_run
        if held:
            times = parts.read(["wall_time_s"])["wall_time_s"].to_pylist()  # to_numpy would import pandas
            seconds += sum(times)
            computed += len(times) * workload.flops_per_run
    return Plan(study, stored, jobs, flops, computed / seconds if seconds else None, broken)


def lines(plan: Plan, cores: int) -> list[str]:
    """Return the plan as a person reads it."""
    study = plan.study
    text = [f"study {study.name}: {study.run_count:,} runs in {len(study.workloads)} workloads ({study.product})"]
    for initializer, pretraining, activation, reason in study.not_applicable:
        text.append(f"not applicable: {initializer or pretraining} with {activation}: {reason}")
    text += [f"not a part of the store: {path}: {reason}" for path, reason in plan.broken.items()]
    text.append(f"stored: {plan.stored:,} of {study.run_count:,} runs")
    if not plan.to_train:
        return [*text, "to train: nothing"]
    basis = "at the rate of the stored runs" if plan.measured_rate else "a rough guess; nothing of it is stored yet"
    text.append(
        f"to train: {plan.to_train:,} runs, {plan.flops / 1e12:,.2f} TFLOP, "
        f"about {duration(plan.seconds(cores))} on {cores} cores ({basis})"
    )
    return text
