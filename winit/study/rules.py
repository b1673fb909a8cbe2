"""Rules between settings: what the task, the dataset sizes and pretraining require of other settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winit import schemes
from winit.datasets import part_sizes
from winit.study.applicability import why_not_pretrainable
from winit.study.schema import HIGHEST_RATE, LOWEST_RATE, Grid, StudySettings
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.errors import unknown_name
from winit.vocabulary.pretraining import parse_pretraining


def check(settings: StudySettings) -> None:
    """Check rules that involve several settings.

    Raises:
        ValueError: a rule is broken; one sentence names the key, the value and what is allowed.
    """
    for name, grid in settings.grids.items():
        for dataset in grid.dataset:
            if dataset not in settings.dataset:
                sentence = unknown_name("dataset of this study", dataset, settings.dataset)
                raise ValueError(f"{_prefix(name)}.dataset: {sentence}")
    if settings.task.is_reconstruction:
        _check_reconstruction(settings)
    elif settings.task.encoder:
        raise ValueError(
            f"task.encoder: got {settings.task.encoder}, but classifiers have no encoder; allowed is [], or task=reconstruction"
        )
    _check_sizes(settings)
    _check_budgets(settings)
    for name, grid in settings.grids.items():
        _check_rates(grid, _prefix(name))
        if grid.is_pretrained:
            _check_pretrained_layers(settings, grid, _prefix(name))
            _check_units(settings, grid)
    for name, grid in settings.grids.items():
        _check_applicability(settings, name, grid)


def _prefix(name: str) -> str:
    """Return the key of a grid; the name of the main grid is empty."""
    return f"extra_grids.{name}" if name else "grid"


def _encoder_shape(encoder: object) -> dict[str, list[int]]:
    """Return depth and width of the deep autoencoder with a given encoder."""
    given = list(encoder) if isinstance(encoder, list | tuple) else [encoder]
    widths = [n for n in given if isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= 100_000]
    if not widths or len(widths) < len(given):
        return {"depth": [1], "width": [1]}  # the encoder is rejected later
    return {"depth": [2 * len(widths) - 1], "width": [max(widths)]}


def with_encoder_shape(tree: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return unchecked settings with depth and width of a deep autoencoder filled in from its encoder."""
    task, grid = tree.get("task"), tree.get("grid")
    if isinstance(task, Mapping) and isinstance(grid, Mapping) and task.get("name") == "reconstruction":
        return {**tree, "grid": {**_encoder_shape(task.get("encoder")), **grid}}
    return dict(tree)


def _check_reconstruction(settings: StudySettings) -> None:
    encoder = settings.task.encoder
    if not encoder:
        raise ValueError(
            "task.encoder: got []; reconstruction needs the widths of its encoder, the code last: [256,64,16]"
        )
    if settings.task.loss == "cross_entropy" and settings.data.scaling != "unit":
        raise ValueError(
            "task.loss: got cross_entropy, but inputs are standardized; allowed is squared_error, or data.scaling=unit"
        )
    if any({"depth", "width"} & set(levels) for levels in settings.extra_grids.values()):
        raise ValueError(
            "extra_grids: got a depth or a width, but with task=reconstruction both follow from task.encoder"
        )
    given = {"depth": settings.grid.depth, "width": settings.grid.width}
    for key, follows in _encoder_shape(encoder).items():
        if given[key] != follows:
            raise ValueError(
                f"grid.{key}: got {given[key]}, but with task=reconstruction depth and width follow from task.encoder; "
                "remove it"
            )
    for grid in settings.grids.values():
        for initializer in grid.initializer:
            if schemes.parse(initializer).is_data_dependent:
                raise ValueError(
                    f"grid.initializer: got {initializer}, which calibrates classifiers; "
                    "with task=reconstruction, only schemes that do not use data are allowed"
                )


def _check_sizes(settings: StudySettings) -> None:
    training, grids = settings.training, settings.grids
    sizes = {"training.batch_size": training.batch_size, "measure.probe_examples": settings.measure.probe_examples}
    if any(grid.is_pretrained for grid in grids.values()):
        sizes["pretraining.batch_size"] = settings.pretraining.batch_size
    for name in settings.dataset:
        train, _, _ = part_sizes(name)
        for key, size in sizes.items():
            if size > train:
                raise ValueError(
                    f"{key}: got {size}, but {name} has {train} training examples; allowed is at most {train}"
                )
    for name, grid in grids.items():
        if training.batch_size == 1 and True in grid.batch_norm:
            raise ValueError(
                f"training.batch_size: got 1, but {_prefix(name)}.batch_norm needs at least 2 examples in a mini-batch"
            )
    if training.warmup >= training.steps:
        raise ValueError(
            f"training.warmup: got {training.warmup} of {training.steps} steps; allowed is less than training.steps"
        )


