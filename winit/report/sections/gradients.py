"""Section: does the gradient reach the first layer?"""

from __future__ import annotations

from winit.report.context import PageContext, deepest
from winit.report.exhibits import Caption, Section
from winit.report.figures import signals as figures


def gradients(context: PageContext) -> Section:
    """Show the variance of the gradients of untrained networks, layer by layer."""
    layers, theory, over = context.tables["layers"], context.tables["theory"], f"over {context.replicates}"
    return Section(
        "gradients",
        "Does the gradient reach the first layer?",
        "The same networks, from right to left: how much of the gradient is left in the first layer?",
        [
            *context.each_setting(
                "gradients",
                "Variance of the back-propagated gradient by layer at initialization",
                lambda runs, summary: figures.signal(layers, runs, "delta_variance", deepest(runs), theory),
                Caption(
                    shows=f"Variance of ∂ℓ/∂z, the gradient of one example's loss by a layer's pre-activations, geometric mean {over}.",
                    see="Compare with the previous section: the variance of the activations can stay level while the gradient vanishes "
                    "(sigmoid).",
                    basis="Layer 1 is the first hidden layer; the last layer is the output. Values below 10⁻²⁴ or above 10¹² are drawn at the "
                    "edge. Dotted lines: the theory of infinitely wide networks, starting from the measured value of the output layer.",
                ),
            ),
            *context.each_setting(
                "weight-gradients",
                "Variance of the weights' gradient by layer at initialization",
                lambda runs, summary: figures.signal(layers, runs, "gradient_variance", deepest(runs)),
                Caption(
                    shows=f"Variance of ∂L/∂W over the weights of a layer, L being the mean loss of the probe batch; geometric mean {over}.",
                    see="This is the gradient that updates the weights. It is a product of activations and back-propagated gradients, so it "
                    "can stay level while both change (Glorot & Bengio 2010).",
                    basis="Values below 10⁻²⁴ or above 10¹² are drawn at the edge.",
                ),
            ),
        ],
    )
