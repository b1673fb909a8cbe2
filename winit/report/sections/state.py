"""Section: how sensitive are untrained networks, and how large are updates?"""

from __future__ import annotations

from winit.report.context import PageContext, deepest
from winit.report.exhibits import Caption, Section
from winit.report.figures import state as figures


def state(context: PageContext) -> Section:
    """Show Jacobians, the spread of lengths from draw to draw, and the size of updates."""
    tables, over = context.tables, f"over {context.replicates}"
    return Section(
        "state",
        "How sensitive are untrained networks, and how large are updates?",
        "Three more measurements of the same networks: how strongly outputs depend on inputs, how much networks vary from draw to draw, "
        "and how large the updates are.",
        [
            *context.each_setting(
                "jacobians",
                "Singular values of the Jacobian at initialization",
                lambda runs, summary: figures.jacobians(tables["jacobians"], runs),
                Caption(
                    shows=f"Median and quartiles of the singular values of ∂logits/∂inputs over 8 training examples, median {over}; log "
                    "scale.",
                    see="On the dashed line, small changes of an input keep their size. With long bars, some directions explode while others "
                    "vanish.",
                    basis="Networks with batch normalization are left out: an example's output depends on its batch. Values below 10⁻²⁴ or "
                    "above 10¹² are drawn at the edge.",
                ),
            ),
            *context.each_setting(
                "spread",
                "How much lengths vary from draw to draw",
                lambda runs, summary: figures.length_spread(summary),
                Caption(
                    shows=f"Standard deviation {over} of log mean z² in the last hidden layer, before training.",
                    see="Where a line rises with depth, networks of one initialization differ more and more from each other, and the mean "
                    "of the theory no longer describes a typical network.",
                    basis="This is the second failure mode of Hanin & Rolnick 2018. Bounded activations do not show it.",
                ),
            ),
            *context.each_setting(
                "updates",
                "Size of updates relative to weights",
                lambda runs, summary: figures.update_ratio(tables["layers"], runs, summary, deepest(runs)),
                Caption(
                    shows=f"‖ΔW‖/‖W‖ of the next update, median over hidden layers and {context.replicates}, in the deepest networks, "
                    f"{context.at_rate}.",
                    see="Far below the dashed line (10⁻³, a rule of thumb) weights hardly change; far above it they are overwritten.",
                    basis="Ratios of 0 and infinite ratios (zero weights with a nonzero update) are drawn at the edges.",
                ),
            ),
        ],
    )
