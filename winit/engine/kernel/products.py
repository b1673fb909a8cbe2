"""Machine code of products: register tiles with fused epilogues.

Each public function describes a piece of code for one shape, and `kept` makes it return the address of the machine code.
Sizes and strides are constants in the code; it takes addresses of float32 arrays.

Every element of a product is one chain of fused multiply-adds in a fixed order, so that its bits depend neither on the
width of the vectors nor on the shape of the tiles nor on the blocks of the inner dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from winit.engine.kernel.compilation import Body, kept
from winit.engine.kernel.emit import I64, WIDEST, Emit, Index, Value, padded
from winit.engine.kernel.epilogues import EPILOGUES, FACTORS, LONG, Epilogue, Site, keep

# Largest number of rows of a tile, by its number of vectors per row: as many accumulators as there are registers.
TILE_ROWS = {16: {1: 24, 2: 13, 3: 8, 4: 6}, 8: {1: 12, 2: 6}}
PANEL_BYTES = 32 << 10  # bytes of an operand that should stay in the first-level cache
SECOND_CACHE = 1 << 20  # bytes
STREAMS = 16  # rows of a matrix that can be read in parallel at full speed
FETCHED = 128 << 10, SECOND_CACHE  # bytes of the smallest and the largest matrix to fetch before a product


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


class Operands(NamedTuple):
    """Addresses of a product's operands a and b, its result c, additional operands of its epilogue, and its factors."""

    a: Value
    b: Value
    c: Value
    extra: list[Value]
    factors: Value


class Tile(NamedTuple):
    """A part of the result that stays in registers: rows from `row` on, vectors from `column` on."""

    row: Index
    column: Index
    rows: int
    vectors: int


class InnerBlock(NamedTuple):
    """A part of the inner dimension. The first block starts from zero, and the last one is followed by the epilogue."""

    start: Index
    length: int
    is_first: bool
    is_last: bool


