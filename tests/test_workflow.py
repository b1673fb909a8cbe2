"""The workflow end to end, as a user runs it: Snakemake, processes, kills, damage."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from winit.store.files import read
from winit.store.parts import RunStore
from winit.store.schema import TIME_COLUMNS

ROOT = Path(__file__).resolve().parent.parent
# Small, but with every status, two datasets, a pair that is not applicable, and runs that diverge.
SMALL = [
    "study=smoke", "name=small", "dataset=[digits,spirals]", "grid.depth=[2]", "grid.activation=[tanh,relu]",
    "grid.initializer=[zeros,he_normal,kumar]", "grid.learning_rate=[0.1,1e30]", "grid.replicates=2", "grid.tuning_replicates=0",
    "training.steps=30",
]  # fmt: skip


def winit(*arguments: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run([sys.executable, "-m", "winit", *arguments], cwd=cwd, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def snakemake(*arguments: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def run(cwd: Path, *more: str, cores: int = 2) -> subprocess.CompletedProcess:
    return winit("run", *SMALL, *more, "--cores", str(cores), cwd=cwd)


def tables_of(cwd: Path, name: str = "small") -> dict[str, pd.DataFrame]:
    found = {
        t: read(cwd / "results" / name, t)
        for t in ("runs", "curves", "layers", "traces", "theory", "summary", "not_applicable", "replay")
    }
    found["runs"] = found["runs"].drop(columns=list(TIME_COLUMNS))
    return found


def assert_same_tables(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name], check_exact=True)


def parts(cwd: Path) -> set[Path]:
    return set((cwd / "results" / "store").rglob("*.parquet"))


def files(cwd: Path) -> set[Path]:
    return {path for path in cwd.rglob("*") if ".snakemake" not in path.parts}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The small study, run once on two cores."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, run(folder)


def test_a_run_leaves_tables_copies_and_the_page(finished):
    folder, done = finished
    results = folder / "results" / "small"
    for name in ("runs", "curves", "layers", "traces", "theory", "summary", "not_applicable", "replay"):
        assert (results / f"{name}.parquet").is_file()
    assert len(pd.read_csv(results / "runs.csv")) == len(read(results, "runs")) == 40
    assert (folder / "reports" / "small" / "index.html").is_file()
    assert "done, after" in done.stdout and "report: reports/small/index.html" in done.stdout
    assert re.search(r"40 of 40 runs", done.stderr), "progress is said"


def test_a_second_run_does_nothing_and_says_so(finished):
    folder, _ = finished
    before = {path: path.stat().st_mtime_ns for path in files(folder)}
    done = run(folder)
    assert "nothing to do: tables and report are up to date" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in files(folder)} == before


def test_the_number_of_cores_changes_nothing(finished, tmp_path):
    folder, _ = finished
    run(tmp_path, cores=1)
    assert_same_tables(tables_of(tmp_path), tables_of(folder))


def test_the_frozen_study_suffices_to_run_it_again(finished, tmp_path):
    folder, _ = finished
    frozen = tmp_path / "mine.yaml"
    frozen.write_text((folder / "results" / "small" / "study.yaml").read_text())
    winit("run", str(frozen), "--cores", "2", cwd=tmp_path)
    assert_same_tables(tables_of(tmp_path), tables_of(folder))


def test_plain_snakemake_runs_the_same_study(finished, tmp_path):
    folder, _ = finished
    overrides = "overrides=" + " ".join(SMALL[1:])
    snakemake("--cores", "2", "--config", "study=smoke", overrides, cwd=tmp_path)
    assert_same_tables(tables_of(tmp_path), tables_of(folder))
    frozen = folder / "results" / "small" / "study.yaml"
    done = snakemake("--cores", "1", "--configfile", str(frozen), "--dry-run", cwd=tmp_path)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_dry_run_writes_nothing(tmp_path):
    winit("run", *SMALL, "--dry-run", cwd=tmp_path)
    winit("plan", *SMALL, cwd=tmp_path)
    assert files(tmp_path) == set()


def test_a_larger_grid_trains_only_what_is_new_and_a_smaller_one_nothing(tmp_path):
    run(tmp_path)
    first = parts(tmp_path)
    done = run(tmp_path, "grid.learning_rate=[0.1,0.2,1e30]", "grid.replicates=3", "grid.depth=[2,3]")
    assert "stored: 40 of 180 runs" in done.stdout
    second = parts(tmp_path)
    assert first < second
    trained = [i for p in second - first for i in pd.read_parquet(p, columns=["run_id"])["run_id"]]
    assert len(trained) == len(set(trained)) == 140
    done = run(tmp_path, "grid.initializer=[he_normal]", "--force")
    assert "to train: nothing" in done.stdout and parts(tmp_path) == second
    runs = read(tmp_path / "results" / "small", "runs")
    assert set(runs["initializer"]) == {"he_normal"} and len(runs) == 16


def test_damage_in_the_store_is_named_and_trained_again(finished, tmp_path):
    folder, _ = finished
    run(tmp_path)
    victim = sorted(parts(tmp_path))[0]
    victim.write_bytes(victim.read_bytes()[:-9])
    foreign = victim.with_name("foreign.parquet")
    foreign.write_bytes(b"no part")
    plan = winit("plan", *SMALL, cwd=tmp_path).stdout
    assert f"not a part of the store: {victim.relative_to(tmp_path)}" in plan
    done = run(tmp_path)
    assert f"{victim.relative_to(tmp_path)} was set aside, and its runs are trained again" in done.stderr
    assert foreign.with_suffix(".parquet.rejected").is_file() and not foreign.exists()
    assert_same_tables(tables_of(tmp_path), tables_of(folder))


def test_a_lost_part_is_trained_again(finished, tmp_path):
    folder, _ = finished
    run(tmp_path)
    sorted(parts(tmp_path))[-1].unlink()
    run(tmp_path)
    assert_same_tables(tables_of(tmp_path), tables_of(folder))


@pytest.mark.parametrize("chunks", [1, 3])
def test_kill_9_loses_at_most_the_chunk_in_flight(finished, tmp_path, chunks):
    folder, _ = finished
    command = [sys.executable, "-m", "winit", "run", *SMALL, "--cores", "2"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.time() + 60
    while len(parts(tmp_path)) < chunks and process.poll() is None and time.time() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = parts(tmp_path)
    assert len(kept) >= chunks
    store = RunStore(tmp_path / "results" / "store")
    assert not any(store.parts_of(path.parent.name).broken for path in kept)
    done = run(tmp_path)
    assert kept <= parts(tmp_path), "what was finished is kept"
    held = int(re.search(r"stored: (\d+) of 40 runs", done.stdout)[1])
    assert held > 0
    assert_same_tables(tables_of(tmp_path), tables_of(folder))


@pytest.mark.parametrize(
    "lost",
    [
        "results/small/replay.parquet",
        "results/small/provenance.json",
        "results/small/study.yaml",
        "results/small/runs.csv",
    ],
)
def test_a_lost_result_is_made_again(finished, lost):
    folder, _ = finished
    (folder / lost).unlink()
    run(folder)
    assert (folder / lost).is_file()


def test_an_orphaned_job_and_a_new_workflow_do_not_train_twice(tmp_path):
    slow = [*SMALL, "training.steps=3000", "grid.learning_rate=[0.1,0.2]"]
    command = [sys.executable, "-m", "winit", "run", *slow, "--cores", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.time() + 60
    while not list((tmp_path / "results" / "store").glob("*/.lock")) and time.time() < deadline:
        time.sleep(0.01)
    children = [
        int(p) for p in subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    ]
    for pid in (process.pid, *children):  # winit and snakemake, but not their jobs
        os.kill(pid, signal.SIGKILL)
    process.wait()
    winit("run", *slow, "--cores", "2", cwd=tmp_path)
    rows = [i for p in parts(tmp_path) for i in pd.read_parquet(p, columns=["run_id"])["run_id"]]
    assert len(rows) == len(set(rows)) == 40


def test_one_study_is_not_run_twice_at_once(tmp_path):
    from winit.study.compose import compose
    from winit.workflow import session
    from winit.workflow.paths import StudyPaths

    with session.lock(compose(SMALL), StudyPaths("small", tmp_path / "results")):
        done = winit("run", *SMALL, "--cores", "1", cwd=tmp_path, check=False)
        assert done.returncode == 2 and "study 'small' is already running" in done.stderr
    run(tmp_path)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ("grid.depth=[0]", "grid.depth"),
        ("grid.dept=[2]", "grid.dept"),
        ("study=nope", "study"),
        ("training.batch_size=99999", "training.batch_size"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_bad_input_costs_one_line_and_changes_nothing(tmp_path, verb, overrides, key):
    done = winit(verb, *SMALL, overrides, cwd=tmp_path, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("winit: ") and key in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_bad_input_to_plain_snakemake(tmp_path):
    done = snakemake("--cores", "1", "--config", "study=smok", cwd=tmp_path, check=False)
    assert (
        done.returncode == 1
        and "study: unknown study 'smok'; did you mean 'smoke'? choose from deep_autoencoder, default, phase_diagram, smoke"
        in done.stderr
    )
    assert "Traceback" not in done.stderr and files(tmp_path) == set()


def test_a_job_refuses_a_study_that_changed_under_it(finished, tmp_path):
    folder, _ = finished
    frozen = folder / "results" / "small" / "study.yaml"
    settings = yaml.safe_load(frozen.read_text())
    from winit.study.compose import validate

    name = validate(settings).workloads[0].name
    output = tmp_path / "x.json"
    done = winit(
        "train", str(frozen), name, "--runs", "000000000000", "--output", str(output), cwd=tmp_path, check=False
    )
    assert done.returncode == 2 and "asks for other runs" in done.stderr and not output.exists()


def test_every_rule_has_a_docstring(tmp_path):
    listed = snakemake("--list-rules", cwd=tmp_path).stdout
    for rule in ("all", "train", "collect", "replay", "report"):
        assert re.search(rf"^{rule}\b", listed, re.MULTILINE)
    text = (ROOT / "Snakefile").read_text()
    assert len(re.findall(r'^rule \w+:\n    """', text, re.MULTILINE)) == len(re.findall(r"^rule ", text, re.MULTILINE))
