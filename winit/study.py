"""Studies: what is asked, and which runs answer it.

A study is a YAML file that lists factors. `compose` resolves it with Hydra, `validate` turns the resolved values into a
frozen `Study` or raises one clear sentence, `Study.workloads` expands it. Nothing here imports torch or pandas, so that
planning stays light.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import pairwise, product
from math import cos, pi
from pathlib import Path
from typing import TYPE_CHECKING

from winit import catalog, conf, yaml_files
from winit.settings import TEXT_KEYS, check, grids

if TYPE_CHECKING:
    import pandas as pd

CONF = Path(__file__).resolve().parent.parent / "conf"
CLAIMS = CONF / "claims"  # declared before the data; no group of settings

# Part of every run id. Raise it when a change of code moves the numbers of a run, and re-pin the golden test.
REVISION = 2


# --- seeds --------------------------------------------------------------------------------------------------------


def seed(root: int, purpose: str, **factors: str | int) -> int:
    """Return the seed of a named random stream: a hash of the root, the purpose and the factors it may depend on.

    The streams are *data* (dataset), *batches*, *dropout* and *pretraining* (dataset, replicate) and *weights* (replicate,
    layer), and those of the tutorial's replay.
    An initializer or a learning rate is never among the factors: schemes share noise and mini-batches, so that they
    are compared in pairs.
    """
    name = json.dumps([root, purpose, sorted(factors.items())])
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1  # 63 bits: a C long for any library


# --- what a study is made of --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Training:
    """One training recipe."""

    optimizer: str
    steps: int
    batch_size: int
    momentum: float
    weight_decay: float
    schedule: str
    warmup: int

    def rate_factor(self, step: int) -> float:
        """Return what the learning rate is multiplied with at a step, from 0: warm-up, then the schedule.

        (t + 1)/warmup for t < warmup;  then, with s = (t − warmup)/(steps − warmup),
        constant: 1,   linear: 1 − s,   cosine: (1 + cos πs)/2
        """
        if step < self.warmup:
            return (step + 1) / self.warmup
        share = min((step - self.warmup) / (self.steps - self.warmup), 1.0)
        return {"constant": 1.0, "linear": 1 - share, "cosine": (1 + cos(pi * share)) / 2}[self.schedule]


@dataclass(frozen=True)
class BoltzmannRecipe:
    """How restricted Boltzmann machines are trained.

    Attributes:
        visible: units of the first machine: `binary`, `gaussian`, or `auto`, as the inputs are.
        gibbs_steps: k of CD-k.
        learning_rate, real_rate: of machines with binary units alone, and of those with Gaussian or linear units.
        momentum, late_momentum: in the first `early_share` of the steps, and then.
        weight_cost: λ.
    """

    visible: str
    gibbs_steps: int
    learning_rate: float
    real_rate: float
    momentum: float
    late_momentum: float
    early_share: float
    weight_cost: float


@dataclass(frozen=True)
class Pretraining:
    """How layers are pretrained: `layers` of them from the input (`all`: every hidden one), `steps` updates each."""

    layers: int | str
    steps: int
    batch_size: int
    optimizer: str
    learning_rate: float
    momentum: float
    decoder: str
    loss: str
    corruption: str
    corruption_amount: float
    rbm: BoltzmannRecipe

    def facts(self, method: str) -> dict[str, object]:
        """Return those settings that the method uses: what fixes its numbers."""
        facts: dict[str, object] = {"layers": self.layers, "steps": self.steps, "batch_size": self.batch_size}
        if method == "rbm":
            return facts | asdict(self.rbm)
        facts |= {"optimizer": self.optimizer, "learning_rate": self.learning_rate}
        if self.optimizer in ("momentum", "nesterov"):
            facts["momentum"] = self.momentum
        if method in ("autoencoder", "denoising_autoencoder"):
            facts |= {"decoder": self.decoder, "loss": self.loss}
        if method == "denoising_autoencoder":
            facts |= {"corruption": self.corruption, "corruption_amount": self.corruption_amount}
        return facts


@dataclass(frozen=True)
class Task:
    """What is learned: to classify or, with an encoder, to reconstruct the inputs by a deep autoencoder."""

    name: str
    encoder: tuple[int, ...]
    loss: str

    @property
    def is_reconstruction(self) -> bool:
        return self.name == "reconstruction"


@dataclass(frozen=True)
class Measure:
    """When and on how much a run is measured."""

    curve_points: int
    layer_points: int
    trace_points: int
    probe_examples: int
    histogram_bins: int


@dataclass(frozen=True)
class Run:
    """One network, trained under one setting of every factor."""

    id: str
    initializer: str
    pretraining: str
    learning_rate: float
    replicate: int


@dataclass(frozen=True)
class Block:
    """A product of the factors that a stack's networks can differ in."""

    initializers: tuple[str, ...]
    pretrainings: tuple[str, ...]
    learning_rates: tuple[float, ...]
    replicates: int
    tuning_replicates: int = 0

    @property
    def all_replicates(self) -> list[int]:
        """The replicates that are judged, from 0, and those on which the rate is chosen, from −1 downwards."""
        return [*range(self.replicates), *range(-1, -self.tuning_replicates - 1, -1)]


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
    training: Training
    measure: Measure
    seed: int
    task: Task
    scaling: str
    pretraining: Pretraining
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
        found: dict[str, Run] = {}
        for block in self.blocks:
            for initializer, pretraining in self._arms_of(block):
                for rate in block.learning_rates:
                    for replicate in block.all_replicates:
                        run_id = self._run_id(initializer, pretraining, rate, replicate)
                        found.setdefault(run_id, Run(run_id, initializer, pretraining, rate, replicate))
        return tuple(found.values())

    def _arms_of(self, block: Block) -> list[tuple[str, str]]:
        """Return the pairs (initializer, pretraining) of a block that have a meaning."""
        return [
            (initializer, pretraining)
            for initializer in block.initializers
            if catalog.why_not_applicable(initializer, self.activation) is None
            for pretraining in block.pretrainings
            if catalog.why_not_pretrainable(pretraining, self.activation, self.task.name) is None
        ]

    def _run_id(self, initializer: str, pretraining: str, rate: float, replicate: int) -> str:
        text = f"{self.name}|{initializer}|{rate!r}|{replicate}"
        if pretraining != "none":
            facts = self.pretraining.facts(catalog.parse_pretraining(pretraining).method)
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
        facts = catalog.DATASETS[self.dataset]
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
        method, _ = catalog.parse_pretraining(pretraining)
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
        pretraining = Pretraining(**{**s["pretraining"], "rbm": BoltzmannRecipe(**s["pretraining"]["rbm"])})
        task = Task(**{**s["task"], "encoder": tuple(s["task"]["encoder"])})
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
                    Training(**{**s["training"], "optimizer": optimizer}), Measure(**s["measure"]), s["seed"], task,
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
                    why = catalog.why_not_applicable(initializer, activation)
                    found[initializer, "", activation] = why
                for name in grid["pretraining"]:
                    why = catalog.why_not_pretrainable(name, activation, self.settings["task"]["name"])
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
        raise ValueError(catalog.unknown(f"workload of study '{self.name}'", name, [w.name for w in self.workloads]))


