"""Section: is the symmetry broken?"""

from __future__ import annotations

from winit.report.context import PageContext, shallowest
from winit.report.exhibits import Caption, Section
from winit.report.figures import trainability as figures


def symmetry(context: PageContext) -> Section:
    """Show how many units of a layer differ from one another."""
    layers = context.tables["layers"]
    return Section(
        "symmetry",
        "Is the symmetry broken?",
        "Two units that start with the same weights get the same gradient and stay the same unit, for ever.",
        context.each_setting(
            "symmetry",
            "Distinct units over the steps",
            lambda runs, summary: figures.symmetry(layers, runs, shallowest(runs)),
            Caption(
                shows="Units of the hidden layers that differ from one another, bit for bit, in their incoming weights or bias, as a "
                "share of the layer's units, in the shallowest networks. Mean over all hidden layers, learning rates and "
                f"{context.replicates}.",
                see="Zero and constant weights start with one distinct unit a layer. A line that stays at the bottom is a wide network "
                "that works as if it had one unit a layer; any random weights start at the top.",
                basis="Equality is exact, in float32.",
            ),
        ),
    )
