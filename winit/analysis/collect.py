"""Collect the runs of a study into tables.

Each table is made by one task, from the run store or from tables that were written before. Independent tasks run in
parallel; the tables do not depend on the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pandas as pd

from winit.analysis.baselines import baselines
from winit.analysis.claims.reading import read as read_claims
from winit.analysis.comparisons import Comparisons
from winit.analysis.depth import phase
from winit.analysis.expectation import study_theory
from winit.analysis.runs import FIELDS, run_tables
from winit.analysis.stored import StoredRuns, stored_runs
from winit.analysis.unfold import fields, unfold
from winit.store import files
from winit.store.parts import RunStore
from winit.store.processes import run_all
from winit.store.schema import TABLES
from winit.study import conf
from winit.study.model import Study


def collect(study: Study, store: RunStore, folder: Path, processes: int = 1) -> None:
    """Write the tables of a study: all of `store.schema.TABLES` except the tutorial's replay.

    Args:
        study: the study.
        store: the run store.
        folder: of the tables.
        processes: number of processes.

    Raises:
        ValueError: the store lacks a run, or a file of claims is invalid.
    """
    claims = read_claims(conf.files("claims").values())
    cells = stored_runs(study, store)
    measured = (("predictions", "jacobians", "histograms", "traces", "pretraining"), ("layers",))
    run_all(
        [
            partial(_write_runs, cells, folder),
            *(partial(_write_measured, cells, folder, names) for names in measured),
            partial(_write_expected, study, folder),
            partial(_write_baselines, study, folder),
        ],
        processes,
    )
    run_all(Comparisons.of(study, folder).tasks(claims), processes)


def _write_runs(cells: Sequence[StoredRuns], folder: Path) -> None:
    """Write `runs`, `outcomes` and `curves`."""
    tables = []
    with files.stream(folder, "curves") as curves:
        for cell in cells:
            stored = cell.read((*FIELDS, *fields("curves")))
            tables.append(run_tables(cell, stored))
            curves.add(unfold("curves", cell.network, stored))
    for name, frames in zip(("runs", "outcomes"), zip(*tables, strict=True), strict=True):
        files.write(folder, name, pd.concat(frames, ignore_index=True))


def _write_measured(cells: Sequence[StoredRuns], folder: Path, names: Sequence[str]) -> None:
    """Write tables of measurements, one slice of runs at a time."""
    with ExitStack() as opened:
        streams = {name: opened.enter_context(files.stream(folder, name)) for name in names}
        for cell in cells:
            for stored in cell.slices(field for name in names for field in fields(name)):
                for name, table in streams.items():
                    table.add(unfold(name, cell.network, stored))


def _write_expected(study: Study, folder: Path) -> None:
    """Write the tables that do not depend on runs."""
    not_applicable = pd.DataFrame(study.not_applicable, columns=list(TABLES["not_applicable"]))
    for name, table in (("theory", study_theory(study)), ("phase", phase(study)), ("not_applicable", not_applicable)):
        files.write(folder, name, table)


def _write_baselines(study: Study, folder: Path) -> None:
    files.write(folder, "baselines", baselines(study))
