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
        "Large weights push tanh and sigmoid units into their tails, where the slope is nearly zero. A ReLU unit can be zero for every "
        "example.",
        context.each_setting(
            "saturation",
            "Saturated and dead share by layer at initialization",
            lambda runs, summary: figures.saturation(layers, runs, deepest(runs)),
            Caption(
                shows="Share of units and probe examples with a slope below 5 % of the largest slope; for ReLU, the share of units with "
                f"zero slope on every probe example. Mean over {context.replicates}.",
                see="Where a line is high, most units of the layer pass on hardly any gradient. Such a network may still train: see the map "
                "in “Where does training work?”.",
                basis="Activations that neither saturate nor die stay at 0.",
            ),
        ),
    )
