"""What pretraining gains, in pairs of replicates: at equal training, at equal updates and at equal time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from winit.analysis import intervals, stats
from winit.analysis.decisions import UNDECIDED, decide
from winit.analysis.select import ARM, CELL, at_chosen_rate, chosen_rates, curves_as_worst, is_pretrained, of_budget
from winit.store.schema import TABLES
from winit.vocabulary.pretraining import parse_pretraining

EQUAL_TRAINING, EQUAL_UPDATES, EQUAL_TIME = "equal training", "equal updates", "equal time"
SAME_START, BEST_START, RANDOM_START = "same start", "best random start", "random start"


class ArmName(NamedTuple):
    """An initializer with its pretraining."""

    initializer: str
    pretraining: str


class Reference(NamedTuple):
    """What an arm is compared with.

    Attributes:
        compared_with: what it is to the arm.
        arm: which it is.
        updates: after which its outcome is read, those of its own pretraining included.
        outcomes: `is_ok` and `test_score` by replicate.
        is_cut_short: whether it is trained for less than would be equal.
    """

    compared_with: str
    arm: ArmName
    updates: int
    outcomes: pd.DataFrame
    is_cut_short: bool = False


@dataclass(frozen=True)
class _Cell:
    """The arms of a cell at one budget, at the rates chosen for them.

    Attributes:
        facts: budget and factors of the cell.
        arms: the judged runs of each by replicate, scored, with `is_ok`.
        tuning_scores: of each.
    """

    facts: dict[str, object]
    arms: dict[ArmName, pd.DataFrame]
    tuning_scores: dict[ArmName, float]

    @property
    def budget(self) -> int:
        """Updates of all layers after which the outcomes are read."""
        return int(str(self.facts["budget"]))

    def pretrained(self) -> Iterator[tuple[ArmName, pd.DataFrame]]:
        """Yield the arms whose layers are pretrained, controls included, and their runs."""
        yield from (
            (arm, runs) for arm, runs in self.arms.items() if parse_pretraining(arm.pretraining).method != "none"
        )

    def random_starts(self, initializer: str, plain: Mapping[str, ArmName]) -> Iterator[tuple[str, ArmName]]:
        """Yield all random starts of the cell, each with what it is to a pretrained network.

        The best one has the highest tuning score; of equals it is the first by name. No judged run chooses it.

        Args:
            initializer: of the pretrained network.
            plain: the arm without pretraining that stands for each random start.
        """
        if initializer in plain:
            yield SAME_START, plain[initializer]
        if plain:
            best = min(plain.values(), key=lambda arm: (-round(self.tuning_scores[arm], 9), arm))
            yield BEST_START, best
            yield from ((RANDOM_START, arm) for arm in plain.values() if arm not in (best, plain.get(initializer)))

    def longest(self) -> dict[str, ArmName]:
        """Return, for every random start, the arm that is trained longer; the plain one where there is none."""
        return self._plain("none") | self.longer()

    def longer(self) -> dict[str, ArmName]:
        """Return, for every random start that is also trained longer, that arm."""
        return self._plain("none+longer")

    def _plain(self, pretraining: str) -> dict[str, ArmName]:
        return {arm.initializer: arm for arm in self.arms if arm.pretraining == pretraining}


def pretraining_effects(at: Mapping[int, pd.DataFrame], summary: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return what every way of pretraining, and every control of one, gains over what it is compared with.

    At equal training the reference has as many updates of all layers, and pretraining is not counted. At equal updates
    it has as many more as pretraining takes: a random start is then its arm `none+longer`, and without one there is no
    comparison. Controls are pretrained as long as their method.

    Args:
        at: `runs` at each budget.
        summary: of all budgets.
        margin: differences of scores within ±margin are called equivalent.
    """
    rows = []
    for cell in _cells(at, summary):
        for arm, runs in cell.pretrained():
            same = ArmName(arm.initializer, "none")
            if same in cell.arms:
                reference = Reference(SAME_START, same, cell.budget, cell.arms[same])
                rows.append(_row(cell, arm, EQUAL_TRAINING, reference, margin))
            for reference in _at_equal_updates(cell, arm, int(runs["pretraining_updates"].iloc[0])):
                rows.append(_row(cell, arm, EQUAL_UPDATES, reference, margin))
    return _table("pretraining_effects", rows)


def pretraining_time_effects(
    at: Mapping[int, pd.DataFrame],
    summary: pd.DataFrame,
    curves: pd.DataFrame,
    targets: Mapping[str, float],
    margin: float,
) -> pd.DataFrame:
    """Return what every way of pretraining gains over every random start that is trained for as many seconds.

    The seconds t of a pretrained arm up to a budget, and the updates u of a reference that take as long, are medians over
    replicates, since the first run of a process also pays for compilation:

        t = calibration + pretraining + budget · seconds of an update,   u = (t − calibration′)/seconds of an update′

    The reference is read at its last evaluated step not beyond u. It is the arm `none+longer`, or `none` where there is no
    other. Where it ends before u, it is read at its end and is cut short: a network that would be trained further may do
    better, so that only `worse` stands.

    Args:
        at: `runs` at each budget.
        summary: of all budgets.
        curves: with `run_id`, `step` and `test_score`.
        targets: the test score that a trained network has, by dataset.
        margin: differences of scores within ±margin are called equivalent.
    """
    runs = next(iter(at.values()))
    plain = runs.loc[~is_pretrained(runs["pretraining"]), ["run_id", "chance"]]
    by_run = {key: frame for key, frame in curves_as_worst(curves.merge(plain, on="run_id")).groupby("run_id")}
    rows = []
    for cell in _cells(at, summary):
        target = targets[str(cell.facts["dataset"])]
        for arm, runs in cell.pretrained():
            seconds = _fixed_seconds(runs) + cell.budget * _seconds_of_update(runs)
            for name, plain_arm in cell.random_starts(arm.initializer, cell.longest()):
                reference = _read_after(seconds, name, plain_arm, cell.arms[plain_arm], by_run, target)
                rows.append(_row(cell, arm, EQUAL_TIME, reference, margin))
    return _table("pretraining_time_effects", rows)


