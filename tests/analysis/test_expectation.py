"""The theory of a workload, in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from winit import datasets
from winit.analysis.expectation import probe_inputs, theory
from winit.study.seeds import seed


def test_theory_of_relu_under_he_in_closed_form(tiny):
    workload = tiny(
        "grid.activation=[relu]", "grid.depth=[3]", "grid.initializer=[he_normal,identity,kumar]"
    ).workloads[0]
    inputs = probe_inputs(workload)
    frame = theory(workload, inputs)
    assert set(frame["initializer"]) == {"he_normal"}  # the others are not independent, or not applicable
    x = datasets.load("digits", {}, seed(0, "data", dataset="digits", replicate=0)).train.x[
        : workload.measure.probe_examples
    ]
    q = 2 * float(np.square(x).mean())
    assert frame["z_mean_square"].tolist() == pytest.approx([q] * 4)
    # The mean of an activation goes with the length of its input: E h = √(q/2π), and is averaged over lengths.
    means = np.sqrt(2 * inputs.squares / (2 * np.pi))
    assert frame["h_variance"].tolist()[:3] == pytest.approx([q / 2 - means.mean() ** 2] * 3)
    width, classes = workload.width, 10
    assert frame["delta_ratio"].tolist() == pytest.approx([classes / width] * 3 + [1])  # 2/width · classes · 1/2
    # He's correlation map of ReLU networks: c′ = (√(1 − c²) + c (π − arccos c))/π, whatever the length (Cho & Saul 2009).
    c = frame["correlation"].to_numpy()
    np.testing.assert_allclose(
        c[1:], (np.sqrt(1 - c[:-1] ** 2) + c[:-1] * (np.pi - np.arccos(c[:-1]))) / np.pi, rtol=1e-6
    )
    normalized = tiny("grid.batch_norm=[true]").workloads[0]
    assert theory(normalized, probe_inputs(normalized)).empty
