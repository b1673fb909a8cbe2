"""Safety of workflows: locks, dry runs, altered tables, other studies of the same name, unusual folders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from winit.cli import main
from winit.store import files as files_module
from winit.store.schema import COLLECTED, COPIED, REPLAYED, TABLES
from winit.study.compose import compose
from winit.workflow import checks, session
from winit.workflow.paths import StudyPaths

ROOT = Path(__file__).resolve().parent.parent
TINY = [
    "study=smoke", "name=x", "extra_grids=null", "dataset=[digits]", "grid.depth=[1,2]", "grid.activation=[tanh]",
    "grid.initializer=[he_normal]", "grid.learning_rate=[0.1]", "grid.replicates=1", "grid.tuning_replicates=0",
    "training.steps=5", "measure.budgets=[]",
]  # fmt: skip


def call(*command: str, cwd: Path, root: Path = ROOT) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run([sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True)


def snakemake(
    *arguments: str, cwd: Path, root: Path = ROOT, more: Sequence[str] = (), force: bool = False
) -> subprocess.CompletedProcess:
    command = ["-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--cores", "1", *arguments, "--config"]
    config = ["study=smoke", "overrides=" + " ".join([*TINY[1:], *more]), f"force={int(force)}"]
    return call(*command, *config, cwd=cwd, root=root)


def state(cwd: Path) -> dict[Path, tuple[int, bytes]]:
    """Return the time and the bytes of every file except those of Snakemake."""
    files = [path for path in cwd.rglob("*") if path.is_file() and not {".snakemake", "__pycache__"} & set(path.parts)]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def refusal(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    err = capsys.readouterr().err
    assert end.value.code == 2 and err.startswith("winit: ") and err.count("\n") == 1
    return err


@pytest.fixture(scope="session")
def project(shared):
    """A copy of the project in a folder with brackets and braces, and the tiny study, run there."""

    def make(folder: Path) -> None:
        for name in ("winit", "conf", "profiles"):
            # With the caches of Python and numba, which take seconds to make, but not what they are just writing.
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc.*", "*.tmp*"))
        for name in ("Snakefile", "environment.yml"):
            shutil.copy(ROOT / name, folder)
        done = call("-m", "winit", "run", *TINY, "--cores", "2", cwd=folder, root=folder)
        assert done.returncode == 0, done.stdout + done.stderr

    return shared("w [copy] {b} 1", make)


@pytest.fixture
def finished(project, tmp_path, monkeypatch):
    """A copy of the finished study, in the working directory."""
    for name in ("results", "reports"):
        shutil.copytree(project / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touched(file: Path, text: str, project: Path) -> str:
    """Append to a source file, plan, put the file back, and return what Snakemake said."""
    before, stat = file.read_bytes(), file.stat()
    file.write_bytes(before + text.encode())
    try:
        done = snakemake("--dry-run", "--quiet", "host", cwd=project, root=project)
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_folder_with_brackets_and_braces_has_nothing_due_until_a_source_changes(project):
    assert "Nothing to be done" in touched(project / "Snakefile", "", project)
    claims = touched(next((project / "conf" / "claims").glob("*.yaml")), "\n# changed\n", project)
    assert "rule collect:" in claims and "rule report:" in claims and "rule replay:" not in claims
    module = touched(project / "winit" / "study" / "model.py", "\n# changed\n", project)
    assert "rule collect:" in module and "rule report:" in module and "rule train" not in module
    page = touched(project / "winit" / "report" / "page.py", "\n", project)
    assert "rule report:" in page and not re.search("rule (collect|replay|train)", page)


def test_the_rules_of_the_snakefile_write_the_declared_tables():
    assert set(COLLECTED) | set(REPLAYED) == set(TABLES) and set(COPIED) <= set(COLLECTED)


def test_a_dry_run_changes_nothing(finished):
    (finished / "results" / "x" / "runs.csv").write_text("edited\n")
    next((finished / "results" / "store").rglob("*.parquet")).unlink()
    before = state(finished)
    for more in ([], ["training.steps=6"]):
        done = call("-m", "winit", "run", *TINY, *more, "-n", "--cores", "1", cwd=finished)
        assert done.returncode == 0 and state(finished) == before
        assert bool(more) == ("without -n, this is an error" in done.stderr)
    done = snakemake("--dry-run", "--quiet", "host", cwd=finished)
    assert done.returncode == 0 and state(finished) == before
    assert re.search(r"rule train_\d\d:", done.stdout + done.stderr)


@pytest.mark.parametrize("settings", [[], ["training.steps=6"]])
def test_a_second_run_is_refused_in_one_line_and_touches_nothing(finished, capsys, settings):
    with session.lock(compose(TINY), StudyPaths("x")):
        before = state(finished)
        assert "study 'x' is already running in" in refusal(capsys, "run", *TINY, *settings)
        assert state(finished) == before
    with session.lock(compose(TINY), StudyPaths("x")):  # the lock was given back
        pass


def test_plain_snakemake_is_refused_while_the_study_runs(finished):
    (finished / "results" / "x" / "summary.csv").write_text("edited\n")
    with session.lock(compose(TINY), StudyPaths("x")):
        before = state(finished)
        done = snakemake(cwd=finished)
        assert done.returncode == 1 and "study 'x' is already running" in done.stderr
        assert "Traceback" not in done.stderr and state(finished) == before


def test_a_lock_is_handed_down_to_snakemake_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from winit.store import locks

    with session.lock(compose(TINY), StudyPaths("x")) as lock:
        monkeypatch.setenv(locks.VARIABLE, str(lock.fileno()))
        assert locks.acquire(locks.handed_down(StudyPaths("x").lock), wait=False)
        (tmp_path / "other").touch()
        assert locks.handed_down(tmp_path / "other") is None
    assert locks.handed_down(StudyPaths("x").lock) is None


@pytest.mark.parametrize("name", ["summary.parquet", "runs.parquet", "runs.csv", "replay.parquet"])
def test_an_altered_table_is_due_even_with_its_old_date(finished, capsys, name):
    file = Path("results/x") / name
    original, stat = file.read_bytes(), file.stat()
    file.write_bytes(original[:-40] + b"?" + original[-39:])
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    reasons = session.due(compose(TINY), StudyPaths("x"))
    expected = (Path("results/x/provenance.json"), "the tables are collected again")
    made, remedy = (file, "it is computed again") if name == "replay.parquet" else expected
    assert reasons == {made: f"{file} was changed; {remedy}"}
    with pytest.raises(SystemExit):
        main(["plan", *TINY])
    assert f"{file} was changed" in capsys.readouterr().out
    file.write_bytes(original)
    assert session.due(compose(TINY), StudyPaths("x")) == {}


def test_an_altered_table_is_collected_again_and_said(finished):
    file = finished / "results" / "x" / "runs.csv"
    original = file.read_bytes()
    file.write_bytes(b"edited\n")
    shutil.rmtree(finished / ".snakemake", ignore_errors=True)
    done = snakemake("results/x/provenance.json", cwd=finished)
    assert done.returncode == 0 and "results/x/runs.csv was changed" in done.stderr
    assert len(file.read_bytes().splitlines()) == len(original.splitlines())


def test_results_of_another_question_are_not_replaced(finished, capsys):
    before = state(finished)
    err = refusal(capsys, "run", *TINY, "training.steps=6", "training.batch_size=16")
    assert "training.steps, training.batch_size" in err and "name=" in err and "--force" in err
    assert "grid.depth" in refusal(capsys, "run", *TINY, "grid.depth=[1]")
    assert state(finished) == before


def test_a_study_that_keeps_all_runs_may_replace_the_tables(finished):
    def why(*more: str) -> str | None:
        return checks.other_question(compose([*TINY, *more]), StudyPaths("x"))

    assert why() is None and why("grid.depth=[1,2,3]", "grid.replicates=2") is None and why("question=Why?") is None
    assert why("grid.depth=[2,3]") is not None
    shutil.rmtree("reports")
    for file in [*Path("results/x").glob("*.parquet"), Path("results/x/provenance.json")]:
        file.unlink()
    assert why("grid.depth=[2,3]") is None, "there are no tables that could be lost"


def test_plain_snakemake_asks_for_force_too(finished):
    before = state(finished)
    done = snakemake(cwd=finished, more=["training.steps=6"])
    assert done.returncode == 1 and "different results" in done.stderr and state(finished) == before
    assert session.open_study({"study": "smoke", "overrides": TINY[1:], "force": 1})[1] is True


def test_a_larger_grid_trains_only_what_is_new_and_a_smaller_one_nothing(finished):
    def parts() -> set[Path]:
        return set((finished / "results" / "store").rglob("*.parquet"))

    def plan_and_collect(*more: str, force: bool = False) -> str:
        planned = call("-m", "winit", "plan", *TINY, *more, cwd=finished)
        done = snakemake("results/x/provenance.json", cwd=finished, more=more, force=force)
        assert done.returncode == 0, done.stderr
        return planned.stdout

    first = parts()
    larger = plan_and_collect("grid.depth=[1,2,3]", "grid.learning_rate=[0.1,0.2]", "grid.replicates=2")
    assert "stored: 2 of up to 12 runs" in larger
    second = parts()
    assert first < second
    trained = [
        run_id for path in second - first for run_id in pq.read_table(path, columns=["run_id"])["run_id"].to_pylist()
    ]
    assert len(trained) == len(set(trained)) == 10
    assert "to train: nothing" in plan_and_collect("grid.depth=[2]", force=True) and parts() == second
    assert set(files_module.read(finished / "results" / "x", "runs")["depth"]) == {2}


@pytest.mark.parametrize(
    "path", ["results", "results/x", "results/store", "results/x/workloads", "reports", "reports/x"]
)
def test_a_file_in_place_of_a_folder_gives_a_one_line_error(tmp_path, monkeypatch, capsys, path):
    monkeypatch.chdir(tmp_path)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("a file\n")
    before = state(tmp_path)
    for verb in ("run", "plan"):
        assert f"{path} is not a folder" in refusal(capsys, verb, *TINY)
    assert state(tmp_path) == before


@pytest.mark.parametrize("path", ["results/x/study.yaml", "results/x/runs.parquet", "reports/x/index.html"])
def test_a_folder_in_place_of_a_file_gives_a_one_line_error(tmp_path, monkeypatch, capsys, path):
    monkeypatch.chdir(tmp_path)
    Path(path).mkdir(parents=True)
    assert f"{path} is a folder" in refusal(capsys, "run", *TINY)


def test_a_folder_without_permission_gives_a_one_line_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    assert f"no permission to write to {tmp_path}" in refusal(capsys, "run", *TINY)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["plan", "a" * 5000 + ".yaml"], ["run", *TINY[:1], "name=" + "a" * 300]])
def test_a_path_that_is_too_long_gives_a_one_line_error(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert len(refusal(capsys, *arguments)) < 400
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [["plan", *TINY], ["gain", "gelu"], ["card", "lsuv"], ["list", "studies"], ["--help"]]
)
def test_a_reader_that_leaves_early_is_no_error(tmp_path, arguments):
    read, write = os.pipe()
    os.close(read)  # nobody reads
    command = [sys.executable, "-m", "winit", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode in (0, 141) and done.stderr == ""


def test_a_system_without_fcntl_gets_an_error(tmp_path):
    code = "import sys; sys.modules['fcntl'] = None; from winit.cli import main; main(['plan', 'study=smoke'])"
    done = call("-c", code, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "winit: this system has no file locks (fcntl); use Linux or macOS, and WSL on Windows\n"
