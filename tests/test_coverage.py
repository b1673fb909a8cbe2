"""The page on coverage shows the committed simulation, which meets its aims and is able to fail."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import coverage
from winit.study.compose import compose


def test_the_page_shows_what_was_simulated():
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page(pd.read_csv(coverage.CSV)), (
        "docs/coverage.md is not what benchmarks/coverage.csv says: run python -m benchmarks.coverage"
    )


def test_the_sizes_are_those_of_the_default_study():
    grid = compose().grid
    cells = len(grid.dataset) * len(grid.activation) * len(grid.depth) * len(grid.width)
    assert (cells, len(grid.initializer)) == (coverage.CELLS, coverage.INITIALIZERS)
    assert (grid.replicates, grid.tuning_replicates) == (coverage.REPLICATES, coverage.TUNING)
    assert len(grid.learning_rate) + grid.extensions == coverage.RATES


def test_intervals_and_verdicts_meet_their_aims():
    table = pd.read_csv(coverage.CSV)
    intervals = table[table["kind"].str.startswith("coverage")]
    assert len(intervals) > 30 and (intervals["value"] >= 0.925).all()  # 93 %, less the error of the simulation
    assert (table.loc[table["kind"] == "wrong verdicts", "value"] <= 0.05).all()


def test_a_truth_that_is_none_is_not_held():
    rng = np.random.default_rng(0)
    arms = coverage.constant(0), coverage.constant(0.3)
    rows = {row["what"]: row["value"] for row in coverage.covered("", arms, 40, rng)}
    assert min(rows.values()) >= 0.8
    ours, theirs = (coverage.draw(arm, np.zeros(coverage.REPLICATES), rng) for arm in arms)
    success, _, _ = coverage.compare(ours, theirs, 0.95)
    assert coverage.holds(success, 0.3) and not coverage.holds(success, 0.1)