def _even_parts(total: int, most: int) -> list[tuple[int, int, int]]:
    """Split a total into the fewest, most even parts of at most `most`: [(start, number, size), …]."""
    parts = -(-total // most)
    size, larger = divmod(total, parts)
    groups = [(0, parts - larger, size), ((parts - larger) * size, larger, size + 1)]
    return [group for group in groups if group[1]]


def _emit_tile(e: Emit, spec: Product, operands: Operands, tile: Tile, block: InnerBlock, traced: bool) -> None:
    """Emit one tile of a product over one block of the inner dimension."""
    c, extra, f = operands.c, operands.extra, operands.factors
    rows, vectors = tile.rows, tile.vectors
    zero = e.constant(0.0)
    at = [
        e.plus(e.times(e.plus(tile.row, r), spec.c_row), tile.column, j * e.lanes)
        for r in range(rows)
        for j in range(vectors)
    ]
    a = e.plus(operands.a, e.times(e.plus(e.times(tile.row, spec.a_row), e.times(block.start, spec.a_k)), 4))
    b = e.plus(operands.b, e.times(e.plus(e.times(block.start, spec.b_k), tile.column), 4))
    sums = [zero if block.is_first else e.load(c, offset) for offset in at]
    with e.carrying(block.length, sums) as (i, sums, carry):
        right = [e.load(b, e.plus(e.times(i, spec.b_k), j * e.lanes)) for j in range(vectors)]
        total = []
        for r in range(rows):
            if walks_down(spec) and r % WIDEST == 0:
                e.prefetch(a, e.plus(e.times(i, spec.a_k), STREAMS * spec.a_k + r))  # for the next block
            left = e.broadcast(a, e.plus(e.times(i, spec.a_k), r * spec.a_row))
            total += [e.fma(left, right[j], sums[r * vectors + j]) for j in range(vectors)]
        carry(total)
    if traced:
        squares = e.load(f, -WIDEST)
        for value in total:
            squares = e.fma(value, value, squares)
        e.store(squares, f, -WIDEST)
    factors = [e.broadcast(f, i) for i in range(len(FACTORS.get(spec.epilogue, ())))]
    epilogue = EPILOGUES[spec.epilogue] if block.is_last else keep
    if block.is_last and spec.epilogue in LONG:
        _emit_loop_of_epilogues(e, epilogue, total, spec, operands, tile, factors)
        return
    for offset, value in zip(at, total, strict=True):
        epilogue(Site(e, c, extra, offset, factors), value)


def _emit_loop_of_epilogues(
    e: Emit, epilogue: Epilogue, total: list[Value], spec: Product, operands: Operands, tile: Tile, factors: list[Value]
) -> None:
    """Emit an epilogue once, as the body of a loop over the rows of a tile, with the sums in memory."""
    with e.b.goto_entry_block():
        room = e.b.ptrtoint(e.b.alloca(e.v, size=len(total)), I64)
    for i, value in enumerate(total):
        e.store(value, room, i * e.lanes)
    with e.loop(tile.rows) as r:
        for j in range(tile.vectors):
            value = e.load(room, e.plus(e.times(r, tile.vectors * e.lanes), j * e.lanes))
            offset = e.plus(e.times(e.plus(tile.row, r), spec.c_row), tile.column, j * e.lanes)
            epilogue(Site(e, operands.c, operands.extra, offset, factors), value)


def walks_down(spec: Product) -> bool:
    """Return whether a product walks down the columns of a matrix that comes from memory."""
    return spec.epilogue not in FACTORS and spec.a_k > 1 and 4 * spec.a_k * spec.inner > SECOND_CACHE


def changes_memory(spec: Product) -> bool:
    """Return whether a product updates a matrix that comes from memory, from a short b, which stays in the caches."""
    is_large = 4 * spec.rows * spec.c_row > SECOND_CACHE
    return spec.epilogue in FACTORS and is_large and 4 * spec.inner * spec.b_k <= 2 * PANEL_BYTES


def _longest_block(spec: Product, lanes: int, vectors: int) -> int:
    """Return the largest length of a block of the inner dimension, for tiles of at most the given number of vectors."""
    if spec.epilogue in FACTORS:
        return spec.inner  # the result is an operand, so there is no room for partial sums; the batch is short
    if walks_down(spec):
        return STREAMS
    return PANEL_BYTES // (4 * lanes * vectors)  # all tiles of a strip read the same panel of b


def _emit_fetch(e: Emit, matrix: Value, floats: int) -> None:
    """Emit requests for all lines of a matrix that may have left the second cache and fits into it.

    A product reads such a matrix in an order that the hardware prefetcher does not predict.
    """
    smallest, largest = FETCHED
    if smallest <= 4 * floats <= largest:
        with e.loop(floats, WIDEST) as i:
            e.prefetch(matrix, i)


def _emit_product(e: Emit, spec: Product, operands: Operands, row: Index, rows: int, traced: bool = False) -> None:
    """Emit a product's rows from `row` on, `rows` of them: blocks of the inner dimension, strips of columns, tiles."""
    limits = TILE_ROWS[e.lanes]
    strips = _even_parts(padded(spec.columns) // e.lanes, max(limits))
    widest = max(vectors for _, _, vectors in strips)

    def emit_tile(
        block: InnerBlock, above: int, i: Index, height: int, column: int, strip: Index, vectors: int
    ) -> None:
        first, j = e.plus(row, above, e.times(i, height)), e.plus(column * e.lanes, e.times(strip, vectors * e.lanes))
        _emit_tile(e, spec, operands, Tile(first, j, height, vectors), block, traced)

    def sweep(block: InnerBlock) -> None:
        for column, count, vectors in strips:
            with e.loop(count) as strip:
                for above, many, height in _even_parts(rows, limits[vectors]):
                    with e.loop(many) as i:
                        emit_tile(block, above, i, height, column, strip, vectors)

    def sweep_along_rows(block: InnerBlock) -> None:
        for above, many, height in _even_parts(rows, limits[widest]):
            with e.loop(many) as i:
                for column, count, vectors in strips:
                    with e.loop(count) as strip:
                        emit_tile(block, above, i, height, column, strip, vectors)

    most = _longest_block(spec, e.lanes, widest)
    blocks = [(start + k * size, size) for start, count, size in _even_parts(spec.inner, most) for k in range(count)]
    if len(blocks) == 1:
        (sweep_along_rows if changes_memory(spec) else sweep)(InnerBlock(*blocks[0], True, True))
        return
    sweep(InnerBlock(*blocks[0], True, False))
    for length in sorted({length for _, length in blocks[1:-1]}):
        starts = [start for start, size in blocks[1:-1] if size == length]
        with e.loop(len(starts)) as i:
            sweep(InnerBlock(e.plus(starts[0], e.times(i, length)), length, False, False))
    sweep(InnerBlock(*blocks[-1], False, True))


@kept
def product(spec: Product, lanes: int, traced: bool = False) -> Body:
    """Describe code for a product; its arguments: a, b, c, two extra addresses, factors.

    Args:
        spec: sizes, strides, epilogue.
        lanes: float32 elements of a vector.
        traced: whether to add the squares of the sums to the WIDEST partial sums before the factors.
    """

    def emit(e: Emit, arguments: list[Value]) -> None:
        a, b, c, extra0, extra1, factors, *_ = arguments
        if spec.a_k > 1:
            _emit_fetch(e, a, spec.inner * spec.a_k)
        _emit_product(e, spec, Operands(a, b, c, [extra0, extra1], factors), 0, spec.rows, traced)

    return emit


@kept
def backward_and_update(backward: Product, update: Product, lanes: int, traced: bool = False) -> Body:
    """Describe code for the backward pass of one layer: δ of the layer below, and the update of its parameters.

    Both iterate over the same rows of the weights, one block at a time, so that a large matrix is fetched only once.
    The update has one more row than the backward product, the biases. With a single block, its tiles include this row.
    Arguments: parameters, δ, δ below, outputs of the layer below, transposed δ, two extra addresses, factors.
    """
    blocks = _even_parts(backward.rows, max(48, SECOND_CACHE // (16 * backward.a_row)))

    def emit(e: Emit, arguments: list[Value]) -> None:
        parameters, delta, below, h, transposed, extra0, extra1, factors = arguments
        back = Operands(parameters, delta, below, [h], factors)
        change = Operands(h, transposed, parameters, [extra0, extra1], factors)
        if len(blocks) == 1 and blocks[0][1] == 1:
            _emit_fetch(e, parameters, backward.rows * backward.a_row)
            _emit_fetch(e, h, backward.rows * backward.c_row)
            _emit_product(e, backward, back, 0, backward.rows)
            _emit_product(e, update, change, 0, update.rows, traced)
            return
        for above, count, rows in blocks:
            with e.loop(count) as i:
                row = e.plus(above, e.times(i, rows))
                _emit_product(e, backward, back, row, rows)
                _emit_product(e, update, change, row, rows, traced)
        _emit_product(e, update, change, backward.rows, 1, traced)

    return emit
