"""Snakemake's log: what a person is told of it, and why a job failed."""

from __future__ import annotations

import os

import pytest

from winit.workflow import snakemake
from winit.workflow.paths import StudyPaths

# As Snakemake 9 writes it.
FAILED = """[Wed Nov 25 21:13:46 2026]
Error in rule {job}:
    message: None
    jobid: 2
    output: results/x/workloads/a.json, results/x/workloads/b.json
    log: results/x/logs/{log}.log (check log file(s) for error details)
    shell:
        python -m winit workflow train results/x/study.yaml
        (command exited with non-zero exit code)
"""
PATHS = StudyPaths("x")


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes the log of a rule of study x in the working directory."""
    monkeypatch.chdir(tmp_path)
    PATHS.log("snakemake").parent.mkdir(parents=True)
    return lambda rule, text: PATHS.log(rule).write_text(text)


def test_a_failure_names_the_job_the_reason_and_the_log(write):
    write("snakemake", "Building DAG of jobs...\n" + FAILED.format(job="train_02", log="train-02") + "Exiting\n")
    write("train-02", "winit: 7 runs\nwinit: error: it was so.\nwinit: error: no memory is left\n")
    assert snakemake.explanation(PATHS) == (
        "job train_02 failed: no memory is left. Its log is results/x/logs/train-02.log"
    )


def test_further_failures_are_counted_once_each(write):
    text = FAILED.format(job="train_02", log="train-02") + FAILED.format(job="report", log="report")
    write("snakemake", text + FAILED.format(job="report", log="report"))
    write("train-02", "winit: error: no memory is left\n")
    assert snakemake.explanation(PATHS).startswith("job train_02 (and 1 more) failed: no memory is left. Its log")


@pytest.mark.parametrize("said", [None, "winit: 82 of up to 352 runs\n"])
def test_a_job_that_was_killed_left_no_reason(write, said):
    write("snakemake", FAILED.format(job="train_02", log="train-02"))
    if said:
        write("train-02", said)
    assert (
        "train_02 failed: it ended without an error message, for example because it was killed"
        in snakemake.explanation(PATHS)
    )


def test_what_stops_snakemake_itself_is_its_last_line(write):
    write("snakemake", "Building DAG of jobs...\nWorkflowError:\nno space left on device.\n\n")
    assert snakemake.explanation(PATHS) == (
        "Snakemake stopped: no space left on device. Its log is results/x/logs/snakemake.log"
    )


def test_a_log_is_read_line_by_line_as_it_grows(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"one\ntw")
    reader = snakemake.LogReader(log)
    assert list(reader.new_lines()) == ["one"] and list(reader.new_lines()) == []
    log.write_bytes(b"one\ntwo\n\xffthree\n")
    assert list(reader.new_lines()) == ["two", "�three"]


def test_the_stage_is_that_of_the_last_job_that_began(write):
    write("collect", "")
    begun = PATHS.log("collect").stat().st_mtime
    assert snakemake.stage(PATHS, begun + 1) == "training", "the log is an earlier session's"
    assert snakemake.stage(PATHS, begun) == "tables"
    write("report", "")
    os.utime(PATHS.log("report"), (begun + 2, begun + 2))
    assert snakemake.stage(PATHS, begun) == "page"
