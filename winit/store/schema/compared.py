"""The tables that compare initializers: over the cells of the main grid, and in each of them."""

from __future__ import annotations

from winit.store.schema.column import BOOL, FLOAT, INT, OPTIONAL_INT, STR, Column, Table, some, table
from winit.store.schema.measured import FACTORS

BUDGET = Column("budget", INT, "updates", "the budget at whose end outcomes are read")
ACTIVATION_OR_ALL = Column("activation", STR, "", "of the cells that are compared; all: those of every activation")

RANKING: Table = table(
    BUDGET,
    Column("view", STR, "", "tuned: at the rate chosen for each initializer and cell; fixed: at one rate for all"),
    ACTIVATION_OR_ALL,
    FACTORS["initializer"],
    Column("rate", FLOAT, "", "that one rate; missing in the tuned view, and where optimizers have rates of their own"),
    Column("cells", INT, "cells", "settings × activations × depths, the same for all initializers of the table"),
    Column("runs", INT, "runs", "judged runs"),
    Column("ok", INT, "runs", "of these, runs with status ok"),
    Column("diverged", INT, "runs", "runs that diverged"),
    Column("success_rate", FLOAT, "", "share of runs that are ok"),
    Column(
        "success_low",
        FLOAT,
        "",
        "lower end of its 95 % interval: stratified Wilson, with the noise of the choice of rate",
    ),
    Column("success_high", FLOAT, "", "upper end"),
    Column("mean_score", FLOAT, "", "mean of (accuracy − chance)/(1 − chance) over all runs"),
    Column(
        "mean_score_low",
        FLOAT,
        "",
        "lower end of its 95 % t-interval over replicates, with the noise of the choice of rate",
    ),
    Column("mean_score_high", FLOAT, "", "upper end"),
    Column("worst_score", FLOAT, "", "mean of the worst tenth of the scores"),
    Column("profile_score", FLOAT, "", "area under the performance profile of steps to target, τ from 1 to 4"),
    Column("level", FLOAT, "", "of each interval of a difference: those of a table hold together with 95 %"),
    Column("success_difference", FLOAT, "", "share of runs that are ok, less the baseline's"),
    Column(
        "success_difference_low",
        FLOAT,
        "",
        "lower end of its interval, in pairs, with the noise of both choices of rate",
    ),
    Column("success_difference_high", FLOAT, "", "upper end"),
    Column(
        "trained_cells", OPTIONAL_INT, "cells", "cells in which at least five pairs train, its run and the baseline's"
    ),
    Column("score_difference", FLOAT, "", "mean over these cells of the difference in score within these pairs"),
    Column("score_difference_low", FLOAT, "", "lower end of its interval, likewise"),
    Column("score_difference_high", FLOAT, "", "upper end"),
    Column(
        "verdict",
        STR,
        "",
        "baseline, better, worse, equivalent or undecided, by these two intervals: success first, then the score",
    ),
    Column("reason", STR, "", "what decided it: success or score; or why nothing is decided"),
)

VIEW = Column("view", STR, "", "tuned or fixed, as in ranking")

PROFILES: Table = table(
    BUDGET,
    VIEW,
    ACTIVATION_OR_ALL,
    FACTORS["initializer"],
    Column("tau", FLOAT, "", "factor τ"),
    Column("share", FLOAT, "", "of cells in which its median steps to target are at most τ times the fewest"),
    Column("cells", INT, "cells", "cells in which any initializer arrives"),
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
        "of runs that have reached their target by then; those not at it in the end are censored at the budget",
    ),
    Column("runs", INT, "runs", "judged runs"),
)

CELL_SETS: Table = table(
    BUDGET,
    *some(FACTORS, "dataset", "width", "batch_norm", "dropout", "optimizer", "activation", "depth", "initializer"),
    Column("learning_rate", FLOAT, "", "the rate chosen for it"),
    Column("membership", STR, "", "works, worse, fails or undecided"),
    Column("reason", STR, "", "what decided it"),
    Column(
        "is_reference", BOOL, "", "the best of the cell on the tuning replicates: what the others are compared with"
    ),
    Column("runs", INT, "runs", "judged runs"),
    Column("ok", INT, "runs", "of these, runs with status ok"),
    Column(
        "success_low",
        FLOAT,
        "",
        "lower end of the 90 % Wilson interval of their share, with the noise of the choice of rate",
    ),
    Column("success_high", FLOAT, "", "upper end"),
    Column("test_score", FLOAT, "", "mean over the judged runs"),
    Column("pairs", INT, "pairs", "pairs of replicates in which its run and the reference's train"),
    Column("difference", FLOAT, "", "mean difference in test score to the reference within these pairs"),
    Column(
        "difference_low",
        FLOAT,
        "",
        "lower end of its interval; those of all initializers of the cell hold together with 95 %",
    ),
    Column("difference_high", FLOAT, "", "upper end"),
    Column(
        "is_two_faced",
        BOOL,
        "",
        "some of its runs train and some do not: at least two of each, or one that learns nothing beside one that does",
    ),
)

COMPARED: dict[str, Table] = {
    "ranking": RANKING,
    "profiles": PROFILES,
    "arrivals": ARRIVALS,
    "cell_sets": CELL_SETS,
}
