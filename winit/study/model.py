"""Studies: their settings, and the workloads that answer their question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from winit.study import identity
from winit.study.applicability import why_not_pretrainable
from winit.study.protocol import NO_RUNS, RunCounts
from winit.study.schema import (
    AnalysisSettings,
    DatasetSettings,
    DataSettings,
    Grid,
    GridSettings,
    MeasureSettings,
    PretrainingSettings,
    StudySettings,
    TaskSettings,
    TrainingRecipe,
    TrainingSettings,
)
from winit.study.workload import Block, Workload


@dataclass(frozen=True)
class Study:
    """A validated study: its settings, and the runs that answer its question."""

    resolved: StudySettings

    @cached_property
    def settings(self) -> dict[str, object]:
        """The settings as nested mappings, in canonical order and spelling. Frozen, they give the same study."""
        return self.resolved.model_dump()

    @property
    def name(self) -> str:
        """Name of its folders, results/<name>/ and reports/<name>/."""
        return self.resolved.name

    @property
    def question(self) -> str:
        """Its question, in one sentence."""
        return self.resolved.question

    @property
    def device(self) -> str:
        """Device to train on: auto, cpu or cuda."""
        return self.resolved.device

    @property
    def engine(self) -> str:
        """Engine to train with: auto, kernel, torch or triton."""
        return self.resolved.engine

    @property
    def seed(self) -> int:
        """Seed of all random streams."""
        return self.resolved.seed

    @property
    def data(self) -> DataSettings:
        """Where data files are, and how inputs are scaled."""
        return self.resolved.data

    @property
    def task(self) -> TaskSettings:
        """What networks are trained for."""
        return self.resolved.task

    @property
    def grid(self) -> GridSettings:
        """The main grid."""
        return self.resolved.grid

    @property
    def training(self) -> TrainingSettings:
        """How networks are trained."""
        return self.resolved.training

    @property
    def pretraining(self) -> PretrainingSettings:
        """How layers are pretrained."""
        return self.resolved.pretraining

    @property
    def measure(self) -> MeasureSettings:
        """When runs are measured, and on how many examples."""
        return self.resolved.measure

    @property
    def analysis(self) -> AnalysisSettings:
        """Choices of the analysis."""
        return self.resolved.analysis

    @property
    def datasets(self) -> dict[str, DatasetSettings]:
        """Its datasets by name, with their settings."""
        return self.resolved.dataset

    @property
    def extra_grids(self) -> list[str]:
        """The names of its extra grids."""
        return list(self.resolved.extra_grids)

    @property
    def initializers(self) -> list[str]:
        """The initializers of the main grid."""
        return self.grid.initializer

    @property
    def activations(self) -> list[str]:
        """The activations of the main grid."""
        return self.grid.activation

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits, a hash of the resolved settings and the revision of the training code."""
        return identity.study_digest(self.settings)

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """The study's workloads, the most expensive first, so that the last jobs are short."""
        with_runs = (workload for workload in self._all_workloads if workload.arms)
        return tuple(sorted(with_runs, key=lambda workload: -workload.flops_per_run * workload.counts.bound))

    @cached_property
    def _all_workloads(self) -> tuple[Workload, ...]:
        """The workloads of all grids, including those without runs."""
        workloads: dict[str, Workload] = {}
        for grid in self.resolved.grids.values():
            for workload in self._workloads_of(grid):
                known = workloads.setdefault(workload.name, replace(workload, blocks=()))
                workloads[workload.name] = replace(known, blocks=(*known.blocks, *workload.blocks))
        return tuple(workloads.values())

    def _workloads_of(self, grid: Grid) -> Iterator[Workload]:
        """Yield the workloads of one grid. Runs that are trained longer have separate workloads."""
        longer = tuple(name for name in grid.pretraining if name == "none+longer")
        others = tuple(name for name in grid.pretraining if name != "none+longer")
        for dataset, optimizer, activation, batch_norm, dropout, width, depth, pretrainings in product(
            grid.dataset, grid.optimizer, grid.activation, grid.batch_norm, grid.dropout, grid.width, grid.depth,
            [others, longer],
        ):  # fmt: skip
            if not pretrainings:
                continue
            workload = Workload(
                dataset=dataset,
                dataset_parameters=self.datasets[dataset].parameters,
                target_accuracy=self.datasets[dataset].target_accuracy,
                activation=activation,
                depth=depth,
                width=width,
                batch_norm=batch_norm,
                dropout=dropout,
                training=TrainingRecipe(**(self.training.model_dump() | {"optimizer": optimizer})),
                measure=self.measure,
                seed=self.seed,
                task=self.task,
                scaling=self.data.scaling,
                pretraining=self.pretraining,
                fixed_rate=self.analysis.fixed_rate,
                blocks=(Block.of(grid, pretrainings),),
                data_dir=self.data.dir,
            )
            yield workload.trained_longer() if pretrainings is longer else workload

    @property
    def product(self) -> str:
        """The factors as text: '12 initializers × 3 activations × …', without factors that have one value."""
        grid = self.grid
        factors = [
            (len(grid.initializer), "initializers"),
            (len(grid.activation), "activations"),
            (len(grid.depth), "depths"),
            (len(grid.width), "widths"),
            (len(grid.batch_norm), "with and without batch normalization"),
            (len(grid.dropout), "dropout rates"),
            (len(grid.pretraining), "ways of pretraining"),
            (len(self.training.optimizer), "optimizers"),
            (len(self.resolved.grids[""].dataset), "datasets"),
        ]
        text = " × ".join(f"{n:,} {word}" for n, word in factors if n > 1) or "one arm"
        text += ", without combinations that are not applicable" if self.not_applicable else ""
        names = self.extra_grids
        return text + (f"; plus the extra {'grids' if len(names) > 1 else 'grid'} {', '.join(names)}" if names else "")

    @cached_property
    def not_applicable(self) -> list[tuple[str, str, str, str]]:
        """Combinations that are not applicable: (initializer, pretraining, activation, reason), one of the first two empty."""
        reasons: dict[tuple[str, str, str], str | None] = {}
        for workload in self._all_workloads:
            for initializer in workload.initializers:
                key = initializer, "", workload.activation
                reasons[key] = reasons.get(key) or workload.why_not(initializer)  # some widths may not be applicable
            for name in dict.fromkeys(name for block in workload.blocks for name in block.pretrainings):
                reason = why_not_pretrainable(name, workload.activation, self.task.name)
                reasons["", name, workload.activation] = reason
        return [(*key, why) for key, why in reasons.items() if why]

    @property
    def budgets(self) -> tuple[int, ...]:
        """The steps after which runs are evaluated, ascending; the last one is the full budget."""
        return tuple(sorted({*self.measure.budgets, self.training.steps}))

    @cached_property
    def counts(self) -> RunCounts:
        """Numbers of runs of all workloads, before any score is known."""
        return sum((workload.counts for workload in self.workloads), NO_RUNS)
