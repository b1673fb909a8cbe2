"""The kernel's machine code: products made of register tiles with fused epilogues, transposes, softmax, moments.

Each function below describes one piece of code for one shape and returns the address of its machine code, compiled once
a process. All sizes and strides are constants in it; it takes addresses of float32 arrays.

Every element of a product is one chain of fused multiply-adds in a fixed order, so that its bits depend neither on the
width of the vectors nor on the shape of the tiles nor on the blocks of the inner dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from winit.vector import CHAIN, PHI, WIDEST, Emit, compiled, padded

# How many rows a tile may have, by its number of vectors a row: as many accumulators as registers allow.
TILE_ROWS = {16: {1: 24, 2: 13, 3: 8, 4: 6}, 8: {1: 12, 2: 6}}
CHAINS = 4  # of sums that run side by side, to hide the latency of an addition
PANEL_BYTES = 32 << 10  # of an operand that should stay in the first cache
SECOND_CACHE = 1 << 20  # bytes
STREAMS = 16  # rows of a matrix that are read side by side at full speed


# --- epilogues ----------------------------------------------------------------------------------------------------


@dataclass
class Site:
    """Where an epilogue works: one vector of the result, and the addresses of the function's further arguments."""

    e: Emit
    c: object
    extra: list
    offset: object
    factors: list

    def read(self, base):
        return self.e.load(base, self.offset)

    def write(self, value, base) -> None:
        self.e.store(value, base, self.offset)


def _forward(activation: str) -> Callable:
    def epilogue(s: Site, z) -> None:
        s.write(PHI[activation](s.e, z), s.c)

    return epilogue


def _backward(activation: str) -> Callable:
    def epilogue(s: Site, gradient) -> None:  # extra: h, laid out as the result
        s.write(CHAIN[activation](s.e, gradient, s.read(s.extra[0])), s.c)

    return epilogue


def _keep(s: Site, partial) -> None:
    s.write(partial, s.c)


def _sgd(s: Site, gradient) -> None:
    rate, decay = s.factors
    w = s.read(s.c)
    s.write(s.e.fma(s.e.fma(decay, w, gradient), rate, w), s.c)


def _momentum(s: Site, gradient) -> None:  # extra: velocity
    rate, decay, momentum, of_velocity, of_gradient = s.factors
    w = s.read(s.c)
    gradient = s.e.fma(decay, w, gradient)
    velocity = s.e.fma(s.read(s.extra[0]), momentum, gradient)
    s.write(velocity, s.extra[0])
    step = s.e.fma(of_gradient, gradient, s.e.b.fmul(of_velocity, velocity))
    s.write(s.e.fma(step, rate, w), s.c)


def _adam(s: Site, gradient) -> None:  # extra: mean, square
    e = s.e
    rate, decay, rest1, beta2, rest2, correction, epsilon, shrink = s.factors
    w = s.read(s.c)
    gradient = e.fma(decay, w, gradient)
    mean = s.read(s.extra[0])
    mean = e.fma(rest1, e.b.fsub(gradient, mean), mean)
    square = e.fma(beta2, s.read(s.extra[1]), e.b.fmul(rest2, e.b.fmul(gradient, gradient)))
    s.write(mean, s.extra[0])
    s.write(square, s.extra[1])
    size = e.fma(e.call("sqrt", square), correction, epsilon)
    s.write(e.fma(rate, e.b.fdiv(mean, size), e.b.fmul(shrink, w)), s.c)


# An optimizer's epilogue reads these numbers, anew at every step, from the function's last argument (−η: minus the rate).
FACTORS: dict[str, tuple[str, ...]] = {
    "sgd": ("−η", "λ"),
    "momentum": ("−η", "λ", "μ", "share of velocity", "share of gradient"),
    "adam": ("−η/(1−β₁ᵗ)", "λ", "1−β₁", "β₂", "1−β₂", "1/√(1−β₂ᵗ)", "ε", "1−ηλ (AdamW)"),
}
EPILOGUES: dict[str, Callable] = {
    **{f"forward {name}": _forward(name) for name in PHI},
    **{f"backward {name}": _backward(name) for name in CHAIN},
    "sgd": _sgd,
    "momentum": _momentum,
    "adam": _adam,
}


# --- products -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Product:
    """c[r, j] = epilogue(Σ_{i < inner} a[r·a_row + i·a_k] · b[i·b_k + j]), for r < rows and j < columns.

    Strides are in floats. Rows of b and c are padded to whole vectors, so `columns` is rounded up.
    """

    rows: int
    columns: int
    inner: int
    a_row: int
    a_k: int
    b_k: int
    c_row: int
    epilogue: str


