"""Figures of pretraining draw their tables, and studies of deep autoencoders have their own page."""

from __future__ import annotations

import re

import numpy as np
import pytest
from markupsafe import Markup

from tests.report.made import Page, drawn_lines, made_of
from winit import schemes
from winit.report import findings, wording
from winit.report.figures import pretraining as drawings
from winit.report.figures import reconstruction
from winit.report.figures.style import figure_style
from winit.study.compose import compose

STARTS = ["normal:0.01", "he_normal"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small study with every way of pretraining."""
    study = compose(
        [
            "study=smoke", "extra_grids=null", "grid.depth=[2,3]", "grid.width=[12]", "training.steps=60", "grid.initializer=[normal:0.01,he_normal]",
            "grid.activation=[sigmoid,tanh]", "pretraining.steps=30",
            "+extra_grids.x={pretraining:[none+longer,autoencoder,autoencoder+moments,denoising_autoencoder,rbm,supervised]}",
            "measure.budgets=[30]",
        ]
    )  # fmt: skip
    return study, *made_of(study, tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def reconstructed(tmp_path_factory):
    """A small study of deep autoencoders."""
    study = compose(
        [
            "study=smoke", "task=reconstruction", "task.encoder=[16,4]", "training=adam", "training.steps=60", "grid.activation=[sigmoid]",
            "grid.initializer=[normal:0.01,glorot_uniform]", "grid.pretraining=[none,none+longer,rbm,rbm+shuffled]", "grid.learning_rate=[0.003]",
            "pretraining.steps=30", "measure.budgets=[]",
        ]
    )  # fmt: skip
    return study, *made_of(study, tmp_path_factory.mktemp("study"))


def test_accuracy_is_drawn_by_depth(made):
    _, tables, _ = made
    with figure_style():
        drawn = drawings.accuracy_by_depth(tables["all_runs"], tables["all_summary"], STARTS)
    axes = drawn.figure.axes[0]
    here = drawn.data[(drawn.data["activation"] == "sigmoid") & (drawn.data["initializer"] == "normal:0.01")]
    medians = here[here["pretraining"] == "rbm"].groupby("depth")["test_score"].median()
    assert any(np.allclose(line.get_ydata(), medians) for line in axes.get_lines() if len(line.get_ydata()) == 2)
    assert not drawn.data["pretraining"].str.contains("moments").any()
    assert not ((drawn.data["pretraining"] == "rbm") & (drawn.data["activation"] == "tanh")).any()


@pytest.mark.parametrize("equal", ["updates", "time"])
def test_gains_are_those_of_the_table_with_their_intervals(made, equal):
    _, tables, _ = made
    name = "pretraining_time_effects" if equal == "time" else "pretraining_effects"
    effects = tables[name][(tables[name]["budget"] == 60) & (tables[name]["compared_at"] == f"equal {equal}")]
    with figure_style():
        drawn = drawings.gains(effects, "normal:0.01")
    row = effects[
        (effects["activation"] == "sigmoid") & (effects["depth"] == 2) & (effects["initializer"] == "normal:0.01")
        & (effects["pretraining"] == "supervised") & (effects["compared_with"] == "best random start")
    ].iloc[0]  # fmt: skip
    assert row["reference_pretraining"] == "none+longer"
    lines = [line.get_xdata() for line in drawn.figure.axes[0].get_lines()]
    assert any(len(x) == 1 and x[0] == row["success_difference"] for x in lines)
    ends = [row["success_difference_low"], row["success_difference_high"]]
    assert any(len(x) == 2 and np.allclose(x, ends) for x in lines)


def test_comparisons_are_made_at_every_budget(made):
    _, tables, _ = made
    effects = tables["pretraining_effects"]
    longer = effects[effects["reference_pretraining"] == "none+longer"]
    assert set(zip(longer["budget"], longer["depth"], longer["reference_updates"], strict=True)) == {
        (30, 2, 90), (60, 2, 120), (30, 3, 120), (60, 3, 150)
    }  # fmt: skip
    assert set(tables["pretraining_time_effects"]["budget"]) == {30, 60}


def test_the_clock_counts_the_updates_of_pretraining(made):
    _, tables, _ = made
    with figure_style():
        data = drawings.on_the_clock(tables["all_curves"], tables["all_runs"], tables["all_summary"], STARTS, 3).data
    first, last = (data.groupby("pretraining")["updates"].agg(f) for f in ("min", "max"))
    assert first["none"] == 0 and first["rbm"] == 3 * 30 and last["rbm"] == 60 + 3 * 30 == last["none+longer"]


def test_layers_learn_and_signals_change(made):
    _, tables, _ = made
    with figure_style():
        errors = drawings.layer_errors(tables["pretraining"], tables["all_runs"], 3, "normal:0.01")
        signal = drawings.signal_through_pretraining(
            tables["all_layers"], tables["all_runs"], tables["all_summary"], 3, "normal:0.01"
        )
    of = errors.data[(errors.data["pretraining"] == "supervised") & (errors.data["activation"] == "tanh")]
    assert set(of["layer"]) == {1, 2, 3}
    one = of[of["layer"] == 1]
    axes = errors.figure.axes
    assert any(tuple(np.round(np.stack([one["step"], one["relative"]], 1), 9).ravel()) in drawn_lines(a) for a in axes)
    data = signal.data.set_index(["activation", "pretraining", "stage", "layer"])["h_variance"]
    drawn, start = (data["tanh", "autoencoder", stage] for stage in ("drawn", "start"))
    assert np.allclose(drawn, data["tanh", "none", "start"]) and (start > 10 * drawn).all()


def test_the_page_has_the_section_and_main_figures_show_the_grid_alone(made):
    _, tables, page = made
    text = page.read_text()
    assert set(tables["runs"]["pretraining"]) == {"none"} and len(tables["all_runs"]) > len(tables["runs"])
    assert 'id="pretraining"' in text and "Does greedy layerwise pretraining help?" in text
    ids = re.findall(r'<figure id="([^"]+)"', text)
    assert sum(i.startswith("fig-trainability") for i in ids) == 2 and len(Page(text).ids) == len(set(Page(text).ids))
    for finding in findings.pretraining(tables["pretraining_effects"], tables["pretraining_time_effects"]):
        assert Markup.escape(finding.text) in text
    assert f"{len(tables['all_runs']):,}" in text  # every run is counted


def test_the_findings_on_pretraining_name_both_comparisons_and_hold_numbers_of_the_table(made):
    _, tables, page = made
    effects = tables["pretraining_effects"]
    here = effects[
        (effects["activation"] == "tanh") & (effects["depth"] == 3) & (effects["budget"] == 60)
        & (effects["compared_at"] == "equal updates") & (effects["compared_with"] == "best random start")
        & ~effects["pretraining"].str.contains("+", regex=False)
    ]  # fmt: skip
    text = next(f.text for f in findings.pretraining(effects, tables["pretraining_time_effects"]) if "tanh" in f.text)
    assert "at equal updates, of 6 pretrained arms" in text and "at equal time, of 6 pretrained arms" in text
    assert schemes.label(here["reference_initializer"].iloc[0]) in text
    assert f"{wording.points(here['success_difference'].max())} points" in text
    titles = page.read_text()
    assert (
        "What pretraining gains at equal updates, from" in titles
        and "What pretraining gains at equal time, from" in titles
    )
    assert "over the best random start, at equal time" in titles


def test_deep_autoencoders_have_their_own_page(reconstructed):
    _, tables, page = reconstructed
    text = page.read_text()
    pca = tables["baselines"].set_index("baseline").at["PCA", "test_loss"]
    assert f"Principal components reach {pca:.2f}" in text
    assert "at equal updates, of 2 pretrained arms" in text and "at equal time, of 2 pretrained arms" in text
    assert "trainability" not in text and 'id="recommendation"' not in text
    with figure_style():
        drawn = reconstruction.errors(tables["all_runs"], tables["all_summary"], tables["baselines"])
    marks = sorted(
        x
        for line in drawn.figure.axes[0].get_lines()
        if line.get_marker() not in ("None", None)
        for x in line.get_xdata()
    )
    assert np.allclose(marks, sorted(drawn.data["test_loss"]))
