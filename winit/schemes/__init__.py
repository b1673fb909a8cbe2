"""Initialization schemes: what each is, how it draws weights and biases, and its card."""

from winit.schemes.cards import SQUARE, Card, card, catalogue, lines
from winit.schemes.drawing import degenerate_layers, draw, hidden_depth_scale, same_draws, statistics
from winit.schemes.libraries import TRUNCATED_STD
from winit.schemes.modifiers import MODIFIERS, Modifier
from winit.schemes.registry import (
    ALIASES,
    SCHEMES,
    Parsed,
    canonical,
    diagram_points,
    in_order,
    label,
    parse,
    style,
    why_not_applicable,
)
from winit.schemes.scheme import Layer, Lines, MatrixScheme, Parameter, Scheme
from winit.schemes.variance_scaling import CUT, Scaling, VarianceScaling

__all__ = [
    "ALIASES",
    "CUT",
    "MODIFIERS",
    "SCHEMES",
    "SQUARE",
    "TRUNCATED_STD",
    "Card",
    "Layer",
    "Lines",
    "MatrixScheme",
    "Modifier",
    "Parameter",
    "Parsed",
    "Scaling",
    "Scheme",
    "VarianceScaling",
    "canonical",
    "card",
    "catalogue",
    "degenerate_layers",
    "diagram_points",
    "draw",
    "hidden_depth_scale",
    "in_order",
    "label",
    "lines",
    "parse",
    "same_draws",
    "statistics",
    "style",
    "why_not_applicable",
]