def _even_parts(total: int, most: int) -> list[tuple[int, int, int]]:
    """Split a total into as few and as even parts of at most `most` as can be: [(start, how many, size), …]."""
    parts = -(-total // most)
    size, larger = divmod(total, parts)
    groups = [(0, parts - larger, size), ((parts - larger) * size, larger, size + 1)]
    return [group for group in groups if group[1]]


def _emit_tile(
    e: Emit, spec: Product, arguments: list, rows: int, vectors: int, row, column, start, length: int,
    first: bool, last: bool, traced: bool,
) -> None:  # fmt: skip
    """Emit one tile, `rows` × `vectors` at (row, column), for the inner indices start … start + length − 1."""
    a, b, c, *extra, f = arguments
    zero = e.constant(0.0)
    at = [e.plus(e.times(e.plus(row, r), spec.c_row), column, j * e.lanes) for r in range(rows) for j in range(vectors)]
    a = e.plus(a, e.times(e.plus(e.times(row, spec.a_row), e.times(start, spec.a_k)), 4))
    b = e.plus(b, e.times(e.plus(e.times(start, spec.b_k), column), 4))
    acc = [zero if first else e.load(c, offset) for offset in at]
    with e.carrying(length, acc) as (i, acc, carry):
        right = [e.load(b, e.plus(e.times(i, spec.b_k), j * e.lanes)) for j in range(vectors)]
        total = []
        for r in range(rows):
            left = e.broadcast(a, e.plus(e.times(i, spec.a_k), r * spec.a_row))
            total += [e.fma(left, right[j], acc[r * vectors + j]) for j in range(vectors)]
        carry(total)
    if traced:
        squares = e.load(f, -WIDEST)
        for value in total:
            squares = e.fma(value, value, squares)
        e.store(squares, f, -WIDEST)
    epilogue = EPILOGUES[spec.epilogue] if last else _keep
    factors = [e.broadcast(f, i) for i in range(len(FACTORS.get(spec.epilogue, ())))]
    for offset, value in zip(at, total, strict=True):
        epilogue(Site(e, c, extra, offset, factors), value)


def _emit_product(e: Emit, spec: Product, arguments: list, row, rows: int, traced: bool = False) -> None:
    """Emit a product's rows from `row` on, `rows` of them: blocks of the inner dimension, strips of columns, tiles."""
    limits = TILE_ROWS[e.lanes]
    strips = _even_parts(padded(spec.columns) // e.lanes, max(limits))

    def sweep(start, length: int, first: bool, last: bool) -> None:
        for column, count, vectors in strips:
            with e.loop(count) as strip:
                j = e.plus(column * e.lanes, e.times(strip, vectors * e.lanes))
                for above, many, height in _even_parts(rows, limits[vectors]):
                    with e.loop(many) as i:
                        r = e.plus(row, above, e.times(i, height))
                        _emit_tile(e, spec, arguments, height, vectors, r, j, start, length, first, last, traced)

    # All tiles of a strip read the same panel of b.
    most = PANEL_BYTES // (4 * e.lanes * max(vectors for _, _, vectors in strips))
    if spec.a_k > 1 and 4 * spec.a_k * spec.inner > SECOND_CACHE:
        most = STREAMS  # walks down the columns of a matrix that comes from memory
    if spec.epilogue in FACTORS:
        most = spec.inner  # the result is an operand, so there is no room for partial sums; the batch is short
    blocks = [(start + k * size, size) for start, count, size in _even_parts(spec.inner, most) for k in range(count)]
    if len(blocks) == 1:
        sweep(*blocks[0], True, True)
        return
    # The first block starts from zero, the last one ends in the epilogue; those between read and keep partial sums.
    sweep(*blocks[0], True, False)
    for length in sorted({length for _, length in blocks[1:-1]}):
        starts = [start for start, size in blocks[1:-1] if size == length]
        with e.loop(len(starts)) as i:
            sweep(e.plus(starts[0], e.times(i, length)), length, False, False)
    sweep(*blocks[-1], False, True)


@cache
def product(spec: Product, lanes: int, traced: bool = False) -> int:
    """Return the address of code for a product; its arguments: a, b, c, two extra addresses, factors.

    Args:
        spec: sizes, strides, epilogue.
        lanes: float32 elements of a vector.
        traced: whether to add the squares of the sums to the WIDEST partial sums in front of the factors.
    """

    def emit(e: Emit, arguments: list) -> None:
        _emit_product(e, spec, arguments[:6], 0, spec.rows, traced)

    return compiled(lanes, emit)


@cache
def backward_and_update(backward: Product, update: Product, lanes: int, traced: bool = False) -> int:
    """Return the address of code for one layer's way back: δ below, and the update of its parameters.

    Both go through the same rows of the weights, a block at a time, so that a large matrix is fetched once for the two.
    The update has one row more than the backward product, the biases.
    Arguments: parameters, δ, δ below, outputs of the layer below, transposed δ, two extra addresses, factors.
    """
    blocks = _even_parts(backward.rows, max(48, SECOND_CACHE // (16 * backward.a_row)))

    def emit(e: Emit, arguments: list) -> None:
        p, delta, below, h, dt, extra0, extra1, f = arguments
        for above, count, rows in blocks:
            with e.loop(count) as i:
                row = e.plus(above, e.times(i, rows))
                _emit_product(e, backward, [p, delta, below, h, 0, f], row, rows)
                _emit_product(e, update, [h, dt, p, extra0, extra1, f], row, rows, traced)
        _emit_product(e, update, [h, dt, p, extra0, extra1, f], backward.rows, 1, traced)

    return compiled(lanes, emit)


# --- what surrounds the products ----------------------------------------------------------------------------------


def _block(e: Emit, sources: list, offset, target, stride: int) -> None:
    """Emit the transpose of lanes × lanes floats, from row addresses to a target."""
    lanes = e.lanes
    block = [e.load(source, offset) for source in sources]
    half = lanes // 2
    while half:  # exchange off-diagonal halves of ever smaller squares
        low = e.choice([i if not i & half else lanes + i - half for i in range(lanes)])
        high = e.choice([i + half if not i & half else lanes + i for i in range(lanes)])
        for r in range(lanes):
            if not r & half:
                x, y = block[r], block[r + half]
                block[r], block[r + half] = e.b.shuffle_vector(x, y, low), e.b.shuffle_vector(x, y, high)
        half //= 2
    for r in range(lanes):
        e.store(block[r], target, r * stride)


@cache
def transpose(rows: int, columns: int, target_row: int, lanes: int) -> int:
    """Return the address of code for target[c, r] = source[r, c]; its arguments: source, target."""

    def emit(e: Emit, arguments) -> None:
        source, target, *_ = arguments
        with e.loop(rows, lanes) as r, e.loop(columns, lanes) as c:
            sources = [e.plus(source, e.times(e.plus(r, i), 4 * columns)) for i in range(lanes)]
            _block(e, sources, c, e.plus(target, e.times(e.plus(e.times(c, target_row), r), 4)), target_row)

    return compiled(lanes, emit)


@cache
def gather(columns: int, examples: int, lanes: int) -> int:
    """Return the address of code that fetches rows of x, transposed; its arguments: x, row numbers (int64), target."""

    def emit(e: Emit, arguments) -> None:
        x, numbers, target, *_ = arguments
        with e.loop(examples, lanes) as g:
            sources = [e.plus(x, e.times(e.integer(numbers, e.plus(g, i)), 4 * columns)) for i in range(lanes)]
            with e.loop(columns, lanes) as c:
                _block(e, sources, c, e.plus(target, e.times(e.plus(e.times(c, examples), g), 4)), examples)

    return compiled(lanes, emit)


@cache
def softmax(classes: int, examples: int, factor: float, lanes: int) -> int:
    """Return the address of code that turns finite logits (classes, examples) into factor · softmax; its argument: z."""

    def emit(e: Emit, arguments) -> None:
        z = arguments[0]
        with e.loop(examples, lanes) as at:
            top = e.load(z, at)
            with e.carrying(classes, [top]) as (i, (top,), carry):
                value = e.load(z, e.plus(e.times(i, examples), at))
                top = e.where("<", value, top, top, value)
                carry([top])
            with e.carrying(classes, [e.constant(0.0)]) as (i, (total,), carry):
                where = e.plus(e.times(i, examples), at)
                value = e.exp(e.b.fsub(e.load(z, where), top))
                e.store(value, z, where)
                total = e.b.fadd(total, value)
                carry([total])
            share = e.b.fdiv(e.constant(factor), total)
            with e.loop(classes) as i:
                where = e.plus(e.times(i, examples), at)
                e.store(e.b.fmul(e.load(z, where), share), z, where)

    return compiled(lanes, emit)


@cache
def moments(rows: int, columns: int, row: int, lanes: int) -> int:
    """Return the address of code that adds up x (rows, columns) and x²; its arguments: x, target.

    The target takes WIDEST partial sums of x and as many of x², which are the same on any width of vectors.
    """
    rest = columns % WIDEST

    def emit(e: Emit, arguments) -> None:
        x, target, *_ = arguments
        zero = e.constant(0.0)
        for part in range(0, WIDEST, lanes):
            inside = e.mask([part + i < rest for i in range(lanes)])
            with e.carrying(rows, [zero] * 2 * CHAINS) as (r, sums, carry):
                sums = list(sums)
                for chain, j in enumerate(range(0, columns, WIDEST)):
                    value = e.load(x, e.plus(e.times(r, row), j + part))
                    if j + WIDEST > columns:
                        value = e.b.select(inside, value, zero)
                    one, two = chain % CHAINS, CHAINS + chain % CHAINS
                    sums[one], sums[two] = e.b.fadd(sums[one], value), e.fma(value, value, sums[two])
                carry(sums)
            for k in range(2):
                total = sums[k * CHAINS]
                for value in sums[k * CHAINS + 1 : (k + 1) * CHAINS]:
                    total = e.b.fadd(total, value)
                e.store(total, target, k * WIDEST + part)

    return compiled(lanes, emit)
