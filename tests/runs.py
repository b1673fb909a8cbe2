"""Helpers: runs of workloads, and filled run stores."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch

from winit.analysis.collect import collect
from winit.store import files
from winit.store.parts import RunStore
from winit.store.schema import COLLECTED
from winit.study.model import Study
from winit.study.protocol import Run
from winit.study.workload import Workload
from winit.training.workload import train
from winit.workflow.session import lacking

CPU = torch.device("cpu")


def runs_of(workload: Workload, scores: Mapping[str, Sequence[float]] | None = None) -> tuple[Run, ...]:
    """Return all runs of a workload: those of one that is not tuned need no scores."""
    runs, is_complete = workload.schedule(scores or {})
    assert is_complete, "more runs follow from the scores of these"
    return runs


def fill(store: RunStore, study: Study, networks: int | None = None) -> None:
    """Train all runs of a study, as its jobs do, tuning before judging."""
    for workload in study.workloads:
        while runs := lacking(workload, store):
            for rows in train(workload, runs, CPU, study.engine, networks):
                store.commit(workload.name, rows)


def written_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a study that were written into a folder."""
    return {name: files.read(folder, name) for name in COLLECTED}


def tables(study: Study, store: RunStore) -> dict[str, pd.DataFrame]:
    """Return the tables of a study, as they are written."""
    with tempfile.TemporaryDirectory() as folder:
        collect(study, store, Path(folder))
        return written_tables(Path(folder))
