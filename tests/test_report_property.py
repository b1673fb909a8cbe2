"""Any study that trained has a page: small studies drawn at random, trained, and drawn to completion."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from winit import catalog, figures, interactive, report, state_figures, tables
from winit.study import compose

from .test_report import Page, made_of

SMALL = [
    "study=smoke", "arms=null", "grid.initializer=[he_normal]", "grid.activation=[tanh]", "grid.depth=[2]", "grid.width=[6]",
    "grid.learning_rate=[0.1]", "grid.replicates=1", "grid.tuning_replicates=0", "training.steps=3", "training.batch_size=16",
    "pretraining.steps=2", "pretraining.batch_size=16", "measure.probe_examples=16", "measure.layer_points=2",
    "measure.curve_points=3", "analysis.resamples=100",
]  # fmt: skip

INITIALIZERS = [
    "zeros", "constant:0.1", "normal:0.01", "normal:1e29", "glorot_uniform", "he_normal", "kumar", "torch_default",
    "orthogonal:1+lsuv", "mean_field:0.5/0", "mean_field:1.5/0", "mean_field:4/0.2",
]  # fmt: skip
PRETRAINED = ["none+longer"] + [
    f"{method}{control}" for method in catalog.PRETRAINING if method != "none" for control in ("", "+shuffled", "+moments")
]


def some_of(values: list, most: int) -> st.SearchStrategy[list]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


@st.composite
def grids(draw, tuned: bool) -> dict[str, object]:
    """Draw a main grid."""
    return {
        "initializer": draw(some_of(INITIALIZERS, 3)),
        "activation": draw(some_of(["sigmoid", "tanh", "relu", "gelu"], 2)),
        "depth": draw(some_of([1, 2, 3], 2)),
        "width": draw(some_of([4, 6, 8], 1)),
        "learning_rate": draw(st.sampled_from([[0.1], [1e30], [0.01, 0.3], [0.1, 1e30]])),
        "batch_norm": draw(st.sampled_from([[False], [False], [True], [False, True]])),
        "dropout": draw(st.sampled_from([[0], [0], [0.5], [0, 0.5]])),
        "pretraining": draw(st.sampled_from([["none"], ["none"], ["none", "autoencoder"], ["supervised"]])),
        "replicates": draw(st.integers(1, 3)),
        "tuning_replicates": draw(st.integers(0, 2)) if tuned else 0,
    }  # fmt: skip


@st.composite
def arms(draw) -> dict[str, object]:
    """Draw a grid beside the main one, often from an initializer that the main one lacks."""
    factors = {
        "initializer": some_of(INITIALIZERS, 2),
        "depth": some_of([1, 2, 3], 1),
        "dropout": st.just([0.5]),
        "batch_norm": st.just([True]),
        "pretraining": some_of(PRETRAINED, 2),
    }
    chosen = draw(st.lists(st.sampled_from(list(factors)), min_size=1, max_size=3, unique=True))
    return {factor: draw(factors[factor]) for factor in chosen}


@st.composite
def studies(draw) -> list[str]:
    """Draw the overrides of a small study."""
    overrides = [f"grid.{factor}={_text(value)}" for factor, value in draw(grids(draw(st.booleans()))).items()]
    if draw(st.booleans()):
        overrides.append(f"+arms.mine={_text(draw(arms()))}")
    steps = draw(st.integers(1, 6))
    overrides += [f"training.steps={steps}", f"measure.trace_points={draw(st.sampled_from([0, 3]))}"]
    return [*overrides, f"measure.histogram_bins={draw(st.sampled_from([0, 5]))}"]


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":")).replace('"', "")


def drawn(overrides: list[str], folder: Path) -> Page:
    """Train and report a study, check that its page is whole, and return it."""
    given = [o for o in overrides if o.startswith("+arms")]
    small = [o for o in SMALL if not (given and o == "arms=null")]
    if given:  # a mapping can be added to an empty one, not to null
        small += [f"arms.{name}=null" for name in ("pretraining",)]
    study = compose([*small, *overrides])
    _, path = made_of(study, folder)
    text = path.read_text()
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    anchors = [link[1:] for link in page.links if link.startswith("#")]
    assert set(anchors) <= set(page.ids)
    bodies = re.findall(r'<section id="([^"]+)"[^>]*>(.*?)</section>', text, re.DOTALL)
    shown = {name: body for name, body in bodies}
    assert all(re.search("<(p|figure|table|dl|ol|ul|details)[ >]", re.sub('<p class="lead">.*?</p>', "", body, flags=re.DOTALL))
               for body in shown.values())  # fmt: skip
    for name, title, body in re.findall(r'<section id="([^"]+)"[^>]*>\s*<h2>(.*?) <a.*?</h2>(.*?)</section>', text, re.DOTALL):
        assert f"{title} Not shown" not in text, f"{name} is shown, and listed as left out"
        assert not re.search(r"<table[^>]*>\s*<thead>[^\0]*?</thead>\s*<tbody>\s*</tbody>", body), f"a table of {name} has no rows"
    return page


MINIMAL = [
    pytest.param(["+arms.mine={initializer:[he_normal],dropout:[0.5]}", "grid.initializer=[glorot_uniform]"], id="an-arm-the-grid-lacks"),
    pytest.param(["grid.initializer=[zeros]", "grid.depth=[2,3]"], id="zeros"),
    pytest.param([], id="one-run"),
]
