"""Studies, workloads and runs: what is asked, and which runs answer it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import pairwise, product

from winit import datasets, schemes
from winit.study.applicability import why_not_pretrainable
from winit.study.recipes import BoltzmannRecipe, MeasureRecipe, PretrainingRecipe, TaskRecipe, TrainingRecipe
from winit.study.schema import grids
from winit.vocabulary.errors import unknown_name
from winit.vocabulary.pretraining import parse_pretraining

# Part of every run id. Raise it when a change of code moves the numbers of a run, and pin the golden runs again.
REVISION = 2


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


@dataclass(frozen=True)
class Block:
    """A product of the factors that a stack's networks can differ in."""

    initializers: tuple[str, ...]
    pretrainings: tuple[str, ...]
    learning_rates: tuple[float, ...]
    replicates: int
    tuning_replicates: int = 0

    @property
    def all_replicates(self) -> list[tuple[int, Role]]:
        """Every replicate with its role: judged ones are numbered from 0 upwards, tuning ones from −1 downwards."""
        judged = [(replicate, Role.JUDGED) for replicate in range(self.replicates)]
        return judged + [(-replicate, Role.TUNING) for replicate in range(1, self.tuning_replicates + 1)]


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
    measure: MeasureRecipe
    seed: int
    task: TaskRecipe
    scaling: str
    pretraining: PretrainingRecipe
    blocks: tuple[Block, ...] = ()  # whose union are the workload's runs
    data_dir: str = "auto"  # where files of data lie: not part of what a run is, because their content is fixed

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits of all that fixes this workload's numbers, the runs in it aside."""
        facts = [REVISION, self.seed, self.dataset, sorted(self.dataset_parameters.items()), self.activation]
        training = asdict(self.training)
        if self.training.optimizer not in ("momentum", "nesterov"):
            del training["momentum"]  # the others do not use it
        facts += [self.depth, self.width, self.batch_norm, self.dropout, training, asdict(self.measure)]
        if self.scaling != "standard":
            facts.append(self.scaling)
        if self.task.is_reconstruction:
            facts.append(asdict(self.task))
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]

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
                    for replicate, role in block.all_replicates:
                        run_id = self._run_id(initializer, pretraining, rate, replicate)
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

    def _run_id(self, initializer: str, pretraining: str, rate: float, replicate: int) -> str:
        text = f"{self.name}|{initializer}|{rate!r}|{replicate}"
        if pretraining != "none":
            facts = self.pretraining.facts(parse_pretraining(pretraining).method)
            text += f"|{pretraining}|{json.dumps(facts, sort_keys=True)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

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
        return hashlib.sha256("".join(run.id for run in self.runs).encode()).hexdigest()[:12]

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
        return most if self.pretraining.layers == "all" else int(self.pretraining.layers)

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
    """A validated study. `settings` is the resolved configuration it was made from: frozen, it makes the same study."""

    settings: Mapping[str, object] = field(repr=False)

    @property
    def name(self) -> str:
        return self.settings["name"]

    @property
    def question(self) -> str:
        return self.settings["question"]

    @property
    def device(self) -> str:
        return self.settings["device"]

    @property
    def engine(self) -> str:
        return self.settings["engine"]

    @property
    def seed(self) -> int:
        return self.settings["seed"]

    @property
    def initializers(self) -> list[str]:
        return self.settings["grid"]["initializer"]

    @property
    def activations(self) -> list[str]:
        return self.settings["grid"]["activation"]

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits of the resolved settings and the revision of the training code."""
        return hashlib.sha256(json.dumps([REVISION, self.settings]).encode()).hexdigest()[:12]

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """The study's runs, grouped by workload; the most expensive first, so that the last job to end is a short one."""
        s = self.settings
        pretraining = PretrainingRecipe(**{**s["pretraining"], "rbm": BoltzmannRecipe(**s["pretraining"]["rbm"])})
        task = TaskRecipe(**{**s["task"], "encoder": tuple(s["task"]["encoder"])})
        found: dict[str, Workload] = {}
        for _, grid in grids(s):
            longer = [name for name in grid["pretraining"] if name == "none+longer"]
            others = [name for name in grid["pretraining"] if name != "none+longer"]
            for dataset, optimizer, activation, batch_norm, dropout, width, depth, pretrainings in product(
                grid["dataset"], s["training"]["optimizer"], grid["activation"], grid["batch_norm"], grid["dropout"],
                grid["width"], grid["depth"], [others, longer],
            ):  # fmt: skip
                if not pretrainings:
                    continue
                parameters = dict(s["dataset"][dataset])
                target = parameters.pop("target_accuracy")
                block = Block(
                    tuple(grid["initializer"]), tuple(pretrainings), tuple(grid["learning_rate"]), grid["replicates"],
                    grid["tuning_replicates"],
                )  # fmt: skip
                one = Workload(
                    dataset, parameters, target, activation, depth, width, batch_norm, dropout,
                    TrainingRecipe(**{**s["training"], "optimizer": optimizer}), MeasureRecipe(**s["measure"]), s["seed"], task,
                    s["data"]["scaling"], pretraining, data_dir=s["data"]["dir"],
                )  # fmt: skip
                if pretrainings is longer:
                    steps = one.training.steps + one.pretrained_layers * pretraining.steps
                    one = replace(one, training=replace(one.training, steps=steps))
                known = found.setdefault(one.name, one)
                found[one.name] = replace(known, blocks=(*known.blocks, block))
        return tuple(sorted((w for w in found.values() if w.run_count), key=lambda w: -w.flops_per_run * w.run_count))

    @property
    def product(self) -> str:
        """The factors as a person says them: '12 initializers × 3 activations × …'; those with one value left out."""
        grid = self.settings["grid"]
        factors = [
            (len(grid["initializer"]), "initializers"),
            (len(grid["activation"]), "activations"),
            (len(grid["depth"]), "depths"),
            (len(grid["width"]), "widths"),
            (len(grid["batch_norm"]), "with and without batch normalization"),
            (len(grid["dropout"]), "dropout rates"),
            (len(grid["pretraining"]), "ways of pretraining"),
            (len(self.settings["training"]["optimizer"]), "optimizers"),
            (len(self.settings["dataset"]), "datasets"),
            (len(grid["learning_rate"]), "learning rates"),
            (grid["replicates"], "replicates"),
        ]
        text = " × ".join(f"{n:,} {word}" for n, word in factors if n > 1) or "one of everything"
        tuning = grid["tuning_replicates"]
        text += f" and {tuning} for tuning" if tuning and " replicates" in text else ""
        text += ", less what is not applicable" if self.not_applicable else ""
        extra = list(self.settings["extra_grids"])
        return text + (f"; with the extra {'grids' if len(extra) > 1 else 'grid'} {', '.join(extra)}" if extra else "")

    @cached_property
    def not_applicable(self) -> list[tuple[str, str, str, str]]:
        """What of the grids has no meaning: (initializer, pretraining, activation, reason), the one or the other empty."""
        found = {}
        for _, grid in grids(self.settings):
            for activation in grid["activation"]:
                for initializer in grid["initializer"]:
                    why = schemes.why_not_applicable(initializer, activation)
                    found[initializer, "", activation] = why
                for name in grid["pretraining"]:
                    why = why_not_pretrainable(name, activation, self.settings["task"]["name"])
                    found["", name, activation] = why
        return [(*key, why) for key, why in found.items() if why]

    @property
    def run_count(self) -> int:
        return sum(w.run_count for w in self.workloads)

    def workload(self, name: str) -> Workload:
        """Return the workload of that name."""
        for workload in self.workloads:
            if workload.name == name:
                return workload
        raise ValueError(unknown_name(f"workload of study '{self.name}'", name, [w.name for w in self.workloads]))


def log_spaced(last: int, points: int) -> list[int]:
    """Return at most `points` steps from 0 to `last`, evenly spaced on a log scale, both ends included.

    Every step, where there are at least as many points; none for no points.
    """
    if points > last or not points:
        return list(range(last + 1)) if points else []
    ratio = [i / max(points - 2, 1) for i in range(points - 1)]
    return sorted({0, last} | {round(last**r) for r in ratio if points > 2})
