"""Section: where does training work?"""

from __future__ import annotations

from winit.analysis.select import of_budget
from winit.report.context import PageContext
from winit.report.exhibits import Caption, Exhibit, Omission, Section
from winit.report.figures import trainability as figures
from winit.report.wording import PRETRAINED_SETTING


def trainability(context: PageContext) -> Section:
    """Show which initializers train at which depths, at every budget."""
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
            shows=f"Mean test accuracy over {context.replicates}, in per cent. ✓: every run is at the target at the end of the budget; "
            "(2/5): two of five runs are; no mark: no run is.",
            see="Where a row turns dark, networks of that depth no longer train from that initialization.",
            basis="Runs that diverged or are stuck are scored as random guessing, and no score is below that. No choice was made on test data. "
            "“How runs ended” explains missing rows.",
        ),
    )