def main_grid(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table of runs or of settings that lie in a study's main grid: what extra grids add is left out.

    Tuning replicates count as part of it.
    """
    grid = study.settings["grid"]
    keep = frame["dataset"].isin(list(study.settings["dataset"]))
    for factor in ("initializer", "activation", "depth", "width", "batch_norm", "dropout", "pretraining", "learning_rate"):
        keep &= frame[factor].isin(grid[factor])
    if "replicate" in frame:
        keep &= frame["replicate"].between(-grid["tuning_replicates"], grid["replicates"] - 1)
    return frame[keep]


def log_spaced(last: int, points: int) -> list[int]:
    """Return at most `points` steps from 0 to `last`, evenly spaced on a log scale, both ends included.

    Every step, where there are at least as many points; none for no points.
    """
    if points > last or not points:
        return list(range(last + 1)) if points else []
    ratio = [i / max(points - 2, 1) for i in range(points - 1)]
    return sorted({0, last} | {round(last**r) for r in ratio if points > 2})


# --- composition --------------------------------------------------------------------------------------------------


def validate(tree: Mapping[str, object]) -> Study:
    """Turn resolved settings into a Study.

    Args:
        tree: nested mappings, as read from YAML or composed by Hydra.

    Raises:
        ValueError: with one sentence that names the key, the value given and what is allowed.
    """
    study = Study(check(tree))
    for name, grid in grids(study.settings):
        place = f"extra_grids.{name}" if name else "grid"
        for pretraining in grid["pretraining"]:
            reasons = [catalog.why_not_pretrainable(pretraining, a, study.settings["task"]["name"]) for a in grid["activation"]]
            if all(reasons) and not name:  # an extra grid may be wider than the main one
                raise ValueError(f"{place}.pretraining: {pretraining} fits none of the activations: {reasons[0]}")
        reasons = {(i, a): catalog.why_not_applicable(i, a) for i in grid["initializer"] for a in grid["activation"]}
        if all(reasons.values()):
            (i, a), why = next(iter(reasons.items()))
            raise ValueError(f"{place}: nothing to train, because {i} with {a} is not applicable: {why}")
    return study


def compose(overrides: Sequence[str] = ()) -> Study:
    """Resolve a study from conf/ and overrides in Hydra's syntax: `["study=smoke", "grid.depth=[2,4]"]`.

    Extra grids are inherited as long as the question stays the same. If a study's own file or an override sets the dataset,
    the task or a factor of the grid and does not mention `extra_grids`, the inherited ones are dropped; if it mentions them,
    they are inherited and merged with what it says (null removes one). Learning rates and replicates are a matter of
    budget: setting them keeps the extra grids.

    Raises:
        ValueError: one sentence, for any mistake in the overrides or in the files.
    """
    return validate(conf.compose(CONF, overrides))


def resolve(config: Mapping[str, object]) -> Study:
    """Return the study that a workflow's configuration asks for: the one resolver of every way to start.

    Args:
        config: a frozen study (it has a `grid`), or `study` and `overrides`, both optional; overrides are a list of what
            stands on winit's command line, or one string of overrides with blanks between them.
    """
    if "grid" in config:
        return validate(config)
    extra = set(config) - {"study", "overrides"}
    if extra:
        raise ValueError(
            f"unknown key '{sorted(extra)[0]}' in --config; choose from study, overrides "
            '(overrides="grid.depth=[2,4] training.steps=100")'
        )
    overrides = config.get("overrides") or []
    if isinstance(overrides, str):
        overrides = re.findall(r"(?:[^\s\[\]{}'\"]|\[[^\]]*\]|\{[^}]*\}|'[^']*'|\"[^\"]*\")+", overrides)
    if not isinstance(overrides, list):
        raise ValueError(f'overrides: got {overrides!r}; write overrides="key=value key=value"')
    overrides = [str(o) for o in overrides]
    if "study" in config:
        return compose([f"study={_study_name(config['study'])}", *overrides])
    return from_arguments(overrides)


def _study_name(given: object) -> str:
    """Return the name of a study's file. Snakemake takes `study=1e5` for a number; the files tell what was typed.

    Raises:
        ValueError: no file or several have a name that Snakemake takes for this value.
    """
    if isinstance(given, str):
        return given
    names = [name for name in conf.groups_of(CONF)["study"] if _as_snakemake_types(name) == given]
    if len(names) != 1:
        raise ValueError(
            f"study: got {given}, for Snakemake takes names like 1e5 and 007 for numbers; "
            f'write overrides="study=<name>" instead'
        )
    return names[0]


def _as_snakemake_types(text: str) -> object:
    """Return what Snakemake makes of a value in --config."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"True": True, "False": False}.get(text, text)


def from_arguments(arguments: Sequence[str]) -> Study:
    """Return the study of a command line: overrides, or one path of a frozen study.yaml with none."""
    first = arguments[0] if arguments else ""
    if first.endswith((".yaml", ".yml")) and ("=" not in first or os.path.isfile(first)):
        if len(arguments) > 1:
            raise ValueError(f"a frozen study takes no overrides; got {' '.join(arguments[1:])}")
        return read(Path(first))
    return compose(arguments)


def read(path: Path) -> Study:
    """Read a frozen study.

    Raises:
        ValueError: one sentence that names the file or the key.
    """
    if not os.path.exists(path):  # also of a path that is too long
        raise ValueError(
            f"no study at {yaml_files.shortened(path)}; "
            "give a study.yaml that a run has frozen, or overrides such as study=smoke"
        )
    tree = yaml_files.read(path, TEXT_KEYS)
    if not isinstance(tree, Mapping):
        raise ValueError(f"{yaml_files.shortened(path)} is not a study: it holds no mapping of settings")
    return validate(tree)


def dump(study: Study) -> str:
    """Return the study as YAML: what `results/<study>/study.yaml` holds, and enough to run it again."""
    head = f"# The resolved study, frozen. Run it again: winit run results/{study.name}/study.yaml --cores 2\n"
    return head + yaml_files.dump(dict(study.settings))
