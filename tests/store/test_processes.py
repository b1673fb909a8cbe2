"""Tasks side by side return what they return one after the other."""

from __future__ import annotations

import os

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
