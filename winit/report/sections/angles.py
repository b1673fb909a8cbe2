"""Section: do two inputs stay apart?"""

from __future__ import annotations

from winit.report.context import PageContext, deepest
from winit.report.exhibits import Caption, Section
from winit.report.figures import signals as figures


def angles(context: PageContext) -> Section:
    """Show the correlation of two inputs in untrained networks, layer by layer."""
    layers, theory = context.tables["layers"], context.tables["theory"]
    return Section(
        "angles",
        "Do two inputs stay apart?",
        "A network can tell two examples apart only as long as their signals differ. At 1 they have become the same direction.",
        context.each_setting(
            "angles",
            "Correlation of two inputs by layer at initialization",
            lambda runs, summary: figures.correlation(layers, runs, deepest(runs), theory),
            Caption(
                shows="Mean cosine of the pre-activations of two different examples, over "
                f"{context.probe_examples // 2} pairs and all replicates.",
                see="Ordered networks pull inputs together until nothing is left to learn from; chaotic ones push neighbours apart. "
                "Biases and activations with a mean other than 0 pull, too (sigmoid, ReLU).",
                basis="Not centred: the quantity c of the correlation map (Poole et al. 2016). Dotted: the map, begun at the mean cosine "
                "of the inputs.",
            ),
        ),
    )
