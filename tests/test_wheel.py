"""The wheel, installed into a separate environment: every command works in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from winit import __version__

ROOT = Path(__file__).resolve().parent.parent
# A study of the user's own, which inherits from a shipped one.
MINE = """# @package _global_
defaults: [smoke]
grid: {initializer: [he_normal, normal:1], activation: [relu], depth: [2], width: [12], replicates: 2, tuning_replicates: 0}
training: {steps: 20}
measure: {budgets: []}
extra_grids: null
"""
CLAIM = """- id: of-my-own
  statement: He's weights train networks of two layers.
  source: a user
  measured: the median accuracy
  figure: trainability
  contrast:
    measure: success
    initializer: [he_normal]
    depth: 2
    supported_if: {at_least: 0.9}
    refuted_if: {at_most: 0.5}
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The Python of an environment that has the wheel of winit and, from this one, its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob(f"winit-{__version__}-*.whl")
    venv.create(folder / "env", with_pip=False)
    (packages,) = folder.glob("env/lib/python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    python = folder / "env" / "bin" / "python"
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)], check=True)
    return python


@pytest.fixture(scope="module")
def winit(python, tmp_path_factory):
    """Return a function that runs winit in one folder, which was empty at first, and returns what it printed."""
    folder = tmp_path_factory.mktemp("empty")

    def call(*arguments: str, code: int = 0) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [python.with_name("winit"), *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    call.folder = folder
    return call


def test_the_package_is_the_installed_one(python, winit):
    code = "import winit; from winit.study.conf import shipped; print(winit.__file__, shipped('Snakefile').is_file())"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = subprocess.run(
        [python, "-c", code], cwd=winit.folder, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert Path(said[0]).is_relative_to(python.parents[1]) and said[1] == "True"
    assert (Path(said[0]).parent / "py.typed").is_file()


def test_tools_and_plans_need_no_files(winit):
    assert winit("--version") == f"winit {__version__}\n"
    assert "gelu" in winit("gain", "gelu").lower()
    assert "study smoke" in winit("plan", "study=smoke")
    assert not list(winit.folder.iterdir())


def test_a_study_of_the_working_directory_runs_to_its_page(winit):
    for name, text in (("study/mine.yaml", MINE), ("claims/mine.yaml", CLAIM)):
        (winit.folder / "conf" / name).parent.mkdir(parents=True)
        (winit.folder / "conf" / name).write_text(text)
    assert "report: reports/mine/index.html" in winit("run", "study=mine", "--cores", "2")
    assert "weights train networks of two layers" in (winit.folder / "reports" / "mine" / "index.html").read_text()
    assert {path.name for path in winit.folder.iterdir()} <= {"conf", "results", "reports", ".snakemake"}
    assert "to train: nothing" in winit("plan", "results/mine/study.yaml")
    assert "nothing to do" in winit("run", "results/mine/study.yaml", "--cores", "2")


def test_an_unknown_study_gets_one_sentence(winit):
    said = winit("plan", "study=nosuch", code=2)
    assert said.startswith("winit: study: unknown study 'nosuch'") and said.count("\n") == 1
