"""Section: who wins overall?"""

from __future__ import annotations

from winit import schemes
from winit.report.context import PageContext
from winit.report.exhibits import Caption, Section
from winit.report.figures import ranking as figures


def ranking(context: PageContext) -> Section:
    """Compare the initializers over all cells of the main grid."""
    tables, baseline = context.tables, schemes.label(context.study.analysis.baseline)
    exhibits = [
        context.gallery.exhibit(
            "ranking",
            "The field over all cells",
            lambda: figures.intervals(tables["ranking"], "tuned"),
            Caption(
                shows="Share of runs at the target and mean score of all runs, with 95 % intervals, and the difference in that share to "
                f"{baseline}, with intervals that hold together for all initializers.",
                see="Sorted by success. The small bars are the mean of the worst tenth of scores: an initializer can be good in the "
                "middle and fail at the edge. On the dashed line it trains as often as the baseline.",
                basis="Initializers tried in every cell of the main grid, each at the rate chosen for it on the tuning replicates; a "
                "diverged run scores 0. Intervals speak of these cells, and contain the noise of the choice of rate.",
            ),
        ),
        context.gallery.exhibit(
            "ranking-speed",
            "Who arrives, and how fast",
            lambda: figures.speed(tables["profiles"], tables["arrivals"], "tuned"),
            Caption(
                shows="Left: the share of cells in which an initializer's median steps to the target are at most τ times the fewest of "
                "any. Right: the share of runs that have arrived by each step (Kaplan and Meier).",
                see="High on the left edge: often the fastest. High on the right edge: arrives nearly everywhere, if late.",
                basis="A run that never arrives, or diverges, takes infinitely many steps on the left and is censored at the budget on "
                "the right. The profile depends on who else is in the study.",
            ),
        ),
        context.gallery.exhibit(
            "ranking-tuning",
            "What tuning is worth",
            lambda: figures.tuning_gain(tables["ranking"]),
            Caption(
                shows="Share of runs at the target when all train at one rate, against that when each has its own.",
                see="Far above the line: an initializer that needs its own rate. On the line: one that does not care.",
                basis="The fixed rate is declared in analysis.fixed_rate; equal budgets of tuning for all.",
            ),
        ),
    ]
    return Section(
        "ranking",
        "Who wins overall?",
        f"All initializers over all cells of the main grid, against the declared baseline, {baseline}.",
        exhibits,
    )
