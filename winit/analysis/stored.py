"""The runs of a study in the run store: cell by cell, in the order of the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from winit.analysis.select import CELL
from winit.store.parts import RunStore
from winit.study.model import Study
from winit.study.protocol import Run
from winit.study.workload import Workload

SLICE = 256  # runs unfolded at a time, which limits the rows of a long table in memory


@dataclass(frozen=True)
class StoredRuns:
    """The runs of a cell that are needed.

    Attributes:
        store: the run store.
        workloads: of the cell: one, and a second one if runs are trained longer. Their networks have the same shape.
        runs: each with the index of its workload, in the order of the tables.
    """

    store: RunStore
    workloads: tuple[Workload, ...]
    runs: tuple[tuple[Run, int], ...]

    @classmethod
    def of(cls, store: RunStore, workloads: Sequence[Workload]) -> StoredRuns:
        """Return the runs of the workloads of a cell.

        Raises:
            ValueError: the store lacks a run.
        """
        runs = [(run, place) for place, workload in enumerate(workloads) for run in _scheduled(store, workload)]
        return cls(store, tuple(workloads), tuple(sorted(runs, key=_order)))

    @property
    def network(self) -> Workload:
        """A workload that represents all of them, as to the shape of networks and how they are measured."""
        return self.workloads[0]

    def read(self, columns: Iterable[str]) -> pa.Table:
        """Return the rows of the runs, in order.

        Args:
            columns: fields of the run store, including `run_id`.
        """
        columns = list(dict.fromkeys(columns))
        stored = pa.concat_tables([self.store.parts_of(workload.name).read(columns) for workload in self.workloads])
        places = {run_id: place for place, run_id in enumerate(stored["run_id"].to_pylist())}
        return stored.combine_chunks().take(np.array([places[run.id] for run, _ in self.runs], dtype=np.int64))

    def slices(self, columns: Iterable[str]) -> Iterator[pa.Table]:
        """Yield the same rows, `SLICE` of them at a time."""
        stored = self.read(columns)
        yield from (stored.slice(start, SLICE) for start in range(0, len(stored), SLICE))


def stored_runs(study: Study, store: RunStore) -> list[StoredRuns]:
    """Return the runs of every cell of a study, sorted by cell.

    Raises:
        ValueError: the store lacks a run.
    """
    cells: dict[tuple[object, ...], list[Workload]] = {}
    for workload in study.workloads:
        key = tuple(getattr(workload.training if name == "optimizer" else workload, name) for name in CELL)
        cells.setdefault(key, []).append(workload)
    return [StoredRuns.of(store, workloads) for _, workloads in sorted(cells.items())]


def _order(run_and_place: tuple[Run, int]) -> tuple[object, ...]:
    """Return the sort key of runs of a cell: the factors in which they may differ, as in `select.RUN_FACTORS`."""
    run, _ = run_and_place
    return run.initializer, run.pretraining, run.pretraining_rate, run.learning_rate, run.replicate


def _scheduled(store: RunStore, workload: Workload) -> tuple[Run, ...]:
    """Return the runs of a workload, after checking that the store has all of them."""
    scores = store.parts_of(workload.name).validation_scores
    runs, is_complete = workload.schedule(scores)
    lacking = sum(run.id not in scores for run in runs)
    if lacking or not is_complete:
        raise ValueError(
            f"the store lacks {lacking} of {len(runs)} runs of {workload.name}; train them first: winit run"
        )
    return runs
