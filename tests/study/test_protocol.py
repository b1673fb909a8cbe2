"""The protocol of an arm: what is tuned, how rates are chosen and grids extended, and what is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from math import log10

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runs import runs_of
from winit.study.protocol import Arm, Role, Run, Schedule, choose, extended

CHANCE = 0.1
# Tuned on three replicates of three rates, extended by at most two at each end.
ARM = Arm(
    "he_normal", "none", (1.0,), (0.01, 0.1, 1.0), replicates=4, tuning_replicates=3, extensions=2, fixed_rate=0.1
)
PRETRAINED = replace(ARM, pretraining="rbm", pretraining_rates=(0.3, 1.0, 3.0))

Score = Callable[[Run], tuple[float, ...]]  # of a trained run, at each budget


def identify(pretraining_rate: float, learning_rate: float, replicate: int) -> str:
    return f"{pretraining_rate:g}|{learning_rate:g}|{replicate}"


def schedule(arm: Arm, scores: dict[str, tuple[float, ...]]) -> Schedule:
    return arm.schedule(scores, CHANCE, identify)


def steps(arm: Arm, score: Score) -> Iterator[tuple[Run, ...]]:
    """Yield the runs of an arm as their scores become known, until there are no more."""
    scores: dict[str, tuple[float, ...]] = {}
    while True:
        runs, is_complete = schedule(arm, scores)
        yield runs
        lacking = [run for run in runs if run.id not in scores]
        assert lacking or is_complete, "nothing is left to train, but it is not complete"
        if not lacking:
            return
        scores |= {run.id: score(run) for run in lacking}


def final(arm: Arm, score: Score) -> tuple[Run, ...]:
    *_, runs = steps(arm, score)
    return runs


def rates(runs: tuple[Run, ...], role: Role) -> list[float]:
    return sorted({run.learning_rate for run in runs if run.role is role})


def peak(*best: float) -> Score:
    """Return scores that are highest at a rate for each budget, and fall with the distance from it on a log scale."""
    return lambda run: tuple(0.99 / (1 + abs(log10(run.learning_rate / rate)) / 10) for rate in best)


def test_the_choice_is_the_highest_mean_and_of_equals_the_smaller_rate():
    assert choose([0.1, 0.3, 1.0], [0.5, 0.9, 0.7]) == 0.3
    assert choose([1.0, 0.3, 0.1], [0.9, 0.9, 0.7]) == 0.3
    assert choose([0.1, 0.3], [0.9 - 1e-12, 0.9]) == 0.1, "a difference of rounding decides nothing"


def test_the_grid_is_extended_by_the_ratio_at_its_edge():
    assert extended(0.01, 0.1) == 0.001 and extended(1.0, 0.1) == 10.0
    assert extended(0.1, 0.3) == 0.0333  # to three significant digits
    assert extended(1.0001, 1.0) == pytest.approx(1.0001**2, rel=1e-12), "rounding must not lead back into the grid"


def test_tuning_comes_first_and_judged_runs_at_the_chosen_rate_and_the_fixed_one():
    first, *_ = steps(ARM, peak(0.1))
    assert {run.role for run in first} == {Role.TUNING}
    assert [(run.learning_rate, run.replicate) for run in first] == [
        (rate, replicate) for rate in ARM.learning_rates for replicate in (-1, -2, -3)
    ]
    *_, last = steps(ARM, peak(1.0))
    assert rates(last, Role.JUDGED) == [0.1, 1.0]
    judged = [run.replicate for run in last if run.role is Role.JUDGED]
    assert sorted(judged) == sorted([0, 1, 2, 3] * 2)
    assert rates(final(ARM, peak(0.1)), Role.JUDGED) == [0.1], "the chosen rate may be the fixed one"


def test_one_replicate_does_not_choose_against_the_mean_of_all():
    def score(run: Run) -> tuple[float, ...]:
        lucky = run.learning_rate == 1.0 and run.replicate == -1
        return (0.99 if lucky else {0.01: 0.4, 0.1: 0.7, 1.0: 0.5}[run.learning_rate],)

    assert rates(final(ARM, score), Role.JUDGED) == [0.1]


def test_a_rate_that_fails_half_of_the_time_loses_its_failures_counting_as_guessing():
    arm = replace(ARM, learning_rates=(0.1, 1.0, 10.0), tuning_replicates=2, fixed_rate=10.0)

    def score(run: Run) -> tuple[float, ...]:
        if run.learning_rate == 1.0:
            return (0.98 if run.replicate == -1 else CHANCE,)
        return ({0.1: 0.6, 10.0: CHANCE}.get(run.learning_rate, 0.2),)

    chosen = [rate for rate in rates(final(arm, score), Role.JUDGED) if rate != 10.0]
    assert chosen == [0.1]


@pytest.mark.parametrize(
    ("best", "tried"),
    [
        (0.1, [0.01, 0.1, 1.0]),
        (1.0, [0.01, 0.1, 1.0, 10.0]),
        (10.0, [0.01, 0.1, 1.0, 10.0, 100.0]),
        (1e9, [0.01, 0.1, 1.0, 10.0, 100.0]),  # bounded: the best may stay on the edge
        (0.01, [0.001, 0.01, 0.1, 1.0]),
        (1e-9, [0.0001, 0.001, 0.01, 0.1, 1.0]),
    ],
)
def test_the_grid_is_extended_while_the_best_rate_is_at_its_edge(best, tried):
    assert rates(final(ARM, peak(best)), Role.TUNING) == tried


def test_budgets_extend_both_edges_and_choose_rates_separately():
    runs = final(ARM, peak(1e9, 0.1, 1e-9))
    assert rates(runs, Role.TUNING) == [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0]
    assert rates(runs, Role.JUDGED) == [0.0001, 0.1, 100.0]
    assert rates(final(ARM, peak(0.1, 1.0)), Role.JUDGED) == [0.1, 1.0]


@pytest.mark.parametrize("score", [CHANCE, 0.0999, 0.05])
def test_where_nothing_beats_guessing_the_grid_is_not_extended(score):
    runs = final(ARM, lambda run: (score,))
    assert rates(runs, Role.TUNING) == [0.01, 0.1, 1.0] and rates(runs, Role.JUDGED) == [0.01, 0.1]


def test_a_budget_at_which_nothing_trains_does_not_extend_the_grid_of_another():
    runs = final(ARM, lambda run: (CHANCE, *peak(0.1)(run)))
    assert rates(runs, Role.TUNING) == [0.01, 0.1, 1.0]


def test_extensions_of_0_are_none():
    assert rates(final(replace(ARM, extensions=0), peak(1e9)), Role.TUNING) == [0.01, 0.1, 1.0]


def test_rates_too_close_for_three_digits_are_extended_a_bounded_number_of_times():
    for grid in [(1.0, 1.0001), (1.0012, 1.0014), (1.9999999999999996, 1.9999999999999998)]:
        arm = replace(ARM, learning_rates=grid)
        for best in (1e-9, 1e9):
            assert len(rates(final(arm, peak(best)), Role.TUNING)) <= 2 + ARM.extensions


def test_the_nearest_rate_of_the_grid_stands_for_the_fixed_one():
    assert [replace(ARM, fixed_rate=rate).untuned_rate for rate in (1e-9, 0.05, 0.2, 0.5, 7)] == [0.01, 0.1, 0.1, 1, 1]
    one, other = replace(ARM, learning_rates=(0.01, 1.0)), replace(ARM, learning_rates=(0.1, 3.0))
    assert one.untuned_rate == 0.01 and one.united(other).untuned_rate == other.united(one).untuned_rate == 0.1
    extra = final(replace(ARM, learning_rates=(1.0, 10.0), fixed_rate=0.1), peak(1e-9))
    assert 1.0 in rates(extra, Role.JUDGED), "an extension never stands for it"


@pytest.mark.parametrize("change", [{"tuning_replicates": 0}, {"learning_rates": (0.1,)}])
def test_without_tuning_every_rate_is_judged_and_no_score_is_needed(change):
    arm = replace(ARM, **change)
    runs, is_complete = schedule(arm, {})
    assert is_complete and not arm.is_tuned
    assert {run.role for run in runs} == {Role.JUDGED}
    assert [(run.learning_rate, run.replicate) for run in runs] == [
        (r, i) for r in arm.learning_rates for i in range(4)
    ]
    assert arm.counts(2).bound == len(runs)


def test_the_rates_of_pretraining_are_tuned_first_at_the_fixed_rate():
    def score(run: Run) -> tuple[float, ...]:
        return (peak(1.0)(run)[0] * {0.3: 0.5, 1.0: 0.6, 3.0: 0.7}[run.pretraining_rate],)

    first, second, *_, last = steps(PRETRAINED, score)
    assert {(run.pretraining_rate, run.learning_rate) for run in first} == {(f, 0.1) for f in (0.3, 1.0, 3.0)}
    assert {run.replicate for run in first} == {-1, -2, -3} and len(first) == 9
    added = set(second) - set(first)
    assert {(run.pretraining_rate, run.learning_rate) for run in added} == {(3.0, 0.01), (3.0, 1.0)}
    assert {run.pretraining_rate for run in last if run.role is Role.JUDGED} == {3.0}
    assert rates(last, Role.JUDGED) == [0.1, 1.0]


def test_the_rates_of_pretraining_are_chosen_at_the_full_budget():
    def score(run: Run) -> tuple[float, ...]:
        early, late = {0.3: (0.9, 0.5), 1.0: (0.5, 0.6), 3.0: (0.5, 0.55)}[run.pretraining_rate]
        return early, late

    assert {run.pretraining_rate for run in final(PRETRAINED, score) if run.role is Role.JUDGED} == {1.0}


def test_one_learning_rate_with_several_of_pretraining_is_tuned():
    arm = replace(PRETRAINED, learning_rates=(0.1,))
    runs = final(arm, lambda run: (0.9 - run.pretraining_rate / 10,))
    assert arm.is_tuned and rates(runs, Role.TUNING) == rates(runs, Role.JUDGED) == [0.1]
    assert {run.pretraining_rate for run in runs if run.role is Role.JUDGED} == {0.3}


GRIDS = st.lists(st.sampled_from([0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]), min_size=1, max_size=4, unique=True)
ARMS = st.builds(
    lambda grid, factors, judged, tuning, extensions, fixed: Arm(
        "he_normal", "rbm", tuple(sorted(factors)), tuple(sorted(grid)), judged, tuning, extensions, fixed
    ),
    GRIDS,
    st.lists(st.sampled_from([0.1, 1.0, 10.0]), min_size=1, max_size=3, unique=True),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 3),
    st.floats(1e-3, 10),
)


@settings(deadline=None)
@given(ARMS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_counts_are_bounds_at_every_stage(arm, budgets, random):
    scores: dict[str, tuple[float, ...]] = {}

    def score(run: Run) -> tuple[float, ...]:
        levels = [CHANCE, 0.3, 0.6, 0.9]
        return scores.setdefault(run.id, tuple(random.choice(levels) for _ in range(budgets)))

    known = list(steps(arm, score))
    for before, after in pairwise(known):
        assert set(before) <= set(after)
    runs, counts = known[-1], arm.counts(budgets)
    assert len({run.id for run in runs}) == len(runs)
    tuning = sum(run.role is Role.TUNING for run in runs)
    assert counts.tuning <= tuning <= counts.tuning + counts.extensions
    assert counts.least <= len(runs) - tuning <= counts.most
    assert counts.tuning + counts.least <= len(runs) <= counts.bound


@settings(deadline=None, max_examples=50)
@given(ARMS, st.randoms(use_true_random=False))
def test_the_runs_are_the_same_in_whatever_order_scores_become_known(arm, random):
    def score(run: Run) -> tuple[float, ...]:
        level = hash((run.pretraining_rate, round(run.learning_rate, 9), run.replicate)) % 7
        return (CHANCE + level / 10, CHANCE + (level * 3 % 7) / 10)

    at_once = final(arm, score)
    scores: dict[str, tuple[float, ...]] = {}
    while True:  # a study that is killed again and again, with any of its runs done
        runs, _ = schedule(arm, scores)
        lacking = [run for run in runs if run.id not in scores]
        if not lacking:
            break
        scores |= {run.id: score(run) for run in random.sample(lacking, random.randint(1, len(lacking)))}
    assert schedule(arm, scores) == Schedule(at_once, True)


def test_scores_of_other_runs_change_nothing():
    scores = {run.id: peak(0.1)(run) for run in final(ARM, peak(0.1))}
    wider = scores | {identify(1.0, rate, i): (0.99,) for rate in (0.5, 1e3) for i in (-1, -2, -3, 0)}
    assert schedule(ARM, wider) == schedule(ARM, scores)
    judged = {
        run_id: (0.0,) if not run_id.rpartition("|")[2].startswith("-") else value for run_id, value in scores.items()
    }
    assert schedule(ARM, judged) == schedule(ARM, scores), "judged runs choose nothing"


def test_an_arm_of_two_grids_is_the_union_of_both():
    other = replace(ARM, learning_rates=(0.03, 0.1), replicates=9, tuning_replicates=1, extensions=0)
    both = ARM.united(other)
    assert both == other.united(ARM)
    assert both == replace(ARM, learning_rates=(0.01, 0.03, 0.1, 1.0), replicates=9)
    assert both.contains(ARM) and both.contains(other)
    assert not ARM.contains(other) and not other.contains(ARM) and ARM.contains(ARM)
    assert not ARM.contains(replace(ARM, initializer="zeros")) and not ARM.contains(replace(ARM, pretraining="rbm"))
    assert not ARM.contains(replace(ARM, tuning_replicates=4)) and not ARM.contains(replace(ARM, extensions=3))


@pytest.mark.parametrize(("given", "taken"), [("[0.3,1,3]", 1.0), ("[0.2,3]", 3.0)])
def test_without_tuning_the_factor_nearest_to_one_is_taken(tiny, given, taken):
    study = tiny("grid.activation=[sigmoid]", "grid.pretraining=[rbm]", f"grid.pretraining_rate={given}")
    assert {run.pretraining_rate for run in runs_of(study.workloads[0])} == {taken}
