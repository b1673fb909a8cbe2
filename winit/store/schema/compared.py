"""Tables that compare initializers: over all cells of the main grid, and within each cell."""

from __future__ import annotations

from winit.store.schema.column import BOOL, FLOAT, INT, OPTIONAL_INT, STR, Column, Table, some, table
from winit.store.schema.measured import FACTORS

BUDGET = Column("budget", INT, "updates", "budget after which runs are evaluated")
ACTIVATION_OR_ALL = Column("activation", STR, "", "activation of the compared cells; all: cells of all activations")

RANKING: Table = table(
    BUDGET,
    Column(
        "view",
        STR,
        "",
        "tuned: at the rate chosen for each initializer and cell; fixed: at one rate for all initializers",
    ),
    ACTIVATION_OR_ALL,
    FACTORS["initializer"],
    Column(
        "rate",
        FLOAT,
        "",
        "rate of the fixed view; missing in the tuned view, and where optimizers have different grids of rates",
    ),
    Column(
        "cells", INT, "cells", "combinations of setting, activation and depth; the same for all initializers of a table"
    ),
    Column("runs", INT, "runs", "judged runs"),
    Column("ok", INT, "runs", "runs with status ok"),
    Column("diverged", INT, "runs", "runs that diverged"),
    Column("success_rate", FLOAT, "", "share of runs with status ok"),
    Column(
        "success_low",
        FLOAT,
        "",
        "lower end of its 95 % interval: stratified Wilson, including the uncertainty from choosing the rate",
    ),
    Column("success_high", FLOAT, "", "upper end"),
    Column("mean_score", FLOAT, "", "mean of (accuracy − chance)/(1 − chance) over all runs"),
    Column(
        "mean_score_low",
        FLOAT,
        "",
        "lower end of its 95 % t-interval over replicates, including the uncertainty from choosing the rate",
    ),
    Column("mean_score_high", FLOAT, "", "upper end"),
    Column("worst_score", FLOAT, "", "mean of the worst tenth of the scores"),
    Column("profile_score", FLOAT, "", "area under the performance profile of steps to target, τ from 1 to 4"),
    Column(
        "level",
        FLOAT,
        "",
        "confidence level of each interval of a difference; the intervals of a table are simultaneous at 95 %",
    ),
    Column("success_difference", FLOAT, "", "success_rate minus that of the baseline"),
    Column(
        "success_difference_low",
        FLOAT,
        "",
        "lower end of its paired interval, including the uncertainty from choosing both rates",
    ),
    Column("success_difference_high", FLOAT, "", "upper end"),
    Column(
        "trained_cells",
        OPTIONAL_INT,
        "cells",
        "cells with at least five pairs in which both its run and the baseline's train",
    ),
    Column("score_difference", FLOAT, "", "mean difference in score over these pairs, averaged over trained_cells"),
    Column("score_difference_low", FLOAT, "", "lower end of its interval, as for success"),
    Column("score_difference_high", FLOAT, "", "upper end"),
    Column(
        "verdict",
        STR,
        "",
        "baseline, better, worse, equivalent or undecided, by these two intervals: success first, then score",
    ),
    Column("reason", STR, "", "what decided it (success or score), or why it is undecided"),
)

VIEW = Column("view", STR, "", "tuned or fixed, as in ranking")

PROFILES: Table = table(
    BUDGET,
    VIEW,
    ACTIVATION_OR_ALL,
    FACTORS["initializer"],
    Column("tau", FLOAT, "", "factor τ"),
    Column(
        "share",
        FLOAT,
        "",
        "share of cells in which its median steps to target are at most τ times the fewest of any initializer",
    ),
    Column("cells", INT, "cells", "cells in which at least one initializer reaches the target"),
)

ARRIVALS: Table = table(
    BUDGET,
    VIEW,
    ACTIVATION_OR_ALL,
    FACTORS["initializer"],
    Column("step", INT, "updates", "updates done"),
    Column(
        "share",
        FLOAT,
        "",
        "share of runs that have reached the target by then; runs not at the target at the end are censored at the budget",
    ),
    Column("runs", INT, "runs", "judged runs"),
)

CELL_SETS: Table = table(
    BUDGET,
    *some(FACTORS, "dataset", "width", "batch_norm", "dropout", "optimizer", "activation", "depth", "initializer"),
    Column("learning_rate", FLOAT, "", "learning rate chosen for the arm"),
    Column("membership", STR, "", "works, worse, fails or undecided"),
    Column("reason", STR, "", "what decided it"),
    Column("is_reference", BOOL, "", "whether it is the reference of the cell: the best on the tuning replicates"),
    Column("runs", INT, "runs", "judged runs"),
    Column("ok", INT, "runs", "runs with status ok"),
    Column(
        "success_low",
        FLOAT,
        "",
        "lower end of the 90 % Wilson interval of the share of ok runs, including the uncertainty from choosing the rate",
    ),
    Column("success_high", FLOAT, "", "upper end"),
    Column("test_score", FLOAT, "", "mean over the judged runs"),
    Column("pairs", INT, "pairs", "pairs of replicates in which both its run and the reference's train"),
    Column("difference", FLOAT, "", "mean difference in test score to the reference over these pairs"),
    Column(
        "difference_low",
        FLOAT,
        "",
        "lower end of its interval; the intervals of all initializers of a cell are simultaneous at 95 %",
    ),
    Column("difference_high", FLOAT, "", "upper end"),
    Column(
        "is_two_faced",
        BOOL,
        "",
        "whether some of its runs train and some do not: at least two of each, or at least one that trains and one that learns nothing",
    ),
)

COMPARED: dict[str, Table] = {
    "ranking": RANKING,
    "profiles": PROFILES,
    "arrivals": ARRIVALS,
    "cell_sets": CELL_SETS,
}