def _cells(at: Mapping[int, pd.DataFrame], summary: pd.DataFrame) -> Iterator[_Cell]:
    """Yield every cell at every budget."""
    for budget, runs in at.items():
        tuned = of_budget(summary, budget)
        scores = chosen_rates(tuned).set_index([*CELL, *ARM])["tuning_score"]
        for key, cells in at_chosen_rate(runs, tuned).groupby(CELL, sort=False):
            cells = cells.assign(is_ok=cells["status"] == "ok").sort_values([*ARM, "replicate"])
            arms = {ArmName(*arm): frame.set_index("replicate") for arm, frame in cells.groupby(ARM, sort=False)}
            facts = {"budget": budget} | dict(zip(CELL, key, strict=True))
            yield _Cell(facts, arms, {arm: float(scores[(*key, *arm)]) for arm in arms})


def _at_equal_updates(cell: _Cell, arm: ArmName, more: int) -> Iterator[Reference]:
    """Yield what a pretrained arm is compared with after as many updates, given those of its pretraining."""
    updates = cell.budget + more
    for name, plain_arm in cell.random_starts(arm.initializer, cell.longer()):
        yield Reference(name, plain_arm, updates, cell.arms[plain_arm])
    method, control = parse_pretraining(arm.pretraining)
    for name in () if control else ("moments", "shuffled"):
        other = ArmName(arm.initializer, f"{method}+{name}")
        if other in cell.arms:
            yield Reference(name, other, updates, cell.arms[other])


def _fixed_seconds(runs: pd.DataFrame) -> float:
    """Return the seconds that an arm takes before the first update of all layers, median over replicates."""
    return float((runs["calibration_time_s"] + runs["pretraining_time_s"]).median())


def _seconds_of_update(runs: pd.DataFrame) -> float:
    """Return the seconds of an update of all layers, median over replicates."""
    return float((runs["wall_time_s"] / runs["steps"]).median())


def _read_after(
    seconds: float,
    name: str,
    arm: ArmName,
    runs: pd.DataFrame,
    curves: Mapping[str, pd.DataFrame],
    target: float,
) -> Reference:
    """Return a random start with its test scores after so many seconds, read from the curves of its runs."""
    updates = (seconds - _fixed_seconds(runs)) / _seconds_of_update(runs)
    steps = curves[runs["run_id"].iloc[0]]["step"].to_numpy()
    index = max(0, int(np.searchsorted(steps, updates, side="right")) - 1)
    scores = np.array([curves[run_id]["test_score"].to_numpy()[index] for run_id in runs["run_id"]])
    outcomes = pd.DataFrame({"is_ok": scores >= np.float32(target), "test_score": scores}, index=runs.index)
    return Reference(name, arm, int(steps[index]), outcomes, is_cut_short=updates > steps[-1])


def _row(cell: _Cell, arm: ArmName, compared_at: str, reference: Reference, margin: float) -> dict[str, object]:
    """Return one comparison: success in pairs, the score among pairs in which both train, and the verdict."""
    runs = cell.arms[arm]
    columns = ["is_ok", "test_score"]
    pairs = runs[columns].merge(reference.outcomes[columns], on="replicate", suffixes=("", "_other"))
    ours, theirs = pairs["is_ok"].to_numpy(dtype=bool), pairs["is_ok_other"].to_numpy(dtype=bool)
    both = pairs[ours & theirs]
    level = intervals.simultaneous_level(2 * len([*cell.pretrained()]))  # success and score, of every arm of the cell
    success = intervals.paired_proportions(ours[None], theirs[None], level)  # of one cell
    score = stats.paired_difference(both["test_score"].to_numpy(), both["test_score_other"].to_numpy(), level)
    verdict, _ = decide(len(pairs), success, score, margin, is_alike=bool((ours == theirs).all()))
    return cell.facts | arm._asdict() | {
        "pretraining_rate": runs["pretraining_rate"].iloc[0],
        "learning_rate": runs["learning_rate"].iloc[0],
        "compared_at": compared_at,
        "compared_with": reference.compared_with,
        "reference_initializer": reference.arm.initializer,
        "reference_pretraining": reference.arm.pretraining,
        "reference_updates": reference.updates,
        "is_cut_short": reference.is_cut_short,
        "pairs": len(pairs),
        "level": level,
        "success_difference": success.mean,
        "success_difference_low": success.low,
        "success_difference_high": success.high,
        "trained_pairs": len(both),
        "difference": score.mean,
        "difference_low": score.low,
        "difference_high": score.high,
        "verdict": UNDECIDED if reference.is_cut_short and verdict != "worse" else verdict,
    }  # fmt: skip


def _table(name: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return a table of comparisons, sorted."""
    table = pd.DataFrame(rows, columns=list(TABLES[name]))
    order = ["budget", *CELL, *ARM, "compared_at", "compared_with", "reference_initializer"]
    return table.sort_values(order, ignore_index=True)
