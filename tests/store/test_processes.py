"""Parallel tasks return the same results as sequential tasks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from winit.store.processes import run_all


def test_results_come_in_the_order_of_the_tasks_from_several_processes():
    tasks = [lambda number=number: (number, os.getpid()) for number in range(6)]
    here, there = run_all(tasks), run_all(tasks, processes=2)
    assert [number for number, _ in here] == [number for number, _ in there] == list(range(6))
    assert {process for _, process in here} == {os.getpid()}
    assert os.getpid() not in {process for _, process in there}


@pytest.mark.parametrize("processes", [1, 2])
def test_the_mistake_of_a_task_is_that_of_all(processes):
    def wrong():
        raise ValueError("one sentence")

    with pytest.raises(ValueError, match=r"^one sentence$"):
        run_all([wrong, lambda: 1], processes)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one process")
def test_the_processes_end_with_the_one_that_started_them():
    code = """
import os, time
from winit.store.processes import run_all
def task():
    os.write(1, f"{os.getpid()}\\n".encode())
    time.sleep(60)
run_all([task, task], 2)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        started = [Path("/proc", process.stdout.readline().strip()) for _ in range(2)]
        assert all(folder.is_dir() for folder in started)
        process.send_signal(signal.SIGKILL)

    def is_running(folder: Path) -> bool:
        try:
            return "(zombie)" not in (folder / "status").read_text()
        except OSError:  # it is gone
            return False

    deadline = time.monotonic() + 20
    while any(map(is_running, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, started))
