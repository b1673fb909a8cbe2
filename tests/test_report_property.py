"""Every trained study has a page: random small studies are composed, trained and reported."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.report.made import Page, made_of
from winit.analysis import baselines, depth
from winit.report.sections import SECTIONS, replay
from winit.study.compose import compose
from winit.vocabulary.pretraining import PRETRAINING

SMALL = {
    "initializer": ["he_normal"], "activation": ["tanh"], "depth": [2], "width": [6], "learning_rate": [0.1],
    "replicates": 1, "tuning_replicates": 0,
}  # fmt: skip
BRIEF = [
    "study=smoke", "training.steps=3", "training.batch_size=16", "pretraining.steps=2", "pretraining.batch_size=16",
    "measure.probe_examples=16", "measure.layer_points=2", "measure.curve_points=3", "analysis.resamples=100",
]  # fmt: skip
INITIALIZERS = [
    "zeros", "constant:0.1", "normal:0.01", "normal:1e29", "glorot_uniform", "he_normal", "kumar", "torch_default",
    "orthogonal:1+lsuv", "mean_field:0.5/0", "mean_field:1.5/0", "mean_field:4/0.2",
]  # fmt: skip
PRETRAINED = [
    "none+longer",
    *(f"{method}{control}" for method in PRETRAINING if method != "none" for control in ("", "+shuffled", "+moments")),
]
RECONSTRUCTION = ["task=reconstruction", "task.encoder=[6,3]"]


@pytest.fixture(autouse=True, scope="module")
def _coarse():
    """Compute and draw less of what is the same, or takes equally long, for every study: these tests draw many pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depth, "PHASE_GRID", (6, 4))  # chaotic ReLU networks take long
        patch.setattr(baselines, "MOST_ITERATIONS", 3)
        classification = [section for section in SECTIONS["classification"] if section is not replay]
        patch.setitem(SECTIONS, "classification", classification)
        yield


def levels(values: list, most: int) -> st.SearchStrategy[list]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


# The page repeats its sections for each setting, so a study has few of them.
SETTINGS = st.sampled_from(
    [
        {}, {}, {"batch_norm": [True]}, {"batch_norm": [False, True]}, {"dropout": [0.5]}, {"dropout": [0, 0.5]},
        {"pretraining": ["none", "autoencoder"]}, {"pretraining": ["supervised"]},
    ]
)  # fmt: skip


@st.composite
def grids(draw) -> dict[str, object]:
    """Draw a main grid."""
    return draw(SETTINGS) | {
        "initializer": draw(levels(INITIALIZERS, 3)),
        "activation": draw(levels(["sigmoid", "tanh", "relu", "gelu"], 2)),
        "depth": draw(levels([1, 2, 3], 2)),
        "width": draw(levels([4, 6, 8], 1)),
        "learning_rate": draw(st.sampled_from([[0.1], [1e30], [0.01, 0.3], [0.1, 1e30]])),
        "replicates": draw(st.integers(1, 3)),
        "tuning_replicates": draw(st.integers(0, 2)),
    }


@st.composite
def arms(draw) -> dict[str, object]:
    """Draw a grid beside the main one, often from an initializer that the main one lacks."""
    factors = {
        "initializer": levels(INITIALIZERS, 2), "depth": levels([1, 2, 3], 1), "dropout": st.just([0.5]),
        "batch_norm": st.just([True]), "pretraining": levels(PRETRAINED, 2),
    }  # fmt: skip
    chosen = draw(st.lists(st.sampled_from(list(factors)), min_size=1, max_size=3, unique=True))
    return {factor: draw(factors[factor]) for factor in chosen}


@st.composite
def studies(draw) -> tuple[dict[str, object], dict[str, object], list[str]]:
    """Draw a study: its main grid, the grid beside it, which may be none, and other overrides."""
    others = [
        f"training.steps={draw(st.integers(1, 6))}", f"measure.trace_points={draw(st.sampled_from([0, 3]))}",
        f"measure.histogram_bins={draw(st.sampled_from([0, 5]))}",
    ]  # fmt: skip
    return draw(grids()), draw(arms()) if draw(st.booleans()) else {}, others


def written(value: object) -> str:
    return json.dumps(value, separators=(",", ":")).replace('"', "")


def page_of(grid: dict[str, object], arm: dict[str, object], *others: str) -> str:
    """Train and report a study, check that its page is whole, and return the page."""
    follows = {"depth", "width"} if "task=reconstruction" in others else set()  # from the encoder
    overrides = [
        f"++grid.{factor}={written(value)}" for factor, value in (SMALL | grid).items() if factor not in follows
    ]
    beside = [f"+extra_grids.mine={written(arm)}", "extra_grids.pretraining=null"] if arm else ["extra_grids=null"]
    try:
        study = compose([*BRIEF, *overrides, *beside, *others])
    except ValueError as refusal:
        assert any(words in str(refusal) for words in ("not applicable", "fits none", "nothing to train")), refusal
        return ""
    with tempfile.TemporaryDirectory() as folder:
        text = made_of(study, Path(folder))[1].read_text()
    check(text)
    return text


