"""The digits against scikit-learn's own reader."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from winit.datasets import digits


def test_they_are_those_of_scikit_learn():
    x, y = load_digits(return_X_y=True)
    ours, labels = digits.read()
    assert np.array_equal(ours, x) and np.array_equal(labels, y)
    assert ours.dtype == x.dtype and labels.dtype == y.dtype


def test_a_process_reads_them_once_and_nobody_can_change_them():
    x, y = digits.read()
    assert digits.read()[0] is x
    for array in (x, y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_scikit_learn_is_not_imported():
    code = "import sys; from winit.datasets import digits; digits.read(); assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
