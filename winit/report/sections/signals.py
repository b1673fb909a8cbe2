"""Section: does the signal reach the last layer?"""

from __future__ import annotations

from winit.report.context import PageContext, deepest
from winit.report.exhibits import Caption, Section
from winit.report.figures import signals as figures


def signals(context: PageContext) -> Section:
    """Show the variance of the activations of untrained networks, layer by layer."""
    layers, theory = context.tables["layers"], context.tables["theory"]
    return Section(
        "signals",
        "Does the signal reach the last layer?",
        "Before any training: the variance of the activations, layer by layer, in the deepest networks of the grid.",
        context.each_setting(
            "signals",
            "Variance of activations by layer at initialization",
            lambda runs, summary: figures.signal(layers, runs, "h_variance", deepest(runs), theory),
            Caption(
                shows=f"Variance of h over {context.probe_examples} training examples and all units of a layer, geometric mean over "
                f"{context.replicates}; log scale.",
                see="A straight falling line is a signal that shrinks by the same factor in every layer; a level line is a signal that is "
                "preserved.",
                basis="Values below 10⁻²⁴ (zeros included) or above 10¹² are drawn at the edge. Dotted lines: the theory of infinitely wide "
                "networks; shaded: the range in which a mean over this many networks of this width agrees with it.",
            ),
        ),
    )
