"""The machine code for one shape of network."""

from __future__ import annotations

from functools import cache

from winit.engine.engine import NetworkSpec
from winit.engine.kernel.activations import PHI
from winit.engine.kernel.emit import padded
from winit.engine.kernel.loop import Code
from winit.engine.kernel.passes import gather, likeliest, moments, softmax, transpose
from winit.engine.kernel.products import Product, backward_and_update, product
from winit.engine.kernel.rows import HiddenLayer, regularize, regularize_back, update_norm
from winit.engine.objectives import Classification

EPILOGUE = {"sgd": "sgd", "momentum": "momentum", "nesterov": "momentum", "adam": "adam", "adamw": "adam"}


def obstacle(spec: NetworkSpec) -> str | None:
    """Return why the kernel cannot train such networks, as the end of a sentence; None if it can."""
    if not isinstance(spec.objective, Classification):
        return "it trains only classifiers"
    if spec.corruption:
        return "it does not corrupt inputs"
    if not isinstance(spec.activation, str):
        return "it needs one activation, given by name, not functions or several activations"
    if spec.activation not in PHI or spec.optimizer.name not in EPILOGUE:
        return f"it has no vector code for {spec.activation} with {spec.optimizer.name}"
    return None


@cache
def compile_shape(inputs: int, hidden: HiddenLayer, classes: int, epilogue: str, lanes: int, traced: bool) -> Code:
    """Return the code for networks of one shape; which does not depend on depth, rates and the number of steps.

    Args:
        inputs, classes: of every network.
        hidden: its hidden layers, which all have the same shape.
        epilogue: of the updates; see `epilogues.FACTORS`.
        lanes: float32 elements of a vector.
        traced: whether the updates add up the squares of the gradient.
    """
    width, batch, activation = hidden.width, hidden.batch, hidden.activation
    examples, units, outputs = hidden.examples, padded(width), padded(classes)
    # With batch normalization or dropout, passes over rows compute φ and φ′ in training.
    slope = "identity" if hidden.is_regularized else activation

    def forward(fan_in: int, fan_out: int, phi: str) -> int:
        row = padded(fan_out)
        return product(Product(fan_out, batch, fan_in + 1, 1, row, examples, examples, f"forward {phi}"), lanes)

    def update(fan_in: int, fan_out: int) -> Product:
        row = padded(fan_out)
        return Product(fan_in + 1, fan_out, batch, examples, 1, row, row, epilogue)

    def back(fan_out: int) -> int:
        row = padded(fan_out)
        backward = Product(width, batch, fan_out, row, 1, examples, examples, f"backward {slope}")
        return backward_and_update(backward, update(width, fan_out), lanes, traced)

    return Code(
        inputs,
        width,
        classes,
        batch,
        gather(padded(inputs + 1), examples, examples, lanes),
        forward(inputs, width, activation),
        forward(width, width, activation),
        forward(width, classes, "identity"),
        softmax(classes, examples, 1 / batch, lanes),
        transpose(outputs, examples, outputs, lanes),
        transpose(units, examples, units, lanes),
        back(classes),
        back(width),
        product(update(inputs, width), lanes, traced),
        moments(width, batch, examples, lanes),
        moments(classes, batch, examples, lanes),
        likeliest(classes, examples, lanes),
        forward(inputs, width, "identity") if hidden.is_regularized else 0,
        forward(width, width, "identity") if hidden.is_regularized else 0,
        regularize(hidden, lanes) if hidden.is_regularized else 0,
        regularize_back(hidden, lanes) if hidden.is_regularized else 0,
        update_norm(width, epilogue, lanes) if hidden.batch_norm else 0,
    )
