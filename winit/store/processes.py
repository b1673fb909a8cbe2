"""Several processes for tasks that do not depend on each other."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

Result = TypeVar("Result")

_tasks: list[Sequence[Callable[[], Any]]] = []  # what forked processes find in their memory


def run_all(tasks: Sequence[Callable[[], Result]], processes: int = 1) -> list[Result]:
    """Call every task, and return what they return, in their order.

    Processes are forked, so a task may be any function, and what it returns is pickled. They end with this process, even
    if it is killed. Other systems than Linux have one process, because their libraries do not survive a fork.

    Args:
        tasks: the longest should come first.
        processes: how many at most.
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
    """Have Linux kill this process when the one that forked it ends: it would wait for tasks for ever."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _call(index: int) -> Any:
    return _tasks[-1][index]()
