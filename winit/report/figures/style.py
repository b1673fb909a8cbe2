"""Style, panels, legends and lines of all figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypedDict

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from winit import schemes
from winit.report.wording import label
from winit.theory.activations import ACTIVATIONS
from winit.vocabulary.looks import Look
from winit.vocabulary.pretraining import pretrainings_in_order

# Placeholder colours that the page replaces by variables, so that figures follow the light or dark theme.
FOREGROUND, MUTED, GRID = "#1f2328", "#59636e", "#d1d9e0"

SHOWN_RANGE = (1e-24, 1e12)  # variances outside are drawn at the edge
THIN_LINES = 10  # with more replicates than this, single runs are not drawn


@dataclass(frozen=True)
class Drawn:
    """A figure and the data it draws."""

    figure: Figure
    data: pd.DataFrame


class NothingToDraw(Exception):
    """A figure has no data. The page shows the message, which says what is missing, instead of the figure."""


def some(frame: pd.DataFrame, lacking: str) -> pd.DataFrame:
    """Return a frame after checking that it has rows.

    Raises:
        NothingToDraw: it has no rows; `lacking` is the reason, a sentence without a full stop.
    """
    if frame.empty:
        raise NothingToDraw(lacking)
    return frame


@contextmanager
def figure_style() -> Iterator[None]:
    """Set the style of figures within the block."""
    with sns.axes_style("ticks"), mpl.rc_context(
        {
            "svg.fonttype": "none",  # keep text as text: small, searchable, accessible
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
    """Return the activations in the catalogue's order, without repetition."""
    names = set(names)
    return [a for a in ACTIVATIONS if a in names]


# Levels of other factors are sorted by value.
_ORDERS: dict[str, Callable[[Iterable[str]], list[str]]] = {
    "activation": sorted_activations,
    "initializer": schemes.in_order,
    "pretraining": pretrainings_in_order,
    "scheme": lambda names: list(dict.fromkeys(names)),  # the tutorial's order
}


def levels(column: pd.Series) -> list[Any]:
    """Return the distinct levels of a factor in the order used by all figures."""
    return _ORDERS.get(str(column.name), sorted)(column.unique())


@dataclass(frozen=True)
class Panel:
    """One panel of a figure.

    Attributes:
        axes: its axes.
        levels: level of each factor in which the panels differ.
        is_top: whether it is in the first row.
        is_bottom: whether it is in the last row.
        is_left: whether it is in the first column.
    """

    axes: Axes
    levels: dict[str, Any]
    is_top: bool
    is_bottom: bool
    is_left: bool

    def of(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a table that belong to this panel."""
        for factor, level in self.levels.items():
            table = table[table[factor] == level]
        return table

    def name(self, factor: str) -> str:
        """Return the label of the panel's level of a factor."""
        return label(factor, self.levels[factor])


def panels(
    table: pd.DataFrame, columns: str, rows: str | None = None, *, height: float, width: float = 2.75, **sharing: Any
) -> tuple[Figure, list[Panel]]:
    """Lay out a figure with one panel for each level of a factor, or for each pair of levels of two.

    Args:
        table: the data to draw.
        columns: the factor of the figure's columns.
        rows: the factor of the figure's rows; None for one row.
        height: of a panel, in inches.
        width: of a panel, in inches.
        **sharing: `sharex` and `sharey` of `Figure.subplots`.

    Returns:
        The figure and its panels, row by row. Panels in the first row have their level of `columns` as title.

    Raises:
        NothingToDraw: the table has no rows.
    """
    across = levels(table[columns])
    down = levels(table[rows]) if rows else [None]
    figure, grid = blank(len(down), len(across), height, width, **sharing)
    laid_out = []
    for i, row in enumerate(down):
        for axes, column in zip(grid[i], across, strict=True):
            factors = {columns: column} | ({rows: row} if rows else {})
            laid_out.append(Panel(axes, factors, i == 0, i == len(down) - 1, column == across[0]))
            if i == 0:
                axes.set_title(label(columns, column))
    return figure, laid_out


def blank(rows: int, columns: int, height: float, width: float, **sharing: Any) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes (rows, columns), each of the given size in inches.

    Raises:
        NothingToDraw: there are no rows or no columns.
    """
    if not rows or not columns:
        raise NothingToDraw("no run of this study has data for it")
    figure = Figure(figsize=(1.2 + width * columns, 0.9 + height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **sharing)


LineStyle = tuple[int, tuple[float, ...]] | Literal["-", ":", ""]


class LineOptions(TypedDict):
    """Line options of matplotlib."""

    color: str
    marker: str
    linestyle: LineStyle


def line_options(look: Look) -> LineOptions:
    """Return a look as line options of matplotlib."""
    return {
        "color": look["color"],
        "marker": look["marker"],
        "linestyle": (0, look["dashes"]) if look["dashes"] else "-",
    }


@cache  # figures share their labels
def _width(text: str, size: float) -> float:
    """Return the width of text in points, in the font of all figures."""
    return float(TextPath((0, 0), text, size=size).get_extents().width)


def legend_below(figure: Figure, handles: Sequence[Line2D], columns: int) -> None:
    """Add a legend below a figure, with at most the given number of columns, or fewer if they do not fit."""
    size = FontProperties(size=mpl.rcParams["legend.fontsize"]).get_size_in_points()
    around = (
        mpl.rcParams["legend.handlelength"]
        + mpl.rcParams["legend.handletextpad"]
        + mpl.rcParams["legend.columnspacing"]
    )
    widest = max(_width(str(handle.get_label()), size) for handle in handles)
    fitting = int(72 * figure.get_figwidth() // (widest + around * size))
    figure.legend(handles=handles, loc="outside lower center", ncols=max(1, min(columns, fitting)))


def legend(figure: Figure, initializers: list[str], columns: int = 4) -> None:
    """Add a legend of initializers below a figure."""
    handles = [
        Line2D([], [], **line_options(schemes.style(name)), markersize=5, label=schemes.label(name))
        for name in initializers
    ]
    legend_below(figure, handles, columns)


def lines(axes: Axes, data: pd.DataFrame, x: str, y: str, initializers: list[str]) -> None:
    """Draw one line per initializer, with its look in the catalogue. Non-finite points are left out."""
    shown = data[np.isfinite(data[[x, y]].to_numpy(dtype=float)).all(axis=1)]
    for axis, side in ((axes.xaxis, "labelbottom"), (axes.yaxis, "labelleft")):
        axis.label.set_visible(axis.get_tick_params().get(side, True))  # panels that share an axis label it only once
    by_name = dict(list(shown.groupby("initializer")))
    for name in initializers:
        if name in by_name:
            rows = by_name[name].sort_values([x, y])
            options = line_options(schemes.style(name))
            axes.plot(
                rows[x], rows[y], **options, linewidth=1.4, markersize=4.5, markeredgewidth=0, markeredgecolor="w"
            )


def step_axis(axes: Axes, last: int) -> None:
    """Use a log scale for steps, with room for step 0."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(-0.35, last * 1.3)


def whole_numbers(axes: Axes) -> None:
    """Put the ticks of the x axis at integers."""
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))


QUANTITIES = {
    "z_variance": "variance of pre-activations z",
    "h_variance": "variance of activations h",
    "delta_variance": "variance of ∂ℓ/∂z",
    "gradient_variance": "variance of ∂L/∂W",
    "correlation": "correlation of two inputs",
    "saturated": "saturated share",
    "dead": "dead share",
}
