"""Machine code of everything except products: transposes, gathers, softmax, reductions for losses, moments."""

from __future__ import annotations

from collections.abc import Callable

from winit.engine.kernel.compilation import Body, kept
from winit.engine.kernel.emit import WIDEST, Emit, Value

CHAINS = 4  # parallel sums that hide the latency of an addition


# How noise changes a value.
CORRUPT: dict[str, Callable[[Emit, Value, Value], Value]] = {
    "masking": lambda e, value, noise: e.b.fmul(value, noise),
    "gaussian": lambda e, value, noise: e.b.fadd(value, noise),
}


def _block(e: Emit, rows: list[Value], target: Value, stride: int) -> None:
    """Emit the transpose of lanes × lanes floats, from vectors to a target."""
    lanes, block = e.lanes, list(rows)
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


@kept
def transpose(rows: int, columns: int, target_row: int, lanes: int) -> Body:
    """Describe code for target[c, r] = source[r, c]; its arguments: source, target."""

    def emit(e: Emit, arguments: list[Value]) -> None:
        source, target, *_ = arguments
        with e.loop(rows, lanes) as r, e.loop(columns, lanes) as c:
            block = [e.load(source, e.plus(e.times(e.plus(r, i), columns), c)) for i in range(lanes)]
            _block(e, block, e.plus(target, e.times(e.plus(e.times(c, target_row), r), 4)), target_row)

    return emit


@kept
def gather(columns: int, examples: int, target_row: int, lanes: int, corruption: str | None = None) -> Body:
    """Describe code that fetches rows of x, transposed; its arguments: x, row numbers (int64), target.

    With a corruption there are two more arguments: noise (examples, columns), and the target of the corrupted rows.
    """

    def emit(e: Emit, arguments: list[Value]) -> None:
        x, numbers, target, noise, corrupted, *_ = arguments
        with e.loop(examples, lanes) as g:
            sources = [e.plus(x, e.times(e.integer(numbers, e.plus(g, i)), 4 * columns)) for i in range(lanes)]
            with e.loop(columns, lanes) as c:
                where = e.times(e.plus(e.times(c, target_row), g), 4)
                block = [e.load(source, c) for source in sources]
                _block(e, block, e.plus(target, where), target_row)
                if corruption:
                    noises = [e.load(noise, e.plus(e.times(e.plus(g, i), columns), c)) for i in range(lanes)]
                    block = [CORRUPT[corruption](e, *pair) for pair in zip(block, noises, strict=True)]
                    _block(e, block, e.plus(corrupted, where), target_row)

    return emit


@kept
def softmax(classes: int, examples: int, factor: float, lanes: int) -> Body:
    """Describe code that turns finite logits (classes, examples) into factor · softmax; its argument: z."""

    def emit(e: Emit, arguments: list[Value]) -> None:
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

    return emit


@kept
def likeliest(classes: int, examples: int, lanes: int) -> Body:
    """Describe code for the reductions of logits z (classes, examples) in a cross-entropy; its arguments: z, target.

    The target (3, examples) receives the largest logit z*, the first class c* that has it, and Σ_{c ≠ c*} exp(z_c − z*).
    Without the largest term, the sum keeps its precision if a network is nearly certain. NaN makes the sum NaN.
    """

    def emit(e: Emit, arguments: list[Value]) -> None:
        z, target, *_ = arguments
        zero, one = e.constant(0.0), e.constant(1.0)
        with e.loop(examples, lanes) as at:
            start = [e.load(z, at), zero, zero]
            with e.carrying(classes, start) as (i, (top, best, c), carry):
                value = e.load(z, e.plus(e.times(i, examples), at))
                best = e.where(">", value, top, c, best)
                top = e.where(">", value, top, value, top)
                carry([top, best, e.b.fadd(c, one)])
            with e.carrying(classes, [zero, zero]) as (i, (others, c), carry):
                value = e.load(z, e.plus(e.times(i, examples), at))
                term = e.where("==", c, best, zero, e.exp(e.b.fsub(value, top)))
                others = e.b.fadd(others, term)
                carry([others, e.b.fadd(c, one)])
            for row, value in enumerate((top, best, others)):
                e.store(value, target, e.plus(at, row * examples))

    return emit


@kept
def moments(rows: int, columns: int, row: int, lanes: int) -> Body:
    """Describe code that adds up x (rows, columns) and x²; its arguments: x, target.

    The target receives WIDEST partial sums of x and of x², which do not depend on the width of vectors.
    """
    rest = columns % WIDEST

    def emit(e: Emit, arguments: list[Value]) -> None:
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

    return emit
