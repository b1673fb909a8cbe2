"""Section: how much does the learning rate matter?"""

from __future__ import annotations

from winit.report.context import PageContext
from winit.report.exhibits import Caption, Section
from winit.report.figures import trainability as figures


def learning_rate(context: PageContext) -> Section:
    """Show accuracy against the learning rate."""
    return Section(
        "learning-rate",
        "How much does the learning rate matter?",
        "An initialization that trains at one rate alone is a fragile one. Every initializer had the same rates to choose from.",
        context.each_setting(
            "learning-rate",
            "Validation accuracy against learning rate",
            lambda runs, summary: figures.learning_rate(summary),
            Caption(
                shows=f"Median validation accuracy at the end over {context.replicates}; the ring marks the chosen rate.",
                see="Wide plateaus are forgiving; a ring on the edge of the grid says that a better rate may lie outside.",
                basis="A diverged run counts as 0.",
            ),
        ),
    )
