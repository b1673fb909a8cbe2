"""Trained studies and their tables, shared by several tests of the analysis."""

from __future__ import annotations

import shutil

import pytest

from tests.runs import fill, written_tables
from winit.analysis.collect import collect
from winit.store.parts import RunStore


@pytest.fixture
def trained(tiny, shared, tmp_path):
    """A study without tuning, and a copy of its store."""
    study = tiny("grid.initializer=[zeros,he_normal,kumar]", "grid.learning_rate=[0.1,1e30]", "grid.depth=[2,3]")
    store = shared("trained", lambda folder: fill(RunStore(folder), study, networks=5))
    return study, RunStore(shutil.copytree(store, tmp_path / "store"))


@pytest.fixture
def tuned(tiny, shared, tmp_path):
    """A study that is tuned, with two budgets, an extension of its grid and pretraining; and a copy of its store."""
    study = tiny(
        "grid.activation=[tanh]", "grid.initializer=[zeros,he_normal]", "grid.pretraining=[none,none+longer,autoencoder]",
        "grid.learning_rate=[0.03,0.1]", "grid.pretraining_rate=[0.3,3]", "grid.replicates=3", "grid.tuning_replicates=2",
        "grid.extensions=1", "measure.budgets=[8]", "training.steps=30", "pretraining.steps=10",
        "dataset.digits.target_accuracy=0.6",
    )  # fmt: skip
    store = shared("tuned", lambda folder: fill(RunStore(folder), study))
    return study, RunStore(shutil.copytree(store, tmp_path / "store"))


@pytest.fixture
def trained_tables(trained, shared):
    """The tables of the study without tuning."""
    return written_tables(shared("trained tables", lambda folder: collect(*trained, folder)))


@pytest.fixture
def tuned_tables(tuned, shared):
    """The tables of the study that is tuned."""
    return written_tables(shared("tuned tables", lambda folder: collect(*tuned, folder)))
