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


class Outcomes(NamedTuple):
    """How the runs of an arm ended: arrays (runs,).

    Attributes:
        replicate: rising.
        is_ok: whether a run trains.
        score: its test score.
    """

    replicate: np.ndarray
    is_ok: np.ndarray
    score: np.ndarray


class ArmRuns(NamedTuple):
    """The judged runs of an arm at the rate chosen for it.

    Attributes:
        outcomes: how they ended.
        run_ids: of the runs.
        rates: of pretraining and of training.
        updates: of single layers before step 0.
        fixed_seconds: before the first update of all layers, median over replicates.
        seconds_of_update: of an update of all layers, median over replicates.
    """

    outcomes: Outcomes
    run_ids: list[str]
    rates: tuple[float, float]
    updates: int
    fixed_seconds: float
    seconds_of_update: float

    @classmethod
    def of(cls, runs: pd.DataFrame) -> ArmRuns:
        """Return the runs of an arm, sorted by replicate, scored, with `is_ok`."""
        first = runs.iloc[0]
        return cls(
            Outcomes(*(runs[name].to_numpy() for name in ("replicate", "is_ok", "test_score"))),
            runs["run_id"].tolist(),
            (first["pretraining_rate"], first["learning_rate"]),
            int(first["pretraining_updates"]),
            float((runs["calibration_time_s"] + runs["pretraining_time_s"]).median()),
            float((runs["wall_time_s"] / runs["steps"]).median()),
        )


class Reference(NamedTuple):
    """What an arm is compared with.

    Attributes:
        compared_with: what it is to the arm.
        arm: which it is.
        updates: after which its outcome is read, those of its own pretraining included.
        outcomes: how its runs have ended then.
        is_cut_short: whether it is trained for less than would be equal.
    """

    compared_with: str
    arm: ArmName
    updates: int
    outcomes: Outcomes
    is_cut_short: bool = False


@dataclass(frozen=True)
class _Cell:
    """The arms of a cell at one budget, at the rates chosen for them.

    Attributes:
        facts: budget and factors of the cell.
        arms: the judged runs of each.
        tuning_scores: of each.
    """

    facts: dict[str, object]
    arms: dict[ArmName, ArmRuns]
    tuning_scores: dict[ArmName, float]

    @property
    def budget(self) -> int:
        """Updates of all layers after which the outcomes are read."""
        return int(str(self.facts["budget"]))

    def pretrained(self) -> Iterator[tuple[ArmName, ArmRuns]]:
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
                reference = Reference(SAME_START, same, cell.budget, cell.arms[same].outcomes)
                rows.append(_row(cell, arm, EQUAL_TRAINING, reference, margin))
            for reference in _at_equal_updates(cell, arm, runs.updates):
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
    with_pretraining = is_pretrained(runs["pretraining"])
    cells = runs.loc[with_pretraining, CELL].drop_duplicates()
    plain = runs.loc[~with_pretraining, [*CELL, "run_id", "chance"]].merge(cells, on=CELL)[["run_id", "chance"]]
    worst = curves_as_worst(curves.merge(plain, on="run_id"))
    by_run = {
        key: Curve(rows["step"].to_numpy(), rows["test_score"].to_numpy()) for key, rows in worst.groupby("run_id")
    }
    rows = []
    for cell in _cells(at, summary):
        target = targets[str(cell.facts["dataset"])]
        for arm, runs in cell.pretrained():
            seconds = runs.fixed_seconds + cell.budget * runs.seconds_of_update
            for name, plain_arm in cell.random_starts(arm.initializer, cell.longest()):
                reference = _read_after(seconds, name, plain_arm, cell.arms[plain_arm], by_run, target)
                rows.append(_row(cell, arm, EQUAL_TIME, reference, margin))
    return _table("pretraining_time_effects", rows)