def check(text: str) -> None:
    """Check that a page's links have their anchors, and that no section or table is empty."""
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    for name, body in re.findall(r'<section id="([^"]+)"[^>]*>(.*?)</section>', text, re.DOTALL):
        beside_its_lead = re.sub(r'<h2>.*?</h2>|<p class="lead">.*?</p>|<h3.*?</h3>', "", body, flags=re.DOTALL)
        assert re.search(r"<(p|li|figure|table|dl|details)\b", beside_its_lead), f"section {name} is empty"
        for table in re.findall(r"<table.*?</table>", body, re.DOTALL):
            assert re.search(r"<td|<tr><th", table.split("<tbody>")[1]), f"a table of section {name} has no rows"


def left_out(text: str) -> list[str]:
    """Return the sentences that say what a page does not show."""
    return re.findall(r"<(?:li|p class=\"note\")>([^<]*Not shown: [^<]*)<", text)


@settings(max_examples=4, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(studies())
def test_any_study_that_trained_has_a_page(drawn):
    grid, arm, others = drawn
    page_of(grid, arm, *others)


@pytest.mark.parametrize(
    ("grid", "arm", "others"),
    [
        pytest.param({}, {}, [], id="one run"),
        pytest.param(
            {"initializer": ["glorot_uniform"]},
            {"initializer": ["he_normal"], "dropout": [0.5]},
            [],
            id="an arm the grid lacks",
        ),
        pytest.param({"learning_rate": [1e30], "replicates": 3}, {}, [], id="all diverged"),
        pytest.param({"depth": [1], "batch_norm": [True]}, {}, ["training.steps=1"], id="one normalized layer"),
        pytest.param({"initializer": ["mean_field:0.5/0", "mean_field:4/0.2"]}, {}, [], id="two points"),
        pytest.param({"activation": ["sigmoid"], "pretraining": ["rbm", "supervised"]}, {}, [], id="pretrained alone"),
        pytest.param(
            {}, {"initializer": ["normal:0.01"], "pretraining": ["autoencoder+moments"]}, [], id="a control alone"
        ),
        pytest.param(
            {"initializer": ["normal:1e29"], "depth": [3], "activation": ["sigmoid", "relu"]},
            {},
            [],
            id="lengths that run away",
        ),
        pytest.param(
            {"initializer": ["mean_field:0.5/0", "mean_field:4/0.2"], "batch_norm": [True]}, {}, [], id="no theory"
        ),
        pytest.param({"replicates": 5}, {}, ["measure.budgets=[1,2]"], id="three budgets"),
        pytest.param({"activation": ["sigmoid"]}, {}, RECONSTRUCTION, id="reconstruction"),
        pytest.param(
            {"activation": ["sigmoid"], "pretraining": ["rbm"]}, {}, RECONSTRUCTION, id="pretrained reconstruction"
        ),
    ],
)
def test_the_smallest_studies_have_a_page(grid, arm, others):
    assert page_of(grid, arm, *others)


@pytest.mark.parametrize("method", [name for name in PRETRAINED if "+" not in name or name == "rbm+shuffled"])
def test_every_way_of_pretraining_has_a_page(method):
    text = page_of({"activation": ["sigmoid"]}, {"pretraining": [method]})
    assert 'id="pretraining"' in text


def test_longer_training_alone_is_no_pretraining():
    text = page_of({"activation": ["sigmoid"]}, {"pretraining": ["none+longer"]})
    assert 'id="pretraining"' not in text and "no network was pretrained" in text


@pytest.mark.parametrize(
    ("grid", "others", "networks"),
    [
        ({"initializer": ["normal:1e29", "normal:1e30"], "activation": ["relu"]}, ["measure.histogram_bins=5"], "2 networks"),
        ({"learning_rate": [1e30]}, RECONSTRUCTION, "1 network"),
    ],
    ids=["nothing finite", "reconstruction that diverged"],
)  # fmt: skip
def test_a_study_in_which_every_run_diverged_has_no_best(grid, others, networks):
    text = page_of(grid, {}, *others)
    assert f"Every run diverged ({networks}), so there is nothing to compare." in text and "the best is" not in text


def test_reasons_for_omitted_sections_are_shown():
    sentences = " ".join(left_out(page_of({"initializer": ["zeros"], "depth": [2, 3]}, {})))
    for title, reason in (
        ("How do the initializers compare?", "at least two initializers"),
        ("How much does the learning rate matter?", "the same learning rate"),
        ("Does greedy layerwise pretraining help?", "no network was pretrained"),
        ("Do two inputs stay distinguishable?", "no untrained network"),
    ):
        assert re.search(f"{re.escape(title)} Not shown: [^.]*{reason}", sentences), (title, sentences)
