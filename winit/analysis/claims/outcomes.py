"""Measures of training within a budget: success, and comparisons of runs that train.

Every arm is evaluated at the rate chosen for it at that budget. The best of several arms is chosen on tuning runs. An arm
whose runs all diverged is not evidence, because no rate was suitable for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from winit import schemes
from winit.analysis.claims.estimates import UNKNOWN, Estimate, mean, share, share_difference, widened
from winit.analysis.claims.evidence import PLAIN_CELL, Cell, Evidence, Parameters
from winit.analysis.select import ARM, Tables, tuning

Arm = tuple[str, str]  # values of ARM
_COMPARED = ["status", "test_score", "steps_to_target"]  # of runs


def named(parameters: Parameters, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with the initializers that a contrast names, or all runs if it names none."""
    return runs[runs["initializer"].isin(parameters["initializer"])] if "initializer" in parameters else runs


def plain(runs: pd.DataFrame, dropout: float = 0.0) -> pd.DataFrame:
    """Return the runs without batch normalization and pretraining, and with the given dropout."""
    return runs[~runs["batch_norm"] & (runs["pretraining"] == "none") & (runs["dropout"] == dropout)]


def _unnormed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[~frame["batch_norm"] & (frame["dropout"] == 0)]


def _is_ok(runs: pd.DataFrame, side: str = "") -> np.ndarray:
    return (runs[f"status{side}"] == "ok").to_numpy()


def _all_diverged(runs: pd.DataFrame, side: str = "") -> bool:
    return bool((runs[f"status{side}"] == "diverged").all())


def _success(runs: pd.DataFrame) -> Estimate:
    return UNKNOWN if _all_diverged(runs) else share(int(_is_ok(runs).sum()), len(runs))


