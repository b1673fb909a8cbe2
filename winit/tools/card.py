"""What an initializer is, and how torch, Keras and JAX write it."""

from __future__ import annotations

from winit import schemes


def card(initializer: str, activation: str | None = None) -> schemes.Card:
    """Return the card of an initializer, for an activation if its scale depends on one.

    Raises:
        ValueError: an unknown initializer or activation, or a pair that is not applicable.
    """
    return schemes.card(initializer, activation)


def lines(card: schemes.Card) -> list[str]:
    """Return the card as a person reads it."""
    return [card.label, *(f"  {heading:28s} {text}" for heading, text in schemes.lines(card))]
