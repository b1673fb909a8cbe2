"""Section: how do the initializers compare?"""

from __future__ import annotations

from winit import schemes
from winit.analysis.select import of_budget
from winit.report.context import PageContext
from winit.report.exhibits import Caption, Exhibit, Omission, Section
from winit.report.figures import ranking as figures
from winit.vocabulary.words import count


def ranking(context: PageContext) -> Section:
    """Compare the initializers over all cells of the main grid."""
    baseline = schemes.label(context.study.analysis.baseline)
    tables = {name: of_budget(context.tables[name]) for name in ("ranking", "profiles", "arrivals")}
    _, after = context.at_budget("", context.budgets[0])
    exhibits = [
        *(_field(context, budget, baseline) for budget in context.budgets),
        context.gallery.exhibit(
            "ranking-speed",
            f"How many runs reach the target, and how fast, within {count(context.budgets[0], 'update')}",
            lambda: figures.speed(tables["profiles"], tables["arrivals"], "tuned"),
            Caption(
                shows="Left: performance profile, the share of cells in which an initializer's median steps to the target are at most τ times "
                "the fewest of any initializer. Right: the share of runs at the target by each step (Kaplan-Meier).",
                see="A curve that starts high on the left is often the fastest; a curve that ends high reaches the target in most cells.",
                basis="A run that is not at the target at the end of the full budget counts as infinitely many steps on the left and is "
                "censored on the right. The profile depends on which initializers are in the study.",
            ),
        ),
        context.gallery.exhibit(
            "ranking-tuning",
            f"What tuning is worth {after}",
            lambda: figures.tuning_gain(tables["ranking"]),
            Caption(
                shows="Share of runs at the target with a tuned learning rate (vertical) against one fixed rate for all (horizontal).",
                see="An initializer far above the line needs tuning; one on the line does not.",
                basis="The fixed rate is the setting analysis.fixed_rate. All initializers were tuned on the same grid of rates.",
            ),
        ),
    ]
    return Section(
        "ranking",
        "How do the initializers compare?",
        f"All initializers over all cells of the main grid, against the declared baseline, {baseline}; {context.at_rate}.",
        exhibits,
    )


def _field(context: PageContext, budget: int, baseline: str) -> Exhibit | Omission:
    """Return the figure of all initializers at a budget."""
    name, after = context.at_budget("ranking", budget)
    return context.gallery.exhibit(
        name,
        f"All initializers over all cells {after}",
        lambda: figures.intervals(of_budget(context.tables["ranking"], budget), "tuned"),
        Caption(
            shows="Share of runs at the target and mean score of all runs, with 95 % intervals, and the difference in that share to "
            f"{baseline}, with simultaneous intervals.",
            see="Sorted by success. Small bars are the mean of the worst tenth of the scores. An initializer on the dashed line trains as "
            "often as the baseline.",
            basis="Only initializers that were tried in every cell of the main grid. Scores are scaled from 0 (random guessing) to 1; a diverged "
            "run is scored as random guessing. The intervals include the uncertainty from choosing the learning rate.",
        ),
    )
