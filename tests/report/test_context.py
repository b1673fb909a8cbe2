"""Tables of a page: only some rows of long tables are read, with the same page as from all rows."""

from __future__ import annotations

from tests.runs import fill
from winit.analysis import replay
from winit.analysis.collect import collect
from winit.report import page
from winit.report.context import read_tables
from winit.store import files
from winit.store.parts import RunStore
from winit.store.schema import TABLES
from winit.workflow.session import write_record


def test_a_page_from_the_rows_that_it_shows_is_the_page_from_all(tiny, tmp_path, monkeypatch):
    study = tiny(
        "grid.activation=[tanh]",
        "grid.initializer=[he_normal,normal:1]",
        "grid.depth=[2,3]",
        "grid.learning_rate=[0.03,0.3]",
        "+extra_grids.symmetry={initializer:[constant:0.1],learning_rate:[0.1]}",
        "+extra_grids.dropout={initializer:[he_normal],dropout:[0.5]}",
        "+extra_grids.pretraining={initializer:[he_normal],pretraining:[none,autoencoder]}",
    )
    store, folder = RunStore(tmp_path / "store"), tmp_path / "results"
    fill(store, study)
    collect(study, store, folder)
    files.write(folder, "replay", replay.replay(0, draws=5))
    write_record(study, folder, TABLES)
    whole = {name: files.read(folder, name) for name in TABLES}
    shown = read_tables(folder)
    for name in ("curves", "layers", "jacobians"):
        assert 0 < len(shown[name]) < len(whole[name]), name
    page.write(study, folder, tmp_path / "some" / "index.html")
    monkeypatch.setattr(page, "read_tables", lambda folder: whole)
    page.write(study, folder, tmp_path / "all" / "index.html")
    some, of_all = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*.*")}
        for top in (tmp_path / "some", tmp_path / "all")
    )
    assert some.keys() == of_all.keys() and len(some) > 40
    assert [name for name in some if some[name] != of_all[name]] == []
