"""The tutorial's forward pass against numbers from an independent program."""

from __future__ import annotations

import numpy as np
import pytest

from winit.analysis import replay
from winit.store import files

# Mean over 400 draws of the standard deviation of each layer's 50 activations (one standard error in brackets: 10 % of a
# draw's value over √400 is 0.5 %).
ORACLE = {
    "normal:0.01": [0.098, 0.0069, 4.8e-4, 3.4e-5, 2.4e-6],
    "normal:1": [0.950, 0.929, 0.928, 0.929, 0.930],
    "lecun_normal": [0.616, 0.476, 0.397, 0.347, 0.312],
}


@pytest.fixture(scope="module")
def table():
    return files.conform("replay", replay.replay(0))


@pytest.mark.parametrize("scheme", ORACLE)
def test_standard_deviations(table, scheme):
    got = table[(table["scheme"] == scheme) & (table["layer"] > 0)].groupby("layer")["std"].first()
    assert got.to_numpy() == pytest.approx(ORACLE[scheme], rel=0.03)


def test_large_weights_saturate(table):
    share = table[table["scheme"] == "normal:1"].groupby("layer")["saturated"].first()
    assert share[1] == pytest.approx(0.84, abs=0.02) and share[5] == pytest.approx(0.75, abs=0.02)
    assert (table.loc[table["scheme"] == "normal:0.01", "saturated"].groupby(table["layer"]).first()[1:] == 0).all()


def test_counts_are_complete(table):
    per_layer = table.groupby(["scheme", "layer"])["count"].sum().unstack()
    assert (per_layer[0] == replay.DRAWS * replay.INPUTS).all()
    assert (per_layer.drop(columns=0) == replay.DRAWS * replay.UNITS).all().all()
    np.testing.assert_allclose(table["bin_high"] - table["bin_low"], 2 / 41)
