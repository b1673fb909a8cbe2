"""Vector code for the training kernel: register tiles of a matrix product, transposes, exp and tanh, as LLVM IR.

numba compiles plain loops well, but not the inner loops of small matrix products: there the accumulators must stay in
registers and be updated by fused multiply-adds. Each factory below returns a numba intrinsic, a function that emits
just that code where it is called. All of them take addresses as int64 and strides in elements.

Every element of a result is one chain of fused multiply-adds in a fixed order, so that its bits depend neither on the
width of the vectors nor on the shape of the tile.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

F32, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
PAD = 16  # rows of buffers are padded to this many floats, whatever the vectors' width


def padded(n: int) -> int:
    """Return n, rounded up to a multiple of PAD."""
    return -(-n // PAD) * PAD


def host_lanes() -> int:
    """Return the number of float32 lanes of this machine's vectors: 16 with AVX-512, else 8."""
    return 16 if llvm.get_host_cpu_features().get("avx512f") else 8


# How many rows a tile may have, by its number of vectors a row: as many accumulators as registers allow.
TILE_ROWS = {16: {1: 24, 2: 13, 3: 8, 4: 6}, 8: {1: 12, 2: 6}}


class Emit:
    """Shorthand for emitting vector instructions with one builder."""

    def __init__(self, builder, lanes: int) -> None:
        self.b, self.lanes = builder, lanes
        self.v, self.iv = ir.VectorType(F32, lanes), ir.VectorType(I32, lanes)

    def constant(self, value: float):
        return ir.Constant(self.v, [float(np.float32(value))] * self.lanes)

    def integer(self, value: int):
        return ir.Constant(self.iv, [value] * self.lanes)

    def index(self, value: int):
        return ir.Constant(I64, value)

    def at(self, base, offset, kind):
        """Return a pointer to `kind` at address `base` plus `offset` floats."""
        return self.b.inttoptr(self.b.add(base, self.b.shl(offset, self.index(2))), kind.as_pointer())

    def load(self, base, offset):
        value = self.b.load(self.at(base, offset, self.v))
        value.align = 4
        return value

    def store(self, value, base, offset) -> None:
        self.b.store(value, self.at(base, offset, self.v)).align = 4

    def scalar(self, base, offset):
        value = self.b.load(self.at(base, offset, F32))
        value.align = 4
        return self.splat(value)

    def splat(self, value):
        one = self.b.insert_element(ir.Constant(self.v, ir.Undefined), value, ir.Constant(I32, 0))
        return self.b.shuffle_vector(one, ir.Constant(self.v, ir.Undefined), self.integer(0))

    def call(self, name: str, *values):
        kind = ir.FunctionType(self.v, [self.v] * len(values))
        function = cgutils.get_or_insert_function(self.b.module, kind, f"llvm.{name}.v{self.lanes}f32")
        return self.b.call(function, values)

    def fma(self, x, y, z):
        return self.call("fma", x, y, z)

    def polynomial(self, x, coefficients):
        value = self.constant(coefficients[0])
        for c in coefficients[1:]:
            value = self.fma(value, x, self.constant(c))
        return value

    def clamp(self, x, low: float, high: float):
        """Clamp x; a NaN fails both comparisons and stays."""
        x = self.b.select(self.b.fcmp_ordered(">", x, self.constant(high)), self.constant(high), x)
        return self.b.select(self.b.fcmp_ordered("<", x, self.constant(low)), self.constant(low), x)

    def exp(self, x):
        """eˣ = 2ⁿ eʳ with n = round(x / log 2) and |r| ≤ log 2 / 2; eʳ by Cephes' polynomial of degree 7 (expf.c)."""
        x = self.clamp(x, -87.0, 88.0)
        n = self.call("rint", self.b.fmul(x, self.constant(math.log2(math.e))))
        r = self.fma(n, self.constant(-0.693359375), x)
        r = self.fma(n, self.constant(2.12194440e-4), r)
        p = self.polynomial(
            r, [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1]
        )
        p = self.fma(p, self.b.fmul(r, r), self.b.fadd(r, self.constant(1.0)))
        whole = self.b.select(self.b.fcmp_ordered("ord", n, n), n, self.constant(0.0))  # a NaN has no integer
        power = self.b.shl(self.b.add(self.b.fptosi(whole, self.iv), self.integer(127)), self.integer(23))
        return self.b.fmul(p, self.b.bitcast(power, self.v))

    def tanh(self, x):
        """tanh by Cephes (tanhf.c): an odd polynomial below 0.625, else 1 − 2/(e^(2|x|) + 1) with the sign of x."""
        size = self.call("fabs", x)
        square = self.b.fmul(x, x)
        p = self.polynomial(
            square, [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1]
        )
        small = self.fma(self.b.fmul(p, square), x, x)
        e = self.exp(self.b.fadd(size, size))
        large = self.b.fsub(self.constant(1.0), self.b.fdiv(self.constant(2.0), self.b.fadd(e, self.constant(1.0))))
        large = self.call("copysign", large, x)
        return self.b.select(self.b.fcmp_ordered("<", size, self.constant(0.625)), small, large)

    def sigmoid(self, x):
        """1 / (1 + e^(−x))."""
        one = self.constant(1.0)
        return self.b.fdiv(one, self.b.fadd(one, self.exp(self.b.fsub(self.constant(-0.0), x))))


