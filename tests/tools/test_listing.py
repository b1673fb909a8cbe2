"""Lists of initializers, activations, datasets and studies."""

from __future__ import annotations

import os
import re

import pytest

from tests.runs import fill
from winit import datasets, schemes
from winit.store.parts import RunStore
from winit.study import compose as compose_module
from winit.study.compose import compose, dump
from winit.theory.activations import ACTIVATIONS
from winit.tools import listing
from winit.tools.plan import plan
from winit.workflow import session
from winit.workflow.paths import StudyPaths


def test_every_scheme_modifier_activation_and_dataset_is_listed():
    names = [row["name"] for row in listing.rows("initializers")]
    assert len(names) == len(schemes.SCHEMES) + len(schemes.MODIFIERS)
    assert {schemes.parse(name).name for name in names} == set(schemes.SCHEMES)
    assert [row["name"] for row in listing.rows("activations")] == list(ACTIVATIONS)
    assert [row["name"] for row in listing.rows("datasets")] == list(datasets.DATASETS)


@pytest.mark.parametrize("kind", listing.KINDS)
def test_every_line_begins_with_the_name_that_is_written_in_a_study(kind):
    rows = listing.rows(kind)
    lines = listing.lines(kind, rows)
    assert [line.split()[0] for line in lines] == [row["name"] for row in rows] != []
    assert not any(re.search(r"None|\{[a-z_]+\}", line) for line in lines)


def test_an_unknown_kind_is_refused_with_a_suggestion():
    with pytest.raises(ValueError, match=r"unknown kind 'studis'; did you mean 'studies'\? choose from initializers"):
        listing.rows("studis")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory, in which winit ships one study."""
    monkeypatch.chdir(tmp_path)
    names = compose_module.study_names
    monkeypatch.setattr(compose_module, "study_names", lambda: [n for n in names() if n in ("smoke", "broken")])
    return tmp_path


def states() -> dict[str, tuple[object, ...]]:
    return {row["name"]: (row["stored"], row["runs"], row["page"]) for row in listing.rows("studies")}


def test_a_study_has_its_runs_and_whether_its_page_shows_it(folder, tiny):
    study = tiny("name=mine", "training.steps=5")
    paths = StudyPaths("mine")
    assert set(states()) == {"smoke"}
    session.freeze(study, paths)
    runs = plan(study, RunStore(paths.results / "store")).total
    assert states()["mine"] == (0, runs, "none")
    fill(paths.store, study)
    paths.report.parent.mkdir(parents=True)
    paths.report.touch()
    assert states()["mine"] == (runs, runs, "out of date"), "there is no record of tables"
    session.write_record(study, paths.folder, [])
    os.utime(paths.report, (1, 1))
    assert states()["mine"][2] == "out of date", "the tables are newer"
    paths.report.touch()
    assert states()["mine"] == (runs, runs, "current")
    assert f"{runs} runs stored, page is current: " in listing.lines("studies", listing.rows("studies"))[-1]
    (part, *_) = sorted(paths.store.root.rglob("*.parquet"))
    content = part.read_bytes()
    part.unlink()
    assert states()["mine"][2] == "out of date", "runs are missing"
    part.write_bytes(content)
    other = compose(["study=smoke", "name=mine", "extra_grids=null", "training.steps=6"])
    paths.study.write_text(dump(other))
    assert states()["mine"][2] == "out of date", "it is another study now"


def test_a_study_that_cannot_be_read_does_not_hide_the_others(folder):
    (folder / "conf" / "study").mkdir(parents=True)
    (folder / "conf" / "study" / "broken.yaml").write_text("# @package _global_\ngrid: {dept: [3]}\n")
    rows = {row["name"]: row for row in listing.rows("studies")}
    assert "grid.dept" in rows["broken"]["error"] and rows["smoke"]["error"] == ""
    assert "broken  cannot be read: " in "\n".join(listing.lines("studies", list(rows.values())))
