"""The protocol of an arm: which runs tune it, and at which rates it is judged.

An arm is an initializer with its pretraining, in one workload. It is trained in two stages:

1. *Tuning.* Every rate of the grid is trained on the tuning replicates. The chosen rate has the highest mean validation
   score, where failures (diverged or stuck) are scored as random guessing. Ties go to the smaller rate. While a chosen rate is
   at the edge of the rates tried, the grid is extended beyond it by the ratio of the two rates at that edge, a bounded number
   of times. If there are several factors on the learning rates of pretraining, they are tuned first, in the same way, at the
   fixed rate.
2. *Judging.* Other replicates are trained at the chosen rates, one for each budget, and at the fixed rate.

Everything follows from the scores of the runs so far, so a study that was killed continues where it stopped, and the
analysis finds the same runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log
from typing import NamedTuple


class Role(StrEnum):
    """The role of a run: learning rates are chosen on tuning runs, and initializers are compared on judged runs."""

    JUDGED = "judged"
    TUNING = "tuning"


@dataclass(frozen=True)
class Run:
    """One network, trained with one level of every factor.

    `replicate` is an index of random streams, unique among the runs of both roles.
    """

    id: str
    initializer: str
    pretraining: str
    pretraining_rate: float
    learning_rate: float
    replicate: int
    role: Role


Scores = Mapping[
    str, Sequence[float]
]  # by run id: the validation score at each budget; failures are scored as random guessing
Identify = Callable[[float, float, int], str]  # (pretraining rate, learning rate, replicate) to run id


class Schedule(NamedTuple):
    """The runs that are known to be needed.

    Attributes:
        runs: the runs, without repetition.
        is_complete: whether these are all runs; otherwise, further runs follow from their scores.
    """

    runs: tuple[Run, ...]
    is_complete: bool


class RunCounts(NamedTuple):
    """Numbers of runs of an arm, a workload or a study, before any score is known.

    Attributes:
        tuning: tuning runs on the given grid.
        least, most: bounds on the number of judged runs: the rates chosen for each budget and the fixed rate may all be
            the same, or all differ.
        extensions: largest number of tuning runs that extensions of the grid can add.
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
        """The largest possible number of runs."""
        return self.tuning + self.most + self.extensions


NO_RUNS = RunCounts(0, 0, 0, 0)


def choose(rates: Sequence[float], means: Sequence[float]) -> float:
    """Return the rate with the highest mean score; ties go to the smaller rate.

    Args:
        rates: the rates that were tried.
        means: the mean score at each rate. Differences below 1e-9 are ignored as rounding.
    """
    return max(zip(rates, means, strict=True), key=lambda pair: (round(pair[1], 9), -pair[0]))[0]


def extended(rate: float, neighbour: float) -> float:
    """Return the rate beyond the edge of a grid: rate · (rate/neighbour), to three significant digits.

    It is not rounded if rounding would lead back into a grid with very close rates.
    """
    exact = rate * (rate / neighbour)
    rounded = float(f"{exact:.3g}")
    return rounded if (rounded - rate) * (rate - neighbour) > 0 else exact