def success(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return the share of an initializer's runs at the target at the end of the budget."""
    runs = named(parameters, plain(tables["chosen"]))
    return [
        Evidence(tuple(cell), _success(rows), len(rows), initializer)
        for (*cell, initializer), rows in runs.groupby([*PLAIN_CELL, "initializer"])
    ]


class _Field(NamedTuple):
    """The arms of a cell.

    Attributes:
        rows: their judged runs at the chosen rates.
        arms: indices of the rows of each arm.
        scores: mean tuning score of each arm with tuning runs.
    """

    rows: pd.DataFrame
    arms: Mapping[Arm, np.ndarray]
    scores: Mapping[Arm, float]

    def runs(self, arm: Arm) -> pd.DataFrame:
        """Return the runs of an arm by replicate."""
        return self.rows.iloc[self.arms[arm]].set_index("replicate")[_COMPARED]

    def best(self, candidates: Sequence[Arm]) -> Arm | None:
        """Return the arm with the highest mean tuning score (the first one for ties), or None if it cannot be chosen.

        A single arm is returned without a choice. Judged runs are not used.
        """
        there = [arm for arm in candidates if arm in self.arms]
        if len(there) == 1:
            return there[0]
        tuned = [arm for arm in there if arm in self.scores]
        return max(tuned, key=self.scores.__getitem__) if tuned else None


def _fields(tables: Tables) -> Iterator[tuple[Cell, _Field]]:
    """Yield the arms of each cell, without batch normalization and dropout."""
    runs = _unnormed(tables["chosen"])[[*PLAIN_CELL, *ARM, "replicate", *_COMPARED]]
    tuned = tuning(tables["runs"])[[*PLAIN_CELL, *ARM, "batch_norm", "dropout"]].drop_duplicates()
    chosen = _unnormed(tables["tuning"].merge(tuned))
    chosen = chosen[chosen["is_chosen"]]
    scores = {cell: rows.set_index(ARM)["mean_score"].to_dict() for cell, rows in chosen.groupby(PLAIN_CELL)}
    for cell, rows in runs.groupby(PLAIN_CELL):
        yield cell, _Field(rows, rows.groupby(ARM).indices, scores.get(cell, {}))


def best_success(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return the share of runs at the target at the end of the budget, for the best of several initializers."""
    rows = []
    for cell, field in _fields(tables):
        best = field.best([(initializer, "none") for initializer in parameters["initializer"]])
        if best:
            runs = field.runs(best)
            rows.append(Evidence(cell, _success(runs), len(runs), best[0]))
    return rows


class _Pair(NamedTuple):
    """The best arm on our side paired with one arm on their side.

    Attributes:
        cell: the cell.
        names: of the arms, as in `Evidence`.
        both: our runs, and with the suffix `_reference` their runs, by replicate.
    """

    cell: Cell
    names: dict[str, str]
    both: pd.DataFrame

    def evidence(self, estimate: Estimate, pairs: int) -> Evidence:
        """Return an estimate over pairs as evidence; unknown if all runs of one side diverged."""
        is_lost = _all_diverged(self.both) or _all_diverged(self.both, "_reference")
        return Evidence(self.cell, UNKNOWN if is_lost else estimate, pairs, **self.names)


def _pairs(tables: Tables, parameters: Parameters) -> Iterator[_Pair]:
    """Yield, in each cell, the best of `initializer` with each of `compared_with`, paired by replicate.

    Ways of pretraining apply to our side only, one at a time. The other side is trained for as many additional updates.
    """
    for cell, field in _fields(tables):
        for pretraining in parameters.get("pretraining", ("none",)):
            best = field.best([(initializer, pretraining) for initializer in parameters["initializer"]])
            for initializer in parameters["compared_with"]:
                reference = (initializer, "none" if pretraining == "none" else "none+longer")
                if best and best != reference and reference in field.arms:
                    names = {"initializer": best[0], "pretraining": pretraining, "compared_with": initializer}
                    theirs = field.runs(reference).add_suffix("_reference")
                    yield _Pair(cell, names, field.runs(best).join(theirs, how="inner"))


def success_difference(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return the difference in the share of runs at the target, the best of ours − theirs, paired by replicate.

    It is unknown if no run of either side trains.
    """
    rows = []
    for pair in _pairs(tables, parameters):
        ours, theirs = _is_ok(pair.both), _is_ok(pair.both, "_reference")
        estimate = share_difference(ours, theirs) if (ours | theirs).any() else UNKNOWN
        rows.append(pair.evidence(estimate, len(pair.both)))
    return rows


def accuracy_gain(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return the difference in test accuracy, the best of ours − theirs, over pairs in which both train."""
    rows = []
    for pair in _pairs(tables, parameters):
        both = pair.both[_is_ok(pair.both) & _is_ok(pair.both, "_reference")]
        rows.append(pair.evidence(mean(both["test_score"] - both["test_score_reference"]), len(both)))
    return rows


def speed(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return the factor by which the best of ours reaches the target faster, theirs/ours, geometric mean over pairs.

    Only pairs in which both reach the target count: a run that never does is not slow, it does not train.
    """
    rows = []
    for pair in _pairs(tables, parameters):
        # At least one step, because a network may be at the target before training.
        steps = pair.both[["steps_to_target", "steps_to_target_reference"]].clip(lower=1)
        steps = steps[np.isfinite(steps).all(axis=1)]
        logs = np.log2(steps["steps_to_target_reference"] / steps["steps_to_target"])
        rows.append(pair.evidence(mean(logs).transformed(lambda log: 2.0**log), len(steps)))
    return rows


def _with_and_without_norm(
    tables: Tables, parameters: Parameters, column: str
) -> Iterator[tuple[Cell, list[pd.DataFrame]]]:
    """Yield, in each cell, a column of the runs without and with batch normalization: replicates × initializers with both."""
    runs = named(parameters, tables["chosen"])
    runs = runs[(runs["pretraining"] == "none") & (runs["dropout"] == 0)]
    runs = runs[runs.groupby(PLAIN_CELL)["batch_norm"].transform("nunique") == 2]
    for cell, cells in runs.groupby(PLAIN_CELL):
        sides = [
            side.pivot(index="replicate", columns="initializer", values=column)
            for _, side in cells.groupby("batch_norm")
        ]
        both = schemes.in_order(set(sides[0].columns) & set(sides[1].columns))
        without, normed = (side[both].dropna() for side in sides)
        replicates = without.index.intersection(normed.index)
        if len(both) > 1 and len(replicates):
            yield cell, [without.loc[replicates], normed.loc[replicates]]


def success_spread(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return how much less often success depends on the initializer with batch normalization.

    share of replicates in which some initializers train and others do not, without − with
    """
    rows = []
    for cell, sides in _with_and_without_norm(tables, parameters, "status"):
        trains = [(side == "ok").to_numpy() for side in sides]
        differs = [side.any(axis=1) & ~side.all(axis=1) for side in trains]
        estimate = share_difference(*differs) if any(side.any() for side in trains) else UNKNOWN
        rows.append(Evidence(cell, estimate, len(sides[0]), ", ".join(sides[0].columns)))
    return rows


def accuracy_spread(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return by how much batch normalization narrows the range of test accuracy over initializers that train both ways.

    (max − min over these initializers, without) − (max − min, with), paired by replicate
    """
    statuses = dict(_with_and_without_norm(tables, parameters, "status"))
    rows = []
    for cell, sides in _with_and_without_norm(tables, parameters, "test_score"):
        train = np.logical_and.reduce([(status == "ok").to_numpy() for status in statuses[cell]])
        enough = train.sum(axis=1) > 1
        ranges = [(side.where(train).max(axis=1) - side.where(train).min(axis=1))[enough] for side in sides]
        rows.append(Evidence(cell, mean(ranges[0] - ranges[1]), int(enough.sum()), ", ".join(sides[0].columns)))
    return rows


def pretraining_gain(tables: Tables, parameters: Parameters) -> list[Evidence]:
    """Return what pretraining gains over the best random start: in success or, if that is equal, in test score.

    The values come from the tables of pretraining effects. Success comes first; the score is used if equally many runs train
    on both sides. Both are tested, so each gets half of the error. A comparison with a reference that was cut short is not
    evidence.
    """
    table = pd.concat([tables["pretraining_effects"], tables["pretraining_time_effects"]])
    chosen = named(parameters, _unnormed(table))
    chosen = chosen[chosen["pretraining"].isin(parameters["pretraining"])]
    chosen = chosen[chosen["compared_at"] == parameters["compared_at"]]
    chosen = chosen[chosen["compared_with"] == "best random start"]
    return [_gain(row) for _, row in chosen.iterrows()]


def _gain(row: pd.Series) -> Evidence:
    """Return the evidence of one row of the pretraining effects; unknown if nothing trains on either side."""
    is_score = row["success_difference"] == 0
    prefix, count, what = (
        ("difference", "trained_pairs", "test score") if is_score else ("success_difference", "pairs", "success")
    )
    pairs = int(row[count])
    value, low, high = (float(row[prefix + end]) for end in ("", "_low", "_high"))
    # A reference that was cut short could have improved. Counting only its wins would select cells that refute the claim.
    is_known = pairs > 1 and not row["is_cut_short"]
    number = widened(value, low, high, pairs, float(row["level"])) if is_known else UNKNOWN
    estimate = Estimate(number.value, lambda level: number.at((1 + level) / 2))
    return Evidence(
        tuple(row[name] for name in PLAIN_CELL), estimate, pairs, row["initializer"], row["pretraining"],
        row["reference_initializer"], f"gain in {what} over the best random start",
    )  # fmt: skip
