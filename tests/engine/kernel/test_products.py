"""Products whose matrices come from memory: other orders of tiles and blocks, the same bits."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from winit.engine.kernel import products
from winit.engine.kernel.compilation import compiled
from winit.engine.kernel.emit import ARGUMENTS, WIDEST, padded
from winit.engine.kernel.memory import zeros
from winit.engine.kernel.products import Product

ROWS, COLUMNS, INNER = 70, 37, 45
FORWARD = Product(ROWS, COLUMNS, INNER, 1, padded(ROWS), padded(COLUMNS), padded(COLUMNS), "forward identity")
UPDATE = Product(ROWS, COLUMNS, INNER, INNER, 1, padded(COLUMNS), padded(COLUMNS), "sgd")
RATE = 0.5


def drawn(rows, columns):
    """Return normal numbers, in rows padded with zeros."""
    matrix = zeros(rows, padded(columns))
    matrix[:, :columns] = np.random.default_rng(rows).normal(size=(rows, columns))
    return matrix


def computed(spec, a, b, lanes):
    """Return a product's result; an update's is of zeros."""
    c, factors = zeros(spec.rows, spec.c_row), zeros(WIDEST + 2)
    factors[WIDEST] = RATE
    code = compiled(lanes, products.product.__wrapped__(spec, lanes))
    addresses = [a.ctypes.data, b.ctypes.data, c.ctypes.data, 0, 0, factors.ctypes.data + 4 * WIDEST]
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * ARGUMENTS)(code)(*addresses, *[0] * (ARGUMENTS - len(addresses)))
    return c


@pytest.mark.parametrize("lanes", [16, 8])
@pytest.mark.parametrize("spec", [FORWARD, UPDATE], ids=["forward", "update"])
def test_matrices_from_memory_give_the_same_bits(spec, lanes, monkeypatch):
    is_update = spec is UPDATE
    a = np.random.default_rng(0).normal(size=(ROWS, INNER)).astype(np.float32) if is_update else drawn(INNER, ROWS)
    b = drawn(INNER, COLUMNS)
    cached = computed(spec, a, b, lanes)
    matrix = a if is_update else a[:, :ROWS].T
    expected = np.float64(matrix) @ np.float64(b) * (RATE if is_update else 1)
    np.testing.assert_allclose(cached, expected, atol=1e-5)

    monkeypatch.setattr(products, "SECOND_CACHE", 1 << 10)  # smaller than any of these
    monkeypatch.setattr(products, "FETCHED", (0, 1 << 20))
    assert products.changes_memory(spec) if is_update else products.walks_down(spec)
    np.testing.assert_array_equal(computed(spec, a, b, lanes), cached)
