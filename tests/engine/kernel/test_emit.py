"""The kernel's vector functions: accuracy, the same bits on any vector width, and the ends of their range."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from winit.engine.kernel.compilation import compiled
from winit.engine.kernel.emit import ARGUMENTS


def evaluate(name, values, lanes=16):
    """Apply one of the kernel's vector functions to an array."""
    source = np.ascontiguousarray(values, np.float32)
    assert source.size % 16 == 0
    target = np.empty_like(source)

    def emit(e, arguments):
        with e.loop(source.size, lanes) as i:
            e.store(getattr(e, name)(e.load(arguments[0], i)), arguments[1], i)

    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * ARGUMENTS)
    addresses = [source.ctypes.data, target.ctypes.data] + [0] * (ARGUMENTS - 2)
    kind(compiled(lanes, emit))(*addresses)
    return target


def ulps(got, exact):
    """Return the error in units of the last place of the float32 result."""
    return np.abs(got.astype(np.float64) - exact) / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)


def test_exp_tanh_sigmoid_are_accurate():
    x = np.linspace(-20, 20, 1 << 18, dtype=np.float32)
    wide = np.float64(x)
    assert ulps(evaluate("exp", x), np.exp(wide)).max() < 2
    assert ulps(evaluate("tanh", x), np.tanh(wide)).max() < 2
    assert ulps(evaluate("sigmoid", x), 1 / (1 + np.exp(-wide))).max() < 4
    small = np.geomspace(1e-30, 1, 1 << 12).astype(np.float32)
    assert ulps(evaluate("tanh", small), np.tanh(np.float64(small))).max() < 2


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid"])
def test_vector_functions_rise_and_have_the_same_bits_on_any_width(name):
    x = np.linspace(-8, 8, 1 << 16, dtype=np.float32)
    wide, narrow = evaluate(name, x, 16), evaluate(name, x, 8)
    np.testing.assert_array_equal(wide, narrow)
    assert (np.diff(wide) >= -np.abs(np.spacing(wide[1:]))).all()  # monotone, to the last place


def test_vector_functions_at_the_ends():
    ends = np.zeros(16, np.float32)
    ends[:5] = [np.inf, -np.inf, np.nan, 1e30, -1e30]
    assert evaluate("tanh", ends)[[0, 1, 3, 4]].tolist() == [1, -1, 1, -1]
    assert evaluate("sigmoid", ends)[[0, 3]].tolist() == [1, 1]
    assert (np.abs(evaluate("sigmoid", ends)[[1, 4]]) < 1e-37).all()
    for name in ("exp", "tanh", "sigmoid"):
        assert np.isnan(evaluate(name, ends)[2]), f"{name} swallows NaN"


def test_reciprocals_of_all_mantissas_are_accurate_and_the_same_on_any_width():
    one = (np.arange(2**23, dtype=np.uint32) + np.uint32(0x3F800000)).view(np.float32)
    wide, narrow = evaluate("reciprocal", one, 16), evaluate("reciprocal", one, 8)
    np.testing.assert_array_equal(wide, narrow)
    assert ulps(wide, 1 / one.astype(np.float64)).max() < 0.51
    for power in (-126, 124):  # a mantissa's error is that of all its powers
        np.testing.assert_array_equal(
            evaluate("reciprocal", one * np.float32(2.0**power)), wide * np.float32(2.0**-power)
        )
    ends = np.full(16, np.nan, np.float32)
    ends[:2] = 2.0**125, 2.0**-126
    assert evaluate("reciprocal", ends)[:2].tolist() == [2.0**-125, 2.0**126]
    assert np.isnan(evaluate("reciprocal", ends)[2:]).all()