def _check_budgets(settings: StudySettings) -> None:
    """Check that shorter budgets are points of the full training."""
    budgets, training = settings.measure.budgets, settings.training
    if budgets and (training.schedule != "constant" or training.warmup):
        given = f"warmup {training.warmup}" if training.schedule == "constant" else f"schedule {training.schedule}"
        raise ValueError(
            f"measure.budgets: got {budgets} with {given}, but shorter budgets need a constant learning rate; "
            "allowed is [], or training.schedule=constant without warm-up"
        )
    for budget in budgets:
        if budget >= training.steps or budgets.count(budget) > 1:
            raise ValueError(
                f"measure.budgets: got {budgets} with training.steps={training.steps}; "
                "allowed are different numbers below training.steps"
            )


def _check_rates(grid: Grid, prefix: str) -> None:
    """Check that extensions keep learning rates within their bounds."""
    rates = sorted(grid.learning_rate)
    if len(rates) < 2 or not grid.tuning_replicates:
        return
    lowest = rates[0] * (rates[0] / rates[1]) ** grid.extensions
    highest = rates[-1] * (rates[-1] / rates[-2]) ** grid.extensions
    if lowest < LOWEST_RATE or highest > HIGHEST_RATE:
        raise ValueError(
            f"{prefix}.extensions: got {grid.extensions}, which could bring the learning rate to "
            f"{lowest if lowest < LOWEST_RATE else highest:.3g}; allowed are rates from {LOWEST_RATE:g} to {HIGHEST_RATE:g}"
        )


def _check_pretrained_layers(settings: StudySettings, grid: Grid, prefix: str) -> None:
    """Check that networks have at least as many layers as pretraining trains."""
    layers, encoder = settings.pretraining.layers, settings.task.encoder
    shallowest = len(encoder) or min(grid.depth)
    if layers != "all" and layers > shallowest:
        what = (
            f"the encoder has {shallowest}" if encoder else f"{prefix}.depth has networks of {shallowest} hidden layers"
        )
        raise ValueError(f"pretraining.layers: got {layers}, but {what}; allowed is at most {shallowest}, or all")


def _check_units(settings: StudySettings, grid: Grid) -> None:
    """Check that pretraining can be applied to the inputs and codes of a grid."""
    recipe, is_unit = settings.pretraining, settings.data.scaling == "unit"
    methods = {parse_pretraining(name).method for name in grid.pretraining}
    if recipe.corruption == "masking" and recipe.corruption_amount >= 1:
        raise ValueError(
            f"pretraining.corruption_amount: got {recipe.corruption_amount:g} for masking; "
            "allowed is a number from 0 to below 1"
        )
    if methods & {"autoencoder", "denoising_autoencoder"} and recipe.loss == "cross_entropy":
        if not is_unit:
            raise ValueError(
                "pretraining.loss: got cross_entropy, but inputs are standardized; "
                "allowed is squared_error, or data.scaling=unit"
            )
        for activation in grid.activation:
            if activation != "sigmoid":
                label = ACTIVATIONS[activation].label
                raise ValueError(
                    f"pretraining.loss: got cross_entropy, but codes of {label} can leave [0, 1]; allowed is squared_error"
                )
    if "rbm" in methods and recipe.rbm.visible == "binary" and not is_unit:
        raise ValueError(
            "pretraining.rbm.visible: got binary, but inputs are standardized; allowed is gaussian, or data.scaling=unit"
        )


def _check_applicability(settings: StudySettings, name: str, grid: Grid) -> None:
    """Check that a grid has at least one applicable combination."""
    for pretraining in grid.pretraining:
        reasons = [why_not_pretrainable(pretraining, activation, settings.task.name) for activation in grid.activation]
        if all(reasons) and not name:  # an extra grid may include combinations that the main grid lacks
            raise ValueError(f"{_prefix(name)}.pretraining: {pretraining} fits none of the activations: {reasons[0]}")
    encoder = settings.task.encoder
    networks = (
        [[1, *encoder, *encoder[-2::-1], 1]] if encoder else [[1, *[w] * d, 1] for w in grid.width for d in grid.depth]
    )
    reasons_of = {
        (initializer, activation): [schemes.why_not_applicable(initializer, activation, widths) for widths in networks]
        for initializer in grid.initializer
        for activation in grid.activation
    }
    if all(map(all, reasons_of.values())):
        (initializer, activation), (why, *_) = next(iter(reasons_of.items()))
        raise ValueError(
            f"{_prefix(name)}: nothing to train, because {initializer} with {activation} is not applicable: {why}"
        )
