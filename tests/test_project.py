"""The files around the package: one list of dependencies, commands that exist, documentation that is generated."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests import house
from winit import __version__

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_yml_lists_the_dependencies_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (by_pip,) = [d["pip"] for d in environment if isinstance(d, dict)]
    assert by_pip == PROJECT["dependencies"], "environment.yml and pyproject.toml differ: copy the list over"
    assert f"python{PROJECT['requires-python']}" in environment


def lint_commands() -> list[list[str]]:
    """Return the commands of `make lint`."""
    makefile = (ROOT / "Makefile").read_text()
    return [line.split() for line in re.findall(r"^\t@\$\(BIN\)/((?:codespell|ruff|mypy).*)$", makefile, re.MULTILINE)]


@pytest.mark.parametrize("command", lint_commands(), ids=" ".join)
def test_style_types_and_spelling(command):
    name, *rest = command
    tool = Path(sys.executable).parent / name
    if not tool.exists():
        pytest.skip(f"{name} is not installed: pip install -e '.[test]'")
    done = subprocess.run([tool, *rest], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_hooks_of_pre_commit_are_those_of_make_lint():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook["entry"].split()[:2] for hook in repository["hooks"]]
    assert hooks == [[f".venv/bin/{name}", *rest[:1]] for name, *rest in lint_commands()]


def test_types_are_shipped():
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert (ROOT / "winit" / "py.typed").is_file() and "py.typed" in data["winit"]


def test_torch_is_pinned():
    assert "torch==2.13.0" in PROJECT["dependencies"]


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == __version__
    assert citation["license"] == PROJECT["license"] == "MIT"


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"\.PHONY: (.*)", makefile)[1].split())
    shown = subprocess.run(["make", "-s", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in shown.splitlines() if line.startswith("  make ")} == targets


def test_ci_runs_the_readmes_test_command():
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text() and "make study" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "llms.txt"])
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), f"{document} points to {target}, which is not there"


def test_the_readme_is_short_and_begins_with_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150
    first = re.search(r"```sh\n(.*?)```", readme, re.DOTALL)[1]
    assert [line.split("  ")[0] for line in first.splitlines()] == ["make study", "make test"]


def test_llms_txt_names_every_page():
    text = (ROOT / "llms.txt").read_text(encoding="utf-8")
    included = {"changelog.md", "contributing.md", "log.md"}  # pages that show a file of the repository
    pages = {p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md") if p.name not in included}
    pages -= {"docs/index.md", "docs/reference/python.md"}
    assert sorted(page for page in pages if f"({page})" not in text) == []


def test_the_names_in_contributing_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    packages = "|".join(house.MAY_IMPORT)
    names = set(re.findall(rf"`((?:{packages})(?:\.\w+)+)(?:\(.*?\))?`", text))
    assert names
    for name in sorted(name for name in names if not name.endswith(".py")):
        try:
            pkgutil.resolve_name(f"winit.{name}")
        except (ImportError, AttributeError) as error:
            if getattr(error, "name", None) == "triton":  # there is none for macOS
                continue
            pytest.fail(f"CONTRIBUTING.md names {name}, which is not there: {error}")
