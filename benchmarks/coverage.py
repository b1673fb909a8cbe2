"""Whether the intervals and verdicts of the analysis are as sure as they say, by simulation at the sizes of the default study.

    python -m benchmarks.coverage

Draws studies of as many cells and replicates whose truth is known, and counts how often the intervals hold it, how often
verdicts are wrong, and how often a second study puts an initializer into the same set. Prints the table and writes
`benchmarks/coverage.csv` and `docs/coverage.md`. It takes a few minutes on one core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from winit.analysis import intervals
from winit.analysis.cell_sets import cell_sets
from winit.analysis.choice import MEASURES, choice_variance, probabilities
from winit.analysis.decisions import FEWEST_DECIDED, UNDECIDED, decide
from winit.analysis.ranking import Contender, compare
from winit.analysis.stats import Difference
from winit.study.schema import AnalysisSettings

ROOT = Path(__file__).parents[1]
CSV, PAGE = ROOT / "benchmarks" / "coverage.csv", ROOT / "docs" / "coverage.md"

# The main grid of the default study, and its three rates with two that tuning adds. A test compares them.
CELLS, REPLICATES, TUNING, RATES, INITIALIZERS = 18, 20, 5, 5, 9
STUDIES = 2000  # for intervals without a choice of rate
TUNED_STUDIES = 600  # with one
SETS = 6  # pairs of studies whose sets of single cells are compared
RESAMPLES = 200
SPREAD = 0.015  # standard deviation of a score between replicates
SPLIT = 0.01  # of what a replicate's split of the data adds to all its runs
MARGIN = 0.01
CHANCE = 0.1
TARGET = 0.9
KINDS = {"good": 0.45, "slower": 0.2, "below the target": 0.1, "two-faced": 0.05, "stuck": 0.2}  # of initializers
COLUMNS = ["kind", "what", "outcomes", "value", "aim"]
Row = dict[str, object]


class Truth(NamedTuple):
    """What is true of an arm: by cell and rate, how often a run fails, and the mean score of those that do not (K, R)."""

    failing: np.ndarray
    score: np.ndarray


def constant(failing: float | np.ndarray, score: float | np.ndarray = 0.9) -> Truth:
    """Return an arm with a single rate."""
    return Truth(*(np.broadcast_to(x, CELLS).astype(float)[:, None] for x in (failing, score)))


def outcomes(truth: Truth, split: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return whether runs train, and their scores (K, R, replicates); one that fails scores 0."""
    shape = (*truth.failing.shape, len(split))
    ok = rng.random(shape) >= truth.failing[..., None]
    return ok, np.where(ok, truth.score[..., None] + split + rng.normal(0, SPREAD, shape), 0.0)


def choose(validation: np.ndarray) -> np.ndarray:
    """Return the place of the rate with the best mean (…, R, replicates), of equals the first."""
    return np.round(validation.mean(axis=-1), 9).argmax(axis=-1)


def draw(truth: Truth, split: np.ndarray, rng: np.random.Generator) -> Contender:
    """Return an arm of a study: rates chosen on tuning replicates, judged on others, and the noise of the choice."""
    cells = np.arange(CELLS)
    ok, score = outcomes(truth, split, rng)
    if truth.score.shape[1] == 1:
        return Contender(pd.DataFrame(), ok[:, 0], score[:, 0], dict.fromkeys(MEASURES, 0.0))
    tuned_ok, tuned_score = outcomes(truth, rng.normal(0, SPLIT, TUNING), rng)
    validation = np.where(tuned_ok, tuned_score + rng.normal(0, SPREAD / 2, tuned_score.shape), 0.0)
    chosen = choose(validation)
    noise = np.zeros((CELLS, len(MEASURES)))
    for k in cells:
        p = probabilities(validation[k], RESAMPLES, rng)
        results = [[*tuned] for tuned in zip(tuned_ok[k], tuned_score[k], strict=True)]
        results[chosen[k]] = [ok[k, chosen[k]], score[k, chosen[k]]]
        for m, of_rates in enumerate(
            ([o.astype(float) for o, _ in results], [s for _, s in results], [s[o] for o, s in results])
        ):
            known = [
                (r.mean(), r.var(ddof=1) if len(r) > 1 else np.nan, len(r)) if len(r) else (np.nan, np.nan, 0)
                for r in of_rates
            ]
            noise[k, m] = choice_variance(p, *np.array(known).T)
    added = dict(zip(MEASURES, noise.sum(axis=0) / CELLS**2, strict=True))
    return Contender(pd.DataFrame(), ok[cells, chosen], score[cells, chosen], added)


