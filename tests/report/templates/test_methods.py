"""The section on methods follows from the settings: it describes only the networks, data and rules of the study."""

from __future__ import annotations

import html
import re

import pandas as pd
import pytest

from winit.report import page
from winit.study.compose import compose

PLAIN = ["study=smoke", "extra_grids=null"]


def methods(*overrides: str) -> str:
    """Return the section of a study as text."""
    study = compose(overrides)
    runs = pd.DataFrame({"role": ["judged"], "is_extension": [False], "device": ["cpu"], "engine": ["kernel"]})
    tables = {"all_runs": runs, "not_applicable": pd.DataFrame()}
    contents = page._study_contents(study, tables) | page._protocol_contents(study, tables)
    contents |= {"left_out": [], "baselines": []}
    text = page._environment().get_template("methods.html").render(contents)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_a_classifier_has_a_softmax_and_its_loss():
    text = methods(*PLAIN)
    assert "softmax" in text and "cross-entropy" in text and "squared error" not in text


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_a_reconstruction_has_its_encoder_and_its_loss(loss):
    text = methods(
        *PLAIN, "task=reconstruction", "task.encoder=[16,4]", f"task.loss={loss}", "data.scaling=unit", "dataset=digits",
        "grid.pretraining=[none]",
    )  # fmt: skip
    assert "softmax" not in text and "16-4" in text
    assert ("cross entropy" in text, "squared error" in text) == (loss == "cross_entropy", loss == "squared_error")


@pytest.mark.parametrize(("dataset", "parts"), [("digits", "1,078 / 359 / 360"), ("mnist", "50,000 / 10,000 / 10,000")])
def test_a_dataset_has_the_split_that_it_is_given(dataset, parts):
    text = methods(*PLAIN, f"dataset={dataset}")
    assert parts in text and text.count(" / ") == 2


def test_every_extra_grid_is_there_with_its_question():
    text = methods("study=default")
    study = compose(["study=default"])
    for name, grid in study.settings["extra_grids"].items():
        assert name in text and grid["question"] in text
    assert "extra grid" not in methods(*PLAIN)


@pytest.mark.parametrize("margin", [0.01, 0.025])
def test_the_margin_is_that_of_the_analysis(margin):
    assert f"at most {margin} count as equivalent" in methods(*PLAIN, f"analysis.margin={margin}")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training=momentum", "momentum 0.9"), ("training.weight_decay=0.01", "weight decay 0.01"),
        ("training.warmup=7", "7 steps"), ("grid.dropout=[0,0.25]", "0.25"), ("grid.batch_norm=[false,true]", "in some networks"),
    ],
)  # fmt: skip
def test_what_a_recipe_adds_is_said_where_it_is_there_alone(override, words):
    assert words in methods(*PLAIN, override) and words not in methods(*PLAIN)


PRETRAINED = [*PLAIN, "grid.activation=[sigmoid]"]


@pytest.mark.parametrize(
    ("overrides", "said", "not_said"),
    [
        (["grid.pretraining=[none,none+longer]"], [], ["Pretraining trained", "RBMs", "utoencoders"]),
        (["grid.pretraining=[rbm+shuffled]", "pretraining.rbm.gibbs_steps=3"], ["CD-3"], ["utoencoders", "Adam"]),
        (["grid.pretraining=[autoencoder]", "pretraining.steps=70"], ["for 70 updates", "tied decoders", "Adam"], ["RBMs", "denoising"]),
        (
            ["grid.pretraining=[denoising_autoencoder]", "pretraining.corruption=gaussian", "pretraining.corruption_amount=0.3"],
            ["standard deviation of 0.3"], ["set to 0"],
        ),
        (["extra_grids.mine={pretraining:[supervised]}", "pretraining.optimizer=momentum"], ["Supervised layers", "momentum 0.9"], ["decoders"]),
    ],
)  # fmt: skip
def test_pretraining_is_described_by_its_settings(overrides, said, not_said):
    plain = (
        PRETRAINED
        if not any(o.startswith("extra_grids") for o in overrides)
        else ["study=smoke", "extra_grids.pretraining=null"]
    )
    text = methods(*plain, *overrides)
    assert all(words in text for words in said) and not any(words in text for words in not_said), text
