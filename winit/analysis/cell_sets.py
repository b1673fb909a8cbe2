"""Sets of initializers in each cell: those that work, those that do worse, and those that fail.

An initializer without pretraining, at its chosen rate, belongs to one of these sets:

- *fails*: fewer than half of its runs train;
- *works*: more than half of its runs train, and it is not known to do worse than the reference;
- *worse*: more than half of its runs train, and these score more than `CELL_MARGIN` below those of the reference;
- *undecided*: the interval of the share of runs that train includes one half, or there are too few runs.

The interval decides one-sided at 5 %, so 8 of 10 runs must train, or at most 2. The reference is the best initializer of the
cell on the tuning replicates, so it is chosen before the judged runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from winit import schemes
from winit.analysis import intervals, stats
from winit.analysis.choice import choice_noise
from winit.analysis.decisions import FEWEST_DECIDED, UNDECIDED, UNKNOWN_CHOICE
from winit.analysis.select import ARM, CELL, at_chosen_rate
from winit.store.schema import TABLES
from winit.study.schema import AnalysisSettings

# A difference in accuracy that another seed of the study does not reverse: the accuracy of an arm may change by 3 points.
CELL_MARGIN = 0.05
SUCCESS_LEVEL = 0.9  # two-sided, so that each side has an error of at most 5 %
HALF = stats.TRAINED_SHARE


def cell_sets(runs: pd.DataFrame, summary: pd.DataFrame, analysis: AnalysisSettings, seed: int) -> pd.DataFrame:
    """Return one row per cell and initializer: its membership, with the numbers that decide it.

    Args:
        runs: the table, for the main grid and one budget, with both roles.
        summary: of the same grid and budget, with `is_best_rate` and `tuning_score`.
        analysis: the study's settings of that name.
        seed: of the resampling of tuning replicates.
    """
    columns = [name for name in TABLES["cell_sets"] if name != "budget"]
    plain, chosen = (frame[frame["pretraining"] == "none"] for frame in (runs, summary))
    at_rate = at_chosen_rate(plain, chosen)
    noise = choice_noise(plain, seed, analysis.resamples).reset_index()
    arms = chosen[chosen["is_best_rate"]].merge(noise, on=[*CELL, *ARM])
    arms_of = {cell: of_cell.set_index("initializer") for cell, of_cell in arms.groupby(CELL)}
    rows = []
    for cell, of_cell in at_rate.groupby(CELL, sort=True):
        names = schemes.in_order(of_cell["initializer"])
        status, score = _by_replicate(of_cell, names)
        best = arms_of[cell].loc[names]
        reference = int(best["tuning_score"].to_numpy().argmax())
        trained = best["trained_score"].to_numpy() * (1 - of_cell["chance"].iloc[0]) ** 2
        success, rate = best["success"].to_numpy(), best["learning_rate"].to_numpy()
        level = intervals.simultaneous_level(len(names) - 1)
        for place, name in enumerate(names):
            # The reference does not differ from itself.
            between = 0.0 if place == reference else float(trained[place] + trained[reference])
            row = _success(status[place], float(success[place]))
            row |= _difference(status[[place, reference]], score[[place, reference]], level, between)
            row |= dict(zip(("membership", "reason"), _membership(row), strict=True))
            row |= {"test_score": float(np.nanmean(score[place])), "learning_rate": rate[place]}
            rows.append(
                dict(zip(CELL, cell, strict=True)) | {"initializer": name, "is_reference": place == reference} | row
            )
    return pd.DataFrame(rows, columns=columns)


def _by_replicate(of_cell: pd.DataFrame, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return status and test score (initializers, replicates) of the runs of a cell; missing where there is no run."""
    replicates, column = np.unique(of_cell["replicate"], return_inverse=True)
    row = pd.Index(names).get_indexer(of_cell["initializer"])
    status = np.full((len(names), len(replicates)), np.nan, dtype=object)
    score = np.full(status.shape, np.nan)
    status[row, column], score[row, column] = of_cell["status"], of_cell["test_score"]
    return status, score


def is_two_faced(ok: ArrayLike, learned: ArrayLike, runs: ArrayLike) -> np.ndarray:
    """Return whether some runs of an arm train and some do not.

    This requires at least two of each, or at least one that trains and one that learns nothing.

    Args:
        ok: number of runs at the target at the end.
        learned: number of runs that learn anything.
        runs: number of runs.
    """
    ok, learned, runs = (np.asarray(counts) for counts in (ok, learned, runs))
    return ((ok >= 2) & (ok <= runs - 2)) | ((learned >= 1) & (learned <= runs - 1))


def _success(status: np.ndarray, noise: float) -> dict[str, Any]:
    """Return the share of an arm's runs that train, with its interval. `noise`: variance from choosing the rate."""
    runs = int(pd.notna(status).sum())
    ok, learned = (int(np.isin(status, names).sum()) for names in (["ok"], ["ok", "lost_target", "missed_target"]))
    share = intervals.proportion(np.array([ok]), np.array([runs]), SUCCESS_LEVEL)
    share = intervals.widened(share, noise, SUCCESS_LEVEL)
    return {
        "runs": runs, "ok": ok, "is_two_faced": bool(is_two_faced(ok, learned, runs)),
        "success_low": float(np.clip(share.low, 0, 1)), "success_high": float(np.clip(share.high, 0, 1)),
    }  # fmt: skip


def _difference(status: np.ndarray, score: np.ndarray, level: float, noise: float) -> dict[str, Any]:
    """Return the difference in test score between two arms (2, replicates), over pairs in which both train."""
    train = (status == "ok").all(axis=0)
    number = intervals.mean_over_cells([(score[0] - score[1])[train]] if train.any() else [], level)
    number = intervals.widened(number, noise, level)
    return {
        "pairs": int(train.sum()),
        "difference": number.mean,
        "difference_low": number.low,
        "difference_high": number.high,
    }


def _membership(row: dict[str, Any]) -> tuple[str, str]:
    """Return the set an arm belongs to, and what decided it."""
    if row["runs"] < FEWEST_DECIDED:
        return UNDECIDED, f"fewer than {FEWEST_DECIDED} replicates"
    if not np.isfinite(row["success_high"]):
        return UNDECIDED, UNKNOWN_CHOICE
    if row["success_high"] < HALF:
        return "fails", "success"
    if not row["success_low"] > HALF:
        return UNDECIDED, "success"
    is_known = row["pairs"] >= FEWEST_DECIDED and np.isfinite(row["difference_high"])
    is_worse = is_known and row["difference"] < -CELL_MARGIN and row["difference_high"] < 0
    return ("worse", "score") if is_worse else ("works", "success")
