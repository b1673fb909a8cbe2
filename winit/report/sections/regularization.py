"""Section: do batch normalization and dropout change the picture?"""

from __future__ import annotations

from functools import partial

from winit.analysis.select import CELL, at_chosen_rate
from winit.report.context import PageContext
from winit.report.exhibits import Caption, Exhibit, Omission, Section
from winit.report.figures import regularization as figures


def regularization(context: PageContext) -> Section:
    """Compare networks with batch normalization or dropout to the same networks without."""
    exhibits = [*_normalization(context), *_dropout(context)]
    title = "Do batch normalization and dropout change the picture?"
    return Section(
        "regularization",
        title,
        "Arms of the extra grids with batch normalization or dropout, each compared with the same arm without.",
        exhibits or [Omission(title, "no network has batch normalization or dropout")],
    )


def _normalization(context: PageContext) -> list[Exhibit | Omission]:
    """Return a figure for each depth of normalized networks."""
    chosen = at_chosen_rate(context.tables["judged_runs"], context.tables["all_summary"])
    chosen = chosen[(chosen["pretraining"] == "none") & (chosen["dropout"] == 0)]
    twins = [*(factor for factor in CELL if factor != "batch_norm"), "initializer"]
    both = chosen[chosen.groupby(twins)["batch_norm"].transform("nunique") == 2]
    return [
        context.gallery.exhibit(
            f"regularization-norm-{depth}",
            f"With and without batch normalization, {depth} layers",
            partial(figures.normalization, both[both["depth"] == depth]),
            Caption(
                shows="Test accuracy of every judged run at its arm's rate, at the end of the full budget. Filled marks: with batch "
                "normalization; hollow marks: without.",
                see="If the filled marks line up in one column, initialization matters less with batch normalization.",
                basis="Batch normalization is applied between weights and activation. The weights are initialized in the same way.",
            ),
        )
        for depth in sorted(chosen.loc[chosen["batch_norm"], "depth"].unique())
    ]


def _dropout(context: PageContext) -> list[Exhibit | Omission]:
    """Return the figure of symmetry with and without dropout, if any network has dropout."""
    runs = context.tables["judged_runs"]
    dropped = runs[runs["dropout"] > 0]
    if dropped.empty:
        return []
    twins = runs.merge(dropped[["dataset", "activation", "depth", "initializer"]].drop_duplicates())
    return [
        context.gallery.exhibit(
            "regularization-dropout",
            "Can dropout break the symmetry?",
            lambda: figures.dropout_symmetry(context.tables["all_layers"], twins),
            Caption(
                shows="Distinct units of the hidden layers as a share of all, over the steps, with and without dropout; mean over runs and "
                "layers.",
                see="Where a line rises from the bottom, the symmetry is broken: units that were dropped at different steps are no longer "
                "identical.",
                basis="Units are compared bit by bit, in float32.",
            ),
        )
    ]
