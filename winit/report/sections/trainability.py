"""Section: where does training work?"""

from __future__ import annotations

from winit.report.context import PageContext
from winit.report.exhibits import Caption, Section
from winit.report.figures import trainability as figures


def trainability(context: PageContext) -> Section:
    """Show which initializers train at which depths."""
    return Section(
        "trainability",
        "Where does training work?",
        "Each cell is one initializer at one depth, at the learning rate that served it best on validation.",
        context.each_setting(
            "trainability",
            "Test accuracy by initializer and depth",
            lambda runs, summary: figures.trainability(summary, context.tables["not_applicable"]),
            Caption(
                shows=f"Median test accuracy in per cent over {context.replicates}, at the learning rate with the best median "
                "validation accuracy.",
                see="✓: every replicate reached the target on validation; (2/5): two of five did; no mark: none did. "
                "Read along a row: where it turns dark, that initialization has run out of depth.",
                basis="A diverged run counts as 0. Rates are chosen on validation, and ✓ is read there too; accuracy is reported on "
                "test, with the same replicates.",
            ),
        ),
    )
