"""Figures of training draw their tables."""

from __future__ import annotations

import pandas as pd

from tests.report.made import digits, drawn_lines
from winit import schemes
from winit.report.figures import trainability
from winit.report.figures.style import figure_style


def test_convergence_draws_the_medians(made):
    _, tables, _ = made
    with figure_style():
        drawn = trainability.convergence(
            tables["curves"], digits(tables["runs"]), digits(tables["summary"]), "test_score"
        )
    by_panel = {(a.get_title(), a.get_ylabel()): a for a in drawn.figure.axes}
    axes = by_panel["sigmoid", "depth 2"]
    data = drawn.data[(drawn.data["activation"] == "sigmoid") & (drawn.data["depth"] == 2)]
    lines = drawn_lines(axes)
    for name, rows in data.groupby("initializer"):
        assert tuple(rows[["step", "test_score"]].to_numpy().round(9).ravel()) in lines, name
    best = digits(tables["summary"]).query(
        "is_best_rate and activation == 'sigmoid' and depth == 2 and initializer == 'he_normal'"
    )
    chosen = tables["runs"].merge(best[["dataset", "activation", "depth", "initializer", "learning_rate"]])
    by_hand = tables["curves"][tables["curves"]["run_id"].isin(chosen["run_id"])].groupby("step")["test_score"].median()
    got = data[data["initializer"] == "he_normal"].set_index("step")["test_score"]
    pd.testing.assert_series_equal(got, by_hand, check_names=False, check_dtype=False)


def test_trainability_writes_the_numbers_of_the_summary(made):
    _, tables, _ = made
    with figure_style():
        drawn = trainability.trainability(digits(tables["summary"]), tables["not_applicable"])
    axes = next(a for a in drawn.figure.axes if a.get_title() == "ReLU")
    written = [t.get_text() for t in axes.texts]
    assert "not trained" in written
    best = digits(tables["summary"]).query("is_best_rate and activation == 'relu'")
    names, depths = schemes.in_order(digits(tables["summary"])["initializer"]), sorted(best["depth"].unique())
    for _, row in best.iterrows():
        position = (depths.index(row["depth"]) + 0.5, names.index(row["initializer"]) + 0.5)
        (text,) = [t.get_text() for t in axes.texts if t.get_position() == position]
        assert text.split()[0] == f"{100 * row['test_score']:.0f}"
        assert ("✓" in text) == (row["ok"] == row["runs"])


def test_choices_on_the_edge_and_added_rates_are_marked():
    rates, scores = [0.01, 0.1, 1.0], [0.3, 0.5, 0.7]
    setting = dict(zip(trainability.FACETS, ["digits", "tanh", 2, 8, False, 0.0, "sgd", "rbm"], strict=True))
    tuned = pd.DataFrame({"learning_rate": rates, "mean_score": scores, "is_extension": [True, False, False]}).assign(
        **setting,
        initializer="he_normal",
        pretraining_rate=1.0,
        runs=3,
        diverged=0,
        is_chosen=[False, False, True],
        is_edge=[False, False, True],
    )
    other = tuned.assign(pretraining_rate=0.3, mean_score=0.9, is_chosen=False, is_edge=False, is_extension=False)
    with figure_style():
        drawn = trainability.learning_rate(pd.concat([tuned, other]))
        inside = trainability.learning_rate(tuned.assign(is_edge=False, is_extension=False))
    marks = [
        {line.get_marker(): line.get_xydata().tolist() for line in each.figure.axes[0].get_lines()}
        for each in (drawn, inside)
    ]
    assert marks[0]["s"] == [[1.0, 0.7]] and marks[0]["x"] == [[0.01, 0.3]]
    assert marks[1]["o"] == [[1.0, 0.7]] and not marks[1]["x"]
    assert drawn.data["mean_score"].tolist() == scores, (
        "the factor on pretraining's rates that was not chosen is left out"
    )


def test_symmetry_is_drawn_from_the_counts(made):
    _, tables, _ = made
    with figure_style():
        drawn = trainability.symmetry(tables["layers"], digits(tables["runs"]), depth=2)
    zeros = drawn.data[drawn.data["initializer"] == "zeros"]
    assert (zeros["distinct_share"] == 1 / 12).all() and (zeros["highest"] == 1).all()
    assert (drawn.data.loc[drawn.data["initializer"] == "he_normal", "distinct_share"] == 1).all()


def test_curves_of_many_panels_go_through_fewer_steps():
    steps = [*range(30), 100, 100]
    assert trainability.drawn_steps(steps, trainability.MANY_PANELS) == [*range(30), 100]
    thinned = trainability.drawn_steps(steps, trainability.MANY_PANELS + 1)
    assert len(thinned) == trainability.FEWER_STEPS and thinned[0] == 0 and thinned[-1] == 100
    assert set(thinned) < set(steps) and thinned == sorted(thinned)
    assert trainability.drawn_steps([0, 5], trainability.MANY_PANELS + 1) == [0, 5]
