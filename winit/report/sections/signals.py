"""Section: does the signal arrive?"""

from __future__ import annotations

from winit.report.context import PageContext, deepest
from winit.report.exhibits import Caption, Section
from winit.report.figures import signals as figures


def signals(context: PageContext) -> Section:
    """Show the variance of the activations of untrained networks, layer by layer."""
    layers, theory = context.tables["layers"], context.tables["theory"]
    return Section(
        "signals",
        "Does the signal arrive?",
        "Before any training: the variance of the activations, layer by layer, in the deepest networks of the grid.",
        context.each_setting(
            "signals",
            "Variance of activations by layer at initialization",
            lambda runs, summary: figures.signal(layers, runs, "h_variance", deepest(runs), theory),
            Caption(
                shows=f"Variance of h over {context.probe_examples} training examples and all units of a layer, geometric mean over "
                f"{context.replicates}; log scale.",
                see="A straight falling line is a signal that shrinks by the same factor in every layer (vanishing); a level one is "
                "kept; tanh and sigmoid bound the variance from above, so large weights show there as saturation instead (below).",
                basis="Values outside 10⁻²⁴ to 10¹² are drawn at that edge; so are exact zeros. Dotted: what the theory of infinitely "
                "wide networks expects; shaded: within this, a mean over networks of this width and number agrees with it.",
            ),
        ),
    )
