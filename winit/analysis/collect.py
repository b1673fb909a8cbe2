"""Collect the runs of a study into tables."""

from __future__ import annotations

import pandas as pd

from winit.analysis.agreement import agreement
from winit.analysis.baselines import baselines
from winit.analysis.claims.judging import judge
from winit.analysis.claims.reading import read as read_claims
from winit.analysis.depth import depth_limits, phase
from winit.analysis.expectation import study_theory
from winit.analysis.pretraining_effects import pretraining_effects
from winit.analysis.ranking import arrivals, profiles, ranking
from winit.analysis.select import RUN_FACTORS, Tables, main_grid
from winit.analysis.summary import initial_state, summarise
from winit.analysis.unfold import workload_tables
from winit.store.parts import RunStore
from winit.store.schema import TABLES
from winit.study.compose import CLAIMS
from winit.study.model import Study, log_spaced
from winit.study.seeds import seed

# What is measured in every run, and what its rows are sorted by within a run.
MEASURED = {
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


def _field(study: Study, runs: pd.DataFrame, summary: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables that compare the initializers of the main grid over all its cells; empty for deep autoencoders."""
    runs, summary = main_grid(study, runs), main_grid(study, summary)
    if study.task.is_reconstruction:
        runs, summary = runs.head(0), summary.head(0)
    steps = log_spaced(study.training.steps, study.measure.curve_points)
    return {
        "ranking": ranking(runs, summary, study.analysis, seed(study.seed, "analysis")),
        "profiles": profiles(runs, summary, study.analysis),
        "arrivals": arrivals(runs, summary, study.analysis, steps),
    }


def tables(study: Study, store: RunStore) -> dict[str, pd.DataFrame]:
    """Return the tables of a study: all of `store.schema.TABLES` but the tutorial's replay.

    Raises:
        ValueError: the store lacks a run, or a file of claims is wrong.
    """
    measured = measured_tables(study, store)
    runs, layers = measured["runs"], measured["layers"]
    expected = study_theory(study)
    summary = summarise(runs).merge(initial_state(runs, measured["curves"], layers), how="left")
    evidence: Tables = {"runs": runs, "layers": layers, "summary": summary}
    return (
        measured
        | {
            "summary": summary,
            "theory": expected,
            "agreement": agreement(layers, runs, expected),
            "depth_limits": depth_limits(study, summary),
            "phase": phase(study),
            "pretraining_effects": pretraining_effects(runs, summary, study.analysis.margin),
            "baselines": baselines(study),
            "not_applicable": pd.DataFrame(study.not_applicable, columns=list(TABLES["not_applicable"])),
        }
        | _field(study, runs, summary)
        | judge(read_claims(CLAIMS), evidence, study.task.is_reconstruction)
    )