def expected(truth: Truth, rng: np.random.Generator, draws: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the success, score and score of the runs that train of each cell (K,), in the mean over choices of rate."""
    p = np.ones((CELLS, 1))
    if truth.score.shape[1] > 1:
        counts = np.zeros(truth.score.shape)
        for _ in range(draws):
            ok, score = outcomes(truth, rng.normal(0, SPLIT, TUNING), rng)
            validation = np.where(ok, score + rng.normal(0, SPREAD / 2, score.shape), 0.0)
            counts[np.arange(CELLS), choose(validation)] += 1
        p = counts / draws
    success = 1 - truth.failing
    by_cell = [(p * x).sum(axis=1) for x in (success, success * truth.score, truth.score)]
    return by_cell[0], by_cell[1], by_cell[2]


def holds(number: Difference, truth: float) -> bool:
    """Return whether an interval holds the truth, to rounding."""
    return number.low - 1e-12 <= truth <= number.high + 1e-12


def curves(edge: bool, rng: np.random.Generator, shift: float = 0.0) -> Truth:
    """Return an arm tuned over five rates: a smooth optimum, or one beside an edge beyond which runs fail."""
    rate = np.arange(RATES) - rng.uniform(1.5, 2.5, CELLS)[:, None]
    score = 0.9 - shift - 0.01 * rate**2
    failing = np.clip(0.25 * (rate - 0.5), 0, 0.9) if edge else np.zeros_like(rate)
    return Truth(failing, score + (0.012 * rate if edge else 0.0))


def pairs_of_arms(rng: np.random.Generator) -> dict[str, tuple[Truth, Truth]]:
    """Return pairs of arms by what their outcomes are like."""
    shape = rng.beta(0.3, 0.3, (2, CELLS))
    return {
        "normal, both always train": (constant(0), constant(0, 0.89)),
        **{f"one fails with probability {q}": (constant(0), constant(q, 0.89)) for q in (0.1, 0.2, 0.3)},
        "both fail with probability 0.2": (constant(0.2), constant(0.2, 0.89)),
        "shares of success U-shaped over cells": (constant(shape[0]), constant(shape[1], 0.89)),
    }


def tuned_pairs(rng: np.random.Generator) -> dict[str, tuple[Truth, Truth]]:
    """Return pairs of arms that are tuned."""
    return {
        "five rates, smooth optimum": (curves(False, rng), curves(False, rng, 0.01)),
        "five rates, optimum beside an edge": (curves(True, rng), curves(True, rng, 0.01)),
        "five rates, one smooth, one beside an edge": (curves(False, rng), curves(True, rng)),
    }


def covered(name: str, arms: tuple[Truth, Truth], studies: int, rng: np.random.Generator) -> Iterator[Row]:
    """Yield the coverage of every interval of a pair of arms over all cells."""
    truths = [expected(arm, rng) for arm in arms]
    hits: dict[str, list[bool]] = {}
    for _ in range(studies):
        split = rng.normal(0, SPLIT, REPLICATES)
        ours, theirs = (draw(arm, split, rng) for arm in arms)
        own = theirs
        share = intervals.proportion(own.ok.sum(axis=1), np.full(CELLS, REPLICATES))
        mean = intervals.widened(intervals.mean_over_replicates(own.score), own.noise["score"])
        success, score, _ = compare(ours, theirs, 0.95)
        train = (ours.ok & theirs.ok).sum(axis=1) >= FEWEST_DECIDED
        results = {
            f"share of success, {CELLS} cells": (intervals.widened(share, own.noise["success"]), truths[1][0].mean()),
            f"mean score, {CELLS} cells": (mean, truths[1][1].mean()),
            f"difference in success, {CELLS} cells": (success, (truths[0][0] - truths[1][0]).mean()),
            f"difference in score of runs that train, {CELLS} cells": (
                score,
                (truths[0][2] - truths[1][2])[train].mean(),
            ),
        }
        for what, (number, truth) in results.items():
            hits.setdefault(what, []).append(holds(number, truth))
    for what, held in hits.items():
        yield coverage(what, name, held)


def single_cells(rng: np.random.Generator) -> Iterator[Row]:
    """Yield the coverage of the intervals of one cell of ten replicates."""
    for p in (0.5, 0.8, 0.9):
        ok = rng.random((STUDIES, REPLICATES)) >= p
        held = [holds(intervals.proportion(np.array([k]), np.array([REPLICATES])), 1 - p) for k in ok.sum(axis=1)]
        yield coverage("share of success, one cell", f"a run fails with probability {p:g}", held)
    for first, second in ((0.0, 0.1), (0.0, 0.3), (0.2, 0.2), (0.1, 0.5)):
        ours, theirs = (rng.random((STUDIES, 1, REPLICATES)) >= p for p in (first, second))
        held = [holds(intervals.paired_proportions(*both), second - first) for both in zip(ours, theirs, strict=True)]
        yield coverage("difference in success, one cell", f"runs fail with probability {first:g} and {second:g}", held)
    for failing in (0.0, 0.1, 0.2, 0.3):
        held = []
        for _ in range(STUDIES):
            train = rng.random(REPLICATES) >= failing
            pairs = rng.normal(0.01, SPREAD * np.sqrt(2), REPLICATES)[train]
            if len(pairs) >= FEWEST_DECIDED:
                held.append(holds(intervals.mean_over_cells([pairs]), 0.01))
        name = f"one fails with probability {failing:g}" if failing else "normal, both always train"
        yield coverage("difference in score of runs that train, one cell", name, held)


def coverage(what: str, outcome: str, held: list[bool]) -> Row:
    """Return a row that says how often an interval of nominally 95 % held the truth."""
    return {
        "kind": "coverage of 95 % intervals",
        "what": what,
        "outcomes": outcome,
        "value": float(np.mean(held)),
        "aim": "at least 93 %",
    }


def verdicts(arms: Callable[[], list[Truth]], studies: int, rng: np.random.Generator) -> list[set[str]]:
    """Return the verdicts of each study, in which a baseline, the last arm, is compared with all others."""
    result = []
    for _ in range(studies):
        split = rng.normal(0, SPLIT, REPLICATES)
        *others, baseline = (draw(arm, split, rng) for arm in arms())
        level = intervals.simultaneous_level(2 * len(others))
        result.append({decide(REPLICATES, *compare(arm, baseline, level)[:2], MARGIN)[0] for arm in others})
    return result


def wrong_verdicts(rng: np.random.Generator) -> Iterator[Row]:
    """Yield how many studies have any wrong verdict."""
    others, beside_an_edge = INITIALIZERS - 1, curves(True, rng)
    equal: dict[str, tuple[Callable[[], list[Truth]], int]] = {
        "all equal, always train": (lambda: [constant(0)] * INITIALIZERS, STUDIES // 4),
        **{
            f"all equal, fail with probability {q:g}": (lambda q=q: [constant(q)] * INITIALIZERS, STUDIES // 4)
            for q in (0.1, 0.2, 0.3)
        },
        "all equal, tuned beside an edge": (lambda: [beside_an_edge] * INITIALIZERS, TUNED_STUDIES // 6),
    }
    for name, (arms, studies) in equal.items():
        wrong = [bool(words & {"better", "worse"}) for words in verdicts(arms, studies, rng)]
        yield {"kind": "wrong verdicts", "what": f"any better or worse, {others} comparisons", "outcomes": name,
               "value": float(np.mean(wrong)), "aim": "at most 5 %"}  # fmt: skip
    apart = {
        "scores differ by 1.2 points": [constant(0, 0.888)] * others + [constant(0)],
        "success differs by 12 points": [constant(0.12)] * others + [constant(0)],
        "a third of the cells fail with probability 0.3": [constant(np.arange(CELLS) % 3 // 2 * 0.31)] * others
        + [constant(0)],
    }
    for name, truths in apart.items():
        wrong = ["equivalent" in words for words in verdicts(lambda t=truths: t, STUDIES // 4, rng)]
        yield {"kind": "wrong verdicts", "what": f"any equivalent, {others} comparisons", "outcomes": name,
               "value": float(np.mean(wrong)), "aim": "at most 5 %"}  # fmt: skip


def field(edges: float, rng: np.random.Generator) -> list[Truth]:
    """Return what is true of all initializers by cell and rate (K, R): most train, some are slower, some fail.

    Args:
        edges: the share of arms that are best beside an edge of stability, beyond which runs fail.
        rng: what to draw with.
    """
    rate = np.arange(RATES) - rng.uniform(1, 3, (INITIALIZERS, CELLS, 1))
    kind = rng.choice(list(KINDS), p=list(KINDS.values()), size=(INITIALIZERS, CELLS, 1))
    gap = np.select(
        [kind == "good", kind == "slower", kind == "below the target"],
        [rng.exponential(0.005, kind.shape), rng.exponential(0.03, kind.shape), rng.uniform(0.05, 0.4, kind.shape)],
        default=rng.exponential(0.01, kind.shape),
    )
    edge = np.where(rng.random(kind.shape) < edges, np.clip(0.3 * (rate - 0.7), 0, 0.9), 0.0)
    failing = np.select(
        [kind == "stuck", kind == "two-faced"], [1.0, rng.uniform(0.05, 0.95, kind.shape)], default=edge
    )
    failing, score = np.broadcast_arrays(failing, 0.97 - gap - 0.01 * rate**2)
    return [Truth(*both) for both in zip(failing, score, strict=True)]


def study(arms: list[Truth], rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return `runs` and `summary` of one study of these arms."""
    runs, summary = [], []
    split = rng.normal(0, SPLIT, REPLICATES), rng.normal(0, SPLIT, TUNING)
    cell = {
        "dataset": "digits",
        "width": 64,
        "batch_norm": False,
        "dropout": 0.0,
        "optimizer": "sgd",
        "activation": "tanh",
    }
    for number, truth in enumerate(arms):
        tuned, judged = (outcomes(truth, shared, rng)[1] for shared in (split[1], split[0]))
        validation = np.maximum(tuned + rng.normal(0, SPREAD / 2, tuned.shape) * (tuned > 0), CHANCE)
        chosen = choose(validation)
        names = cell | {"initializer": f"normal:{(number + 1) / 10}", "pretraining": "none", "pretraining_rate": 1.0}
        for k in range(CELLS):
            facts = names | {"depth": k + 1}
            summary.append(
                facts
                | {
                    "learning_rate": 10.0 ** chosen[k],
                    "is_best_rate": True,
                    "tuning_score": validation[k, chosen[k]].mean(),
                }
            )
            for role, scores, rates in (("tuning", tuned[k], range(RATES)), ("judged", judged[k], [chosen[k]])):
                for rate in rates:
                    for replicate, score in enumerate(scores[rate]):
                        runs.append(facts | {
                            "role": role, "replicate": replicate if role == "judged" else -1 - replicate, "learning_rate": 10.0**rate,
                            "test_score": max(score, CHANCE), "chance": CHANCE,
                            "status": "ok" if score >= TARGET else "missed_target" if score > 0 else "stuck",
                            "validation_score": validation[k, rate, replicate] if role == "tuning" else score,
                        })  # fmt: skip
    return pd.DataFrame(runs), pd.DataFrame(summary)


def memberships(rng: np.random.Generator) -> Iterator[Row]:
    """Yield how often two studies of the same initializers put one into the same set of its cell."""
    analysis = AnalysisSettings(baseline="normal:0.1", margin=MARGIN, fixed_rate=1.0, resamples=RESAMPLES)
    for edges in (0.0, 0.2, 0.5):
        tables = []
        for _ in range(SETS):
            arms = field(edges, rng)
            tables.append([cell_sets(*study(arms, rng), analysis, seed) for seed in (0, 1)])
        first, second = (pd.concat(side) for side in zip(*tables, strict=True))
        a, b = first["membership"].to_numpy(), second["membership"].to_numpy()
        two_faced = (first["is_two_faced"] | second["is_two_faced"]).to_numpy()
        decided = (a != UNDECIDED) & (b != UNDECIDED)
        moved = np.abs(first["test_score"].to_numpy() - second["test_score"].to_numpy())
        name = f"{100 * edges:g} % of the initializers beside an edge, {100 * np.mean(two_faced):.0f} % two-faced"
        for what, value, aim in (
            ("the same set in both", np.mean(a == b), "at least 95 %"),
            ("the same set, where neither is undecided", np.mean((a == b)[decided]), "at least 95 %"),
            ("works in one, fails in the other", np.mean(((a == "works") & (b == "fails")) | ((a == "fails") & (b == "works"))), "at most 0.5 %"),
            ("accuracy moves by more than 10 points, not marked two-faced", np.mean((moved > 0.1) & ~two_faced), "none"),
        ):  # fmt: skip
            yield {"kind": "two seeds", "what": what, "outcomes": name, "value": float(value), "aim": aim}


def simulate(seed: int = 0) -> pd.DataFrame:
    """Return every row of the table."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for name, arms in pairs_of_arms(rng).items():
        rows += covered(name, arms, STUDIES, rng)
    for name, arms in tuned_pairs(rng).items():
        rows += covered(name, arms, TUNED_STUDIES, rng)
    rows += [*single_cells(rng), *wrong_verdicts(rng), *memberships(rng)]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(["kind", "what"], kind="stable", ignore_index=True)


def page(table: pd.DataFrame) -> str:
    """Return the page of the documentation that shows the table."""
    lines = [PREFACE]
    for kind, rows in table.groupby("kind", sort=False):
        lines += [f"\n## {kind[0].upper()}{kind[1:]}\n", "| what | outcomes | simulated | aim |", "|---|---|---|---|"]
        for row in rows.to_dict("records"):
            lines.append(f"| {row['what']} | {row['outcomes']} | {100 * row['value']:.1f} % | {row['aim']} |")
    return "\n".join(lines) + "\n"


PREFACE = f"""# How sure the intervals and verdicts are

`python -m benchmarks.coverage` simulates studies whose truth is known, at the sizes of the default study's main grid:
{CELLS} cells, {REPLICATES} judged replicates, {TUNING} tuning replicates at {RATES} rates, {INITIALIZERS} initializers.
Its extra grids have ten judged replicates. Scores have a standard deviation of {100 * SPREAD:g} points between replicates,
and {100 * SPLIT:g} point more that all runs of a replicate share, as they share a split of the data. A run that fails
scores at chance.

Cells are fixed: an interval says what other replicates of the same cells would give, other tuning replicates included, and
nothing of other cells. An interval of so few runs that succeed or fail takes one of a few values, so it cannot hold the truth in
exactly 95 %. Differences in success are conservative in single cells and where runs hardly ever fail. The noise of a choice
of rate is overestimated rather than underestimated."""


def main() -> None:
    """Simulate, print and write."""
    table = simulate()
    CSV.write_text(table.to_csv(index=False, float_format="%.4f"), encoding="utf-8")
    text = page(pd.read_csv(CSV))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
