"""Section: do units saturate or die?"""

from __future__ import annotations

from winit.report.context import PageContext, deepest
from winit.report.exhibits import Caption, Section
from winit.report.figures import signals as figures


def saturation(context: PageContext) -> Section:
    """Show the saturated or dead share of untrained networks, layer by layer."""
    layers = context.tables["layers"]
    return Section(
        "saturation",
        "Do units saturate or die?",
        "Large weights push tanh and sigmoid into their tails, where the slope is nearly zero; a ReLU unit can be off for every example.",
        context.each_setting(
            "saturation",
            "Saturated and dead share by layer at initialization",
            lambda runs, summary: figures.saturation(layers, runs, deepest(runs)),
            Caption(
                shows="Share of units and probe examples with a slope below 5 % of the largest; for ReLU the share of units with "
                f"zero slope on every probe example. Mean over {context.replicates}.",
                see="A high line is a layer in which most units pass hardly any gradient. Whether such a network trains all the same is "
                "a question for the map above, not for this figure.",
                basis="Activations that neither saturate nor die stay at 0.",
            ),
        ),
    )