# φ, and the product of a gradient with φ′ given h = φ(z). A NaN fails every ordered comparison, and so passes through.
PHI: dict[str, Callable] = {
    "identity": lambda e, z: z,
    "relu": lambda e, z: e.b.select(e.b.fcmp_ordered("<=", z, e.constant(0.0)), e.constant(0.0), z),
    "tanh": lambda e, z: e.tanh(z),
    "sigmoid": lambda e, z: e.sigmoid(z),
}
CHAIN: dict[str, Callable] = {
    "identity": lambda e, g, h: g,
    "relu": lambda e, g, h: e.b.select(e.b.fcmp_ordered("<=", h, e.constant(0.0)), e.constant(0.0), g),
    "tanh": lambda e, g, h: e.b.fmul(g, e.fma(e.b.fsub(e.constant(-0.0), h), h, e.constant(1.0))),
    "sigmoid": lambda e, g, h: e.b.fmul(g, e.b.fmul(h, e.b.fsub(e.constant(1.0), h))),
}


class Site:
    """Where an epilogue works: one vector of the tile, and the tile's further arguments."""

    def __init__(self, emit: Emit, c, offset, row: int, extra, factors) -> None:
        self.e, self.c, self.offset, self.row, self.extra, self.factors = emit, c, offset, row, extra, factors

    def read(self, base):
        return self.e.load(base, self.offset)

    def write(self, value, base) -> None:
        self.e.store(value, base, self.offset)

    def factor(self, index: int):
        return self.e.splat(self.factors[index])


def _forward(activation: str):
    def epilogue(s: Site, acc) -> None:  # extra[0]: biases, one a row
        z = s.e.b.fadd(acc, s.e.scalar(s.extra[0], s.e.index(s.row)))
        s.write(PHI[activation](s.e, z), s.c)

    return epilogue


def _backward(activation: str):
    def epilogue(s: Site, acc) -> None:  # extra[0]: h, laid out as the result
        s.write(CHAIN[activation](s.e, acc, s.read(s.extra[0])), s.c)

    return epilogue


def _sgd(s: Site, gradient) -> None:  # factors: −η
    s.write(s.e.fma(gradient, s.factor(0), s.read(s.c)), s.c)


def _momentum(s: Site, gradient) -> None:  # extra[0]: velocity; factors: −η, μ
    velocity = s.e.fma(s.read(s.extra[0]), s.factor(1), gradient)
    s.write(velocity, s.extra[0])
    s.write(s.e.fma(velocity, s.factor(0), s.read(s.c)), s.c)


def _adam(s: Site, gradient) -> None:  # extra: mean, square; factors: −η/(1−β₁ᵗ), 1/√(1−β₂ᵗ), β₁, β₂; ε = 1e-8
    e = s.e
    beta1, beta2, one = s.factor(2), s.factor(3), e.constant(1.0)
    mean = e.fma(e.b.fsub(one, beta1), e.b.fsub(gradient, s.read(s.extra[0])), s.read(s.extra[0]))
    rest = e.b.fmul(e.b.fsub(one, beta2), e.b.fmul(gradient, gradient))
    square = e.fma(beta2, s.read(s.extra[1]), rest)
    s.write(mean, s.extra[0])
    s.write(square, s.extra[1])
    size = e.fma(e.call("sqrt", square), s.factor(1), e.constant(1e-8))
    s.write(e.fma(s.factor(0), e.b.fdiv(mean, size), s.read(s.c)), s.c)


EPILOGUES: dict[str, Callable] = {
    **{f"forward {name}": _forward(name) for name in PHI},
    **{f"backward {name}": _backward(name) for name in CHAIN},
    "sgd": _sgd,
    "momentum": _momentum,
    "adam": _adam,
}