@dataclass(frozen=True)
class Arm:
    """An arm, and the runs that a study asks for.

    Attributes:
        initializer, pretraining: names.
        pretraining_rates: factors on the learning rates of pretraining.
        learning_rates: the grid, ascending.
        replicates, tuning_replicates: numbers of judged and tuning replicates.
        extensions: number of rates that may be added at each end of the grid.
        fixed_rate: the rate at which all arms are judged without tuning.
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
        """Whether there is a rate to choose, and tuning replicates to choose it on."""
        return self.tuning_replicates > 0 and max(len(self.learning_rates), len(self.pretraining_rates)) > 1

    @property
    def untuned_rate(self) -> float:
        """The rate of the grid that is nearest to the fixed rate on a log scale; ties go to the smaller rate."""
        return min(self.learning_rates, key=lambda rate: (round(abs(log(rate / self.fixed_rate)), 9), rate))

    def united(self, other: Arm) -> Arm:
        """Return the union of the arm in two grids: the rates of both, and the larger numbers."""
        return replace(
            self,
            pretraining_rates=tuple(sorted({*self.pretraining_rates, *other.pretraining_rates})),
            learning_rates=tuple(sorted({*self.learning_rates, *other.learning_rates})),
            replicates=max(self.replicates, other.replicates),
            tuning_replicates=max(self.tuning_replicates, other.tuning_replicates),
            extensions=max(self.extensions, other.extensions),
        )

    def contains(self, other: Arm) -> bool:
        """Return whether `other` is the same arm and asks for a subset of the runs."""
        return self.united(replace(other, fixed_rate=self.fixed_rate)) == self and (
            (self.initializer, self.pretraining) == (other.initializer, other.pretraining)
        )

    def counts(self, budgets: int) -> RunCounts:
        """Return its numbers of runs.

        Args:
            budgets: number of budgets.
        """
        if not self.is_tuned:
            judged = self.replicates * len(self.learning_rates) * len(self.pretraining_rates)
            return RunCounts(0, judged, judged, 0)
        rates, factors = len(self.learning_rates), len(self.pretraining_rates)
        # Trials of factors at the fixed rate. The chosen factor is also counted with the trials of rates.
        tuning = self.tuning_replicates * (rates + factors - 1)
        may_extend = 2 * self.extensions if rates > 1 else 0
        chosen = min(rates + may_extend, budgets + 1)
        return RunCounts(tuning, self.replicates, self.replicates * chosen, self.tuning_replicates * may_extend)

    def schedule(self, scores: Scores, chance: float, identify: Identify) -> Schedule:
        """Return the runs that follow from the scores so far.

        Args:
            scores: of the trained runs.
            chance: score of random guessing. The grid is not extended if no rate does better.
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
        """Return the rates to add to the rates tried, given the chosen rates of all budgets."""
        if len(rates) < 2:
            return []
        chosen, added = set(chosen), []
        below = sum(rate < self.learning_rates[0] for rate in rates)
        above = sum(rate > self.learning_rates[-1] for rate in rates)
        if rates[0] in chosen and below < self.extensions:
            added.append(extended(rates[0], rates[1]))
        if rates[-1] in chosen and above < self.extensions:
            added.append(extended(rates[-1], rates[-2]))
        return [rate for rate in added if rate not in rates]  # adjacent floating-point numbers have a ratio of 1


@dataclass(frozen=True)
class _Trials:
    """The runs of an arm at given rates, and their mean scores."""

    arm: Arm
    scores: Scores
    identify: Identify

    def runs(self, factors: Iterable[float], rates: Sequence[float], role: Role) -> list[Run]:
        """Return the runs of one role at the given pretraining rates and learning rates."""
        arm, judged = self.arm, role is Role.JUDGED
        numbers = judged_replicates(arm.replicates) if judged else tuning_replicates(arm.tuning_replicates)
        return [
            Run(self.identify(factor, rate, i), arm.initializer, arm.pretraining, factor, rate, i, role)
            for factor in factors
            for rate in rates
            for i in numbers
        ]

    def means(self, factor: float, rate: float) -> list[float]:
        """Return the mean score of the tuning runs at each budget, or None if one of them is not trained yet."""
        ids = [self.identify(factor, rate, i) for i in tuning_replicates(self.arm.tuning_replicates)]
        if any(run_id not in self.scores for run_id in ids):
            return []
        return [sum(values) / len(ids) for values in zip(*(self.scores[run_id] for run_id in ids), strict=True)]


def judged_replicates(count: int) -> range:
    """Return the indices of judged replicates: 0, 1, …"""
    return range(count)


def tuning_replicates(count: int) -> range:
    """Return the indices of tuning replicates: −1, −2, …"""
    return range(-1, -1 - count, -1)


def _once(*groups: Sequence[Run]) -> tuple[Run, ...]:
    """Return the runs of several groups without repetition, in order."""
    return tuple({run.id: run for group in groups for run in group}.values())
