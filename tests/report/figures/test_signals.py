"""Figures of untrained networks draw their tables."""

from __future__ import annotations

import numpy as np
import pytest

from tests.report.made import digits
from winit import schemes
from winit.report.figures import signals
from winit.report.figures.style import figure_style


def test_signal_draws_geometric_means_in_the_catalogues_colours(made):
    _, tables, _ = made
    runs = digits(tables["runs"])
    with figure_style():
        drawn = signals.signal(tables["layers"], runs, "z_variance", depth=3)
    one = runs.query("depth == 3 and activation == 'tanh' and initializer == 'he_normal'")
    one = one[one["learning_rate"] == one["learning_rate"].min()]
    values = tables["layers"].query("stage == 'drawn' and layer == 2")
    values = values[values["run_id"].isin(one["run_id"])]["z_variance"]
    assert len(values) == 3
    expected = np.exp(np.log(values).mean())
    got = drawn.data.query("activation == 'tanh' and initializer == 'he_normal' and layer == 2")["z_variance"].item()
    assert got == pytest.approx(expected)
    axes = next(a for a in drawn.figure.axes if a.get_title() == "tanh")
    colours = {line.get_color(): line for line in axes.get_lines()}
    line = colours[schemes.style("he_normal")["color"]]
    assert line.get_ydata()[1] == pytest.approx(expected)


def test_signal_draws_the_theory_dotted_and_from_the_outputs_value(made):
    _, tables, _ = made
    theory = tables["theory"].query("dataset == 'digits' and depth == 3")
    with figure_style():
        drawn = signals.signal(tables["layers"], digits(tables["runs"]), "delta_variance", 3, tables["theory"])
    one = drawn.data.query("activation == 'tanh' and initializer == 'he_normal'").set_index("layer")
    expected = theory.query("activation == 'tanh' and initializer == 'he_normal'").set_index("layer")["delta_ratio"]
    assert one["theory"].to_numpy() == pytest.approx(expected.to_numpy() * one["delta_variance"][4])
    axes = next(a for a in drawn.figure.axes if a.get_title() == "tanh")
    dotted = [line.get_ydata() for line in axes.get_lines() if line.get_linestyle() == ":"]
    assert any(np.allclose(values, one["theory"]) for values in dotted)


def test_correlations_are_drawn_with_their_theory(made):
    _, tables, _ = made
    with figure_style():
        drawn = signals.correlation(tables["layers"], digits(tables["runs"]), 3, tables["theory"])
    row = drawn.data.query("activation == 'relu' and initializer == 'he_normal' and layer == 2").iloc[0]
    runs = digits(tables["runs"]).query("activation == 'relu' and initializer == 'he_normal' and depth == 3")
    at = tables["layers"][(tables["layers"]["stage"] == "drawn") & (tables["layers"]["layer"] == 2)]
    assert row["correlation"] == pytest.approx(at[at["run_id"].isin(runs["run_id"])]["correlation"].mean())
    expected = digits(tables["theory"]).query(
        "activation == 'relu' and initializer == 'he_normal' and depth == 3 and layer == 2"
    )
    assert row["theory"] == pytest.approx(expected["correlation"].item())


def test_signals_are_shaded_as_far_as_they_agree(made):
    _, tables, _ = made
    with figure_style():
        drawn = signals.signal(tables["layers"], digits(tables["runs"]), "delta_variance", 3, tables["theory"])
    row = drawn.data.query("activation == 'tanh' and initializer == 'kumar' and layer == 1").iloc[0]
    agreed = digits(tables["agreement"]).query(
        "activation == 'tanh' and initializer == 'kumar' and depth == 3 and quantity == 'delta_ratio'"
    )
    assert row["low"] / row["theory"] == pytest.approx((agreed["low"] / agreed["predicted"]).item())
    assert row["high"] / row["theory"] == pytest.approx((agreed["high"] / agreed["predicted"]).item())


def test_histograms_draw_shares_of_all_counts(made):
    _, tables, page = made
    with figure_style():
        drawn = signals.histograms(tables["histograms"], digits(tables["runs"]), "h_count", 3)
    sums = drawn.data.groupby(["initializer", "activation", "layer"])["share"].sum()
    assert np.allclose(sums, 1) and set(drawn.data["layer"]) == {1, 2, 3}
    assert 'id="histograms"' in page.read_text()
