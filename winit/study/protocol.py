"""The protocol of an arm: which runs tune it, and at which rates it is then judged.

An arm is an initializer with its pretraining, in one workload. It is trained in two stages:

1. *Tuning.* Every rate of the grid is trained on the tuning replicates. A choice is the rate with the highest mean
   validation score, where a failure (diverged or stuck) scores as guessing does; of equals it is the smaller rate. While a choice lies on the
   edge of the rates tried, the grid is extended beyond it by the ratio of the two rates at that edge, a bounded number of
   times. Several factors on pretraining's own rates are tuned before that, in the same way, at the fixed rate.
2. *Judging.* Other replicates are trained at the chosen rates, one for each budget, and at the fixed one.

Everything follows from the scores of the runs so far: a study that was killed goes on where it was, and the analysis
finds the same runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log
from typing import NamedTuple


class Role(StrEnum):
    """What a run is for: the learning rate is chosen on tuning runs, and initializers are compared on judged runs."""

    JUDGED = "judged"
    TUNING = "tuning"


@dataclass(frozen=True)
class Run:
    """One network, trained under one setting of every factor.

    `replicate` is an index of random streams. It is unique among the runs of both roles, and says nothing else.
    """

    id: str
    initializer: str
    pretraining: str
    pretraining_rate: float
    learning_rate: float
    replicate: int
    role: Role


Scores = Mapping[str, Sequence[float]]  # by run id: the validation score at each budget; of a failure that of guessing
Identify = Callable[[float, float, int], str]  # (pretraining rate, learning rate, replicate) to a run's id


class Schedule(NamedTuple):
    """The runs that are known to be needed.

    Attributes:
        runs: each once.
        is_complete: whether these are all; otherwise more follow from the scores of these.
    """

    runs: tuple[Run, ...]
    is_complete: bool


class RunCounts(NamedTuple):
    """How many runs an arm, a workload or a study has, before any score is known.

    Attributes:
        tuning: runs that choose rates, on the grid as it is given.
        least, most: judged runs: the choices of all budgets and the fixed rate may be one rate, or all differ.
        extensions: tuning runs that extensions of the grid can add at most.
    """

    tuning: int
    least: int
    most: int
    extensions: int

    def __add__(self, other: object) -> RunCounts:
        assert isinstance(other, RunCounts)
        return RunCounts(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def bound(self) -> int:
        """The largest number of runs there can be."""
        return self.tuning + self.most + self.extensions


NO_RUNS = RunCounts(0, 0, 0, 0)


def choose(rates: Sequence[float], means: Sequence[float]) -> float:
    """Return the rate with the highest mean score; of equals, the smaller rate.

    Args:
        rates: those that were tried.
        means: the mean score at each. Differences below 1e-9 are rounding.
    """
    return max(zip(rates, means, strict=True), key=lambda pair: (round(pair[1], 9), -pair[0]))[0]


def extended(rate: float, neighbour: float) -> float:
    """Return the rate beyond the edge of a grid: rate · (rate/neighbour), to three significant digits.

    It is not rounded where that would lead back into the grid, because its rates are very close.
    """
    exact = rate * (rate / neighbour)
    rounded = float(f"{exact:.3g}")
    return rounded if (rounded - rate) * (rate - neighbour) > 0 else exact


@dataclass(frozen=True)
class Arm:
    """An arm, and what it is tried on.

    Attributes:
        initializer, pretraining: what it is.
        pretraining_rates: factors on pretraining's own learning rates.
        learning_rates: the grid, ascending.
        replicates, tuning_replicates: numbers of judged and of tuning runs.
        extensions: rates that may be added at each end of the grid.
        fixed_rate: the study's, at which nobody tunes.
    """

    initializer: str
    pretraining: str
    pretraining_rates: tuple[float, ...]
    learning_rates: tuple[float, ...]
    replicates: int
    tuning_replicates: int
    extensions: int
    fixed_rate: float

    @property
    def is_tuned(self) -> bool:
        """Whether there is a rate to choose, and replicates to choose it on."""
        return self.tuning_replicates > 0 and max(len(self.learning_rates), len(self.pretraining_rates)) > 1

    @property
    def untuned_rate(self) -> float:
        """The rate of the grid that stands for the fixed one: the nearest on a log scale, of equals the smaller."""
        return min(self.learning_rates, key=lambda rate: (round(abs(log(rate / self.fixed_rate)), 9), rate))

    def united(self, other: Arm) -> Arm:
        """Return the arm with what two grids ask of it: the rates of both, and the larger numbers."""
        return replace(
            self,
            pretraining_rates=tuple(sorted({*self.pretraining_rates, *other.pretraining_rates})),
            learning_rates=tuple(sorted({*self.learning_rates, *other.learning_rates})),
            replicates=max(self.replicates, other.replicates),
            tuning_replicates=max(self.tuning_replicates, other.tuning_replicates),
            extensions=max(self.extensions, other.extensions),
        )

    def contains(self, other: Arm) -> bool:
        """Return whether it is the same arm, tried on at least as much."""
        return self.united(replace(other, fixed_rate=self.fixed_rate)) == self and (
            (self.initializer, self.pretraining) == (other.initializer, other.pretraining)
        )

    def counts(self, budgets: int) -> RunCounts:
        """Return how many runs it has.

        Args:
            budgets: their number.
        """
        if not self.is_tuned:
            judged = self.replicates * len(self.learning_rates) * len(self.pretraining_rates)
            return RunCounts(0, judged, judged, 0)
        rates, factors = len(self.learning_rates), len(self.pretraining_rates)
        # The trials of factors at the fixed rate: the one that is chosen counts among the trials of rates.
        tuning = self.tuning_replicates * (rates + factors - 1)
        may_extend = 2 * self.extensions if rates > 1 else 0
        chosen = min(rates + may_extend, budgets + 1)
        return RunCounts(tuning, self.replicates, self.replicates * chosen, self.tuning_replicates * may_extend)

    def schedule(self, scores: Scores, chance: float, identify: Identify) -> Schedule:
        """Return the runs that follow from the scores so far.

        Args:
            scores: of runs that are trained.
            chance: the score of guessing: where no rate does better, there is no reason to extend the grid.
            identify: returns the id of a run of this arm.
        """
        trials = _Trials(self, scores, identify)
        if not self.is_tuned:
            runs = trials.runs(self.pretraining_rates, self.learning_rates, Role.JUDGED)
            return Schedule(tuple(runs), True)
        factor, wanted = self.pretraining_rates[0], []
        if len(self.pretraining_rates) > 1:
            wanted = trials.runs(self.pretraining_rates, [self.untuned_rate], Role.TUNING)
            means = [trials.means(each, self.untuned_rate) for each in self.pretraining_rates]
            if not all(means):
                return Schedule(tuple(wanted), False)
            factor = choose(self.pretraining_rates, [mean[-1] for mean in means])
        rates = list(self.learning_rates)
        while True:
            tried = trials.runs([factor], rates, Role.TUNING)
            means = [trials.means(factor, rate) for rate in rates]
            if not all(means):
                return Schedule(_once(wanted, tried), False)
            by_budget = list(zip(*means, strict=True))
            chosen = {choose(rates, each) for each in by_budget if round(max(each), 9) > chance}
            added = self._extensions(rates, chosen)
            if not added:
                break
            rates = sorted([*rates, *added])
        judged = sorted({self.untuned_rate, *(choose(rates, each) for each in by_budget)})
        return Schedule(_once(wanted, tried, trials.runs([factor], judged, Role.JUDGED)), True)

    def _extensions(self, rates: Sequence[float], chosen: Iterable[float]) -> list[float]:
        """Return the rates to add to those tried, given the choices of all budgets."""
        if len(rates) < 2:
            return []
        chosen, added = set(chosen), []
        below = sum(rate < self.learning_rates[0] for rate in rates)
        above = sum(rate > self.learning_rates[-1] for rate in rates)
        if rates[0] in chosen and below < self.extensions:
            added.append(extended(rates[0], rates[1]))
        if rates[-1] in chosen and above < self.extensions:
            added.append(extended(rates[-1], rates[-2]))
        return [rate for rate in added if rate not in rates]  # numbers without one between them have no ratio


@dataclass(frozen=True)
class _Trials:
    """The runs of an arm at given rates, and their mean scores."""

    arm: Arm
    scores: Scores
    identify: Identify

    def runs(self, factors: Iterable[float], rates: Sequence[float], role: Role) -> list[Run]:
        """Return the runs of a role at some pretraining rates and learning rates."""
        arm, judged = self.arm, role is Role.JUDGED
        numbers = judged_replicates(arm.replicates) if judged else tuning_replicates(arm.tuning_replicates)
        return [
            Run(self.identify(factor, rate, i), arm.initializer, arm.pretraining, factor, rate, i, role)
            for factor in factors
            for rate in rates
            for i in numbers
        ]

    def means(self, factor: float, rate: float) -> list[float]:
        """Return the mean score of the tuning runs at each budget; nothing where a run is not trained yet."""
        ids = [self.identify(factor, rate, i) for i in tuning_replicates(self.arm.tuning_replicates)]
        if any(run_id not in self.scores for run_id in ids):
            return []
        return [sum(values) / len(ids) for values in zip(*(self.scores[run_id] for run_id in ids), strict=True)]


def judged_replicates(count: int) -> range:
    """Return the numbers of judged replicates: from 0 upwards."""
    return range(count)


def tuning_replicates(count: int) -> range:
    """Return the numbers of tuning replicates: from −1 downwards."""
    return range(-1, -1 - count, -1)


def _once(*groups: Sequence[Run]) -> tuple[Run, ...]:
    """Return the runs of several groups, each once, in their order."""
    return tuple({run.id: run for group in groups for run in group}.values())
