"""Section: how much does the learning rate matter?"""

from __future__ import annotations

from winit.report.context import PageContext
from winit.report.exhibits import Caption, Section
from winit.report.figures import trainability as figures
from winit.report.wording import PRETRAINED_SETTING
from winit.vocabulary.words import count


def learning_rate(context: PageContext) -> Section:
    """Show accuracy against the learning rate."""
    grid = context.study.grid
    replicates = (
        count(grid.tuning_replicates, "tuning replicate")
        if grid.tuning_replicates
        else f"{context.replicates}, the judged ones: none was kept for tuning"
    )
    _, after = context.at_budget("", context.budgets[0])
    return Section(
        "learning-rate",
        "How much does the learning rate matter?",
        "An initialization that trains at only one learning rate is fragile. All initializers were tried on the same grid of rates.",
        context.gallery.each(
            PRETRAINED_SETTING,
            context.tables["tuning"],
            (),
            "learning-rate",
            f"Validation accuracy against learning rate {after}",
            figures.learning_rate,
            Caption(
                shows=f"Mean validation accuracy over {replicates}. Ring: the chosen rate; square: a chosen rate at the edge of the grid; "
                "cross: a rate that tuning added to the grid.",
                see="A wide plateau means that the choice of rate matters little. Beyond a square there may be a better rate.",
                basis="Runs that diverged or are stuck are scored as random guessing, and no score is below that.",
            ),
        ),
    )
