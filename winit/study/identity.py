"""Identity of runs: the facts that determine their numbers, and the names and digests made from them.

Runs with the same id have the same numbers in every study. A setting that changes the numbers of a run is part of its id.
Settings that do not, such as the target or the device, are left out, so stored runs can be reused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple

from winit.study.protocol import Arm
from winit.study.schema import MeasureSettings, PretrainingSettings, TaskSettings, TrainingRecipe
from winit.vocabulary.pretraining import parse_pretraining

# Part of every run id. Raise it when a change of code changes the numbers of a run, and pin the golden runs again.
REVISION = 4

_WITH_MOMENTUM = ("momentum", "nesterov")  # optimizers


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def training_facts(training: TrainingRecipe) -> dict[str, object]:
    """Return the settings of training that its optimizer uses."""
    unused = set() if training.optimizer in _WITH_MOMENTUM else {"momentum"}
    return training.model_dump(exclude=unused)


def pretraining_facts(recipe: PretrainingSettings, method: str) -> dict[str, object]:
    """Return the settings of pretraining that a method uses."""
    facts: dict[str, object] = {"layers": recipe.layers, "steps": recipe.steps, "batch_size": recipe.batch_size}
    if method == "rbm":
        return facts | recipe.rbm.model_dump()
    facts |= {"optimizer": recipe.optimizer, "learning_rate": recipe.learning_rate}
    if recipe.optimizer in _WITH_MOMENTUM:
        facts["momentum"] = recipe.momentum
    if method in ("autoencoder", "denoising_autoencoder"):
        facts |= {"decoder": recipe.decoder, "loss": recipe.loss}
    if method == "denoising_autoencoder":
        facts |= {"corruption": recipe.corruption, "corruption_amount": recipe.corruption_amount}
    return facts


def workload_digest(
    seed: int, dataset: str, parameters: Mapping[str, float], scaling: str, task: TaskSettings, network: Iterable[object],
    training: TrainingRecipe, measure: MeasureSettings,
) -> str:  # fmt: skip
    """Return eight hexadecimal digits, a hash of everything that determines a workload's numbers except its runs.

    Args:
        seed: seed of all random streams.
        dataset: by name.
        parameters: of the dataset's generator.
        scaling: of the inputs.
        task: what the networks are trained for.
        network: activation, depth, width, batch normalization, dropout.
        training: the recipe.
        measure: when runs are measured, and on how many examples.
    """
    facts: list[object] = [REVISION, seed, dataset, sorted(parameters.items()), *network]
    facts += [training_facts(training), measure.model_dump()]
    if scaling != "standard":
        facts.append(scaling)
    if task.is_reconstruction:
        facts.append(task.model_dump())
    return _digest(json.dumps(facts), 8)


def run_id(
    workload: str, initializer: str, pretraining: str, pretraining_rate: float, rate: float, replicate: int,
    recipe: PretrainingSettings,
) -> str:  # fmt: skip
    """Return sixteen hexadecimal digits, a hash of everything that determines a run's numbers.

    Args:
        workload: its name, which ends in the workload's digest.
        initializer: in its canonical spelling.
        pretraining: a way of pretraining, with its control.
        pretraining_rate: the factor on the learning rates of pretraining.
        rate: the learning rate.
        replicate: the index of its random streams.
        recipe: the settings of pretraining; those that the method uses are part of the id.
    """
    text = f"{workload}|{initializer}|{rate!r}|{replicate}"
    if pretraining != "none":
        facts = pretraining_facts(recipe, parse_pretraining(pretraining).method) | {"rate": pretraining_rate}
        text += f"|{pretraining}|{json.dumps(facts, sort_keys=True)}"
    return _digest(text, 16)


def arms_digest(arms: Iterable[Arm]) -> str:
    """Return twelve hexadecimal digits, a hash of arms and the runs they ask for, in order."""
    return _digest(json.dumps([astuple(arm) for arm in arms]), 12)


def study_digest(settings: Mapping[str, object]) -> str:
    """Return twelve hexadecimal digits, a hash of the resolved settings and the revision of the training code."""
    return _digest(json.dumps([REVISION, settings]), 12)
