"""Differences between two seeds of a study are counted correctly, and the page shows the committed table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import stability

SETTING = {"dataset": "digits", "width": 64, "batch_norm": False, "dropout": 0.0, "optimizer": "sgd"}


def ranking(*verdicts: str) -> pd.DataFrame:
    rows = [["baseline", "glorot_uniform"], *([v, f"normal:{k}"] for k, v in enumerate(verdicts))]
    frame = pd.DataFrame(rows, columns=["verdict", "initializer"])
    return frame.assign(budget=500, view="tuned", activation="all")


def claims(*verdicts: str) -> pd.DataFrame:
    return pd.DataFrame({"claim": [f"claim-{k}" for k in range(len(verdicts))], "verdict": verdicts})


def evidence(initializer: str, *outcomes: str) -> pd.DataFrame:
    frame = pd.DataFrame({"outcome": outcomes}).assign(claim="deep", quantity="a gap", budget=pd.NA, depth=2)
    return frame.assign(activation="tanh", pretraining="none", initializer=initializer, **SETTING)


def sets(memberships: list[str], budget: int = 500) -> pd.DataFrame:
    rows = {"membership": memberships, "initializer": [f"normal:{k}" for k in range(len(memberships))]}
    return pd.DataFrame(rows).assign(budget=budget, activation="tanh", depth=2, **SETTING)


def summary(*scores: float, ok: int = 10, pretraining: str = "none") -> pd.DataFrame:
    """Return arms of ten judged runs at two rates, of which the first is chosen, with given numbers of ok and stuck runs."""
    rows = {"test_score": scores, "initializer": [f"normal:{k}" for k in range(len(scores))]}
    best = pd.DataFrame(rows).assign(
        ok=ok, lost_target=0, missed_target=0, runs=10, is_best_rate=True, learning_rate=0.1
    )
    best = best.assign(budget=500, activation="tanh", depth=2, pretraining=pretraining, **SETTING)
    return pd.concat([best, best.assign(is_best_rate=False, learning_rate=0.3, test_score=0.1)])


def tuning(chosen: float, rates: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0), initializer: str = "kumar") -> pd.DataFrame:
    frame = pd.DataFrame({"learning_rate": rates, "is_chosen": [rate == chosen for rate in rates]})
    names = {"initializer": initializer, "pretraining": "none", "pretraining_rate": 1.0}
    return frame.assign(budget=500, activation="tanh", depth=2, **names, **SETTING)


def study(**tables: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        "ranking": ranking("better"),
        "claims": claims("supported"),
        "claims_evidence": evidence("kumar", "supports"),
        "cell_sets": sets(["works"]),
        "summary": summary(0.9),
        "tuning": tuning(0.1),
    } | tables


def compared(first: dict[str, pd.DataFrame], second: dict[str, pd.DataFrame], budget: str = "all") -> dict[str, float]:
    table = stability.compare("tiny", first, second)
    return table[table["budget"] == budget].set_index("what")["value"].to_dict()


def test_a_study_agrees_with_itself_and_meets_every_aim():
    table = stability.compare("tiny", study(), study())
    assert list(table["what"].unique()) == list(stability.AIMS)
    assert all(stability.AIMS[what].is_met(value) for what, value in zip(table["what"], table["value"], strict=True))
    assert "**no**" not in stability.page(table)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("ranking", ranking("better", "worse", "equivalent", "better"), ranking("worse", "worse", "worse", "better")),
        (
            "claims",
            claims("supported", "refuted", "mixed", "supported"),
            claims("refuted", "refuted", "supported", "supported"),
        ),
        (
            "cell_sets",
            sets(["works", "fails", "undecided", "worse"]),
            sets(["fails", "fails", "works", "worse"]),
        ),
        (
            "claims_evidence",
            evidence("kumar", "supports", "refutes", "undecided", "supports"),
            evidence("kumar", "refutes", "refutes", "supports", "supports"),
        ),
    ],
)
def test_verdicts_agree_or_contradict(name, first, second):
    values = compared(study(**{name: first}), study(**{name: second}))
    title = stability.NAMES[name]
    assert (values[f"{title} that agree"], values[f"{title} that contradict"]) == (0.5, 0.25)
    if name != "claims_evidence":  # which has no aim
        table = stability.compare("tiny", study(**{name: first}), study(**{name: second}))
        assert stability.page(table).count("**no**") == 2


def test_the_baseline_of_a_ranking_is_no_verdict():
    assert len(stability.verdicts("ranking", ranking("better"), ranking("better"))) == 1


def test_a_cell_is_found_again_though_another_initializer_was_the_best_on_the_tuning_replicates():
    pairs = stability.verdicts("claims_evidence", evidence("kumar", "supports"), evidence("he_normal", "supports"))
    assert len(pairs) == 1 and pairs["agree"].all()


def test_accuracies_change_and_two_faced_arms_are_separated():
    first, second = summary(0.9, 0.9, 0.9, 0.9), summary(0.9, 0.88, 0.86, 0.7)
    values = compared(study(summary=first), study(summary=second))
    moved = [values[name] for name in stability.AIMS if name.startswith("accuracies")]
    assert moved == [0.75, 0.5, 0.25] * 2
    second["ok"] = [10, 10, 10, 5] * 2  # one side suffices
    values = compared(study(summary=first), study(summary=second))
    moved = [values[name] for name in stability.AIMS if name.startswith("accuracies")]
    assert moved == pytest.approx([0.75, 0.5, 0.25, 2 / 3, 1 / 3, 0])


def test_accuracies_of_pretrained_arms_count():
    first, second = (pd.concat([summary(0.9), summary(score, pretraining="rbm")]) for score in (0.9, 0.7))
    assert stability.movements(first, second)["moved"].tolist() == pytest.approx([0, 0.2])


@pytest.mark.parametrize(("first", "second", "notches"), [(0.1, 0.1, 0), (0.1, 0.3, 1), (0.03, 0.3, 2)])
def test_distances_between_rates_are_in_steps_of_the_grid(first, second, notches):
    assert stability.notches(tuning(first), tuning(second))["notches"].tolist() == [notches]


def test_a_rate_that_one_side_added_is_a_notch_of_its_own():
    extended = tuning(3.0, (0.03, 0.1, 0.3, 1.0, 3.0))
    assert stability.notches(tuning(1.0), extended)["notches"].tolist() == [1]
    assert stability.notches(tuning(0.3), extended)["notches"].tolist() == [2]


def test_an_arm_without_a_choice_is_not_counted():
    fixed = tuning(0.3, (0.3,), "zeros")
    both = pd.concat([tuning(0.1), fixed])
    assert len(stability.notches(both, both)) == 1
    assert stability.notches(fixed, fixed).empty


def test_budgets_are_counted_separately_and_together():
    first = pd.concat([sets(["works"]), sets(["works"], budget=1500)])
    second = pd.concat([sets(["fails"]), sets(["works"], budget=1500)])
    sides = study(cell_sets=first), study(cell_sets=second)
    title = f"{stability.NAMES['cell_sets']} that agree"
    assert [compared(*sides, budget)[title] for budget in ("500", "1500", "all")] == [0, 1, 0.5]
    assert "| 0.0 % | 100.0 % | 50.0 % | 2 | at least 95 % | **no** |" in stability.page(stability.compare("t", *sides))


def test_two_studies_that_are_no_two_seeds_are_refused():
    settings = {"name": "default", "seed": 0, "grid": {"depth": [2]}}
    stability.check(settings, settings | {"name": "default_seed1", "seed": 1})
    with pytest.raises(ValueError, match="seed 0; run the second one with another"):
        stability.check(settings, settings)
    with pytest.raises(ValueError, match="differ in grid; only"):
        stability.check(settings, settings | {"seed": 1, "grid": {"depth": [3]}})


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no study\.yaml; it takes the folder"):
        stability.read(tmp_path)


def test_a_share_of_0_is_undefined():
    assert np.isnan(compared(study(tuning=tuning(0.1, (0.1,))), study(tuning=tuning(0.1, (0.1,))))[stability.RATES])


def test_the_page_shows_the_committed_table():
    assert stability.PAGE.read_text(encoding="utf-8") == stability.page(pd.read_csv(stability.CSV)), (
        "docs/stability.md is not what docs/stability.csv says: run make stability"
    )
