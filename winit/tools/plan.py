"""The plan of a study: the runs to train, and their cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from winit import schemes
from winit.store.parts import RunStore
from winit.study.model import Study
from winit.study.protocol import RunCounts
from winit.vocabulary.words import count
from winit.workflow.bundles import bundles
from winit.workflow.progress import duration
from winit.workflow.session import Needed

# Operations per second and core of the engine on small networks, used until the store has measurements.
NOMINAL_FLOPS = 8e10
# Seconds that a job takes before training, and that tables and page take after the last job.
JOB_SECONDS, PAGE_SECONDS = 3, 15


@dataclass(frozen=True)
class Plan:
    """The remaining work of a study.

    Attributes:
        study: the study.
        done, total: runs in the store, and the largest possible number of runs.
        jobs: number of bundles with missing runs.
        flops: floating-point operations of the missing runs.
        measured_rate: operations per second of the stored runs of these workloads; None if there are none.
        broken: files in the store that are not valid parts, each with the reason.
    """

    study: Study
    done: int
    total: int
    jobs: int
    flops: float
    measured_rate: float | None
    broken: Mapping[Path, str]

    @property
    def to_train(self) -> int:
        """The largest possible number of missing runs."""
        return self.total - self.done

    def seconds(self, cores: int) -> float:
        """Return the estimated time until the page is written with this number of cores; 0 if there is nothing to train."""
        if not self.jobs:
            return 0.0
        work = self.flops / (self.measured_rate or NOMINAL_FLOPS) + self.jobs * JOB_SECONDS
        return work / min(cores, self.jobs) + PAGE_SECONDS


def plan(study: Study, store: RunStore) -> Plan:
    """Return the remaining work of a study. Read the store and change nothing."""
    done, total, flops, seconds, computed = 0, 0, 0.0, 0.0, 0.0
    lacking: set[str] = set()
    broken: dict[Path, str] = {}
    for workload in study.workloads:
        parts = store.parts_of(workload.name)
        broken |= parts.broken
        held = parts.run_ids
        counts = workload.counts
        needed = Needed.of(workload, store) if held else Needed(0, counts.tuning + counts.least, counts.bound)
        done, total = done + needed.done, total + needed.total
        if needed.todo:
            lacking.add(workload.name)
        flops += needed.todo * workload.flops_per_run
        if held:
            times = parts.read(["wall_time_s"])["wall_time_s"].to_pylist()  # to_numpy would import pandas
            seconds += sum(times)
            computed += len(times) * workload.flops_per_run
    jobs = sum(any(workload.name in lacking for workload in bundle.workloads) for bundle in bundles(study))
    return Plan(study, done, total, jobs, flops, computed / seconds if seconds else None, broken)


def lines(plan: Plan, cores: int) -> list[str]:
    """Return the plan as lines of text."""
    study = plan.study
    text = [f"study {study.name}: {_runs(study.counts)} in {len(study.workloads)} workloads ({study.product})"]
    text += _protocol(study)
    for initializer, pretraining, activation, reason in study.not_applicable:
        text.append(f"not applicable: {initializer or pretraining} with {activation}: {reason}")
    text += _degenerate(study)
    text += [f"not a part of the store: {path}: {reason}" for path, reason in plan.broken.items()]
    known = plan.total if not plan.to_train else study.counts.bound
    text.append(f"stored: {plan.done:,} of {'' if not plan.to_train else 'up to '}{known:,} runs")
    if not plan.to_train:
        return [*text, "to train: nothing"]
    basis = "at the rate of the stored runs" if plan.measured_rate else "a rough guess; nothing of it is stored yet"
    text.append(
        f"to train: up to {plan.to_train:,} runs, {plan.flops / 1e12:,.2f} TFLOP, "
        f"at most about {duration(plan.seconds(cores))} on {count(cores, 'core')} ({basis})"
    )
    return text


def _degenerate(study: Study) -> list[str]:
    """Return a warning for every initializer whose weights are degenerate in a network of the study."""
    warnings: dict[str, None] = {}
    # Networks that differ in depth alone draw the same kinds of layers.
    ends = {(w.activation, *w.widths[:3], *w.widths[-3:]): w for w in study.workloads}
    for workload in ends.values():
        for initializer in dict.fromkeys(arm.initializer for arm in workload.arms):
            layers = schemes.degenerate_layers(initializer, workload.activation, workload.widths)
            for index, what in layers.items():
                shape = f"{workload.widths[index - 1]} × {workload.widths[index]}"
                warnings[f"degenerate: {initializer} with {workload.activation}, layer {index} ({shape}): {what}"] = (
                    None
                )
    return list(warnings)


def _runs(counts: RunCounts) -> str:
    """Return the number of runs as text."""
    least, most = counts.tuning + counts.least, counts.tuning + counts.most
    return f"{least:,} runs" if least == most else f"{least:,} to {most:,} runs"


def _protocol(study: Study) -> list[str]:
    """Return how rates are chosen and judged, as lines of text."""
    grid, counts = study.grid, study.counts
    if not counts.tuning:
        one = len(grid.learning_rate) == 1
        why = "there is one learning rate" if one else "grid.tuning_replicates is 0: judged runs choose their own rate"
        return [f"not tuned: {why}"]
    lines = []
    if len(grid.learning_rate) == 1 and grid.tuning_replicates:
        lines = [f"not tuned: the main grid, which has one learning rate, {grid.learning_rate[0]:g}"]
    judged = f"{counts.least:,}" if counts.least == counts.most else f"{counts.least:,} to {counts.most:,}"
    return [
        *lines,
        f"tuning: {counts.tuning:,} runs, {count(grid.tuning_replicates, 'replicate')} of every rate; "
        f"extensions of the grid add at most {counts.extensions:,}",
        f"judging: {judged} runs on other replicates ({grid.replicates} in the main grid), at the rates chosen for "
        f"{count(len(study.budgets), 'budget')} and at the fixed one",
    ]
