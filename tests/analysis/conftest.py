"""A trained study that several tests of the analysis share."""

from __future__ import annotations

import pytest
import torch

from winit.store.parts import RunStore
from winit.training.workload import train


@pytest.fixture
def trained(tiny, tmp_path):
    study = tiny("grid.initializer=[zeros,he_normal,kumar]", "grid.learning_rate=[0.1,1e30]", "grid.depth=[2,3]")
    store = RunStore(tmp_path)
    for workload in study.workloads:
        for rows in train(workload, workload.runs, torch.device("cpu"), networks=5):
            store.commit(workload.name, rows)
    return study, store
