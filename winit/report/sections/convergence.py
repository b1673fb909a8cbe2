"""Section: how fast does it train?"""

from __future__ import annotations

from winit.report.context import PageContext
from winit.report.exhibits import Caption, Section
from winit.report.figures import trainability as figures


def convergence(context: PageContext) -> Section:
    """Show accuracy and loss against the step."""
    curves, over = context.tables["curves"], f"over {context.replicates}"
    several = len(context.budgets) > 1 and len(context.study.grid.learning_rate) > 1
    rates = (
        " Learning rates are those chosen for the full budget; a shorter budget may have another rate."
        if several
        else ""
    )
    runs = context.tables["runs"]
    is_large = runs["activation"].nunique() * runs["depth"].nunique() > figures.MANY_PANELS
    thinned = (
        f" With more than {figures.MANY_PANELS} panels, only {figures.FEWER_STEPS} steps are drawn; the CSV has all."
    )
    steps = thinned if is_large else ""
    single = "; thin lines are single runs" if figures.has_thin_lines(runs) else ""
    return Section(
        "convergence",
        "How fast does it train?",
        "The same runs, step by step. A network whose accuracy stays at that of random guessing has not started to learn.",
        [
            *context.each_setting(
                "convergence",
                "Test accuracy against step",
                lambda runs, summary: figures.convergence(curves, runs, summary, "test_score"),
                Caption(
                    shows=f"Median test accuracy {over}, {context.at_rate}{single}.",
                    see="The further left a line rises, the fewer updates that initialization needs. Rows are depths: fewer "
                    "initializers train in the lower rows.",
                    basis="Evaluated at log-spaced steps; step 0 is the untrained network. A run that diverges is scored as random guessing "
                    "from then on." + rates + steps,
                ),
            ),
            *context.each_setting(
                "loss",
                "Training loss against step",
                lambda runs, summary: figures.convergence(curves, runs, summary, "train_loss", has_single_runs=False),
                Caption(
                    shows=f"Median cross-entropy in nats on a fixed sample of training examples {over}, {context.at_rate}.",
                    see="A flat line at log(number of classes) is a network that has learned only the class frequencies.",
                    basis="Losses above 30 nats are outside the panel. The loss of a run that diverges counts as infinite from then on."
                    + steps,
                ),
            ),
        ],
    )
