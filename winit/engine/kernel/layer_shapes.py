"""The machine code for layers of one shape that learn individually."""

from __future__ import annotations

from winit.engine.kernel.emit import padded
from winit.engine.kernel.layer_loops import FreeCode, MachineCode, TiedCode
from winit.engine.kernel.passes import gather, transpose
from winit.engine.kernel.products import Product, backward_and_update, product


def tied_autoencoder(
    inputs: int, units: int, batch: int, activation: str, loss: str, corruption: str | None, epilogue: str, lanes: int
) -> TiedCode:
    """Return the code for autoencoders whose decoder is the transposed encoder.

    Args:
        inputs, units: D and n.
        batch: B, examples in a mini-batch.
        activation: φ of the hidden units.
        loss: `squared_error` or `cross_entropy`.
        corruption: its kind, if any.
        epilogue: of the updates; see `epilogues.FACTORS`.
        lanes: float32 elements of a vector.
    """
    row, examples = padded(units + 1), padded(batch)
    pair = 2 * examples
    back = Product(units, batch, inputs, 1, row, pair, examples, f"backward {activation}")
    return TiedCode(
        batch,
        gather(padded(inputs + 1), examples, pair, lanes, corruption),
        product(_up(inputs, units, batch, f"forward {activation}"), lanes),
        product(_down(inputs, units, batch, f"reconstruct {loss}"), lanes),
        product(back, lanes),
        transpose(row, examples, row, lanes),
        product(_update(inputs, units, batch, epilogue), lanes),
    )


def free_autoencoder(
    inputs: int, units: int, batch: int, activation: str, loss: str, corruption: str | None, epilogue: str, lanes: int
) -> FreeCode:
    """Return the code for autoencoders with a separate decoder; the arguments are those of `tied_autoencoder`."""
    row, out, examples = padded(units), padded(inputs), padded(batch)
    update = Product(units + 1, inputs, batch, examples, 1, out, out, epilogue)
    back = Product(units, batch, inputs, out, 1, examples, examples, f"backward {activation}")
    return FreeCode(
        gather(padded(inputs + 1), examples, examples, lanes, corruption),
        product(Product(units, batch, inputs + 1, 1, row, examples, examples, f"forward {activation}"), lanes),
        product(Product(inputs, batch, units + 1, 1, out, examples, examples, f"reconstruct {loss}"), lanes),
        transpose(out, examples, out, lanes),
        backward_and_update(back, update, lanes),
        transpose(row, examples, row, lanes),
        product(Product(inputs + 1, units, batch, examples, 1, row, row, epilogue), lanes),
    )


def machine(inputs: int, units: int, batch: int, visible: str, hidden: str, lanes: int) -> MachineCode:
    """Return the code for restricted Boltzmann machines.

    Args:
        inputs, units: visible and hidden units.
        batch: B, examples in a mini-batch.
        visible, hidden: the activation that maps the input of these units to their means.
        lanes: float32 elements of a vector.
    """
    row, examples = padded(units + 1), padded(batch)
    return MachineCode(
        batch,
        gather(padded(inputs + 1), examples, 2 * examples, lanes),
        product(_up(inputs, units, batch, f"sample {hidden}"), lanes),
        product(_down(inputs, units, batch, f"forward {visible}"), lanes),
        product(_up(inputs, units, batch, f"minus {hidden}"), lanes),
        transpose(row, examples, row, lanes),
        product(_update(inputs, units, batch, "contrast"), lanes),
    )


# The products of layers with one matrix P = [W, c; b, 0] for both directions.


def _up(inputs: int, units: int, batch: int, epilogue: str) -> Product:
    """Return Wᵀx + b, from a half of the visible side."""
    examples = padded(batch)
    return Product(units, batch, inputs + 1, 1, padded(units + 1), 2 * examples, examples, epilogue)


def _down(inputs: int, units: int, batch: int, epilogue: str) -> Product:
    """Return Wh + c, into a half of the visible side."""
    examples = padded(batch)
    return Product(inputs, batch, units + 1, padded(units + 1), 1, examples, 2 * examples, epilogue)


def _update(inputs: int, units: int, batch: int, epilogue: str) -> Product:
    """Return the product of both halves of the two sides, for all parameters."""
    row, examples = padded(units + 1), padded(batch)
    return Product(inputs + 1, units + 1, examples + batch, 2 * examples, 1, row, row, epilogue)
