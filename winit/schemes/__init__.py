"""Initialization schemes: what each is, how it draws weights and biases, and its card."""

from winit.schemes.cards import SQUARE, Card, card, catalogue, lines
from winit.schemes.catalog import (
    ALIASES,
    INITIALIZERS,
    MODIFIERS,
    Initializer,
    canonical,
    diagram_points,
    in_order,
    label,
    parse,
    style,
    why_not_applicable,
)
from winit.schemes.drawing import BIASES, CUT, SCHEMES, TRUNCATED_STD, Layer, VarianceScaling, draw, variances

__all__ = [
    "ALIASES",
    "BIASES",
    "CUT",
    "INITIALIZERS",
    "MODIFIERS",
    "SCHEMES",
    "SQUARE",
    "TRUNCATED_STD",
    "Card",
    "Initializer",
    "Layer",
    "VarianceScaling",
    "canonical",
    "card",
    "catalogue",
    "diagram_points",
    "draw",
    "in_order",
    "label",
    "lines",
    "parse",
    "style",
    "variances",
    "why_not_applicable",
]
