"""Section: how much does the learning rate matter?"""

from __future__ import annotations

from winit.report.context import PageContext
from winit.report.exhibits import Caption, Section
from winit.report.figures import trainability as figures
from winit.report.wording import PRETRAINED_SETTING


def learning_rate(context: PageContext) -> Section:
    """Show accuracy against the learning rate."""
    return Section(
        "learning-rate",
        "How much does the learning rate matter?",
        "An initialization that trains at one rate alone is a fragile one. Every initializer had the same rates to choose from.",
        context.gallery.each(
            PRETRAINED_SETTING,
            context.tables["tuning"],
            (),
            "learning-rate",
            "Validation accuracy against learning rate",
            figures.learning_rate,
            Caption(
                shows="Mean validation accuracy of the tuning runs at the end; the ring marks the chosen rate.",
                see="Wide plateaus are forgiving; a ring on the edge of the grid says that a better rate may lie outside.",
                basis="A diverged run counts as guessing.",
            ),
        ),
    )
