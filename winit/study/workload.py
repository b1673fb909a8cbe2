"""Workloads: the runs of a study that share a dataset, a network and a training recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from math import log

from winit import datasets, schemes
from winit.study import identity
from winit.study.applicability import why_not_pretrainable
from winit.study.protocol import NO_RUNS, Arm, RunCounts, Schedule, Scores
from winit.study.schema import Grid, MeasureSettings, PretrainingSettings, TaskSettings, TrainingRecipe
from winit.vocabulary.pretraining import parse_pretraining


@dataclass(frozen=True)
class Block:
    """A product of the factors that a stack's networks can differ in."""

    initializers: tuple[str, ...]
    pretrainings: tuple[str, ...]
    learning_rates: tuple[float, ...]
    replicates: int
    tuning_replicates: int = 0
    extensions: int = 0
    pretraining_rates: tuple[float, ...] = (1.0,)

    @classmethod
    def of(cls, grid: Grid, pretrainings: tuple[str, ...]) -> Block:
        """Return the block of a grid with some of its ways of pretraining."""
        return cls(
            tuple(grid.initializer),
            pretrainings,
            tuple(sorted(grid.learning_rate)),
            grid.replicates,
            grid.tuning_replicates,
            grid.extensions,
            tuple(sorted(grid.pretraining_rate)),
        )

    def arm(self, initializer: str, pretraining: str, fixed_rate: float) -> Arm:
        """Return one of its arms.

        Args:
            initializer, pretraining: of the arm.
            fixed_rate: the study's.
        """
        factors = self.pretraining_rates if parse_pretraining(pretraining).method != "none" else (1.0,)
        if not self.tuning_replicates:  # nothing can choose between them
            factors = (min(factors, key=lambda factor: abs(log(factor))),)
        return Arm(
            initializer,
            pretraining,
            factors,
            self.learning_rates,
            self.replicates,
            self.tuning_replicates,
            self.extensions,
            fixed_rate,
        )


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
    fixed_rate: float
    blocks: tuple[Block, ...] = ()  # whose union are the workload's arms
    data_dir: str = "auto"  # where files of data lie: not part of what a run is, because their content is fixed
    longer_by: int = 0  # updates beyond the study's budgets: as many as pretraining would have taken

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
    def arms(self) -> tuple[Arm, ...]:
        """The arms that have a meaning, in the order of the grids; what several grids ask of an arm is united."""
        arms: dict[tuple[str, str], Arm] = {}
        for block in self.blocks:
            for initializer in block.initializers:
                if self.why_not(initializer) is not None:
                    continue
                for pretraining in block.pretrainings:
                    if why_not_pretrainable(pretraining, self.activation, self.task.name) is None:
                        arm = block.arm(initializer, pretraining, self.fixed_rate)
                        key = initializer, pretraining
                        arms[key] = arms[key].united(arm) if key in arms else arm
        return tuple(arms.values())

    @cached_property
    def _same_draws(self) -> dict[str, str]:
        fitting = [name for name in self.initializers if schemes.why_not_applicable(name, self.activation) is None]
        return schemes.same_draws(fitting, self.activation, self.widths)

    def why_not(self, initializer: str) -> str | None:
        """Return the sentence why there is no arm of an initializer, or None where there is one."""
        twin = self._same_draws.get(initializer)
        if twin is None:
            return schemes.why_not_applicable(initializer, self.activation)
        return f"it draws the same weights as {twin} in these networks, and is trained once"

    @property
    def budgets(self) -> tuple[int, ...]:
        """The steps at which outcomes are read, ascending; the last is that of the whole training."""
        return tuple(sorted({*self.measure.budgets, self.training.steps}))

    @property
    def chance(self) -> float:
        """The score of a network that knows nothing: 1/C of a classifier, 0 of a reconstruction."""
        return 0.0 if self.task.is_reconstruction else 1 / datasets.DATASETS[self.dataset].classes

    def schedule(self, scores: Scores) -> Schedule:
        """Return the runs that follow from the validation scores so far, sorted by replicate, the tuning ones first.

        Args:
            scores: by run id, at each budget; NaN where a run had diverged.
        """
        chance, limit = self.chance, datasets.guessing_limit(self.dataset, self.task.is_reconstruction)
        # A run that diverged (NaN) or is stuck has failed, and counts as guessing.
        known = {key: [v if v > limit else chance for v in values] for key, values in scores.items()}
        schedules = [arm.schedule(known, chance, partial(self._run_id, arm)) for arm in self.arms]
        runs = sorted((run for one in schedules for run in one.runs), key=lambda run: run.replicate)
        return Schedule(tuple(runs), all(one.is_complete for one in schedules))

    def _run_id(self, arm: Arm, pretraining_rate: float, learning_rate: float, replicate: int) -> str:
        return identity.run_id(
            self.name, arm.initializer, arm.pretraining, pretraining_rate, learning_rate, replicate, self.pretraining
        )

    @cached_property
    def counts(self) -> RunCounts:
        """How many runs there are, counted without making them."""
        return sum((arm.counts(len(self.budgets)) for arm in self.arms), NO_RUNS)

    @cached_property
    def arms_digest(self) -> str:
        """Twelve hexadecimal digits of the arms: what the workflow compares to see whether a job is out of date."""
        return identity.arms_digest(self.arms)

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
        """Return the workload with as many updates more, at every budget, as pretraining every layer would have taken."""
        more = self.pretrained_layers * self.pretraining.steps
        budgets = [budget + more for budget in self.measure.budgets]
        return replace(
            self,
            training=self.training.model_copy(update={"steps": self.training.steps + more}),
            measure=self.measure.model_copy(update={"budgets": budgets}),
            longer_by=more,
        )

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
