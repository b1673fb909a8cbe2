"""Agreement of measurement and theory, on constructed layers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winit.analysis.agreement import agreement
from winit.analysis.expectation import probe_inputs, theory


def measured(tiny, h: list[float], delta: list[float]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return layers, runs and theory of one initializer in two hidden layers, replicates with the given values."""
    workload = tiny("grid.activation=[relu]", "grid.depth=[2]", "grid.initializer=[he_normal]").workloads[0]
    expected = theory(workload, probe_inputs(workload))
    right = expected.set_index("layer")["h_variance"]
    runs = pd.DataFrame({"run_id": [str(k) for k in range(len(h))], "replicate": range(len(h))}).assign(
        role="judged",
        dataset="digits",
        activation="relu",
        depth=2,
        width=workload.width,
        batch_norm=False,
        initializer="he_normal",
        pretraining="none",
    )
    rows = [
        {"run_id": str(k), "stage": "drawn", "step": 0, "layer": layer, "h_variance": value, "delta_variance": d}
        for k in range(len(h))
        for layer, value, d in ((1, right[1], delta[k]), (2, right[2] * h[k], 1.0), (3, np.nan, 1.0))
    ]
    return pd.DataFrame(rows), runs, expected


def test_agreement_is_within_the_width_s_tolerance(tiny):
    width = tiny().workloads[0].width
    right = 10 / width  # He's gradient in the first layer, relative to the output's
    layers, runs, expected = measured(tiny, [1.0, 1.1, 0.9], [right] * 3)
    result = agreement(layers, runs, expected).set_index("quantity")
    assert result["agrees"].all() and (result["reason"] == "").all()
    assert result.at["h_variance", "measured"] / result.at["h_variance", "predicted"] == pytest.approx(0.99 ** (1 / 3))
    assert (result["low"] < result["measured"]).all() and (result["measured"] < result["high"]).all()


def test_a_disagreement_has_a_reason(tiny):
    layers, runs, expected = measured(tiny, [1e6] * 4, [0.0] * 4)
    result = agreement(layers, runs, expected).set_index("quantity")
    assert not result["agrees"].any()
    assert result.at["h_variance", "reason"] == "finite width, but more than linear propagation of noise predicts"
    assert result.at["delta_ratio", "reason"] == "the measured value is not a positive number"
    layers.loc[layers["layer"] == 1, "h_variance"] *= 100
    assert agreement(layers, runs, expected)["reason"].str.startswith("different from the first layer on").any()
    unstable = expected.assign(amplification=7.5)
    layers.loc[layers["layer"] == 1, "h_variance"] /= 100
    assert "by a factor of 7.5" in agreement(layers, runs, unstable).set_index("quantity").at["h_variance", "reason"]
