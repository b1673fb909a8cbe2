"""Figures become small SVG with the same appearance."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from winit.report.figures.style import Drawn, blank, figure_style
from winit.report.svg import compact, figure_svg, path


def test_digits_are_removed_from_coordinates_but_not_from_text():
    with figure_style():
        figure, grid = blank(1, 1, 1, 1)
        grid[0][0].plot([0.123456, 1], [0, 1])
        grid[0][0].set_title("σ = 0.0123")
    text = compact(figure_svg(Drawn(figure, pd.DataFrame()), "one", "a title of 0.98765"))
    assert "σ = 0.0123" in text and "0.98765" in text
    assert not re.search(r'd="[^"]*\d\.\d\d', text)
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', text)) == set(re.findall(r' id="([^"]+)"', text)) - {
        "one-title"
    }


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("M 0 568.8  L 680.4 568.8  L 680.4 0  z ", "M0 568.8l680.4 0 0-568.8z"),
        ("M 1.5 2 L 1 2.3 L 0.5 -1 M 3 3 L 4 4", "M1.5 2l-.5 .3-.5-3.3M3 3l1 1"),
        (
            "M 0 3 C 0.8 3 1.6 2.7 2.1 2.1 C 2.7 1.6 3 0.8 3 0 z L 1 1",
            "M0 3c.8 0 1.6-.3 2.1-.9 .6-.5 .9-1.3 .9-2.1zl1-2",
        ),
        ("M10,10h5", "M10,10h5"),  # not matplotlib's: as it is
    ],
)
def test_paths_are_relative_and_end_where_they_did(given, wanted):
    assert path(given) == wanted


def test_what_neighbours_share_is_written_once():
    style = ' style="fill:none;stroke:#fff"'
    text = f'<svg x="1"><g><path d="M 0 0"{style}/><path d="M 1 0"{style}/></g><g id="a"><path d="M 2 0" style="opacity:0.5"/></g></svg>'
    assert compact(text) == (
        f'<svg stroke-linejoin="round" x="1"><g{style}><path d="M0 0"/><path d="M1 0"/></g>'
        '<g id="a"><path d="M2 0" style="opacity:0.5"/></g></svg>'
    )


def test_symbols_on_a_line_become_its_markers():
    uses = "".join(f'<use xlink:href="#s" x="{x}" y="0" style="fill:red"/>' for x in (0, 1.5, 3))
    line = '<path d="M 0 0 L 1.5 0 L 3 0" clip-path="url(#c)" style="fill:none;stroke:red"/>'
    text = compact(f'<svg x="1">{line}<g clip-path="url(#c)">{uses}</g></svg>', "t")
    assert text.count("<use") == 1 and text.count("<path") == 1 and "marker:url(#t-m0);fill:none" in text
    apart = compact(f'<svg x="1"><g clip-path="url(#c)">{uses}</g></svg>', "t")
    assert 'd="M0 0l1.5 0 1.5 0" clip-path="url(#c)" style="marker:url(#t-m0);fill:none;stroke:none"' in apart
