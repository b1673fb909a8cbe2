"""Section: do two inputs stay distinguishable?"""

from __future__ import annotations

from winit.report.context import PageContext, deepest
from winit.report.exhibits import Caption, Section
from winit.report.figures import signals as figures


def angles(context: PageContext) -> Section:
    """Show the correlation of two inputs in untrained networks, layer by layer."""
    layers, theory = context.tables["layers"], context.tables["theory"]
    return Section(
        "angles",
        "Do two inputs stay distinguishable?",
        "A network can distinguish two examples only as long as their signals differ. At a correlation of 1 they point in the same direction.",
        context.each_setting(
            "angles",
            "Correlation of two inputs by layer at initialization",
            lambda runs, summary: figures.correlation(layers, runs, deepest(runs), theory),
            Caption(
                shows="Mean cosine of the pre-activations of two different examples, over "
                f"{context.probe_examples // 2} pairs and all replicates.",
                see="A line that rises to 1 loses the differences between inputs; a line that falls amplifies small differences.",
                basis="The cosine is not centred: it is c of the correlation map (Poole et al. 2016). Dotted lines: the map, "
                "starting from the mean cosine of the inputs.",
            ),
        ),
    )
