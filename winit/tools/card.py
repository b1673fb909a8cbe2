"""The card of an initializer: what it draws, and the equivalent code in torch, Keras and JAX."""

from __future__ import annotations

from winit import schemes


def card(initializer: str, activation: str | None = None) -> schemes.Card:
    """Return the card of an initializer, for an activation if its scale depends on it.

    Raises:
        ValueError: the initializer or activation is unknown, or the pair is not applicable.
    """
    return schemes.card(initializer, activation)


def lines(card: schemes.Card) -> list[str]:
    """Return the card as lines of text."""
    return [card.label, *(f"  {heading:28s} {text}" for heading, text in schemes.lines(card))]
