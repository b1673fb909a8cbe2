"""The phase diagram agrees with the theory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.report.made import digits, made_of
from winit.analysis import depth
from winit.report.sections import SECTIONS, convergence, phase
from winit.study.compose import compose
from winit.theory.maps import HOMOGENEOUS, critical, depth_scale


@pytest.fixture(scope="module")
def diagram(tmp_path_factory):
    """A phase diagram of six points and two named initializers, on a page of two sections."""
    root = tmp_path_factory.mktemp("diagram")
    points = [f"mean_field:{w}/{b}" for w in (0.5, 1.5, 4) for b in (0, 0.2)]
    study = compose(
        [
            "study=phase_diagram", "grid.depth=[2,4]", "grid.width=[16]", "training.steps=40", "grid.learning_rate=[0.1]",
            "grid.replicates=2", f"grid.initializer=[{','.join(points)},he_normal,edge_of_chaos:0.05]",
        ]
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depth, "PHASE_GRID", (48, 6))
        patch.setitem(SECTIONS, "classification", [phase, convergence])
        tables, page = made_of(study, root)
    return tables, page.parent


def test_the_phase_diagram_lies_on_the_theory(diagram):
    tables, folder = diagram
    phase = tables["phase"]
    assert phase[["sigma_w2", "sigma_b2"]].agg(["min", "max"]).to_numpy().tolist() == [[0.5, 0.0], [4.0, 0.2]]
    # The contour χ₁ = 1 runs through the critical points of the mean-field theory.
    for sigma_b2 in (phase["sigma_b2"].max(),):
        line = phase[phase["sigma_b2"] == sigma_b2]
        crossing = np.interp(1.0, line["chi_1"], line["sigma_w2"])
        assert crossing == pytest.approx(critical("tanh", sigma_b2)[0].sigma_w2, rel=0.01)
    for row in phase.sample(20, random_state=0).itertuples():
        scale = depth_scale("tanh", row.sigma_w2, row.sigma_b2)
        assert (row.xi_c, row.xi_gradient, row.depth_limit) == (scale.xi_c, scale.xi_gradient, 6 * scale.xi_c)
    assert (phase["xi_c"] > 1.2 * phase["xi_gradient"]).any()  # far into chaos
    data = pd.read_csv(folder / "figures" / "phase-digits.csv")
    assert len(data) == 2 * 8
    he = data[data["initializer"] == "he_normal"].iloc[0]
    assert (he["sigma_w2"], he["sigma_b2"]) == (pytest.approx(2), 0)
    page = (folder / "index.html").read_text()
    assert 'id="phase"' in page and "of 6 points (σ_w², σ_b²)" in page
    # By name, only the named initializers are drawn.
    assert set(pd.read_csv(folder / "figures" / "convergence-digits.csv")["initializer"]) == {
        "he_normal",
        "edge_of_chaos:0.05",
    }


def test_a_study_without_such_arms_has_no_phase_diagram(made):
    _, tables, page = made
    assert tables["phase"].empty and 'id="phase"' not in page.read_text()


def test_depth_limits_are_those_of_the_theory(made):
    _, tables, page = made
    limits = digits(tables["depth_limits"]).set_index(["activation", "initializer"])
    he = limits.loc[("relu", "he_normal")]
    assert np.isnan(he["depth_limit"]) and he["why_no_limit"] == HOMOGENEOUS and he["chi_1"] == pytest.approx(1)
    assert HOMOGENEOUS in page.read_text()  # in place of the limit
    tanh = limits.loc[("tanh", "torch_default")]
    assert tanh["depth_limit"] == pytest.approx(6 * tanh["xi_c"]) and tanh["xi_c"] == tanh["xi_gradient"]  # ordered
    assert limits.at[("tanh", "torch_default"), "sigma_w2"] == pytest.approx(1 / 3)
    assert ("relu", "zeros") not in limits.index  # constant weights are no random network
    best = digits(tables["summary"]).query("is_best_rate and activation == 'relu' and initializer == 'he_normal'")
    trained = best.loc[best["success_rate"] >= 0.5, "depth"]
    assert limits.at[("relu", "he_normal"), "deepest_trained"] == (trained.max() if len(trained) else 0)
