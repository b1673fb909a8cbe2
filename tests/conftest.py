"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from math import pi, sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf

from winit.datasets import mnist
from winit.study import compose as compose_module
from winit.study.model import Study
from winit.theory.activations import Activation

# An activation that is not catalogued, with closed forms for what theory computes.
ERF = Activation(
    "erf", "erf", "erf z", erf, lambda z: 2 / sqrt(pi) * np.exp(-z * z), slope_at_0=2 / sqrt(pi), torch="torch.erf"
)

# Tests of real MNIST run where its files are at hand, and download nothing.
BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "mnist"
if mnist.VARIABLE not in os.environ and BESIDE.is_dir():
    os.environ[mnist.VARIABLE] = str(BESIDE)
needs_mnist = pytest.mark.skipif(
    mnist.VARIABLE not in os.environ, reason=f"{mnist.VARIABLE} names no folder with the files of MNIST"
)
ON_DISK = [pytest.param("mnist", marks=needs_mnist)]


@pytest.fixture(autouse=True)
def _restore_torch_state():
    """Training sets threads and the treatment of subnormals for its process; give them back."""
    yield
    import sys

    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture
def tiny():
    """Return a function that composes a study small enough to train in a test."""

    def compose(*overrides: str) -> Study:
        small = ["study=smoke", "extra_grids=null", "grid.depth=[2]", "grid.width=[12]", "training.steps=20", "grid.replicates=2",
                 "grid.tuning_replicates=0"]  # fmt: skip
        if "task=reconstruction" in overrides:  # depth and width follow from the encoder
            small = [text for text in small if not text.startswith(("grid.depth", "grid.width"))]
        return compose_module.compose([*small, *overrides])

    return compose
