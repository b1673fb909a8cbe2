"""The workflow end to end, as a user runs it: Snakemake, processes, kills, damage."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from winit.cli import main
from winit.store.files import read
from winit.store.parts import RunStore
from winit.store.schema import TABLES, TIME_COLUMNS, TIME_TABLES
from winit.study.compose import compose
from winit.workflow import snakemake as snakemake_module
from winit.workflow.paths import StudyPaths

ROOT = Path(__file__).resolve().parent.parent
# Small, but tuned and judged at two budgets, with two datasets, a pair that is not applicable, and runs that diverge.
SMALL = [
    "study=smoke", "name=small", "dataset=[digits,spirals]", "grid.depth=[2]", "grid.activation=[tanh,relu]",
    "grid.initializer=[zeros,he_normal,kumar]", "grid.learning_rate=[0.1,1e30]", "grid.replicates=2", "grid.tuning_replicates=1",
    "grid.extensions=0", "training.steps=30", "measure.budgets=[12]",
]  # fmt: skip
TABLES_MADE = "results/small/provenance.json"  # what Snakemake makes with the tables, but without the page


def winit(*arguments: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run([sys.executable, "-m", "winit", *arguments], cwd=cwd, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def snakemake(*arguments: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def run(cwd: Path) -> subprocess.CompletedProcess:
    return winit("run", *SMALL, "--cores", "2", cwd=cwd)


def config_of(overrides: list[str]) -> list[str]:
    """Return the arguments of plain Snakemake for a study with these overrides."""
    return ["--config", overrides[0], "overrides=" + " ".join(overrides[1:])]


def tables_of(cwd: Path, name: str = "small") -> dict[str, pd.DataFrame]:
    tables = {table: read(cwd / "results" / name, table) for table in TABLES if table not in TIME_TABLES}
    tables["runs"] = tables["runs"].drop(columns=list(TIME_COLUMNS))
    return tables


def assert_same_tables(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name], check_exact=True)


def parts(cwd: Path) -> set[Path]:
    return {path.relative_to(cwd) for path in (cwd / "results" / "store").rglob("*.parquet")}


def run_ids(cwd: Path, files: set[Path]) -> list[str]:
    return [run_id for path in files for run_id in pd.read_parquet(cwd / path, columns=["run_id"])["run_id"]]


def files(cwd: Path) -> set[Path]:
    return {path for path in cwd.rglob("*") if ".snakemake" not in path.parts}


@pytest.fixture(scope="session")
def original(shared):
    """The folder in which the small study was run on two cores. To be read only.

    What was said lies in `stdout` and `stderr`, and Snakemake's log in `log`.
    """

    def make(folder: Path) -> None:
        done = run(folder)
        (folder / "stdout").write_text(done.stdout)
        (folder / "stderr").write_text(done.stderr)
        shutil.copy(folder / "results" / "small" / "logs" / "snakemake.log", folder / "log")

    return shared("small", make)


@pytest.fixture
def finished(original, tmp_path):
    """A copy of the finished study, to be changed."""
    for name in ("results", "reports"):
        shutil.copytree(original / name, tmp_path / name)
    return tmp_path


def test_a_run_leaves_tables_copies_and_the_page(original):
    results = original / "results" / "small"
    for name in TABLES:
        assert (results / f"{name}.parquet").is_file()
    counts, runs = compose(SMALL).counts, read(results, "runs")
    assert counts.tuning + counts.least <= len(runs) == len(pd.read_csv(results / "runs.csv")) <= counts.bound
    assert (runs["role"] == "tuning").sum() == counts.tuning
    assert (original / "reports" / "small" / "index.html").is_file()
    said = (original / "stdout").read_text()
    assert "done, after" in said and "report: reports/small/index.html" in said
    assert f"winit: {len(runs)} runs; " in (original / "log").read_text(), "progress is said"
    assert snakemake_module.stage(StudyPaths("small", original / "results"), since=0) == "page"


def test_a_second_run_does_nothing_and_says_so(original):
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in files(original) if path.name != "snakemake.log"}

    before = times()
    done = run(original)
    assert "nothing to do: tables and report are up to date" in done.stdout and done.stderr == ""
    assert times() == before


def test_plain_snakemake_makes_the_same_tables_from_the_frozen_study_on_one_core(original, tmp_path):
    frozen = tmp_path / "mine.yaml"
    shutil.copy(original / "results" / "small" / "study.yaml", frozen)
    snakemake("--cores", "1", TABLES_MADE, "--configfile", str(frozen), cwd=tmp_path)
    assert_same_tables(tables_of(tmp_path), tables_of(original))


def test_every_way_to_start_is_the_same_study(finished):
    """Overrides and the frozen study, to winit and to plain Snakemake: what one has made is up to date for the others."""
    frozen = finished / "results" / "small" / "study.yaml"
    content = frozen.read_bytes()
    for config in (["--configfile", str(frozen)], config_of(SMALL)):
        done = snakemake("--cores", "1", *config, "--dry-run", cwd=finished)
        assert "Nothing to be done" in done.stdout + done.stderr
    assert "nothing to do" in winit("run", str(frozen), "--cores", "2", cwd=finished).stdout
    frozen.unlink()
    assert "nothing to do" in run(finished).stdout and frozen.read_bytes() == content


def test_a_dry_run_writes_nothing(tmp_path):
    winit("run", *SMALL, "--dry-run", cwd=tmp_path)
    winit("plan", *SMALL, cwd=tmp_path)
    assert files(tmp_path) == set()


def test_lost_and_damaged_parts_are_named_and_trained_again(original, finished):
    lost, *_, victim = sorted(parts(finished))
    (finished / lost).unlink()
    content = (finished / victim).read_bytes()
    (finished / victim).write_bytes(content[:-9])
    foreign = victim.with_name("foreign.parquet")
    (finished / foreign).write_bytes(b"no part")
    plan = winit("plan", *SMALL, cwd=finished).stdout
    assert f"not a part of the store: {victim}" in plan
    done = snakemake("--cores", "2", TABLES_MADE, *config_of(SMALL), cwd=finished)
    assert f"{victim} was set aside, and its runs are trained again" in done.stderr
    rejected = finished / foreign.with_suffix(".parquet.rejected")
    assert rejected.is_file() and not (finished / foreign).exists()
    assert_same_tables(tables_of(finished), tables_of(original))


def test_kill_9_loses_at_most_the_chunks_in_flight(original, tmp_path):
    command = [sys.executable, "-m", "winit", "run", *SMALL, "--cores", "2"]
    for chunks in (1, 3):
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.time() + 120
        while len(parts(tmp_path)) < chunks and process.poll() is None and time.time() < deadline:
            time.sleep(0.005)
        assert process.poll() is None, "it ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kept = parts(tmp_path)
        assert len(kept) >= chunks
        store = RunStore(tmp_path / "results" / "store")
        assert not any(store.parts_of(path.parent.name).broken for path in kept)
    planned = winit("plan", *SMALL, cwd=tmp_path).stdout
    assert int(re.search(r"stored: (\d+) of up to \d+ runs", planned)[1]) > 0
    snakemake("--cores", "2", TABLES_MADE, *config_of(SMALL), cwd=tmp_path)
    assert kept <= parts(tmp_path), "what was finished is kept"
    assert_same_tables(tables_of(tmp_path), tables_of(original))


@pytest.mark.parametrize(
    ("lost", "rule"), [("replay.parquet", "replay"), ("provenance.json", "collect"), ("runs.csv", "collect")]
)
def test_a_lost_result_is_due(finished, lost, rule):
    (finished / "results" / "small" / lost).unlink()
    said = snakemake("--cores", "1", *config_of(SMALL), "--dry-run", "--quiet", "host", cwd=finished)
    due = set(re.findall(r"rule (\w+):", said.stdout + said.stderr))
    assert rule in due and not any(name.startswith("train") for name in due)


def test_an_orphaned_job_and_a_new_workflow_do_not_train_twice(tmp_path):
    slow = [*SMALL, "training.steps=3000", "grid.learning_rate=[0.1,0.2]", "dataset=[digits]", "grid.activation=[tanh]"]
    command = [sys.executable, "-m", "winit", "run", *slow, "--cores", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.time() + 120
    while not list((tmp_path / "results" / "store").glob("*/.lock")) and time.time() < deadline:
        time.sleep(0.01)
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout
    for pid in (process.pid, *map(int, listed.split())):  # winit and snakemake, but not their jobs
        os.kill(pid, signal.SIGKILL)
    process.wait()
    study = compose(slow)
    manifests = [str(StudyPaths(study.name).manifest(workload.name)) for workload in study.workloads]
    snakemake("--cores", "2", *manifests, *config_of(slow), cwd=tmp_path)
    rows, counts = run_ids(tmp_path, parts(tmp_path)), study.counts
    assert len(rows) == len(set(rows))  # none twice
    assert counts.tuning + counts.least <= len(rows) <= counts.bound


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ("grid.depth=[0]", "grid.depth"),
        ("grid.dept=[2]", "grid.dept"),
        ("study=nope", "study"),
        ("training.batch_size=99999", "training.batch_size"),
        ("measure.budgets=[10,10]", "measure.budgets"),
        ("measure.budgets=[30]", "measure.budgets"),
        ("grid.extensions=1", "grid.extensions"),
        ("training.schedule=cosine", "measure.budgets"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_bad_input_gives_one_line_and_changes_nothing(tmp_path, monkeypatch, capsys, verb, overrides, key):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main([verb, *SMALL, overrides])
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("winit: ") and key in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_bad_input_to_plain_snakemake(tmp_path):
    done = snakemake("--cores", "1", "--config", "study=smok", cwd=tmp_path, check=False)
    assert done.returncode == 1 and "study: unknown study 'smok'; did you mean 'smoke'?" in done.stderr
    assert "Traceback" not in done.stderr and files(tmp_path) == set()


def test_a_job_refuses_a_study_that_changed_under_it(original, tmp_path):
    frozen = original / "results" / "small" / "study.yaml"
    before = files(original)
    done = winit("workflow", "train", str(frozen), "01", "--arms", "000000000000", cwd=tmp_path, check=False)
    assert done.returncode == 2 and "asks for other runs of bundle 01" in done.stderr
    done = winit("workflow", "train", str(frozen), "99", "--arms", "000000000000", cwd=tmp_path, check=False)
    assert done.returncode == 2 and "unknown bundle of study 'small' '99'" in done.stderr
    assert files(original) == before and files(tmp_path) == set()


def test_every_rule_has_a_docstring(tmp_path):
    listed = snakemake("--list-rules", cwd=tmp_path).stdout
    for rule in ("all", "train_01", "collect", "replay", "report"):
        assert re.search(rf"^{rule}\b", listed, re.MULTILINE)
    text = (ROOT / "Snakefile").read_text()
    documented = re.findall(r'^( *)rule( \w+)?:\n\1    """', text, re.MULTILINE)
    assert len(documented) == len(re.findall(r"^ *rule\b", text, re.MULTILINE)) == 5
