"""Section: where in the phase diagram does training work?"""

from __future__ import annotations

from winit.report.context import PageContext
from winit.report.exhibits import Caption, Section
from winit.report.figures.phase import phase_diagram
from winit.report.wording import PRETRAINED_SETTING


def phase(context: PageContext) -> Section:
    """Show trainability over the plane of the variances of weights and biases."""
    tables = context.tables
    return Section(
        "phase",
        "Where in the phase diagram does training work?",
        "Every point is a variance of the weights and one of the biases. Left of the solid line signals from different inputs flow "
        "together (order), right of it neighbours are torn apart (chaos); on it, depth costs nothing.",
        context.gallery.each(
            PRETRAINED_SETTING,
            tables["runs"],
            (tables["summary"],),
            "phase",
            "Test accuracy over (σ_w², σ_b²)",
            lambda runs, summary: phase_diagram(summary, tables["phase"], tables["depth_limits"]),
            Caption(
                shows=f"Median test accuracy over {context.replicates} at each point's chosen rate. Solid line: χ₁ = 1, critical in wide "
                "networks. Dashed: where the theory's limit of 6 ξ_c layers equals the panel's depth; dotted: other limits, in "
                "layers. ξ_c is the depth over which the correlation of two inputs approaches its fixed point c* by a factor of e: "
                "−1/log of the correlation map's slope there.",
                see="If the theory holds, the bright region follows the solid line and narrows with depth to what lies between the dashed "
                "ones. Markers show where named initializers lie.",
                basis="Schoenholz et al. 2017, figure 5, on other data and at a smaller width. In the ordered phase ξ_c is the gradients' scale "
                "ξ_∇ = 1/|log χ₁|; in the chaotic one the two differ. Where lengths have no scale (ReLU without biases) or grow without "
                "bound, no limit is drawn. Biases beyond the named schemes' 0 exist on "
                "the diagram alone.",
            ),
        ),
    )
