"""The protocol of a study as text, from its settings: how rates are chosen, when runs are evaluated, what extra grids add."""

from __future__ import annotations

from typing import Any

from winit.report.wording import label, listed
from winit.study.model import Study
from winit.study.schema import PretrainingSettings, RbmSettings
from winit.vocabulary.factors import OPTIMIZERS
from winit.vocabulary.pretraining import PRETRAINING, parse_pretraining
from winit.vocabulary.words import count


def budgets(study: Study) -> str:
    """Return the budgets: '500 and 1,500 updates'."""
    return f"{listed([f'{budget:,}' for budget in study.budgets[:-1]] + [count(study.budgets[-1], 'update')])}"


def at_rate(study: Study) -> str:
    """Return the rate at which arms of the main grid are compared, as the end of a sentence."""
    grid = study.grid
    if len(grid.learning_rate) == 1:
        return f"at the study's only learning rate, {grid.learning_rate[0]:g}"
    if grid.tuning_replicates:
        return f"each arm at the rate chosen for it on {count(grid.tuning_replicates, 'tuning replicate')}"
    return "each arm at the rate with the best validation score of its judged runs"


def choice(study: Study) -> str:
    """Return how the learning rates of the main grid were chosen, and what the study cannot tell as a result."""
    grid = study.grid
    judged = count(grid.replicates, "replicate")
    if len(grid.learning_rate) == 1:
        return (
            f"Every arm of the main grid has one learning rate, {grid.learning_rate[0]:g}, and {judged}. No rate was tuned, so the study "
            "cannot say what another rate would do."
        )
    rule = (
        "the highest mean validation score, where diverged runs and scores below random guessing count as random guessing; ties go to the "
        "smaller rate"
    )
    if not grid.tuning_replicates:
        return (
            f"Every arm was trained at every rate of the grid, on {judged}. Its rate is the one with {rule}. The same runs "
            "are judged, so the study cannot say how much of a result is due to the choice of rate."
        )
    extension = (
        "While the best rate was at the edge of the grid, tuning extended the grid by its ratio of neighbouring rates, by at most "
        f"{count(grid.extensions, 'rate')} at each end."
        if grid.extensions
        else "Tuning did not extend the grid."
    )
    factors = (
        " Before that, the learning rates of pretraining were tuned in the same way, multiplied by "
        f"{listed([f'{factor:g}' for factor in grid.pretraining_rate])}."
        if len(grid.pretraining_rate) > 1
        else ""
    )
    others = sorted({extra.replicates for extra in study.resolved.grids.values()} - {grid.replicates})
    elsewhere = f" ({listed([str(number) for number in others])} in extra grids)" if others else ""
    return (
        f"Every arm was first trained at every rate of the grid on {count(grid.tuning_replicates, 'tuning replicate')}. For each budget, its "
        f"rate is the one with {rule}. {extension}{factors} Then {judged} of its own{elsewhere} {'was' if grid.replicates == 1 else 'were'} "
        f"judged, at the chosen rates and, without tuning, at the rate nearest to {study.analysis.fixed_rate:g}."
    )


def reading(study: Study) -> str:
    """Return at which budgets runs are evaluated, and what a single budget cannot tell."""
    text = f"Runs are evaluated on test data after {budgets(study)}. "
    if len(study.budgets) == 1:
        return text + "With one budget the study cannot distinguish slow training from no training."
    return text + "Every run is evaluated at all budgets; the learning rate is chosen separately for each."


def _levels(factor: str, levels: list[Any]) -> str:
    """Return the levels of a factor as text."""
    if factor == "batch_norm":
        return listed(["with batch normalization" if level else "without batch normalization" for level in levels])
    return f"{factor.replace('_', ' ')} {listed([_level(factor, level) for level in levels])}"


def _level(factor: str, level: object) -> str:
    """Return a level as text."""
    if factor == "optimizer":
        return OPTIMIZERS[str(level)]
    if factor == "pretraining":  # the labels contain commas
        return str(level)
    return f"{level:g}" if isinstance(level, float) else label(factor, level)


_TOLD_ELSEWHERE = ("extensions", "replicates", "tuning_replicates")


def extra_grids(study: Study) -> list[tuple[str, str, str]]:
    """Return the name of each extra grid, its question ("" if none is given), and the levels that differ from the main grid."""
    grids = study.resolved.grids
    main = grids[""].model_dump()
    lines = []
    for name, grid in grids.items():
        given = {factor: levels for factor, levels in grid.model_dump().items() if levels != main[factor]}
        texts = [_levels(factor, levels) for factor, levels in given.items() if factor not in _TOLD_ELSEWHERE]
        texts += [
            f"{count(given[factor], factor.replace('_', ' ')[:-1])}" for factor in _TOLD_ELSEWHERE if factor in given
        ]
        if name:
            question = study.resolved.extra_grids[name].get("question", "")
            lines.append((name, question, "; ".join(texts) or "the levels of the main grid"))
    return lines


def pretraining(study: Study) -> str:
    """Return how layers were pretrained, or "" where no grid pretrains."""
    recipe = study.pretraining
    given = {name for grid in study.resolved.grids.values() for name in grid.pretraining}
    used = {parse_pretraining(name).method for name in given}
    methods = [method for method in PRETRAINING if method in used - {"none"}]
    if not methods:
        return ""
    layers = "each hidden layer" if recipe.layers == "all" else f"the first {count(recipe.layers, 'hidden layer')}"
    text = [f"Pretraining trained {layers} for {count(recipe.steps, 'update')} on mini-batches of {recipe.batch_size}."]
    by_gradient = [PRETRAINING[method].label for method in methods if method != "rbm"]
    if by_gradient:
        text.append(_trained_by_gradient(listed(by_gradient), recipe))
    if {"autoencoder", "denoising_autoencoder"} & set(methods):
        text.append(_autoencoders(recipe, "denoising_autoencoder" in methods))
    if "rbm" in methods:
        text.append(_machines(recipe.rbm))
    return " ".join(text)


def _trained_by_gradient(names: str, recipe: PretrainingSettings) -> str:
    momentum = f" (momentum {recipe.momentum:g})" if recipe.optimizer in ("momentum", "nesterov") else ""
    return (
        f"{names[:1].upper()}{names[1:]} were trained with {OPTIMIZERS[recipe.optimizer]}{momentum} at the learning rate "
        f"{recipe.learning_rate:g}."
    )


def _autoencoders(recipe: PretrainingSettings, is_denoising: bool) -> str:
    either = "cross-entropy for layers whose inputs are between 0 and 1, and squared error for others"
    loss = either if recipe.loss == "auto" else recipe.loss.replace("_", " ")
    text = f"Autoencoders had {recipe.decoder} decoders and were trained on {loss}."
    amount = f"{recipe.corruption_amount:g}"
    noise = {
        "masking": f"a share of {amount} of the inputs was set to 0",
        "gaussian": f"Gaussian noise with a standard deviation of {amount} was added to the inputs",
    }
    return f"{text} For denoising, {noise[recipe.corruption]}." if is_denoising else text


def _machines(rbm: RbmSettings) -> str:
    return (
        f"RBMs were trained by CD-{rbm.gibbs_steps} at the learning rate {rbm.learning_rate:g} ({rbm.real_rate:g} with Gaussian or linear "
        f"units), with momentum {rbm.momentum:g} in the first {100 * rbm.early_share:g} % of the updates and {rbm.late_momentum:g} after that, "
        f"and a weight cost of {rbm.weight_cost:g}."
    )
