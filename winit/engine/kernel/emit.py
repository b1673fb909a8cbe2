"""Vector code, emitted as LLVM IR: memory, loops, arithmetic, exp, tanh, sigmoid.

numba compiles plain loops well, but not the inner loops of small matrix products: there the accumulators must stay in
registers and be updated by fused multiply-adds. These are emitted instruction by instruction by `Emit`, and compiled by
`winit.engine.kernel.compilation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

Value: TypeAlias = ir.Value  # a value in emitted code: a vector of float32, or an integer
Index: TypeAlias = int | ir.Value  # an integer constant, or an integer computed by emitted code
Carry: TypeAlias = Callable[[Sequence[Value]], None]  # sets the values of the next iteration of a loop

F32, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
ARGUMENTS = 8  # number of addresses (int64) that every compiled function takes
WIDEST = 16  # float32 lanes of the widest vectors; rows of buffers are padded to it for all widths


def padded(n: int) -> int:
    """Return n, rounded up to a multiple of the widest vector."""
    return -(-n // WIDEST) * WIDEST


def host_lanes() -> int:
    """Return the number of float32 lanes of a vector here: 16 with AVX-512, otherwise 8 (two vectors with NEON)."""
    return 16 if llvm.get_host_cpu_features().get("avx512f") else 8


class Emit:
    """Emits instructions into one function.

    Attributes:
        b: llvmlite's builder of that function.
        lanes: float32 elements of a vector.
        v, iv: the types of a vector of float32 and of int32.
    """

    def __init__(self, builder: ir.IRBuilder, lanes: int) -> None:
        self.b, self.lanes = builder, lanes
        self.v, self.iv = ir.VectorType(F32, lanes), ir.VectorType(I32, lanes)

    def constant(self, value: float) -> Value:
        """Return a vector that repeats a number, rounded to float32."""
        return ir.Constant(self.v, [float(np.float32(value))] * self.lanes)

    def integers(self, value: int) -> Value:
        """Return a vector that repeats an integer."""
        return ir.Constant(self.iv, [value] * self.lanes)

    def choice(self, elements: Sequence[int]) -> Value:
        """Return the pattern of a shuffle: which of the elements of two vectors to take."""
        return ir.Constant(self.iv, list(elements))

    def mask(self, elements: Sequence[bool]) -> Value:
        """Return a vector of booleans."""
        return ir.Constant(ir.VectorType(ir.IntType(1), self.lanes), [int(x) for x in elements])

    def index(self, value: Index) -> Value:
        """Return a 64-bit integer; an already emitted integer is returned unchanged."""
        return ir.Constant(I64, value) if isinstance(value, int) else value

    def plus(self, *terms: Index) -> Value:
        """Return the sum of integers."""
        total, known = None, sum(t for t in terms if isinstance(t, int))
        for term in terms:
            if not isinstance(term, int):
                total = term if total is None else self.b.add(total, term)
        if total is None or known == 0:
            return self.index(known) if total is None else total
        return self.b.add(total, self.index(known))

    def times(self, value: Index, factor: int) -> Index:
        """Return an integer times a constant."""
        return value * factor if isinstance(value, int) else self.b.mul(value, self.index(factor))

    def _at(self, base: Value, offset: Index, kind: ir.Type) -> Value:
        """Return a pointer to `kind` at address `base` plus `offset` floats."""
        return self.b.inttoptr(self.plus(base, self.times(offset, 4)), kind.as_pointer())

    def load(self, base: Value, offset: Index) -> Value:
        """Return the vector at `offset` floats after an address."""
        value = self.b.load(self._at(base, offset, self.v))
        value.align = 4
        return value

    def store(self, value: Value, base: Value, offset: Index) -> None:
        """Store a vector at `offset` floats after an address."""
        self.b.store(value, self._at(base, offset, self.v)).align = 4

    def broadcast(self, base: Value, offset: Index) -> Value:
        """Return a vector that repeats the float at `offset`."""
        value = self.b.load(self._at(base, offset, F32))
        value.align = 4
        one = self.b.insert_element(ir.Constant(self.v, ir.Undefined), value, ir.Constant(I32, 0))
        return self.b.shuffle_vector(one, ir.Constant(self.v, ir.Undefined), self.integers(0))

    def prefetch(self, base: Value, offset: Index) -> None:
        """Ask for the cache line at `offset` floats behind an address, which need not exist, to come to the second cache."""
        pointer = self._at(base, offset, ir.IntType(8))
        reads, second_cache, data = (ir.Constant(I32, x) for x in (0, 2, 1))
        full = "llvm.prefetch.p0i8"
        function = self.b.module.globals.get(full)
        if function is None:
            kind = ir.FunctionType(ir.VoidType(), [pointer.type, I32, I32, I32])
            function = ir.Function(self.b.module, kind, full)
        self.b.call(function, [pointer, reads, second_cache, data])

    def integer(self, base: Value, offset: Index) -> Value:
        """Return the int64 at `offset` int64 after an address."""
        return self.b.load(self.b.inttoptr(self.plus(base, self.times(offset, 8)), I64.as_pointer()))

    def bits(self, base: Value, offset: Index) -> Value:
        """Return a vector of booleans from the bits at `offset`, a multiple of the lanes, lowest bit first."""
        at = offset // 8 if isinstance(offset, int) else self.b.lshr(offset, self.index(3))
        kind = ir.IntType(self.lanes)
        value = self.b.load(self.b.inttoptr(self.plus(base, at), kind.as_pointer()))
        value.align = 1
        return self.b.bitcast(value, ir.VectorType(ir.IntType(1), self.lanes))

    @contextmanager
    def loop(self, count: int, step: int = 1) -> Iterator[Index]:
        """Emit a loop over i = 0, step, 2·step, … below `count` around the emitted body; yields i."""
        if count <= step:  # one iteration: callers do not emit empty loops
            yield 0
            return
        with self.carrying(count, [], step) as (i, _, carry):
            yield i
            carry([])

    @contextmanager
    def carrying(self, count: int, start: Sequence[Value], step: int = 1) -> Iterator[tuple[Value, list[Value], Carry]]:
        """Like `loop`, with values carried between iterations; yields i, the values, and a function that sets the next values.

        After the loop, the values are those set in the last iteration.
        """
        entry = self.b.block
        body, done = self.b.append_basic_block("loop"), self.b.append_basic_block("done")
        self.b.branch(body)
        self.b.position_at_end(body)
        i, values = self.b.phi(I64), [self.b.phi(value.type) for value in start]
        i.add_incoming(self.index(0), entry)
        for phi, value in zip(values, start, strict=True):
            phi.add_incoming(value, entry)
        following: list[Value] = []
        yield i, values, following.extend
        after = self.plus(i, step)
        i.add_incoming(after, self.b.block)
        for phi, value in zip(values, following, strict=True):
            phi.add_incoming(value, self.b.block)
        self.b.cbranch(self.b.icmp_signed("<", after, self.index(count)), body, done)
        self.b.position_at_end(done)

    def call(self, name: str, *values: Value) -> Value:
        """Call an LLVM intrinsic of vectors."""
        full = f"llvm.{name}.v{self.lanes}f32"
        function = self.b.module.globals.get(full)
        if function is None:
            function = ir.Function(self.b.module, ir.FunctionType(self.v, [self.v] * len(values)), full)
        return self.b.call(function, values)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """Return x·y + z, rounded once: `llvm.fma`, because `fmuladd` may round twice on some machines."""
        return self.call("fma", x, y, z)

    def where(self, relation: str, x: Value, y: Value, yes: Value, no: Value) -> Value:
        """Return `yes` where x relation y, otherwise `no`. NaN fails every relation."""
        return self.b.select(self.b.fcmp_ordered(relation, x, y), yes, no)

    def negative(self, x: Value) -> Value:
        """Return −x."""
        return self.b.fsub(self.constant(-0.0), x)

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Return a polynomial of x by Horner's rule, the coefficient of the highest power first."""
        value = self.constant(coefficients[0])
        for c in coefficients[1:]:
            value = self.fma(value, x, self.constant(c))
        return value

    def at_most(self, x: Value, high: float) -> Value:
        """Return x, limited to at most `high`; NaN is propagated."""
        return self.where(">", x, self.constant(high), self.constant(high), x)

    def clamp(self, x: Value, low: float, high: float) -> Value:
        """Return x, limited to low … high; NaN is propagated."""
        x = self.at_most(x, high)
        return self.where("<", x, self.constant(low), self.constant(low), x)

    def _exp_parts(self, x: Value) -> tuple[Value, Value]:
        """Return p and 2ⁿ⁻¹, so that eˣ = 2ⁿ p, for −87 ≤ x ≤ 88; 2⁻¹²⁷ is returned as 0.

        n = round(x / log 2), r = x − n log 2, and p = eʳ by Cephes' polynomial of degree 7 (expf.c).
        """
        # Added to 1.5 · 2²³ + 126, a number is rounded to an integer, and n + 126 then lies in the last bits of the sum.
        shift = self.constant(1.5 * 2**23 + 126)
        shifted = self.b.fadd(self.b.fmul(x, self.constant(math.log2(math.e))), shift)
        n = self.b.fsub(shifted, shift)
        r = self.fma(n, self.constant(-0.693359375), x)
        r = self.fma(n, self.constant(2.12194440e-4), r)
        p = self.polynomial(
            r, [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1]
        )
        p = self.fma(p, self.b.fmul(r, r), self.b.fadd(r, self.constant(1.0)))
        exponent = self.b.shl(self.b.bitcast(shifted, self.iv), self.integers(23))
        return p, self.b.bitcast(exponent, self.v)

    def exp(self, x: Value) -> Value:
        """Return eˣ, with x limited to −87 … 88; NaN is propagated."""
        p, half = self._exp_parts(self.clamp(x, -87.0, 88.0))
        power = self.b.add(self.b.bitcast(half, self.iv), self.integers(1 << 23))
        return self.b.fmul(p, self.b.bitcast(power, self.v))

    def _half_of_one_plus_exp(self, x: Value) -> Value:
        """Return (1 + eˣ) / 2 for −87 ≤ x ≤ 88, rounded as 1 + eˣ would be, in fewer instructions."""
        p, half = self._exp_parts(x)
        return self.fma(p, half, self.constant(0.5))

    def reciprocal(self, x: Value) -> Value:
        """Return 1/x, within 0.51 units in the last place, for 2⁻¹²⁶ ≤ x ≤ 2¹²⁵; NaN is propagated.

        An estimate from the bits of x has an error of at most 1/17. Each of two steps raises the error to its third power:
        d = 1 − x r,  r ← r (1 + d + d²).  A division would occupy the only divider of a core for longer.
        """
        r = self.b.bitcast(self.b.sub(self.integers(0x7EF311C7), self.b.bitcast(x, self.iv)), self.v)
        for _ in range(2):
            d = self.fma(self.negative(x), r, self.constant(1.0))
            r = self.fma(r, self.fma(d, d, d), r)
        return r

    def tanh(self, x: Value) -> Value:
        """Return tanh x by Cephes (tanhf.c): an odd polynomial below 0.625, otherwise 1 − 2/(e^(2|x|) + 1) with the sign of x."""
        size = self.call("fabs", x)
        square = self.b.fmul(x, x)
        p = self.polynomial(
            square, [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1]
        )
        small = self.fma(self.b.fmul(p, square), x, x)
        half = self._half_of_one_plus_exp(self.at_most(self.b.fadd(size, size), 88.0))
        large = self.b.fsub(self.constant(1.0), self.b.fdiv(self.constant(1.0), half))
        return self.where("<", size, self.constant(0.625), small, self.call("copysign", large, x))

    def sigmoid(self, x: Value) -> Value:
        """Return 1 / (1 + e^(−x))."""
        half = self._half_of_one_plus_exp(self.negative(self.clamp(x, -88.0, 87.0)))
        return self.b.fdiv(self.constant(0.5), half)
