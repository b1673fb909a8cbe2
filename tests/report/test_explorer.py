"""The charts of the page show the tables within a budget."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from tests.report.made import digits
from winit import schemes
from winit.report import explorer
from winit.report.figures import signals
from winit.report.figures.style import figure_style
from winit.vocabulary.looks import KNOWN_LOOKS, OTHER_LOOKS


@pytest.fixture(scope="module")
def explored(made):
    return explorer.explorer(made[1])


def read(csv: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(csv))


def arm(explored, **factors) -> int:
    names = [choice.name for choice in explored.initializers]
    activations = [name for name, _ in explored.activations]
    wanted = (
        explored.settings.index(factors["setting"]), activations.index(factors["activation"]), factors["depth"],
        names.index(factors["initializer"]),
    )  # fmt: skip
    arms = read(explored.arms).set_index(["setting", "activation", "depth", "initializer"])
    return int(arms.loc[[wanted], "arm"].item())


def test_charts_show_medians_at_the_chosen_rate(made, explored):
    _, tables, _ = made
    number = arm(explored, setting="digits", activation="tanh", depth=3, initializer="he_normal")
    rows = read(explored.curves).query(f"arm == {number}").set_index("step")
    best = digits(tables["summary"]).query(
        "is_best_rate and activation == 'tanh' and depth == 3 and initializer == 'he_normal'"
    )
    chosen = tables["runs"].merge(best[["dataset", "activation", "depth", "initializer", "learning_rate"]])
    curves = tables["curves"][tables["curves"]["run_id"].isin(chosen["run_id"])]
    for metric in explorer.METRICS:
        assert rows[metric].to_numpy() == pytest.approx(curves.groupby("step")[metric].median().to_numpy(), rel=1e-3)


def test_charts_show_variances_beside_their_theory(made, explored):
    _, tables, _ = made
    number = arm(explored, setting="digits", activation="tanh", depth=3, initializer="he_normal")
    rows = read(explored.layers).query(f"arm == {number}").set_index("layer")
    with figure_style():
        forward, backward = (
            signals.signal(tables["layers"], digits(tables["runs"]), quantity, 3, digits(tables["theory"])).data
            for quantity in ("h_variance", "delta_variance")
        )
    for data, quantity in ((forward, "h_variance"), (backward, "delta_variance")):
        drawn = data.query("activation == 'tanh' and initializer == 'he_normal'").set_index("layer")
        assert rows[quantity].dropna().to_numpy() == pytest.approx(drawn[quantity].to_numpy(), rel=1e-3)
        assert rows[f"{quantity}_theory"].dropna().to_numpy() == pytest.approx(drawn["theory"].to_numpy(), rel=1e-3)


def test_charts_data_do_not_grow_with_runs(made, explored):
    _, tables, _ = made
    more = dict(tables)
    for name in ("runs", "curves", "layers"):
        twice = tables[name].assign(run_id=tables[name]["run_id"] + "x")
        more[name] = pd.concat([tables[name], twice], ignore_index=True)
    again = explorer.explorer(more)
    assert (again.arms, again.curves, again.layers) == (explored.arms, explored.curves, explored.layers)


def test_charts_data_keep_to_their_budget_and_say_so(made, explored):
    _, tables, _ = made
    size = len(explored.curves) + len(explored.layers)
    assert explored.note == "" and size < explorer.BUDGET
    small = explorer.explorer(tables, budget=size // 2)
    assert len(small.curves) + len(small.layers) <= size // 2
    assert "training accuracy" in small.note and "1 settings" in small.note.replace("1 setting,", "1 settings,")
    assert set(small.metrics) == {"test_score", "train_loss"}


def test_every_marker_of_the_catalogue_has_a_symbol():
    assert {scheme.marker for scheme in schemes.SCHEMES.values()} <= set(explorer.SHAPES)
    assert {marker for marker, _ in [*KNOWN_LOOKS.values(), *OTHER_LOOKS]} <= set(explorer.SHAPES)
