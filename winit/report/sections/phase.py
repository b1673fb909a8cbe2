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
        "Each point is a pair of weight and bias variances. Left of the solid line, different inputs converge to the same signal (ordered "
        "phase); right of it, nearby inputs diverge (chaotic phase).",
        context.gallery.each(
            PRETRAINED_SETTING,
            tables["runs"],
            (tables["summary"],),
            "phase",
            "Test accuracy over (σ_w², σ_b²)",
            lambda runs, summary: phase_diagram(summary, tables["phase"], tables["depth_limits"]),
            Caption(
                shows=f"Median test accuracy over {context.replicates} at each point's chosen rate. Solid line: χ₁ = 1, the critical line. "
                "Dashed lines: the theory's depth limit, 6 ξ_c, equals the panel's depth; dotted lines: other depth limits, in layers.",
                see="If the theory holds, the bright region follows the solid line and, with depth, shrinks to the area between the dashed "
                "lines. Markers are named initializers.",
                basis="After figure 5 of Schoenholz et al. 2017, with other data and a smaller width. ξ_c = −1/log of the correlation map's "
                "slope at its fixed point c*. No limit is drawn where the mean square of z has no fixed scale (ReLU without biases) or grows "
                "without bound.",
            ),
        ),
    )
