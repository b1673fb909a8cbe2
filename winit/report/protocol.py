"""The protocol of a study in words, from its settings: how rates were chosen, when outcomes are read, what each grid adds."""

from __future__ import annotations

from typing import Any

from winit.report.wording import count, label, listed
from winit.study.model import Study
from winit.vocabulary.factors import OPTIMIZERS


def budgets(study: Study) -> str:
    """Return the budgets: '500 and 1,500 updates'."""
    return f"{listed([f'{budget:,}' for budget in study.budgets[:-1]] + [count(study.budgets[-1], 'update')])}"


def at_rate(study: Study) -> str:
    """Return at which rate the arms of the main grid are compared, as the end of a sentence."""
    grid = study.grid
    if len(grid.learning_rate) == 1:
        return f"at the study's one learning rate, {grid.learning_rate[0]:g}"
    if grid.tuning_replicates:
        return f"each arm at the rate chosen for it on {count(grid.tuning_replicates, 'tuning replicate')}"
    return "each arm at the rate that its own judged runs favour on validation"


def choice(study: Study) -> str:
    """Return how the learning rates of the main grid were chosen, and what cannot be said for that reason."""
    grid = study.grid
    judged = count(grid.replicates, "replicate")
    if len(grid.learning_rate) == 1:
        return (
            f"Every arm of the main grid has one learning rate, {grid.learning_rate[0]:g}, and {judged}. None was chosen, so the study "
            "cannot say what another rate would do."
        )
    rule = "the highest mean validation score, where a diverged run and every score below guessing count as guessing; of equals, the smaller rate"
    if not grid.tuning_replicates:
        return (
            f"Every arm was trained at every rate of the grid, on {judged}. Its rate is the one with {rule}. The same runs "
            "are judged, so the study cannot say how much its results owe to the choice."
        )
    extension = (
        f"While the best rate lay on the edge, tuning extended the grid by its own ratio, by at most {count(grid.extensions, 'rate')} at each end."
        if grid.extensions
        else "Tuning did not extend the grid beyond its edges."
    )
    factors = (
        " Pretraining's own learning rates were tuned before that, in the same way: all of them times "
        f"{listed([f'{factor:g}' for factor in grid.pretraining_rate])}."
        if len(grid.pretraining_rate) > 1
        else ""
    )
    others = sorted({extra.replicates for extra in study.resolved.grids.values()} - {grid.replicates})
    elsewhere = f" ({listed([str(number) for number in others])} in extra grids)" if others else ""
    return (
        f"Every arm was first trained at every rate of the grid on {count(grid.tuning_replicates, 'tuning replicate')}. For each budget, its "
        f"rate is the one with {rule}. {extension}{factors} Then {judged} of its own{elsewhere} {'was' if grid.replicates == 1 else 'were'} "
        f"judged, at the chosen rates and at the rate nearest to {study.analysis.fixed_rate:g}, at which nobody tunes."
    )


def reading(study: Study) -> str:
    """Return at which budgets outcomes are read, and what one budget cannot tell."""
    text = f"Outcomes are read on test data at the end of {budgets(study)}. "
    if len(study.budgets) == 1:
        return text + "With one budget the study cannot tell what is slower from what does not train."
    return text + "One run at a constant rate is read at every budget; the rate is chosen for each."


def _levels(factor: str, levels: list[Any]) -> str:
    """Return a factor's levels as a reader sees them."""
    if factor == "batch_norm":
        return listed(["with batch normalization" if level else "without batch normalization" for level in levels])
    return f"{factor.replace('_', ' ')} {listed([_level(factor, level) for level in levels])}"


def _level(factor: str, level: object) -> str:
    """Return a level as a reader sees it."""
    if factor == "optimizer":
        return OPTIMIZERS[str(level)]
    if factor == "pretraining":  # the labels have commas
        return str(level)
    return f"{level:g}" if isinstance(level, float) else label(factor, level)


_TOLD_ELSEWHERE = ("extensions", "replicates", "tuning_replicates")


def extra_grids(study: Study) -> list[tuple[str, str, str]]:
    """Return the name of each extra grid, its question ("" if none is given), and its levels that the main one lacks."""
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
