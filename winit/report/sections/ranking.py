"""Section: how does the field compare?"""

from __future__ import annotations

from winit import schemes
from winit.analysis.select import of_budget
from winit.report.context import PageContext
from winit.report.exhibits import Caption, Exhibit, Omission, Section
from winit.report.figures import ranking as figures
from winit.report.wording import count


def ranking(context: PageContext) -> Section:
    """Compare the initializers over all cells of the main grid."""
    baseline = schemes.label(context.study.analysis.baseline)
    tables = {name: of_budget(context.tables[name]) for name in ("ranking", "profiles", "arrivals")}
    _, after = context.at_budget("", context.budgets[0])
    exhibits = [
        *(_field(context, budget, baseline) for budget in context.budgets),
        context.gallery.exhibit(
            "ranking-speed",
            f"Who arrives, and how fast, within {count(context.budgets[0], 'update')}",
            lambda: figures.speed(tables["profiles"], tables["arrivals"], "tuned"),
            Caption(
                shows="Left: the share of cells in which an initializer's median steps to the target are at most τ times the fewest of "
                "any. Right: the share of runs that have arrived by each step (Kaplan and Meier).",
                see="High on the left edge: often the fastest. High on the right edge: arrives nearly everywhere, if late.",
                basis="A run that is not at the target at the end of the full budget takes infinitely many steps on the left and is "
                "censored at the budget on the right. The profile depends on who else is in the study.",
            ),
        ),
        context.gallery.exhibit(
            "ranking-tuning",
            f"What tuning is worth {after}",
            lambda: figures.tuning_gain(tables["ranking"]),
            Caption(
                shows="Share of runs at the target when all train at one rate, against that when each has its own.",
                see="Far above the line: an initializer that needs its own rate. On the line: one that does not care.",
                basis="The fixed rate is declared in analysis.fixed_rate; the same grid of rates for all.",
            ),
        ),
    ]
    return Section(
        "ranking",
        "How does the field compare?",
        f"All initializers over all cells of the main grid, against the declared baseline, {baseline}; {context.at_rate}.",
        exhibits,
    )


def _field(context: PageContext, budget: int, baseline: str) -> Exhibit | Omission:
    """Return the figure of the field at a budget."""
    name, after = context.at_budget("ranking", budget)
    return context.gallery.exhibit(
        name,
        f"The field over all cells {after}",
        lambda: figures.intervals(of_budget(context.tables["ranking"], budget), "tuned"),
        Caption(
            shows="Share of runs at the target and mean score of all runs, with 95 % intervals, and the difference in that share to "
            f"{baseline}, with intervals that hold together for all initializers.",
            see="Sorted by success. The small bars are the mean of the worst tenth of scores: an initializer can be good in the "
            "middle and fail at the edge. On the dashed line it trains as often as the baseline.",
            basis="Initializers tried in every cell of the main grid. A score is scaled from guessing, 0, to 1; a diverged run counts "
            "as guessing. The cells are fixed and the same for all; intervals contain the noise of the choice of rate.",
        ),
    )
