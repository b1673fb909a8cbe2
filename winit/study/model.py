"""Studies, workloads and runs: what is asked, and which runs answer it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import pairwise, product

from winit import datasets, schemes
from winit.study import identity
from winit.study.applicability import why_not_pretrainable
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
from winit.vocabulary.errors import unknown_name
from winit.vocabulary.pretraining import parse_pretraining


class Role(StrEnum):
    """What a run is for: the learning rate is chosen on tuning runs, and initializers are compared on judged runs."""

    JUDGED = "judged"
    TUNING = "tuning"


@dataclass(frozen=True)
class Run:
    """One network, trained under one setting of every factor.

    `replicate` is an index of random streams. It is unique among the runs of both roles, and says nothing else.
    """

    id: str
    initializer: str
    pretraining: str
    learning_rate: float
    replicate: int
    role: Role


def numbered_replicates(judged: int, tuning: int) -> list[tuple[int, Role]]:
    """Return every replicate with its role: judged ones are numbered from 0 upwards, tuning ones from −1 downwards."""
    return [(i, Role.JUDGED) for i in range(judged)] + [(-i, Role.TUNING) for i in range(1, tuning + 1)]


@dataclass(frozen=True)
class Block:
    """A product of the factors that a stack's networks can differ in."""

    initializers: tuple[str, ...]
    pretrainings: tuple[str, ...]
    learning_rates: tuple[float, ...]
    replicates: int
    tuning_replicates: int = 0

    @classmethod
    def of(cls, grid: Grid, pretrainings: tuple[str, ...]) -> Block:
        """Return the block of a grid with some of its ways of pretraining."""
        rates = tuple(grid.learning_rate)
        return cls(tuple(grid.initializer), pretrainings, rates, grid.replicates, grid.tuning_replicates)


