"""Several processes for what does not depend on each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

Result = TypeVar("Result")

_tasks: list[Sequence[Callable[[], Any]]] = []  # what forked processes find in their memory


def run_all(tasks: Sequence[Callable[[], Result]], processes: int = 1) -> list[Result]:
    """Call every task, and return what they return, in their order.

    Processes are forked, so a task may be any function, and what it returns is pickled. Elsewhere than on Linux, where
    libraries do not survive a fork, there is one process.

    Args:
        tasks: which do not depend on each other; the longest should come first.
        processes: how many at most.
    """
    if processes == 1 or len(tasks) < 2 or sys.platform != "linux":
        return [task() for task in tasks]
    _tasks.append(tasks)
    try:
        with ProcessPoolExecutor(min(processes, len(tasks)), get_context("fork")) as pool:
            return list(pool.map(_call, range(len(tasks))))
    finally:
        _tasks.pop()


def _call(index: int) -> Any:
    return _tasks[-1][index]()
