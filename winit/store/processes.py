"""Run independent tasks in several processes."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

Result = TypeVar("Result")

_tasks: list[Sequence[Callable[[], Any]]] = []  # forked processes find the tasks in their memory


def run_all(tasks: Sequence[Callable[[], Result]], processes: int = 1) -> list[Result]:
    """Call all tasks and return their results in order.

    Processes are forked, so a task may be any function; its result is pickled. The processes end with this process, even if
    it is killed. Systems other than Linux use one process, because their libraries do not survive a fork.

    Args:
        tasks: functions without arguments, the longest first.
        processes: largest number of processes.
    """
    if processes == 1 or len(tasks) < 2 or sys.platform != "linux":
        return [task() for task in tasks]
    _tasks.append(tasks)
    try:
        with ProcessPoolExecutor(min(processes, len(tasks)), get_context("fork"), _end_with_parent) as pool:
            return list(pool.map(_call, range(len(tasks))))
    finally:
        _tasks.pop()


_PR_SET_PDEATHSIG = 1  # of prctl(2)


def _end_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends; it would wait for tasks for ever."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _call(index: int) -> Any:
    return _tasks[-1][index]()
