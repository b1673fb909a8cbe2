"""Section: what do untrained networks do to their inputs, and updates to weights?"""

from __future__ import annotations

from winit.report.context import PageContext, deepest
from winit.report.exhibits import Caption, Section
from winit.report.figures import state as figures


def state(context: PageContext) -> Section:
    """Show Jacobians, the spread of lengths from draw to draw, and the size of updates."""
    tables, over = context.tables, f"over {context.replicates}"
    return Section(
        "state",
        "What do untrained networks do to their inputs, and updates to weights?",
        "Three more looks at the same networks: how strongly outputs depend on inputs, how much that varies from draw to draw, and how "
        "large the steps of training are.",
        [
            *context.each_setting(
                "jacobians",
                "Singular values of the Jacobian at initialization",
                lambda runs, summary: figures.jacobians(tables["jacobians"], runs),
                Caption(
                    shows=f"Median and quartiles of the singular values of ∂logits/∂inputs over 8 training examples, median {over}; log "
                    "scale.",
                    see="On the dashed line small changes of an input arrive as they are. Long bars: some directions explode while others "
                    "vanish.",
                    basis="Not for networks with batch normalization, in which no example has a Jacobian of its own. Edges as in the "
                    "section on signals.",
                ),
            ),
            *context.each_setting(
                "spread",
                "How much lengths vary from draw to draw",
                lambda runs, summary: figures.length_spread(summary),
                Caption(
                    shows=f"Standard deviation {over} of log mean z² in the last hidden layer, before training.",
                    see="A line that rises with depth is an initialization whose networks differ more and more from one another: the mean "
                    "of the theory is then no typical network.",
                    basis="The second failure of Hanin & Rolnick 2018. Bounded activations cannot fluctuate so.",
                ),
            ),
            *context.each_setting(
                "updates",
                "Size of updates relative to weights",
                lambda runs, summary: figures.update_ratio(tables["layers"], runs, summary, deepest(runs)),
                Caption(
                    shows=f"‖ΔW‖/‖W‖ of the next update, median over hidden layers and {context.replicates}, in the deepest networks, "
                    f"{context.at_rate}.",
                    see="Far below the dashed line (10⁻³, a rule of thumb) layers hardly move; far above it they are overwritten.",
                    basis="Zero weights that move have an infinite ratio, drawn at the upper edge; what does not move is at the lower one.",
                ),
            ),
        ],
    )
