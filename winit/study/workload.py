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
    """A product of the factors that may differ within a stack."""

    initializers: tuple[str, ...]
    pretrainings: tuple[str, ...]
    learning_rates: tuple[float, ...]
    replicates: int
    tuning_replicates: int = 0
    extensions: int = 0
    pretraining_rates: tuple[float, ...] = (1.0,)

    @classmethod
    def of(cls, grid: Grid, pretrainings: tuple[str, ...]) -> Block:
        """Return the block of a grid with the given ways of pretraining."""
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
            fixed_rate: of the study.
        """
        factors = self.pretraining_rates if parse_pretraining(pretraining).method != "none" else (1.0,)
        if not self.tuning_replicates:  # there are no runs to choose a factor
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
    blocks: tuple[Block, ...] = ()  # the arms of the workload are their union
    data_dir: str = "auto"  # folder of data files; not part of the identity, because their content is fixed
    longer_by: int = 0  # additional updates: as many as pretraining would take

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits, a hash of everything that determines this workload's numbers except its runs."""
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
        """The initializers of all blocks, including those that are not applicable to the activation."""
        return tuple(dict.fromkeys(i for block in self.blocks for i in block.initializers))

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """The applicable arms, in the order of the grids. An arm of several grids is the union of what they ask for."""
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
        fitting = [
            name for name in self.initializers if schemes.why_not_applicable(name, self.activation, self.widths) is None
        ]
        return schemes.same_draws(fitting, self.activation, self.widths)

    def why_not(self, initializer: str) -> str | None:
        """Return why an initializer has no arm, as a sentence, or None if it has one."""
        twin = self._same_draws.get(initializer)
        if twin is None:
            return schemes.why_not_applicable(initializer, self.activation, self.widths)
        return f"it draws the same weights as {twin} in these networks, which are trained only once"

    @property
    def budgets(self) -> tuple[int, ...]:
        """The steps after which runs are evaluated, ascending; the last one is the full budget."""
        return tuple(sorted({*self.measure.budgets, self.training.steps}))

    @property
    def chance(self) -> float:
        """The score of random guessing: 1/C for classification, 0 for reconstruction."""
        return 0.0 if self.task.is_reconstruction else 1 / datasets.DATASETS[self.dataset].classes

    def schedule(self, scores: Scores) -> Schedule:
        """Return the runs that follow from the validation scores so far, sorted by replicate, tuning runs first.

        Args:
            scores: by run id, at each budget; NaN if the run had diverged.
        """
        chance, limit = self.chance, datasets.guessing_limit(self.dataset, self.task.is_reconstruction)
        # A run that diverged (NaN) or is stuck has failed and is scored as random guessing.
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
        """The number of runs, counted without creating them."""
        return sum((arm.counts(len(self.budgets)) for arm in self.arms), NO_RUNS)

    @cached_property
    def arms_digest(self) -> str:
        """Twelve hexadecimal digits, a hash of the arms. The workflow compares it to see whether a job is out of date."""
        return identity.arms_digest(self.arms)

    @property
    def widths(self) -> list[int]:
        """Units of every layer, from inputs to outputs: depth + 2 numbers."""
        facts = datasets.DATASETS[self.dataset]
        if self.task.is_reconstruction:
            return [facts.inputs, *self.task.encoder, *self.task.encoder[-2::-1], facts.inputs]
        return [facts.inputs, *[self.width] * self.depth, facts.classes]

    @property
    def pretrained_layers(self) -> int:
        """Number of layers that pretraining trains."""
        most = len(self.task.encoder) or self.depth
        return most if self.pretraining.layers == "all" else self.pretraining.layers

    def trained_longer(self) -> Workload:
        """Return the workload with additional updates at every budget: as many as pretraining all layers would take."""
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
        """Floating-point operations to train one run: 6 B Σ fan_in·fan_out per step, without ∂L/∂x of the first layer.

        Pretraining is not counted, because the runs of all learning rates share it.
        """
        products = [a * b for a, b in pairwise(self.widths)]
        return self.training.steps * self.training.batch_size * (6 * sum(products) - 2 * products[0])
