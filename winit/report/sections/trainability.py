"""Section: where does training work?"""

from __future__ import annotations

from winit.analysis.select import of_budget
from winit.report.context import PageContext
from winit.report.exhibits import Caption, Exhibit, Omission, Section
from winit.report.figures import trainability as figures
from winit.report.wording import PRETRAINED_SETTING


def trainability(context: PageContext) -> Section:
    """Show which initializers train at which depths, at every budget: the shorter ones beside the full one."""
    by_budget = [_maps(context, budget) for budget in context.budgets]
    return Section(
        "trainability",
        "Where does training work?",
        f"Each cell of a map is one initializer at one depth, {context.at_rate}.",
        [figure for of_setting in zip(*by_budget, strict=True) for figure in of_setting],
    )


def _maps(context: PageContext, budget: int) -> list[Exhibit | Omission]:
    """Return the maps of every setting at a budget."""
    name, after = context.at_budget("trainability", budget)
    runs, _ = context.named
    summary = of_budget(context.tables["summaries"], budget)
    return context.gallery.each(
        PRETRAINED_SETTING,
        runs,
        (summary[summary["initializer"].isin(runs["initializer"].unique())],),
        name,
        f"Test accuracy by initializer and depth {after}",
        lambda runs, summary: figures.trainability(summary, context.tables["not_applicable"]),
        Caption(
            shows=f"Mean test accuracy in per cent over {context.replicates}.",
            see="✓: every run is at the target at the end of the budget; (2/5): two of five are; no mark: none is. "
            "Read along a row: where it turns dark, that initialization has run out of depth. Why a "
            "row was not trained stands under “How runs ended”.",
            basis="A run that diverged or is stuck counts as guessing, and no score counts below it. Test data chose nothing.",
        ),
    )
