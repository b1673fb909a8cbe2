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
                shows="Share of runs that reached the target (Wilson's interval), interquartile mean score (replicates drawn anew "
                f"within cells), and the probability of a better score than {baseline} in a cell at random (cells drawn anew, then "
                "replicates); 95 % intervals.",
                see="Sorted by success. The small bars are the mean of the worst tenth of scores: an initializer can be good in the "
                "middle and fail at the edge. On the dashed line it is no better and no worse than the baseline.",
                basis="Main grid, each initializer at the rate chosen for it on the tuning replicates; diverged runs score 0. Cells "
                "in which nobody learns are left out of the scores, not of the success rate.",
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
