"""Colours, markers and dash patterns of initializers."""

from __future__ import annotations

from typing import TypedDict


class Look(TypedDict):
    """How a line is drawn: the keywords of matplotlib's plot and seaborn's palettes."""

    color: str
    marker: str
    dashes: tuple[float, ...]


# Okabe & Ito's palette, one hue per family. Members of a family differ in marker and dash, so colour is never the only cue.
FAMILY_COLOURS: dict[str, str] = {
    "constant": "#999999",
    "fixed": "#D55E00",
    "lecun": "#56B4E9",
    "glorot": "#0072B2",
    "he": "#009E73",
    "kumar": "#CC79A7",
    "framework": "#E69F00",
    "theory": "#6F4BB8",
    "structured": "#8C564B",
    "data-dependent": "#B8336A",
}

# Looks of schemes with a parameter. Those of the tutorial are fixed; others are derived from the spelling of the parameter, so
# they are the same on every page.
KNOWN_LOOKS: dict[str, tuple[str, tuple[float, ...]]] = {
    "normal:0.01": ("v", ()),
    "normal:1": ("^", (4, 2)),
    "constant:0.1": ("D", (4, 2)),
}
OTHER_LOOKS: list[tuple[str, tuple[float, ...]]] = [
    (m, d) for m in ("o", "P", "X", "<", ">", "p", "h") for d in ((1, 1), (3, 1), (6, 2), (6, 2, 1, 2), (2, 3))
]
