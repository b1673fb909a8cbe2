"""Section: how are the values distributed?"""

from __future__ import annotations

from winit.report.context import PageContext, deepest
from winit.report.exhibits import Caption, Exhibit, Omission, Section
from winit.report.figures import signals as figures


def histograms(context: PageContext) -> Section:
    """Show histograms of activations and gradients of untrained networks, layer by layer."""
    return Section(
        "histograms",
        "How are the values distributed?",
        "The deepest networks before training, layer by layer. Brighter means more frequent.",
        [
            *_histograms(context, "h_count", "histograms-activations", "activations"),
            *_histograms(context, "delta_count", "histograms-gradients", "gradients ∂ℓ/∂z"),
        ],
    )


def _histograms(context: PageContext, column: str, name: str, quantity: str) -> list[Exhibit | Omission]:
    """Return the histograms of one quantity, a figure for each setting."""
    table = context.tables["histograms"]
    return context.each_setting(
        name,
        f"Distribution of {quantity} by layer at initialization",
        lambda runs, summary: figures.histograms(table, runs, column, deepest(runs)),
        Caption(
            shows=f"Counts of {quantity} over units and {context.probe_examples} examples, all of {context.replicates} together.",
            see="Two separate bright columns are saturated units. One bright column at 0 with faint tails is a layer in which few units are "
            "active.",
            basis="Values are divided by the layer's root mean square, so shapes can be compared even where the values vanish.",
        ),
    )
