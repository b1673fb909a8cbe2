"""Sources of rules: the modules that a stage imports, for any location of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import house
from winit.workflow import sources

STAGES = {"replay": "winit.analysis.replay", "collect": "winit.analysis.collect", "report": "winit.report.page"}
GRAPH = {house.name_of(path): {name for name, _ in house.imported_modules(path)} for path in house.modules()}


def imported(stage: str) -> set[str]:
    """Return the modules that a stage imports, directly or through others."""
    names, todo = set(), [stage]
    while todo:
        name = todo.pop()
        if name not in names:
            names.add(name)
            todo += GRAPH.get(name, ())
    return names


@pytest.mark.parametrize("rule", sources.PATTERNS)
def test_a_rule_depends_on_every_module_that_its_stage_imports(rule):
    inputs = {Path(path).resolve() for path in sources.inputs(rule)}
    files = {house.name_of(path): path for path in house.modules()}
    lacking = [name for name in imported(STAGES[rule]) if files.get(name) and files[name] not in inputs]
    assert not lacking, f"rule {rule} does not depend on {lacking}"


@pytest.mark.parametrize("rule", sources.PATTERNS)
def test_a_rule_depends_on_no_package_that_its_stage_does_not_import(rule):
    inputs = {
        house.room_of(house.name_of(Path(path).resolve())) for path in sources.inputs(rule) if path.endswith(".py")
    }
    assert inputs == {house.room_of(name) for name in imported(STAGES[rule])}


def test_templates_belong_to_the_report_and_claims_to_the_tables():
    def kinds(rule: str, part: str) -> bool:
        return any(part in path for path in sources.inputs(rule))

    assert kinds("report", "templates/report.html") and not kinds("collect", "templates/")
    assert kinds("collect", "conf/claims/") and not kinds("report", "conf/claims/")


def test_claims_of_the_working_directory_belong_to_the_tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sources.digest("collect"), sources.digest("report")
    (tmp_path / "conf" / "claims").mkdir(parents=True)
    (tmp_path / "conf" / "claims" / "mine.yaml").write_text("[]")
    assert "conf/claims/mine.yaml" in sources.inputs("collect") and sources.digest("collect") != before[0]
    assert sources.digest("report") == before[1]


def test_sources_are_found_below_any_folder(tmp_path):
    folder = tmp_path / "w [copy] {b} *"
    (folder / "inner").mkdir(parents=True)
    for name in ("b.py", "a.py", "inner/c.py", "d.txt"):
        (folder / name).touch()
    expected = [os.path.relpath(folder / name) for name in ("a.py", "b.py", "inner/c.py")]
    assert sources.matching(("**/*.py",), folder) == expected


def test_a_path_with_braces_is_no_input_but_its_content_counts(tmp_path, monkeypatch):
    folder = tmp_path / "w {b}"
    module = folder / "winit" / "schemes" / "scheme.py"
    module.parent.mkdir(parents=True)
    module.write_text("one")
    monkeypatch.setattr(sources, "ROOT", folder)
    monkeypatch.chdir(tmp_path)
    before = sources.digest("replay")
    assert sources.inputs("replay") == []
    module.write_text("two")
    assert sources.digest("replay") != before
    monkeypatch.chdir(folder)
    assert sources.inputs("replay") == ["winit/schemes/scheme.py"]