def _cells(at: Mapping[int, pd.DataFrame], summary: pd.DataFrame) -> Iterator[_Cell]:
    """Yield every cell with a pretrained arm, at every budget."""
    for budget, runs in at.items():
        tuned = of_budget(summary, budget)
        chosen = at_chosen_rate(runs, tuned)
        pretrained = chosen.loc[is_pretrained(chosen["pretraining"]), CELL].drop_duplicates()
        chosen = chosen.merge(pretrained, on=CELL)
        scores = chosen_rates(tuned).merge(pretrained, on=CELL).set_index([*CELL, *ARM])["tuning_score"].to_dict()
        for key, cells in chosen.groupby(CELL, sort=False):
            cells = cells.assign(is_ok=cells["status"] == "ok").sort_values([*ARM, "replicate"])
            arms = {ArmName(*arm): ArmRuns.of(rows) for arm, rows in cells.groupby(ARM, sort=False)}
            facts = {"budget": budget} | dict(zip(CELL, key, strict=True))
            yield _Cell(facts, arms, {arm: float(scores[(*key, *arm)]) for arm in arms})


def _at_equal_updates(cell: _Cell, arm: ArmName, more: int) -> Iterator[Reference]:
    """Yield what a pretrained arm is compared with after as many updates, given those of its pretraining."""
    updates = cell.budget + more
    for name, plain_arm in cell.random_starts(arm.initializer, cell.longer()):
        yield Reference(name, plain_arm, updates, cell.arms[plain_arm].outcomes)
    method, control = parse_pretraining(arm.pretraining)
    for name in () if control else ("moments", "shuffled"):
        other = ArmName(arm.initializer, f"{method}+{name}")
        if other in cell.arms:
            yield Reference(name, other, updates, cell.arms[other].outcomes)


class Curve(NamedTuple):
    """The test scores of a run at its evaluated steps, both (steps,)."""

    steps: np.ndarray
    scores: np.ndarray


def _read_after(
    seconds: float, name: str, arm: ArmName, runs: ArmRuns, curves: Mapping[str, Curve], target: float
) -> Reference:
    """Return a random start with its test scores after so many seconds, read from the curves of its runs."""
    updates = (seconds - runs.fixed_seconds) / runs.seconds_of_update
    steps = curves[runs.run_ids[0]].steps
    index = max(0, int(np.searchsorted(steps, updates, side="right")) - 1)
    scores = np.array([curves[run_id].scores[index] for run_id in runs.run_ids])
    outcomes = Outcomes(runs.outcomes.replicate, scores >= np.float32(target), scores)
    return Reference(name, arm, int(steps[index]), outcomes, is_cut_short=updates > steps[-1])


def _row(cell: _Cell, arm: ArmName, compared_at: str, reference: Reference, margin: float) -> dict[str, object]:
    """Return one comparison: success in pairs, the score among pairs in which both train, and the verdict."""
    runs, theirs = cell.arms[arm], reference.outcomes
    _, one, other = np.intersect1d(runs.outcomes.replicate, theirs.replicate, assume_unique=True, return_indices=True)
    our_ok, their_ok = runs.outcomes.is_ok[one], theirs.is_ok[other]
    both = our_ok & their_ok
    our_scores, their_scores = runs.outcomes.score[one][both], theirs.score[other][both]
    level = intervals.simultaneous_level(2 * len([*cell.pretrained()]))  # success and score, of every arm of the cell
    success = intervals.paired_proportions(our_ok[None], their_ok[None], level)  # of one cell
    score = stats.paired_difference(our_scores, their_scores, level)
    verdict, _ = decide(len(one), success, score, margin, is_alike=bool((our_ok == their_ok).all()))
    return cell.facts | arm._asdict() | {
        "pretraining_rate": runs.rates[0],
        "learning_rate": runs.rates[1],
        "compared_at": compared_at,
        "compared_with": reference.compared_with,
        "reference_initializer": reference.arm.initializer,
        "reference_pretraining": reference.arm.pretraining,
        "reference_updates": reference.updates,
        "is_cut_short": reference.is_cut_short,
        "pairs": len(one),
        "level": level,
        "success_difference": success.mean,
        "success_difference_low": success.low,
        "success_difference_high": success.high,
        "trained_pairs": int(both.sum()),
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