@dataclass(frozen=True)
class Workload:
    """All runs of a study that share a stack: one dataset, network, regularization and training recipe."""

    dataset: str
    dataset_parameters: Mapping[str, float]
    target_accuracy: float
    activation: str
    depth: int
    width: int
    batch_norm: bool
    dropout: float
    training: TrainingRecipe
    measure: MeasureSettings
    seed: int
    task: TaskSettings
    scaling: str
    pretraining: PretrainingSettings
    blocks: tuple[Block, ...] = ()  # whose union are the workload's runs
    data_dir: str = "auto"  # where files of data lie: not part of what a run is, because their content is fixed

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits of all that fixes this workload's numbers, the runs in it aside."""
        network = (self.activation, self.depth, self.width, self.batch_norm, self.dropout)
        return identity.workload_digest(
            self.seed,
            self.dataset,
            self.dataset_parameters,
            self.scaling,
            self.task,
            network,
            self.training,
            self.measure,
        )

    @cached_property
    def name(self) -> str:
        """A readable, unique name: the workload's folder in the run store."""
        shape = [f"d{self.depth}", f"w{self.width}"]
        if self.task.is_reconstruction:
            shape = ["encoder" + "x".join(map(str, self.task.encoder))]
        parts = [self.dataset, self.activation, *shape, self.training.optimizer]
        parts += ["bn"] * self.batch_norm + [f"drop{self.dropout:g}"] * (self.dropout > 0)
        return "-".join([*parts, self.digest])

    @cached_property
    def initializers(self) -> tuple[str, ...]:
        """The initializers of all blocks, those without a meaning for the activation included."""
        return tuple(dict.fromkeys(i for block in self.blocks for i in block.initializers))

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Every run of the workload that has a meaning, once, in the order of the grids."""
        runs: dict[str, Run] = {}
        for block in self.blocks:
            for initializer, pretraining in self._arms_of(block):
                for rate in block.learning_rates:
                    for replicate, role in numbered_replicates(block.replicates, block.tuning_replicates):
                        run_id = identity.run_id(self.name, initializer, pretraining, rate, replicate, self.pretraining)
                        runs.setdefault(run_id, Run(run_id, initializer, pretraining, rate, replicate, role))
        return tuple(runs.values())

    def _arms_of(self, block: Block) -> list[tuple[str, str]]:
        """Return the pairs (initializer, pretraining) of a block that have a meaning."""
        return [
            (initializer, pretraining)
            for initializer in block.initializers
            if schemes.why_not_applicable(initializer, self.activation) is None
            for pretraining in block.pretrainings
            if why_not_pretrainable(pretraining, self.activation, self.task.name) is None
        ]

    @cached_property
    def run_count(self) -> int:
        """The number of runs, counted without making them.

        Runs of one arm and rate differ in the replicate alone, and the replicates of every block run from −tuning to
        judged − 1: those of several blocks are one such range, too.
        """
        ranges: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}
        for block in self.blocks:
            for arm in self._arms_of(block):
                of_rate = ranges.setdefault(arm, {})
                for rate in map(repr, block.learning_rates):  # as in the run's id
                    judged, tuning = of_rate.get(rate, (0, 0))
                    of_rate[rate] = max(judged, block.replicates), max(tuning, block.tuning_replicates)
        return sum(judged + tuning for of_rate in ranges.values() for judged, tuning in of_rate.values())

    @cached_property
    def runs_digest(self) -> str:
        """Twelve hexadecimal digits of the run ids: what the workflow compares to see whether a job is out of date."""
        return identity.runs_digest(run.id for run in self.runs)

    @property
    def widths(self) -> list[int]:
        """Units of every layer, inputs first and classes last: depth + 2 numbers."""
        facts = datasets.DATASETS[self.dataset]
        if self.task.is_reconstruction:
            return [facts.inputs, *self.task.encoder, *self.task.encoder[-2::-1], facts.inputs]
        return [facts.inputs, *[self.width] * self.depth, facts.classes]

    @property
    def pretrained_layers(self) -> int:
        """How many layers pretraining trains, where it trains any."""
        most = len(self.task.encoder) or self.depth
        return most if self.pretraining.layers == "all" else self.pretraining.layers

    def trained_longer(self) -> Workload:
        """Return the workload with as many updates more as pretraining every layer would have taken."""
        steps = self.training.steps + self.pretrained_layers * self.pretraining.steps
        return replace(self, training=self.training.model_copy(update={"steps": steps}))

    def pretraining_updates(self, pretraining: str) -> int:
        """Return the updates of single layers that a way of pretraining takes."""
        method, _ = parse_pretraining(pretraining)
        return 0 if method == "none" else self.pretrained_layers * self.pretraining.steps

    @property
    def flops_per_run(self) -> float:
        """Multiply-adds times two of one run's training: 6 B Σ fan_in·fan_out a step, less ∂L/∂x of the first layer.

        Pretraining is not counted: the runs of all learning rates share it.
        """
        products = [a * b for a, b in pairwise(self.widths)]
        return self.training.steps * self.training.batch_size * (6 * sum(products) - 2 * products[0])


@dataclass(frozen=True)
class Study:
    """A validated study: its settings, and the runs that answer its question."""

    resolved: StudySettings

    @cached_property
    def settings(self) -> dict[str, object]:
        """The settings as nested mappings, in one order and spelling: frozen, they make the same study."""
        return self.resolved.model_dump()

    @property
    def name(self) -> str:
        """Name of its folders, results/<name>/ and reports/<name>/."""
        return self.resolved.name

    @property
    def question(self) -> str:
        """What it asks, in one sentence."""
        return self.resolved.question

    @property
    def device(self) -> str:
        """Device to train on, as set: auto, cpu or cuda."""
        return self.resolved.device

    @property
    def engine(self) -> str:
        """Engine to train with, as set: auto, kernel or torch."""
        return self.resolved.engine

    @property
    def seed(self) -> int:
        """Root of all random streams."""
        return self.resolved.seed

    @property
    def data(self) -> DataSettings:
        """Where data lie, and how inputs are scaled."""
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
        """Twelve hexadecimal digits of the resolved settings and the revision of the training code."""
        return identity.study_digest(self.settings)

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """The study's runs, grouped by workload; the most expensive first, so that the last job to end is a short one."""
        workloads: dict[str, Workload] = {}
        for grid in self.resolved.grids.values():
            for workload in self._workloads_of(grid):
                known = workloads.setdefault(workload.name, replace(workload, blocks=()))
                workloads[workload.name] = replace(known, blocks=(*known.blocks, *workload.blocks))
        with_runs = (workload for workload in workloads.values() if workload.run_count)
        return tuple(sorted(with_runs, key=lambda workload: -workload.flops_per_run * workload.run_count))

    def _workloads_of(self, grid: Grid) -> Iterator[Workload]:
        """Yield the workloads of one grid. Runs that are trained longer have workloads of their own."""
        longer = tuple(name for name in grid.pretraining if name == "none+longer")
        others = tuple(name for name in grid.pretraining if name != "none+longer")
        for dataset, optimizer, activation, batch_norm, dropout, width, depth, pretrainings in product(
            grid.dataset, self.training.optimizer, grid.activation, grid.batch_norm, grid.dropout, grid.width, grid.depth,
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
                blocks=(Block.of(grid, pretrainings),),
                data_dir=self.data.dir,
            )
            yield workload.trained_longer() if pretrainings is longer else workload

    @property
    def product(self) -> str:
        """The factors as a person says them: '12 initializers × 3 activations × …'; those with one value left out."""
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
            (len(self.datasets), "datasets"),
            (len(grid.learning_rate), "learning rates"),
            (grid.replicates, "replicates"),
        ]
        text = " × ".join(f"{n:,} {word}" for n, word in factors if n > 1) or "one of everything"
        if grid.tuning_replicates and " replicates" in text:
            text += f" and {grid.tuning_replicates:,} for tuning"
        text += ", less what is not applicable" if self.not_applicable else ""
        names = self.extra_grids
        return text + (f"; with the extra {'grids' if len(names) > 1 else 'grid'} {', '.join(names)}" if names else "")

    @cached_property
    def not_applicable(self) -> list[tuple[str, str, str, str]]:
        """What of the grids has no meaning: (initializer, pretraining, activation, reason), the one or the other empty."""
        reasons: dict[tuple[str, str, str], str | None] = {}
        for grid in self.resolved.grids.values():
            for activation in grid.activation:
                for initializer in grid.initializer:
                    reasons[initializer, "", activation] = schemes.why_not_applicable(initializer, activation)
                for name in grid.pretraining:
                    reasons["", name, activation] = why_not_pretrainable(name, activation, self.task.name)
        return [(*key, why) for key, why in reasons.items() if why]

    @property
    def run_count(self) -> int:
        """The number of runs of all workloads."""
        return sum(workload.run_count for workload in self.workloads)

    def workload(self, name: str) -> Workload:
        """Return the workload of that name."""
        for workload in self.workloads:
            if workload.name == name:
                return workload
        raise ValueError(unknown_name(f"workload of study '{self.name}'", name, [each.name for each in self.workloads]))


def log_spaced(last: int, points: int) -> list[int]:
    """Return at most `points` steps from 0 to `last`, evenly spaced on a log scale, both ends included.

    Every step, where there are at least as many points; none for no points.
    """
    if points > last or not points:
        return list(range(last + 1)) if points else []
    ratio = [i / max(points - 2, 1) for i in range(points - 1)]
    return sorted({0, last} | {round(last**r) for r in ratio if points > 2})
