"""Section: the tutorial's own experiment."""

from __future__ import annotations

from winit.report.context import PageContext
from winit.report.exhibits import Caption, Section
from winit.report.figures import signals as figures


def replay(context: PageContext) -> Section:
    """Show the tutorial's forward pass through five tanh layers."""
    return Section(
        "replay",
        "The tutorial's own experiment",
        "100 normal inputs through five tanh layers of 50 units: small weights, large weights, and the 1/n rule.",
        [
            context.gallery.exhibit(
                "replay",
                "Histograms of activations in five tanh layers",
                lambda: figures.replay(context.tables["replay"]),
                Caption(
                    shows="Distribution of the activations of each layer over 400 draws of inputs and weights.",
                    see="σ = 0.01: the activations collapse onto 0, layer by layer. σ = 1: they pile up at ±1. σ = 1/√n: they stay spread "
                    "out, shrinking slowly.",
                    basis="“std” is the standard deviation over a layer's units, averaged over the draws.",
                ),
            )
        ],
    )
