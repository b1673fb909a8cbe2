"""Figures of the ranking draw their tables, and the page shows claims, chapters and ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from tests.report.made import Page, made_of
from winit import schemes
from winit.analysis.select import of_budget
from winit.report import chapters
from winit.report.figures import ranking as ranking_figures
from winit.report.figures.style import figure_style
from winit.study.compose import compose


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small study with tuning replicates and extra grids of every kind."""
    study = compose(
        [
            "study=smoke", "extra_grids=null", "grid.depth=[2]", "grid.width=[12]", "training.steps=40", "measure.budgets=[20]",
            "grid.tuning_replicates=2", "grid.activation=[tanh,relu]",
            "grid.initializer=[zeros,normal:0.01,glorot_uniform,he_normal]", "analysis.resamples=100", "grid.replicates=5",
            "dataset.digits.target_accuracy=0.4",
            "+extra_grids.drop={initializer:[zeros],dropout:[0.5]}", "+extra_grids.norm={initializer:[normal:0.01,he_normal],batch_norm:[true]}",
        ]
    )  # fmt: skip
    return study, *made_of(study, tmp_path_factory.mktemp("study"))


def test_intervals_are_those_of_the_ranking_in_its_order(made):
    _, tables, _ = made
    with figure_style():
        drawn = ranking_figures.intervals(of_budget(tables["ranking"]), "tuned")
    rows = of_budget(tables["ranking"]).query("view == 'tuned' and activation == 'all'").reset_index(drop=True)
    axes = drawn.figure.axes[0]
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == [schemes.label(i) for i in rows["initializer"]]
    lines = [line.get_xydata() for line in axes.get_lines()]
    for y, row in rows.iterrows():
        assert any(np.allclose(xy, [[row["success_low"], y], [row["success_high"], y]]) for xy in lines if len(xy) == 2)
        assert any(np.allclose(xy, [[row["success_rate"], y]]) for xy in lines if len(xy) == 1)


def test_speed_draws_profiles_and_arrivals(made):
    _, tables, _ = made
    with figure_style():
        drawn = ranking_figures.speed(of_budget(tables["profiles"]), of_budget(tables["arrivals"]), "tuned")
    arrived = of_budget(tables["arrivals"]).query(
        "view == 'tuned' and activation == 'all' and initializer == 'he_normal'"
    )
    right = drawn.figure.axes[1]
    assert any(
        np.allclose(line.get_ydata(), arrived["share"])
        for line in right.get_lines()
        if len(line.get_ydata()) == len(arrived)
    )
    assert set(drawn.data["drawn"]) == {"profile", "arrivals"}


def test_tuning_is_drawn_against_the_fixed_rate(made):
    _, tables, _ = made
    with figure_style():
        data = ranking_figures.tuning_gain(of_budget(tables["ranking"])).data.set_index("initializer")
    views = of_budget(tables["ranking"]).query("activation == 'all'").set_index(["view", "initializer"])["success_rate"]
    assert (
        data.at["he_normal", "fixed"] == views["fixed", "he_normal"]
        and data.at["he_normal", "tuned"] == views["tuned", "he_normal"]
    )


def test_regularized_arms_are_shown_in_their_section_and_not_in_the_main_figures(made):
    _, tables, page = made
    text = page.read_text()
    assert 'id="fig-regularization-norm-2"' in text and 'id="fig-regularization-dropout"' in text
    assert not tables["runs"]["batch_norm"].any() and (tables["runs"]["dropout"] == 0).all()
    norm = pd.read_csv(page.parent / "figures" / "regularization-norm-2.csv")
    assert set(norm["initializer"]) == {"normal:0.01", "he_normal"} and set(norm["batch_norm"]) == {True, False}
    dropout = pd.read_csv(page.parent / "figures" / "regularization-dropout.csv")
    last = dropout[dropout["step"] == dropout["step"].max()].set_index(["activation", "dropout"])["distinct_share"]
    assert last["tanh", 0.0] == pytest.approx(1 / 12)  # one distinct unit of twelve, to the end


def test_tuning_replicates_are_counted_and_judged_nowhere(made):
    study, tables, page = made
    assert set(tables["all_runs"]["role"]) == {"judged", "tuning"} and set(tables["runs"]["role"]) == {"judged"}
    assert (tables["all_summary"]["runs"] == study.settings["grid"]["replicates"]).all()
    assert f"{len(tables['all_runs']):,} networks" in page.read_text()
    curves = pd.read_csv(page.parent / "figures" / "convergence-digits.csv")
    assert len(curves) and (tables["curves"]["run_id"].isin(tables["runs"]["run_id"])).all()


def test_the_page_tells_every_claim_with_its_verdict(made):
    _, tables, page = made
    text = page.read_text()
    ids = Page(text).ids
    assert len(ids) == len(set(ids))
    for _, claim in tables["claims"].iterrows():
        assert f"claim-{claim['claim']}" in ids
        assert Markup.escape(claim["evidence"]) in text and Markup.escape(claim["rule"]) in text
    verdicts = tables["claims"].set_index("claim")["verdict"]
    assert verdicts["equal-units"] == "supported" and verdicts["kumar-repairs-sigmoid"] == "not tested here"


def test_the_page_has_the_chapters_of_its_schemes_and_the_words(made):
    text = made[2].read_text()
    ids = Page(text).ids
    expected = chapters.of_study({"zeros", "normal", "glorot_uniform", "he_normal"}, is_pretrained=False)
    assert [i for i in ids if i.startswith("chapter-")] == [f"chapter-{c.id}" for c in expected]
    assert {"glossary", "cite", "ranking", "ranking-tuned", "ranking-fixed"} <= set(
        ids
    ) and "@inproceedings{glorot2010" in text


def test_every_link_within_the_page_arrives(made):
    page = Page(made[2].read_text())
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
