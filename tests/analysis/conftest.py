"""Trained studies that several tests of the analysis share."""

from __future__ import annotations

import pytest

from tests.runs import fill
from winit.store.parts import RunStore


@pytest.fixture
def trained(tiny, tmp_path):
    """A study without tuning, and its store."""
    study = tiny("grid.initializer=[zeros,he_normal,kumar]", "grid.learning_rate=[0.1,1e30]", "grid.depth=[2,3]")
    store = RunStore(tmp_path)
    fill(store, study, networks=5)
    return study, store


@pytest.fixture
def tuned(tiny, tmp_path):
    """A study that is tuned, with two budgets, an extension of its grid and pretraining; and its store."""
    study = tiny(
        "grid.activation=[tanh]", "grid.initializer=[zeros,he_normal]", "grid.pretraining=[none,none+longer,autoencoder]",
        "grid.learning_rate=[0.03,0.1]", "grid.pretraining_rate=[0.3,3]", "grid.replicates=3", "grid.tuning_replicates=2",
        "grid.extensions=1", "measure.budgets=[8]", "training.steps=30", "pretraining.steps=10",
        "dataset.digits.target_accuracy=0.6",
    )  # fmt: skip
    store = RunStore(tmp_path)
    fill(store, study)
    return study, store
