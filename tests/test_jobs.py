"""Jobs of the workflow: a log that says why a job failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from winit.study.compose import compose, dump
from winit.workflow.snakemake import ERROR, WARNING

ROOT = Path(__file__).resolve().parent.parent

# A job that warns and fails, as a rule runs it.
CODE = """
import argparse, sys
from pathlib import Path
from winit import jobs
def job(given, study, paths):
    jobs.LOG.warning("a part of %s was set aside", paths.folder)
    raise {error}
sys.exit(jobs.run(job, argparse.Namespace(study=Path("results/x/study.yaml"), log=Path("logs/job.log"))))
"""


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        ("ValueError('engine: got\\nnone')", 2, "engine: got none"),
        ("OSError(28, 'No space left on device', 'results/x')", 2, "No space left on device: results/x"),
        ("KeyError('loss')", 1, "KeyError: 'loss'"),
    ],
)
def test_the_last_line_of_a_jobs_log_says_why_it_failed(tmp_path, error, code, reason):
    frozen, log = tmp_path / "results" / "x" / "study.yaml", tmp_path / "logs" / "job.log"
    frozen.parent.mkdir(parents=True)
    frozen.write_text(dump(compose(["study=smoke", "name=x"])))
    log.parent.mkdir()
    log.write_text(f"{ERROR}what an earlier session said\n")
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(error=error)], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    said = log.read_text()
    assert done.returncode == code and done.stderr == said
    assert said.splitlines()[0] == f"{WARNING}a part of results/x was set aside"
    assert said.splitlines()[-1] == ERROR + reason
    assert ("Traceback" in said) == (code == 1), "a fault of ours keeps its traceback"
