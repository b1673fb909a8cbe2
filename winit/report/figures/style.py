"""Style, panels, legends and lines that all figures share."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from winit import schemes
from winit.theory.activations import ACTIVATIONS

# Stand-ins that the page replaces by its own variables, so that a figure follows the light and the dark theme.
FOREGROUND, MUTED, GRID = "#1f2328", "#59636e", "#d1d9e0"

SHOWN_RANGE = (1e-24, 1e12)  # variances beyond it are drawn at the edge
THIN_LINES = 10  # with more replicates than this, single runs are not drawn


@dataclass(frozen=True)
class Drawn:
    """A figure and the data it draws."""

    figure: Figure
    data: pd.DataFrame


class NothingToDraw(Exception):
    """A figure has no data; its message says what the study lacks. The page shows it in place of the figure."""


def some(frame: pd.DataFrame, lacking: str) -> pd.DataFrame:
    """Return a frame that has rows.

    Raises:
        NothingToDraw: it has none; `lacking` is the reason, a sentence without its full stop.
    """
    if frame.empty:
        raise NothingToDraw(lacking)
    return frame


@contextmanager
def figure_style():
    """Set the look of every figure; nothing outside the block changes."""
    with sns.axes_style("ticks"), mpl.rc_context(
        {
            "svg.fonttype": "none",  # text stays text: small, searchable, readable aloud
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 9,
            "axes.titlesize": 9.5,
            "axes.labelsize": 9,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": FOREGROUND,
            "axes.titlecolor": FOREGROUND,
            "text.color": FOREGROUND,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": GRID,
            "grid.linewidth": 0.6,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "legend.frameon": False,
            "legend.fontsize": 8,
        }
    ):  # fmt: skip
        yield


def sorted_activations(names: Iterable[str]) -> list[str]:
    """Return the activations in the catalogue's order, each once."""
    names = set(names)
    return [a for a in ACTIVATIONS if a in names]


def panels(rows: int, columns: int, height: float, width: float, **options) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes (rows, columns), each of that size in inches.

    Raises:
        NothingToDraw: there are no rows or no columns.
    """
    if not rows or not columns:
        raise NothingToDraw("no run of this study has data for it")
    figure = Figure(figsize=(1.2 + width * columns, 0.9 + height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def looks(initializers: list[str]) -> dict[str, dict]:
    """Return seaborn's palette, markers and dashes for a list of initializers."""
    looks = {i: schemes.style(i) for i in initializers}
    return {
        "palette": {i: s["color"] for i, s in looks.items()},
        "markers": {i: s["marker"] for i, s in looks.items()},
        "dashes": {i: s["dashes"] or "" for i, s in looks.items()},
    }


def legend(figure: Figure, initializers: list[str], columns: int) -> None:
    """Set a legend of initializers below a figure."""
    handles = []
    for name in initializers:
        look = schemes.style(name)
        line = (0, look["dashes"]) if look["dashes"] else "-"
        handles.append(
            Line2D(
                [],
                [],
                color=look["color"],
                marker=look["marker"],
                linestyle=line,
                markersize=5,
                label=schemes.label(name),
            )
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def lines(axes, data: pd.DataFrame, x: str, y: str, initializers: list[str]) -> None:
    """Draw one median or mean line an initializer, in the catalogue's look."""
    sns.lineplot(
        data=data, x=x, y=y, hue="initializer", style="initializer", hue_order=initializers, style_order=initializers,
        estimator=None, errorbar=None, legend=False, ax=axes, linewidth=1.4, markersize=4.5, markeredgewidth=0,
        **looks(initializers),
    )  # fmt: skip


def step_axis(axes, last: int) -> None:
    """Lay steps out on a log scale that has room for step 0."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(-0.35, last * 1.3)


QUANTITIES = {
    "z_variance": "variance of pre-activations z",
    "h_variance": "variance of activations h",
    "delta_variance": "variance of ∂ℓ/∂z",
    "gradient_variance": "variance of ∂L/∂W",
    "correlation": "correlation of two inputs",
    "saturated": "saturated share",
    "dead": "dead share",
}
