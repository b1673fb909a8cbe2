"""The files around the package: one list of dependencies, commands that exist, documentation that is generated."""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import house, lowest
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
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return [line.split() for line in re.findall(r"^\t@\$\(BIN\)/(.*)$", recipe, re.MULTILINE)]


@pytest.mark.parametrize("command", lint_commands(), ids=" ".join)
def test_style_types_and_spelling(command):
    name, *arguments = command
    tool = Path(sys.executable).with_name(name)
    if not tool.exists() and "CI" not in os.environ:
        pytest.skip(f"{name} is not installed: pip install -e '.[test]'")
    done = subprocess.run([tool, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hooks_of_pre_commit_are_those_of_make_lint():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook["entry"].split()[:2] for hook in repository["hooks"]]
    assert hooks == [[f".venv/bin/{name}", *rest[:1]] for name, *rest in lint_commands()]


def test_torch_is_pinned():
    assert "torch==2.13.0" in PROJECT["dependencies"]


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["dynamic"] == ["version"] and citation["version"] == __version__
    assert citation["license"] == PROJECT["license"] == "MIT"


def test_constraints_pin_every_dependency_within_its_bounds():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    for text in PROJECT["dependencies"]:
        needed = Requirement(text)
        pin = pins.get(canonicalize_name(needed.name), "none")
        assert pin in needed.specifier, f"constraints.txt has {needed.name} {pin}; renew it: make constraints"


def test_the_lowest_versions_are_the_lower_bounds():
    pins = lowest.pins(["numpy>=2.0,<2.6", "torch==2.13.0", "types-PyYAML", "triton>=3.7,<4; sys_platform == 'linux'"])
    assert pins == ["numpy==2.0", "torch==2.13.0", "triton==3.7; sys_platform == 'linux'"]


def test_the_catalogue_finds_its_files():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert {"mandatory-flags", "software-stack-deployment", "report"} <= set(usage)
    assert (ROOT / "workflow" / "Snakefile").is_file() and (ROOT / "config" / "README.md").is_file()
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme


def test_the_steps_of_ci_exist():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z-]+)", "\n".join(commands)):
        assert f"\n{target}: " in makefile, f"ci.yml runs make {target}, which is not there"
    assert any(".ci/run" in command for command in commands)


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
