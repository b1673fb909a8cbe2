"""Collect the runs of a study into tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from winit.analysis.agreement import agreement
from winit.analysis.baselines import baselines
from winit.analysis.cell_sets import cell_sets
from winit.analysis.claims.judging import judge
from winit.analysis.claims.reading import read as read_claims
from winit.analysis.depth import depth_limits, phase
from winit.analysis.expectation import study_theory
from winit.analysis.pretraining_effects import pretraining_effects, pretraining_time_effects
from winit.analysis.ranking import arrivals, profiles, ranking
from winit.analysis.select import RUN_FACTORS, Tables, at_budget, main_grid, of_budget
from winit.analysis.summary import initial_state, summarise, tuning_table
from winit.analysis.unfold import workload_tables
from winit.store.parts import RunStore
from winit.store.schema import TABLES
from winit.study.compose import CLAIMS
from winit.study.model import Study
from winit.study.seeds import seed
from winit.study.steps import log_spaced

# What is measured in every run, and what its rows are sorted by within a run.
MEASURED = {
    "outcomes": ["budget"],
    "predictions": ["example"],
    "curves": ["step"],
    "layers": ["step", "layer"],
    "jacobians": ["step"],
    "histograms": ["step", "layer", "bin_low"],
    "traces": ["step", "layer"],
    "pretraining": ["layer", "step"],
}


def measured_tables(study: Study, store: RunStore) -> dict[str, pd.DataFrame]:
    """Return `runs` and the tables in `MEASURED`, their rows sorted by factor.

    They do not depend on how the study was computed.

    Raises:
        ValueError: the store lacks a run.
    """
    parts = [workload_tables(workload, store) for workload in study.workloads]
    runs = pd.concat([part["runs"] for part in parts]).sort_values(RUN_FACTORS, ignore_index=True)
    rank = pd.Series(runs.index, index=runs["run_id"])
    tables = {"runs": runs}
    for name, keys in MEASURED.items():
        frame = pd.concat([part[name] for part in parts])
        frame["order"] = frame["run_id"].map(rank)
        tables[name] = frame.sort_values(["order", *keys], ignore_index=True).drop(columns="order")
    return tables


def _by_budget(budgets: Iterable[int], table: Callable[[int], pd.DataFrame]) -> pd.DataFrame:
    """Return a table made for every budget, with the column `budget` in front."""
    frames = [table(budget).assign(budget=budget) for budget in budgets]
    joined = pd.concat(frames, ignore_index=True)
    return joined[["budget", *(name for name in joined.columns if name != "budget")]]


def _field(study: Study, at: Mapping[int, pd.DataFrame], summary: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables that compare the initializers of the main grid over all its cells; empty for deep autoencoders.

    Args:
        study: the study.
        at: `runs` at each budget.
        summary: of all budgets.
    """
    stream = seed(study.seed, "analysis")

    def main(frame: pd.DataFrame) -> pd.DataFrame:
        return main_grid(study, frame).head(0 if study.task.is_reconstruction else None)

    def of(budget: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        return main(at[budget]), main(of_budget(summary, budget))

    def steps(budget: int) -> list[int]:
        return [step for step in log_spaced(study.training.steps, study.measure.curve_points) if step <= budget]

    return {
        "ranking": _by_budget(at, lambda budget: ranking(*of(budget), study.analysis, stream)),
        "profiles": _by_budget(at, lambda budget: profiles(*of(budget), study.analysis)),
        "arrivals": _by_budget(at, lambda budget: arrivals(*of(budget), study.analysis, steps(budget))),
        "cell_sets": _by_budget(at, lambda budget: cell_sets(*of(budget), study.analysis, stream)),
    }


def tables(study: Study, store: RunStore) -> dict[str, pd.DataFrame]:
    """Return the tables of a study: all of `store.schema.TABLES` but the tutorial's replay.

    Raises:
        ValueError: the store lacks a run, or a file of claims is wrong.
    """
    measured = measured_tables(study, store)
    runs, layers = measured["runs"], measured["layers"]
    at = {budget: at_budget(runs, measured["outcomes"], budget) for budget in study.budgets}
    tuned = _by_budget(at, lambda budget: tuning_table(at[budget]))
    begun = initial_state(runs, measured["curves"], layers)
    summary = _by_budget(at, lambda b: summarise(at[b], of_budget(tuned, b)).merge(begun, how="left"))
    expected = study_theory(study)
    final = of_budget(summary)
    targets = {workload.dataset: workload.target_accuracy for workload in study.workloads}
    margin = study.analysis.margin
    at_updates = pretraining_effects(at, summary, margin)
    at_time = pretraining_time_effects(at, summary, measured["curves"], targets, margin)
    pretrained = {"pretraining_effects": at_updates, "pretraining_time_effects": at_time}
    evidence: Tables = measured | pretrained | {"tuning": tuned, "summary": summary}
    return (
        measured
        | pretrained
        | {
            "tuning": tuned,
            "summary": summary,
            "theory": expected,
            "agreement": agreement(layers, runs, expected),
            "depth_limits": depth_limits(study, final),
            "phase": phase(study),
            "baselines": baselines(study),
            "not_applicable": pd.DataFrame(study.not_applicable, columns=list(TABLES["not_applicable"])),
        }
        | _field(study, at, summary)
        | judge(read_claims(CLAIMS), evidence, study.task.is_reconstruction)
    )
