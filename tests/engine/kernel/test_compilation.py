"""Compiled code is cached, and loaded code equals compiled code."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from collections import Counter

import llvmlite.binding as llvm
import numpy as np
import pytest

from winit.engine.kernel import code_cache, compilation
from winit.engine.kernel.emit import ARGUMENTS, WIDEST
from winit.engine.kernel.passes import gather, likeliest, moments, softmax, transpose
from winit.engine.kernel.products import Product, backward_and_update, product
from winit.engine.kernel.rows import HiddenLayer, regularize, regularize_back, update_norm

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

    with pytest.raises(AssertionError, match="cannot be identified"):
        applied(lambda e: e, 8)


UPDATE = Product(33, 32, 32, 32, 1, 32, 32, "adam")
# Each kind of code that a network needs, and whether most of its work are products.
FUNCTIONS = {
    "forward": (product, (Product(32, 32, 65, 1, 32, 32, 32, "forward tanh"), 8), True),
    "sigmoid": (product, (Product(32, 32, 65, 1, 32, 32, 32, "forward sigmoid"), 8), True),
    "update": (product, (UPDATE, 8, True), True),
    "back": (backward_and_update, (Product(32, 32, 16, 32, 1, 32, 32, "backward tanh"), UPDATE, 8), True),
    "gather": (gather, (64, 32, 32, 8, "masking"), False),
    "softmax": (softmax, (10, 32, 1 / 32, 8), False),
    "likeliest": (likeliest, (10, 32, 8), False),
    "moments": (moments, (32, 32, 32, 8), False),
    "transpose": (transpose, (16, 32, 16, 8), False),
    "regularize": (regularize, (HiddenLayer(32, 32, "tanh", True, 0.5), 8), False),
    "regularize back": (regularize_back, (HiddenLayer(32, 32, "tanh", True, 0.5), 8), False),
    "update norm": (update_norm, (32, "adam", 8), False),
}


@pytest.fixture(
    scope="module", params=[("aarch64-unknown-linux-gnu", "neoverse-n1"), ("arm64-apple-darwin", "apple-m1")]
)
def arm(request):
    """LLVM's idea of an ARM processor, which need not be this machine's."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple, processor = request.param
    return llvm.Target.from_triple(triple).create_target_machine(cpu=processor, opt=3, jit=True)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_kernel_is_vector_code_on_arm(arm, name):
    describe, arguments, is_product = FUNCTIONS[name]
    assembly = arm.emit_assembly(compilation.optimized(arm, 8, describe.__wrapped__(*arguments), "function"))
    fused = len(re.findall(r"\bfml[as](?:\.4s|\s+v\d+\.4s)", assembly))  # x·y + z of four float32
    if is_product:
        assert fused >= 48
    assert not re.search(r"\bf(?:n?madd|n?msub)\s+s\d", assembly), "one element at a time"
    assert not re.search(r"\bbl\s", assembly), "a call of a library, such as fmaf"
