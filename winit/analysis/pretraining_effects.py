"""Effects of pretraining in paired comparisons: at equal training, at equal updates and at equal time."""

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
    """Outcomes of the runs of an arm: arrays (runs,).

    Attributes:
        replicate: ascending.
        is_ok: whether a run trains.
        score: its test score.
    """

    replicate: np.ndarray
    is_ok: np.ndarray
    score: np.ndarray


class ArmRuns(NamedTuple):
    """The judged runs of an arm at the rate chosen for it.

    Attributes:
        outcomes: of the runs.
        run_ids: of the runs.
        rates: of pretraining and of training.
        updates: updates of single layers before step 0.
        fixed_seconds: seconds before the first update of the whole network, median over replicates.
        seconds_of_update: seconds per update of the whole network, median over replicates.
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
    """The reference that an arm is compared with.

    Attributes:
        compared_with: its relation to the arm.
        arm: the reference arm.
        updates: updates after which it is evaluated, including its own pretraining.
        outcomes: of its runs after these updates.
        is_cut_short: whether it is trained for less than an equal comparison needs.
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
        arms: the judged runs of each arm.
        tuning_scores: of each arm.
    """

    facts: dict[str, object]
    arms: dict[ArmName, ArmRuns]
    tuning_scores: dict[ArmName, float]

    @property
    def budget(self) -> int:
        """Updates of the whole network after which runs are evaluated."""
        return int(str(self.facts["budget"]))

    def pretrained(self) -> Iterator[tuple[ArmName, ArmRuns]]:
        """Yield the pretrained arms, including controls, and their runs."""
        yield from (
            (arm, runs) for arm, runs in self.arms.items() if parse_pretraining(arm.pretraining).method != "none"
        )

    def random_starts(self, initializer: str, plain: Mapping[str, ArmName]) -> Iterator[tuple[str, ArmName]]:
        """Yield all random starts of the cell, each with its relation to a pretrained network.

        The best one has the highest tuning score; ties go to the first by name. Judged runs are not used to choose it.

        Args:
            initializer: of the pretrained network.
            plain: the arm without pretraining that represents each random start.
        """
        if initializer in plain:
            yield SAME_START, plain[initializer]
        if plain:
            best = min(plain.values(), key=lambda arm: (-round(self.tuning_scores[arm], 9), arm))
            yield BEST_START, best
            yield from ((RANDOM_START, arm) for arm in plain.values() if arm not in (best, plain.get(initializer)))

    def longest(self) -> dict[str, ArmName]:
        """Return, for every random start, the arm that is trained longer, or the plain arm if there is none."""
        return self._plain("none") | self.longer()

    def longer(self) -> dict[str, ArmName]:
        """Return the arm that is trained longer for every random start that has one."""
        return self._plain("none+longer")

    def _plain(self, pretraining: str) -> dict[str, ArmName]:
        return {arm.initializer: arm for arm in self.arms if arm.pretraining == pretraining}


def pretraining_effects(at: Mapping[int, pd.DataFrame], summary: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return what every way of pretraining and every control gains over its references.

    At equal training, the reference has the same number of updates of the whole network, and pretraining is not counted. At
    equal updates, it has additional updates, as many as pretraining takes: the arm `none+longer` of a random start. Without
    this arm there is no comparison. Controls are pretrained as long as their method.

    Args:
        at: the table `runs` at each budget.
        summary: the table, for all budgets.
        margin: differences of scores within ±margin count as equivalent.
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
    """Return what every way of pretraining gains over every random start that is trained for the same time.

    The seconds t of a pretrained arm up to a budget, and the updates u of a reference that take as long, are computed from
    medians over replicates, because the first run of a process includes compilation:

        t = calibration + pretraining + budget · seconds of an update,   u = (t − calibration′)/seconds of an update′

    The reference is evaluated at its last evaluated step not beyond u. It is the arm `none+longer`, or `none` if there is no
    other. If its training ends before u, it is evaluated at its end and marked as cut short. More training might improve it,
    so the verdict can then only be `worse` or undecided.

    Args:
        at: `runs` at each budget.
        summary: of all budgets.
        curves: with `run_id`, `step` and `test_score`.
        targets: target test score by dataset.
        margin: differences of scores within ±margin count as equivalent.
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
    """Yield the references of a pretrained arm at equal updates, given the updates of its pretraining."""
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
    """Return a random start as reference, with its test scores after the given seconds, from the curves of its runs."""
    updates = (seconds - runs.fixed_seconds) / runs.seconds_of_update
    steps = curves[runs.run_ids[0]].steps
    index = max(0, int(np.searchsorted(steps, updates, side="right")) - 1)
    scores = np.array([curves[run_id].scores[index] for run_id in runs.run_ids])
    outcomes = Outcomes(runs.outcomes.replicate, scores >= np.float32(target), scores)
    return Reference(name, arm, int(steps[index]), outcomes, is_cut_short=updates > steps[-1])


def _row(cell: _Cell, arm: ArmName, compared_at: str, reference: Reference, margin: float) -> dict[str, object]:
    """Return one comparison: paired success, the score over pairs in which both train, and the verdict."""
    runs, theirs = cell.arms[arm], reference.outcomes
    _, one, other = np.intersect1d(runs.outcomes.replicate, theirs.replicate, assume_unique=True, return_indices=True)
    our_ok, their_ok = runs.outcomes.is_ok[one], theirs.is_ok[other]
    both = our_ok & their_ok
    our_scores, their_scores = runs.outcomes.score[one][both], theirs.score[other][both]
    level = intervals.simultaneous_level(2 * len([*cell.pretrained()]))  # success and score of every arm of the cell
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
