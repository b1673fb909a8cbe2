"""Compiled code is kept, and what is loaded is what was compiled."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from winit.engine.kernel import code_cache, compilation
from winit.engine.kernel.emit import ARGUMENTS, WIDEST
from winit.engine.kernel.products import Product, product

# Trains networks in a process of its own; prints how many functions it compiled, and the weights' SHA-256.
TRAIN = """
import hashlib
from tests.engine.kernel.test_stack import trained
from winit.engine.kernel import compilation
from winit.engine.optimizers import Optimizer

functions = []
emit = compilation.Emit
compilation.Emit = lambda *arguments: functions.append(1) or emit(*arguments)
digest = hashlib.sha256()
for lanes in (8, 16):
    stack, _ = trained([20, 33, 33, 5], 17, "tanh", Optimizer("adam"), lanes, traced=True)
    for w in (*stack.weights, *stack.biases):
        digest.update(w.contiguous().numpy().tobytes())
print(len(functions), digest.hexdigest())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(code_cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_two_processes_at_once_and_a_third_have_the_same_bits(folder):
    command = [sys.executable, "-c", TRAIN]
    first = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) for _ in range(2)]
    said = [process.communicate()[0].split() for process in first]
    kept = sorted(folder.iterdir())
    damaged = kept[0].read_bytes()
    kept[0].write_bytes(damaged[:-100])
    third = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=True)
    compiled, bits = zip(*said, third.stdout.split(), strict=True)
    assert len(set(bits)) == 1
    assert int(compiled[0]) + int(compiled[1]) >= len(kept) > 20 and compiled[2] == "1"
    assert third.stderr.count("\n") == 1 and f"{kept[0]} was set aside" in third.stderr
    assert kept[0].read_bytes() == damaged, "the same code has the same bytes"
    assert {path.suffix for path in folder.iterdir()} == {".code", ".rejected"}


def test_each_function_is_described_once_and_has_an_address_of_its_own(folder):
    described = Counter()

    @compilation.kept
    def repeated(value: float, lanes: int, times: int = 1):
        described[value, times] += 1

        def emit(e, arguments):
            for i in range(times):
                e.store(e.constant(value), arguments[0], i * WIDEST)

        return emit

    addresses = [repeated(3.0, 8), repeated(3.0, 8, 1), repeated(value=3.0, lanes=8, times=1), repeated(4.0, 8)]
    assert len(set(addresses)) == 2 and described == {(3.0, 1): 1, (4.0, 1): 1}
    target = np.zeros(WIDEST, np.float32)
    for address, value in ((addresses[0], 3), (addresses[3], 4)):
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * ARGUMENTS)
        kind(address)(target.ctypes.data, *[0] * (ARGUMENTS - 1))
        assert (target[:8] == value).all() and (target[8:] == 0).all()


def test_every_fact_of_a_function_is_in_the_name_of_its_code(folder):
    spec = Product(3, 16, 4, 1, 16, 16, 16, "forward tanh")
    product(spec, 8)
    (one,) = folder.iterdir()
    head = one.read_bytes().split(b"\n")[1].decode()
    for fact in ("rows=3", "inner=4", "forward tanh", "'lanes': 8", "'traced': False", "llvmlite", compilation.SOURCES):
        assert fact in head
    product(spec, 16)
    assert len(list(folder.iterdir())) == 2


def test_an_argument_without_a_name_of_its_own_is_refused():
    @compilation.kept
    def applied(function, lanes: int):
        raise NotImplementedError

    with pytest.raises(AssertionError, match="cannot be told from others"):
        applied(lambda e: e, 8)
