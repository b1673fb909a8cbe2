"""Arms against arms, on tables small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.analysis.pretraining_effects import pretraining_effects

SETTING = {
    "dataset": "digits",
    "activation": "tanh",
    "depth": 3,
    "width": 8,
    "batch_norm": False,
    "dropout": 0.0,
    "optimizer": "sgd",
}


def tables(accuracies: dict[tuple[str, str], list[float]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs and summary of arms (initializer, pretraining), one accuracy a replicate; NaN diverged."""
    rows = [
        SETTING
        | {
            "initializer": i,
            "pretraining": p,
            "learning_rate": 0.1,
            "role": "judged",
            "replicate": r,
            "test_score": a,
            "status": "diverged" if np.isnan(a) else "ok",
        }
        for (i, p), values in accuracies.items()
        for r, a in enumerate(values)
    ]
    summary = [
        SETTING | {"initializer": i, "pretraining": p, "learning_rate": 0.1, "is_best_rate": True,
                   "tuning_score": np.nanmedian(values), "tuning_loss": 1.0}
        for (i, p), values in accuracies.items()
    ]  # fmt: skip
    return pd.DataFrame(rows), pd.DataFrame(summary)


def test_every_reference_is_met_in_pairs():
    runs, summary = tables({
        ("normal:0.01", "none"): [0.1, 0.1, 0.1, 0.1],
        ("normal:0.01", "rbm"): [0.9, 0.8, 0.9, 0.8],
        ("normal:0.01", "rbm+moments"): [0.5, 0.4, 0.5, 0.4],
        ("he_normal", "none"): [0.9, 0.8, 0.9, 0.8],
        ("glorot_uniform", "none"): [0.7, 0.7, 0.7, np.nan],
        ("constant:0.1", "none"): [0.99, 0.99, 0.99, 0.99],
    })  # fmt: skip
    result = pretraining_effects(runs, summary, 0.01).set_index(["pretraining", "compared_with"])
    assert set(result.loc["rbm"].index) == {"same start", "small weights", "best scaled", "moments"}
    best = result.loc[("rbm", "best scaled")]
    assert best["reference_initializer"] == "he_normal" and best["difference"] == 0 and best["verdict"] == "equivalent"
    start = result.loc[("rbm", "same start")]
    # Differences 0.8, 0.7, 0.8, 0.7: standard deviation 0.0577, half-width 3.1824 · 0.0577/2.
    assert start["difference"] == pytest.approx(0.75) and start["verdict"] == "better"
    assert start["difference_high"] - 0.75 == pytest.approx(3.18245 * 0.057735 / 2, rel=1e-4)
    assert result.loc[("rbm", "moments"), "difference"] == pytest.approx(0.4)
    assert result.loc[("rbm+moments", "same start"), "difference"] == pytest.approx(0.35)


def test_a_diverged_run_counts_as_nothing_right():
    runs, summary = tables({("he_normal", "none"): [0.5, np.nan, 0.5], ("he_normal", "autoencoder"): [0.5, 0.5, 0.5]})
    result = pretraining_effects(runs, summary, 0.01).set_index("compared_with")
    assert result.at["same start", "difference"] == pytest.approx(0.5 / 3)
    assert result.at["same start", "replicates"] == 3


def test_a_study_without_pretraining_has_none():
    assert pretraining_effects(*tables({("he_normal", "none"): [0.5]}), 0.01).empty
