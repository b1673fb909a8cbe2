"""Exhibits: figures of the page with captions and data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from winit.report.figures.style import Drawn, NothingToDraw, figure_style
from winit.report.svg import compact, figure_svg, page_svg, standalone
from winit.report.wording import PRETRAINED_SETTING, label, number, setting_name
from winit.store import files


@dataclass(frozen=True)
class DataTable:
    """The data of a figure for the page: cells as text, with constant columns listed separately."""

    columns: list[tuple[str, bool]]  # name, and whether it has numbers
    cells: list[list[str]]  # the first SHOWN_ROWS
    constants: list[tuple[str, str]]
    rows: int  # of all data


@dataclass(frozen=True)
class Caption:
    """The text below a figure.

    Attributes:
        shows: what is shown.
        see: what to look for.
        basis: how it was measured, and other notes.
    """

    shows: str
    see: str
    basis: str


@dataclass(frozen=True)
class Exhibit:
    """A figure on the page: its id, title, caption, drawing and data.

    `csv` is the content of its CSV file for downloads from the page; None if it would make the page large.
    """

    id: str
    title: str
    caption: Caption
    svg: Markup
    data: DataTable
    csv: str | None

    @property
    def height(self) -> int:
        """Height of the drawing at full width, in pixels."""
        size = re.search(r'width="(\d+)" viewBox="0 0 ([\d.]+) ([\d.]+)"', self.svg)
        assert size, "svg.figure_svg writes a width and a view box"
        return round(int(size[1]) * float(size[3]) / float(size[2]))


@dataclass(frozen=True)
class Omission:
    """A figure that is not shown because the study has no data for it: its title, and what is missing."""

    title: str
    reason: str


@dataclass(frozen=True)
class Section:
    """A section of the page: a question, and the figures that answer it. It is not shown without figures."""

    id: str
    title: str
    lead: str
    figures: list[Exhibit | Omission]

    @property
    def exhibits(self) -> list[Exhibit]:
        """The figures that were drawn."""
        return [figure for figure in self.figures if isinstance(figure, Exhibit)]

    @property
    def omissions(self) -> list[Omission]:
        """The figures that were left out."""
        return [figure for figure in self.figures if isinstance(figure, Omission)]

    @property
    def reasons(self) -> list[str]:
        """Why figures were left out, without repeated reasons."""
        return list(dict.fromkeys(figure.reason for figure in self.omissions))


SHOWN_ROWS = 200  # rows of a figure's data that the page shows
MANY_SETTINGS, FEWER_ROWS = 4, 25  # with more settings, and thus figures, each figure shows fewer rows
EMBEDDED_ROWS = 2_000  # rows of a figure's data that the page embeds as CSV


def shown_rows(runs: pd.DataFrame) -> int:
    """Return how many rows of a figure's data the page shows, fewer for large studies to limit the size of the page.

    Args:
        runs: of the main grid.
    """
    return FEWER_ROWS if len(runs[PRETRAINED_SETTING].drop_duplicates()) > MANY_SETTINGS else SHOWN_ROWS


def data_table(frame: pd.DataFrame, shown: int = SHOWN_ROWS) -> DataTable:
    """Return a figure's data for the page: the first rows, with constant columns listed once."""
    head = frame.head(shown)
    columns, texts, constants = [], [], []
    for name in frame.columns:
        column = head[name]
        is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        if pd.api.types.is_bool_dtype(column):
            cells = ["yes" if value else "no" for value in column]
        elif pd.api.types.is_integer_dtype(column):
            cells = ["–" if value is pd.NA else str(value) for value in column]
        elif is_number:
            cells = [number(float(value)) for value in column]
        else:
            known = {v: "" if pd.isna(v) else label(name, v) for v in column.unique()}
            cells = [known[value] for value in column]
        heading = str(name).replace("_", " ")
        if len(frame) > 1 and frame[name].nunique(dropna=False) == 1:
            constants.append((heading, cells[0]))
        else:
            columns.append((heading, is_number))
            texts.append(cells)
    return DataTable(columns, [list(row) for row in zip(*texts, strict=True)], constants, len(frame))


class Gallery:
    """Turns drawings into exhibits, and writes the SVG and the data of each figure next to the page.

    Figure functions raise `NothingToDraw` if they have no data. The gallery catches it and replaces the figure by the
    reason.
    """

    def __init__(self, folder: Path, rows: int = SHOWN_ROWS) -> None:
        self.folder, self.rows = folder, rows

    def exhibit(self, name: str, title: str, draw: Callable[[], Drawn], caption: Caption) -> Exhibit | Omission:
        """Return a figure for the page, or the reason why it is left out."""
        try:
            with figure_style():
                drawn = draw()
        except NothingToDraw as lacking:
            return Omission(title, str(lacking))
        return self._write(name, title, drawn, caption)

    def _write(self, name: str, title: str, drawn: Drawn, caption: Caption) -> Exhibit:
        """Write a figure and its data next to the page, and return it for the page."""
        svg = figure_svg(drawn, name, title)
        # Six digits are more than a drawing shows, at half the length. The study's tables have all digits.
        csv = drawn.data.to_csv(index=False, float_format="%.6g")
        files.write_bytes(self.folder / f"{name}.svg", standalone(compact(svg)).encode())
        files.write_bytes(self.folder / f"{name}.csv", csv.encode())
        data = data_table(drawn.data, self.rows)
        return Exhibit(name, title, caption, page_svg(svg, name), data, csv if data.rows <= EMBEDDED_ROWS else None)

    def each(
        self,
        factors: list[str],
        runs: pd.DataFrame,
        tables: tuple[pd.DataFrame, ...],
        name: str,
        title: str,
        draw: Callable[..., Drawn],
        caption: Caption,
    ) -> list[Exhibit | Omission]:
        """Return one figure for each setting, a combination of levels of the factors in `runs`.

        `draw` takes the setting's part of `runs` and of each of the tables.
        """
        exhibits = []
        for setting in runs[factors].drop_duplicates().itertuples(index=False):
            parts = [table[(table[factors] == list(setting)).all(axis=1)] for table in (runs, *tables)]
            setting_text = setting_name(runs, **setting._asdict())
            words = re.sub(r"[^a-z0-9]+", " ", setting_text.lower()).split()
            drawing = partial(draw, *parts)
            exhibits.append(self.exhibit("-".join([name, *words]), f"{title}: {setting_text}", drawing, caption))
        return exhibits