@cache
def tile(rows: int, vectors: int, lanes: int, epilogue: str):
    """Return an intrinsic that computes one register tile of a product and hands it to an epilogue.

        acc[r, :] = Σ_{i<k} a[r·a_row + i·a_k] · b[i·b_k + (0 … vectors·lanes − 1)],   r < rows

    Its arguments: a, a_row, a_k, b, b_k, k, c, c_row, extra0, extra1 (int64), factor0 … factor3 (float32).
    """

    def codegen(context, builder, signature, arguments):
        a, a_row, a_k, b, b_k, k, c, c_row, *rest = arguments
        extra, factors = rest[:2], rest[2:]
        e = Emit(builder, lanes)
        entry, loop = builder.block, builder.append_basic_block("products")
        done = builder.append_basic_block("epilogue")
        bases = [builder.add(a, builder.shl(builder.mul(a_row, e.index(r)), e.index(2))) for r in range(rows)]
        builder.branch(loop)
        builder.position_at_end(loop)
        i = builder.phi(I64)
        i.add_incoming(e.index(0), entry)
        acc = [[builder.phi(e.v) for _ in range(vectors)] for _ in range(rows)]
        b_at, a_at = builder.mul(i, b_k), builder.mul(i, a_k)
        right = [e.load(b, builder.add(b_at, e.index(j * lanes))) for j in range(vectors)]
        total = []
        for r in range(rows):
            left = e.scalar(bases[r], a_at)
            total.append([e.fma(left, right[j], acc[r][j]) for j in range(vectors)])
        following = builder.add(i, e.index(1))
        i.add_incoming(following, loop)
        for r in range(rows):
            for j in range(vectors):
                acc[r][j].add_incoming(e.constant(0.0), entry)
                acc[r][j].add_incoming(total[r][j], loop)
        builder.cbranch(builder.icmp_signed("<", following, k), loop, done)
        builder.position_at_end(done)
        for r in range(rows):
            for j in range(vectors):
                offset = builder.add(builder.mul(c_row, e.index(r)), e.index(j * lanes))
                EPILOGUES[epilogue](Site(e, c, offset, r, extra, factors), total[r][j])
        return context.get_dummy_value()

    @intrinsic
    def emit_tile(typing, a, a_row, a_k, b, b_k, k, c, c_row, extra0, extra1, f0, f1, f2, f3):
        return types.void(*(types.int64,) * 10, *(types.float32,) * 4), codegen

    return emit_tile


@cache
def transpose(lanes: int):
    """Return an intrinsic that transposes a block of lanes × lanes floats.

    Its arguments: address of `lanes` row addresses (int64), offset into the rows, target, target's row stride.
    """

    def codegen(context, builder, signature, arguments):
        rows, offset, target, stride = arguments
        e = Emit(builder, lanes)
        block = []
        for r in range(lanes):
            where = builder.inttoptr(builder.add(rows, e.index(8 * r)), I64.as_pointer())
            block.append(e.load(builder.load(where), offset))
        half = lanes // 2
        while half:  # exchange off-diagonal halves of ever smaller squares
            for r in range(lanes):
                if not r & half:
                    x, y = block[r], block[r + half]
                    low = [i if not i & half else lanes + i - half for i in range(lanes)]
                    high = [i + half if not i & half else lanes + i for i in range(lanes)]
                    block[r] = builder.shuffle_vector(x, y, ir.Constant(e.iv, low))
                    block[r + half] = builder.shuffle_vector(x, y, ir.Constant(e.iv, high))
            half //= 2
        for r in range(lanes):
            e.store(block[r], target, builder.mul(stride, e.index(r)))
        return context.get_dummy_value()

    @intrinsic
    def emit_transpose(typing, rows, offset, target, stride):
        return types.void(*(types.int64,) * 4), codegen

    return emit_transpose


@cache
def softmax(lanes: int):
    """Return an intrinsic for one vector of examples: finite z (C, stride) becomes factor · softmax(z), in place.

    Its arguments: z, stride, C (int64), factor (float32). The softmax is over the C rows.
    """

    def codegen(context, builder, signature, arguments):
        z, stride, classes, factor = arguments
        e = Emit(builder, lanes)

        def rows(start, body):
            """Loop over rows, carrying one vector."""
            entry = builder.block
            loop, done = builder.append_basic_block("rows"), builder.append_basic_block("rows_done")
            builder.branch(loop)
            builder.position_at_end(loop)
            i, carried = builder.phi(I64), builder.phi(e.v)
            i.add_incoming(e.index(0), entry)
            carried.add_incoming(start, entry)
            value = body(builder.mul(i, stride), carried)
            following = builder.add(i, e.index(1))
            i.add_incoming(following, loop)
            carried.add_incoming(value, loop)
            builder.cbranch(builder.icmp_signed("<", following, classes), loop, done)
            builder.position_at_end(done)
            return value

        def larger(at, top):
            value = e.load(z, at)
            return builder.select(builder.fcmp_ordered("<", value, top), top, value)

        top = rows(e.load(z, e.index(0)), larger)

        def exponential(at, total):
            value = e.exp(builder.fsub(e.load(z, at), top))
            e.store(value, z, at)
            return builder.fadd(total, value)

        total = rows(e.constant(0.0), exponential)
        share = builder.fdiv(e.splat(factor), total)

        def scale(at, same):
            e.store(builder.fmul(e.load(z, at), share), z, at)
            return same

        rows(share, scale)
        return context.get_dummy_value()

    @intrinsic
    def emit_softmax(typing, z, stride, classes, factor):
        return types.void(types.int64, types.int64, types.int64, types.float32), codegen

    return emit_softmax
