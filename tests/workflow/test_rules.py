"""The interface between the Snakefile and Snakemake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.exceptions import WorkflowError

from winit.workflow import rules


@pytest.mark.parametrize("error", [ValueError("so: got 3"), OSError("so: got 3")])
def test_a_callers_mistake_is_a_workflow_error(error):
    with pytest.raises(WorkflowError, match="so: got 3"), rules.one_sentence():
        raise error


def test_files_that_are_due_are_forced_when_the_graph_is_built():
    workflow = SimpleNamespace(dag=SimpleNamespace(forcefiles={"a"}))
    inputs = rules.making_due(workflow, [Path("results/x/runs.parquet")])
    assert workflow.dag.forcefiles == {"a"}
    assert inputs(None) == [] and workflow.dag.forcefiles == {"a", "results/x/runs.parquet"}


def test_the_prefix_runs_winit_in_this_python_on_one_thread(monkeypatch):
    prefix = rules.shell_prefix().format()  # as Snakemake does
    done = subprocess.run(
        ["bash", "-c", f"{prefix}winit --version; echo $OMP_NUM_THREADS"], capture_output=True, text=True
    )
    assert done.stdout.startswith("winit ") and done.stdout.endswith("\n1\n")
    monkeypatch.setattr(sys, "executable", "/a b/{c}/python")
    assert "'/a b/{c}/python' -m winit" in rules.shell_prefix().format()
