"""The page describes the protocol of its study."""

from __future__ import annotations

import pytest

from winit.report import protocol
from winit.study.compose import compose

PLAIN = ["study=smoke", "extra_grids=null"]


def test_a_tuned_study_names_its_replicates_and_extensions():
    study = compose(
        [*PLAIN, "grid.tuning_replicates=4", "grid.replicates=7", "grid.extensions=2", "analysis.fixed_rate=0.2"]
    )
    text = protocol.choice(study)
    for part in ("on 4 tuning replicates", "7 replicates of its own", "at most 2 rates at each end", "nearest to 0.2"):
        assert part in text
    assert protocol.at_rate(study) == "each arm at the rate chosen for it on 4 tuning replicates"
    assert "did not extend the grid" in protocol.choice(compose([*PLAIN, "grid.extensions=0"]))
    more = compose([*PLAIN, "grid.replicates=7", "+extra_grids.x={depth:[3],replicates:6}"])
    assert "7 replicates of its own (6 in extra grids) were judged" in protocol.choice(more)


def test_one_rate_is_not_called_a_choice():
    study = compose([*PLAIN, "grid.learning_rate=[0.1]", "grid.tuning_replicates=0"])
    assert protocol.at_rate(study) == "at the study's only learning rate, 0.1"
    assert "No rate was tuned" in protocol.choice(study) and "cannot say" in protocol.choice(study)
    assert "tuning" not in protocol.choice(study)


def test_without_tuning_replicates_the_page_states_that_the_same_runs_are_judged():
    study = compose([*PLAIN, "grid.tuning_replicates=0"])
    assert "The same runs are judged, so the study cannot say" in protocol.choice(study)
    assert "tuning replicate" not in protocol.at_rate(study)


@pytest.mark.parametrize(
    ("given", "read"),
    [("[50,80]", "after 50, 80 and 200 updates. Every run"), ("[]", "after 200 updates. With one budget the study cannot distinguish")],
)  # fmt: skip
def test_runs_are_evaluated_at_the_budgets(given, read):
    assert read in protocol.reading(compose([*PLAIN, f"measure.budgets={given}"]))


def test_extra_grids_have_a_question_and_the_levels_that_differ():
    study = compose(
        [
            *PLAIN,
            "+extra_grids.deep={question: What is left?,initializer:[he_normal],depth:[20,30],replicates:6}",
            "+extra_grids.norm={batch_norm:[true],optimizer:[adam]}",
        ]
    )
    assert protocol.extra_grids(study) == [
        ("deep", "What is left?", "initializer He normal; depth 20 and 30; 6 replicates"),
        ("norm", "", "with batch normalization; optimizer Adam"),
    ]
    assert protocol.extra_grids(compose(PLAIN)) == []
