"""Measures of solutions, on predictions small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.analysis.claims.made_up import GAINS, arm, contrast, tables

DISAGREE = contrast("disagreement", *GAINS)
FAR = contrast("distance", *GAINS)
PREDICTIONS = {
    "he_normal": ([0, 1, 2, 3], [1.0, 0.9, 0.8, 0.7]),
    "glorot_normal": ([0, 1, 2, 2], [1.0, 0.9, 0.8, 0.1]),  # one of four differs from the first, by 0.6
    "kumar": ([1, 0, 2, 3], [0.2, 0.1, 0.8, 0.7]),  # two from the first, three from the second
}


def test_distances_are_means_over_pairs_and_examples(judged):
    made = tables(*map(arm, PREDICTIONS), predictions=PREDICTIONS)
    claim, cells = judged(made, DISAGREE)
    assert cells.loc[0, ["value", "low", "high"]].to_list() == pytest.approx([(1 + 2 + 3) / 12] * 3)
    assert cells.loc[0, "initializer"] == "glorot_normal, he_normal, kumar" and cells.loc[0, "replicates"] == 5
    assert claim["verdict"] == "supported" and claim["budget"] == "2,000 updates"
    assert judged(made, FAR)[1].loc[0, "value"] == pytest.approx((0.6 + 1.6 + 2.2) / 12)
    two = judged(made, DISAGREE | {"initializer": ["he_normal", "kumar"]})[1]
    assert two.loc[0, "value"] == pytest.approx(0.5)


def test_the_same_predictions_refute(judged):
    made = tables(
        arm("he_normal"), arm("kumar"), predictions=dict.fromkeys(("he_normal", "kumar"), PREDICTIONS["kumar"])
    )
    for measured in (DISAGREE, FAR):
        assert judged(made, measured)[0]["verdict"] == "refuted"


@pytest.mark.parametrize(
    "differs",
    [
        {"train_loss": 0.06}, {"status": "lost_target"}, {"learning_rate": 0.3}, {"batch_norm": True}, {"role": "tuning"},
        {"train_loss": [0.01] * 4 + [0.06]},
    ],
)  # fmt: skip
def test_only_solutions_that_were_trained_alike_are_compared(judged, differs):
    made = tables(arm("he_normal"), arm("kumar"), arm("glorot_normal", **differs), predictions=PREDICTIONS)
    value = judged(made, DISAGREE)[1].loc[0, "value"]
    partly = (4 * 0.5 + 0.5) / 5  # three of a replicate differ in 6/12, too
    assert value == pytest.approx(partly if isinstance(differs.get("train_loss"), list) else 0.5)
    alone = tables(arm("kumar"), arm("glorot_normal", **differs), predictions=PREDICTIONS)
    cells = judged(alone, DISAGREE)[1]
    assert (cells["outcome"] == "no evidence").all()


def test_replicates_are_not_compared_with_one_another(judged):
    made = tables(arm("he_normal"), arm("kumar"), predictions=PREDICTIONS)
    # In one replicate of five they agree, wherever that leaves them with respect to other replicates.
    last = made["runs"].loc[made["runs"]["replicate"] == 4, "run_id"]
    made["predictions"].loc[made["predictions"]["run_id"].isin(last), "prediction"] = 9
    values = [0.5] * 4 + [0.0]
    cells = judged(made, DISAGREE)[1]
    assert cells.loc[0, "value"] == pytest.approx(np.mean(values))
    reach = 2.7764451 * np.std(values, ddof=1) / np.sqrt(5)
    assert cells.loc[0, "high"] == pytest.approx(np.mean(values) + reach)
