"""Every section stands in one file and in a list of the page's sections."""

from __future__ import annotations

import importlib
import pkgutil

from winit.report import sections
from winit.report.context import PageContext
from winit.report.exhibits import Exhibit, Gallery


def test_every_file_is_a_section_of_some_page():
    files = {module.name for module in pkgutil.iter_modules(sections.__path__)}
    listed = {function.__name__ for functions in sections.SECTIONS.values() for function in functions}
    assert listed == files
    for name in files:
        assert callable(getattr(importlib.import_module(f"winit.report.sections.{name}"), name))


def test_sections_and_figures_have_ids_of_their_own(made, tmp_path):
    study, tables, _ = made
    context = PageContext(study, tables, Gallery(tmp_path))
    drawn = sections.draw_sections(context)
    ids = [section.id for section in drawn]
    assert len(ids) == len(set(ids)) == len(sections.SECTIONS["classification"])
    figures = [figure for section in drawn for figure in section.figures if isinstance(figure, Exhibit)]
    assert len({figure.id for figure in figures}) == len(figures) > 20
    for figure in figures:
        assert all((figure.caption.shows, figure.caption.see, figure.caption.basis))
        assert (tmp_path / f"{figure.id}.svg").is_file() and (tmp_path / f"{figure.id}.csv").is_file()
