"""Section: does the gradient return?"""

from __future__ import annotations

from winit.report.context import PageContext, deepest
from winit.report.exhibits import Caption, Section
from winit.report.figures import signals as figures


def gradients(context: PageContext) -> Section:
    """Show the variance of the gradients of untrained networks, layer by layer."""
    layers, theory, over = context.tables["layers"], context.tables["theory"], f"over {context.replicates}"
    return Section(
        "gradients",
        "Does the gradient return?",
        "The same networks, read from right to left: what is left of the error when it reaches the first layer?",
        [
            *context.each_setting(
                "gradients",
                "Variance of the back-propagated gradient by layer at initialization",
                lambda runs, summary: figures.signal(layers, runs, "delta_variance", deepest(runs), theory),
                Caption(
                    shows=f"Variance of ∂ℓ/∂z, the gradient of one example's loss by a layer's pre-activations, geometric mean {over}.",
                    see="A signal can keep its variance on the way up and the gradient still vanish on the way down: compare sigmoid "
                    "here and above.",
                    basis="Layer 1 is next to the inputs, the last layer is the output. Edges as above. Dotted: the theory of infinitely "
                    "wide networks, begun at the output layer's measured value.",
                ),
            ),
            *context.each_setting(
                "weight-gradients",
                "Variance of the weights' gradient by layer at initialization",
                lambda runs, summary: figures.signal(layers, runs, "gradient_variance", deepest(runs)),
                Caption(
                    shows=f"Variance of ∂L/∂W over the weights of a layer, L being the mean loss of the probe batch; geometric mean {over}.",
                    see="This is what moves the weights. It mixes the signal from below with the gradient from above, so it can look "
                    "level while both change (Glorot & Bengio 2010).",
                    basis="Edges as above.",
                ),
            ),
        ],
    )
