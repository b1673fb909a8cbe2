"""Machine code of batch normalization and dropout: passes over the rows of a hidden layer, one row per unit.

The product computes z, and `regularize` computes from it the input of the next layer:

    ẑ = (z − m)/√(v + ε),   h = φ(γẑ + β),   output h times 0 or 1/(1 − p)

m and v are the mean and the biased variance of a unit over the examples of the mini-batch. `regularize_back` computes
∂L/∂z from ∂L/∂output. Sums over examples are WIDEST partial sums in the order of the examples, whose halves are then added
repeatedly, so results do not depend on the width of vectors. The padding of the examples is left out.

Source: Ioffe & Szegedy 2015; Srivastava et al. 2014.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from winit.engine.kernel.activations import CHAIN, PHI
from winit.engine.kernel.compilation import Body, kept
from winit.engine.kernel.emit import WIDEST, Emit, Index, Value, padded
from winit.engine.kernel.epilogues import EPILOGUES, FACTORS, Site
from winit.engine.regularization import EPSILON, MOVING

# Rows of what the code reads and writes, one float a unit. Those of a network's norm, and of the statistics of one step:
GAMMA, BETA, MEAN, VARIANCE = range(4)
BATCH_MEAN, INVERSE, OF_GAMMA, OF_BETA = range(4)  # m, 1/√(v + ε), ∂L/∂γ, ∂L/∂β


@dataclass(frozen=True)
class HiddenLayer:
    """Common properties of the hidden layers of a network.

    Attributes:
        width: units of a layer.
        batch: B, examples in a mini-batch.
        activation: φ.
        batch_norm: whether they have batch normalization.
        dropout: p, the probability that an output is dropped; 0 for no dropout.
    """

    width: int
    batch: int
    activation: str
    batch_norm: bool
    dropout: float

    @property
    def examples(self) -> int:
        """The length of a row: the examples of a mini-batch, padded to whole vectors."""
        return padded(self.batch)

    @property
    def is_regularized(self) -> bool:
        """Whether passes over rows are needed."""
        return self.batch_norm or self.dropout > 0


def _sum_rows(
    e: Emit, layer: HiddenLayer, partials: list[Value], row: Value, terms: Callable[[Index], list[Value]]
) -> None:
    """Emit the sums of a row over its examples, as WIDEST partial sums for each sum.

    Args:
        e: emits the instructions.
        layer: the layer.
        partials: addresses of the partial sums of each sum, (width, WIDEST).
        row: index of the row.
        terms: emits the terms at an offset in the matrix, for each sum.
    """
    whole, rest = divmod(layer.batch, WIDEST)
    start, parts = e.times(row, layer.examples), range(0, WIDEST, e.lanes)
    sums = [e.constant(0.0)] * (len(partials) * len(parts))
    if whole:
        with e.carrying(whole * WIDEST, sums, WIDEST) as (at, before, carry):
            added = [term for part in parts for term in terms(e.plus(start, at, part))]
            sums = [e.b.fadd(total, term) for total, term in zip(before, added, strict=True)]
            carry(sums)
    if rest:
        added = []
        for part in parts:
            inside = e.mask([part + i < rest for i in range(e.lanes)])
            values = terms(e.plus(start, whole * WIDEST, part))
            added += [e.b.select(inside, value, e.constant(0.0)) for value in values]
        sums = [e.b.fadd(total, term) for total, term in zip(sums, added, strict=True)]
    for i, total in enumerate(sums):
        part, k = divmod(i, len(partials))
        e.store(total, partials[k], e.plus(e.times(row, WIDEST), parts[part]))


def _totals(e: Emit, partial: Value, unit: Index) -> Value:
    """Return the sums of the rows from `unit` on, one per lane, from partial sums (width, WIDEST).

    The halves of all rows in two vectors are added at once, until one vector has the sums of all rows.
    """
    rows = []
    for i in range(e.lanes):
        at = e.times(e.plus(unit, i), WIDEST)
        parts = [e.load(partial, e.plus(at, part)) for part in range(0, WIDEST, e.lanes)]
        rows.append(parts[0] if len(parts) == 1 else e.b.fadd(*parts))
    while len(rows) > 1:
        size, half = len(rows), len(rows) // 2  # a vector has `size` partial sums of each of its rows
        firsts = [start + i for row in range(0, e.lanes, size) for start in (row, e.lanes + row) for i in range(half)]
        low, high = e.choice(firsts), e.choice([i + half for i in firsts])
        rows = [
            e.b.fadd(e.b.shuffle_vector(x, y, low), e.b.shuffle_vector(x, y, high))
            for x, y in zip(rows[:half], rows[half:], strict=True)
        ]
    return rows[0]


def _follow(e: Emit, norm: Value, at: Index, value: Value) -> None:
    """Emit the step of a moving statistic towards its value in the mini-batch."""
    moving = e.load(norm, at)
    e.store(e.fma(e.constant(MOVING), e.b.fsub(value, moving), moving), norm, at)


def _emit_statistics(e: Emit, layer: HiddenLayer, z: Value, norm: Value, statistics: Value, partial: Value) -> None:
    """Emit the statistics of every unit over the mini-batch, and the update of the moving statistics."""
    units, size = padded(layer.width), e.constant(layer.batch)
    unbiased = e.constant(layer.batch / (layer.batch - 1))
    with e.loop(layer.width) as row:
        _sum_rows(e, layer, [partial], row, lambda at: [e.load(z, at)])
    with e.loop(units, e.lanes) as unit:
        mean = e.b.fdiv(_totals(e, partial, unit), size)
        e.store(mean, statistics, e.plus(unit, BATCH_MEAN * units))
        _follow(e, norm, e.plus(unit, MEAN * units), mean)
    with e.loop(layer.width) as row:
        mean = e.broadcast(statistics, e.plus(row, BATCH_MEAN * units))

        def square(at: Index) -> list[Value]:
            away = e.b.fsub(e.load(z, at), mean)
            return [e.b.fmul(away, away)]

        _sum_rows(e, layer, [partial], row, square)
    with e.loop(units, e.lanes) as unit:
        variance = e.b.fdiv(_totals(e, partial, unit), size)
        root = e.call("sqrt", e.b.fadd(variance, e.constant(EPSILON)))
        e.store(e.b.fdiv(e.constant(1.0), root), statistics, e.plus(unit, INVERSE * units))
        _follow(e, norm, e.plus(unit, VARIANCE * units), e.b.fmul(variance, unbiased))


def _share(e: Emit, layer: HiddenLayer, mask: Value, at: Index) -> Value:
    """Return the factors of dropout: 0 or 1/(1 − p). NaN stays NaN even if it is dropped."""
    return e.b.select(e.bits(mask, at), e.constant(1 / (1 - layer.dropout)), e.constant(0.0))


@kept
def regularize(layer: HiddenLayer, lanes: int) -> Body:
    """Describe code that computes the output of a hidden layer from z.

    Its arguments: z (width, examples), which becomes ẑ; h, which may be z without batch normalization; the output;
    one bit per output, whether it is kept; the norm (4, units) and the statistics (4, units); room for partial sums.
    """
    units = padded(layer.width)

    def emit(e: Emit, arguments: list[Value]) -> None:
        z, h, passed, mask, norm, statistics, partial, *_ = arguments
        if layer.batch_norm:
            _emit_statistics(e, layer, z, norm, statistics, partial)
        with e.loop(layer.width) as row:
            if layer.batch_norm:
                mean, inverse = (e.broadcast(statistics, e.plus(row, k * units)) for k in (BATCH_MEAN, INVERSE))
                gamma, beta = (e.broadcast(norm, e.plus(row, k * units)) for k in (GAMMA, BETA))
            with e.loop(layer.examples, lanes) as column:
                at = e.plus(e.times(row, layer.examples), column)
                value = e.load(z, at)
                if layer.batch_norm:
                    value = e.b.fmul(e.b.fsub(value, mean), inverse)
                    e.store(value, z, at)
                    value = e.fma(value, gamma, beta)
                value = PHI[layer.activation](e, value)
                e.store(value, h, at)
                if layer.dropout:
                    e.store(e.b.fmul(value, _share(e, layer, mask, at)), passed, at)

    return emit


@kept
def regularize_back(layer: HiddenLayer, lanes: int) -> Body:
    """Describe code that computes δ of z from δ of the output of a hidden layer, in place.

        ∂L/∂z = γ/√(v + ε) · (δ − mean_B(δ) − ẑ mean_B(δẑ)),   δ = ∂L/∂(γẑ + β)

    Its arguments: δ (width, examples), ẑ, h, the bits of dropout, the norm, the statistics, room for partial sums.
    """
    units, share = padded(layer.width), 1 / layer.batch

    def emit(e: Emit, arguments: list[Value]) -> None:
        delta, z, h, mask, norm, statistics, partial, *_ = arguments
        with e.loop(layer.width) as row, e.loop(layer.examples, lanes) as column:
            at = e.plus(e.times(row, layer.examples), column)
            value = e.load(delta, at)
            if layer.dropout:
                value = e.b.fmul(value, _share(e, layer, mask, at))
            e.store(CHAIN[layer.activation](e, value, e.load(h, at)), delta, at)
        if not layer.batch_norm:
            return
        partials = [partial, e.plus(partial, 4 * units * WIDEST)]

        def terms(at: Index) -> list[Value]:
            value = e.load(delta, at)
            return [e.b.fmul(value, e.load(z, at)), value]

        with e.loop(layer.width) as row:
            _sum_rows(e, layer, partials, row, terms)
        with e.loop(units, lanes) as unit:
            for k, room in zip((OF_GAMMA, OF_BETA), partials, strict=True):
                e.store(_totals(e, room, unit), statistics, e.plus(unit, k * units))
        with e.loop(layer.width) as row:
            of_gamma, of_beta, inverse = (
                e.broadcast(statistics, e.plus(row, k * units)) for k in (OF_GAMMA, OF_BETA, INVERSE)
            )
            slope = e.b.fmul(e.broadcast(norm, e.plus(row, GAMMA * units)), inverse)
            along, mean = e.b.fmul(of_gamma, e.constant(-share)), e.b.fmul(of_beta, e.constant(share))
            with e.loop(layer.examples, lanes) as column:
                at = e.plus(e.times(row, layer.examples), column)
                value = e.b.fsub(e.fma(e.load(z, at), along, e.load(delta, at)), mean)
                e.store(e.b.fmul(value, slope), delta, at)

    return emit


@kept
def update_norm(width: int, epilogue: str, lanes: int) -> Body:
    """Describe code that updates γ and β with the gradients in the statistics.

    Its arguments: the norm, the statistics, two addresses of the optimizer's state (2, units), the optimizer's factors.
    """
    units = padded(width)

    def emit(e: Emit, arguments: list[Value]) -> None:
        norm, statistics, first, second, factors, *_ = arguments
        numbers = [e.broadcast(factors, i) for i in range(len(FACTORS[epilogue]))]
        with e.loop(2 * units, lanes) as at:
            gradient = e.load(statistics, e.plus(at, OF_GAMMA * units))
            EPILOGUES[epilogue](Site(e, norm, [first, second], at, numbers), gradient)

    return emit
