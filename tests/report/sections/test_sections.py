"""Every section has a file and an entry in the list of sections."""

from __future__ import annotations

import importlib
import pkgutil

import pandas as pd

from tests.runs import fill
from winit.analysis.collect import collect
from winit.report import sections
from winit.report.context import PageContext, page_tables
from winit.report.exhibits import Gallery
from winit.store import files
from winit.store.parts import RunStore
from winit.store.schema import COLLECTED


def test_every_file_is_a_section_of_some_page():
    files = {module.name for module in pkgutil.iter_modules(sections.__path__)}
    listed = {function.__name__ for functions in sections.SECTIONS.values() for function in functions}
    assert listed == files
    for name in files:
        assert callable(getattr(importlib.import_module(f"winit.report.sections.{name}"), name))


def test_constant_weights_of_extra_grids_are_in_the_figure_of_symmetry(tiny, tmp_path):
    study = tiny(
        "grid.activation=[tanh]",
        "grid.initializer=[he_normal]",
        "grid.learning_rate=[0.1]",
        "+extra_grids.symmetry={initializer:[constant:0.1,zeros]}",
        "+extra_grids.dropout={initializer:[constant:0.1],dropout:[0.5]}",
        "+extra_grids.norm={initializer:[normal:1],batch_norm:[true]}",
    )
    store = RunStore(tmp_path / "store")
    fill(store, study)
    collect(study, store, tmp_path / "results")
    tables = page_tables(study, {name: files.read(tmp_path / "results", name) for name in COLLECTED})
    section = sections.symmetry(PageContext(study, tables, Gallery(tmp_path / "figures")))
    (exhibit,) = section.exhibits
    drawn = pd.read_csv(tmp_path / "figures" / f"{exhibit.id}.csv")
    is_constant = drawn["initializer"] != "he_normal"
    assert set(drawn["initializer"]) == {"he_normal", "constant:0.1", "zeros"}
    assert (drawn.loc[is_constant, "highest"] == 1).all() and (drawn.loc[~is_constant, "lowest"] == 12).all()
